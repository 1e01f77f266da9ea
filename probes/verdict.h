/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict engine: turns the reports of agents into proposed transitions of endpoints' verdicts.
 *
 * A pure function of (configuration, reports, clock): no system calls, no floating point, no wall clock, no randomness;
 * memory is allocated by verdict_engine_new() and verdict_configure() only. The same calls give the same results, byte
 * for byte. What must hold in every history is listed, with the numbers used below (S5, S6, …), in the project's
 * invariants; tests/sim checks them.
 *
 * How it decides. An *item* is a (check, endpoint). N is the number of agents assigned to the check by configuration
 * and q its quorum, by default floor(N/2)+1. Each assigned agent has a *view* of the item: U, D or ?. A view is ?
 * when the agent was never heard, has been silent for longer than 3 intervals of receipt time (never less than 3
 * report periods: with an interval below the report period, three lost probes say nothing yet), is blind or revoked,
 * says "?" itself, or repeats a state that no probe has confirmed for so long that its prober must be stuck.
 *   item:      down when at least q views are D; else up when at least q are U; else as it was.
 *   endpoint:  its voting items are those of checks that are no warnings. It goes down when a voting item is down and
 *              q agents say so now. It goes up when all voting items are up, each with q fresh views, those that were
 *              not up meanwhile with q U now, and `hold_s` has passed since the removal (growing while it flaps).
 *              Otherwise nothing changes: silence holds. A verdict never goes back to unknown.
 *   brake:     with at least 8 watched endpoints at 4 sites, removals within 60 s stay within max_removal_percent of
 *              them (at least 1), or within one site; the rest wait, and verdict_endpoint_at() says so.
 *
 * Proposing and committing. The engine only proposes. verdict_next() hands out one proposal and marks it as in flight;
 * the caller commits it to the store and answers with verdict_committed() or verdict_commit_failed(). While one is in
 * flight the endpoint is left alone; after a failure it is proposed again if it is still due.
 *
 * An endpoint without voting checks stays unknown; one that loses its last voting check becomes unknown inside the
 * engine: the caller deletes its stored verdict.
 *
 * Time: ms on a monotonic clock of the caller's, the same for all calls; an earlier value than the last is taken as the
 * last.
 * Threads: one engine belongs to one thread.
 */
#ifndef VEER_PROBES_VERDICT_H
#define VEER_PROBES_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "probes/report.h"
#include "zones/model.h"

#define VERDICT_REPORT_MS 1000 /* how often agents report, unless configured otherwise */
#define VERDICT_BRAKE_WINDOW_MS 60000
#define VERDICT_BRAKE_ENDPOINTS 8 /* fewer: no brake */
#define VERDICT_BRAKE_SITES 4     /* fewer: no brake */
#define VERDICT_MAX_REMOVAL_PERCENT 25
#define VERDICT_BOOTS 16            /* earlier boots of an agent that are remembered, to refuse replays */
#define VERDICT_BOOT_KEEP_MS 600000 /* for at least so long: a 17th boot within it is refused */

struct verdict_engine;

/* Limits of one engine. Zero means the default. */
struct verdict_limits {
	uint32_t agents;    /* 4,096 */
	uint32_t checks;    /* 4,096 */
	uint32_t endpoints; /* 65,536 */
	uint32_t items;     /* REPORT_ITEMS_MAX, the default and the most */
	size_t bytes;       /* of one configuration with its views: 512 MiB */
};

struct verdict_agent {
	const char *id;
	bool is_revoked; /* counts for nothing, for good; should not be among a check's agents any more */
};

struct verdict_check {
	const char *name;     /* unique */
	uint64_t fingerprint; /* of what is probed (port, path, …): when it changes, all views of the check become ? */
	uint32_t fall;        /* only for judging how old an unconfirmed state may be */
	uint32_t rise;        /* same */
	uint32_t interval_ms;
	uint32_t timeout_ms;
	uint32_t hold_s;
	uint32_t quorum;        /* 0: floor(N/2)+1; more than N counts as N */
	bool is_warning;        /* seen and shown, but votes on nothing */
	const uint32_t *agents; /* N(c): indices into verdict_config.agents, rising, at most MODEL_AGENTS_MAX */
	uint32_t agent_count;
};

