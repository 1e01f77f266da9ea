/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine shows must at any time equal the oracle's state: verdicts, views, agents. */
#include <string.h>

#include "tests/sim/sim.h"

static uint32_t age_of(int64_t then_ms, int64_t now_ms)
{
	return then_ms == SIM_NEVER ? 0 : (uint32_t)(now_ms - then_ms);
}

static void check_agent_vote(struct sim *sim, const struct verdict_vote *vote, uint32_t a, uint32_t c, uint32_t e)
{
	const struct oracle_view *view = &sim->views[a][c][e];
	enum verdict_mark mark;
	enum observation_state state = oracle_view_of(sim, a, c, e, &mark);
	if (mark == VERDICT_MARK_NONE && sim->trust[c][a].is_suspect && !oracle_value_of(sim, c, e)->counts_suspects) {
		mark = VERDICT_MARK_SUSPECT;
		state = OBSERVATION_UNKNOWN;
	}
	if (vote->state != state || vote->mark != mark || vote->said != view->state || vote->reason != view->reason ||
	    strcmp(vote->agent, world_agent_id(a)) != 0 || strcmp(vote->check, world_check_name(c)) != 0 ||
	    strcmp(vote->region, world_region(sim->config.region[a])) != 0)
		sim_fail(sim, "S14: the view of %s on %s by %s is not '%s' (%s) but '%s' (%s)", world_agent_id(a),
			 world_endpoint_key(e), world_check_name(c), observation_state_text(state),
			 verdict_mark_text(mark), observation_state_text(vote->state), verdict_mark_text(vote->mark));
	if (vote->age_ms != age_of(view->confirmed_ms, sim->now_ms) ||
	    vote->since_ms != age_of(view->turned_ms, sim->now_ms))
		sim_fail(sim, "S14: the view of %s on %s by %s is %u (%u) ms old", world_agent_id(a),
			 world_endpoint_key(e), world_check_name(c), vote->age_ms, vote->since_ms);
}

static void check_other_vote(struct sim *sim, const struct verdict_vote *vote, uint32_t c, uint32_t e)
{
	enum verdict_mark mark;
	enum observation_state state;
	if (c == SIM_PUSH) {
		state = oracle_push_of(sim, e, &mark);
	} else {
		enum model_state value = oracle_value_of(sim, c, e)->value;
		state = value == MODEL_STATE_UP     ? OBSERVATION_UP
			: value == MODEL_STATE_DOWN ? OBSERVATION_DOWN
						    : OBSERVATION_UNKNOWN;
		mark = VERDICT_MARK_NONE;
	}
	if (vote->state != state || vote->mark != mark || strcmp(vote->check, world_check_name(c)) != 0 ||
	    vote->source != (c == SIM_PUSH ? VERDICT_SOURCE_PUSH : VERDICT_SOURCE_CALCULATED))
		sim_fail(sim, "%s of %s is not '%s' (%s) but '%s' (%s)", world_check_name(c), world_endpoint_key(e),
			 observation_state_text(state), verdict_mark_text(mark), observation_state_text(vote->state),
			 verdict_mark_text(vote->mark));
}

static void check_views(struct sim *sim, uint32_t index, uint32_t e)
{
	struct verdict_vote votes[SIM_AGENTS * SIM_CHECKS];
	uint32_t count = verdict_votes(sim->engine, index, sim->now_ms, votes, SIM_AGENTS * SIM_CHECKS);
	uint32_t next = 0;
	for (uint32_t i = 0; i < sim->config.endpoints[e].count; i++) {
		uint32_t c = sim->config.endpoints[e].order[i];
		if (c >= SIM_PROBED && next < count)
			check_other_vote(sim, &votes[next++], c, e);
		for (uint32_t a = 0; a < SIM_AGENTS && next < count; a++) {
			if (oracle_is_assigned(&sim->config, a, c, e))
				check_agent_vote(sim, &votes[next++], a, c, e);
		}
	}
	if (next != count)
		sim_fail(sim, "%s has %u votes, not %u", world_endpoint_key(e), count, next);
}

static void check_agent(struct sim *sim, uint32_t index, uint32_t a)
{
	struct verdict_agent_status status;
	uint32_t suspect = 0;
	for (uint32_t c = 0; c < SIM_PROBED; c++)
		suspect +=
			sim->config.checks[c].is_in && sim->config.checks[c].agents[a] && sim->trust[c][a].is_suspect;
	if (!verdict_agent_at(sim->engine, index, sim->now_ms, &status) || strcmp(status.id, world_agent_id(a)) != 0) {
		sim_fail(sim, "%s is not there", world_agent_id(a));
		return;
	}
	if (status.suspect_checks != suspect || (status.suspect_check != NULL) != (suspect > 0))
		sim_fail(sim, "L5: %s is suspect on %u checks, not %u", status.id, status.suspect_checks, suspect);
	if (status.is_revoked != sim->known[a].is_revoked || status.is_blind != sim->known[a].is_blind)
		sim_fail(sim, "%s is%s blind, is%s revoked", status.id, status.is_blind ? "" : " not",
			 status.is_revoked ? "" : " not");
}

/* Each call checks one endpoint and one agent in full, and the verdicts of all endpoints. */
void oracle_check_state(struct sim *sim)
{
	uint32_t index = 0;
	uint32_t whole = sim_draw_for(sim, 99, SIM_ENDPOINTS);
	for (uint32_t e = 0; e < SIM_ENDPOINTS && sim->failure[0] == '\0'; e++) {
		struct verdict_endpoint_status status;
		if (!sim->config.endpoints[e].is_in)
			continue;
		if (!verdict_endpoint_at(sim->engine, index, sim->now_ms, &status)) {
			sim_fail(sim, "%s is not there", world_endpoint_key(e));
			return;
		}
		if (status.state != sim->endpoints[e].committed)
			sim_fail(sim, "%s is %s in the engine and %s in the store", world_endpoint_key(e),
				 model_state_text(status.state), model_state_text(sim->endpoints[e].committed));
		if (e == whole)
			check_views(sim, index, e);
		index++;
	}
	uint32_t agent = sim_draw_for(sim, 97, SIM_AGENTS);
	index = 0;
	for (uint32_t a = 0; a < agent; a++)
		index += sim->config.agents[a];
	if (sim->config.agents[agent] && sim->failure[0] == '\0' && sim_draw_for(sim, 96, 4) == 0)
		check_agent(sim, index, agent);
}
