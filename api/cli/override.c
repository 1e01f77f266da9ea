/* SPDX-License-Identifier: Apache-2.0 */
/* veer drain, veer force up|down, veer release, veer freeze: an administrator's overrides of the verdicts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cli/command.h"
#include "base/text.h"

enum { DURATION_MAX_S = 366 * 86400, ENDPOINTS_MAX = 40 };

bool cli_duration_s(const char *text, int64_t *seconds)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
	char digits[16];
	size_t len = strlen(text);
	int64_t count;
	if (len < 2 || len > sizeof digits)
		return false;
	memcpy(digits, text, len - 1);
	digits[len - 1] = '\0';
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (text[len - 1] == units[i].unit &&
		    text_to_int(digits, 1, DURATION_MAX_S / units[i].seconds, &count)) {
			*seconds = count * units[i].seconds;
			return true;
		}
	return false;
}

/* The arguments of these commands. */
struct wish {
	const char *action;
	const char *reason, *owner, *duration, *until;
	struct args_list force;
};

/* The body of POST /v1/overrides; NULL with the diag when a duration is malformed. */
static json_t *wish_body(const struct wish *w, const struct args_list *endpoints, struct veer_diag *diag)
{
	int64_t ttl_s = 0;
	if (w->duration != NULL && !cli_duration_s(w->duration, &ttl_s)) {
		(void)veer_fail(diag, VEER_EINVAL, "--for: \"%s\" is not a duration like 90s, 30m, 2h, 7d",
				w->duration);
		return NULL;
	}
	json_t *body = json_pack("{s:s, s:s, s:o, s:s*, s:s*}", "action", w->action, "reason", w->reason, "endpoints",
				 cli_names_json(endpoints), "owner", w->owner, "expires_at", w->until);
	if (ttl_s > 0)
		(void)json_object_set_new(body, "ttl_s", json_integer(ttl_s));
	if (w->force.count > 0)
		(void)json_object_set_new(body, "force", cli_names_json(&w->force));
	return body;
}

/* The API's refusal names the field that overrides the safety rule; here it is replaced by the name of the option. */
static enum veer_err explain_refusal(const struct cli_reply *reply, enum veer_err err, struct veer_diag *diag)
{
	static const char hint[] = "\"force\": \"";
	const char *type = json_string_value(json_object_get(reply->json, "type"));
	const char *detail = json_string_value(json_object_get(reply->json, "detail"));
	const char *pool = detail != NULL ? strstr(detail, hint) : NULL;
	if (type == NULL || strcmp(type, "urn:veer:problem:would-empty") != 0 || pool == NULL)
		return err;
	pool += sizeof hint - 1;
	int len = (int)strcspn(pool, "\"");
	return veer_fail(
		diag, err,
		"the pool \"%.*s\" would have no endpoint left that is not drained or forced down; to do it all "
		"the same, say --force %.*s",
		len, pool, len, pool);
}

/* One transaction for all named endpoints: all, or none. */
static enum veer_err post_wish(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
			       struct veer_diag *diag)
{
	json_t *body = wish_body(ctx, words, diag);
	cli->is_misused = body == NULL;
	enum veer_err err = body != NULL ? cli_call_json(cli, "POST", "/v1/overrides", body, reply, diag) : VEER_EINVAL;
	return err == VEER_OK ? err : explain_refusal(reply, err, diag);
}

static int report_wish(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)reply;
	const struct wish *w = ctx;
	const char *said = strcmp(w->action, "drain") == 0 ? "drained"
			   : strcmp(w->action, "up") == 0  ? "forced up"
							   : "forced down";
	int code = CLI_OK;
	for (size_t i = 0; i < words->count; i++)
		code = printf("%s: %s\n", words->items[i], said) < 0 ? CLI_FAILED : CLI_OK;
	return code;
}

