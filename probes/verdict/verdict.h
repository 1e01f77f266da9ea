/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict engine: turns the reports of agents into proposed transitions of endpoints' verdicts.
 *
 * A pure function of (configuration, reports, clock): no system calls, no floating point, no wall clock, no randomness;
 * memory is allocated by verdict_engine_new() and verdict_configure() only. The same calls give the same results, byte
 * for byte. What must hold in every history is listed in the project's invariants, with the numbers used below (S5, S6,
 * …); tests/sim checks it.
 *
 * How it decides. An *item* is a (check, endpoint). N is the number of agents assigned to the check by configuration
 * and q its quorum, by default floor(N/2)+1; R is the number of regions in which the agents that agree must be, by
 * default 1, never more than the assigned agents have. Each assigned agent has a *view* of the item: U, D or ?. A view
 * is ? when the agent was never heard, has been silent for longer than 3 intervals of receipt time (and for at least 3
 * report periods, because with an interval below the report period, three missing probes do not show anything yet), is
 * blind, revoked or suspect, reports "?" itself, or repeats a state that no probe has confirmed for so long that its
 * prober must be stuck.
 * - value of an item now: D when at least q views from at least R regions are D; otherwise U when as many are U;
 *   otherwise ?. A *push* item has one source, an administrator's own program, whose report is a quorum of one until
 *   its time to live is over; then the value is ?, or D if the check says so. A *calculated* item's value is computed
 *   from the values of other items of the same endpoint in three-valued logic: a ? leaves the result open, unless the
 *   others decide it.
 * - state of an item: its last value other than ?.
 * - endpoint: its voting items are those that its pool lists and that are not warnings. It goes down when a voting item
 *   is down and its value is D now. It goes up when all voting items are up, each with q fresh views from R regions,
 *   those that were not up meanwhile have the value U now, and the hold has passed since the removal. Otherwise nothing
 *   changes, whether agents report or are silent. A verdict never goes back to unknown.
 * - hold: `hold_s`, multiplied by 1 to 16. Each removal adds 1,000 to a penalty, which halves every 30 holds (at least
 *   a minute); above 1,000 the hold doubles with each further 1,000, with linear growth in between.
 * - brake: with at least 8 watched endpoints at 4 sites, removals within 60 s stay within max_removal_percent of
 *   them (at least 1), or within one failure domain; the rest wait, and verdict_endpoint_at() says so.
 *
 * Suspects. A quorum may consist of one honest agent's error and q-1 agents that see everything down because of their
 * own failure: such agents use up the safety margin of the quorum. So the views of an agent that is contradicted on a
 * large share of its items do not count on that check until it agrees with the others.
 * - contradicted: its view is D, while q trusted agents from R regions report U, and all the rest, N-U, are fewer than
 *   q. It counts once it has lasted for `settle`: 10 s, or twice the time for which an outdated state may still be
 *   believed (of a silent agent, or a stuck prober) if that is longer, so that agents that only learn of a change at
 *   different times never contradict each other.
 * - suspect: contradicted for so long at 4 endpoints or more, and at half or more of those where the others report U.
 * - released: once it has been contradicted at fewer than a quarter of them, or could be compared at fewer than 4, for
 *   30 s without interruption.
 *
 * Suspicion is judged for each check and not for each agent, because N, q and R belong to a check, and the following
 * can be shown only within a check:
 * - liars: fewer than q liars cannot make an honest agent suspect. Among the q agents that report U, at least one is
 *   honest then. This one and the contradicted one, both honest, would have to see an endpoint differently for longer
 *   than `settle`; so one of them does not see the real state (it is cut off from the endpoint, which for the others
 *   and for clients is as bad as a lie).
 * - removals: no removal that was due is lost when an agent becomes suspect. Even together with all agents that do not
 *   report U, the agent could not have made a quorum. Where the configured quorum is a minority, q agents of that
 *   minority are never contradicted.
 * - dead endpoints still go down: q honest agents see them down, and none of these is suspect. If the trusted agents
 *   together have fewer than q fresh views from R regions on an item, the suspects' views count there like all others,
 *   so no decision that the agents could make together becomes impossible. That is safe, too: fewer than q liars cannot
 *   take anything down, even when the views of suspects count.
 *
 * Proposing and committing. The engine only proposes. verdict_next() hands out one proposal and marks it as in flight;
 * the caller commits it to the store and then calls verdict_committed() or verdict_commit_failed(). While one is in
 * flight, nothing else is proposed for the endpoint; after a failure it is proposed again if it is still due.
 *
 * An endpoint without voting checks stays unknown; one that loses its last voting check becomes unknown in the engine,
 * and the caller must delete its stored verdict.
 *
 * Time: ms on a monotonic clock of the caller's, the same for all calls; a value earlier than the last one counts as
 * the last one.
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
#define VERDICT_SILENCE_MS (3 * VERDICT_REPORT_MS) /* after this time an agent without checks is called silent */
#define VERDICT_BRAKE_WINDOW_MS 60000
#define VERDICT_BRAKE_ENDPOINTS 8   /* fewer: no brake */
#define VERDICT_BRAKE_SITES 4       /* fewer: no brake */
#define VERDICT_SUSPECT_ENDPOINTS 4 /* an agent contradicted at fewer is not suspect */
#define VERDICT_SUSPECT_PERCENT 50  /* of the endpoints compared: from here on the agent is suspect */
#define VERDICT_RELEASE_PERCENT 25  /* below this the agent may be released */
#define VERDICT_SETTLE_MS 10000     /* a contradiction counts after this time, at least */
#define VERDICT_RELEASE_MS 30000    /* a suspect must agree for this long to be released */
#define VERDICT_AGENTS_MAX 4096     /* in one configuration, by default */
#define VERDICT_CHECKS_MAX 4096     /* likewise */
#define VERDICT_ENDPOINTS_MAX 65536 /* likewise */
#define VERDICT_ITEMS_MAX 64        /* of one endpoint: its checks and their parts */
#define VERDICT_PARTS_MAX 16        /* of one calculated check */
#define VERDICT_NESTING_MAX 4       /* levels of calculated checks whose parts are calculated checks */
#define VERDICT_TTL_MS_MAX 86400000 /* of a push */
#define VERDICT_VOTES_MAX (VERDICT_ITEMS_MAX * MODEL_AGENTS_MAX) /* on one endpoint */
#define VERDICT_MAX_REMOVAL_PERCENT 25
#define VERDICT_BOOTS 16            /* earlier boots of an agent that are remembered, to refuse replays */
#define VERDICT_BOOT_KEEP_MS 600000 /* for at least this long: a 17th boot within it is refused */

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
	bool is_revoked;    /* never counts any more; should no longer be among a check's agents */
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
	uint32_t fall;        /* used only to judge how old an unconfirmed state may be */
	uint32_t rise;        /* likewise */
	uint32_t interval_ms; /* AGENTS: not 0 */
	uint32_t timeout_ms;
	uint32_t hold_s;
	uint32_t quorum;        /* 0: floor(N/2)+1; more than N counts as N */
	bool is_warning;        /* it is probed and shown, but does not vote */
	const uint32_t *agents; /* N(c): indices into verdict_config.agents, rising, at most MODEL_AGENTS_MAX;
				 * AGENTS only */
	uint32_t agent_count;
	uint32_t regions;       /* R; 0: 1; more than the agents' regions counts as all of them */
	uint32_t ttl_ms;        /* PUSH: default time to live of a push, at most VERDICT_TTL_MS_MAX */
	bool is_down_on_expiry; /* PUSH: after the time to live the value is D, not ? */
	const uint32_t *of;     /* CALCULATED: indices into verdict_config.checks, without duplicates */
	uint32_t of_count;      /* at most VERDICT_PARTS_MAX, with lost_count */
	uint32_t lost_count;    /* parts that were named but do not exist: always ? */
	uint32_t need;          /* CALCULATED: how many parts must be up; 0: all; more than there are counts as all */
};

