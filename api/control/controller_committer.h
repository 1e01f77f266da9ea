/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committing thread: it takes one job after the other from the engine's thread, waits for the store, and gives the
 * job back by way of the engine's inbox. So the engine never waits for a disk.
 *
 * Threads: the engine's hands over; the owner starts and ends.
 */
#ifndef VEER_API_CONTROL_CONTROLLER_COMMITTER_H
#define VEER_API_CONTROL_CONTROLLER_COMMITTER_H

#include <pthread.h>
#include <stdbool.h>

#include "api/control/controller_inbox.h"
#include "api/control/election.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/queue.h"
#include "zones/store/store.h"

enum { CONTROLLER_BATCH = 33 }; /* verdicts in one commit, each with its transition and perhaps a `last` */

/* One verdict of a commit. */
struct commit_verdict {
	const char *endpoint; /* in the job's arena, as the other strings */
	enum model_state from;
	enum model_state state;
	const char *check;
	const char *reason;
	const char *id;  /* of the transition */
	int64_t base_us; /* its first observation */
	enum veer_err err;
	int64_t revision; /* if it was committed */
};

/* A transaction, or a campaign, on its way through the committing thread. */
struct commit_job {
	bool is_campaign;          /* win the election; there is nothing else in the job then */
	struct election_term term; /* under which all of it is committed */
	struct arena *arena;
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	size_t op_count;
	struct commit_verdict verdicts[CONTROLLER_BATCH];
	size_t verdict_count;
	enum veer_err err;
	int64_t revision;
	int64_t committed_us; /* when the store had acknowledged it */
};

/* In the owner's memory. */
struct controller_committer {
	struct store *store; /* borrowed, as are the next three */
	const struct veer_clock *clock;
	struct election *election;
	struct controller_inbox *inbox;
	struct queue *jobs; /* of struct commit_job; one at a time, batches wait in the engine */
	pthread_t thread;
	bool has_thread;
};

/* False when memory is out; deinit is still to be called. */
bool controller_committer_init(struct controller_committer *committer, struct store *store,
			       const struct veer_clock *clock, struct election *election,
			       struct controller_inbox *inbox);
/* False when there is no thread. */
bool controller_committer_start(struct controller_committer *committer);
/* End the thread and wait for it. A job that is on its way stays the engine's. */
void controller_committer_stop(struct controller_committer *committer);
void controller_committer_deinit(struct controller_committer *committer);

/* Give it a job, one at a time; it comes back as CONTROLLER_COMMITTED. Errors: as queue_push(); the job stays here. */
enum veer_err controller_committer_give(struct controller_committer *committer, struct commit_job *job);

/* Was a transaction refused for what is in it, and not for how the store is? That will not change by itself. */
bool controller_is_refused(enum veer_err err);

#endif
