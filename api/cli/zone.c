/* SPDX-License-Identifier: Apache-2.0 */
/* veer zone import, export, list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/cli/command.h"
#include "api/cli/fields.h"
#include "api/cli/progress.h"
#include "api/cli/table.h"
#include "base/file.h"

enum { ZONE_TEXT_MAX = 256 << 20 };

void cli_zone_path(struct buf *out, const char *zone, const char *what)
{
	size_t len = strlen(zone);
	buf_init(out, 8192);
	buf_puts(out, "/v1/zones/");
	cli_encode_segment(out, zone);
	if (len == 0 || zone[len - 1] != '.')
		buf_putc(out, '.');
	buf_puts(out, what);
}

/* Turn "line 5: what" of the API, which does not know the file's name, into "FILE:5: what". */
static void name_file(const char *file, struct veer_diag *diag)
{
	static const char word[] = "line ";
	struct veer_diag said = *diag;
	bool has_line = strncmp(said.text, word, sizeof word - 1) == 0;
	(void)veer_fail(diag, VEER_EINVAL, "%s:%s%.400s", file, has_line ? "" : " ",
			said.text + (has_line ? sizeof word - 1 : 0));
}

static enum veer_err import_zone(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				 struct veer_diag *diag)
{
	(void)ctx;
	const char *file = words->items[1];
	char *text = NULL;
	size_t len = 0;
	struct buf path;
	enum veer_err err =
		file_read_given(strcmp(file, "-") == 0 ? "/dev/stdin" : file, ZONE_TEXT_MAX, &text, &len, diag);
	if (err != VEER_OK)
		return err;
	cli_zone_path(&path, words->items[0], "/import");
	struct progress *progress = isatty(STDERR_FILENO) ? progress_start(cli, path.data) : NULL;
	err = cli_call(cli, "PUT", path.data, text, len, "text/dns", reply, diag);
	progress_stop(&progress);
	if (err != VEER_OK && reply->status == 422)
		name_file(file, diag);
	buf_deinit(&path);
	free(text);
	return err;
}

static int report_import(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	(void)printf("%s: %lld RRsets, at revision %lld\n", words->items[0], (long long)int_of(reply->json, "rrsets"),
		     (long long)int_of(reply->json, "revision"));
	return CLI_OK;
}

int cli_zone_import(int argc, char *argv[], int first)
{
	const struct cli_command command = {
		.usage = "veer zone import ZONE FILE",
		.summary = "Replaces the static RRsets of a zone by a zone file's, at once and as a "
			   "whole (the zone is made if it\n"
			   "is not there). RRsets that are bound to policies stay. FILE may be - for "
			   "standard input; $INCLUDE is\n"
			   "not possible here.",
		.positional_min = 2,
		.positional_max = 2,
		.call = import_zone,
		.report = report_import};
	return cli_command_run(&command, argc, argv, first);
}

static enum veer_err export_zone(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				 struct veer_diag *diag)
{
	(void)ctx;
	struct buf path;
	cli_zone_path(&path, words->items[0], "/export");
	enum veer_err err = cli_call(cli, "GET", path.data, NULL, 0, NULL, reply, diag);
	buf_deinit(&path);
	return err;
}

static int report_export(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	(void)words;
	return fwrite(reply->text, 1, reply->len, stdout) == reply->len ? CLI_OK : CLI_FAILED;
}

int cli_zone_export(int argc, char *argv[], int first)
{
	const struct cli_command command = {.usage = "veer zone export ZONE",
					    .summary = "Prints the zone's static RRsets as a zone file.",
					    .positional_min = 1,
					    .positional_max = 1,
					    .call = export_zone,
					    .report = report_export};
	return cli_command_run(&command, argc, argv, first);
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

static enum veer_err list_zones(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
				struct veer_diag *diag)
{
	(void)ctx;
	(void)words;
	return cli_call_pages(cli, "/v1/zones", reply, diag);
}

static int report_zones(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	(void)words;
	print_zones(reply->json);
	return CLI_OK;
}

int cli_zone_list(int argc, char *argv[], int first)
{
	const struct cli_command command = {.usage = "veer zone list [--json]",
					    .summary = "Lists the zones with their serials.",
					    .call = list_zones,
					    .report = report_zones};
	return cli_command_run(&command, argc, argv, first);
}
