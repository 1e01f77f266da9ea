/* SPDX-License-Identifier: Apache-2.0 */
/* Judges what the engine proposes and shows. The names in brackets are those of the invariants. */
#include <math.h>
#include <string.h>

#include "tests/sim/sim.h"

#define WINDOW_MS 60000

/* --- the hold [S12] ------------------------------------------------------------------------------------------------
 */

uint32_t oracle_hold_s(const struct sim *sim, uint32_t e)
{
	uint32_t hold_s = 0;
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		if (oracle_is_voting(&sim->config, c, e) && sim->config.checks[c].hold_s > hold_s)
			hold_s = sim->config.checks[c].hold_s;
	}
	return hold_s;
}

double oracle_penalty(const struct sim *sim, uint32_t e)
{
	const struct oracle_endpoint *endpoint = &sim->endpoints[e];
	double half_ms = oracle_hold_s(sim, e) * 30e3 < 60e3 ? 60e3 : oracle_hold_s(sim, e) * 30e3;
	double left = 0;
	if (endpoint->hold_from_ms != SIM_NEVER) {
		double halves = (double)(sim->now_ms - endpoint->hold_from_ms) / half_ms;
		left = endpoint->penalty * pow(0.5, floor(halves)) * (1 - (halves - floor(halves)) / 2);
	}
	left = left < 0.01 ? 0 : left;
	return left + 1 > 5 ? 5 : left + 1;
}

double oracle_hold_ms(const struct sim *sim, uint32_t e)
{
	double excess = sim->endpoints[e].penalty > 1 ? sim->endpoints[e].penalty - 1 : 0;
	return oracle_hold_s(sim, e) * 1e3 * pow(2, floor(excess)) * (1 + excess - floor(excess));
}

/*
 * Which part of the hold has passed. Below 0.98 the hold must last, above 1.02 it must be over (the penalty is counted
 * in thousandths, and a penalty below a hundredth is forgotten).
 */
static double held(const struct sim *sim, uint32_t e)
{
	double hold_ms = oracle_hold_ms(sim, e);
	const struct oracle_endpoint *endpoint = &sim->endpoints[e];
	if (endpoint->hold_from_ms == SIM_NEVER || endpoint->committed != MODEL_STATE_DOWN || hold_ms <= 0)
		return 2;
	return (double)(sim->now_ms - endpoint->hold_from_ms) / hold_ms;
}

/* --- the brake [S9] ------------------------------------------------------------------------------------------------
 */

struct scope {
	uint32_t endpoints;
	uint32_t sites;
	uint32_t removed; /* in the window, those in flight included */
	uint32_t domains; /* domains of the removed ones, counted up to 2 */
	const char *domain;
	uint32_t limit;
};

static bool is_removed(const struct sim *sim, uint32_t e)
{
	const struct oracle_endpoint *endpoint = &sim->endpoints[e];
	return endpoint->flight == MODEL_STATE_DOWN ||
	       (endpoint->removed_ms != SIM_NEVER && sim->now_ms - endpoint->removed_ms <= WINDOW_MS);
}

static struct scope scope_of(const struct sim *sim)
{
	struct scope scope = {0};
	uint32_t sites = 0;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		const char *domain = world_domain(&sim->config, e);
		if (!oracle_is_watched(&sim->config, e))
			continue;
		scope.endpoints++;
		sites |= 1u << sim->config.endpoints[e].site;
		if (!is_removed(sim, e))
			continue;
		scope.removed++;
		scope.domains += scope.domain == NULL || (scope.domains == 1 && strcmp(scope.domain, domain) != 0);
		scope.domain = domain;
	}
	uint32_t percent = sim->config.percent > 0 ? sim->config.percent : 25;
	scope.sites = oracle_bits(sites);
	scope.limit = scope.endpoints * percent / 100 > 1 ? scope.endpoints * percent / 100 : 1;
	return scope;
}

static bool is_braked(const struct sim *sim, const struct scope *scope)
{
	return !sim->config.is_brake_off && scope->endpoints >= 8 && scope->sites >= 4;
}

