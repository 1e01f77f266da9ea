/* SPDX-License-Identifier: Apache-2.0 */
/* Play histories twice: with the same events [S17], and with the reports of one agent changed [S8]. */
#include <string.h>

#include "tests/sim/sim.h"

bool twin_repeat(struct sim *sim, const struct sim_history *history, uint64_t hash)
{
	if (!sim_play(sim, history))
		return false;
	if (sim->log_hash != hash)
		sim_fail(sim, "S17: played twice, it differs");
	return sim->failure[0] == '\0';
}

/* Where the agent's reports may make a difference now, the two histories may differ from now on. */
static void find_pivots(struct sim *sim)
{
	bool is_any = false;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		const struct sim_endpoint *endpoint = &sim->config.endpoints[e];
		for (uint32_t i = 0; i < endpoint->count && !sim->is_pivotal[e]; i++) {
			uint32_t c = endpoint->order[i];
			sim->is_pivotal[e] = c < SIM_PROBED && oracle_is_pivot(sim, sim->twin_agent, c, e);
		}
		is_any = is_any || sim->is_pivotal[e];
	}
	/* The room of the brake that one endpoint uses is not available to the others. */
	for (uint32_t e = 0; e < SIM_ENDPOINTS && is_any && !sim->config.is_brake_off; e++)
		sim->is_pivotal[e] = true;
}

/* Whether others become suspect depends on this agent's reports as well. */
static bool has_suspects(const struct sim *sim)
{
	for (uint32_t i = 0; i < SIM_PROBED * SIM_AGENTS; i++) {
		if (sim->trust[i % SIM_PROBED][i / SIM_PROBED].is_suspect)
			return true;
	}
	return false;
}

static void compare(struct sim *sim, const struct sim *other)
{
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		if (!sim->is_pivotal[e] && !other->is_pivotal[e] &&
		    (sim->endpoints[e].committed != other->endpoints[e].committed ||
		     sim->endpoints[e].flight != other->endpoints[e].flight))
			sim_fail(sim, "S8: %s is %s, but %s when %s says something else", world_endpoint_key(e),
				 model_state_text(sim->endpoints[e].committed),
				 model_state_text(other->endpoints[e].committed), world_agent_id(sim->twin_agent));
	}
}

bool twin_change(struct sim *sim, struct sim *other, const struct sim_history *history)
{
	uint32_t agent = (uint32_t)(sim_mix(history->seed) % SIM_AGENTS);
	sim_begin(sim, history);
	sim_begin(other, history);
	other->twin_agent = agent;
	bool is_over = false;
	for (uint32_t i = 0; i < history->events && !is_over && sim->failure[0] == '\0'; i++) {
		if (history->is_left_out != NULL && history->is_left_out[i])
			continue;
		sim_event(sim, i);
		sim_event(other, i);
		sim->twin_agent = agent; /* only after the event, in which this agent reports what it sees */
		find_pivots(sim);
		find_pivots(other);
		sim->twin_agent = SIM_AGENTS;
		if (other->failure[0] != '\0')
			sim_fail(sim, "changed: %s", other->failure);
		is_over = has_suspects(sim) || has_suspects(other);
		if (!is_over) {
			sim->twin_agent = agent;
			compare(sim, other);
			sim->twin_agent = SIM_AGENTS;
		}
	}
	sim_end(sim);
	sim_end(other);
	return sim->failure[0] == '\0';
}
