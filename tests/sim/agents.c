/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents that see, lie, die and are cut off; a network that loses, duplicates and delays; and applications that push.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

/* --- what an agent says --------------------------------------------------------------------------------------------
 */

static bool lie_of(struct sim *sim, enum sim_lie lie, bool is_dead)
{
	switch (lie) {
	case SIM_HONEST:
		return is_dead;
	case SIM_LIE_DOWN:
		return true;
	case SIM_LIE_UP:
		return false;
	case SIM_LIE_INVERSE:
		return !is_dead;
	case SIM_LIE_RANDOM:
		return sim_chance(sim, 2);
	}
	return is_dead;
}

static enum observation_state look(struct sim *sim, uint32_t a, uint32_t c, uint32_t e)
{
	const struct sim_agent *agent = &sim->agents[a];
	bool is_dead = sim->is_dead[c][e] || sim->is_cut[sim->config.region[a]][sim->config.endpoints[e].site];
	if (agent->is_starting && sim_chance(sim, 2))
		return OBSERVATION_UNKNOWN;
	if (a == sim->twin_agent)
		is_dead = sim_chance(sim, 2);
	if (lie_of(sim, agent->lie, is_dead))
		return sim_chance(sim, 6) ? OBSERVATION_FAILING : OBSERVATION_DOWN;
	return sim_chance(sim, 20) ? OBSERVATION_FAILING : OBSERVATION_UP;
}

static void observe(struct sim *sim, uint32_t a, uint32_t c, uint32_t e, struct observation *item)
{
	/* Each item has its own draws: what an agent sees of one item does not depend on how many others it sees. */
	uint64_t random = sim->random;
	sim->random = sim_mix(sim->event_random ^ sim_mix(a * 1000 + c * 100 + e + 7) ^ sim->agents[a].seq);
	item->state = look(sim, a, c, e);
	item->reason =
		item->state == OBSERVATION_UP ? PROBE_REASON_OK : PROBE_REASON_CONNECT_REFUSED + sim_draw(sim, 3);
	item->age_ms = sim_draw(sim, sim->config.checks[c].interval_ms);
	if (!sim_has(sim, SIM_STEADY) && sim_chance(sim, 30))
		item->age_ms *= sim_draw(sim, 20);
	sim->random = random;
}

static void fill_items(struct sim *sim, struct sim_message *message)
{
	uint32_t count = 0;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		const struct sim_endpoint *endpoint = &sim->config.endpoints[e];
		for (uint32_t i = 0; i < endpoint->count; i++) {
			uint32_t c = endpoint->order[i];
			if (oracle_is_assigned(&sim->config, message->agent, c, e))
				observe(sim, message->agent, c, e, &message->items[count++]);
		}
	}
	message->report.item_count = count;
}

static void spoil(struct sim *sim, struct sim_message *message)
{
	switch (sim_draw(sim, 5)) {
	case 0:
		message->report.item_count = sim_draw(sim, SIM_ITEMS);
		break;
	case 1:
		message->report.assignment_revision += (int64_t)sim_draw(sim, 3) - 1;
		break;
	case 2:
		message->report.boot = 0;
		break;
	case 3:
		message->report.seq = 0;
		break;
	default:
		for (uint32_t i = 0; i < SIM_ITEMS; i++)
			message->items[i].age_ms = UINT32_MAX;
		break;
	}
	message->sent_ms = SIM_NEVER; /* not the report of an honest agent */
}

/* --- the network ----------------------------------------------------------------------------------------------------
 */

static void arrive(struct sim *sim, struct sim_message *message)
{
	message->report.items = message->items;
	int64_t told_ms = sim_told_ms(sim);
	enum veer_err err = verdict_report(sim->engine, world_agent_id(message->agent), &message->report, told_ms);
	/* The oracle uses the engine's clock: the age is bounded before it is used. */
	for (uint32_t i = 0; i < message->report.item_count; i++) {
		if (message->items[i].age_ms > REPORT_AGE_MS_MAX)
			message->items[i].age_ms = REPORT_AGE_MS_MAX;
	}
	enum veer_err expected = oracle_report(sim, message);
	if (err != expected)
		sim_fail(sim, "S14: the report (%s, %llu, %llu) is answered '%s', not '%s'",
			 world_agent_id(message->agent), (unsigned long long)message->report.boot,
			 (unsigned long long)message->report.seq, veer_err_text(err), veer_err_text(expected));
}

static void keep(struct sim *sim, const struct sim_message *message)
{
	struct sim_message *slot = &sim->messages[sim_draw(sim, SIM_MESSAGES)];
	*slot = *message;
	slot->is_used = true;
}

static void reboot(struct sim *sim, struct sim_agent *agent)
{
	if (sim_has(sim, SIM_REBOOT) && sim_chance(sim, 40) && agent->boots < SIM_BOOTS) {
		agent->boot++;
		agent->boots++;
		agent->seq = 0;
		agent->is_starting = true;
	} else if (sim_chance(sim, 3)) {
		agent->is_starting = false;
	}
}