struct verdict_endpoint {
	const char *key;      /* POOL/NAME, unique */
	const char *site;     /* counted for the brake's number of sites */
	const char *domain;   /* the failure domain, which the brake allows to be removed as a whole; NULL: the site */
	uint64_t fingerprint; /* of its address: when it changes, all views of the endpoint become ? */
	const uint32_t *checks; /* indices into verdict_config.checks, in the pool's order, without duplicates; each
				   calculated check needs its parts here: one that is missing is always ? */
	uint32_t check_count;   /* at most VERDICT_ITEMS_MAX */
	uint32_t part_count;    /* how many of them, at the end, are only parts of calculated ones and do not vote */
};

/*
 * The whole configuration. The items are, in order, each endpoint's checks; an agent's report has the items whose
 * checks it is assigned to, in this order. assign.h makes this from the model, together with the lines for the agents.
 */
struct verdict_config {
	int64_t assignment_revision; /* a report must name this one */
	uint32_t report_ms;          /* 0: VERDICT_REPORT_MS */
	bool is_frozen;              /* nothing is proposed */
	bool is_brake_off;
	uint32_t max_removal_percent;       /* 0: VERDICT_MAX_REMOVAL_PERCENT; at most 100 */
	const struct verdict_agent *agents; /* ids unique */
	uint32_t agent_count;
	const struct verdict_check *checks;
	uint32_t check_count;
	const struct verdict_endpoint *endpoints;
	uint32_t endpoint_count;
};

