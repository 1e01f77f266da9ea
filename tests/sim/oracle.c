/* SPDX-License-Identifier: Apache-2.0 */
/* The judgement, written from the invariants and not from the engine. Names in brackets are theirs. */
#include <string.h>

#include "tests/sim/sim.h"

#define WINDOW_MS 60000

/* --- views ----------------------------------------------------------------------------------------------------- */

static bool is_assigned(const struct sim_config *config, uint32_t a, uint32_t c, uint32_t e)
{
	return config->agents[a] && config->checks[c].is_in && config->checks[c].agents[a] &&
	       config->endpoints[e].is_in && config->endpoints[e].checks[c];
}

static bool is_voting(const struct sim_config *config, uint32_t c, uint32_t e)
{
	return config->endpoints[e].is_in && config->endpoints[e].checks[c] && config->checks[c].is_in &&
	       !config->checks[c].is_warning;
}

static bool is_watched(const struct sim_config *config, uint32_t e)
{
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		if (is_voting(config, c, e))
			return true;
	}
	return false;
}

static enum observation_state view_of(const struct sim *sim, uint32_t a, uint32_t c, uint32_t e)
{
	const struct sim_check *check = &sim->config.checks[c];
	const struct oracle_agent *agent = &sim->known[a];
	const struct oracle_view *view = &sim->views[a][c][e];
	int64_t period_ms = check->interval_ms > sim->config.report_ms ? check->interval_ms : sim->config.report_ms;
	int64_t round_ms = (int64_t)(check->fall > check->rise ? check->fall : check->rise) * check->interval_ms;
	if (!is_assigned(&sim->config, a, c, e) || agent->received_ms == SIM_NEVER || agent->is_revoked ||
	    agent->is_blind || view->state == OBSERVATION_UNKNOWN)
		return OBSERVATION_UNKNOWN;
	if (sim->now_ms > agent->received_ms + 3 * period_ms)
		return OBSERVATION_UNKNOWN;
	if (sim->now_ms > view->confirmed_ms + 3 * period_ms + round_ms + check->timeout_ms)
		return OBSERVATION_UNKNOWN;
	return view->state;
}

struct count {
	uint32_t agents;
	uint32_t up;
	uint32_t down;
	uint32_t honest_down;
	uint32_t liars;
};

static struct count count_of(const struct sim *sim, uint32_t c, uint32_t e)
{
	struct count count = {0};
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		if (!is_assigned(&sim->config, a, c, e))
			continue;
		enum observation_state state = view_of(sim, a, c, e);
		count.agents++;
		count.up += state == OBSERVATION_UP || state == OBSERVATION_FAILING;
		count.down += state == OBSERVATION_DOWN;
		count.honest_down += state == OBSERVATION_DOWN && !sim->agents[a].is_liar;
		count.liars += sim->agents[a].is_liar;
	}
	return count;
}

static uint32_t quorum_of(const struct sim *sim, uint32_t c, const struct count *count)
{
	uint32_t quorum = sim->config.checks[c].quorum;
	if (quorum == 0)
		quorum = count->agents / 2 + 1;
	if (quorum > count->agents)
		quorum = count->agents;
	return quorum == 0 ? 1 : quorum;
}

/* --- what happens ---------------------------------------------------------------------------------------------- */

static void forget_endpoint(struct oracle_endpoint *endpoint)
{
	*endpoint = (struct oracle_endpoint){
		.committed = MODEL_STATE_UNKNOWN, .removed_ms = SIM_NEVER, .hold_from_ms = SIM_NEVER};
}

void oracle_configure(struct sim *sim, const struct sim_config *before)
{
	const struct sim_config *after = &sim->config;
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		if (!before->agents[a] || !after->agents[a])
			sim->known[a] = (struct oracle_agent){.received_ms = SIM_NEVER};
		for (uint32_t i = 0; i < SIM_ITEMS; i++) {
			uint32_t c = i % SIM_CHECKS;
			uint32_t e = i / SIM_CHECKS;
			bool stays = is_assigned(before, a, c, e) && is_assigned(after, a, c, e) &&
				     before->checks[c].fingerprint == after->checks[c].fingerprint &&
				     before->endpoints[e].fingerprint == after->endpoints[e].fingerprint;
			if (!stays)
				sim->views[a][c][e] = (struct oracle_view){.state = OBSERVATION_UNKNOWN};
		}
	}
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		if (!before->endpoints[e].is_in || !is_watched(after, e))
			forget_endpoint(&sim->endpoints[e]);
	}
}

static bool was_boot(const struct oracle_agent *agent, uint64_t boot)
{
	for (uint32_t i = 0; i < agent->boot_count; i++) {
		if (agent->boots[i] == boot)
			return true;
	}
	return false;
}

