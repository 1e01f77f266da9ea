/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's insides; private to api/controller*.c. */
#ifndef VEER_API_CONTROL_CONTROLLER_IMPL_H
#define VEER_API_CONTROL_CONTROLLER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "api/control/controller.h"
#include "base/strmap.h"
#include "probes/verdict/assign.h"
#include "probes/verdict/verdict.h"

enum {
	CONTROLLER_TICK_MS = 100,
	CONTROLLER_RETRY_MS = 1000,   /* after a commit failed */
	CONTROLLER_BATCH = 33,        /* verdicts in one commit, each with its transition and perhaps a `last` */
	CONTROLLER_REFUSED = 8,       /* refused verdicts that are remembered */
	CONTROLLER_HISTORY = 10000,   /* transitions kept, unless configured otherwise */
	CONTROLLER_DOUBTS_MAX = 4096, /* endpoints in doubt that name servers are told of at a time */
	CHORE_BLOCKS_MAX = 256,
	CONTROLLER_VOTES_KEPT = 2000, /* of one transition: what is stored has a limit (STORE_VALUE_MAX) */
	CONTROLLER_MODEL_BYTES = 512 << 20,
};

/* What has changed since the controller's thread last looked. */
enum { CONTROLLER_MODEL_CHANGED = 1, CONTROLLER_OVERRIDES_CHANGED = 2 };

enum controller_message { CONTROLLER_REPORT, CONTROLLER_REQUEST, CONTROLLER_COMMITTED };

enum controller_question { CONTROLLER_ASK_VIEW, CONTROLLER_ASK_COUNTS, CONTROLLER_ASK_PUSH };

/* A question to the controller's thread: the asking one waits on `done`, but not for ever. */
struct controller_request {
	pthread_mutex_t lock; /* guards the answer and the references */
	pthread_cond_t done;
	enum controller_question question;
	char endpoint[MODEL_ENDPOINT_KEY_MAX + 1]; /* VIEW: only this one, "" for all. PUSH: of which */
	struct controller_push push;
	struct controller_view *view;
	struct controller_counts counts;
	enum veer_err err;
	bool is_answered;
	unsigned references; /* the asker's and the queue's; whoever drops the last frees */
};

/* A doubt or a second look that is not over: when it began. */
struct episode {
	bool is_doubted;
	int64_t reported_us; /* when a report first said so */
	int64_t confirm_us;  /* when others were first asked to look; 0: not yet */
	int64_t again_us;    /* and when last */
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
};

/* The last word that was pushed for an endpoint by a check, for people. */
struct pushed {
	char text[CONTROLLER_PUSH_TEXT]; /* the reason given; "" without one */
	char by[CONTROLLER_PUSH_TEXT];
	enum model_state state;
	int64_t at_ms;
	uint32_t ttl_ms;
	char endpoint[MODEL_ENDPOINT_KEY_MAX + 1];
	char check[MODEL_NAME_MAX + 1];
};

/* A pool that a maintenance window would empty. */
struct chore_block {
	char maintenance[MODEL_NAME_MAX + 1];
	char pool[MODEL_NAME_MAX + 1];
};

/* The thread of controller_chores.c. */
struct chores {
	pthread_mutex_t lock; /* guards what follows, but is_dirty */
	pthread_cond_t wake;
	bool is_closing;
	struct chore_block blocks[CHORE_BLOCKS_MAX];
	size_t block_count;
	char (*keys)[TRAIL_ID_SIZE]; /* of the stored transitions, oldest first, from key_first to key_end */
	size_t key_first, key_end, key_size;
	atomic_bool is_dirty; /* an override, a window or a pool has changed */
	pthread_t thread;
	bool has_thread;
};

struct controller_item {
	struct controller_item *next;
	enum controller_message kind;
	char agent[64];
	struct report report;
	struct arena *arena; /* of the report */
	struct controller_request *request;
	struct commit_job *job;
};

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