/* Make an engine without configuration. `limits` may be NULL. NULL when memory is out. */
struct verdict_engine *verdict_engine_new(const struct verdict_limits *limits);
/* Free the engine and set the caller's pointer to NULL. `*engine` may be NULL. */
void verdict_engine_free(struct verdict_engine **engine);

/*
 * Put a configuration in force. Everything is copied. Whatever stays (agents by id, items by check and endpoint,
 * endpoints by key) keeps its state, including proposals in flight. New endpoints and items start as unknown.
 * Errors: VEER_EINVAL (index or order wrong, duplicate key), VEER_ELIMIT (too many of something, calculated checks
 * nested deeper than VERDICT_NESTING_MAX or in a loop), VEER_ENOMEM; the previous configuration then stays.
 */
VEER_MUST_CHECK enum veer_err verdict_configure(struct verdict_engine *engine, const struct verdict_config *config,
						int64_t now_ms, struct veer_diag *diag);

/*
 * Tell the engine the committed verdict of the endpoint `key`, at the start of a controller. `age_ms` is how long ago
 * it was committed, -1 when that is unknown: hold and brake then count from now. Does nothing for MODEL_STATE_UNKNOWN.
 * `is_current`: it was decided by the endpoint and its checks as they are configured now. An `up` then means that all
 * voting items were heard, so the time to live of pushes that go down on expiry begins now; otherwise a push that was
 * never heard is new, and its silence takes nothing down. Errors: VEER_ENOTFOUND when the endpoint is not configured or
 * has no voting check.
 */
enum veer_err verdict_seed(struct verdict_engine *engine, const char *key, enum model_state state, int64_t age_ms,
			   bool is_current, int64_t now_ms);

/*
 * Process one report of the authenticated agent `id`. Each (agent, boot, seq) counts once; a seq at or below the
 * highest one of its boot is refused, and so are all earlier boots. Errors, all without any effect: VEER_EAUTH (agent
 * unknown or revoked), VEER_ECONFLICT (another assignment revision: reply 409), VEER_ESTALE (duplicate, reordered or
 * replayed), VEER_ELIMIT (more than VERDICT_BOOTS boots within VERDICT_BOOT_KEEP_MS), VEER_EINVAL (not as many items as
 * assigned, boot or seq 0).
 */
VEER_MUST_CHECK enum veer_err verdict_report(struct verdict_engine *engine, const char *id, const struct report *report,
					     int64_t now_ms);

/* Does this check watch this endpoint by push? */
bool verdict_is_pushed(const struct verdict_engine *engine, const char *check, const char *endpoint);

/*
 * Process a push from the only source of a push item; `ttl_ms` 0: use the check's. The last push counts.
 * Errors: VEER_ENOTFOUND (no such item, or not a push check), VEER_EINVAL (state unknown), VEER_ERANGE (ttl_ms above
 * VERDICT_TTL_MS_MAX).
 */
VEER_MUST_CHECK enum veer_err verdict_push(struct verdict_engine *engine, const char *check, const char *endpoint,
					   enum model_state state, uint32_t ttl_ms, int64_t now_ms);

/*
 * Make all views of the agent `id` ? at once and refuse its reports, before a configuration without it is in force.
 * Errors: VEER_ENOTFOUND.
 */
enum veer_err verdict_revoke(struct verdict_engine *engine, const char *id, int64_t now_ms);

/*
 * Evaluate everything at `now_ms`. The work depends only on the size of the configuration. Call verdict_next()
 * afterwards.
 */
void verdict_tick(struct verdict_engine *engine, int64_t now_ms);

/* Why a view does not count. */
enum verdict_mark {
	VERDICT_MARK_NONE,        /* it counts, or it is "?" itself */
	VERDICT_MARK_SILENT,      /* the agent was never heard, or not for too long */
	VERDICT_MARK_BLIND,       /* the agent reaches none of its reference targets */
	VERDICT_MARK_REVOKED,     /* the agent is revoked */
	VERDICT_MARK_SUSPECT,     /* the agent is suspect on this check, and the others suffice */
	VERDICT_MARK_UNCONFIRMED, /* no probe has confirmed it for too long */
	VERDICT_MARK_EXPIRED,     /* the time to live of the push is over */
};

