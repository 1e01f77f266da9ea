/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle's own record of what happens. It is written from the invariants, not from the engine. */
#include <math.h>
#include <string.h>

#include "tests/sim/sim.h"

static void forget_endpoint(struct oracle_endpoint *endpoint)
{
	bool is_told_doubted = endpoint->is_told_doubted;
	enum model_state orphan = endpoint->flight != MODEL_STATE_UNKNOWN ? endpoint->flight : endpoint->orphan;
	*endpoint = (struct oracle_endpoint){.orphan = orphan,
					     .removed_ms = SIM_NEVER,
					     .hold_from_ms = SIM_NEVER,
					     .is_told_doubted = is_told_doubted};
}

static bool has_item(const struct sim_config *config, uint32_t c, uint32_t e)
{
	return config->endpoints[e].items[c] != SIM_ITEM_NONE;
}

/* Does the item mean the same before and after? */
static bool stays(const struct sim_config *before, const struct sim_config *after, uint32_t c, uint32_t e)
{
	return has_item(before, c, e) && has_item(after, c, e) &&
	       before->checks[c].fingerprint == after->checks[c].fingerprint &&
	       before->endpoints[e].fingerprint == after->endpoints[e].fingerprint;
}

static void forget_views(struct sim *sim, const struct sim_config *before)
{
	const struct sim_config *after = &sim->config;
	for (uint32_t i = 0; i < SIM_PROBED * SIM_ENDPOINTS; i++) {
		uint32_t c = i % SIM_PROBED;
		uint32_t e = i / SIM_PROBED;
		for (uint32_t a = 0; a < SIM_AGENTS; a++) {
			if (!stays(before, after, c, e) || !oracle_is_assigned(before, a, c, e) ||
			    !oracle_is_assigned(after, a, c, e))
				sim->views[a][c][e] = (struct oracle_view){
					.confirmed_ms = SIM_NEVER, .turned_ms = SIM_NEVER, .against_s = SIM_NEVER};
		}
	}
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		if (stays(before, after, SIM_PUSH, e))
			continue;
		sim->pushes[e] = (struct oracle_push){.expires_ms = SIM_NEVER};
		sim->is_heard[e] = false;
	}
}

static void forget_trust(struct sim *sim, const struct sim_config *before)
{
	const struct sim_config *after = &sim->config;
	for (uint32_t c = 0; c < SIM_PROBED; c++) {
		for (uint32_t a = 0; a < SIM_AGENTS; a++) {
			bool was = before->checks[c].is_in && before->checks[c].agents[a] && before->agents[a];
			bool is = after->checks[c].is_in && after->checks[c].agents[a] && after->agents[a];
			if (!was || !is)
				sim->trust[c][a] = (struct oracle_trust){.calm_ms = SIM_NEVER};
		}
	}
}

void oracle_configure(struct sim *sim, const struct sim_config *before)
{
	const struct sim_config *after = &sim->config;
	sim->config_number++;
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		if (!before->agents[a] || !after->agents[a])
			sim->known[a] =
				(struct oracle_agent){.received_ms = SIM_NEVER, .was_bad = sim->known[a].was_bad};
	}
	forget_views(sim, before);
	forget_trust(sim, before);
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		if (!before->endpoints[e].is_in || !oracle_is_watched(after, e))
			forget_endpoint(&sim->endpoints[e]);
		if (!after->endpoints[e].is_in || !before->endpoints[e].is_in)
			sim->endpoints[e].is_told_doubted = false;
		sim->is_pivotal[e] = true; /* the effect of a new configuration on old differences is not modelled */
	}
	sim->has_values = false;
}

static bool was_boot(const struct oracle_agent *agent, uint64_t boot)
{
	for (uint32_t i = 0; i < agent->boot_count; i++) {
		if (agent->boots[i] == boot)
			return true;
	}
	return false;
}

static bool is_good(enum observation_state state)
{
	return state == OBSERVATION_UP;
}

static bool is_bad(enum observation_state state)
{
	return state == OBSERVATION_FAILING || state == OBSERVATION_DOWN;
}

static void take_in_one(struct sim *sim, struct oracle_view *view, const struct observation *item)
{
	bool has_turned = is_good(item->state) != is_good(view->state) || is_bad(item->state) != is_bad(view->state);
	view->confirmed_ms = sim->now_ms - item->age_ms;
	if (has_turned)
		view->turned_ms = view->confirmed_ms;
	view->state = item->state;
	view->reason = item->reason;
}

