/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chores' thread: what the acting controller does besides deciding, so that no verdict ever waits for it. It ends
 * overrides whose time is over, drains and releases for maintenance windows, and deletes old transitions: all of it by
 * commits of a few operations, each with the election as a condition, and judged anew from what is stored; a commit
 * that fails is simply due again.
 *
 * Threads: the owner's, but for what says otherwise.
 */
#ifndef VEER_API_CONTROL_CONTROLLER_CHORES_H
#define VEER_API_CONTROL_CONTROLLER_CHORES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "api/control/controller.h"
#include "api/control/controller_committer.h"
#include "api/control/election.h"
#include "base/queue.h"

enum { CHORE_BLOCKS_MAX = 256 };

/* A pool that a maintenance window would empty. */
struct chore_block {
	char maintenance[MODEL_NAME_MAX + 1];
	char pool[MODEL_NAME_MAX + 1];
};

/* Which transitions are stored. Of the chores' thread; before that, of the owner's. */
struct controller_history {
	char (*keys)[TRAIL_ID_SIZE]; /* oldest first, from `first` to `end` */
	size_t first, end, size;
	size_t limit; /* transitions kept */
};

/* In the owner's memory. */
struct controller_chores {
	const struct controller_config *config; /* borrowed, as is the next one */
	struct election *election;
	struct election_term term; /* in which the history was read; the thread's */
	struct controller_history history;
	struct queue *inbox;  /* of struct chores_stored, and of this struct's own address: something changed */
	atomic_bool is_dirty; /* an override, a window or a pool has changed */
	atomic_bool has_missed_stored; /* not all that was stored fitted into the inbox */
	pthread_mutex_t lock;          /* guards what follows */
	struct chore_block blocks[CHORE_BLOCKS_MAX];
	size_t block_count;
	pthread_t thread; /* the owner's */
	bool has_thread;
};

/*
 * The election is won: read which transitions are stored. The two are borrowed. False when memory is out; deinit is
 * still to be called.
 */
bool controller_chores_init(struct controller_chores *chores, const struct controller_config *config,
			    struct election *election);
/* False when there is no thread. */
bool controller_chores_start(struct controller_chores *chores);
/* End the thread and wait for it; what others put down for it may still come. */
void controller_chores_stop(struct controller_chores *chores);
/* After all threads. */
void controller_chores_deinit(struct controller_chores *chores);

/* An override, a window or a pool has changed: look at once. From any thread. */
void controller_chores_changed(struct controller_chores *chores);
/* The job has come back: its transitions, as far as they were committed, are history. From any thread. */
void controller_chores_stored(struct controller_chores *chores, const struct commit_job *job);

#endif
