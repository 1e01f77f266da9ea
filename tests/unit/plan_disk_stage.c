/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/plan_disk_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void disk_path_of(const struct disk_stage *f, const char *name, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/%s", f->dir, name);
}

void disk_open(struct disk_stage *f)
{
	struct veer_diag diag = {""};
	if (plan_disk_open(f->dir, NULL, &f->disk, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
}

int disk_setup(void **state)
{
	struct disk_stage *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-plan-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	disk_open(f);
	*state = f;
	return 0;
}

int disk_teardown(void **state)
{
	static const char *const names[] = {"plan.base", "plan.base.new", "plan.journal",  "highest",         "lock",
					    "copy",      "lineages",      "plan.base.old", "plan.journal.old"};
	struct disk_stage *f = *state;
	plan_disk_close(&f->disk);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		disk_path_of(f, names[i], path, sizeof path);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static enum veer_err on_object(void *ctx, const struct feed_change *c, struct veer_diag *diag)
{
	struct disk_loaded *l = ctx;
	(void)diag;
	l->objects++;
	if (l->len < sizeof l->text - 256)
		l->len += (size_t)snprintf(l->text + l->len, sizeof l->text - l->len, "%s%s=%.*s ",
					   c->is_del ? "-" : "", c->key, (int)(c->value_len < 64 ? c->value_len : 64),
					   c->is_del ? "" : (const char *)c->value);
	return VEER_OK;
}

static enum veer_err on_commit(void *ctx, const struct history_position *at, struct veer_diag *diag)
{
	struct disk_loaded *l = ctx;
	(void)diag;
	(void)snprintf(l->store_id, sizeof l->store_id, "%s", at->store_id);
	assert_true(at->revision > l->revision);
	l->at = *at;
	l->revision = at->revision;
	l->commits++;
	return VEER_OK;
}

static const struct plan_disk_sink sink = {on_object, on_commit};

enum veer_err disk_reload(struct disk_stage *f, struct disk_loaded *l)
{
	struct veer_diag diag = {""};
	*l = (struct disk_loaded){.revision = 0};
	plan_disk_close(&f->disk);
	disk_open(f);
	return plan_disk_load(f->disk, &sink, l, &diag);
}

struct feed_change disk_change(const char *key, const char *value)
{
	return (struct feed_change){.kind = MODEL_KIND_SITE,
				    .key = key,
				    .key_len = strlen(key),
				    .is_del = value == NULL,
				    .value = (const uint8_t *)value,
				    .value_len = value != NULL ? strlen(value) : 0};
}

const struct history_position *disk_at(int64_t revision)
{
	static struct history_position position;
	position = (struct history_position){.store_id = STORE, .lineage = LINEAGE, .revision = revision};
	position.has_digest = true;
	position.digest.content = (struct digest){.low = (uint64_t)revision, .high = 1};
	position.digest.state = (struct digest){.low = 2, .high = (uint64_t)revision};
	return &position;
}

void disk_write_base(struct plan_disk *disk, int64_t revision)
{
	struct feed_change a = disk_change("a", "{\"n\":1}"), b = disk_change("b", "{\"n\":2}");
	plan_disk_base_begin(disk);
	plan_disk_base_put(disk, &a);
	plan_disk_base_put(disk, &b);
	plan_disk_base_commit(disk, disk_at(revision));
}

void disk_settle(struct disk_stage *f)
{
	static int count;
	char note[32], notes[PLAN_DISK_NOTES_MAX + 1] = "";
	for (int i = 0; i < 2; i++) {
		(void)snprintf(note, sizeof note, "note %d\n", ++count);
		plan_disk_note(f->disk, note, strlen(note));
		for (int k = 0; k < SETTLE_MS && strcmp(notes, note) != 0; k++) {
			(void)usleep(1000);
			plan_disk_notes(f->disk, notes);
		}
		assert_string_equal(notes, note);
	}
}

void disk_journal(struct plan_disk *disk, int64_t revision, const char *key, const char *value)
{
	struct feed_change c = disk_change(key, value);
	plan_disk_journal_add(disk, &c);
	plan_disk_journal_commit(disk, disk_at(revision));
}

enum veer_err disk_reload_before(struct disk_stage *f, struct disk_loaded *l)
{
	struct veer_diag diag = {""};
	*l = (struct disk_loaded){.revision = 0};
	return plan_disk_load_before(f->disk, &sink, l, &diag);
}
