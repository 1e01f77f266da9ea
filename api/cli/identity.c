/* SPDX-License-Identifier: Apache-2.0 */
/* veer token create, veer agent enrol, veer nameserver enrol and adopt. */
#include <stdio.h>
#include <string.h>

#include "api/cli/command.h"
#include "api/cli/fields.h"
#include "base/file.h"
#include "base/privilege.h"

enum { TOKEN_LIMITS = 3 };
static const char *const limit_keys[TOKEN_LIMITS] = {"endpoints", "checks", "zones"};

struct token_args {
	const char *name;
	const char *ttl;
	struct args_list scopes, limits[TOKEN_LIMITS];
};

static enum veer_err create_token(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				  struct veer_diag *diag)
{
	(void)words;
	const struct token_args *a = ctx;
	json_t *scopes = cli_names_json(&a->scopes);
	if (a->scopes.count == 0)
		(void)json_array_append_new(scopes, json_string("admin"));
	json_t *body = json_pack("{s:s, s:o}", "name", a->name, "scopes", scopes);
	for (size_t i = 0; i < TOKEN_LIMITS; i++)
		if (a->limits[i].count > 0)
			(void)json_object_set_new(body, limit_keys[i], cli_names_json(&a->limits[i]));
	int64_t ttl_s = 0;
	if (a->ttl != NULL && !cli_duration_s(a->ttl, &ttl_s)) {
		json_decref(body);
		cli->is_misused = true;
		return veer_fail(diag, VEER_EINVAL, "--ttl %s: say it as 12h, 90d or 1w, at most 366d", a->ttl);
	}
	if (a->ttl != NULL)
		(void)json_object_set_new(body, "ttl_s", json_integer(ttl_s));
	return cli_call_json(cli, "POST", "/v1/tokens", body, reply, diag);
}

static int report_token(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	(void)words;
	return printf("%s\n", text_of(reply->json, "token")) < 0 ? CLI_FAILED : CLI_OK;
}

int cli_token_create(int argc, char *argv[], int first)
{
	struct token_args a = {0};
	const struct args_option options[] = {
		{.name = "name",
		 .kind = ARGS_STRING,
		 .target = &a.name,
		 .value = "NAME",
		 .required = true,
		 .help = "who will use it"},
		{.name = "scope",
		 .kind = ARGS_LIST,
		 .target = &a.scopes,
		 .value = "SCOPE",
		 .help = "admin (default), zones:read, zones:write, health:read, health:write, health:push, agents, "
			 "tokens, "
			 "feed:read; may repeat"},
		{.name = "ttl",
		 .kind = ARGS_STRING,
		 .target = &a.ttl,
		 .value = "DURATION",
		 .help = "how long it is good: 12h, 90d (default: until it is revoked)"},
		{.name = "endpoint",
		 .kind = ARGS_LIST,
		 .target = &a.limits[0],
		 .value = "POOL/ENDPOINT",
		 .help = "it may drain, force, and push for these only; * stands for anything; may repeat"},
		{.name = "check",
		 .kind = ARGS_LIST,
		 .target = &a.limits[1],
		 .value = "CHECK",
		 .help = "it may push to these checks only; may repeat"},
		{.name = "zone",
		 .kind = ARGS_LIST,
		 .target = &a.limits[2],
		 .value = "ZONE",
		 .help = "it may read and change these zones only; may repeat"},
	};
	const struct cli_command command = {
		.usage = "veer token create --name NAME [--scope SCOPE]... [--ttl DURATION] [--endpoint|--check|--zone "
			 "PATTERN]...",
		.summary = "Makes a token for the REST API. It is printed once and cannot be read again.",
		.options = options,
		.option_count = sizeof options / sizeof options[0],
		.ctx = &a,
		.call = create_token,
		.report = report_token};
	return cli_command_run(&command, argc, argv, first);
}

/* Write the token into a file that only its owner can read, or print it with the way to use it. */
static int hand_out(const char *token, const char *how, const char *file, const char *owner)
{
	const struct privilege_names names = {.user = owner, .option = "--owner"};
	struct privilege_user user;
	struct veer_diag diag = {""};
	if (file == NULL) {
		(void)printf("%s\n", token);
		(void)fprintf(stderr,
			      "The token works once, for 24 hours. On its host, put it into a file and run:\n  %s\n",
			      how);
		return CLI_OK;
	}
	char line[256];
	int len = snprintf(line, sizeof line, "%s\n", token);
	enum veer_err err = privilege_find(&names, &user, &diag);
	const struct file_owner to = {user.uid, user.gid};
	if (err == VEER_OK)
		err = file_write_atomic_for(file, line, (size_t)len, 0600, user.is_set ? &to : NULL, &diag);
	return err == VEER_OK ? CLI_OK : cli_fail(&diag);
}

