/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's thread: only it calls the verdict engine and uses the data kept beside it. It takes items from its
 * inbox, and gives its transactions to the committer. controller_engine.c is the thread; its subjects are in files of
 * their own, in the order below.
 *
 * Threads: the engine's own, except where another is named.
 */
#ifndef VEER_API_CONTROL_CONTROLLER_ENGINE_H
#define VEER_API_CONTROL_CONTROLLER_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "api/control/controller.h"
#include "api/control/controller_committer.h"
#include "api/control/controller_inbox.h"
#include "api/control/election.h"
#include "base/strmap.h"
#include "probes/verdict/assign.h"
#include "probes/verdict/verdict.h"

struct controller_chores;
struct controller_view;

enum {
	CONTROLLER_TICK_MS = 100,
	CONTROLLER_RETRY_MS = 1000,   /* pause after a commit failed */
	CONTROLLER_REFUSED = 8,       /* refused verdicts that are remembered at a time */
	CONTROLLER_DOUBTS_MAX = 4096, /* endpoints in doubt that are announced to name servers at a time */
	CONTROLLER_VOTES_KEPT = 2000, /* of one transition, because STORE_VALUE_MAX limits a stored value */
	CONTROLLER_MODEL_BYTES = 512 << 20,
};

/* A doubt or a second look that is not over, and when it began. */
struct episode {
	bool is_doubted;
	int64_t reported_us; /* when a report first caused it */
	int64_t confirm_us;  /* when other agents were first asked to look; 0: not yet */
	int64_t again_us;    /* when they were last asked */
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
};

/* The last push of a check for an endpoint, kept for people. */
struct pushed {
	char text[CONTROLLER_PUSH_TEXT]; /* the reason given; "": none */
	char by[CONTROLLER_PUSH_TEXT];
	enum model_state state;
	int64_t at_ms;
	uint32_t ttl_ms;
	char endpoint[MODEL_ENDPOINT_KEY_MAX + 1];
	char check[MODEL_NAME_MAX + 1];
};

/* A verdict that the store refused for its content: not proposed again for a while. */
struct refused {
	char endpoint[MODEL_ENDPOINT_KEY_MAX + 1];
	int64_t until_ms;
};

/* The model as it was last read. */
struct controller_model {
	struct arena *arena;
	struct assign_plan *plan;
	const struct model_site *sites;
	size_t site_count;
	const struct model_pool *pools;
	size_t pool_count;
	bool *keeps_last;     /* for each pool: some policy with `when_all_down: last` mentions it */
	bool *is_excess;      /* for each pool: the engine has no room for it */
	uint64_t fingerprint; /* of everything that decides who probes what */
	int64_t revision;     /* the store's revision at which it was read */
	struct model_settings settings;
};

/* What the engine's thread writes and any thread may read. */
struct controller_published {
	atomic_bool is_acting; /* it is elected, and has read what others have written */
	atomic_int_fast64_t assignment_revision;
	atomic_uint_fast64_t reports, reports_refused, transitions, commits_failed, confirms, pushes;
};

/* Embedded in the owner's memory. */
struct controller_engine {
	const struct controller_config *config; /* borrowed, as are the next four members */
	struct election *election;
	struct controller_inbox *inbox;
	struct controller_committer *committer;
	struct controller_chores *chores;
	char boot_id[VEER_BOOT_ID_SIZE]; /* of the clock; "": unknown */

	struct verdict_engine *verdicts;
	struct controller_model model;
	bool needs_seed;         /* the verdict engine has not been given the stored verdicts, and proposes nothing */
	struct strmap overrides; /* POOL/NAME -> a pointer to the static mark of its action */
	struct strmap episodes;  /* POOL/NAME -> struct episode */
	struct strmap pushes;    /* CHECK POOL/NAME -> struct pushed */
	bool has_doubt_changed;  /* name servers must be told */
	int64_t doubt_ms;        /* they are not told before this time */
	uint32_t doubt_count;

	struct election_term term; /* the term in which it acts, or acted last */
	int64_t acting_ms;         /* since when it has been acting */
	int64_t campaign_ms;       /* while it does not act: when it may campaign next */
	int64_t campaign_pause_ms; /* from being deposed to the next campaign; 0: it was never deposed */
	uint32_t sequence;         /* number of transitions in this term */
	struct commit_job *in_flight;
	bool needs_tidying; /* stored verdicts and last sets must be compared with the model */
	int64_t retry_ms;   /* no commit before this time, because the previous one failed */
	struct refused refused[CONTROLLER_REFUSED];
	size_t refused_next;        /* index of the next one to replace */
	int64_t committed_revision; /* of the last commit; the directory may not have reached it yet */

	struct controller_published published;
	pthread_t thread;
	bool has_thread;
};

/* --- controller_engine.c ------------------------------------------------------------------------------------------ */
/*
 * Initialize everything except the pointers, which the owner has set, after the election is won: read the model. False
 * when memory is out; deinit must still be called.
 */
bool controller_engine_init(struct controller_engine *engine);
/* Start the thread. False when there is no thread. */
bool controller_engine_start(struct controller_engine *engine);
/*
 * Wait for the end of the thread, and release the requests that wait for an answer. Call it after the inbox was closed
 * and the committer has ended.
 */
void controller_engine_stop(struct controller_engine *engine);
void controller_engine_deinit(struct controller_engine *engine);
/* The monotonic time by the configured clock. */
int64_t controller_now_ms(const struct controller_engine *engine);
/* The same clock in microseconds. */
int64_t controller_now_us(const struct controller_engine *engine);