void agents_report(struct sim *sim, uint32_t a)
{
	struct sim_agent *agent = &sim->agents[a];
	struct sim_message message;
	if (agent->is_dead)
		return;
	reboot(sim, agent);
	message.is_used = true;
	message.agent = a;
	message.sent_ms = sim->now_ms;
	message.report = (struct report){.assignment_revision = sim->config.revision,
					 .boot = agent->boot,
					 .seq = ++agent->seq,
					 .is_blind = agent->is_blind};
	fill_items(sim, &message);
	if (sim_has(sim, SIM_GARBAGE) && sim_chance(sim, 10)) {
		memset(message.items + message.report.item_count, 0,
		       (SIM_ITEMS - message.report.item_count) * sizeof message.items[0]);
		spoil(sim, &message);
	}
	if (sim_has(sim, SIM_REPLAY) && sim_chance(sim, 4))
		keep(sim, &message);
	if (sim_has(sim, SIM_LOSE) && sim_chance(sim, 5))
		return;
	if (sim_has(sim, SIM_DELAY) && sim_chance(sim, 5)) {
		keep(sim, &message);
		return;
	}
	arrive(sim, &message);
	if (sim_has(sim, SIM_DOUBLE) && sim_chance(sim, 5))
		arrive(sim, &message);
}

void agents_deliver(struct sim *sim)
{
	struct sim_message *message = &sim->messages[sim_draw(sim, SIM_MESSAGES)];
	if (!message->is_used)
		return;
	struct sim_message copy = *message;
	message->is_used = sim_has(sim, SIM_REPLAY) && sim_chance(sim, 2);
	arrive(sim, &copy);
}

/* --- what befalls agents --------------------------------------------------------------------------------------------
 */

/* Some agents begin to lie, all in the same way; or all become honest. */
static void conspire(struct sim *sim)
{
	enum sim_lie lie = (enum sim_lie)sim_draw(sim, SIM_LIE_RANDOM + 1);
	uint32_t members = 1 + sim_draw(sim, 3);
	for (uint32_t i = 0; i < members; i++)
		sim->agents[sim_draw(sim, SIM_AGENTS)].lie = lie;
	for (uint32_t a = 0; a < SIM_AGENTS && lie == SIM_HONEST; a++)
		sim->agents[a].lie = SIM_HONEST;
}

/* A region loses the connection to one site or to all; or everything is connected again. */
static void cut(struct sim *sim)
{
	uint32_t region = sim_draw(sim, SIM_REGIONS);
	uint32_t site = sim_draw(sim, SIM_ENDPOINTS);
	if (sim_chance(sim, 2)) {
		memset(sim->is_cut, 0, sizeof sim->is_cut);
		return;
	}
	bool is_all = sim_chance(sim, 2);
	for (uint32_t s = 0; s < SIM_ENDPOINTS; s++)
		sim->is_cut[region][s] = sim->is_cut[region][s] || is_all || s == site;
}

static void revoke(struct sim *sim, uint32_t a)
{
	if (!sim->config.agents[a])
		return;
	sim->known[a].is_revoked = true;
	sim->has_values = false;
	(void)verdict_revoke(sim->engine, world_agent_id(a), sim->now_ms);
}

void agents_fate(struct sim *sim)
{
	uint32_t a = sim_draw(sim, SIM_AGENTS);
	uint32_t which = sim_draw(sim, 10);
	if (which < 2 && sim_has(sim, SIM_DIE))
		sim->agents[a].is_dead = !sim->agents[a].is_dead;
	else if (which < 5 && sim_has(sim, SIM_LIE))
		conspire(sim);
	else if (which < 7 && sim_has(sim, SIM_CUT))
		cut(sim);
	else if (which == 7 && sim_has(sim, SIM_BLIND))
		sim->agents[a].is_blind = !sim->agents[a].is_blind;
	else if (which == 8 && sim_has(sim, SIM_REVOKE) && sim_chance(sim, 3))
		revoke(sim, a);
}

void agents_push(struct sim *sim)
{
	uint32_t e = sim_draw(sim, SIM_ENDPOINTS);
	uint32_t c = sim_chance(sim, 16) ? sim_draw(sim, SIM_CHECKS) : SIM_PUSH;
	uint32_t ttl_ms = sim_chance(sim, 2) ? 0 : sim_draw(sim, 60000);
	enum model_state state = sim->is_dead[SIM_PUSH][e] ? MODEL_STATE_DOWN : MODEL_STATE_UP;
	if (sim_chance(sim, 32))
		state = MODEL_STATE_UNKNOWN;
	if (sim_chance(sim, 32))
		ttl_ms = VERDICT_TTL_MS_MAX + 1;
	enum veer_err err =
		verdict_push(sim->engine, world_check_name(c), world_endpoint_key(e), state, ttl_ms, sim_told_ms(sim));
	enum veer_err expected = oracle_push(sim, c, e, state, ttl_ms);
	if (err != expected)
		sim_fail(sim, "the push to %s of %s is answered '%s', not '%s'", world_check_name(c),
			 world_endpoint_key(e), veer_err_text(err), veer_err_text(expected));
}