/* Check the brake with the new removal already in flight. */
static void check_brake(struct sim *sim, const char *key)
{
	struct scope scope = scope_of(sim);
	if (is_braked(sim, &scope) && scope.removed > scope.limit && scope.domains > 1)
		sim_fail(sim, "S9: %s is removal %u of %u, in %u domains within a minute", key, scope.removed,
			 scope.endpoints, scope.domains);
}

/* --- proposals ------------------------------------------------------------------------------------------------- */

static bool agrees(const struct verdict_vote *vote, enum model_state to)
{
	return to == MODEL_STATE_DOWN ? vote->state == OBSERVATION_DOWN
				      : vote->state == OBSERVATION_UP || vote->state == OBSERVATION_FAILING;
}

/* [S6]: the evidence contains q agents in R regions that agree; and a wrong verdict needs at least q liars [S7]. */
static void check_votes(struct sim *sim, const struct verdict_transition *t, uint32_t c, uint32_t e)
{
	const struct oracle_value *value = oracle_value_of(sim, c, e);
	uint32_t votes = 0;
	uint32_t regions = 0;
	uint32_t honest = 0;
	for (uint32_t i = 0; i < t->vote_count; i++) {
		if (strcmp(t->votes[i].check, t->check) != 0 || !agrees(&t->votes[i], t->to))
			continue;
		votes++;
		for (uint32_t a = 0; a < SIM_AGENTS; a++)
			honest += strcmp(t->votes[i].agent, world_agent_id(a)) == 0 && !sim->known[a].was_bad;
		for (uint32_t r = 0; r < SIM_REGIONS; r++)
			regions |= strcmp(t->votes[i].region, world_region(r)) == 0 ? 1u << r : 0;
	}
	if (votes < value->quorum || t->quorum != value->quorum)
		sim_fail(sim, "S6: %s goes %s with %u agents of quorum %u (%u)", t->endpoint, model_state_text(t->to),
			 votes, value->quorum, t->quorum);
	if (c < SIM_PROBED && (oracle_bits(regions) < value->regions || t->regions != value->regions))
		sim_fail(sim, "S6: %s goes %s with votes of %u regions, not %u", t->endpoint, model_state_text(t->to),
			 oracle_bits(regions), value->regions);
	if (c < SIM_PROBED && honest == 0 && value->bad < value->quorum)
		sim_fail(sim, "S7: %s goes %s by liars alone", t->endpoint, model_state_text(t->to));
}

static void check_backing(struct sim *sim, const struct verdict_transition *t, uint32_t e)
{
	uint32_t c = world_check_number(t->check);
	if (c >= SIM_CHECKS || !oracle_is_voting(&sim->config, c, e)) {
		sim_fail(sim, "S6: %s is decided by %s, which does not vote on it", t->endpoint, t->check);
		return;
	}
	const struct oracle_value *value = oracle_value_of(sim, c, e);
	if (value->value != t->to)
		sim_fail(sim, "S6: %s goes %s by %s, which is %s now", t->endpoint, model_state_text(t->to), t->check,
			 model_state_text(value->value));
	if (c <= SIM_PUSH)
		check_votes(sim, t, c, e);
	else if (t->quorum != (t->to == MODEL_STATE_UP ? value->quorum : value->agents - value->quorum + 1))
		sim_fail(sim, "S6: %s needs %u parts of %s, not %u", t->endpoint, value->quorum, t->check, t->quorum);
}

