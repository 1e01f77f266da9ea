/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For unit tests of the plan on disk: a plan in its own directory, and the result of loading it. Each call fails the
 * test on an error.
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

/* The result of a load: objects by key, as the last commit left them. */
struct disk_loaded {
	struct history_position at;
	char store_id[HISTORY_ID_SIZE];
	int64_t revision;
	int commits;
	int objects;
	char text[4096]; /* "key=value " of all changes since the last commit began, appended */
	size_t len;
};

/* The path of a file in the directory. */
void disk_path_of(const struct disk_stage *f, const char *name, char *out, size_t size);
/* Open the directory. */
void disk_open(struct disk_stage *f);
/* For cmocka: `*state` is a stage with an empty directory. */
int disk_setup(void **state);
int disk_teardown(void **state);
/* Close the plan, which writes what is queued, and load the files. */
enum veer_err disk_reload(struct disk_stage *f, struct disk_loaded *l);
/* A change of a site. */
struct feed_change disk_change(const char *key, const char *value);
/* The position of the fixture's plan at a revision, with a digest derived from the revision. */
const struct history_position *disk_at(int64_t revision);
/* Write a base of two objects. */
void disk_write_base(struct plan_disk *disk, int64_t revision);
/*
 * Wait until everything queued so far is on disk or lost. The queue is processed in order, so it is enough to wait for
 * a note that is queued after it. A second note does the same for work that follows a batch, such as a compaction.
 */
void disk_settle(struct disk_stage *f);
/* Write one commit. */
void disk_journal(struct plan_disk *disk, int64_t revision, const char *key, const char *value);
/* Load the base before the newest, and the journal that follows it. */
enum veer_err disk_reload_before(struct disk_stage *f, struct disk_loaded *l);

#endif