/* --- controller_term.c: acting, being deposed, and campaigning again ------------------------------------------------
 */
/* Follow the election. Called once a turn, before proposals. */
void controller_follow_election(struct controller_engine *engine);
/* Handle a campaign that has come back, won or not. */
void controller_campaign_done(struct controller_engine *engine, enum veer_err err);

/* --- controller_model.c: read the directory, configure the verdict engine, publish assignments ----------------------
 */
/* Read the model and put it in force. False when that is impossible: then the previous one stays in force. */
bool controller_read_model(struct controller_engine *engine);
/* Free everything in it, and zero it. */
void controller_model_deinit(struct controller_model *model);
/* The index of the pool or site of this name in the model; SIZE_MAX when it is not there. */
size_t controller_pool_index(const struct controller_model *model, const char *name);
size_t controller_site_index(const struct controller_model *model, const char *name);

/* --- controller_fit.c ------------------------------------------------------------------------------------------------
 */
struct controller_fit {
	struct model_check *checks; /* by name; on return only those that fit */
	size_t check_count;
	const struct model_pool *pools; /* by name; not changed */
	size_t pool_count;
	/* The result; everything in the arena. */
	struct model_pool *watched; /* the pools that fit */
	size_t watched_count;
	bool *is_excess; /* for each pool: it does not fit */
};
/* Leave out what is more than the engine takes, and log what was left out. False when memory is out. */
bool controller_fit(struct controller_fit *fit, struct arena *arena, struct logger *log);

/* --- controller_seed.c -----------------------------------------------------------------------------------------------
 */
/* Give the stored verdicts to the verdict engine, once its first model is in force. */
void controller_seed(struct controller_engine *engine);
#define CONTROLLER_DECIDED_SIZE 17
/*
 * A text that changes when something changes that decides on the endpoint: its address, the checks that vote, or what
 * these look at. Weights, sites and thresholds are not part of it. False when the engine does not know the endpoint.
 */
bool controller_decided_by(const struct controller_engine *engine, const char *endpoint,
			   char out[CONTROLLER_DECIDED_SIZE]);
/* Was the stored verdict `entry` decided by the present address and checks? */
bool controller_is_current(const struct controller_engine *engine, const struct directory_entry *entry);

/* --- controller_commit.c: what goes into a transaction, and what follows when it has come back -----------------------
 */
/* Collect what the engine proposes into a job and hand it over; do nothing while one is in flight. */
void controller_propose(struct controller_engine *engine);
/* Make a job in the present term: empty except for its condition. NULL when memory is out. */
struct commit_job *controller_job_new(const struct controller_engine *engine);
/* Give the job to the committer. None may be in flight. */
void controller_job_give(struct controller_engine *engine, struct commit_job *job);
/* Handle a job that has come back, and free it. */
void controller_job_done(struct controller_engine *engine, struct commit_job *job);

/* --- controller_transition.c -----------------------------------------------------------------------------------------
 */
/* The object of a transition that is about to be committed. Makes its id. NULL: memory is out. */
json_t *controller_transition_json(struct controller_engine *engine, const struct verdict_transition *t,
				   char id[TRAIL_ID_SIZE], int64_t *base_us);
/* Is vote `i` stored? When there are too many, only votes that agree are stored, at most CONTROLLER_VOTES_KEPT. */
bool controller_keeps_vote(const struct verdict_transition *t, uint32_t i, size_t kept);

/* --- controller_doubt.c: what is in doubt and since when, and the overrides ------------------------------------------
 */
void controller_read_overrides(struct controller_engine *engine);
/* The stored override of an endpoint; NULL: none. */
const enum model_override_action *controller_override(const struct controller_engine *engine, const char *endpoint);
/* Take over what the engine doubts; call once after each call that may change it. */
void controller_take_doubts(struct controller_engine *engine);
/* Tell name servers if there is something new and they may be told. */
void controller_tell_doubts(struct controller_engine *engine);
/* Note that other agents were asked for a second look. */
void controller_note_confirm(struct controller_engine *engine, const char *endpoint);
/* The episode of an endpoint, or NULL. */
const struct episode *controller_episode(const struct controller_engine *engine, const char *endpoint);
/* Forget endpoints and checks that are no longer configured. */
void controller_forget(struct controller_engine *engine);
/* Forget all doubts and pushes. */
void controller_doubt_reset(struct controller_engine *engine);
/* Free episodes, pushes and overrides, after all threads have ended. */
void controller_doubt_deinit(struct controller_engine *engine);

/* --- controller_answer.c ---------------------------------------------------------------------------------------------
 */
/* Answer a question, or (is_ending) give up. Drops the inbox's reference to it. */
void controller_answer(struct controller_engine *engine, struct controller_request *request, bool is_ending);

/* --- controller_status.c ---------------------------------------------------------------------------------------------
 */
/* Copy what the engine knows (about one endpoint, or NULL: about all); NULL when memory is out. */
struct controller_view *controller_look(struct controller_engine *engine, const char *endpoint);
/* Count the endpoints by what they wait for, without copying them. */
void controller_count(struct controller_engine *engine, struct controller_counts *out);
/* Free a view; from any thread. `*view` may be NULL. */
void controller_view_free(struct controller_view **view);
json_t *controller_view_json(const struct controller_view *view);

#endif
