/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chores' thread: what the acting controller does besides deciding, in a thread of its own so that no verdict ever
 * waits for it. It ends overrides whose time is over, drains and releases for maintenance windows, and deletes old
 * transitions. Each of these is a commit of a few operations with the election as a condition, judged by what is stored
 * at that time; a commit that fails is due again.
 *
 * Threads: the owner's, except where another is named.
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

/* Which transitions are stored. Used by the chores' thread; before that thread starts, by the owner. */
struct controller_history {
	char (*keys)[TRAIL_ID_SIZE]; /* oldest first, from `first` to `end` */
	size_t first, end, size;
	size_t limit; /* transitions kept */
};

/* Embedded in the owner's memory. */
struct controller_chores {
	const struct controller_config *config; /* borrowed, as is the next member */
	struct election *election;
	struct election_term term; /* the term in which the history was read; used by the thread only */
	struct controller_history history;
	struct queue *inbox;  /* of struct chores_stored, and of this struct's own address, which means that something
				 has changed */
	atomic_bool is_dirty; /* an override, a window or a pool has changed */
	atomic_bool has_missed_stored; /* some transitions that were stored did not fit into the inbox */
	pthread_mutex_t lock;          /* guards what follows */
	struct chore_block blocks[CHORE_BLOCKS_MAX];
	size_t block_count;
	pthread_t thread; /* joined by the owner */
	bool has_thread;
};

/*
 * Prepare after the election is won: read which transitions are stored. The two arguments are borrowed. False when
 * memory is out; deinit must still be called.
 */
bool controller_chores_init(struct controller_chores *chores, const struct controller_config *config,
			    struct election *election);
/* Start the thread. False when there is no thread. */
bool controller_chores_start(struct controller_chores *chores);
/* End the thread and wait for it; others may still put items into its inbox. */
void controller_chores_stop(struct controller_chores *chores);
/* Release everything, after all threads have ended. */
void controller_chores_deinit(struct controller_chores *chores);

/* Note that an override, a window or a pool has changed, so that the thread looks at once. From any thread. */
void controller_chores_changed(struct controller_chores *chores);
/* Note that the job has come back: the transitions that were committed are added to the history. From any thread. */
void controller_chores_stored(struct controller_chores *chores, const struct commit_job *job);

#endif