/* [S5] for a return: all voting checks can be decided now, and none is against it. */
static void check_return(struct sim *sim, const struct verdict_transition *t, uint32_t e)
{
	const struct oracle_endpoint *endpoint = &sim->endpoints[e];
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		const struct oracle_value *value = oracle_value_of(sim, c, e);
		if (!oracle_is_voting(&sim->config, c, e))
			continue;
		uint32_t regions = oracle_bits(value->up_regions | value->down_regions);
		if (c <= SIM_PUSH &&
		    (value->up + value->down < value->quorum || (c < SIM_PUSH && regions < value->regions)))
			sim_fail(sim, "S5: %s goes up while %u of %u speak on %s", t->endpoint, value->up + value->down,
				 value->quorum, world_check_name(c));
		if ((endpoint->accused >> c & 1) != 0 && value->value != MODEL_STATE_UP)
			sim_fail(sim, "S6: %s returns, but %s, which took it down, has %u of %u for it", t->endpoint,
				 world_check_name(c), value->up, value->quorum);
		if (value->value == MODEL_STATE_DOWN)
			sim_fail(sim, "S6: %s goes up while %s is down", t->endpoint, world_check_name(c));
	}
	if (t->from == MODEL_STATE_DOWN && held(sim, e) < 0.98)
		sim_fail(sim, "S12: %s returns after %.3f of its hold of %.0f ms", t->endpoint, held(sim, e),
			 oracle_hold_ms(sim, e));
}

/* Is the agent's view an observation of this episode: one that agrees, or a first failure before the latest? */
static bool is_of_episode(const struct sim *sim, const struct verdict_transition *t, uint32_t c, uint32_t e, uint32_t a,
			  int64_t latest_ms)
{
	enum verdict_mark mark;
	enum observation_state state = oracle_view_of(sim, a, c, e, &mark);
	if (t->to != MODEL_STATE_DOWN)
		return state == OBSERVATION_UP;
	return state == OBSERVATION_DOWN ||
	       (state == OBSERVATION_FAILING && latest_ms != SIM_NEVER && sim->views[a][c][e].turned_ms <= latest_ms);
}

/* Check when the episode began: go back from the latest agreeing vote as long as the gaps are not too long. */
static void check_first(struct sim *sim, const struct verdict_transition *t, uint32_t c, uint32_t e)
{
	bool is_counted[SIM_AGENTS] = {false};
	const struct oracle_endpoint *endpoint = &sim->endpoints[e];
	int64_t first_ms = SIM_NEVER, latest_ms = SIM_NEVER;
	for (bool found = true; found;) {
		uint32_t best = SIM_AGENTS;
		found = false;
		for (uint32_t a = 0; a < SIM_AGENTS; a++) {
			if (!oracle_is_assigned(&sim->config, a, c, e) || is_counted[a] ||
			    (sim->trust[c][a].is_suspect && !oracle_value_of(sim, c, e)->counts_suspects) ||
			    !is_of_episode(sim, t, c, e, a, latest_ms))
				continue;
			int64_t turned_ms = sim->views[a][c][e].turned_ms;
			if (t->to == MODEL_STATE_UP && endpoint->committed == MODEL_STATE_DOWN &&
			    endpoint->hold_from_ms != SIM_NEVER && turned_ms < endpoint->hold_from_ms)
				continue;
			if (best == SIM_AGENTS || turned_ms > sim->views[best][c][e].turned_ms)
				best = a;
		}
		if (best == SIM_AGENTS)
			break;
		int64_t turned_ms = sim->views[best][c][e].turned_ms;
		found = first_ms == SIM_NEVER || first_ms - turned_ms <= oracle_settle_ms(&sim->config, c);
		first_ms = found ? turned_ms : first_ms;
		latest_ms = latest_ms == SIM_NEVER ? turned_ms : latest_ms;
		is_counted[best] = true;
	}
	int64_t expected = first_ms == SIM_NEVER ? 0 : sim->now_ms - first_ms;
	if (t->first_ms_ago != expected)
		sim_fail(sim, "%s was first seen %lld ms ago, not %lld", t->endpoint, (long long)expected,
			 (long long)t->first_ms_ago);
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
	if (world_check_number(t->check) < SIM_PROBED)
		check_first(sim, t, world_check_number(t->check), e);
	if (t->to == MODEL_STATE_UP)
		check_return(sim, t, e);
	endpoint->flight = t->to;
	endpoint->flight_config = sim->config_number;
	if (t->to == MODEL_STATE_DOWN && world_check_number(t->check) == SIM_PUSH && !sim->is_heard[e])
		sim_fail(sim, "S20: %s goes down by the silence of a push that never was", t->endpoint);
	if (t->to == MODEL_STATE_DOWN) {
		check_brake(sim, t->endpoint);
		endpoint->accused |= 1u << (world_check_number(t->check) % SIM_CHECKS);
	}
}