static int override(int argc, char *argv[], int first, const char *action, const char *usage, const char *summary)
{
	struct wish w = {.action = action};
	const struct args_option options[] = {
		{.name = "reason",
		 .kind = ARGS_STRING,
		 .target = &w.reason,
		 .value = "TEXT",
		 .required = true,
		 .help = "why; others will ask"},
		{.name = "owner",
		 .kind = ARGS_STRING,
		 .target = &w.owner,
		 .value = "NAME",
		 .help = "who answers for it (default: the token's name)"},
		{.name = "for",
		 .kind = ARGS_STRING,
		 .target = &w.duration,
		 .value = "90s|30m|2h|7d",
		 .help = "ends by itself after so long (default: never)"},
		{.name = "until",
		 .kind = ARGS_STRING,
		 .target = &w.until,
		 .value = "TIME",
		 .help = "ends by itself then (RFC 3339)"},
		{.name = "force",
		 .kind = ARGS_LIST,
		 .target = &w.force,
		 .value = "POOL",
		 .help = "even if this pool is left without endpoints; may repeat"},
	};
	const struct cli_command command = {.usage = usage,
					    .summary = summary,
					    .options = options,
					    .option_count = sizeof options / sizeof options[0],
					    .positional_min = 1,
					    .positional_max = ENDPOINTS_MAX,
					    .ctx = &w,
					    .call = post_wish,
					    .report = report_wish};
	return cli_command_run(&command, argc, argv, first);
}

int cli_drain(int argc, char *argv[], int first)
{
	return override(
		argc, argv, first, "drain", "veer drain --reason TEXT [--for DURATION] [--force POOL] POOL/ENDPOINT...",
		"Takes endpoints out of the answers, whatever their verdicts, until released or until the time is "
		"over.\nSeveral go together or not at all.");
}

int cli_force_up(int argc, char *argv[], int first)
{
	return override(argc, argv, first, "up", "veer force up --reason TEXT [--for DURATION] POOL/ENDPOINT...",
			"Takes endpoints as up, whatever the agents say.");
}

int cli_force_down(int argc, char *argv[], int first)
{
	return override(argc, argv, first, "down",
			"veer force down --reason TEXT [--for DURATION] [--force POOL] POOL/ENDPOINT...",
			"Takes endpoints as down, whatever the agents say.");
}

void cli_endpoint_path(struct buf *out, const char *prefix, const char *endpoint)
{
	const char *slash = strchr(endpoint, '/');
	char pool[256];
	(void)snprintf(pool, sizeof pool, "%.*s", slash != NULL ? (int)(slash - endpoint) : (int)strlen(endpoint),
		       endpoint);
	buf_puts(out, prefix);
	cli_encode_segment(out, pool);
	buf_putc(out, '/');
	cli_encode_segment(out, slash != NULL ? slash + 1 : "");
}

static int release(struct cli *cli, const char *endpoint)
{
	struct veer_diag diag = {""};
	struct cli_reply reply = {0};
	struct buf path;
	int code = CLI_OK;
	buf_init(&path, 4096);
	cli_endpoint_path(&path, "/v1/overrides/", endpoint);
	enum veer_err err = cli_call_path(cli, "DELETE", &path, NULL, &reply, &diag);
	if (err != VEER_OK && reply.status == 404)
		(void)veer_fail(&diag, VEER_ENOTFOUND, "%s: nothing was said of it", endpoint);
	if (err != VEER_OK)
		code = cli_fail(&diag);
	else
		(void)printf("%s: released\n", endpoint);
	cli_reply_deinit(&reply);
	return code;
}