static void take_in(struct sim *sim, const struct sim_message *message)
{
	uint32_t a = message->agent;
	uint32_t next = 0;
	for (uint32_t i = 0; i < SIM_ITEMS; i++) {
		uint32_t c = i % SIM_CHECKS;
		uint32_t e = i / SIM_CHECKS;
		if (!is_assigned(&sim->config, a, c, e))
			continue;
		sim->views[a][c][e].state = message->items[next].state;
		sim->views[a][c][e].confirmed_ms = sim->now_ms - message->items[next].age_ms;
		next++;
	}
}

static uint32_t report_size(const struct sim *sim, uint32_t a)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < SIM_ITEMS; i++)
		count += is_assigned(&sim->config, a, i % SIM_CHECKS, i / SIM_CHECKS);
	return count;
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
	take_in(sim, message);
	return VEER_OK;
}

void oracle_restart(struct sim *sim, bool knows_age)
{
	memset(sim->views, 0, sizeof sim->views);
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		bool is_revoked = sim->known[a].is_revoked;
		sim->known[a] = (struct oracle_agent){.received_ms = SIM_NEVER, .is_revoked = is_revoked};
	}
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		struct oracle_endpoint *endpoint = &sim->endpoints[e];
		if (endpoint->committed != MODEL_STATE_DOWN)
			endpoint->removed_ms = SIM_NEVER; /* the store does not tell of removals that were undone */
		else if (!knows_age)
			endpoint->hold_from_ms = sim->now_ms;
		endpoint->accused =
			endpoint->committed == MODEL_STATE_DOWN ? UINT32_MAX : 0; /* nobody remembers which */
	}
}

void oracle_commit(struct sim *sim, uint32_t e, bool is_taken)
{
	struct oracle_endpoint *endpoint = &sim->endpoints[e];
	if (is_taken) {
		endpoint->committed = endpoint->flight;
		if (endpoint->flight == MODEL_STATE_DOWN)
			endpoint->removed_ms = endpoint->hold_from_ms = sim->now_ms;
	} else {
		endpoint->has_failed_commit = true;
	}
	if (endpoint->committed == MODEL_STATE_UP)
		endpoint->accused = 0;
	endpoint->flight = MODEL_STATE_UNKNOWN;
}

/* --- proposals ------------------------------------------------------------------------------------------------- */

struct scope {
	uint32_t endpoints;
	uint32_t sites;
	uint32_t removed; /* in the window, in flight included */
	uint32_t removed_sites;
};

static struct scope scope_of(const struct sim *sim)
{
	struct scope scope = {0};
	bool has[SIM_ENDPOINTS] = {false};
	bool lost[SIM_ENDPOINTS] = {false};
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		const struct oracle_endpoint *endpoint = &sim->endpoints[e];
		uint32_t site = sim->config.endpoints[e].site;
		if (!is_watched(&sim->config, e))
			continue;
		bool is_lost = endpoint->flight == MODEL_STATE_DOWN ||
			       (endpoint->removed_ms != SIM_NEVER && sim->now_ms - endpoint->removed_ms <= WINDOW_MS);
		scope.endpoints++;
		scope.sites += !has[site];
		scope.removed += is_lost;
		scope.removed_sites += is_lost && !lost[site];
		has[site] = true;
		lost[site] = lost[site] || is_lost;
	}
	return scope;
}

static bool is_braked(const struct sim *sim)
{
	struct scope scope = scope_of(sim);
	return !sim->config.is_brake_off && scope.endpoints >= 8 && scope.sites >= 4;
}

/* [S9], with the new removal already in flight. */
static void check_brake(struct sim *sim, const char *key)
{
	struct scope scope = scope_of(sim);
	uint32_t most = scope.endpoints / 4 > 1 ? scope.endpoints / 4 : 1;
	if (is_braked(sim) && scope.removed > most && scope.removed_sites > 1)
		sim_fail(sim, "S9: %s is removal %u of %u at %u sites within a minute", key, scope.removed,
			 scope.endpoints, scope.removed_sites);
}

static uint32_t hold_s_of(const struct sim *sim, uint32_t e)
{
	uint32_t hold_s = 0;
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		if (is_voting(&sim->config, c, e) && sim->config.checks[c].hold_s > hold_s)
			hold_s = sim->config.checks[c].hold_s;
	}
	return hold_s;
}