static void take_in(struct sim *sim, const struct sim_message *message)
{
	uint32_t a = message->agent;
	uint32_t next = 0;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		const struct sim_endpoint *endpoint = &sim->config.endpoints[e];
		for (uint32_t i = 0; i < endpoint->count; i++) {
			if (oracle_is_assigned(&sim->config, a, endpoint->order[i], e))
				take_in_one(sim, &sim->views[a][endpoint->order[i]][e], &message->items[next++]);
		}
	}
}

static uint32_t report_size(const struct sim *sim, uint32_t a)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < SIM_ITEMS; i++)
		count += oracle_is_assigned(&sim->config, a, i % SIM_CHECKS, i / SIM_CHECKS);
	return count;
}

/* Does the agent report the present truth, as far as it is defined? */
static bool is_honest(const struct sim *sim, const struct sim_message *message)
{
	const bool *is_cut = sim->is_cut[sim->config.region[message->agent]];
	for (uint32_t s = 0; s < SIM_ENDPOINTS; s++) {
		if (is_cut[s])
			return false;
	}
	return sim->agents[message->agent].lie == SIM_HONEST && message->sent_ms == sim->now_ms &&
	       message->agent != sim->twin_agent;
}

enum veer_err oracle_report(struct sim *sim, const struct sim_message *message)
{
	struct oracle_agent *agent = &sim->known[message->agent];
	const struct report *report = &message->report;
	if (!sim->config.agents[message->agent] || agent->is_revoked)
		return VEER_EAUTH;
	if (report->boot == 0 || report->seq == 0)
		return VEER_EINVAL;
	bool is_present = agent->boot_count > 0 && agent->boots[agent->boot_count - 1] == report->boot;
	if (is_present ? report->seq <= agent->seq : was_boot(agent, report->boot))
		return VEER_ESTALE;
	if (report->assignment_revision != sim->config.revision)
		return VEER_ECONFLICT;
	if (report->item_count != report_size(sim, message->agent))
		return VEER_EINVAL;
	if (!is_present)
		agent->boots[agent->boot_count++] = report->boot;
	agent->seq = report->seq;
	agent->received_ms = sim->now_ms;
	agent->is_blind = report->is_blind;
	agent->was_bad = agent->was_bad || !is_honest(sim, message);
	take_in(sim, message);
	sim->has_values = false;
	return VEER_OK;
}

enum veer_err oracle_push(struct sim *sim, uint32_t c, uint32_t e, enum model_state state, uint32_t ttl_ms)
{
	struct oracle_push *push = &sim->pushes[e];
	if (c != SIM_PUSH || !has_item(&sim->config, c, e))
		return VEER_ENOTFOUND;
	if (state == MODEL_STATE_UNKNOWN)
		return VEER_EINVAL;
	if (ttl_ms > VERDICT_TTL_MS_MAX)
		return VEER_ERANGE;
	if (push->state != state)
		push->turned_ms = sim->now_ms;
	push->state = state;
	sim->is_heard[e] = true;
	push->at_ms = sim->now_ms;
	push->expires_ms = sim->now_ms + (ttl_ms > 0 ? ttl_ms : sim->config.checks[c].ttl_ms);
	sim->has_values = false;
	return VEER_OK;
}

bool oracle_is_current(const struct sim *sim, uint32_t e)
{
	return sim->endpoints[e].config == sim->config_number;
}

static void restart_endpoint(struct sim *sim, uint32_t e, bool knows_age)
{
	struct oracle_endpoint *endpoint = &sim->endpoints[e];
	bool is_down = endpoint->committed == MODEL_STATE_DOWN;
	const struct sim_check *push = &sim->config.checks[SIM_PUSH];
	if (!is_down)
		endpoint->removed_ms = endpoint->hold_from_ms = SIM_NEVER; /* the store does not keep past times */
	else if (!knows_age || endpoint->removed_ms == SIM_NEVER)
		endpoint->hold_from_ms = sim->now_ms;
	else
		endpoint->hold_from_ms = endpoint->removed_ms;
	endpoint->penalty = is_down ? 1 : 0;
	endpoint->accused = is_down ? UINT32_MAX : 0; /* after a restart it is not known which checks accused it */
	endpoint->is_told_doubted = false;
	sim->pushes[e] = (struct oracle_push){.expires_ms = SIM_NEVER};
	/* Only the checks that had to be up for that verdict are known to have been heard [S20]. */
	if (endpoint->committed == MODEL_STATE_UP && oracle_is_current(sim, e) &&
	    oracle_is_voting(&sim->config, SIM_PUSH, e) && push->is_down_on_expiry)
		sim->pushes[e].expires_ms = sim->now_ms + push->ttl_ms;
}