/* A verdict that the store refused for what it is: not proposed again for a while. */
struct refused {
	char endpoint[MODEL_ENDPOINT_KEY_MAX + 1];
	int64_t until_ms;
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
	int64_t committed_us; /* when the store had acknowledged it */
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
	bool *is_excess;      /* a pool: the engine has no room for it */
	uint64_t fingerprint; /* of all that decides who probes what */
	int64_t revision;     /* the store's, when it was read */
	struct model_settings settings;
};

struct controller {
	struct controller_config config;
	char boot_id[VEER_BOOT_ID_SIZE]; /* of the clock; "": not known */
	struct verdict_engine *engine;   /* the controller thread's, like what follows */
	struct controller_model model;
	struct strmap overrides; /* POOL/NAME -> one of static marks, for each action */
	struct strmap episodes;  /* POOL/NAME -> struct episode */
	struct strmap pushes;    /* CHECK POOL/NAME -> struct pushed */
	bool has_doubt_changed;  /* name servers are to be told */
	int64_t doubt_ms;        /* but not before this time */
	uint32_t doubt_count;
	uint32_t sequence; /* of transitions in this election */
	struct commit_job *in_flight;
	bool needs_tidying; /* stored verdicts and last sets are to be compared with the model */
	int64_t retry_ms;   /* no commit before this time: the one before failed */
	struct refused refused[CONTROLLER_REFUSED];
	size_t refused_next;        /* the place for another */
	int64_t committed_revision; /* of the last commit; the directory may be behind it */
	atomic_bool is_deposed;     /* written by the controller's thread */
	int64_t election;
	int64_t election_revision;

	pthread_mutex_t lock;      /* guards the queues and the flags */
	pthread_cond_t filled;     /* the controller's queue */
	pthread_cond_t job_filled; /* the committer's */
	struct controller_item *head, *tail;
	size_t queue_len;
	unsigned changes;       /* CONTROLLER_MODEL_CHANGED, CONTROLLER_OVERRIDES_CHANGED */
	struct commit_job *job; /* the committer's queue is one deep: batches wait in the engine */
	bool is_closing;
	pthread_t thread, committer;
	bool has_thread, has_committer;
	struct chores chores;
	size_t history; /* transitions kept */

	atomic_int_fast64_t assignment_revision;
	atomic_uint_fast64_t reports, reports_refused, transitions, commits_failed, confirms, pushes_taken;
};

/* controller_model.c: read the directory, configure the engine, publish assignments. */
void controller_read_model(struct controller *c);
/* Free all of it, and zero it. */
void controller_model_deinit(struct controller_model *model);

/* controller_fit.c */
struct controller_fit {
	struct model_check *checks; /* by name; only those that fit afterwards */
	size_t check_count;
	const struct model_pool *pools; /* by name; these stay */
	size_t pool_count;
	/* What comes of it, all in the arena. */
	struct model_pool *watched; /* those that fit */
	size_t watched_count;
	bool *is_excess; /* a pool: does not */
};
/* Leave out what is more than the engine takes, and log what. False when memory is out. */
bool controller_fit(struct controller_fit *fit, struct arena *arena, struct logger *log);

/* controller_seed.c */
/* Tell the engine the stored verdicts, once the first model is in force. */
void controller_seed(struct controller *c);
#define CONTROLLER_DECIDED_SIZE 17
/*
 * A text that changes when what decides on the endpoint does: its address, or which checks vote and what these look at.
 * Weights, sites and thresholds are not part of it. False when the engine does not know the endpoint.
 */
bool controller_decided_by(const struct controller *c, const char *endpoint, char out[CONTROLLER_DECIDED_SIZE]);
/* Was this stored verdict decided by what decides now? */
bool controller_is_current(const struct controller *c, const struct directory_entry *verdict);

/* controller_commit.c */
/* Collect what the engine proposes into a job and hand it over; nothing while one is in flight. */
void controller_propose(struct controller *c);
/* A job has come back. */
void controller_job_done(struct controller *c, struct commit_job *job);

