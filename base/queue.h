/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue of pointers between threads: many may push, usually one pops. For threads without an event loop;
 * threads with one are reached by loop_post().
 *
 * Threads: all functions but queue_new() and queue_free() may be called from any thread.
 */
#ifndef VEER_BASE_QUEUE_H
#define VEER_BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct queue;

/* A queue of at most `limit` (>= 1) items. NULL when memory is out. Caller frees. */
struct queue *queue_new(size_t limit);

/*
 * Free the queue, which nobody may use any more. `drop` is called for each item left in it (NULL: they are forgotten).
 */
void queue_free(struct queue **queue_ptr, void (*drop)(void *item));

/*
 * Add an item at the end; never waits. Ownership: the queue takes `item` on success only.
 * Errors: VEER_ELIMIT (full), VEER_ECLOSED.
 */
VEER_MUST_CHECK enum veer_err queue_push(struct queue *queue, void *item) __attribute__((warn_unused_result));

/*
 * Take the first item, waiting for one at most `timeout_ms` (0: not at all, < 0: for ever).
 * Errors: VEER_ETIMEOUT; VEER_ECLOSED when it is closed and empty.
 */
VEER_MUST_CHECK enum veer_err queue_pop(struct queue *queue, int64_t timeout_ms, void **item);

/* Refuse further pushes. Threads that wait in queue_pop() get the remaining items, then VEER_ECLOSED. */
void queue_close(struct queue *queue);

#endif