static void forget_agents(struct sim *sim)
{
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		bool is_revoked = sim->known[a].is_revoked;
		sim->known[a] = (struct oracle_agent){.received_ms = SIM_NEVER, .is_revoked = is_revoked};
		for (uint32_t i = 0; i < SIM_PROBED * SIM_ENDPOINTS; i++)
			sim->views[a][i % SIM_PROBED][i / SIM_PROBED] = (struct oracle_view){
				.confirmed_ms = SIM_NEVER, .turned_ms = SIM_NEVER, .against_s = SIM_NEVER};
		for (uint32_t c = 0; c < SIM_PROBED; c++)
			sim->trust[c][a] = (struct oracle_trust){.calm_ms = SIM_NEVER};
	}
}

void oracle_begin(struct sim *sim)
{
	forget_agents(sim);
	sim->config_number = 1;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		sim->endpoints[e].removed_ms = sim->endpoints[e].hold_from_ms = SIM_NEVER;
		sim->pushes[e].expires_ms = SIM_NEVER;
		for (uint32_t c = 0; c < SIM_CHECKS; c++)
			sim->flips[0][c][e] = sim->flips[1][c][e] = SIM_NEVER;
	}
}

void oracle_restart(struct sim *sim, bool knows_age)
{
	forget_agents(sim);
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		restart_endpoint(sim, e, knows_age);
		sim->is_pivotal[e] = true;
	}
	memset(sim->is_tainted, 0, sizeof sim->is_tainted);
	memset(sim->is_bad_ticked, 0, sizeof sim->is_bad_ticked);
	sim->has_values = false;
}

void oracle_commit(struct sim *sim, uint32_t e, bool is_taken)
{
	struct oracle_endpoint *endpoint = &sim->endpoints[e];
	if (!is_taken) {
		endpoint->has_failed_commit = true;
	} else {
		if (endpoint->flight == MODEL_STATE_DOWN) {
			endpoint->penalty = oracle_penalty(sim, e);
			endpoint->removed_ms = endpoint->hold_from_ms = sim->now_ms;
		}
		endpoint->committed = endpoint->flight;
		endpoint->config = endpoint->flight_config;
	}
	if (endpoint->committed == MODEL_STATE_UP)
		endpoint->accused = 0;
	endpoint->flight = MODEL_STATE_UNKNOWN;
}

void oracle_tick(struct sim *sim)
{
	sim->tick_number++;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		sim->is_bad_ticked[e] = false;
		for (uint32_t i = 0; i < sim->config.endpoints[e].count; i++) {
			uint32_t c = sim->config.endpoints[e].order[i];
			const struct oracle_value *value = oracle_value_of(sim, c, e);
			sim->ticked[c][e] = value->value;
			sim->honest_ticked[c][e] = value->honest_down >= value->quorum &&
						   oracle_bits(value->honest_regions) >= value->regions;
			if (oracle_is_voting(&sim->config, c, e) && value->is_bad)
				sim->is_bad_ticked[e] = sim->endpoints[e].committed != MODEL_STATE_DOWN;
		}
	}
	oracle_trust_tick(sim);
}

void oracle_doubt(struct sim *sim, const struct verdict_doubt *doubt)
{
	uint32_t e = world_endpoint_number(doubt->endpoint);
	if (e >= SIM_ENDPOINTS || !sim->config.endpoints[e].is_in) {
		sim_fail(sim, "doubt of %s, which is not there", doubt->endpoint);
		return;
	}
	if (sim->endpoints[e].is_told_doubted == doubt->is_doubted)
		sim_fail(sim, "doubt of %s is told again", doubt->endpoint);
	sim->endpoints[e].is_told_doubted = doubt->is_doubted;
}
