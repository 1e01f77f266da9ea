/* SPDX-License-Identifier: Apache-2.0 */
/* Histories: one event after another, each drawn from the seed and the number of the event. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t sim_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint32_t sim_draw(struct sim *sim, uint32_t bound)
{
	sim->random += 0x9e3779b97f4a7c15u;
	return (uint32_t)((sim_mix(sim->random) >> 32) * bound >> 32);
}

bool sim_chance(struct sim *sim, uint32_t n)
{
	return sim_draw(sim, n) == 0;
}

uint32_t sim_draw_for(const struct sim *sim, uint32_t what, uint32_t bound)
{
	return (uint32_t)((sim_mix(sim->event_random ^ sim_mix(what + 1)) >> 32) * bound >> 32);
}

bool sim_has(const struct sim *sim, enum sim_fault fault)
{
	return (sim->faults >> fault & 1) != 0;
}

uint32_t sim_faults_of(uint64_t seed)
{
	uint32_t all = (1u << SIM_FAULT_COUNT) - 1;
	uint32_t some = (uint32_t)sim_mix(seed ^ 0x5eed) & all & ~(1u << SIM_STEADY);
	if (seed % 16 == 0)
		return 1u << SIM_STEADY | (some & (1u << SIM_LIE | 1u << SIM_CUT | 1u << SIM_COMMIT_SLOW));
	if (seed % 4 == 1) /* few faults, and most agents honest: for cases that are otherwise rare */
		return some & (uint32_t)sim_mix(seed ^ 0xfe3);
	if (seed % 16 == 2) /* enough time for holds, penalties and suspicion */
		return some | 1u << SIM_STEADY;
	return seed % 16 == 3 ? all & ~(1u << SIM_STEADY) : some;
}

void sim_fail(struct sim *sim, const char *fmt, ...)
{
	if (sim->failure[0] != '\0')
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(sim->failure, sizeof sim->failure, fmt, ap);
	va_end(ap);
}

static void log_number(struct sim *sim, uint64_t number)
{
	sim->log_hash = sim_mix(sim->log_hash ^ number);
}

static void log_text(struct sim *sim, const char *text)
{
	for (; *text != '\0'; text++)
		sim->log_hash = (sim->log_hash ^ (unsigned char)*text) * 0x100000001b3u;
}

static void log_transition(struct sim *sim, const struct verdict_transition *t)
{
	log_number(sim, (uint64_t)sim->now_ms);
	log_number(sim, (uint64_t)t->from << 8 | (uint64_t)t->to);
	log_number(sim, (uint64_t)t->reason << 32 | t->vote_count);
	log_number(sim, (uint64_t)t->first_ms_ago);
	log_text(sim, t->endpoint);
	log_text(sim, t->check);
	for (uint32_t i = 0; i < t->vote_count; i++) {
		const struct verdict_vote *vote = &t->votes[i];
		log_number(sim, (uint64_t)vote->state << 24 | (uint64_t)vote->said << 16 | (uint64_t)vote->mark << 8 |
					(uint64_t)vote->reason);
		log_number(sim, (uint64_t)vote->age_ms << 32 | vote->since_ms);
		log_text(sim, vote->agent);
		log_text(sim, vote->region);
	}
}

int64_t sim_told_ms(struct sim *sim)
{
	if (!sim_has(sim, SIM_CLOCK_BACK) || !sim_chance(sim, 4))
		return sim->now_ms;
	/* The engine first gets the present time, and then earlier ones. */
	verdict_commit_failed(sim->engine, "nobody", sim->now_ms);
	return sim->now_ms - sim_draw(sim, 1000000);
}

/* --- events ---------------------------------------------------------------------------------------------------- */

static void pass_time(struct sim *sim)
{
	uint32_t kind = sim_draw(sim, 100);
	int64_t ms = sim_draw(sim, 20000);
	if (sim_has(sim, SIM_STEADY))
		ms = kind < 97 ? sim->config.report_ms / 2 + sim_draw(sim, sim->config.report_ms) : ms;
	else if (kind < 40)
		ms = sim_draw(sim, 50);
	else if (kind < 80)
		ms = 100 + sim_draw(sim, 900);
	else if (kind < 95)
		ms = sim_draw(sim, 5000);
	else if (kind >= 98 && sim_has(sim, SIM_LONG_PAUSE))
		ms = sim_draw(sim, 1000000);
	sim->now_ms += ms;
	sim->wall_ms += ms;
	sim->has_values = false;
}

static void answer(struct sim *sim, uint32_t e, bool is_taken)
{
	enum model_state state = sim->endpoints[e].flight;
	oracle_commit(sim, e, is_taken);
	if (is_taken)
		verdict_committed(sim->engine, world_endpoint_key(e), state, sim->now_ms);
	else
		verdict_commit_failed(sim->engine, world_endpoint_key(e), sim->now_ms);
}

