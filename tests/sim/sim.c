/* SPDX-License-Identifier: Apache-2.0 */
/* Histories: one event after another, all drawn from the seed. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint32_t sim_draw(struct sim *sim, uint32_t bound)
{
	sim->random += 0x9e3779b97f4a7c15u;
	return (uint32_t)((mix(sim->random) >> 32) * bound >> 32);
}

bool sim_chance(struct sim *sim, uint32_t n)
{
	return sim_draw(sim, n) == 0;
}

bool sim_has(const struct sim *sim, enum sim_fault fault)
{
	return (sim->faults >> fault & 1) != 0;
}

uint32_t sim_faults_of(uint64_t seed)
{
	uint32_t some = (uint32_t)mix(seed ^ 0x5eed) & ((1u << SIM_FAULT_COUNT) - 1);
	return seed % 16 == 0 ? 0 : seed % 16 == 1 ? (1u << SIM_FAULT_COUNT) - 1 : some;
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

static void log_bytes(struct sim *sim, const void *data, size_t len)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < len; i++)
		sim->log_hash = (sim->log_hash ^ p[i]) * 0x100000001b3u;
}

static void log_transition(struct sim *sim, const struct verdict_transition *t)
{
	uint64_t head[4] = {(uint64_t)sim->now_ms, (uint64_t)t->from << 8 | (uint64_t)t->to, t->reason, t->vote_count};
	log_bytes(sim, head, sizeof head);
	log_bytes(sim, t->endpoint, strlen(t->endpoint));
	log_bytes(sim, t->check, strlen(t->check));
	for (uint32_t i = 0; i < t->vote_count; i++) {
		uint32_t vote[3] = {t->votes[i].state, t->votes[i].reason, t->votes[i].age_ms};
		log_bytes(sim, vote, sizeof vote);
		log_bytes(sim, t->votes[i].agent, strlen(t->votes[i].agent));
	}
}

int64_t sim_told_ms(struct sim *sim)
{
	if (!sim_has(sim, SIM_CLOCK_BACK) || !sim_chance(sim, 4))
		return sim->now_ms;
	/* The engine knows the present, and is then told the past. */
	verdict_commit_failed(sim->engine, "nobody", sim->now_ms);
	return sim->now_ms - sim_draw(sim, 1000000);
}

/* --- events ---------------------------------------------------------------------------------------------------- */

static void pass_time(struct sim *sim)
{
	uint32_t kind = sim_draw(sim, 100);
	if (kind < 40)
		sim->now_ms += sim_draw(sim, 50);
	else if (kind < 80)
		sim->now_ms += 100 + sim_draw(sim, 900);
	else if (kind < 95)
		sim->now_ms += sim_draw(sim, 5000);
	else if (kind < 98 || !sim_has(sim, SIM_LONG_PAUSE))
		sim->now_ms += sim_draw(sim, 20000);
	else
		sim->now_ms += sim_draw(sim, 1000000);
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

static void tick(struct sim *sim)
{
	struct verdict_transition t;
	uint32_t proposed[SIM_ENDPOINTS];
	uint32_t count = 0;
	verdict_tick(sim->engine, sim_told_ms(sim));
	while (verdict_next(sim->engine, &t) && sim->failure[0] == '\0' && count < SIM_ENDPOINTS) {
		sim->transitions++;
		log_transition(sim, &t);
		oracle_proposal(sim, &t);
		proposed[count++] = world_endpoint_number(t.endpoint);
	}
	for (uint32_t i = 0; i < count && sim->failure[0] == '\0'; i++) {
		if (sim_has(sim, SIM_COMMIT_SLOW) && sim_chance(sim, 4))
			continue;
		answer(sim, proposed[i], !(sim_has(sim, SIM_COMMIT_FAILS) && sim_chance(sim, 4)));
	}
	if (sim->failure[0] == '\0')
		oracle_check_progress(sim);
}

static void late_answer(struct sim *sim)
{
	uint32_t e = sim_draw(sim, SIM_ENDPOINTS);
	for (uint32_t i = 0; i < SIM_ENDPOINTS; i++, e = (e + 1) % SIM_ENDPOINTS) {
		if (sim->endpoints[e].flight != MODEL_STATE_UNKNOWN) {
			answer(sim, e, !sim_chance(sim, 3));
			sim->endpoints[e].has_failed_commit = false; /* the next tick proposes it again */
			return;
		}
	}
}

static void restart(struct sim *sim)
{
	bool knows_age = sim_chance(sim, 2);
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		if (sim->endpoints[e].flight != MODEL_STATE_UNKNOWN)
			oracle_commit(sim, e, sim_chance(sim, 2)); /* nobody was told */
		sim->endpoints[e].has_failed_commit = false;
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
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		const struct oracle_endpoint *endpoint = &sim->endpoints[e];
		if (!sim->config.endpoints[e].is_in || endpoint->committed == MODEL_STATE_UNKNOWN)
			continue;
		int64_t age_ms =
			knows_age && endpoint->removed_ms != SIM_NEVER ? sim->now_ms - endpoint->removed_ms : -1;
		(void)verdict_seed(sim->engine, world_endpoint_key(e), endpoint->committed, age_ms, sim->now_ms);
	}
}

