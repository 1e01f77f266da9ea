/* SPDX-License-Identifier: Apache-2.0 */
/* veer zone import, export, list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/cli/cli.h"
#include "api/cli/progress.h"
#include "api/cli/table.h"
#include "base/buf.h"
#include "base/file.h"

enum { ZONE_TEXT_MAX = 256 << 20 };

/* "/v1/zones/ZONE/WHAT"; the zone with its final dot. */
static void zone_path(struct buf *out, const char *zone, const char *what)
{
	size_t len = strlen(zone);
	buf_init(out, 8192);
	buf_puts(out, "/v1/zones/");
	cli_encode_segment(out, zone);
	if (len == 0 || zone[len - 1] != '.')
		buf_putc(out, '.');
	buf_puts(out, what);
}

static int import_text(struct cli *cli, const char *zone, const char *text, size_t len)
{
	struct veer_diag diag = {""};
	struct cli_reply reply;
	struct buf path;
	zone_path(&path, zone, "/import");
	struct progress *progress = isatty(STDERR_FILENO) ? progress_start(cli, path.data) : NULL;
	enum veer_err err = cli_call(cli, "PUT", path.data, text, len, "text/dns", &reply, &diag);
	progress_stop(&progress);
	int code = CLI_OK;
	if (err != VEER_OK)
		code = cli_fail(&diag);
	else if (cli->as_json)
		code = cli_print_json(reply.json);
	else
		(void)printf("%s: %lld RRsets, at revision %lld\n", zone,
			     (long long)json_integer_value(json_object_get(reply.json, "rrsets")),
			     (long long)json_integer_value(json_object_get(reply.json, "revision")));
	cli_reply_deinit(&reply);
	buf_deinit(&path);
	return code;
}

int cli_zone_import(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct args_option table[CLI_OPTION_COUNT];
	struct args_spec spec = {.usage = "veer zone import ZONE FILE",
				 .summary = "Replaces the static RRsets of a zone by a zone file's, at once and as a "
					    "whole (the zone is made if it\n"
					    "is not there). RRsets that are bound to policies stay. FILE may be - for "
					    "standard input; $INCLUDE is\n"
					    "not possible here.",
				 .positional_min = 2,
				 .positional_max = 2};
	int code = cli_parse(&cli, &args, &spec, table, 0, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	char *text = NULL;
	size_t len = 0;
	const char *file = args.positional.items[1];
	if (file_read(strcmp(file, "-") == 0 ? "/dev/stdin" : file, ZONE_TEXT_MAX, &text, &len, &diag) != VEER_OK)
		code = cli_fail(&diag);
	else
		code = import_text(&cli, args.positional.items[0], text, len);
	free(text);
	args_deinit(&args);
	return code;
}

int cli_zone_export(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct args_option table[CLI_OPTION_COUNT];
	struct args_spec spec = {.usage = "veer zone export ZONE",
				 .summary = "Prints the zone's static RRsets as a zone file.",
				 .positional_min = 1,
				 .positional_max = 1};
	int code = cli_parse(&cli, &args, &spec, table, 0, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	struct cli_reply reply;
	struct buf path;
	zone_path(&path, args.positional.items[0], "/export");
	enum veer_err err = cli_call(&cli, "GET", path.data, NULL, 0, NULL, &reply, &diag);
	if (err != VEER_OK)
		code = cli_fail(&diag);
	else
		code = fwrite(reply.text, 1, reply.len, stdout) == reply.len ? CLI_OK : CLI_FAILED;
	cli_reply_deinit(&reply);
	buf_deinit(&path);
	args_deinit(&args);
	return code;
}

static void print_zones(const json_t *zones)
{
	static const char *const headings[] = {"ZONE", "SERIAL", "RRSETS"};
	struct table *t = table_new(headings, 3);
	size_t i;
	json_t *zone;
	json_array_foreach((json_t *)(uintptr_t)zones, i, zone)
	{
		char serial[24], rrsets[24];
		(void)snprintf(serial, sizeof serial, "%lld",
			       (long long)json_integer_value(json_object_get(zone, "serial")));
		(void)snprintf(rrsets, sizeof rrsets, "%lld",
			       (long long)json_integer_value(json_object_get(zone, "rrsets")));
		if (t != NULL)
			table_row(t, (const char *const[]){json_string_value(json_object_get(zone, "name")), serial,
							   rrsets});
	}
	if (t != NULL)
		table_print(t, stdout);
	table_free(&t);
}

/* All pages of the list, as one array; NULL after an error. */
static json_t *all_zones(struct cli *cli, struct veer_diag *diag)
{
	json_t *all = json_array();
	char after[2200] = "";
	do {
		struct buf path;
		struct cli_reply reply;
		buf_init(&path, 16384);
		buf_puts(&path, "/v1/zones?limit=1000");
		if (after[0] != '\0') {
			buf_puts(&path, "&after=");
			cli_encode_segment(&path, after);
		}
		enum veer_err err = cli_call_json(cli, "GET", path.data, NULL, &reply, diag);
		const char *next = json_string_value(json_object_get(reply.json, "next"));
		(void)snprintf(after, sizeof after, "%s", next != NULL ? next : "");
		if (err == VEER_OK)
			(void)json_array_extend(all, json_object_get(reply.json, "items"));
		cli_reply_deinit(&reply);
		buf_deinit(&path);
		if (err != VEER_OK) {
			json_decref(all);
			return NULL;
		}
	} while (after[0] != '\0');
	return all;
}

int cli_zone_list(int argc, char *argv[], int first)
{
	struct cli cli = {0};
	struct args args;
	struct args_option table[CLI_OPTION_COUNT];
	struct args_spec spec = {.usage = "veer zone list [--json]", .summary = "Lists the zones with their serials."};
	int code = cli_parse(&cli, &args, &spec, table, 0, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	json_t *zones = all_zones(&cli, &diag);
	code = CLI_OK;
	if (zones == NULL)
		code = cli_fail(&diag);
	else if (cli.as_json)
		code = cli_print_json(zones);
	else
		print_zones(zones);
	json_decref(zones);
	args_deinit(&args);
	return code;
}
