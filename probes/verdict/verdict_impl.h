/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict engine's own structures, shared by verdict.c (reports and pushes), verdict_config.c and verdict_carry.c
 * (putting a configuration in force), verdict_judge.c (the values of items), verdict_trust.c (suspect agents),
 * verdict_decide.c (what is due for an endpoint), verdict_propose.c (proposals, commits, doubt), verdict_votes.c
 * (evidence) and verdict_status.c (showing). No other file may include this.
 */
#ifndef VEER_PROBES_VERDICT_VERDICT_IMPL_H
#define VEER_PROBES_VERDICT_VERDICT_IMPL_H

#include "base/arena.h"
#include "base/index.h"
#include "base/strmap.h"
#include "probes/verdict/verdict.h"

#define VERDICT_NEVER INT64_MIN     /* for a time: it has never happened */
#define VERDICT_PENALTY_STEP 1000   /* the penalty of one removal */
#define VERDICT_PART_LOST UINT8_MAX /* the part is not among the endpoint's items */

/* What one agent last reported about one item, as it was received; whether it counts is judged at each evaluation. */
struct view {
	int64_t confirmed_ms; /* time of receipt, less the age in the report */
	int64_t turned_ms;    /* the confirmed_ms with which it turned between good (up) and bad (failing, down) */
	uint32_t
		against_s; /* since when the trusted agents contradict it, in seconds as of clock_s(); 0: they do not */
	uint8_t state;     /* enum observation_state */
	uint8_t reason;    /* enum probe_reason */
	uint16_t rtt_100us; /* smoothed duration of successful probes, in tenths of a ms; 0: none yet. Only shown to
			       people */
};

struct old_boot {
	uint64_t boot;
	int64_t retired_ms;
};

/* How far one agent is trusted on one check. */
struct trust {
	bool is_suspect;
	uint32_t compared; /* items for which trusted other agents have a quorum for up, as of the last tick */
	uint32_t against;  /* those of them that it reports as down */
	uint32_t settled;  /* those of them for which that has lasted so long that it counts */
	int64_t calm_ms;   /* since when a suspect has agreed; VERDICT_NEVER: it does not */
};

struct agent_state {
	const char *id;
	const char *region;
	bool is_revoked;
	bool is_blind;        /* as its last counted report said */
	bool has_lost_runner; /* likewise: it cannot run programs any more */
	int64_t received_ms;  /* of its last counted report, or VERDICT_NEVER */
	uint64_t boot;        /* of that report; 0: never heard */
	uint64_t seq;
	uint32_t item_count; /* how many observations its reports have */
	uint32_t old_count;
	struct old_boot old[VERDICT_BOOTS];
};

struct check_state {
	const char *name;
	enum verdict_source source;
	uint64_t fingerprint;
	int64_t silence_ms; /* a view counts for this long after its agent's last report */
	int64_t stale_ms;   /* and for this long after a probe confirmed it */
	int64_t settle_ms;  /* after this time, honest agents that probe the same endpoint agree */
	uint32_t interval_ms;
	uint32_t hold_s;
	uint32_t quorum; /* in force: 1 to N, 1 when N is 0; for a calculated check, how many of its parts must be up */
	bool is_warning;
	const uint32_t *agents; /* rising indices */
	uint32_t agent_count;
	uint32_t view_count;    /* views of each item: one for each agent, or one for a push */
	uint32_t regions;       /* in force: 1 to the number of regions of its agents */
	uint32_t regions_asked; /* by configuration */
	const uint64_t *bits;   /* for each agent the bit of its region, numbered within the check */
	struct trust *trust;    /* one for each agent */
	uint32_t suspect_count;
	uint32_t ttl_ms; /* PUSH */
	bool is_down_on_expiry;
	const uint32_t *of; /* CALCULATED */
	uint32_t of_count;
	uint32_t part_total; /* including parts that do not exist */
	uint8_t level;       /* 0; of a calculated check, one above its highest part */
};

