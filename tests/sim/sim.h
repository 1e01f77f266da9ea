/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulation of the verdict engine: seeded histories of events drive the real engine, and an oracle that shares no code
 * with it checks the project's invariants after each event.
 *
 *   sim.c      histories; each event has its own seed, so that the others stay the same when one is left out
 *   world.c    the configuration and how it changes
 *   agents.c   agents that see, lie, die and are cut off, and the network between them and the engine
 *   answers.c  overrides, and what a name server would answer
 *   oracle.c, oracle_value.c, oracle_trust.c, oracle_check.c   the checks of the oracle
 *   twin.c     histories played twice: with the same events, and with one agent's reports changed
 *   shrink.c   the smallest form of a failing history; kept.c reads and writes such forms
 *   main.c     the command line
 *
 * Threads: everything belongs to one history, in one thread.
 */
#ifndef VEER_TESTS_SIM_H
#define VEER_TESTS_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "probes/verdict/verdict.h"

#define SIM_AGENTS 7
#define SIM_REGIONS 3
#define SIM_PROBED 3 /* agents probe checks 0 to 2, */
#define SIM_PUSH 3   /* 3 is a push, */
#define SIM_CHECKS 6 /* 4 and 5 are calculated of lower ones */
#define SIM_ENDPOINTS 12
#define SIM_ITEMS (SIM_CHECKS * SIM_ENDPOINTS)
#define SIM_DOMAINS 3   /* failure domains; 0: none declared */
#define SIM_BOOTS 12    /* boots of one agent in one life of the engine; fewer than the engine remembers */
#define SIM_MESSAGES 12 /* messages under way, or kept for a replay */
#define SIM_REMOVALS 8  /* how many removals of one endpoint are remembered */
#define SIM_EVENTS_MAX 20000
#define SIM_NEVER INT64_MIN

/* Kinds of trouble. Each history uses only some of them ("swarm"), so that frequent kinds do not hide rare ones. */
enum sim_fault {
	SIM_LOSE,
	SIM_DOUBLE,
	SIM_DELAY,
	SIM_REPLAY,
	SIM_DIE,
	SIM_LIE,
	SIM_CUT,
	SIM_BLIND,
	SIM_REBOOT,
	SIM_REVOKE,
	SIM_CONFIGURE,
	SIM_RESTART,
	SIM_COMMIT_FAILS,
	SIM_COMMIT_SLOW,
	SIM_CLOCK_BACK,
	SIM_GARBAGE,
	SIM_FREEZE,
	SIM_LONG_PAUSE,
	SIM_OVERRIDE,
	SIM_STEADY, /* no trouble: time advances by one report period at a time, and all agents report */
	SIM_FAULT_COUNT
};

struct sim_check {
	bool is_in;
	bool is_warning;
	bool agents[SIM_AGENTS];
	bool of[SIM_CHECKS];
	bool is_down_on_expiry;
	uint64_t fingerprint;
	uint32_t interval_ms;
	uint32_t timeout_ms;
	uint32_t fall;
	uint32_t rise;
	uint32_t hold_s;
	uint32_t quorum;
	uint32_t regions;
	uint32_t ttl_ms;
	uint32_t lost;
	uint32_t need;
};

enum sim_item { SIM_ITEM_NONE, SIM_ITEM_LISTED, SIM_ITEM_PART };

struct sim_endpoint {
	bool is_in;
	bool listed[SIM_CHECKS];
	uint64_t fingerprint;
	uint32_t site;
	/* derived from the fields above and the checks by world_derive() */
	enum sim_item items[SIM_CHECKS];
	uint8_t order[SIM_CHECKS]; /* its checks in the engine's order */
	uint32_t count;
};

struct sim_config {
	int64_t revision;
	uint32_t report_ms;
	uint32_t percent;
	bool is_frozen;
	bool is_brake_off;
	bool agents[SIM_AGENTS];
	uint32_t region[SIM_AGENTS];
	uint32_t domain[SIM_ENDPOINTS]; /* the domain of each site */
	struct sim_check checks[SIM_CHECKS];
	struct sim_endpoint endpoints[SIM_ENDPOINTS];
};

enum sim_lie { SIM_HONEST, SIM_LIE_DOWN, SIM_LIE_UP, SIM_LIE_INVERSE, SIM_LIE_RANDOM };