/* --- progress -------------------------------------------------------------------------------------------------- */

/*
 * [L1] as far as it concerns the engine: a quorum saw it down at the tick and still does. [S7]: with a quorum of agents
 * that were never bad, the item is down whether or not they are suspect.
 */
static bool must_be_down(struct sim *sim, uint32_t e)
{
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		const struct oracle_value *value = oracle_value_of(sim, c, e);
		if (!oracle_is_voting(&sim->config, c, e))
			continue;
		if (value->value == MODEL_STATE_DOWN && sim->ticked[c][e] == MODEL_STATE_DOWN)
			return true;
		if (c < SIM_PROBED && !sim->is_tainted[c] && sim->honest_ticked[c][e] &&
		    value->honest_down >= value->quorum && oracle_bits(value->honest_regions) >= value->regions)
			return true;
	}
	return false;
}

/* [L2]: a quorum sees it up on all checks. The hold is checked elsewhere. */
static bool is_all_up(struct sim *sim, uint32_t e)
{
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		if (oracle_is_voting(&sim->config, c, e) &&
		    (oracle_value_of(sim, c, e)->value != MODEL_STATE_UP || sim->ticked[c][e] != MODEL_STATE_UP))
			return false;
	}
	return oracle_is_watched(&sim->config, e);
}

static bool lacks_quorum(struct sim *sim, uint32_t e)
{
	bool lacks = false;
	for (uint32_t c = 0; c <= SIM_PUSH; c++) {
		const struct oracle_value *value = oracle_value_of(sim, c, e);
		lacks = lacks || (oracle_is_voting(&sim->config, c, e) && value->up + value->down < value->quorum);
	}
	return lacks;
}

/* Something is due but is not proposed: the reason must be the one in `wait` [L5]. */
static void check_wait(struct sim *sim, uint32_t e, const struct verdict_endpoint_status *status,
		       const struct scope *scope)
{
	const struct oracle_endpoint *endpoint = &sim->endpoints[e];
	enum verdict_wait wait = status->wait;
	bool is_down_due = must_be_down(sim, e) && endpoint->committed != MODEL_STATE_DOWN;
	bool is_up_due = !must_be_down(sim, e) && is_all_up(sim, e) && endpoint->committed != MODEL_STATE_UP;
	bool is_right = true;
	if (!oracle_is_watched(&sim->config, e))
		is_right = wait == VERDICT_WAIT_NO_CHECK;
	else if (endpoint->flight != MODEL_STATE_UNKNOWN)
		is_right = wait == VERDICT_WAIT_COMMIT;
	else if (endpoint->has_failed_commit)
		is_right = true; /* may be proposed again */
	else if ((is_down_due || is_up_due) && sim->config.is_frozen)
		is_right = wait == VERDICT_WAIT_FROZEN;
	else if (is_down_due)
		is_right = wait == VERDICT_WAIT_BRAKE && is_braked(sim, scope);
	else if (is_up_due)
		is_right = wait == VERDICT_WAIT_HOLD && held(sim, e) <= 1.02 && status->hold_left_ms > 0 &&
			   fabs((double)status->hold_left_ms - (1 - held(sim, e)) * oracle_hold_ms(sim, e)) <=
				   0.02 * oracle_hold_ms(sim, e) + 1;
	else if (lacks_quorum(sim, e) && !must_be_down(sim, e))
		is_right = wait == VERDICT_WAIT_NO_QUORUM || wait == VERDICT_WAIT_HOLD || wait == VERDICT_WAIT_BRAKE ||
			   wait == VERDICT_WAIT_FROZEN;
	else
		is_right = wait != VERDICT_WAIT_COMMIT && wait != VERDICT_WAIT_NO_CHECK;
	if (!is_right)
		sim_fail(sim, "%s: %s, verdict %s, waits for %s%s", is_down_due ? "L1" : "L2", world_endpoint_key(e),
			 model_state_text(endpoint->committed), verdict_wait_text(wait),
			 is_down_due ? " though it is dead"
			 : is_up_due ? " though it is alive"
				     : "");
}