/* "none", "silent", "blind", … Static storage. */
const char *verdict_mark_text(enum verdict_mark mark);

/*
 * One part of the evidence: an agent's view, a push, or the value of a calculated item (followed by those of its
 * parts). Strings are borrowed until the next verdict_configure().
 */
struct verdict_vote {
	enum verdict_source source;
	const char *agent;  /* "push" and "calculated" for those sources */
	const char *region; /* "" when there is none */
	const char *check;
	enum observation_state state; /* UNKNOWN when it does not count; FAILING counts as up */
	enum observation_state said;  /* what was reported, whether it counts or not */
	enum verdict_mark mark;
	enum probe_reason reason;
	uint32_t age_ms;   /* time since a probe last confirmed the state; 0 when the agent was never heard */
	uint32_t since_ms; /* time since it changed from up to failing (and then down), or to up; 0 when never heard */
	uint32_t rtt_us;   /* smoothed duration of its successful probes; 0: unknown. It decides nothing */
};

/* A proposed transition. */
struct verdict_transition {
	const char *endpoint;  /* borrowed until the next verdict_configure() */
	enum model_state from; /* the committed verdict */
	enum model_state to;   /* MODEL_STATE_UP or MODEL_STATE_DOWN */
	const char *check;     /* the check that decided; borrowed likewise */
	enum verdict_source source;
	enum probe_reason reason; /* the reason that most of its votes gave */
	uint32_t quorum;          /* q of that check; 1 for a push; for a calculated check, how many parts decide */
	uint32_t regions;         /* R of that check in force */
	int64_t first_ms_ago;     /* time since the first failed (when going up: good) observation of this episode: the
				     earliest of the votes that agree and of first failures before the latest of these,
				     without a gap that would separate two episodes */
	const struct verdict_vote *votes; /* of all assigned agents, for all voting checks and the parts of calculated
					     ones; borrowed until the next call */
	uint32_t vote_count;
};

/*
 * Get the next transition that is due as of the last tick, in configuration order, and mark it as in flight. False when
 * there is none (left).
 */
bool verdict_next(struct verdict_engine *engine, struct verdict_transition *out);

/* Note that the store now has the verdict `state` of the endpoint `key`. Ignored when the endpoint was removed. */
void verdict_committed(struct verdict_engine *engine, const char *key, enum model_state state, int64_t now_ms);
/* Note that the store refused the verdict, or certainly did not write it. Ignored when the endpoint was removed. */
void verdict_commit_failed(struct verdict_engine *engine, const char *key, int64_t now_ms);

/* A request for a second look: send *confirm* for the item to these agents. */
struct verdict_suspicion {
	const char *check; /* strings are borrowed until the next verdict_configure() */
	const char *endpoint;
	const char *const *agents; /* assigned, not revoked, and not yet failing; borrowed until the next call */
	uint32_t agent_count;
};

/*
 * Get the next item for which an agent has reported a first failure since the last second look; at most one for each
 * item and interval, none for items that are down. Call it after each report. False when there is none (left).
 */
bool verdict_suspicion_next(struct verdict_engine *engine, struct verdict_suspicion *out);

/* Whether clients should cache an endpoint's answers for a shorter time. */
struct verdict_doubt {
	const char *endpoint; /* borrowed until the next verdict_configure() */
	bool is_doubted;      /* the verdict is not down, but may become so: see below */
};

/*
 * Get the next endpoint whose doubt has changed, as of the last tick or commit, since the last call that returned it.
 * An endpoint is doubted while its verdict is not down and a fresh view of a voting item is failing or down; if that
 * item is calculated, while the views of so many of its parts are that these would take it down. The end of a doubt is
 * not reported for endpoints that leave the configuration; verdict_endpoint_at() shows all doubts. Call it after each
 * verdict_tick(). False when there is none (left).
 */
bool verdict_doubt_next(struct verdict_engine *engine, struct verdict_doubt *out);

/* Why an endpoint's verdict does not change although it might. */
enum verdict_wait {
	VERDICT_WAIT_NONE,
	VERDICT_WAIT_NO_CHECK,   /* nobody watches it */
	VERDICT_WAIT_NO_QUORUM,  /* too few fresh views: `fresh` of the needed `quorum` */
	VERDICT_WAIT_NO_REGIONS, /* there is a quorum of fresh or equal views, but from fewer than `regions` regions */
	VERDICT_WAIT_COMMIT,     /* a proposal is in flight */
	VERDICT_WAIT_HOLD,       /* up again, but the hold has not passed: `hold_left_ms` */
	VERDICT_WAIT_BRAKE,      /* down, but too many were removed at once: verdict_brake_at() */
	VERDICT_WAIT_FROZEN,     /* a change is due, but the configuration is frozen */
};

