/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committing thread: it takes one job after the other from the engine's thread, waits for the store, and gives the
 * job back through the engine's inbox, so that the engine never waits for a disk.
 *
 * Threads: the engine's thread hands over jobs; the owner starts and ends the thread.
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
	const char *endpoint; /* in the job's arena, like the other strings */
	enum model_state from;
	enum model_state state;
	const char *check;
	const char *reason;
	const char *id;  /* of the transition */
	int64_t base_us; /* time of its first observation */
	enum veer_err err;
	int64_t revision; /* if it was committed */
};

/* A transaction or a campaign that is sent through the committing thread. */
struct commit_job {
	bool is_campaign;          /* win the election; the job contains nothing else */
	struct election_term term; /* the term under which everything in it is committed */
	struct arena *arena;
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	size_t op_count;
	struct commit_verdict verdicts[CONTROLLER_BATCH];
	size_t verdict_count;
	enum veer_err err;
	int64_t revision;
	int64_t committed_us; /* when the store acknowledged it */
};

/* Embedded in the owner's memory. */
struct controller_committer {
	struct store *store; /* borrowed, as are the next three members */
	const struct veer_clock *clock;
	struct election *election;
	struct controller_inbox *inbox;
	struct queue *jobs; /* of struct commit_job; at most one, because batches wait in the engine */
	pthread_t thread;
	bool has_thread;
};

/* Prepare. False when memory is out; deinit must still be called. */
bool controller_committer_init(struct controller_committer *committer, struct store *store,
			       const struct veer_clock *clock, struct election *election,
			       struct controller_inbox *inbox);
/* Start the thread. False when there is no thread. */
bool controller_committer_start(struct controller_committer *committer);
/* End the thread and wait for it. A job in flight stays the engine's. */
void controller_committer_stop(struct controller_committer *committer);
void controller_committer_deinit(struct controller_committer *committer);

/*
 * Give it a job, one at a time; the job comes back as CONTROLLER_COMMITTED. Errors: as queue_push(); the caller keeps
 * it.
 */
enum veer_err controller_committer_give(struct controller_committer *committer, struct commit_job *job);

/* Was a transaction refused for its content, and not because of the state of the store? Then retrying cannot help. */
bool controller_is_refused(enum veer_err err);

#endif
