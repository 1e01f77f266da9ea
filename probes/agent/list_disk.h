/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's assignments on disk, so that it can use them when it starts without a control plane. A thread writes
 * them, because the disk may be slow; of several lists that wait, only the newest is written.
 *
 * Threads: the loop's thread.
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

/* Use the file assignments.json in `state_dir`. Borrows loop and log. NULL when memory is out. Caller frees. */
struct list_disk *list_disk_new(struct loop *loop, struct logger *log, const char *state_dir);
/* Finish the write in progress, and drop the list that waits. `*disk_ptr` may be NULL. */
void list_disk_free(struct list_disk **disk_ptr);

/* Keep the line (`len` bytes, copied) in place of the previous one. Failures are logged. */
void list_disk_save(struct list_disk *disk, const char *line, size_t len);

/*
 * Read the list that was kept, in the caller's thread. True: `*list` lives in `*arena`, which the caller owns. False:
 * there is none, or (logged) it cannot be read.
 */
bool list_disk_load(const struct list_disk *disk, struct arena **arena, struct assignments *list);

#endif
