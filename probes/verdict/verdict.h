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
 * and q its quorum, by default floor(N/2)+1; R is in how many regions those must be that agree, by default 1, never
 * more than there are among the assigned. Each assigned agent has a *view* of the item: U, D or ?. A view is ? when the
 * agent was never heard, has been silent for longer than 3 intervals of receipt time (never less than 3 report periods:
 * with an interval below the report period, three lost probes say nothing yet), is blind, revoked or suspect, says "?"
 * itself, or repeats a state that no probe has confirmed for so long that its prober must be stuck.
 * - value of an item now: D when at least q views of at least R regions are D; else U when as many are U; else ?.
 *   A *push* item has one source, an administrator's own program, whose word is a quorum of one until its time to
 *   live is over; then ?, or D where the check says so. A *calculated* item is worked out from the values of other
 *   items of the same endpoint in three-valued logic: ? is neither, unless the others decide.
 * - item: what its value last was, ? apart.
 * - endpoint: its voting items are those that its pool lists and that are no warnings. It goes down when a voting
 *   item is down and its value is D now. It goes up when all voting items are up, each with q fresh views of R
 *   regions, those that were not up meanwhile with value U now, and the hold has passed since the removal.
 *   Otherwise nothing changes: silence holds. A verdict never goes back to unknown.
 * - hold: `hold_s`, times 1 to 16. Each removal adds 1,000 to a penalty, which halves every 30 holds (at least a
 *   minute); above 1,000 the hold doubles with each further 1,000, evenly in between.
 * - brake: with at least 8 watched endpoints at 4 sites, removals within 60 s stay within max_removal_percent of
 *   them (at least 1), or within one failure domain; the rest wait, and verdict_endpoint_at() says so.
 *
 * Suspects. A quorum may be one honest agent's slip and q-1 agents that see everything down because of themselves:
 * such agents use up the margin that the quorum is there for. So an agent that is contradicted on a large share of
 * what it sees counts for nothing on that check until it sees what the others see.
 * - contradicted: its view is D, while q trusted agents of R regions say U, and all the rest, N-U, are fewer than
 *   q. It counts once it has lasted `settle`: 10 s, or twice the time for which a state that is true no longer may
 *   still be believed (a silent agent's, a stuck prober's), so that agents that only learn of a change at
 *   different times never contradict each other.
 * - suspect: contradicted so long at 4 endpoints or more, and at half or more of those where the others say U.
 * - released: once it has been contradicted at fewer than a quarter of them, or has fewer than 4 to be compared
 *   on, for 30 s without a break.
 *
 * It is judged by check and not by agent, because N, q and R belong to a check, and only within one can these be
 * shown:
 * - liars: fewer than q make no honest agent suspect. Of the q that say U one is honest then. It and the one that
 *   they contradict, both honest, would have to see an endpoint differently for longer than `settle`; so one of
 *   them does not see what is there (it is cut off from it, which is no better for the others, or for clients,
 *   than a lie).
 * - removals: none that was due is lost when an agent becomes suspect. With all who do not say U it could not have
 *   made a quorum. Where a minority is meant to suffice, q of it are never contradicted.
 * - the dead still go down: q honest agents see them so, and none of these is suspect. And where the trusted
 *   agents have fewer than q fresh views of R regions between them, the suspects' views count as all others do,
 *   item by item: no decision that the agents could make together becomes impossible. That is safe, too: that
 *   fewer than q liars pull nothing down is true of all views, whoever is suspect.
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
#ifndef VEER_PROBES_VERDICT_VERDICT_H
#define VEER_PROBES_VERDICT_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "probes/verdict/report.h"
#include "zones/model/model.h"

