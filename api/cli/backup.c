/* SPDX-License-Identifier: Apache-2.0 */
/* veer backup, veer restore, veer store check and repair. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/cli/command.h"
#include "api/cli/service.h"
#include "base/file.h"

enum { HEADER = 100 };

static uint64_t big_endian(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | p[i];
	return value;
}

/*
 * Is the database complete? Its header says how many pages it has and of which size (SQLite's file format, 1.3),
 * because the end of a stream does not show whether it was cut.
 */
static bool is_whole(const char *text, size_t len)
{
	const uint8_t *h = (const uint8_t *)text;
	if (len < HEADER || memcmp(text, "SQLite format 3", 16) != 0)
		return false;
	uint64_t page = big_endian(h + 16, 2);
	return len == (page == 1 ? 65536 : page) * big_endian(h + 28, 4);
}

static enum veer_err backup(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
			    struct veer_diag *diag)
{
	(void)ctx;
	enum veer_err err = cli_call(cli, "GET", "/v1/backup", NULL, 0, NULL, reply, diag);
	if (err == VEER_OK && !is_whole(reply->text, reply->len))
		err = veer_fail(diag, VEER_EIO, "the backup was cut short: nothing is written");
	return err == VEER_OK ? file_write_atomic(words->items[0], reply->text, reply->len, 0600, diag) : err;
}

static int report_backup(void *ctx, const struct args_list *words, const struct cli_reply *reply)
{
	(void)ctx;
	return printf("%s: %zu bytes\n", words->items[0], reply->len) < 0 ? CLI_FAILED : CLI_OK;
}

int cli_backup(int argc, char *argv[], int first)
{
	const struct cli_command command = {
		.usage = "veer backup FILE",
		.summary = "Writes the whole store into one file while the service runs. It holds secrets' hashes and "
			   "checks'\nsecrets: keep it as you keep the store.",
		.positional_min = 1,
		.positional_max = 1,
		.call = backup,
		.report = report_backup};
	return cli_command_run(&command, argc, argv, first);
}

/* veer-api does the work, because it is the only program that opens stores. */
static int run_tool(const char *tool, int argc, char *argv[], int first)
{
	char path[SERVICE_PATH_SIZE + 16];
	const char *words[64] = {path, tool};
	struct veer_diag diag = {""};
	struct service service = {0};
	size_t count = 2;
	bool has_store = false;
	if (service_find_programs(&service, &diag) != VEER_OK)
		return cli_fail(&diag);
	(void)snprintf(path, sizeof path, "%s/veer-api", service.programs);
	for (int i = first; i < argc && count < 61; i++) {
		has_store = has_store || strncmp(argv[i], "--store", 7) == 0 || strcmp(argv[i], "--help") == 0 ||
			    strcmp(argv[i], "--version") == 0;
		words[count++] = argv[i];
	}
	if (!has_store)
		words[count++] = "--store=sqlite:/var/lib/veer/veer.db";
	words[count] = NULL;
	(void)execv(path, (char *const *)(uintptr_t)words);
	(void)veer_fail(&diag, VEER_EIO, "%s: %s", path, strerror(errno));
	return cli_fail(&diag);
}

int cli_restore(int argc, char *argv[], int first)
{
	return run_tool("restore", argc, argv, first);
}

int cli_store_check(int argc, char *argv[], int first)
{
	return run_tool("store-check", argc, argv, first);
}

int cli_store_repair(int argc, char *argv[], int first)
{
	return run_tool("store-repair", argc, argv, first);
}