/* [S6]: the check named has q agents that say so, and the evidence is what the oracle knows. */
static void check_backing(struct sim *sim, const struct verdict_transition *t, uint32_t e)
{
	uint32_t c = world_check_number(t->check);
	if (c >= SIM_CHECKS || !is_voting(&sim->config, c, e)) {
		sim_fail(sim, "S6: %s is decided by %s, which does not vote on it", t->endpoint, t->check);
		return;
	}
	struct count count = count_of(sim, c, e);
	uint32_t quorum = quorum_of(sim, c, &count);
	uint32_t agree = t->to == MODEL_STATE_DOWN ? count.down : count.up;
	if (agree < quorum || t->quorum != quorum)
		sim_fail(sim, "S6: %s goes %s with %u agents of quorum %u (%u)", t->endpoint, model_state_text(t->to),
			 agree, quorum, t->quorum);
	if (t->to == MODEL_STATE_DOWN && count.liars < quorum && count.honest_down == 0)
		sim_fail(sim, "S7: %u liars pull %s down", count.liars, t->endpoint);
	uint32_t votes = 0;
	for (uint32_t i = 0; i < t->vote_count; i++) {
		enum observation_state state = t->votes[i].state;
		bool is_up = state == OBSERVATION_UP || state == OBSERVATION_FAILING;
		if (strcmp(t->votes[i].check, t->check) == 0)
			votes += t->to == MODEL_STATE_DOWN ? state == OBSERVATION_DOWN : is_up;
	}
	if (votes != agree)
		sim_fail(sim, "S6: the evidence for %s holds %u votes, not %u", t->endpoint, votes, agree);
}

/* [S5] for a return: all voting checks have a quorum of fresh views, and none has a quorum against it. */
static void check_return(struct sim *sim, const struct verdict_transition *t, uint32_t e)
{
	const struct oracle_endpoint *endpoint = &sim->endpoints[e];
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		if (!is_voting(&sim->config, c, e))
			continue;
		struct count count = count_of(sim, c, e);
		uint32_t quorum = quorum_of(sim, c, &count);
		if (count.up + count.down < quorum)
			sim_fail(sim, "S5: %s goes up while %u of %u speak on %s", t->endpoint, count.up + count.down,
				 quorum, world_check_name(c));
		if ((endpoint->accused >> c & 1) != 0 && count.up < quorum)
			sim_fail(sim, "S6: %s returns, but %s, which took it down, has %u of %u for it", t->endpoint,
				 world_check_name(c), count.up, quorum);
		if (count.down >= quorum)
			sim_fail(sim, "S6: %s goes up while %u see it down on %s", t->endpoint, count.down,
				 world_check_name(c));
	}
	if (t->from == MODEL_STATE_DOWN && endpoint->removed_ms != SIM_NEVER &&
	    sim->now_ms - endpoint->removed_ms < (int64_t)hold_s_of(sim, e) * 1000)
		sim_fail(sim, "S12: %s returns %lld ms after its removal", t->endpoint,
			 (long long)(sim->now_ms - endpoint->removed_ms));
}

void oracle_proposal(struct sim *sim, const struct verdict_transition *t)
{
	uint32_t e = world_endpoint_number(t->endpoint);
	if (e >= SIM_ENDPOINTS || !sim->config.endpoints[e].is_in) {
		sim_fail(sim, "a proposal for %s, which is not there", t->endpoint);
		return;
	}
	struct oracle_endpoint *endpoint = &sim->endpoints[e];
	if (endpoint->flight != MODEL_STATE_UNKNOWN)
		sim_fail(sim, "%s is proposed while a proposal is in flight", t->endpoint);
	if (t->from != endpoint->committed || t->to == t->from || t->to == MODEL_STATE_UNKNOWN)
		sim_fail(sim, "S20: %s from %s to %s, the store has %s", t->endpoint, model_state_text(t->from),
			 model_state_text(t->to), model_state_text(endpoint->committed));
	if (sim->config.is_frozen)
		sim_fail(sim, "S11: %s is proposed while frozen", t->endpoint);
	check_backing(sim, t, e);
	endpoint->flight = t->to;
	if (t->to == MODEL_STATE_UP)
		check_return(sim, t, e);
	else
		check_brake(sim, t->endpoint);
	if (t->to == MODEL_STATE_DOWN)
		endpoint->accused |= 1u << (world_check_number(t->check) % SIM_CHECKS);
}

/* --- at any time ----------------------------------------------------------------------------------------------- */

static void check_views(struct sim *sim, uint32_t index, uint32_t e)
{
	struct verdict_vote votes[SIM_AGENTS * SIM_CHECKS];
	uint32_t count = verdict_votes(sim->engine, index, sim->now_ms, votes, SIM_AGENTS * SIM_CHECKS);
	uint32_t next = 0;
	for (uint32_t i = 0; i < SIM_AGENTS * SIM_CHECKS; i++) {
		uint32_t c = i / SIM_AGENTS;
		uint32_t a = i % SIM_AGENTS;
		if (!is_assigned(&sim->config, a, c, e))
			continue;
		enum observation_state state = view_of(sim, a, c, e);
		if (next >= count || strcmp(votes[next].agent, world_agent_id(a)) != 0 ||
		    strcmp(votes[next].check, world_check_name(c)) != 0 || votes[next].state != state)
			sim_fail(sim, "S14: the view of %s on %s by %s is not '%s'", world_agent_id(a),
				 world_endpoint_key(e), world_check_name(c), observation_state_text(state));
		next++;
	}
	if (next != count)
		sim_fail(sim, "%s has %u votes, not %u", world_endpoint_key(e), count, next);
}

