/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controller: a thread of its own that takes in reports and the model, runs the verdict engine, and hands
 * transitions to a second thread that commits them. It holds no HTTP connection and no handle of the store; two queues
 * join it with both. Each commit carries a condition on the election, so that a deposed controller writes nothing (S4).
 *
 * Threads: the functions below may be called from any thread.
 */
#ifndef VEER_API_CONTROLLER_H
#define VEER_API_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/assignments.h"
#include "api/directory.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "probes/report.h"
#include "zones/store/store.h"

#define CONTROLLER_QUEUE_MAX 4096    /* reports and requests waiting; more are refused */
#define CONTROLLER_QUEUE_AGENT_MAX 8 /* reports of one agent waiting: none can crowd out the others */

struct controller;

struct controller_config {
	const struct veer_clock *clock; /* borrowed, as are all of these */
	struct store *store;
	struct directory *directory;
	struct assignment_hub *assignments;
	struct logger *log;
};

/*
 * Take part in the election (a write to the store) and start the threads. The directory must be filled.
 * Errors: VEER_EIO and the like; the diag says what.
 */
enum veer_err controller_new(const struct controller_config *config, struct controller **out, struct veer_diag *diag);
void controller_free(struct controller **controller);

/* Sites, checks, pools, policies or agents have changed in the directory. Never blocks. */
void controller_model_changed(struct controller *controller);

/*
 * One report of the authenticated agent. Takes `arena`, in which the report lives (always, also on failure). Never
 * blocks. Errors: VEER_ECONFLICT (another assignment revision: 409), VEER_ELIMIT (the queue, or the agent's share of
 * it, is full).
 */
enum veer_err controller_report(struct controller *controller, const char *agent, struct report *report,
				struct arena *arena);

/*
 * What the engine knows, for /v1/status: {"endpoints": […], "agents": […], "election": N, "assignment_revision": N}.
 * Waits up to 2 s for the controller's thread. Ownership: the caller's. NULL when it does not answer: then `status`
 * says so.
 */
json_t *controller_status(struct controller *controller);

struct controller_stats {
	uint64_t reports;         /* taken in and counted */
	uint64_t reports_refused; /* stale, unknown, over the limit */
	uint64_t transitions;     /* committed */
	uint64_t commits_failed;
	uint64_t confirms; /* sent */
	int64_t election;
	bool is_acting; /* no other one was elected since */
};
void controller_stats_read(struct controller *controller, struct controller_stats *out);

#endif