/* controller_committer.c */
/* The key of the object of kind meta that says who was elected: each transaction depends on it. */
#define CONTROLLER_ELECTION_KEY "election"
/* Was a transaction refused for what is in it, and not for how the store is? That will not change by itself. */
bool controller_is_refused(enum veer_err err);
/* The committing thread. */
void *controller_committer_main(void *ctx);
/* Win the election: raise its number in the store. */
enum veer_err controller_elect(struct controller *c, struct veer_diag *diag);

/* controller_request.c: answer in the controller's thread, or (is_ending) give up. */
void controller_answer(struct controller *c, struct controller_request *request, bool is_ending);

/* controller_doubt.c: what is in doubt and since when, and the overrides, as the controller's thread needs them. */
void controller_read_overrides(struct controller *c);
/* The stored override of an endpoint; NULL: none. */
const enum model_override_action *controller_override(const struct controller *c, const char *endpoint);
/* Take over what the engine doubts; once after each call that may change it. */
void controller_take_doubts(struct controller *c);
/* Tell name servers if there is something new and it is time. */
void controller_tell_doubts(struct controller *c);
/* Others were asked for a second look. */
void controller_note_confirm(struct controller *c, const char *endpoint);
/* The episode of an endpoint, or NULL. */
const struct episode *controller_episode(const struct controller *c, const char *endpoint);
/* Forget what is no longer configured. */
void controller_forget(struct controller *c);
/* Free episodes, pushes and overrides. After all threads. */
void controller_doubt_deinit(struct controller *c);

/* controller_transition.c: the object of a transition about to be committed. Its id is made here. NULL: no memory. */
json_t *controller_transition_json(struct controller *c, const struct verdict_transition *t, char id[TRAIL_ID_SIZE],
				   int64_t *base_us);

/* Is vote `i` to be stored? When there are too many, only what agrees is, up to CONTROLLER_VOTES_KEPT of it. */
bool controller_keeps_vote(const struct verdict_transition *t, uint32_t i, size_t kept);

/* controller_chores.c */
void controller_chores_init(struct controller *c);
/* False when there is no thread. After controller_elect(). */
bool controller_chores_start(struct controller *c);
/* End the thread; what others put down for it may still come. */
void controller_chores_stop(struct controller *c);
/* After all threads: a commit that comes back while the controller ends still adds to the history. */
void controller_chores_deinit(struct controller *c);
/* An override, a window or a pool has changed: look at once. From any thread. */
void controller_chores_changed(struct controller *c);
/* Read which transitions are stored. Before any thread. */
void controller_history_load(struct controller *c);

/* controller_history.c */
/* A transition was committed under this key. */
void controller_history_add(struct controller *c, const char *key);
/* Delete some of the oldest when there are too many. */
void controller_history_prune(struct controller *c);

struct controller_view;
/*
 * controller_status.c: a copy of what the engine knows (of one endpoint, or NULL: of all), made by the controller's
 * thread; NULL when memory is out.
 */
struct controller_view *controller_look(struct controller *c, const char *endpoint);
/* Count, without copying. */
void controller_count(struct controller *c, struct controller_counts *out);
/* `*view` may be NULL. */
void controller_view_free(struct controller_view **view);
/* Any thread's. */
json_t *controller_view_json(const struct controller_view *view);

/* Where the pool or site of this name is in the model; SIZE_MAX when it is not there. */
size_t controller_pool_index(const struct controller_model *model, const char *name);
size_t controller_site_index(const struct controller_model *model, const char *name);

/* controller.c: put an item into the controller's queue. */
enum veer_err controller_push(struct controller *c, struct controller_item *item);
/* The configured clock's monotonic time. */
int64_t controller_now_ms(const struct controller *c);
/* The same clock in microseconds. */
int64_t controller_now_us(const struct controller *c);

#endif
