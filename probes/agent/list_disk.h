/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's assignments on disk, so that it goes on with them when it starts without a control plane. They are
 * written by a thread, for the disk may be slow; of several that wait only the newest is written.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_LIST_DISK_H
#define VEER_PROBES_AGENT_LIST_DISK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/loop.h"
#include "probes/verdict/assign.h"

struct list_disk;

/* The file assignments.json in `state_dir`. Borrows loop and log. NULL when memory is out. Caller frees. */
struct list_disk *list_disk_new(struct loop *loop, struct logger *log, const char *state_dir);
/* What is being written is finished, what waits is not begun. `*disk_ptr` may be NULL. */
void list_disk_free(struct list_disk **disk_ptr);

/* Keep the line (`len` bytes, copied) in place of the one before. What goes wrong is logged. */
void list_disk_save(struct list_disk *disk, const char *line, size_t len);

/*
 * Read the list that was kept, in the caller's thread. True: `*list` lives in `*arena`, which is the caller's. False:
 * there is none, or (logged) none that can be read.
 */
bool list_disk_load(const struct list_disk *disk, struct arena **arena, struct assignments *list);

#endif