/* "none", "no_check", "no_quorum", … Static storage. */
const char *verdict_wait_text(enum verdict_wait wait);

struct verdict_endpoint_status {
	const char *endpoint;   /* borrowed until the next verdict_configure() */
	enum model_state state; /* committed */
	bool is_doubted;        /* as of the last tick or commit */
	enum verdict_wait wait;
	const char *domain;     /* its failure domain; NULL when no check watches it */
	const char *check;      /* the voting check with the fewest fresh views against its quorum; NULL: none */
	uint32_t agents;        /* N of that check; for a calculated check, its parts count as agents, here and below */
	uint32_t quorum;        /* q of that check */
	uint32_t fresh;         /* its views that are U or D */
	uint32_t up;            /* its views that are U */
	uint32_t down;          /* its views that are D */
	uint32_t regions;       /* R of that check in force */
	uint32_t regions_asked; /* R by configuration: if it is more, the check's agents are in too few regions */
	uint32_t regions_fresh; /* regions of the views that are U or D */
	uint32_t regions_up;    /* … that are U */
	uint32_t regions_down;  /* … that are D */
	int64_t hold_left_ms;   /* with VERDICT_WAIT_HOLD */
	int64_t hold_ms;        /* the whole hold of a removal now in force; 0: there is none */
};

struct verdict_agent_status {
	const char *id; /* borrowed until the next verdict_configure() */
	const char *region;
	bool is_revoked;
	bool is_blind;
	bool has_lost_runner;      /* it can run no programs until it is restarted (PROBE_REASON_EXEC_LOST) */
	const char *suspect_check; /* the first check on which it is suspect; NULL: on none */
	uint32_t suspect_checks;   /* the number of checks on which it is suspect */
	uint32_t contradicted;     /* endpoints of that check on which it is contradicted, as of the last tick, … */
	uint32_t compared;         /* … of this many endpoints on which it could be compared */
	int64_t heard_ms_ago;      /* time since its last counted report; -1: never */
	bool is_silent;     /* never heard, or silent for so long that its views on some check do not count … */
	int64_t silence_ms; /* … which is the shortest such time of its checks; VERDICT_SILENCE_MS if it has none */
	uint32_t items;     /* items that are assigned to it */
	uint32_t fresh;     /* how many of those have a fresh view of it that counts */
};

/* The state of the brake, which holds removals back. */
struct verdict_brake_status {
	bool is_engaged;    /* there are enough endpoints and sites, and it is not off */
	uint32_t endpoints; /* watched endpoints */
	uint32_t sites;     /* sites of these endpoints */
	uint32_t limit;     /* removals allowed in VERDICT_BRAKE_WINDOW_MS, whatever their domains */
	uint32_t removed;   /* removals in the window, including those in flight */
	const char *domain; /* the only failure domain of these, which may go as a whole; NULL: none or several */
	uint32_t held;      /* endpoints that wait for the brake; more than 0 is an alarm */
	int64_t frees_ms;   /* time until the oldest removal leaves the window; 0: there is none */
};

/* The number of endpoints in the configuration; 0 without one. */
uint32_t verdict_endpoint_count(const struct verdict_engine *engine);
/* The index of the endpoint in the configuration; UINT32_MAX when it is not there. */
uint32_t verdict_endpoint_index(const struct verdict_engine *engine, const char *endpoint);
/* The number of agents in the configuration; 0 without one. */
uint32_t verdict_agent_count(const struct verdict_engine *engine);
/* Get the state of the endpoint at `index` in the configuration. False when there is none. */
bool verdict_endpoint_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
			 struct verdict_endpoint_status *out);
/* Get the state of the agent at `index` in the configuration. False when there is none. */
bool verdict_agent_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
		      struct verdict_agent_status *out);
/* Get the present state of the brake. All zero without a configuration. */
void verdict_brake_at(const struct verdict_engine *engine, int64_t now_ms, struct verdict_brake_status *out);
/*
 * Get the present votes on one endpoint, including warnings, at most `size` (VERDICT_VOTES_MAX suffices); returns how
 * many there are.
 */
uint32_t verdict_votes(const struct verdict_engine *engine, uint32_t index, int64_t now_ms, struct verdict_vote *out,
		       uint32_t size);

#endif
