/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulation of the verdict engine: seeded histories of events drive the real engine, and an oracle that shares no code
 * with it checks the project's invariants after each event. sim.c makes histories, world.c the world they play in
 * (configuration, agents, messages, the store's verdicts), oracle.c the judgement, main.c the command line.
 *
 * Threads: everything belongs to one history, in one thread.
 */
#ifndef VEER_TESTS_SIM_H
#define VEER_TESTS_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "probes/verdict.h"

#define SIM_AGENTS 7
#define SIM_CHECKS 3
#define SIM_ENDPOINTS 12
#define SIM_ITEMS (SIM_CHECKS * SIM_ENDPOINTS)
#define SIM_BOOTS 12    /* boots of one agent in one life of the engine: fewer than it remembers */
#define SIM_MESSAGES 24 /* on their way, or kept for a replay */
#define SIM_NEVER INT64_MIN

/* Kinds of trouble; a history takes some of them ("swarm"), so that rare ones are not drowned by frequent ones. */
enum sim_fault {
	SIM_LOSE,
	SIM_DOUBLE,
	SIM_DELAY,
	SIM_REPLAY,
	SIM_DIE,
	SIM_LIE,
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
	SIM_FAULT_COUNT
};

struct sim_check {
	bool is_in;
	bool is_warning;
	bool agents[SIM_AGENTS];
	uint64_t fingerprint;
	uint32_t interval_ms;
	uint32_t timeout_ms;
	uint32_t fall;
	uint32_t rise;
	uint32_t hold_s;
	uint32_t quorum;
};

struct sim_endpoint {
	bool is_in;
	bool checks[SIM_CHECKS];
	uint64_t fingerprint;
	uint32_t site;
};

struct sim_config {
	int64_t revision;
	uint32_t report_ms;
	bool is_frozen;
	bool is_brake_off;
	bool agents[SIM_AGENTS];
	struct sim_check checks[SIM_CHECKS];
	struct sim_endpoint endpoints[SIM_ENDPOINTS];
};

/* A simulated veer-probe. */
struct sim_agent {
	bool is_dead;
	bool is_liar;
	bool is_blind;
	bool is_starting; /* has not finished its first round */
	uint64_t boot;
	uint64_t seq;
	uint32_t boots; /* drawn in this life of the engine */
};

/* A report on its way. */
struct sim_message {
	bool is_used;
	uint32_t agent;
	struct report report;
	struct observation items[SIM_ITEMS];
};

/* What the oracle holds for true, from first principles. */
struct oracle_view {
	enum observation_state state;
	int64_t confirmed_ms;
};

struct oracle_agent {
	bool is_revoked;
	bool is_blind;
	int64_t received_ms;           /* SIM_NEVER: not heard */
	uint64_t boots[SIM_BOOTS + 1]; /* in the order seen; the last one is the present one */
	uint32_t boot_count;
	uint64_t seq;
};

struct oracle_endpoint {
	enum model_state committed;
	enum model_state flight; /* UNKNOWN: none */
	int64_t removed_ms;      /* when the store took the last removal, or SIM_NEVER */
	int64_t hold_from_ms;    /* the same, or a later restart of the engine that forgot it */
	uint32_t accused;        /* a bit for each check that must be seen up by a quorum before a return */
	bool has_failed_commit;  /* in this round */
};

struct sim {
	uint64_t random;
	uint64_t seed;
	uint32_t faults; /* a bit for each enum sim_fault */
	int64_t now_ms;  /* monotonic, as the oracle sees it */
	struct verdict_engine *engine;
	struct sim_config config;
	struct sim_agent agents[SIM_AGENTS];
	bool is_dead[SIM_CHECKS][SIM_ENDPOINTS]; /* the truth */
	struct sim_message messages[SIM_MESSAGES];
	struct oracle_view views[SIM_AGENTS][SIM_CHECKS][SIM_ENDPOINTS];
	struct oracle_agent known[SIM_AGENTS];
	struct oracle_endpoint endpoints[SIM_ENDPOINTS];
	uint64_t log_hash; /* over everything the engine said */
	uint32_t transitions;
	char failure[256]; /* "" while all is well */
};

/* --- sim.c --- */

/*
 * Play one history of `events` events with these faults. False when an invariant broke; then sim->failure says which.
 */
bool sim_play(struct sim *sim, uint64_t seed, uint32_t faults, uint32_t events);
/* The faults that the seed takes by itself. */
uint32_t sim_faults_of(uint64_t seed);
/* A number below `bound` (> 0). */
uint32_t sim_draw(struct sim *sim, uint32_t bound);
/* True once in `n` draws, on average. */
bool sim_chance(struct sim *sim, uint32_t n);
bool sim_has(const struct sim *sim, enum sim_fault fault);
/* The time to tell the engine: the present, or an earlier one when its clock jumps back. */
int64_t sim_told_ms(struct sim *sim);
/* Note that something is wrong; the first note stays. */
void sim_fail(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- world.c --- */

/* A first, random configuration. */
void world_init(struct sim *sim);
/* Change something in the configuration and give it to the engine. */
void world_reconfigure(struct sim *sim);
/* Give the present configuration to the engine. */
void world_configure(struct sim *sim);
/* The agent makes a report of what it sees; it may arrive, or not, or twice, or later. */
void world_report(struct sim *sim, uint32_t agent);
/* One of the messages on their way arrives. */
void world_deliver(struct sim *sim);
const char *world_agent_id(uint32_t agent);
const char *world_endpoint_key(uint32_t endpoint);
const char *world_check_name(uint32_t check);
/* The number of an endpoint or check by its name, or a number out of range. */
uint32_t world_endpoint_number(const char *key);
uint32_t world_check_number(const char *name);

/* --- oracle.c --- */

/* The configuration changes from `before` to sim->config. */
void oracle_configure(struct sim *sim, const struct sim_config *before);
/* A report arrives: what must the engine answer? Takes its content in when that is VEER_OK. */
enum veer_err oracle_report(struct sim *sim, const struct sim_message *message);
/* The engine proposes `t`: may it? Notes it as in flight. */
void oracle_proposal(struct sim *sim, const struct verdict_transition *t);
/* The store took, or did not take, what is in flight for the endpoint. */
void oracle_commit(struct sim *sim, uint32_t endpoint, bool is_taken);
/* The engine was restarted and forgot all but the committed verdicts, whose age it knows or not. */
void oracle_restart(struct sim *sim, bool knows_age);
/* What holds at any time: the engine shows the views and verdicts that the oracle has. */
void oracle_check_state(struct sim *sim);
/* What holds after a tick and all its proposals: nothing that is due is missing. */
void oracle_check_progress(struct sim *sim);
/* The engine asks for a second look: is there a reason? */
void oracle_suspicion(struct sim *sim, const struct verdict_suspicion *s);

#endif
