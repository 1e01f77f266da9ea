/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For unit tests of the plan on disk: one in a directory of its own, and what a load of it delivers. Each call fails
 * the test on an error.
 */
#ifndef VEER_TESTS_PLAN_DISK_STAGE_H
#define VEER_TESTS_PLAN_DISK_STAGE_H

#include "zones/plan/plan_disk.h"

#define SETTLE_MS 20000
#define STORE "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b"
#define LINEAGE "a3d1c5b7908642ff1357ace02468bdf0"

struct disk_stage {
	char dir[64];
	struct plan_disk *disk;
};

/* What a load delivered: objects by key, as the last commit left them. */
struct disk_loaded {
	struct history_position at;
	char store_id[HISTORY_ID_SIZE];
	int64_t revision;
	int commits;
	int objects;
	char text[4096]; /* "key=value " of everything since the last commit's beginning, appended */
	size_t len;
};

/* A file of the directory. */
void disk_path_of(const struct disk_stage *f, const char *name, char *out, size_t size);
/* Open the directory. */
void disk_open(struct disk_stage *f);
/* For cmocka: `*state` is a stage with an empty directory. */
int disk_setup(void **state);
int disk_teardown(void **state);
/* Close it, which writes what is queued, and load what is there. */
enum veer_err disk_reload(struct disk_stage *f, struct disk_loaded *l);
/* A change of a site. */
struct feed_change disk_change(const char *key, const char *value);
/* Where the fixture's plans are, with a digest that follows from the revision. */
const struct history_position *disk_at(int64_t revision);
/* A base of two objects. */
void disk_write_base(struct plan_disk *disk, int64_t revision);
/*
 * Wait until everything queued so far is on disk or lost. All is done in its turn, so it is when a note that was queued
 * behind it is there; a second one says the same of what follows a batch, as a compaction.
 */
void disk_settle(struct disk_stage *f);
/* One commit. */
void disk_journal(struct plan_disk *disk, int64_t revision, const char *key, const char *value);
/* Load the base before the newest, and what follows it. */
enum veer_err disk_reload_before(struct disk_stage *f, struct disk_loaded *l);

#endif