void oracle_check_state(struct sim *sim)
{
	uint32_t index = 0;
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
		check_views(sim, index, e);
		index++;
	}
}

/* --- progress -------------------------------------------------------------------------------------------------- */

/* [L1] as far as the engine is concerned: a quorum sees it down now. */
static bool must_be_down(const struct sim *sim, uint32_t e)
{
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		struct count count = count_of(sim, c, e);
		if (is_voting(&sim->config, c, e) && count.down >= quorum_of(sim, c, &count))
			return true;
	}
	return false;
}

/* [L2]: a quorum sees it up on all checks, and the longest possible hold is over. */
static bool must_be_up(const struct sim *sim, uint32_t e)
{
	const struct oracle_endpoint *endpoint = &sim->endpoints[e];
	int64_t hold_ms = (int64_t)hold_s_of(sim, e) * 1000 * 16;
	if (!is_watched(&sim->config, e))
		return false;
	if (endpoint->hold_from_ms != SIM_NEVER && sim->now_ms - endpoint->hold_from_ms < hold_ms)
		return false;
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		struct count count = count_of(sim, c, e);
		uint32_t quorum = quorum_of(sim, c, &count);
		if (is_voting(&sim->config, c, e) && (count.up < quorum || count.down >= quorum))
			return false;
	}
	return true;
}

void oracle_check_progress(struct sim *sim)
{
	struct scope scope = scope_of(sim);
	bool is_one_due = false;
	/* A failed commit was counted while it was in flight, and a restarted engine may take old removals for new. */
	bool counts_more = sim_has(sim, SIM_RESTART);
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++)
		counts_more = counts_more || sim->endpoints[e].has_failed_commit;
	bool may_wait = is_braked(sim) && (scope.removed > 0 || counts_more); /* [S9, L5] */
	for (uint32_t e = 0; e < SIM_ENDPOINTS && !sim->config.is_frozen; e++) {
		const struct oracle_endpoint *endpoint = &sim->endpoints[e];
		if (!sim->config.endpoints[e].is_in || endpoint->flight != MODEL_STATE_UNKNOWN ||
		    endpoint->has_failed_commit)
			continue;
		if (must_be_down(sim, e)) {
			is_one_due = is_one_due || endpoint->committed != MODEL_STATE_DOWN;
			if (endpoint->committed != MODEL_STATE_DOWN && !may_wait)
				sim_fail(sim, "L1: %s is dead and stays %s", world_endpoint_key(e),
					 model_state_text(endpoint->committed));
		} else if (must_be_up(sim, e) && endpoint->committed != MODEL_STATE_UP) {
			sim_fail(sim, "L2: %s is alive and stays %s", world_endpoint_key(e),
				 model_state_text(endpoint->committed));
		}
	}
	uint32_t most = scope.endpoints / 4 > 1 ? scope.endpoints / 4 : 1;
	if (is_one_due && may_wait && scope.removed < most && !counts_more)
		sim_fail(sim, "L1: the brake holds at %u removals, %u are allowed", scope.removed, most);
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++)
		sim->endpoints[e].has_failed_commit = false;
}

void oracle_suspicion(struct sim *sim, const struct verdict_suspicion *s)
{
	uint32_t e = world_endpoint_number(s->endpoint);
	uint32_t c = world_check_number(s->check);
	bool has_failing = false;
	if (e >= SIM_ENDPOINTS || c >= SIM_CHECKS || s->agent_count == 0) {
		sim_fail(sim, "a second look at nothing");
		return;
	}
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		enum observation_state state = sim->views[a][c][e].state;
		bool is_failing = state == OBSERVATION_DOWN || state == OBSERVATION_FAILING;
		has_failing = has_failing || is_failing;
		for (uint32_t i = 0; i < s->agent_count; i++) {
			if (strcmp(s->agents[i], world_agent_id(a)) == 0 &&
			    (is_failing || !is_assigned(&sim->config, a, c, e) || sim->known[a].is_revoked))
				sim_fail(sim, "%s is asked to look at %s again", s->agents[i], s->endpoint);
		}
	}
	/* A failing view may have gone again between report and question; then asking is needless, not wrong. */
	(void)has_failing;
}
