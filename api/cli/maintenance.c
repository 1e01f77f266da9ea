/* SPDX-License-Identifier: Apache-2.0 */
/* veer maintenance add|list|end: drains that are planned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cli/cli.h"
#include "api/cli/table.h"
#include "base/buf.h"
#include "base/clock.h"

enum { CELL = 128 };
#define NS_PER_S INT64_C(1000000000)

struct window_args {
	const char *reason, *owner, *starts, *ends, *duration, *until;
	struct args_list endpoints, pools, sites, force;
	bool is_weekly;
};

static json_t *names_json(const struct args_list *list)
{
	json_t *names = json_array();
	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(names, json_string(list->items[i]));
	return names;
}

/* When it begins and ends, as RFC 3339; --from defaults to now, --to may be given as --for. */
static enum veer_err window_times(const struct window_args *w, char *starts, char *ends, struct veer_diag *diag)
{
	int64_t from_ns = veer_clock_wall_ns(veer_clock_system()), to_ns = 0, duration_s = 0;
	if (w->starts != NULL && !veer_rfc3339_parse(w->starts, &from_ns))
		return veer_fail(diag, VEER_EINVAL, "--from: \"%s\" is no time like 2026-11-22T20:00:00Z", w->starts);
	if ((w->ends == NULL) == (w->duration == NULL))
		return veer_fail(diag, VEER_EINVAL, "give either --to or --for");
	if (w->ends != NULL && !veer_rfc3339_parse(w->ends, &to_ns))
		return veer_fail(diag, VEER_EINVAL, "--to: \"%s\" is no time like 2026-11-22T22:00:00Z", w->ends);
	if (w->duration != NULL && !cli_duration_s(w->duration, &duration_s))
		return veer_fail(diag, VEER_EINVAL, "--for: \"%s\" is no duration like 90s, 30m, 2h, 7d", w->duration);
	veer_rfc3339(from_ns, starts);
	veer_rfc3339(w->duration != NULL ? from_ns + duration_s * NS_PER_S : to_ns, ends);
	return VEER_OK;
}

static json_t *window_body(const struct window_args *w, struct veer_diag *diag)
{
	char starts[VEER_RFC3339_SIZE], ends[VEER_RFC3339_SIZE];
	if (window_times(w, starts, ends, diag) != VEER_OK)
		return NULL;
	json_t *body = json_pack("{s:s, s:s*, s:s, s:s, s:s*}", "reason", w->reason, "owner", w->owner, "starts_at",
				 starts, "ends_at", ends, "until", w->until);
	if (w->is_weekly)
		(void)json_object_set_new(body, "repeat", json_string("weekly"));
	const struct {
		const char *key;
		const struct args_list *list;
	} lists[] = {{"endpoints", &w->endpoints}, {"pools", &w->pools}, {"sites", &w->sites}, {"force", &w->force}};
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		if (lists[i].list->count > 0)
			(void)json_object_set_new(body, lists[i].key, names_json(lists[i].list));
	return body;
}

static void window_path(struct buf *path, const char *name)
{
	buf_init(path, 4096);
	buf_puts(path, "/v1/maintenance/");
	cli_encode_segment(path, name);
}