struct verdict_endpoint {
	const char *key;        /* POOL/NAME, unique */
	const char *site;       /* for the brake */
	uint64_t fingerprint;   /* of its address: when it changes, all views of the endpoint become ? */
	const uint32_t *checks; /* indices into verdict_config.checks, in the pool's order, no doubles */
	uint32_t check_count;
};

/*
 * The whole configuration. The items are, in order, each endpoint's checks; an agent's report holds those items whose
 * check it is assigned to, in this order. assign.h makes this from the model, with the lines for the agents.
 */
struct verdict_config {
	int64_t assignment_revision; /* a report must name it */
	uint32_t report_ms;          /* 0: VERDICT_REPORT_MS */
	bool is_frozen;              /* propose nothing */
	bool is_brake_off;
	uint32_t max_removal_percent;       /* 0: VERDICT_MAX_REMOVAL_PERCENT; at most 100 */
	const struct verdict_agent *agents; /* ids unique */
	uint32_t agent_count;
	const struct verdict_check *checks;
	uint32_t check_count;
	const struct verdict_endpoint *endpoints;
	uint32_t endpoint_count;
};

/* An engine without configuration. `limits` may be NULL. NULL when memory is out. */
struct verdict_engine *verdict_engine_new(const struct verdict_limits *limits);
/* Frees it and sets the caller's pointer to NULL. `*engine` may be NULL. */
void verdict_engine_free(struct verdict_engine **engine);

/*
 * Put a configuration in force. Everything is copied. What stays (agents by id, items by check and endpoint, endpoints
 * by key) keeps its state, proposals in flight included. New endpoints and items start unknown.
 * Errors: VEER_EINVAL (index or order wrong, double key), VEER_ELIMIT, VEER_ENOMEM: the configuration before stays.
 */
enum veer_err verdict_configure(struct verdict_engine *engine, const struct verdict_config *config, int64_t now_ms,
				struct veer_diag *diag);

/*
 * Tell the engine a committed verdict, at the start of a controller. `age_ms` is how long ago it was committed, -1 when
 * that is not known: hold and brake then count from now. No-op for MODEL_STATE_UNKNOWN.
 * Errors: VEER_ENOTFOUND when the endpoint is not configured or has no voting check.
 */
enum veer_err verdict_seed(struct verdict_engine *engine, const char *endpoint, enum model_state state, int64_t age_ms,
			   int64_t now_ms);

/*
 * Take in one report of the authenticated agent `agent`. (agent, boot, seq) counts once; a seq at or below the highest
 * seen in its boot is refused, and so is every earlier boot.
 * Errors, all without any effect: VEER_EAUTH (agent unknown or revoked), VEER_ECONFLICT (another assignment revision:
 * answer 409), VEER_ESTALE (duplicate, reordered or replayed), VEER_ELIMIT (more than VERDICT_BOOTS boots within
 * VERDICT_BOOT_KEEP_MS), VEER_EINVAL (not as many items as assigned, boot or seq 0).
 */
enum veer_err verdict_report(struct verdict_engine *engine, const char *agent, const struct report *report,
			     int64_t now_ms);

/* Make all views of the agent ? at once and refuse its reports, ahead of the configuration that leaves it out.
 * Errors: VEER_ENOTFOUND. */
enum veer_err verdict_revoke(struct verdict_engine *engine, const char *agent, int64_t now_ms);

/* Evaluate everything at `now_ms`. Constant work in the size of the configuration. Follow with verdict_next(). */
void verdict_tick(struct verdict_engine *engine, int64_t now_ms);

/* One agent's part of the evidence. Strings borrowed until the next verdict_configure(). */
struct verdict_vote {
	const char *agent;
	const char *check;
	enum observation_state state; /* UNKNOWN when the view does not count; FAILING counts as up */
	enum probe_reason reason;
	uint32_t age_ms; /* since a probe last confirmed the state; 0 when the agent was never heard */
};