static void fate(struct sim *sim)
{
	struct sim_agent *agent = &sim->agents[sim_draw(sim, SIM_AGENTS)];
	uint32_t a = (uint32_t)(agent - sim->agents);
	uint32_t which = sim_draw(sim, 8);
	if (which < 2 && sim_has(sim, SIM_DIE))
		agent->is_dead = !agent->is_dead;
	if (which < 4 && which >= 2 && sim_has(sim, SIM_LIE))
		agent->is_liar = !agent->is_liar;
	if (which == 4 && sim_has(sim, SIM_BLIND))
		agent->is_blind = !agent->is_blind;
	if (which == 5 && sim_has(sim, SIM_REVOKE) && sim_chance(sim, 3) && sim->config.agents[a]) {
		sim->known[a].is_revoked = true;
		(void)verdict_revoke(sim->engine, world_agent_id(a), sim->now_ms);
	}
	if (which == 6 && sim_has(sim, SIM_FREEZE)) {
		sim->config.is_frozen = !sim->config.is_frozen;
		world_configure(sim);
	}
}

static void everybody_reports(struct sim *sim)
{
	uint32_t first = sim_draw(sim, SIM_AGENTS);
	for (uint32_t i = 0; i < SIM_AGENTS; i++)
		world_report(sim, (first + i) % SIM_AGENTS);
}

static void flip_truth(struct sim *sim)
{
	uint32_t e = sim_draw(sim, SIM_ENDPOINTS);
	uint32_t c = sim_draw(sim, SIM_CHECKS);
	if (sim_chance(sim, 8)) { /* a whole site, or everything */
		bool is_dead = sim_chance(sim, 2);
		uint32_t site = sim->config.endpoints[e].site;
		bool is_all = sim_chance(sim, 4);
		for (uint32_t k = 0; k < SIM_ENDPOINTS; k++) {
			if (is_all || sim->config.endpoints[k].site == site)
				sim->is_dead[c][k] = is_dead;
		}
		return;
	}
	sim->is_dead[c][e] = !sim->is_dead[c][e];
}

static void event(struct sim *sim)
{
	uint32_t kind = sim_draw(sim, 100);
	if (kind < 25)
		pass_time(sim);
	else if (kind < 45)
		world_report(sim, sim_draw(sim, SIM_AGENTS));
	else if (kind < 60)
		everybody_reports(sim);
	else if (kind < 68)
		flip_truth(sim);
	else if (kind < 74)
		world_deliver(sim);
	else if (kind < 78)
		late_answer(sim);
	else if (kind < 84)
		fate(sim);
	else if (kind < 87 && sim_has(sim, SIM_CONFIGURE))
		world_reconfigure(sim);
	else if (kind == 87 && sim_has(sim, SIM_RESTART))
		restart(sim);
	else
		tick(sim);
}

static void drain_suspicions(struct sim *sim)
{
	struct verdict_suspicion s;
	uint32_t count = 0;
	while (verdict_suspicion_next(sim->engine, &s) && sim->failure[0] == '\0') {
		oracle_suspicion(sim, &s);
		log_bytes(sim, s.endpoint, strlen(s.endpoint));
		if (++count > SIM_ITEMS)
			sim_fail(sim, "S21: second looks do not end");
	}
}

bool sim_play(struct sim *sim, uint64_t seed, uint32_t faults, uint32_t events)
{
	memset(sim, 0, sizeof *sim);
	sim->seed = seed;
	sim->random = mix(seed + 1);
	sim->faults = faults;
	sim->now_ms = 1000000 + sim_draw(sim, 1000);
	sim->log_hash = 0xcbf29ce484222325u;
	sim->engine = verdict_engine_new(NULL);
	if (sim->engine == NULL) {
		sim_fail(sim, "out of memory");
		return false;
	}
	world_init(sim);
	world_configure(sim);
	for (uint32_t i = 0; i < events && sim->failure[0] == '\0'; i++) {
		event(sim);
		if (sim->failure[0] == '\0')
			drain_suspicions(sim);
		if (sim->failure[0] == '\0')
			oracle_check_state(sim);
	}
	verdict_engine_free(&sim->engine);
	return sim->failure[0] == '\0';
}