/* A simulated veer-probe. */
struct sim_agent {
	bool is_dead;
	bool is_blind;
	bool is_starting; /* the agent has not finished its first round */
	enum sim_lie lie;
	uint64_t boot;
	uint64_t seq;
	uint32_t boots; /* number of boot values drawn in this life of the engine */
};

/* A report under way. */
struct sim_message {
	bool is_used;
	uint32_t agent;
	int64_t sent_ms;
	struct report report;
	struct observation items[SIM_ITEMS];
};

/* What the oracle knows, computed from first principles. */
struct oracle_view {
	enum observation_state state;
	enum probe_reason reason;
	int64_t confirmed_ms;
	int64_t turned_ms;
	int64_t against_s; /* SIM_NEVER: not contradicted */
};

struct oracle_push {
	enum model_state state;
	int64_t at_ms;
	int64_t turned_ms;
	int64_t expires_ms; /* SIM_NEVER: it does not expire */
};

struct oracle_trust {
	bool is_suspect;
	int64_t calm_ms;
};

struct oracle_agent {
	bool is_revoked;
	bool is_blind;
	bool was_bad;                  /* lied, was cut off or reported old observations, in this life of the engine */
	int64_t received_ms;           /* SIM_NEVER: not heard yet */
	uint64_t boots[SIM_BOOTS + 1]; /* in the order in which they were seen; the last one is the present one */
	uint32_t boot_count;
	uint64_t seq;
};

struct oracle_endpoint {
	enum model_state committed;
	enum model_state flight; /* the proposed state that is not yet committed; UNKNOWN: none */
	enum model_state orphan; /* in flight when the endpoint was removed from the configuration */
	int64_t removed_ms;      /* when the store committed the last removal, or SIM_NEVER */
	int64_t hold_from_ms;    /* the same time, or that of a later restart of the engine that forgot it */
	double penalty;          /* in units of removals, at hold_from_ms */
	uint32_t accused;        /* one bit for each check that a quorum must see up before a return */
	uint32_t flight_config;  /* the number of the configuration in which that was proposed */
	uint32_t config;         /* the number of the configuration in which `committed` was proposed; 0: not known */
	bool has_failed_commit;  /* in this round */
	bool is_told_doubted;
};

/* What the views of one item result in. A calculated item has parts instead of agents. */
struct oracle_value {
	uint32_t agents;
	uint32_t quorum;
	uint32_t regions;
	uint32_t up;
	uint32_t down;
	uint32_t up_regions;
	uint32_t down_regions;
	uint32_t honest_down; /* down votes of agents that were never bad, suspect or not */
	uint32_t honest_regions;
	uint32_t bad; /* agents that were bad at some time */
	bool is_bad;  /* failing, down, or calculated of so many such parts that it is down if all of that is true */
	bool counts_suspects;
	enum model_state value;
};

enum sim_override { SIM_OVERRIDE_NONE, SIM_OVERRIDE_UP, SIM_OVERRIDE_DOWN, SIM_OVERRIDE_DRAIN };

