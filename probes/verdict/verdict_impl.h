/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict engine's own structures, shared by verdict.c (reports and pushes), verdict_config.c and verdict_carry.c
 * (putting a configuration in force), verdict_judge.c (what items are worth), verdict_trust.c (suspect agents),
 * verdict_decide.c (what is due for an endpoint), verdict_propose.c (proposals, commits, doubt), verdict_votes.c
 * (evidence) and verdict_status.c (showing). Nobody else includes this.
 */
#ifndef VEER_PROBES_VERDICT_VERDICT_IMPL_H
#define VEER_PROBES_VERDICT_VERDICT_IMPL_H

#include "base/arena.h"
#include "base/index.h"
#include "base/strmap.h"
#include "probes/verdict/verdict.h"

#define VERDICT_NEVER INT64_MIN     /* a time that has not been */
#define VERDICT_PENALTY_STEP 1000   /* of one removal */
#define VERDICT_PART_LOST UINT8_MAX /* not among the endpoint's items */

/* What one agent last said of one item, kept as it came; whether it counts is judged at each evaluation. */
struct view {
	int64_t confirmed_ms; /* back-dated by the age in the report */
	int64_t turned_ms;    /* the confirmed_ms with which it turned between good (up) and bad (failing, down) */
	uint32_t against_s;   /* since when the trusted contradict it, in seconds as of clock_s(); 0: they do not */
	uint8_t state;        /* enum observation_state */
	uint8_t reason;       /* enum probe_reason */
	uint16_t rtt_100us;   /* of successful probes, smoothed, in tenths of a millisecond; 0: none yet. For people */
};

struct old_boot {
	uint64_t boot;
	int64_t retired_ms;
};

/* How far one agent is believed on one check. */
struct trust {
	bool is_suspect;
	uint32_t compared; /* items on which trusted others have a quorum for up, as of the last tick */
	uint32_t against;  /* of these, on which it says down */
	uint32_t settled;  /* of these, for so long that it counts */
	int64_t calm_ms;   /* a suspect has agreed since; VERDICT_NEVER: it does not */
};

struct agent_state {
	const char *id;
	const char *region;
	bool is_revoked;
	bool is_blind;        /* said so in its last counted report */
	bool has_lost_runner; /* likewise: it can run no programs any more */
	int64_t received_ms;  /* of its last counted report, or VERDICT_NEVER */
	uint64_t boot;        /* of the same; 0: never heard */
	uint64_t seq;
	uint32_t item_count; /* how many observations its report holds */
	uint32_t old_count;
	struct old_boot old[VERDICT_BOOTS];
};

struct check_state {
	const char *name;
	enum verdict_source source;
	uint64_t fingerprint;
	int64_t silence_ms; /* a view counts so long after its agent's last report */
	int64_t stale_ms;   /* and so long after a probe confirmed it */
	int64_t settle_ms;  /* honest agents that see the same agree after so long */
	uint32_t interval_ms;
	uint32_t hold_s;
	uint32_t quorum; /* in force: 1 to N, 1 when N is 0; of a calculated one, how many of its parts must be up */
	bool is_warning;
	const uint32_t *agents; /* rising indices */
	uint32_t agent_count;
	uint32_t view_count;    /* of each item: one an agent, one for a push */
	uint32_t regions;       /* in force: 1 to what there are */
	uint32_t regions_asked; /* by configuration */
	const uint64_t *bits;   /* one an agent: the bit of its region, numbered within the check */
	struct trust *trust;    /* one an agent */
	uint32_t suspect_count;
	uint32_t ttl_ms; /* PUSH */
	bool is_down_on_expiry;
	const uint32_t *of; /* CALCULATED */
	uint32_t of_count;
	uint32_t part_total; /* with those that are not there */
	uint8_t level;       /* 0; a calculated one is one above the highest of its parts */
};

struct item_state {
	uint32_t check;
	uint32_t endpoint;
	uint32_t view_first; /* index of the first of view_count views, in the order of the check's agents */
	uint32_t part_first; /* CALCULATED: index of the first of of_count numbers of items within the endpoint */
	uint8_t state;       /* enum model_state, with hysteresis */
	bool is_voting;
	bool is_evidence;   /* votes, or is a part of one that votes */
	bool needs_proof;   /* was not up at some time since the endpoint's verdict was last up */
	bool is_suspected;  /* waits in verdict_suspicion_next() */
	int64_t asked_ms;   /* when a second look was last asked for, or VERDICT_NEVER */
	int64_t expires_ms; /* PUSH: the end of its time to live, or VERDICT_NEVER when there is nothing to expire */
};

struct endpoint_state {
	const char *key;
	uint64_t fingerprint;
	uint32_t domain; /* number of its failure domain among those of voting endpoints */
	uint32_t item_first;
	uint32_t item_count;
	uint32_t voting_count; /* items that vote */
	uint8_t level;         /* the highest of its checks' */
	uint32_t hold_s;       /* the longest of its voting checks */
	uint32_t penalty;      /* for flapping, at removed_ms */
	uint8_t committed;     /* enum model_state: what the store has */
	uint8_t flight_to;     /* enum model_state: proposed and not answered; UNKNOWN: nothing is in flight */
	bool is_doubted;
	bool is_doubt_told; /* what verdict_doubt_next() last said */
	int64_t removed_ms; /* of the last committed removal, or VERDICT_NEVER */
};