/* Release each endpoint in a request of its own, so that one that cannot be released does not prevent the others. */
int cli_release(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct args_option table[CLI_OPTION_COUNT];
	struct args_spec spec = {.usage = "veer release POOL/ENDPOINT...",
				 .summary = "Ends what was said with drain or force: the verdicts count again.",
				 .positional_min = 1,
				 .positional_max = ENDPOINTS_MAX};
	int code = cli_parse(&cli, &args, &spec, table, 0, argc, argv, first);
	if (code >= 0)
		return code;
	code = CLI_OK;
	for (size_t i = 0; i < args.positional.count; i++)
		if (release(&cli, args.positional.items[i]) != CLI_OK)
			code = CLI_FAILED;
	args_deinit(&args);
	return code;
}

enum { TRIES = 3, PRECONDITION_FAILED = 412 };

/* Read the settings, change the freeze, and write them if they have not changed meanwhile. */
static enum veer_err try_freeze(struct cli *cli, json_t *freeze, struct cli_reply *reply, struct veer_diag *diag)
{
	enum veer_err err = cli_call_json(cli, "GET", "/v1/settings", NULL, reply, diag);
	if (err != VEER_OK)
		return err;
	json_t *settings = json_incref(reply->json);
	long long revision = json_integer_value(json_object_get(settings, "revision"));
	cli_reply_deinit(reply);
	(void)json_object_set(settings, "freeze", freeze);
	if (revision > 0)
		(void)snprintf(cli->condition, sizeof cli->condition, "If-Match: \"r%lld\"", revision);
	else
		(void)snprintf(cli->condition, sizeof cli->condition, "If-None-Match: *");
	err = cli_call_json(cli, "PUT", "/v1/settings", settings, reply, diag);
	cli->condition[0] = '\0';
	return err;
}

/* Change only the freeze: settings that somebody else changes at the same time are kept. */
static enum veer_err set_freeze(struct cli *cli, json_t *freeze, struct cli_reply *reply, struct veer_diag *diag)
{
	enum veer_err err = try_freeze(cli, freeze, reply, diag);
	for (int i = 1; i < TRIES && err != VEER_OK && reply->status == PRECONDITION_FAILED; i++) {
		cli_reply_deinit(reply);
		err = try_freeze(cli, freeze, reply, diag);
	}
	json_decref(freeze);
	return err;
}

struct freeze_args {
	const char *reason, *owner;
	bool is_off;
};

static enum veer_err put_freeze(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				struct veer_diag *diag)
{
	(void)words;
	const struct freeze_args *a = ctx;
	if (a->is_off)
		return set_freeze(cli, json_pack("{s:b}", "on", 0), reply, diag);
	cli->is_misused = a->reason == NULL;
	if (a->reason == NULL)
		return veer_fail(diag, VEER_EINVAL, "--reason is required: others will ask");
	return set_freeze(cli, json_pack("{s:b, s:s, s:s*}", "on", 1, "reason", a->reason, "owner", a->owner), reply,
			  diag);
}

static int report_freeze(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)words;
	(void)reply;
	const struct freeze_args *a = ctx;
	const char *said = a->is_off ? "verdicts change again" : "frozen: no verdict changes";
	return printf("%s\n", said) < 0 ? CLI_FAILED : CLI_OK;
}

int cli_freeze(int argc, char *argv[], int first)
{
	struct freeze_args a = {0};
	const struct args_option options[] = {
		{.name = "off", .kind = ARGS_FLAG, .target = &a.is_off, .help = "let verdicts change again"},
		{.name = "reason", .kind = ARGS_STRING, .target = &a.reason, .value = "TEXT", .help = "why"},
		{.name = "owner",
		 .kind = ARGS_STRING,
		 .target = &a.owner,
		 .value = "NAME",
		 .help = "who answers for it (default: the token's name)"},
	};
	const struct cli_command command = {
		.usage = "veer freeze --reason TEXT | veer freeze --off",
		.summary = "Stops all changes of verdicts, until it is taken off. Overrides go on working.",
		.options = options,
		.option_count = sizeof options / sizeof options[0],
		.ctx = &a,
		.call = put_freeze,
		.report = report_freeze};
	return cli_command_run(&command, argc, argv, first);
}