struct sim {
	uint64_t random;
	uint64_t event_random; /* identifies the present event */
	uint64_t seed;
	uint32_t faults; /* one bit for each enum sim_fault */
	int64_t now_ms;  /* monotonic, as the oracle sees it */
	int64_t wall_ms; /* jumps; only the expiry of overrides may depend on it */
	struct verdict_engine *engine;
	struct sim_config config;
	struct sim_agent agents[SIM_AGENTS];
	bool is_cut[SIM_REGIONS][SIM_ENDPOINTS];     /* agents of the region cannot reach the endpoint */
	bool is_dead[SIM_CHECKS][SIM_ENDPOINTS];     /* the true state */
	int64_t flips[2][SIM_CHECKS][SIM_ENDPOINTS]; /* times of its last change and the one before */
	struct sim_message messages[SIM_MESSAGES];
	enum sim_override overrides[SIM_ENDPOINTS];
	int64_t override_until_ms[SIM_ENDPOINTS]; /* wall clock */
	/* state of the oracle */
	struct oracle_view views[SIM_AGENTS][SIM_PROBED][SIM_ENDPOINTS];
	struct oracle_push pushes[SIM_ENDPOINTS];
	struct oracle_trust trust[SIM_PROBED][SIM_AGENTS];
	bool is_tainted[SIM_PROBED]; /* as many agents as a quorum were bad, or honest agents saw different states */
	struct oracle_agent known[SIM_AGENTS];
	struct oracle_endpoint endpoints[SIM_ENDPOINTS];
	struct oracle_value values[SIM_CHECKS][SIM_ENDPOINTS];
	bool has_values;                                    /* the values are up to date */
	enum model_state ticked[SIM_CHECKS][SIM_ENDPOINTS]; /* states at the last tick, before trust was judged anew */
	bool honest_ticked[SIM_CHECKS][SIM_ENDPOINTS];      /* a quorum of honest agents saw it down at the last tick */
	bool is_bad_ticked[SIM_ENDPOINTS];
	uint32_t tick_number;
	uint32_t config_number;       /* from 1 */
	bool is_heard[SIM_ENDPOINTS]; /* was a push of the endpoint ever received, also before restarts? */
	/* for the twin history in which one agent's reports are changed */
	uint32_t twin_agent;            /* SIM_AGENTS: none */
	bool is_pivotal[SIM_ENDPOINTS]; /* the agent may have influenced the result */
	/* results */
	uint64_t log_hash; /* over all output of the engine */
	uint32_t transitions;
	uint32_t suspects; /* how often an agent became suspect */
	uint32_t holds;    /* ticks at which something waited for the brake */
	char failure[256]; /* "" while no invariant is broken */
};

/* A history: which events of the seed are played. */
struct sim_history {
	uint64_t seed;
	uint32_t faults;
	uint32_t events;
	const bool *is_left_out; /* one entry per event; NULL: all are played */
};

/* --- sim.c --- */