static void drain_doubts(struct sim *sim)
{
	struct verdict_doubt doubt;
	uint32_t count = 0;
	while (verdict_doubt_next(sim->engine, &doubt) && sim->failure[0] == '\0') {
		oracle_doubt(sim, &doubt);
		if (++count > SIM_ENDPOINTS)
			sim_fail(sim, "S21: doubts do not end");
	}
}

static void tick(struct sim *sim)
{
	struct verdict_transition t;
	uint32_t proposed[SIM_ENDPOINTS];
	uint32_t count = 0;
	verdict_tick(sim->engine, sim_told_ms(sim));
	oracle_tick(sim);
	while (verdict_next(sim->engine, &t) && sim->failure[0] == '\0' && count < SIM_ENDPOINTS) {
		sim->transitions++;
		log_transition(sim, &t);
		oracle_proposal(sim, &t);
		proposed[count++] = world_endpoint_number(t.endpoint);
	}
	for (uint32_t i = 0; i < count && sim->failure[0] == '\0'; i++) {
		uint32_t fate = sim_draw_for(sim, proposed[i], 16);
		if (sim_has(sim, SIM_COMMIT_SLOW) && fate % 4 == 0)
			continue;
		answer(sim, proposed[i], !(sim_has(sim, SIM_COMMIT_FAILS) && fate / 4 == 0));
	}
	if (sim_chance(sim, 2))
		drain_doubts(sim);
	if (sim->failure[0] == '\0')
		oracle_check_progress(sim);
}

/* A late answer of the store; meanwhile the endpoint may have been removed from the configuration and added again. */
static void late_answer(struct sim *sim)
{
	uint32_t e = sim_draw(sim, SIM_ENDPOINTS);
	bool is_taken = !sim_chance(sim, 3);
	struct oracle_endpoint *endpoint = &sim->endpoints[e];
	if (endpoint->flight != MODEL_STATE_UNKNOWN) {
		answer(sim, e, is_taken);
		endpoint->has_failed_commit = false; /* the next tick proposes it again */
	} else if (endpoint->orphan != MODEL_STATE_UNKNOWN) {
		enum model_state state = endpoint->orphan;
		endpoint->orphan = MODEL_STATE_UNKNOWN;
		if (is_taken && oracle_is_watched(&sim->config, e)) {
			endpoint->flight = state;
			oracle_commit(sim, e, true);
		}
		if (is_taken)
			verdict_committed(sim->engine, world_endpoint_key(e), state, sim->now_ms);
		else
			verdict_commit_failed(sim->engine, world_endpoint_key(e), sim->now_ms);
	}
}

static void seed_all(struct sim *sim, bool knows_age)
{
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		const struct oracle_endpoint *endpoint = &sim->endpoints[e];
		if (endpoint->committed == MODEL_STATE_UNKNOWN)
			continue;
		int64_t age_ms =
			knows_age && endpoint->removed_ms != SIM_NEVER ? sim->now_ms - endpoint->removed_ms : -1;
		enum veer_err expected = oracle_is_watched(&sim->config, e) ? VEER_OK : VEER_ENOTFOUND;
		if (verdict_seed(sim->engine, world_endpoint_key(e), endpoint->committed, age_ms,
				 oracle_is_current(sim, e), sim->now_ms) != expected)
			sim_fail(sim, "L6: the stored verdict of %s is not taken as it should", world_endpoint_key(e));
	}
	if (verdict_seed(sim->engine, "no/thing", MODEL_STATE_DOWN, -1, true, sim->now_ms) != VEER_ENOTFOUND)
		sim_fail(sim, "L6: a verdict of nothing is taken");
}

static void restart(struct sim *sim)
{
	bool knows_age = sim_chance(sim, 2);
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		if (sim->endpoints[e].flight != MODEL_STATE_UNKNOWN)
			oracle_commit(sim, e, sim_draw_for(sim, e, 2) == 0); /* the engine was not told */
		sim->endpoints[e].has_failed_commit = false;
		sim->endpoints[e].orphan = MODEL_STATE_UNKNOWN;
	}
	verdict_engine_free(&sim->engine);
	sim->engine = verdict_engine_new(NULL);
	if (sim->engine == NULL) {
		sim_fail(sim, "out of memory");
		return;
	}
	oracle_restart(sim, knows_age);
	world_configure(sim);
	for (uint32_t a = 0; a < SIM_AGENTS; a++)
		sim->agents[a].boots = 1;
	seed_all(sim, knows_age);
}

static void everybody_reports(struct sim *sim)
{
	uint32_t first = sim_draw(sim, SIM_AGENTS);
	for (uint32_t i = 0; i < SIM_AGENTS; i++)
		agents_report(sim, (first + i) % SIM_AGENTS);
}

