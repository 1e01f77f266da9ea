/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that blocks (resolving names, writing files), done by a few threads so that the loop, and with it the probes,
 * never waits for it.
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
 * Make a pool of at most `threads` threads, which are started when they are needed, with at most `waiting` jobs queued.
 * `loop` is borrowed. NULL when memory is out. Signals that the threads should not get must be blocked already.
 */
struct jobs *jobs_new(struct loop *loop, uint32_t threads, uint32_t waiting);
/*
 * End the pool; the loop must not run any more. For each accepted job, `done` is still called from here, whether it was
 * worked on or not, so that it can free its memory. With `wait`, all jobs are worked on first; without, running jobs
 * are not waited for, and their `done` is called later, in the pool's thread.
 */
void jobs_free(struct jobs **jobs_ptr, bool wait);

/* Queue a job. Errors: VEER_ELIMIT (too many wait), VEER_ENOMEM, VEER_EIO (no thread can be started). */
VEER_MUST_CHECK enum veer_err jobs_add(struct jobs *jobs, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx);

#endif
