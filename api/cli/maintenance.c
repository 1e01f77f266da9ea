/* SPDX-License-Identifier: Apache-2.0 */
/* veer maintenance add|list|end: planned drains. */
#include <stdio.h>
#include <string.h>

#include "api/cli/command.h"
#include "api/cli/fields.h"
#include "api/cli/table.h"
#include "base/clock.h"

enum { CELL = 128 };
#define NS_PER_S INT64_C(1000000000)

struct window_args {
	const char *reason, *owner, *starts, *ends, *duration, *until;
	struct args_list endpoints, pools, sites, force;
	bool is_weekly;
	bool is_partial; /* pools that cannot be drained may stay as they are */
};

/* When the window begins and ends, as RFC 3339; --from defaults to now, --for may replace --to. */
static enum veer_err window_times(const struct window_args *w, char *starts, char *ends, struct veer_diag *diag)
{
	int64_t from_ns = veer_clock_wall_ns(veer_clock_system()), to_ns = 0, duration_s = 0;
	if (w->starts != NULL && !veer_rfc3339_parse(w->starts, &from_ns))
		return veer_fail(diag, VEER_EINVAL, "--from: \"%s\" is not a time like 2026-11-22T20:00:00Z",
				 w->starts);
	if ((w->ends == NULL) == (w->duration == NULL))
		return veer_fail(diag, VEER_EINVAL, "give either --to or --for");
	if (w->ends != NULL && !veer_rfc3339_parse(w->ends, &to_ns))
		return veer_fail(diag, VEER_EINVAL, "--to: \"%s\" is not a time like 2026-11-22T22:00:00Z", w->ends);
	if (w->duration != NULL && !cli_duration_s(w->duration, &duration_s))
		return veer_fail(diag, VEER_EINVAL, "--for: \"%s\" is not a duration like 90s, 30m, 2h, 7d",
				 w->duration);
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
			(void)json_object_set_new(body, lists[i].key, cli_names_json(lists[i].list));
	return body;
}

static void window_path(struct buf *path, const char *name)
{
	buf_init(path, 4096);
	buf_puts(path, "/v1/maintenance/");
	cli_encode_segment(path, name);
}

/* The options that say who wants the window, and why. */
static void add_words(struct args_table *t, struct window_args *w)
{
	const struct args_option options[] = {
		{.name = "reason",
		 .kind = ARGS_STRING,
		 .target = &w->reason,
		 .value = "TEXT",
		 .required = true,
		 .help = "why"},
		{.name = "owner",
		 .kind = ARGS_STRING,
		 .target = &w->owner,
		 .value = "NAME",
		 .help = "who answers for it"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* The options that say when it begins and ends. */
static void add_times(struct args_table *t, struct window_args *w)
{
	const struct args_option options[] = {
		{.name = "from",
		 .kind = ARGS_STRING,
		 .target = &w->starts,
		 .value = "TIME",
		 .help = "when it begins (default: now)"},
		{.name = "to", .kind = ARGS_STRING, .target = &w->ends, .value = "TIME", .help = "when it ends"},
		{.name = "for",
		 .kind = ARGS_STRING,
		 .target = &w->duration,
		 .value = "30m|2h",
		 .help = "how long it lasts"},
		{.name = "weekly",
		 .kind = ARGS_FLAG,
		 .target = &w->is_weekly,
		 .help = "the same again every seven days"},
		{.name = "until",
		 .kind = ARGS_STRING,
		 .target = &w->until,
		 .value = "TIME",
		 .help = "with --weekly: none begins from then on"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* The options that say what is drained. */
static void add_scope(struct args_table *t, struct window_args *w)
{
	const struct args_option options[] = {
		{.name = "endpoint",
		 .kind = ARGS_LIST,
		 .target = &w->endpoints,
		 .value = "POOL/NAME",
		 .help = "what is drained; may repeat"},
		{.name = "pool",
		 .kind = ARGS_LIST,
		 .target = &w->pools,
		 .value = "POOL",
		 .help = "all of its endpoints; may repeat"},
		{.name = "site",
		 .kind = ARGS_LIST,
		 .target = &w->sites,
		 .value = "SITE",
		 .help = "all endpoints there; may repeat"},
		{.name = "force",
		 .kind = ARGS_LIST,
		 .target = &w->force,
		 .value = "POOL",
		 .help = "even if nothing is left to answer with; may repeat"},
		{.name = "partial",
		 .kind = ARGS_FLAG,
		 .target = &w->is_partial,
		 .help = "exit with 0 although some pools will not be drained"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

static enum veer_err put_window(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				struct veer_diag *diag)
{
	struct buf path;
	json_t *body = window_body(ctx, diag);
	cli->is_misused = body == NULL;
	if (body == NULL)
		return VEER_EINVAL;
	window_path(&path, words->items[0]);
	return cli_call_path(cli, "PUT", &path, body, reply, diag);
}

/* What the window will not do is reported now, not only when it begins. */
static int report_added(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	const struct window_args *w = ctx;
	const json_t *blocked = json_object_get(reply->json, "not_drained");
	size_t i;
	json_t *pool;
	(void)printf("%s: from %s to %s\n", words->items[0], text_of(reply->json, "starts_at"),
		     text_of(reply->json, "ends_at"));
	json_array_foreach((json_t *)(uintptr_t)blocked, i, pool)
		cli_say("the pool \"%s\" will not be drained: %s; to drain it all the same, say --force %s",
			text_of(pool, "pool"), text_of(pool, "reason"), text_of(pool, "pool"));
	return json_array_size(blocked) == 0 || w->is_partial ? CLI_OK : CLI_FAILED;
}

int cli_maintenance_add(int argc, char *argv[], int first)
{
	struct window_args w = {0};
	struct args_table table = {.count = 0};
	add_words(&table, &w);
	add_times(&table, &w);
	add_scope(&table, &w);
	const struct cli_command command = {
		.usage = "veer maintenance add --reason TEXT [--from TIME] --for DURATION "
			 "--site SITE|--pool POOL|--endpoint POOL/NAME NAME",
		.summary = "Plans a drain: what is named is out of the answers from begin to end.",
		.options = table.options,
		.option_count = table.count,
		.positional_min = 1,
		.positional_max = 1,
		.ctx = &w,
		.call = put_window,
		.report = report_added};
	return cli_command_run(&command, argc, argv, first);
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

static enum veer_err get_windows(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				 struct veer_diag *diag)
{
	(void)ctx;
	(void)words;
	enum veer_err err = cli_call_json(cli, "GET", "/v1/status", NULL, reply, diag);
	cli_reply_pick(reply, "maintenance");
	return err;
}

static int report_windows(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	(void)words;
	cli_print_maintenance(reply->json);
	return CLI_OK;
}

int cli_maintenance_list(int argc, char *argv[], int first)
{
	const struct cli_command command = {.usage = "veer maintenance list [--json]",
					    .summary = "Lists the windows, and which are on.",
					    .call = get_windows,
					    .report = report_windows};
	return cli_command_run(&command, argc, argv, first);
}

static enum veer_err delete_window(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				   struct veer_diag *diag)
{
	(void)ctx;
	struct buf path;
	window_path(&path, words->items[0]);
	return cli_call_path(cli, "DELETE", &path, NULL, reply, diag);
}

int cli_maintenance_end(int argc, char *argv[], int first)
{
	const struct cli_command command = {.usage = "veer maintenance end NAME",
					    .summary = "Ends a window, or forgets one that has not begun.",
					    .positional_min = 1,
					    .positional_max = 1,
					    .call = delete_window};
	return cli_command_run(&command, argc, argv, first);
}