#define VERDICT_REPORT_MS 1000                     /* how often agents report, unless configured otherwise */
#define VERDICT_SILENCE_MS (3 * VERDICT_REPORT_MS) /* after so long an agent without checks is called silent */
#define VERDICT_BRAKE_WINDOW_MS 60000
#define VERDICT_BRAKE_ENDPOINTS 8                                /* fewer: no brake */
#define VERDICT_BRAKE_SITES 4                                    /* fewer: no brake */
#define VERDICT_SUSPECT_ENDPOINTS 4                              /* contradicted at fewer: not suspect */
#define VERDICT_SUSPECT_PERCENT 50                               /* of the endpoints compared: from here on suspect */
#define VERDICT_RELEASE_PERCENT 25                               /* below: on the way back */
#define VERDICT_SETTLE_MS 10000                                  /* a contradiction counts after so long, at least */
#define VERDICT_RELEASE_MS 30000                                 /* a suspect must agree for so long */
#define VERDICT_AGENTS_MAX 4096                                  /* in one configuration, by default */
#define VERDICT_CHECKS_MAX 4096                                  /* likewise */
#define VERDICT_ENDPOINTS_MAX 65536                              /* likewise */
#define VERDICT_ITEMS_MAX 64                                     /* of one endpoint: its checks and their parts */
#define VERDICT_PARTS_MAX 16                                     /* of one calculated check */
#define VERDICT_NESTING_MAX 4                                    /* calculated of calculated of … */
#define VERDICT_TTL_MS_MAX 86400000                              /* of a push */
#define VERDICT_VOTES_MAX (VERDICT_ITEMS_MAX * MODEL_AGENTS_MAX) /* on one endpoint */
#define VERDICT_MAX_REMOVAL_PERCENT 25
#define VERDICT_BOOTS 16            /* earlier boots of an agent that are remembered, to refuse replays */
#define VERDICT_BOOT_KEEP_MS 600000 /* for at least so long: a 17th boot within it is refused */

struct verdict_engine;

/* Limits of one engine. Zero means the default. */
struct verdict_limits {
	uint32_t agents;    /* VERDICT_AGENTS_MAX */
	uint32_t checks;    /* VERDICT_CHECKS_MAX */
	uint32_t endpoints; /* VERDICT_ENDPOINTS_MAX */
	uint32_t items;     /* REPORT_ITEMS_MAX, the default and the most */
	size_t bytes;       /* of one configuration with its views: 512 MiB */
};

struct verdict_agent {
	const char *id;
	const char *region; /* NULL: "" */
	bool is_revoked;    /* counts for nothing, for good; should not be among a check's agents any more */
};

/* Where an item's value comes from. */
enum verdict_source {
	VERDICT_SOURCE_AGENTS,     /* the views of the check's agents */
	VERDICT_SOURCE_PUSH,       /* verdict_push() */
	VERDICT_SOURCE_CALCULATED, /* other items of the same endpoint */
};

struct verdict_check {
	const char *name; /* unique */
	enum verdict_source source;
	uint64_t fingerprint; /* of what is probed (port, path, …): when it changes, all views of the check become ? */
	uint32_t fall;        /* only for judging how old an unconfirmed state may be */
	uint32_t rise;        /* same */
	uint32_t interval_ms; /* AGENTS: not 0 */
	uint32_t timeout_ms;
	uint32_t hold_s;
	uint32_t quorum;        /* 0: floor(N/2)+1; more than N counts as N */
	bool is_warning;        /* seen and shown, but votes on nothing */
	const uint32_t *agents; /* N(c): indices into verdict_config.agents, rising, at most MODEL_AGENTS_MAX;
				 * AGENTS only */
	uint32_t agent_count;
	uint32_t regions;       /* R; 0: 1; more than there are among the agents counts as so many */
	uint32_t ttl_ms;        /* PUSH: of a push without its own, at most VERDICT_TTL_MS_MAX */
	bool is_down_on_expiry; /* PUSH: silence after the time to live is D, not ? */
	const uint32_t *of;     /* CALCULATED: indices into verdict_config.checks, no doubles */
	uint32_t of_count;      /* at most VERDICT_PARTS_MAX, with lost_count */
	uint32_t lost_count;    /* parts that were named and are not there: always ? */
	uint32_t need;          /* CALCULATED: so many parts must be up; 0: all; more than there are counts as all */
};