struct item_state {
	uint32_t check;
	uint32_t endpoint;
	uint32_t view_first; /* index of the first of view_count views, in the order of the check's agents */
	uint32_t part_first; /* CALCULATED: index of the first of of_count numbers of items in the endpoint */
	uint8_t state;       /* enum model_state, with hysteresis */
	bool is_voting;
	bool is_evidence;   /* it votes, or is a part of an item that votes */
	bool needs_proof;   /* it was not up at some time since the endpoint's verdict was last up */
	bool is_suspected;  /* it waits for verdict_suspicion_next() */
	int64_t asked_ms;   /* when a second look was last requested, or VERDICT_NEVER */
	int64_t expires_ms; /* PUSH: the end of its time to live, or VERDICT_NEVER when nothing can expire */
};

struct endpoint_state {
	const char *key;
	uint64_t fingerprint;
	uint32_t domain; /* number of its failure domain among those of voting endpoints */
	uint32_t item_first;
	uint32_t item_count;
	uint32_t voting_count; /* how many of its items vote */
	uint8_t level;         /* the highest level of its checks */
	uint32_t hold_s;       /* the longest of its voting checks */
	uint32_t penalty;      /* for flapping, at removed_ms */
	uint8_t committed;     /* enum model_state: what the store has */
	uint8_t flight_to;     /* enum model_state: proposed, without a result yet; UNKNOWN: nothing is in flight */
	bool is_doubted;
	bool is_doubt_told; /* what verdict_doubt_next() last reported */
	int64_t removed_ms; /* of the last committed removal, or VERDICT_NEVER */
};

/* The removals in the brake's window. */
struct brake {
	bool is_engaged; /* there are enough endpoints and sites, and the brake is not off */
	uint32_t limit;  /* removals allowed in one window, whatever their domains */
	uint32_t count;  /* removals in the window now, including those in flight */
	uint32_t domain; /* of all of them; INDEX_NONE: there are none */
	bool is_mixed;   /* they are of more than one domain */
};

/* One configuration in force with all its state; everything lives in one arena. */
struct table {
	struct arena *arena;
	int64_t revision;
	bool is_frozen;
	bool is_brake_off;
	uint32_t max_removal_percent;
	struct agent_state *agents;
	uint32_t agent_count;
	struct check_state *checks;
	uint32_t check_count;
	struct endpoint_state *endpoints;
	uint32_t endpoint_count;
	uint32_t voting_endpoint_count;
	uint32_t site_count;
	const char **domains; /* names by number */
	struct item_state *items;
	uint32_t item_count;
	struct view *views;
	uint32_t view_count;
	uint8_t *parts;
	uint32_t part_count;
	struct strmap agent_map;
	struct strmap check_map;
	struct strmap endpoint_map;
	struct verdict_vote *votes; /* scratch memory for one endpoint */
	uint32_t *ages;             /* scratch memory: one for each vote */
	const char **asked;         /* scratch memory: MODEL_AGENTS_MAX agents */
	uint32_t *ranks;            /* scratch memory: one for each check */
};

struct verdict_engine {
	struct verdict_limits limits;
	struct table *table;      /* NULL before the first configuration; lives in its own arena */
	int64_t now_ms;           /* the latest time seen */
	uint32_t cursor;          /* next endpoint for verdict_next() */
	uint32_t doubt_cursor;    /* next endpoint for verdict_doubt_next(), which continues in a circle */
	uint32_t suspect_cursor;  /* next item for verdict_suspicion_next(), likewise */
	uint32_t suspected_count; /* how many items have is_suspected */
	uint32_t doubt_count;     /* endpoints with a change of doubt that was not reported yet */
	struct brake brake;       /* as of the last evaluation */
};

/* The judgement of one item's views; for a calculated item, of its parts. */
struct judged {
	uint32_t up;
	uint32_t down;
	uint64_t up_regions; /* bits */
	uint64_t down_regions;
	uint8_t value;        /* enum model_state; UNKNOWN: they do not decide */
	bool has_quorum;      /* a quorum of them is up or down */
	bool is_fresh;        /* … from enough regions, so that they could decide */
	bool lacks_regions;   /* a quorum is up, down or both, but from too few regions */
	bool is_doubted;      /* one of them is failing or down */
	bool counts_suspects; /* the trusted agents alone are too few, so suspects count */
};

