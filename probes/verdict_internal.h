/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict engine's own structures, shared by verdict.c (reports, proposals, commits), verdict_config.c (putting a
 * configuration in force), verdict_decide.c (the rules) and verdict_status.c (showing). Nobody else includes this.
 */
#ifndef VEER_PROBES_VERDICT_INTERNAL_H
#define VEER_PROBES_VERDICT_INTERNAL_H

#include "base/arena.h"
#include "probes/index.h"
#include "probes/verdict.h"

#define VERDICT_NEVER INT64_MIN /* a time that has not been */

/* What one agent last said of one item, kept as it came; whether it counts is judged at each evaluation. */
struct view {
	int64_t confirmed_ms; /* back-dated by the age in the report */
	uint8_t state;        /* enum observation_state */
	uint8_t reason;       /* enum probe_reason */
};

struct old_boot {
	uint64_t boot;
	int64_t retired_ms;
};

struct agent_state {
	const char *id;
	bool is_revoked;
	bool is_blind;       /* said so in its last counted report */
	int64_t received_ms; /* of its last counted report, or VERDICT_NEVER */
	uint64_t boot;       /* of the same; 0: never heard */
	uint64_t seq;
	uint32_t item_count; /* how many observations its report holds */
	uint32_t old_count;
	struct old_boot old[VERDICT_BOOTS];
};

struct check_state {
	const char *name;
	uint64_t fingerprint;
	int64_t silence_ms; /* a view counts so long after its agent's last report */
	int64_t stale_ms;   /* and so long after a probe confirmed it */
	uint32_t interval_ms;
	uint32_t hold_s;
	uint32_t quorum; /* in force: 1 to N, 1 when N is 0 */
	bool is_warning;
	const uint32_t *agents; /* rising indices */
	uint32_t agent_count;
};

struct item_state {
	uint32_t check;
	uint32_t endpoint;
	uint32_t view_first; /* index of the first of agent_count views, in the order of the check's agents */
	uint8_t state;       /* enum model_state, with hysteresis */
	bool needs_proof;    /* was not up at some time since the endpoint's verdict was last up */
	bool is_suspected;   /* waits in verdict_suspicion_next() */
	int64_t asked_ms;    /* when a second look was last asked for, or VERDICT_NEVER */
};

struct endpoint_state {
	const char *key;
	uint64_t fingerprint;
	uint32_t site; /* number of its site among the voting endpoints' sites */
	uint32_t item_first;
	uint32_t item_count;
	uint32_t voting_count; /* items that are no warnings */
	uint32_t hold_s;       /* the longest of its voting checks */
	uint32_t flaps;        /* removals remembered: 1 after the first, decays */
	uint8_t committed;     /* enum model_state: what the store has */
	uint8_t flight_to;     /* enum model_state: proposed and not answered; UNKNOWN: nothing is in flight */
	int64_t removed_ms;    /* of the last committed removal, or VERDICT_NEVER */
};

/* Removals in the brake's window. */
struct brake {
	bool is_engaged; /* the scope is big enough, and it is not off */
	uint32_t limit;  /* removals in one window, whatever their sites */
	uint32_t count;  /* removals in the window now, those in flight included */
	uint32_t site;   /* of all of them, INDEX_NONE when there is none */
	bool is_mixed;   /* they are of more than one site */
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
	struct item_state *items;
	uint32_t item_count;
	struct view *views;
	uint32_t view_count;
	struct index_map agent_map;
	struct index_map endpoint_map;
	struct verdict_vote *votes; /* scratch for one endpoint */
	const char **asked;         /* scratch: MODEL_AGENTS_MAX agents */
	uint32_t *ranks;            /* scratch: one a check */
};

struct verdict_engine {
	struct verdict_limits limits;
	struct table *table;      /* NULL before the first configuration; lives in its own arena */
	int64_t now_ms;           /* the latest time seen */
	uint32_t cursor;          /* next endpoint for verdict_next() */
	uint32_t suspected_count; /* items with is_suspected */
	struct brake brake;       /* as of the last evaluation */
};

/* How the views of one item stand. */
struct tally {
	uint32_t up;
	uint32_t down;
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
/* What the agent's view is worth at `now_ms`. */
enum observation_state view_state(const struct table *table, const struct check_state *check, uint32_t rank,
				  const struct view *view, int64_t now_ms);
struct tally item_tally(const struct table *table, const struct item_state *item, int64_t now_ms);
/* Bring the state of each item up to date. */
void items_update(struct table *table, int64_t now_ms);
/* Does its removal count for the brake: in flight, or committed within the window? */
bool endpoint_in_window(const struct endpoint_state *endpoint, int64_t now_ms);
/* Count one more removal in the window. */
void brake_add(struct brake *brake, const struct endpoint_state *endpoint);
/* Count the removals in the window. */
void brake_update(struct verdict_engine *engine, int64_t now_ms);
struct decision endpoint_decide(const struct verdict_engine *engine, const struct endpoint_state *endpoint,
				int64_t now_ms);
/* How long the endpoint stays removed, in ms, given its flaps. */
int64_t endpoint_hold_ms(const struct endpoint_state *endpoint);
/* The votes on the endpoint, into at most `size`; returns how many there are. */
uint32_t endpoint_votes(const struct table *table, const struct endpoint_state *endpoint, bool with_warnings,
			int64_t now_ms, struct verdict_vote *out, uint32_t size);

#endif