/* The arguments for an agent; for a name server, `region` is NULL. */
struct enrol_args {
	const char *name, *region, *site, *out, *owner;
};

static enum veer_err enrol(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
			   struct veer_diag *diag)
{
	(void)words;
	const struct enrol_args *a = ctx;
	json_t *body = json_pack("{s:s, s:s*, s:s*}", "name", a->name, "region", a->region, "site", a->site);
	return cli_call_json(cli, "POST", a->region != NULL ? "/v1/agents" : "/v1/nameservers", body, reply, diag);
}

static int report_enrolment(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)words;
	const struct enrol_args *a = ctx;
	char how[256];
	if (a->region != NULL)
		(void)snprintf(how, sizeof how,
			       "veer-probe --api https://THIS-HOST:PORT --token-file FILE --state /var/lib/veer-probe "
			       "--region %.63s",
			       a->region);
	else
		(void)snprintf(how, sizeof how,
			       "veer-dnsd --listen ADDRESS@53 --feed https://THIS-HOST:PORT --token-file FILE --state "
			       "/var/lib/veer-dnsd");
	return hand_out(text_of(reply->json, "token"), how, a->out, a->owner);
}

/* The first three options are for both, the rest only for agents. */
enum { ENROL_OPTIONS = 3, AGENT_OPTIONS = 5 };

static int run_enrol(size_t option_count, const char *usage, const char *summary, int argc, char *argv[], int first)
{
	struct enrol_args a = {0};
	const struct args_option options[AGENT_OPTIONS] = {
		{.name = "name",
		 .kind = ARGS_STRING,
		 .target = &a.name,
		 .value = "NAME",
		 .required = true,
		 .help = "what it is called"},
		{.name = "out",
		 .kind = ARGS_STRING,
		 .target = &a.out,
		 .value = "FILE",
		 .help = "write the token here instead of printing it"},
		{.name = "owner",
		 .kind = ARGS_STRING,
		 .target = &a.owner,
		 .value = "NAME",
		 .help = "whose file that is to be: the user that reads it (default: ours)"},
		{.name = "region",
		 .kind = ARGS_STRING,
		 .target = &a.region,
		 .value = "REGION",
		 .required = true,
		 .help = "where it will probe from"},
		{.name = "site",
		 .kind = ARGS_STRING,
		 .target = &a.site,
		 .value = "SITE",
		 .help = "the site it stands at, if any"},
	};
	const struct cli_command command = {.usage = usage,
					    .summary = summary,
					    .options = options,
					    .option_count = option_count,
					    .ctx = &a,
					    .call = enrol,
					    .report = report_enrolment};
	return cli_command_run(&command, argc, argv, first);
}

int cli_agent_enrol(int argc, char *argv[], int first)
{
	return run_enrol(AGENT_OPTIONS, "veer agent enrol --name NAME --region REGION [--out FILE]",
			 "Announces a probe agent: makes the one-use token it enrols with.", argc, argv, first);
}

int cli_nameserver_enrol(int argc, char *argv[], int first)
{
	return run_enrol(ENROL_OPTIONS, "veer nameserver enrol --name NAME [--out FILE]",
			 "Announces a name server: makes the one-use token it enrols with.", argc, argv, first);
}

static enum veer_err adopt(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
			   struct veer_diag *diag)
{
	struct buf path;
	(void)ctx;
	buf_init(&path, 1024);
	buf_puts(&path, "/v1/nameservers/");
	cli_encode_segment(&path, words->items[0]);
	buf_puts(&path, "/adopt");
	return cli_call_path(cli, "POST", &path, NULL, reply, diag);
}

static int report_adoption(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	cli_say("%s is told to follow the store %s", words->items[0], text_of(reply->json, "store_id"));
	return CLI_OK;
}

int cli_nameserver_adopt(int argc, char *argv[], int first)
{
	const struct cli_command command = {
		.usage = "veer nameserver adopt NAME|ID",
		.summary = "Has a name server follow this store, which it keeps in quarantine. What it serves is "
			   "replaced.\nOnly do so when this store is the right one: see veer status.",
		.positional_min = 1,
		.positional_max = 1,
		.call = adopt,
		.report = report_adoption};
	return cli_command_run(&command, argc, argv, first);
}