int cli_maintenance_add(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct window_args w = {0};
	struct args_option table[11 + CLI_OPTION_COUNT] = {
		{.name = "reason",
		 .kind = ARGS_STRING,
		 .target = &w.reason,
		 .value = "TEXT",
		 .required = true,
		 .help = "why"},
		{.name = "owner",
		 .kind = ARGS_STRING,
		 .target = &w.owner,
		 .value = "NAME",
		 .help = "who answers for it"},
		{.name = "from",
		 .kind = ARGS_STRING,
		 .target = &w.starts,
		 .value = "TIME",
		 .help = "when it begins (default: now)"},
		{.name = "to", .kind = ARGS_STRING, .target = &w.ends, .value = "TIME", .help = "when it ends"},
		{.name = "for",
		 .kind = ARGS_STRING,
		 .target = &w.duration,
		 .value = "30m|2h",
		 .help = "how long it lasts"},
		{.name = "weekly",
		 .kind = ARGS_FLAG,
		 .target = &w.is_weekly,
		 .help = "the same again every seven days"},
		{.name = "until",
		 .kind = ARGS_STRING,
		 .target = &w.until,
		 .value = "TIME",
		 .help = "with --weekly: none begins from then on"},
		{.name = "endpoint",
		 .kind = ARGS_LIST,
		 .target = &w.endpoints,
		 .value = "POOL/NAME",
		 .help = "what is drained; may repeat"},
		{.name = "pool",
		 .kind = ARGS_LIST,
		 .target = &w.pools,
		 .value = "POOL",
		 .help = "all of its endpoints; may repeat"},
		{.name = "site",
		 .kind = ARGS_LIST,
		 .target = &w.sites,
		 .value = "SITE",
		 .help = "all endpoints there; may repeat"},
		{.name = "force",
		 .kind = ARGS_LIST,
		 .target = &w.force,
		 .value = "POOL",
		 .help = "even if this pool is left without endpoints; may repeat"},
	};
	struct args_spec spec = {.usage = "veer maintenance add --reason TEXT [--from TIME] --for DURATION "
					  "--site SITE|--pool POOL|--endpoint POOL/NAME NAME",
				 .summary = "Plans a drain: what is named is out of the answers from begin to end.",
				 .positional_min = 1,
				 .positional_max = 1};
	int code = cli_parse(&cli, &args, &spec, table, 11, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	struct cli_reply reply = {0};
	struct buf path;
	window_path(&path, args.positional.items[0]);
	json_t *body = window_body(&w, &diag);
	if (body == NULL || cli_call_json(&cli, "PUT", path.data, body, &reply, &diag) != VEER_OK)
		code = cli_fail(&diag);
	else
		code = cli.as_json ? cli_print_json(reply.json) : CLI_OK;
	cli_reply_deinit(&reply);
	buf_deinit(&path);
	args_deinit(&args);
	return code;
}

static void join(const json_t *names, char *out, size_t size)
{
	size_t i;
	json_t *name;
	json_array_foreach((json_t *)(uintptr_t)names, i, name)
	{
		size_t len = strlen(out);
		(void)snprintf(out + len, size - len, "%s%s", len > 0 ? " " : "", json_string_value(name));
	}
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "";
}

void cli_print_maintenance(const json_t *windows)
{
	static const char *const headings[] = {"MAINTENANCE", "STATE", "FROM", "TO", "WHAT", "OWNER", "REASON"};
	struct table *t = table_new(headings, 7);
	size_t i;
	json_t *w;
	json_array_foreach((json_t *)(uintptr_t)windows, i, w)
	{
		char what[CELL] = "", state[CELL], blocked[CELL] = "";
		join(json_object_get(w, "sites"), what, sizeof what);
		join(json_object_get(w, "pools"), what, sizeof what);
		join(json_object_get(w, "endpoints"), what, sizeof what);
		join(json_object_get(w, "blocked_pools"), blocked, sizeof blocked);
		(void)snprintf(state, sizeof state, "%s%s%s%s", text_of(w, "state"),
			       strcmp(text_of(w, "repeat"), "weekly") == 0 ? ", weekly" : "",
			       blocked[0] != '\0' ? ", would empty " : "", blocked);
		if (t != NULL)
			table_row(t, (const char *const[]){text_of(w, "name"), state, text_of(w, "starts_at"),
							   text_of(w, "ends_at"), what, text_of(w, "owner"),
							   text_of(w, "reason")});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}

int cli_maintenance_list(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct args_option table[CLI_OPTION_COUNT];
	struct args_spec spec = {.usage = "veer maintenance list [--json]",
				 .summary = "Lists the windows, and which are on."};
	int code = cli_parse(&cli, &args, &spec, table, 0, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	struct cli_reply reply = {0};
	const json_t *windows = NULL;
	code = CLI_OK;
	if (cli_call_json(&cli, "GET", "/v1/status", NULL, &reply, &diag) != VEER_OK)
		code = cli_fail(&diag);
	else if ((windows = json_object_get(reply.json, "maintenance")) != NULL && cli.as_json)
		code = cli_print_json(windows);
	else
		cli_print_maintenance(windows);
	cli_reply_deinit(&reply);
	args_deinit(&args);
	return code;
}

int cli_maintenance_end(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct args_option table[CLI_OPTION_COUNT];
	struct args_spec spec = {.usage = "veer maintenance end NAME",
				 .summary = "Ends a window, or forgets one that has not begun.",
				 .positional_min = 1,
				 .positional_max = 1};
	int code = cli_parse(&cli, &args, &spec, table, 0, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	struct cli_reply reply = {0};
	struct buf path;
	window_path(&path, args.positional.items[0]);
	enum veer_err err = cli_call_json(&cli, "DELETE", path.data, NULL, &reply, &diag);
	code = err == VEER_OK ? CLI_OK : cli_fail(&diag);
	cli_reply_deinit(&reply);
	buf_deinit(&path);
	args_deinit(&args);
	return code;
}