/* The rules' decision about one endpoint. */
struct decision {
	enum model_state to;    /* UNKNOWN: nothing is due */
	enum verdict_wait wait; /* NONE while `to` is set: propose it */
	uint32_t item;          /* the item that decided, when `to` is set */
	int64_t hold_left_ms;
};

/* The engine's present time, which never goes back. */
int64_t verdict_now(struct verdict_engine *engine, int64_t now_ms);
/* Is the agent silent for a check whose views count for `silence_ms` after a report? */
bool agent_is_silent(const struct agent_state *agent, int64_t silence_ms, int64_t now_ms);
/* Does the agent's view count, apart from suspicion? VERDICT_MARK_NONE, or why not. Not for pushes. */
enum verdict_mark view_mark(const struct table *table, const struct check_state *check, uint32_t rank,
			    const struct view *view, int64_t now_ms);
/* The state of a push at `now_ms`; if it has expired, `*mark` says so. */
enum observation_state push_state(const struct table *table, const struct item_state *item, int64_t now_ms,
				  enum verdict_mark *mark);
/* Judge all items of the endpoint; writes `out[item_count]`. */
void endpoint_judge(const struct table *table, const struct endpoint_state *endpoint, int64_t now_ms,
		    struct judged *out);
/* Do `up` and `down` views together make a quorum from enough regions? */
bool judged_is_enough(const struct check_state *check, const struct judged *judged);
/* The number of regions in a set, which has a bit for each. */
uint32_t region_count(uint64_t bits);
/*
 * Begin counting for the trust in all agents; then count each judged item of agents, and at the end update the trust.
 */
void trust_begin(struct table *table);
void trust_item(struct table *table, const struct item_state *item, const struct judged *judged, int64_t now_ms);
void trust_end(struct table *table, int64_t now_ms);
/* Update the state of each item, doubt and trust. */
void items_update(struct verdict_engine *engine, int64_t now_ms);
/* Set whether the endpoint is doubted. */
void endpoint_set_doubt(struct verdict_engine *engine, struct endpoint_state *endpoint, bool is_doubted);
/* Find the endpoint of this POOL/NAME in the configuration, or NULL. */
struct endpoint_state *endpoint_find(const struct verdict_engine *engine, const char *key);
/*
 * Can the engine take the configuration? Loops of calculated checks are not checked here. Errors: as
 * verdict_configure().
 */
VEER_MUST_CHECK enum veer_err config_is_sound(const struct verdict_limits *limits, const struct verdict_config *config,
					      struct veer_diag *diag);
/* Take over the state of everything that stays. */
void table_carry(struct table *to, const struct table *from);
/* Does its removal count for the brake: in flight, or committed within the window? */
bool endpoint_in_window(const struct endpoint_state *endpoint, int64_t now_ms);
/* Count one more removal in the window. */
void brake_add(struct brake *brake, const struct endpoint_state *endpoint);
/* Count the removals in the window. */
void brake_update(struct verdict_engine *engine, int64_t now_ms);
/* Judge the endpoint's items and decide. */
struct decision endpoint_decide(const struct verdict_engine *engine, const struct endpoint_state *endpoint,
				int64_t now_ms);
/* Decide from items that are judged already. */
struct decision endpoint_decide_judged(const struct verdict_engine *engine, const struct endpoint_state *endpoint,
				       const struct judged *judged, int64_t now_ms);
/* How long the endpoint stays removed, in ms, given its penalty. */
int64_t endpoint_hold_ms(const struct endpoint_state *endpoint);
/* Record a committed removal: its time and the penalty. */
void endpoint_removed(struct endpoint_state *endpoint, int64_t now_ms);
/*
 * Get the votes on the endpoint, of all items or only of those that are evidence, at most `size`; returns how many
 * there are.
 */
uint32_t endpoint_votes(const struct table *table, const struct endpoint_state *endpoint, bool is_all, int64_t now_ms,
			struct verdict_vote *out, uint32_t size);
/* Fill in reason and first_ms_ago from the votes (all evidence of the endpoint) that support the item. */
void evidence_sum_up(const struct table *table, const struct endpoint_state *endpoint, uint32_t item, int64_t now_ms,
		     struct verdict_transition *transition);

#endif