/* Removals in the brake's window. */
struct brake {
	bool is_engaged; /* the scope is big enough, and it is not off */
	uint32_t limit;  /* removals in one window, whatever their domains */
	uint32_t count;  /* removals in the window now, those in flight included */
	uint32_t domain; /* of all of them, INDEX_NONE when there is none */
	bool is_mixed;   /* they are of more than one domain */
};

/* One configuration in force with all state; its memory is one arena. */
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
	struct verdict_vote *votes; /* scratch for one endpoint */
	uint32_t *ages;             /* scratch: one a vote */
	const char **asked;         /* scratch: MODEL_AGENTS_MAX agents */
	uint32_t *ranks;            /* scratch: one a check */
};

struct verdict_engine {
	struct verdict_limits limits;
	struct table *table;      /* NULL before the first configuration; lives in its own arena */
	int64_t now_ms;           /* the latest time seen */
	uint32_t cursor;          /* next endpoint for verdict_next() */
	uint32_t doubt_cursor;    /* and for verdict_doubt_next(), which goes round */
	uint32_t suspect_cursor;  /* next item for verdict_suspicion_next(), likewise */
	uint32_t suspected_count; /* items with is_suspected */
	uint32_t doubt_count;     /* endpoints whose doubt is not told as it is */
	struct brake brake;       /* as of the last evaluation */
};

/* How the views of one item stand; of a calculated item, its parts. */
struct judged {
	uint32_t up;
	uint32_t down;
	uint64_t up_regions; /* bits */
	uint64_t down_regions;
	uint8_t value;        /* enum model_state; UNKNOWN: they do not decide */
	bool has_quorum;      /* so many are up or down */
	bool is_fresh;        /* and in regions enough: they could decide */
	bool lacks_regions;   /* they could, or do, but for their regions */
	bool is_doubted;      /* one of them is failing or down */
	bool counts_suspects; /* the trusted alone are too few */
};

/* What the rules say of one endpoint. */
struct decision {
	enum model_state to;    /* UNKNOWN: nothing is due */
	enum verdict_wait wait; /* NONE and `to` set: propose it */
	uint32_t item;          /* that decided, when `to` is set */
	int64_t hold_left_ms;
};

/* The engine's clock, which never goes back. */
int64_t verdict_now(struct verdict_engine *engine, int64_t now_ms);
/* Is the agent silent for a check whose views count for `silence_ms` after a report? */
bool agent_is_silent(const struct agent_state *agent, int64_t silence_ms, int64_t now_ms);
/* Does the agent's view count, suspicion apart? VERDICT_MARK_NONE or why not. Not for a push. */
enum verdict_mark view_mark(const struct table *table, const struct check_state *check, uint32_t rank,
			    const struct view *view, int64_t now_ms);
/* The word of a push at `now_ms`, and in `*mark` why it is unknown, if it has expired. */
enum observation_state push_state(const struct table *table, const struct item_state *item, int64_t now_ms,
				  enum verdict_mark *mark);
/* Judge all items of the endpoint, into `out[item_count]`. */
void endpoint_judge(const struct table *table, const struct endpoint_state *endpoint, int64_t now_ms,
		    struct judged *out);
/* Are `up` and `down` views together a quorum of regions enough? */
bool judged_is_enough(const struct check_state *check, const struct judged *judged);
/* How many regions a set has, a bit each. */
uint32_t region_count(uint64_t bits);
/* Begin counting for the trust in all agents, take in one judged item of agents, and draw the conclusions. */
void trust_begin(struct table *table);
void trust_item(struct table *table, const struct item_state *item, const struct judged *judged, int64_t now_ms);
void trust_end(struct table *table, int64_t now_ms);
/* Bring the state of each item, doubt and trust up to date. */
void items_update(struct verdict_engine *engine, int64_t now_ms);
/* Note whether the endpoint is doubted. */
void endpoint_set_doubt(struct verdict_engine *engine, struct endpoint_state *endpoint, bool is_doubted);
/* The endpoint of this POOL/NAME in the configuration, or NULL. */
struct endpoint_state *endpoint_find(const struct verdict_engine *engine, const char *key);
/* Is the configuration one that the engine can take? Loops of calculated checks apart. Errors: as verdict_configure().
 */
VEER_MUST_CHECK enum veer_err config_is_sound(const struct verdict_limits *limits, const struct verdict_config *config,
					      struct veer_diag *diag);
/* Take over what stays. */
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
/* The same from what is judged already. */
struct decision endpoint_decide_judged(const struct verdict_engine *engine, const struct endpoint_state *endpoint,
				       const struct judged *judged, int64_t now_ms);
/* How long the endpoint stays removed, in ms, given its penalty. */
int64_t endpoint_hold_ms(const struct endpoint_state *endpoint);
/* Note a committed removal: time and penalty. */
void endpoint_removed(struct endpoint_state *endpoint, int64_t now_ms);
/* The votes on the endpoint, of all items or those that are evidence, into at most `size`; returns how many there are.
 */
uint32_t endpoint_votes(const struct table *table, const struct endpoint_state *endpoint, bool is_all, int64_t now_ms,
			struct verdict_vote *out, uint32_t size);
/* Fill in reason and first_ms_ago from the votes (all evidence of the endpoint) that stand behind the item. */
void evidence_sum_up(const struct table *table, const struct endpoint_state *endpoint, uint32_t item, int64_t now_ms,
		     struct verdict_transition *transition);

#endif
