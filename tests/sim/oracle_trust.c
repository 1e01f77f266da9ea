/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which agents are suspect, by the definition; and that no honest agent is, as long as the liars are fewer than a
 * quorum [S7].
 */
#include "tests/sim/sim.h"

#define RELEASE_MS 30000
#define LEAST 4 /* endpoints needed for a suspicion */

struct tally {
	uint32_t compared;
	uint32_t against;
	uint32_t settled;
};

/* Do the trusted agents alone say up, while fewer than a quorum of the others could say otherwise? */
static bool is_beyond_doubt(struct sim *sim, uint32_t c, uint32_t e)
{
	const struct oracle_value *value = oracle_value_of(sim, c, e);
	return !value->counts_suspects && value->up >= value->quorum &&
	       oracle_bits(value->up_regions) >= value->regions && value->agents - value->up < value->quorum;
}

static void compare(struct sim *sim, uint32_t a, uint32_t c, uint32_t e, struct tally *tally)
{
	struct oracle_view *view = &sim->views[a][c][e];
	enum verdict_mark mark;
	enum observation_state state = oracle_view_of(sim, a, c, e, &mark);
	bool is_compared = state != OBSERVATION_UNKNOWN && is_beyond_doubt(sim, c, e);
	if (!is_compared || state != OBSERVATION_DOWN) {
		view->against_s = SIM_NEVER;
		tally->compared += is_compared;
		return;
	}
	if (view->against_s == SIM_NEVER)
		view->against_s = sim->now_ms / 1000;
	tally->compared++;
	tally->against++;
	tally->settled += (sim->now_ms / 1000 - view->against_s) * 1000 > oracle_settle_ms(&sim->config, c);
}

/*
 * Where as many agents are bad as a quorum, they can bring about any verdict, and so can honest agents that probe an
 * endpoint while it flaps.
 */
static void find_taint(struct sim *sim, uint32_t c)
{
	uint32_t flapping = 0;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		int64_t before_last_ms = sim->flips[1][c][e];
		const struct oracle_value *value = oracle_value_of(sim, c, e);
		if (sim->config.endpoints[e].items[c] == SIM_ITEM_NONE)
			continue;
		sim->is_tainted[c] = sim->is_tainted[c] || value->bad >= value->quorum;
		flapping += before_last_ms != SIM_NEVER &&
			    sim->now_ms - before_last_ms < 2 * oracle_settle_ms(&sim->config, c);
	}
	sim->is_tainted[c] = sim->is_tainted[c] || flapping >= LEAST;
}

static void judge(struct sim *sim, uint32_t a, uint32_t c, const struct tally *tally)
{
	struct oracle_trust *trust = &sim->trust[c][a];
	if (!trust->is_suspect) {
		trust->is_suspect = tally->settled >= LEAST && tally->settled * 2 >= tally->compared;
		trust->calm_ms = SIM_NEVER;
		sim->suspects += trust->is_suspect;
		if (trust->is_suspect && !sim->known[a].was_bad && !sim->is_tainted[c])
			sim_fail(sim, "S7: %s, which is honest, becomes suspect on %s", world_agent_id(a),
				 world_check_name(c));
		return;
	}
	bool is_calm = tally->compared < LEAST || tally->against * 4 < tally->compared;
	if (!is_calm)
		trust->calm_ms = SIM_NEVER;
	else if (trust->calm_ms == SIM_NEVER)
		trust->calm_ms = sim->now_ms;
	else if (sim->now_ms - trust->calm_ms >= RELEASE_MS)
		trust->is_suspect = false;
}

void oracle_trust_tick(struct sim *sim)
{
	for (uint32_t c = 0; c < SIM_PROBED; c++) {
		struct tally tallies[SIM_AGENTS] = {{0}};
		if (!sim->config.checks[c].is_in)
			continue;
		find_taint(sim, c);
		for (uint32_t i = 0; i < SIM_AGENTS * SIM_ENDPOINTS; i++) {
			if (oracle_is_assigned(&sim->config, i % SIM_AGENTS, c, i / SIM_AGENTS))
				compare(sim, i % SIM_AGENTS, c, i / SIM_AGENTS, &tallies[i % SIM_AGENTS]);
		}
		for (uint32_t a = 0; a < SIM_AGENTS; a++) {
			if (sim->config.agents[a] && sim->config.checks[c].agents[a])
				judge(sim, a, c, &tallies[a]);
		}
	}
	sim->has_values = false;
}
