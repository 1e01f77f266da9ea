/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any content of plan.base and plan.journal is refused whole, or is a base and a prefix of commits with rising revisions.
 * The first two bytes are the length of the base (little endian); the rest is the base, then the journal.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/fuzz/fuzz.h"
#include "zones/plan_disk.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

struct seen {
	int64_t revision;
	unsigned commits;
};

static enum veer_err on_object(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	(void)ctx;
	(void)diag;
	volatile uint8_t last = 0; /* every byte that is handed out can be read */
	for (size_t i = 0; i < change->key_len; i++)
		last ^= (uint8_t)change->key[i];
	for (size_t i = 0; !change->is_del && i < change->value_len; i++)
		last ^= change->value[i];
	return VEER_OK;
}

static enum veer_err on_commit(void *ctx, const char *store_id, int64_t revision, struct veer_diag *diag)
{
	struct seen *s = ctx;
	(void)diag;
	check(strlen(store_id) == PLAN_DISK_STORE_ID_SIZE - 1);
	check(s->commits == 0 || revision > s->revision);
	s->revision = revision;
	s->commits++;
	return VEER_OK;
}

static void write_file(const char *dir, const char *name, const uint8_t *data, size_t len)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fd >= 0 && file_write_all(fd, data, len) == VEER_OK);
	(void)close(fd);
}

static void remove_files(const char *dir)
{
	static const char *const names[] = {"plan.base", "plan.journal", "plan.base.new", "plan.journal.new", "highest",
					    "lock", "plan.lock", ""};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)remove(path);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct plan_disk_sink sink = {.object = on_object, .commit = on_commit};
	char dir[] = "/tmp/fuzz_plan_disk.XXXXXX";
	struct plan_disk *disk = NULL;
	struct seen seen = {.revision = 0};
	struct veer_diag diag = {.text = ""};
	if (size < 2)
		return 0;
	size_t base_len = (size_t)data[0] | (size_t)data[1] << 8;
	base_len = base_len < size - 2 ? base_len : size - 2;
	check(mkdtemp(dir) != NULL);
	write_file(dir, "plan.base", data + 2, base_len);
	write_file(dir, "plan.journal", data + 2 + base_len, size - 2 - base_len);
	check(plan_disk_open(dir, NULL, &disk, &diag) == VEER_OK);
	enum veer_err err = plan_disk_load(disk, &sink, &seen, &diag);
	check(err != VEER_OK || seen.commits > 0);
	plan_disk_close(&disk);
	remove_files(dir);
	return 0;
}