/* A proposed transition. */
struct verdict_transition {
	const char *endpoint;             /* borrowed until the next verdict_configure() */
	enum model_state from;            /* the committed verdict */
	enum model_state to;              /* MODEL_STATE_UP or MODEL_STATE_DOWN */
	const char *check;                /* the check that decided; borrowed likewise */
	enum probe_reason reason;         /* what most of its voters said */
	uint32_t quorum;                  /* q of that check */
	const struct verdict_vote *votes; /* all assigned agents, all voting checks; borrowed until the next call */
	uint32_t vote_count;
};

/*
 * The next transition that is due as of the last tick, in configuration order; marks it as in flight. False when there
 * is none (left).
 */
bool verdict_next(struct verdict_engine *engine, struct verdict_transition *out);

/* The store has the endpoint's verdict `state` now. Ignored when the endpoint is gone. */
void verdict_committed(struct verdict_engine *engine, const char *endpoint, enum model_state state, int64_t now_ms);
/* The store refused, or certainly did not write it. Ignored when the endpoint is gone. */
void verdict_commit_failed(struct verdict_engine *engine, const char *endpoint, int64_t now_ms);

/* A wish for a second look: send *confirm* for the item to these agents. */
struct verdict_suspicion {
	const char *check; /* strings borrowed until the next verdict_configure() */
	const char *endpoint;
	const char *const *agents; /* assigned, not revoked, not yet failing; borrowed until the next call */
	uint32_t agent_count;
};

/*
 * The next item of which an agent has reported a first failure since it was last asked for; at most one an item and
 * interval, none for items that are down. Call after each report. False when there is none (left).
 */
bool verdict_suspicion_next(struct verdict_engine *engine, struct verdict_suspicion *out);

/* Why an endpoint's verdict is not changing though it might. */
enum verdict_wait {
	VERDICT_WAIT_NONE,
	VERDICT_WAIT_NO_CHECK,  /* nobody watches it */
	VERDICT_WAIT_NO_QUORUM, /* too few fresh views: `fresh` of `quorum` needed agents speak */
	VERDICT_WAIT_COMMIT,    /* a proposal is in flight */
	VERDICT_WAIT_HOLD,      /* up again, but hold_s has not passed */
	VERDICT_WAIT_BRAKE,     /* down, but too many were removed at once */
	VERDICT_WAIT_FROZEN,    /* a change is due, but the configuration freezes all */
};

/* "none", "no_check", "no_quorum", … Static storage. */
const char *verdict_wait_text(enum verdict_wait wait);

struct verdict_endpoint_status {
	const char *endpoint;   /* borrowed until the next verdict_configure() */
	enum model_state state; /* committed */
	enum verdict_wait wait;
	const char *check;    /* the voting check with the fewest fresh views against its quorum; NULL without one */
	uint32_t agents;      /* N of that check */
	uint32_t quorum;      /* q of that check */
	uint32_t fresh;       /* its views that are U or D */
	uint32_t up;          /* its views that are U */
	uint32_t down;        /* its views that are D */
	int64_t hold_left_ms; /* with VERDICT_WAIT_HOLD */
};

struct verdict_agent_status {
	const char *id; /* borrowed until the next verdict_configure() */
	bool is_revoked;
	bool is_blind;
	int64_t heard_ms_ago; /* since its last counted report; -1: never */
	uint32_t items;       /* assigned to it */
	uint32_t fresh;       /* of those, on which it has a fresh view */
};

uint32_t verdict_endpoint_count(const struct verdict_engine *engine);
/* Where the endpoint is in the configuration; UINT32_MAX when it is not there. */
uint32_t verdict_endpoint_index(const struct verdict_engine *engine, const char *endpoint);
uint32_t verdict_agent_count(const struct verdict_engine *engine);
/* The state of the endpoint at `index` in the configuration. False when there is none. */
bool verdict_endpoint_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
			 struct verdict_endpoint_status *out);
bool verdict_agent_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
		      struct verdict_agent_status *out);
/* The votes on one endpoint as they stand, at most `size`; returns how many there are. Warnings included. */
uint32_t verdict_votes(const struct verdict_engine *engine, uint32_t index, int64_t now_ms, struct verdict_vote *out,
		       uint32_t size);

#endif