static void set_truth(struct sim *sim, uint32_t c, uint32_t e, bool is_dead)
{
	if (sim->is_dead[c][e] == is_dead)
		return;
	sim->is_dead[c][e] = is_dead;
	sim->flips[1][c][e] = sim->flips[0][c][e];
	sim->flips[0][c][e] = sim->now_ms;
}

static void flip_truth(struct sim *sim)
{
	uint32_t e = sim_draw(sim, SIM_ENDPOINTS);
	uint32_t c = sim_draw(sim, SIM_PUSH + 1);
	if (sim_chance(sim, 8)) { /* a whole site, or everything, changes */
		bool is_dead = sim_chance(sim, 2);
		uint32_t site = sim->config.endpoints[e].site;
		bool is_all = sim_chance(sim, 4);
		for (uint32_t k = 0; k < SIM_ENDPOINTS; k++) {
			if (is_all || sim->config.endpoints[k].site == site)
				set_truth(sim, c, k, is_dead);
		}
		return;
	}
	set_truth(sim, c, e, !sim->is_dead[c][e]);
}

static void freeze(struct sim *sim)
{
	sim->config.is_frozen = !sim->config.is_frozen;
	world_configure(sim);
}

/* One step without trouble: time passes, all agents report, the engine decides. */
static void quiet_step(struct sim *sim)
{
	pass_time(sim);
	everybody_reports(sim);
	tick(sim);
}

static void event(struct sim *sim)
{
	uint32_t kind = sim_draw(sim, 100);
	if (sim_has(sim, SIM_STEADY) && kind < 75)
		quiet_step(sim);
	else if (kind < 24)
		pass_time(sim);
	else if (kind < 42)
		agents_report(sim, sim_draw(sim, SIM_AGENTS));
	else if (kind < 55)
		everybody_reports(sim);
	else if (kind < 62)
		flip_truth(sim);
	else if (kind < 66)
		agents_deliver(sim);
	else if (kind < 69)
		agents_push(sim);
	else if (kind < 73)
		late_answer(sim);
	else if (kind < 78)
		agents_fate(sim);
	else if (kind < 81 && sim_has(sim, SIM_CONFIGURE))
		world_reconfigure(sim);
	else if (kind == 81 && sim_has(sim, SIM_RESTART))
		restart(sim);
	else if (kind == 82 && sim_has(sim, SIM_FREEZE))
		freeze(sim);
	else if (kind == 83 && sim_has(sim, SIM_OVERRIDE))
		answers_override(sim);
	else if (kind == 84)
		answers_check(sim);
	else if (kind == 85 && sim_has(sim, SIM_GARBAGE))
		world_configure_badly(sim);
	else
		tick(sim);
}

static void drain_suspicions(struct sim *sim)
{
	struct verdict_suspicion s;
	uint32_t count = 0;
	while (verdict_suspicion_next(sim->engine, &s) && sim->failure[0] == '\0') {
		oracle_suspicion(sim, &s);
		log_text(sim, s.endpoint);
		if (++count > SIM_ITEMS)
			sim_fail(sim, "S21: second looks do not end");
	}
}

void sim_begin(struct sim *sim, const struct sim_history *history)
{
	memset(sim, 0, sizeof *sim);
	sim->seed = history->seed;
	sim->faults = history->faults;
	sim->twin_agent = SIM_AGENTS;
	sim->random = sim_mix(history->seed + 1);
	sim->now_ms = 1000000 + sim_draw(sim, 1000);
	sim->wall_ms = 1700000000000;
	sim->log_hash = 0xcbf29ce484222325u;
	oracle_begin(sim);
	sim->engine = verdict_engine_new(NULL);
	if (sim->engine == NULL) {
		sim_fail(sim, "out of memory");
		return;
	}
	world_init(sim);
	world_configure(sim);
}

void sim_event(struct sim *sim, uint32_t number)
{
	sim->random = sim->event_random = sim_mix(sim->seed * 0x9e3779b97f4a7c15u + number + 2);
	event(sim);
	if (sim->failure[0] == '\0')
		drain_suspicions(sim);
	if (sim->failure[0] == '\0')
		oracle_check_state(sim);
}

void sim_end(struct sim *sim)
{
	verdict_engine_free(&sim->engine);
}

bool sim_play(struct sim *sim, const struct sim_history *history)
{
	sim_begin(sim, history);
	for (uint32_t i = 0; i < history->events && sim->failure[0] == '\0'; i++) {
		if (history->is_left_out == NULL || !history->is_left_out[i])
			sim_event(sim, i);
	}
	sim_end(sim);
	return sim->failure[0] == '\0';
}
