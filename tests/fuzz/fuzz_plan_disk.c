/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A saved plan's bytes: the first half of the input is the base, the rest the journal (the first two bytes say where it
 * is cut). A load that succeeds must deliver commits with rising revisions, and the same again when it is loaded once
 * more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "zones/plan_disk.h"

#include "tests/fuzz/fuzz.h"

struct loaded {
	struct crc32c tables;
	uint32_t crc;
	int64_t revision;
};

static enum veer_err on_object(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	struct loaded *l = ctx;
	(void)diag;
	if (strlen(change->key) > change->key_len || change->kind <= MODEL_KIND_NONE ||
	    change->kind > MODEL_KIND_FED_LAST)
		abort();
	l->crc = crc32c_update(&l->tables, l->crc, change->key, change->key_len);
	if (!change->is_del)
		l->crc = crc32c_update(&l->tables, l->crc, change->value, change->value_len);
	return VEER_OK;
}

static enum veer_err on_commit(void *ctx, const char *store_id, int64_t revision, struct veer_diag *diag)
{
	struct loaded *l = ctx;
	(void)diag;
	if (revision <= l->revision || strlen(store_id) != 32)
		abort();
	l->revision = revision;
	return VEER_OK;
}

static void put_file(const char *dir, const char *name, const uint8_t *data, size_t size)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "w");
	if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
		abort();
}

static enum veer_err load(const char *dir, struct loaded *l)
{
	static const struct plan_disk_sink sink = {on_object, on_commit};
	struct plan_disk *disk = NULL;
	*l = (struct loaded){.crc = 0};
	crc32c_init(&l->tables);
	if (plan_disk_open(dir, NULL, &disk, NULL) != VEER_OK)
		abort();
	enum veer_err err = plan_disk_load(disk, &sink, l, NULL);
	plan_disk_close(&disk);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"plan.base", "plan.journal", "highest", "lock"};
	char dir[] = "/tmp/veer-fuzz-XXXXXX", path[128];
	struct loaded first, second;
	if (size < 2 || mkdtemp(dir) == NULL)
		return 0;
	size_t cut = (size_t)data[0] | (size_t)data[1] << 8;
	data += 2;
	size -= 2;
	cut = cut < size ? cut : size;
	put_file(dir, names[0], data, cut);
	put_file(dir, names[1], data + cut, size - cut);
	enum veer_err err = load(dir, &first);
	if (err == VEER_OK &&
	    (load(dir, &second) != VEER_OK || second.crc != first.crc || second.revision != first.revision))
		abort();
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
	return 0;
}
