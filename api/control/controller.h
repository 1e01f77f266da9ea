/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controller has three threads. The engine's thread (controller_engine.h) takes in reports and the model, runs the
 * verdict engine, and hands transitions to the committer's thread (controller_committer.h), which waits for the store.
 * The chores' thread (controller_chores.h) does everything else that becomes due. Each has a struct of its own; queues
 * connect them. Every commit has the election (election.h) as its condition, so that a deposed controller writes
 * nothing (S4). After a pause a deposed controller campaigns again, and when it has won, it reads what the other one
 * has written before it acts.
 *
 * Threads: the functions below may be called from any thread.
 */
#ifndef VEER_API_CONTROL_CONTROLLER_H
#define VEER_API_CONTROL_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/control/assignments.h"
#include "api/control/directory.h"
#include "api/control/feed.h"
#include "api/control/trail.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "probes/verdict/report.h"
#include "zones/store/store.h"

#define CONTROLLER_QUEUE_MAX 4096    /* reports and requests waiting; more are refused */
#define CONTROLLER_QUEUE_AGENT_MAX 8 /* waiting reports of one agent, so that no agent can crowd out the others */

struct controller;

struct controller_config {
	const struct veer_clock *clock; /* borrowed, as are all of these */
	struct store *store;
	struct directory *directory;
	struct assignment_hub *assignments;
	struct logger *log;
	struct feed *feed;   /* receives doubts; NULL: they are not sent */
	struct trail *trail; /* receives the times of commits; NULL: they are not kept */
	size_t history;      /* transitions kept; 0: 10,000 */
	int64_t campaign_ms; /* from being deposed to the first campaign; 0: 5,000. Doubled when deposed again soon */
};

/*
 * Take part in the election (a write to the store) and start the threads. The directory must be filled.
 * Errors: VEER_EIO and the like; the diag names what failed.
 */
enum veer_err controller_new(const struct controller_config *config, struct controller **out, struct veer_diag *diag);
/* End the controller's threads and wait for them. `*controller` may be NULL. */
void controller_free(struct controller **controller);

/* Note that sites, checks, pools, policies or agents have changed in the directory. Never blocks. */
void controller_model_changed(struct controller *controller);

/* Note that overrides or maintenance windows have changed in the directory. Never blocks. */
void controller_overrides_changed(struct controller *controller);

/*
 * Hand over one report of the authenticated agent. Takes `arena`, in which the report lives (always, also on failure).
 * Never blocks. Errors: VEER_ECONFLICT (another assignment revision: 409), VEER_ELIMIT (the queue, or the agent's share
 * of it, is full).
 */
enum veer_err controller_report(struct controller *controller, const char *agent, struct report *report,
				struct arena *arena);

#define CONTROLLER_PUSH_TEXT 256

/* An application's own report on an endpoint. */
struct controller_push {
	char check[MODEL_NAME_MAX + 1];
	enum model_state state;
	uint32_t ttl_ms; /* 0: that of the check */
	char reason[CONTROLLER_PUSH_TEXT];
	char by[CONTROLLER_PUSH_TEXT];
};

/*
 * Give a push to the engine. Waits up to 2 s. Errors: VEER_ENOTFOUND (the check does not watch the endpoint),
 * VEER_EINVAL (it is not a push check), VEER_ETIMEOUT (the controller does not answer), VEER_ELIMIT.
 */
enum veer_err controller_push_state(struct controller *controller, const char *endpoint,
				    const struct controller_push *push);

/* How many endpoints wait, and for what; for metrics. */
struct controller_counts {
	uint64_t waits[16]; /* by enum verdict_wait */
	uint64_t doubts;
	uint64_t agents_revoked, agents_blind, agents_suspect, agents_silent;
	uint64_t agents_runner_lost; /* only agents that are not revoked */
};
/* Read the counts. False when the controller does not answer. */
bool controller_counts_read(struct controller *controller, struct controller_counts *out);

/*
 * The windows that do not drain a pool because it would be empty: [{"maintenance": …, "pool": …}]. Ownership: the
 * caller's.
 */
json_t *controller_blocked(struct controller *controller);

/*
 * What the engine knows, for /v1/status: {"endpoints": […], "agents": […], "election": N, "assignment_revision": N};
 * for one `endpoint`, or (NULL) for all. Waits up to 2 s for the controller's thread. Ownership: the caller's. NULL
 * when it does not answer; the reply of /v1/status then says so.
 */
json_t *controller_status(struct controller *controller, const char *endpoint);

struct controller_stats {
	uint64_t reports;         /* accepted and counted */
	uint64_t reports_refused; /* stale, unknown, over the limit */
	uint64_t transitions;     /* committed */
	uint64_t commits_failed;
	uint64_t confirms; /* requests for a second look that were sent */
	uint64_t pushes;   /* accepted */
	int64_t election;
	bool is_acting; /* it is the elected controller, and has read what others have written */
};
/* Read the counters, from any thread; the numbers need not be of the same moment. */
void controller_stats_read(struct controller *controller, struct controller_stats *out);

#endif
