/* SPDX-License-Identifier: Apache-2.0 */
/* veer drain, veer force up|down, veer release, veer freeze: an administrator's word over the verdicts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cli/cli.h"
#include "base/buf.h"
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

/* What these commands take. */
struct wish {
	struct cli cli;
	struct args args;
	const char *reason, *owner, *duration, *until;
	struct args_list force;
};

enum { WISH_OPTIONS = 5 };

static void wish_options(struct wish *w, struct args_option table[WISH_OPTIONS])
{
	table[0] = (struct args_option){.name = "reason",
					.kind = ARGS_STRING,
					.target = &w->reason,
					.value = "TEXT",
					.required = true,
					.help = "why; others will ask"};
	table[1] = (struct args_option){.name = "owner",
					.kind = ARGS_STRING,
					.target = &w->owner,
					.value = "NAME",
					.help = "who answers for it (default: the token's name)"};
	table[2] = (struct args_option){.name = "for",
					.kind = ARGS_STRING,
					.target = &w->duration,
					.value = "90s|30m|2h|7d",
					.help = "ends by itself after so long (default: never)"};
	table[3] = (struct args_option){.name = "until",
					.kind = ARGS_STRING,
					.target = &w->until,
					.value = "TIME",
					.help = "ends by itself then (RFC 3339)"};
	table[4] = (struct args_option){.name = "force",
					.kind = ARGS_LIST,
					.target = &w->force,
					.value = "POOL",
					.help = "even if this pool is left without endpoints; may repeat"};
}

static json_t *names_json(const struct args_list *list)
{
	json_t *names = json_array();
	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(names, json_string(list->items[i]));
	return names;
}

/* The body of POST /v1/overrides; NULL with the diag when a duration is none. */
static json_t *wish_body(const struct wish *w, const char *action, struct veer_diag *diag)
{
	int64_t ttl_s = 0;
	if (w->duration != NULL && !cli_duration_s(w->duration, &ttl_s)) {
		(void)veer_fail(diag, VEER_EINVAL, "--for: \"%s\" is no duration like 90s, 30m, 2h, 7d", w->duration);
		return NULL;
	}
	json_t *body = json_pack("{s:s, s:s, s:o, s:s*, s:s*}", "action", action, "reason", w->reason, "endpoints",
				 names_json(&w->args.positional), "owner", w->owner, "expires_at", w->until);
	if (ttl_s > 0)
		(void)json_object_set_new(body, "ttl_s", json_integer(ttl_s));
	if (w->force.count > 0)
		(void)json_object_set_new(body, "force", names_json(&w->force));
	return body;
}

/* One transaction for all endpoints named: all, or none. */
static int override(int argc, char *argv[], int first, const char *action, const char *usage, const char *summary)
{
	struct wish w = {0};
	struct args_option table[WISH_OPTIONS + CLI_OPTION_COUNT];
	struct args_spec spec = {
		.usage = usage, .summary = summary, .positional_min = 1, .positional_max = ENDPOINTS_MAX};
	struct veer_diag diag = {""};
	struct cli_reply reply = {0};
	wish_options(&w, table);
	int code = cli_parse(&w.cli, &w.args, &spec, table, WISH_OPTIONS, argc, argv, first);
	if (code >= 0)
		return code;
	json_t *body = wish_body(&w, action, &diag);
	if (body == NULL || cli_call_json(&w.cli, "POST", "/v1/overrides", body, &reply, &diag) != VEER_OK)
		code = cli_fail(&diag);
	else if (w.cli.as_json)
		code = cli_print_json(reply.json);
	else
		for (size_t i = 0; i < w.args.positional.count; i++)
			code = printf("%s: %s\n", w.args.positional.items[i],
				      strcmp(action, "drain") == 0 ? "drained"
				      : strcmp(action, "up") == 0  ? "forced up"
								   : "forced down") < 0
				       ? CLI_FAILED
				       : CLI_OK;
	cli_reply_deinit(&reply);
	args_deinit(&w.args);
	return code;
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
	for (size_t i = 0; i < args.positional.count; i++) {
		struct veer_diag diag = {""};
		struct cli_reply reply = {0};
		struct buf path;
		buf_init(&path, 4096);
		cli_endpoint_path(&path, "/v1/overrides/", args.positional.items[i]);
		if (cli_call_json(&cli, "DELETE", path.data, NULL, &reply, &diag) == VEER_OK)
			(void)printf("%s: released\n", args.positional.items[i]);
		else if (reply.status == 404)
			code = cli_fail((veer_fail(&diag, VEER_ENOTFOUND, "%s: nothing was said of it",
						   args.positional.items[i]),
					 &diag));
		else
			code = cli_fail(&diag);
		cli_reply_deinit(&reply);
		buf_deinit(&path);
	}
	args_deinit(&args);
	return code;
}

enum { TRIES = 3, PRECONDITION_FAILED = 412 };

/* Read the settings, change the freeze, and write them if nobody else has changed them meanwhile. */
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

/* Change the freeze and nothing else: what somebody sets at the same time stays. */
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

int cli_freeze(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	const char *reason = NULL, *owner = NULL;
	bool is_off = false;
	struct args_option table[3 + CLI_OPTION_COUNT] = {
		{.name = "off", .kind = ARGS_FLAG, .target = &is_off, .help = "let verdicts change again"},
		{.name = "reason", .kind = ARGS_STRING, .target = &reason, .value = "TEXT", .help = "why"},
		{.name = "owner",
		 .kind = ARGS_STRING,
		 .target = &owner,
		 .value = "NAME",
		 .help = "who answers for it (default: the token's name)"},
	};
	struct args_spec spec = {
		.usage = "veer freeze --reason TEXT | veer freeze --off",
		.summary = "Stops all changes of verdicts, until it is taken off. Overrides go on working."};
	int code = cli_parse(&cli, &args, &spec, table, 3, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	struct cli_reply reply = {0};
	enum veer_err err = is_off || reason != NULL
				    ? VEER_OK
				    : veer_fail(&diag, VEER_EINVAL, "--reason is required: others will ask");
	if (err == VEER_OK)
		err = set_freeze(&cli,
				 is_off ? json_pack("{s:b}", "on", 0)
					: json_pack("{s:b, s:s, s:s*}", "on", 1, "reason", reason, "owner", owner),
				 &reply, &diag);
	if (err != VEER_OK)
		code = cli_fail(&diag);
	else if (cli.as_json)
		code = cli_print_json(reply.json);
	else
		code = printf(is_off ? "verdicts change again\n" : "frozen: no verdict changes\n") < 0 ? CLI_FAILED
												       : CLI_OK;
	cli_reply_deinit(&reply);
	args_deinit(&args);
	return code;
}