/* Play one history. False when an invariant broke; then sim->failure says which. */
bool sim_play(struct sim *sim, const struct sim_history *history);
/* Begin a history, play one event of it, end it: for callers that play two at the same time. */
void sim_begin(struct sim *sim, const struct sim_history *history);
void sim_event(struct sim *sim, uint32_t number);
void sim_end(struct sim *sim);
/* The faults that belong to the seed. */
uint32_t sim_faults_of(uint64_t seed);
/* A number below `bound` (> 0). */
uint32_t sim_draw(struct sim *sim, uint32_t bound);
/* True with probability 1/n. */
bool sim_chance(struct sim *sim, uint32_t n);
/* A number below `bound` that depends only on the event and `what`, not on earlier draws. */
uint32_t sim_draw_for(const struct sim *sim, uint32_t what, uint32_t bound);
bool sim_has(const struct sim *sim, enum sim_fault fault);
uint64_t sim_mix(uint64_t x);
/* The time that the engine is told: the present, or an earlier one when its clock jumps back. */
int64_t sim_told_ms(struct sim *sim);
/* Note that something is wrong; the first note stays. */
void sim_fail(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- world.c --- */

/* Make a first, random configuration. */
void world_init(struct sim *sim);
/* Change something in the configuration and give it to the engine. */
void world_reconfigure(struct sim *sim);
/* Give the present configuration to the engine. */
void world_configure(struct sim *sim);
/* Give the engine a configuration that it must refuse. */
void world_configure_badly(struct sim *sim);
const char *world_agent_id(uint32_t agent);
const char *world_region(uint32_t region);
const char *world_endpoint_key(uint32_t endpoint);
const char *world_check_name(uint32_t check);
/* The failure domain of the endpoint: a declared one, or its site. */
const char *world_domain(const struct sim_config *config, uint32_t endpoint);
/* The number of an endpoint or check by its name, or a number out of range. */
uint32_t world_endpoint_number(const char *key);
uint32_t world_check_number(const char *name);

/* --- agents.c --- */

/* Agent `a` reports what it sees. The report may arrive once, twice, late or never. */
void agents_report(struct sim *sim, uint32_t a);
/* One of the messages under way arrives. */
void agents_deliver(struct sim *sim);
/* Something happens to agents: one dies, some begin to lie in the same way, a region is cut off, … */
void agents_fate(struct sim *sim);
/* An application pushes its state. */
void agents_push(struct sim *sim);

/* --- answers.c --- */

/* An administrator sets or removes an override, or the wall clock jumps. */
void answers_override(struct sim *sim);
/* Check what would be answered with the engine's verdicts and the overrides. */
void answers_check(struct sim *sim);

/* --- oracle*.c --- */

/* Begin with no observations. */
void oracle_begin(struct sim *sim);
/* Was the verdict of the endpoint `e` decided by the configuration in force? */
bool oracle_is_current(const struct sim *sim, uint32_t e);
/* The configuration changes from `before` to sim->config. */
void oracle_configure(struct sim *sim, const struct sim_config *before);
/* A report arrives: what must the engine return? The oracle takes the report in when that is VEER_OK. */
enum veer_err oracle_report(struct sim *sim, const struct sim_message *message);
/* The same for a push. */
enum veer_err oracle_push(struct sim *sim, uint32_t c, uint32_t e, enum model_state state, uint32_t ttl_ms);
/* The engine has ticked. */
void oracle_tick(struct sim *sim);
/* The engine proposes `t`: is that allowed? Note it as in flight. */
void oracle_proposal(struct sim *sim, const struct verdict_transition *t);
/* The store committed, or did not commit, the proposal in flight for the endpoint `e`. */
void oracle_commit(struct sim *sim, uint32_t e, bool is_taken);
/*
 * The engine was restarted and forgot everything except the committed verdicts. `knows_age`: it still knows their age.
 */
void oracle_restart(struct sim *sim, bool knows_age);
/* Check what must hold at any time: the engine shows the views and verdicts that the oracle has. */
void oracle_check_state(struct sim *sim);
/*
 * Check what must hold after a tick and all its proposals: nothing that is due is missing, and an endpoint that waits
 * shows the reason.
 */
void oracle_check_progress(struct sim *sim);
/* The engine asks for a second look: check that there is a reason. */
void oracle_suspicion(struct sim *sim, const struct verdict_suspicion *s);
/* The engine reports that a doubt changed. */
void oracle_doubt(struct sim *sim, const struct verdict_doubt *doubt);

/* oracle_value.c */
bool oracle_is_assigned(const struct sim_config *config, uint32_t a, uint32_t c, uint32_t e);
bool oracle_is_voting(const struct sim_config *config, uint32_t c, uint32_t e);
bool oracle_is_watched(const struct sim_config *config, uint32_t e);
/* The agent's view without regard to suspicion, and the reason why it does not count. */
enum observation_state oracle_view_of(const struct sim *sim, uint32_t a, uint32_t c, uint32_t e,
				      enum verdict_mark *mark);
enum observation_state oracle_push_of(const struct sim *sim, uint32_t e, enum verdict_mark *mark);
const struct oracle_value *oracle_value_of(struct sim *sim, uint32_t c, uint32_t e);
/* Can agent `a`'s view change the value of the item, which agents probe? */
bool oracle_is_pivot(const struct sim *sim, uint32_t a, uint32_t c, uint32_t e);
int64_t oracle_settle_ms(const struct sim_config *config, uint32_t c);
uint32_t oracle_bits(uint32_t mask);

/* oracle_trust.c */
void oracle_trust_tick(struct sim *sim);

/* oracle_check.c */
uint32_t oracle_hold_s(const struct sim *sim, uint32_t e);
double oracle_hold_ms(const struct sim *sim, uint32_t e);
/* The penalty after another removal. */
double oracle_penalty(const struct sim *sim, uint32_t e);

/* --- twin.c --- */

/* Play the history once more and check that it is the same. `hash` is the hash of its log. */
bool twin_repeat(struct sim *sim, const struct sim_history *history, uint64_t hash);
/* Play the history twice side by side, once with one agent's reports changed [S8]. */
bool twin_change(struct sim *sim, struct sim *other, const struct sim_history *history);

/* --- shrink.c, kept.c --- */

/* A way to play a history and say whether it fails. */
typedef bool sim_play_fn(void *ctx, const struct sim_history *history);
/* Leave out as much as possible while the history still fails; `is_left_out` has room for all events. */
void sim_shrink(sim_play_fn *play, void *ctx, struct sim_history *history, bool *is_left_out);
/* Write and read the form "seed N faults HEX events N out A-B C …". Reading uses `is_left_out` (SIM_EVENTS_MAX). */
void sim_history_print(const struct sim_history *history, char *text, uint32_t size);
bool sim_history_parse(const char *text, struct sim_history *history, bool *is_left_out);

#endif