struct verdict_endpoint {
	const char *key;        /* POOL/NAME, unique */
	const char *site;       /* for the brake's number of sites */
	const char *domain;     /* the failure domain that the brake lets go as one; NULL: the site */
	uint64_t fingerprint;   /* of its address: when it changes, all views of the endpoint become ? */
	const uint32_t *checks; /* indices into verdict_config.checks, in the pool's order, no doubles; with
				 * each calculated check its parts: one that is left out is always ? */
	uint32_t check_count;   /* at most VERDICT_ITEMS_MAX */
	uint32_t part_count;    /* so many of them, the last, are only parts of calculated ones and do not vote */
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
 * Errors: VEER_EINVAL (index or order wrong, double key), VEER_ELIMIT (too
 * many of something, calculated checks nested deeper than VERDICT_NESTING_MAX or in a loop), VEER_ENOMEM: the
 * configuration before stays.
 */
VEER_MUST_CHECK enum veer_err verdict_configure(struct verdict_engine *engine, const struct verdict_config *config,
						int64_t now_ms, struct veer_diag *diag);

/*
 * Tell the engine the committed verdict of the endpoint `key`, at the start of a controller. `age_ms` is how long ago
 * it was committed, -1 when that is not known: hold and brake then count from now. No-op for MODEL_STATE_UNKNOWN.
 * `is_current`: it was decided by the endpoint and its checks as they are now configured. An `up` then means that all
 * that vote were heard, so the time to live of pushes that go down on expiry begins now; otherwise a push that was
 * never heard is a newcomer, and its silence takes nothing down. Errors: VEER_ENOTFOUND when the endpoint is not
 * configured or has no voting check.
 */
enum veer_err verdict_seed(struct verdict_engine *engine, const char *key, enum model_state state, int64_t age_ms,
			   bool is_current, int64_t now_ms);

/*
 * Take in one report of the authenticated agent `id`. (agent, boot, seq) counts once; a seq at or below the highest
 * seen in its boot is refused, and so is every earlier boot.
 * Errors, all without any effect: VEER_EAUTH (agent unknown or revoked), VEER_ECONFLICT (another assignment revision:
 * answer 409), VEER_ESTALE (duplicate, reordered or replayed), VEER_ELIMIT (more than VERDICT_BOOTS boots within
 * VERDICT_BOOT_KEEP_MS), VEER_EINVAL (not as many items as assigned, boot or seq 0).
 */
VEER_MUST_CHECK enum veer_err verdict_report(struct verdict_engine *engine, const char *id, const struct report *report,
					     int64_t now_ms);

/* Does this check watch this endpoint by push? */
bool verdict_is_pushed(const struct verdict_engine *engine, const char *check, const char *endpoint);

/*
 * Take in the word of the one source of a push item; `ttl_ms` 0 is the check's. The last one counts.
 * Errors: VEER_ENOTFOUND (no such item, or the check is no push), VEER_EINVAL (state unknown), VEER_ERANGE (ttl_ms
 * above VERDICT_TTL_MS_MAX).
 */
VEER_MUST_CHECK enum veer_err verdict_push(struct verdict_engine *engine, const char *check, const char *endpoint,
					   enum model_state state, uint32_t ttl_ms, int64_t now_ms);

/* Make all views of the agent `id` ? at once and refuse its reports, ahead of the configuration that leaves it out.
 * Errors: VEER_ENOTFOUND. */
enum veer_err verdict_revoke(struct verdict_engine *engine, const char *id, int64_t now_ms);

/* Evaluate everything at `now_ms`. Constant work in the size of the configuration. Follow with verdict_next(). */
void verdict_tick(struct verdict_engine *engine, int64_t now_ms);

/* Why a view does not count. */
enum verdict_mark {
	VERDICT_MARK_NONE,        /* it counts; or it says "?" itself */
	VERDICT_MARK_SILENT,      /* never heard, or not for too long */
	VERDICT_MARK_BLIND,       /* the agent reaches none of its reference targets */
	VERDICT_MARK_REVOKED,     /* the agent */
	VERDICT_MARK_SUSPECT,     /* the agent, on this check, while the others suffice */
	VERDICT_MARK_UNCONFIRMED, /* no probe has confirmed it for too long */
	VERDICT_MARK_EXPIRED,     /* a push whose time to live is over */
};

/* "none", "silent", "blind", … Static storage. */
const char *verdict_mark_text(enum verdict_mark mark);

/*
 * One part of the evidence: an agent's view, the word of a push, or the value of a calculated item (after which come
 * its parts' own). Strings borrowed until the next verdict_configure().
 */
struct verdict_vote {
	enum verdict_source source;
	const char *agent;  /* "push" and "calculated" for those sources */
	const char *region; /* "" when there is none */
	const char *check;
	enum observation_state state; /* UNKNOWN when the view does not count; FAILING counts as up */
	enum observation_state said;  /* what it says, whether it counts or not */
	enum verdict_mark mark;
	enum probe_reason reason;
	uint32_t age_ms;   /* since a probe last confirmed the state; 0 when the agent was never heard */
	uint32_t since_ms; /* since it turned: up to failing (and then down), or to up; 0 when never heard */
	uint32_t rtt_us;   /* how long its successful probes take, smoothed; 0: not known. It decides nothing */
};

/* A proposed transition. */
struct verdict_transition {
	const char *endpoint;  /* borrowed until the next verdict_configure() */
	enum model_state from; /* the committed verdict */
	enum model_state to;   /* MODEL_STATE_UP or MODEL_STATE_DOWN */
	const char *check;     /* the check that decided; borrowed likewise */
	enum verdict_source source;
	enum probe_reason reason; /* what most of its voters said */
	uint32_t quorum;          /* q of that check; 1 of a push; of a calculated one, how many parts decide */
	uint32_t regions;         /* R of that check in force */
	int64_t first_ms_ago; /* since the first failed (when going up: good) observation of this episode: of the votes
			       * that agree, and first failures before the latest of them, back over no gap that would
			       * part two episodes */
	const struct verdict_vote *votes; /* all assigned agents, all voting checks and the parts of calculated ones;
					   * borrowed until the next call */
	uint32_t vote_count;
};

/*
 * The next transition that is due as of the last tick, in configuration order; marks it as in flight. False when there
 * is none (left).
 */
bool verdict_next(struct verdict_engine *engine, struct verdict_transition *out);

/* The store has the verdict `state` of the endpoint `key` now. Ignored when the endpoint is gone. */
void verdict_committed(struct verdict_engine *engine, const char *key, enum model_state state, int64_t now_ms);
/* The store refused, or certainly did not write it. Ignored when the endpoint is gone. */
void verdict_commit_failed(struct verdict_engine *engine, const char *key, int64_t now_ms);

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

/* Whether clients should let go of an endpoint's answers sooner. */
struct verdict_doubt {
	const char *endpoint; /* borrowed until the next verdict_configure() */
	bool is_doubted;      /* the verdict is not down, but may become so: see below */
};

/*
 * The next endpoint whose doubt changed, as of the last tick or commit, since it was last asked for. An endpoint is
 * doubted while its verdict is not down and a fresh view of a voting item is failing or down, or, where that item is
 * calculated, so many of its parts' that they would take it down. One that leaves the configuration is doubted no more,
 * without a word; verdict_endpoint_at() shows all that are. Call after each verdict_tick(). False when there is none
 * (left).
 */
bool verdict_doubt_next(struct verdict_engine *engine, struct verdict_doubt *out);

/* Why an endpoint's verdict is not changing though it might. */
enum verdict_wait {
	VERDICT_WAIT_NONE,
	VERDICT_WAIT_NO_CHECK,   /* nobody watches it */
	VERDICT_WAIT_NO_QUORUM,  /* too few fresh views: `fresh` of `quorum` needed agents speak */
	VERDICT_WAIT_NO_REGIONS, /* a quorum speaks, or agrees, but from fewer than `regions` regions */
	VERDICT_WAIT_COMMIT,     /* a proposal is in flight */
	VERDICT_WAIT_HOLD,       /* up again, but the hold has not passed: `hold_left_ms` */
	VERDICT_WAIT_BRAKE,      /* down, but too many were removed at once: verdict_brake_at() */
	VERDICT_WAIT_FROZEN,     /* a change is due, but the configuration freezes all */
};

/* "none", "no_check", "no_quorum", … Static storage. */
const char *verdict_wait_text(enum verdict_wait wait);

struct verdict_endpoint_status {
	const char *endpoint;   /* borrowed until the next verdict_configure() */
	enum model_state state; /* committed */
	bool is_doubted;        /* as of the last tick or commit */
	enum verdict_wait wait;
	const char *domain;     /* its failure domain; NULL when nobody watches it */
	const char *check;      /* the voting check with the fewest fresh views against its quorum; NULL without one */
	uint32_t agents;        /* N of that check; of a calculated one, here and below, its parts stand for agents */
	uint32_t quorum;        /* q of that check */
	uint32_t fresh;         /* its views that are U or D */
	uint32_t up;            /* its views that are U */
	uint32_t down;          /* its views that are D */
	uint32_t regions;       /* R of that check in force */
	uint32_t regions_asked; /* R by configuration: when it is more, its agents are in too few regions */
	uint32_t regions_fresh; /* regions of the views that are U or D */
	uint32_t regions_up;    /* … that are U */
	uint32_t regions_down;  /* … that are D */
	int64_t hold_left_ms;   /* with VERDICT_WAIT_HOLD */
	int64_t hold_ms;        /* how long a removal now in force holds altogether; 0 without one */
};

struct verdict_agent_status {
	const char *id; /* borrowed until the next verdict_configure() */
	const char *region;
	bool is_revoked;
	bool is_blind;
	bool has_lost_runner; /* it runs no programs any more, until it is started again (PROBE_REASON_EXEC_LOST) */
	const char *suspect_check; /* the first check on which it is suspect; NULL: on none */
	uint32_t suspect_checks;   /* on how many */
	uint32_t contradicted;     /* endpoints of that check on which it is contradicted, as of the last tick, … */
	uint32_t compared;         /* … of so many on which it could be */
	int64_t heard_ms_ago;      /* since its last counted report; -1: never */
	bool is_silent;            /* never heard, or not for so long that its views on some check do not count … */
	int64_t silence_ms; /* … which is the shortest such time of its checks; VERDICT_SILENCE_MS without one */
	uint32_t items;     /* assigned to it */
	uint32_t fresh;     /* of those, on which it has a fresh view that counts */
};

/* What holds removals back, or would. */
struct verdict_brake_status {
	bool is_engaged;    /* there are endpoints and sites enough, and it is not off */
	uint32_t endpoints; /* watched */
	uint32_t sites;     /* theirs */
	uint32_t limit;     /* removals in VERDICT_BRAKE_WINDOW_MS, whatever their domains */
	uint32_t removed;   /* removals in the window, those in flight included */
	const char
		*domain; /* the one failure domain of all these: it may go whole; NULL when there are none or several */
	uint32_t held;   /* endpoints that wait for the brake: when there are any, that is an alarm */
	int64_t frees_ms; /* until the oldest removal leaves the window; 0 when there is none */
};

/* Endpoints of the configuration; 0 without one. */
uint32_t verdict_endpoint_count(const struct verdict_engine *engine);
/* Where the endpoint is in the configuration; UINT32_MAX when it is not there. */
uint32_t verdict_endpoint_index(const struct verdict_engine *engine, const char *endpoint);
/* Agents of the configuration; 0 without one. */
uint32_t verdict_agent_count(const struct verdict_engine *engine);
/* The state of the endpoint at `index` in the configuration. False when there is none. */
bool verdict_endpoint_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
			 struct verdict_endpoint_status *out);
/* The state of the agent at `index` in the configuration. False when there is none. */
bool verdict_agent_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
		      struct verdict_agent_status *out);
/* The brake as it stands. All zero without a configuration. */
void verdict_brake_at(const struct verdict_engine *engine, int64_t now_ms, struct verdict_brake_status *out);
/* The votes on one endpoint as they stand, at most `size` (VERDICT_VOTES_MAX suffices); returns how many there are.
 * Warnings included. */
uint32_t verdict_votes(const struct verdict_engine *engine, uint32_t index, int64_t now_ms, struct verdict_vote *out,
		       uint32_t size);

#endif
