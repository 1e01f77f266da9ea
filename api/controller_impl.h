/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's insides; private to api/controller*.c. */
#ifndef VEER_API_CONTROLLER_IMPL_H
#define VEER_API_CONTROLLER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "api/controller.h"
#include "probes/assign.h"
#include "probes/verdict.h"

enum {
	CONTROLLER_TICK_MS = 100,
	CONTROLLER_RETRY_MS = 1000, /* after a commit failed */
	CONTROLLER_BATCH = 40,      /* transitions in one commit; each may bring a `last` along */
	CONTROLLER_MODEL_BYTES = 512 << 20,
};

enum controller_message { CONTROLLER_REPORT, CONTROLLER_STATUS, CONTROLLER_COMMITTED };

/* A request for status: the asking thread waits on `done`. In the asking thread's memory until `abandoned`. */
struct status_request {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct controller_view *answer;
	bool is_answered;
	unsigned references; /* the asker's and the queue's; whoever drops the last frees */
};

struct controller_item {
	struct controller_item *next;
	enum controller_message kind;
	char agent[64];
	struct report report;
	struct arena *arena; /* of the report */
	struct status_request *status;
	struct commit_job *job;
};

/* One verdict of a commit. */
struct commit_verdict {
	const char *endpoint; /* in the job's arena, as the other strings */
	enum model_state from;
	enum model_state state;
	const char *check;
	const char *reason;
};

/* A transaction on its way through the committing thread. */
struct commit_job {
	struct arena *arena;
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	size_t op_count;
	struct commit_verdict verdicts[CONTROLLER_BATCH];
	size_t verdict_count;
	enum veer_err err;
	int64_t revision;
};

/* The model as the controller last read it. */
struct controller_model {
	struct arena *arena;
	struct assign_plan *plan;
	const struct model_site *sites;
	size_t site_count;
	const struct model_pool *pools;
	size_t pool_count;
	bool *keeps_last;     /* a pool: some policy with `when_all_down: last` mentions it */
	uint64_t fingerprint; /* of all that decides who probes what */
};

struct controller {
	struct controller_config config;
	struct verdict_engine *engine; /* the controller thread's, like what follows */
	struct controller_model model;
	struct commit_job *in_flight;
	bool needs_tidying;         /* stored verdicts and last sets are to be compared with the model */
	int64_t retry_ms;           /* no commit before this time: the one before failed */
	int64_t committed_revision; /* of the last commit; the directory may be behind it */
	atomic_bool is_deposed;     /* written by the controller's thread */
	int64_t election;
	int64_t election_revision;

	pthread_mutex_t lock;      /* guards the queues and the flags */
	pthread_cond_t filled;     /* the controller's queue */
	pthread_cond_t job_filled; /* the committer's */
	struct controller_item *head, *tail;
	size_t queue_len;
	bool has_model_changed;
	struct commit_job *job; /* the committer's queue is one deep: batches wait in the engine */
	bool is_closing;
	pthread_t thread, committer;
	bool has_thread, has_committer;

	atomic_int_fast64_t assignment_revision;
	atomic_uint_fast64_t reports, reports_refused, transitions, commits_failed, confirms;
};

/* controller_model.c: read the directory, configure the engine, publish assignments. */
void controller_read_model(struct controller *c);
void controller_model_deinit(struct controller_model *model);

/* controller_commit.c */
/* Collect what the engine proposes into a job and hand it over; nothing while one is in flight. */
void controller_propose(struct controller *c);
/* A job has come back. */
void controller_job_done(struct controller *c, struct commit_job *job);
/* The committing thread. */
void *controller_committer_main(void *ctx);
/* Win the election: raise its number in the store. */
enum veer_err controller_elect(struct controller *c, struct veer_diag *diag);

/* controller_status.c: a copy of what the engine knows, made by the controller's thread; NULL when memory is out. */
struct controller_view;
struct controller_view *controller_look(struct controller *c);
void controller_view_free(struct controller_view **view);
/* Any thread's. */
json_t *controller_view_json(const struct controller_view *view);

/* Where the pool or site of this name is in the model; SIZE_MAX when it is not there. */
size_t controller_pool_index(const struct controller_model *model, const char *name);
size_t controller_site_index(const struct controller_model *model, const char *name);

/* controller.c: put an item into the controller's queue. */
enum veer_err controller_push(struct controller *c, struct controller_item *item);
int64_t controller_now_ms(const struct controller *c);

#endif