/*
 * Can it be removed without a breach of [S9]? An endpoint that was removed and came back within the window is counted
 * already.
 */
static bool has_room(const struct sim *sim, uint32_t e, const struct scope *scope)
{
	uint32_t others = scope->removed - is_removed(sim, e);
	return others + 1 <= scope->limit ||
	       (scope->domains == 1 && strcmp(scope->domain, world_domain(&sim->config, e)) == 0);
}

/* The brake may hold only what it must hold [L5]. */
static void check_brake_status(struct sim *sim, const struct scope *scope)
{
	struct verdict_brake_status brake;
	verdict_brake_at(sim->engine, sim->now_ms, &brake);
	/* a failed commit was counted while it was in flight, and an endpoint that came back is still counted */
	bool counts_more = false;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++)
		counts_more = counts_more || sim->endpoints[e].has_failed_commit;
	if (brake.is_engaged != is_braked(sim, scope) || brake.endpoints != scope->endpoints ||
	    brake.sites != scope->sites || brake.limit != scope->limit)
		sim_fail(sim, "S9: the brake is%s engaged for %u endpoints at %u sites, limit %u",
			 brake.is_engaged ? "" : " not", brake.endpoints, brake.sites, brake.limit);
	if (counts_more || sim_has(sim, SIM_RESTART))
		return;
	if (brake.removed != scope->removed || (brake.domain == NULL) != (scope->domains != 1))
		sim_fail(sim, "S9: the brake counts %u removals, not %u", brake.removed, scope->removed);
	uint32_t held = 0;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		struct oracle_endpoint *endpoint = &sim->endpoints[e];
		if (endpoint->flight != MODEL_STATE_UNKNOWN || endpoint->committed == MODEL_STATE_DOWN ||
		    sim->config.is_frozen || !must_be_down(sim, e))
			continue;
		held++;
		if (has_room(sim, e, scope))
			sim_fail(sim, "L5: the brake holds %s at %u removals in %u domains, %u are allowed",
				 world_endpoint_key(e), scope->removed, scope->domains, scope->limit);
	}
	if (brake.held < held)
		sim_fail(sim, "L5: the brake says that it holds %u, not %u", brake.held, held);
	sim->holds += held > 0;
}

void oracle_check_progress(struct sim *sim)
{
	struct scope scope = scope_of(sim);
	uint32_t index = 0;
	for (uint32_t e = 0; e < SIM_ENDPOINTS && sim->failure[0] == '\0'; e++) {
		struct verdict_endpoint_status status;
		if (!sim->config.endpoints[e].is_in || !verdict_endpoint_at(sim->engine, index++, sim->now_ms, &status))
			continue;
		check_wait(sim, e, &status, &scope);
		bool is_doubted = sim->is_bad_ticked[e] && sim->endpoints[e].committed != MODEL_STATE_DOWN;
		if (status.is_doubted != is_doubted)
			sim_fail(sim, "%s is%s in doubt", world_endpoint_key(e), is_doubted ? " not" : "");
	}
	if (sim->failure[0] == '\0')
		check_brake_status(sim, &scope);
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++)
		sim->endpoints[e].has_failed_commit = false;
}

void oracle_suspicion(struct sim *sim, const struct verdict_suspicion *s)
{
	uint32_t e = world_endpoint_number(s->endpoint);
	uint32_t c = world_check_number(s->check);
	if (e >= SIM_ENDPOINTS || c >= SIM_PROBED || s->agent_count == 0) {
		sim_fail(sim, "a second look at nothing");
		return;
	}
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		enum observation_state state = sim->views[a][c][e].state;
		bool is_failing = state == OBSERVATION_DOWN || state == OBSERVATION_FAILING;
		for (uint32_t i = 0; i < s->agent_count; i++) {
			if (strcmp(s->agents[i], world_agent_id(a)) == 0 &&
			    (is_failing || !oracle_is_assigned(&sim->config, a, c, e) || sim->known[a].is_revoked))
				sim_fail(sim, "%s is asked to look at %s again", s->agents[i], s->endpoint);
		}
	}
}
