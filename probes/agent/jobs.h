/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that blocks (resolving names, writing files), done by a few threads beside the loop, so that no probe waits
 * for it.
 *
 * Threads: everything is called from the loop's thread; `work` runs in a thread of the pool, `done` in the loop's
 * again.
 */
#ifndef VEER_PROBES_AGENT_JOBS_H
#define VEER_PROBES_AGENT_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct jobs;

/*
 * A pool of at most `threads` threads, started as they are needed, with at most `waiting` jobs queued. `loop` is
 * borrowed. NULL when memory is out. Signals must be blocked already where they are not wanted.
 */
struct jobs *jobs_new(struct loop *loop, uint32_t threads, uint32_t waiting);
/*
 * End the pool; the loop must not run any more. Each job that was accepted still gets its `done`, from here, whether it
 * was worked on or not, so that it can free its memory. With `wait` all of them are worked on first; without,
 * those that run are left alone, and such a job's `done` is called later, in the pool's thread.
 */
void jobs_free(struct jobs **jobs_ptr, bool wait);

/* Queue a job. Errors: VEER_ELIMIT (too many wait), VEER_ENOMEM, VEER_EIO (no thread can be started). */
VEER_MUST_CHECK enum veer_err jobs_add(struct jobs *jobs, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx);

#endif
