/* SPDX-License-Identifier: Apache-2.0 */
/* What views and items count as, according to the oracle. */
#include <string.h>

#include "tests/sim/sim.h"

uint32_t oracle_bits(uint32_t mask)
{
	uint32_t count = 0;
	for (; mask != 0; mask >>= 1)
		count += mask & 1;
	return count;
}

bool oracle_is_assigned(const struct sim_config *config, uint32_t a, uint32_t c, uint32_t e)
{
	return c < SIM_PROBED && config->agents[a] && config->checks[c].agents[a] &&
	       config->endpoints[e].items[c] != SIM_ITEM_NONE;
}

bool oracle_is_voting(const struct sim_config *config, uint32_t c, uint32_t e)
{
	return config->endpoints[e].items[c] == SIM_ITEM_LISTED && !config->checks[c].is_warning;
}

bool oracle_is_watched(const struct sim_config *config, uint32_t e)
{
	for (uint32_t c = 0; c < SIM_CHECKS; c++) {
		if (oracle_is_voting(config, c, e))
			return true;
	}
	return false;
}

static int64_t period_ms(const struct sim_config *config, uint32_t c)
{
	uint32_t interval_ms = config->checks[c].interval_ms;
	return interval_ms > config->report_ms ? interval_ms : config->report_ms;
}

static int64_t stuck_ms(const struct sim_config *config, uint32_t c)
{
	const struct sim_check *check = &config->checks[c];
	int64_t round_ms = (int64_t)(check->fall > check->rise ? check->fall : check->rise) * check->interval_ms;
	return 3 * period_ms(config, c) + round_ms + check->timeout_ms;
}

int64_t oracle_settle_ms(const struct sim_config *config, uint32_t c)
{
	int64_t settle_ms = 2 * stuck_ms(config, c);
	return settle_ms < 10000 ? 10000 : settle_ms;
}

enum observation_state oracle_view_of(const struct sim *sim, uint32_t a, uint32_t c, uint32_t e,
				      enum verdict_mark *mark)
{
	const struct oracle_agent *agent = &sim->known[a];
	const struct oracle_view *view = &sim->views[a][c][e];
	*mark = VERDICT_MARK_NONE;
	if (agent->is_revoked)
		*mark = VERDICT_MARK_REVOKED;
	else if (agent->received_ms == SIM_NEVER || sim->now_ms > agent->received_ms + 3 * period_ms(&sim->config, c))
		*mark = VERDICT_MARK_SILENT;
	else if (agent->is_blind)
		*mark = VERDICT_MARK_BLIND;
	else if (view->state != OBSERVATION_UNKNOWN && sim->now_ms > view->confirmed_ms + stuck_ms(&sim->config, c))
		*mark = VERDICT_MARK_UNCONFIRMED;
	return *mark == VERDICT_MARK_NONE ? view->state : OBSERVATION_UNKNOWN;
}

enum observation_state oracle_push_of(const struct sim *sim, uint32_t e, enum verdict_mark *mark)
{
	const struct oracle_push *push = &sim->pushes[e];
	*mark = VERDICT_MARK_NONE;
	if (push->expires_ms != SIM_NEVER && sim->now_ms >= push->expires_ms) {
		if (sim->config.checks[SIM_PUSH].is_down_on_expiry)
			return OBSERVATION_DOWN;
		*mark = VERDICT_MARK_EXPIRED;
		return OBSERVATION_UNKNOWN;
	}
	if (push->state == MODEL_STATE_UNKNOWN)
		*mark = VERDICT_MARK_SILENT;
	return push->state == MODEL_STATE_UNKNOWN ? OBSERVATION_UNKNOWN
	       : push->state == MODEL_STATE_UP    ? OBSERVATION_UP
						  : OBSERVATION_DOWN;
}

/* N, q and R: they depend only on the configuration. */
static void set_rules(const struct sim *sim, uint32_t c, uint32_t e, struct oracle_value *value)
{
	const struct sim_check *check = &sim->config.checks[c];
	uint32_t regions = 0;
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		if (!oracle_is_assigned(&sim->config, a, c, e))
			continue;
		value->agents++;
		regions |= 1u << sim->config.region[a];
	}
	value->quorum = check->quorum == 0 ? value->agents / 2 + 1 : check->quorum;
	if (value->quorum > value->agents)
		value->quorum = value->agents;
	if (value->quorum == 0)
		value->quorum = 1;
	value->regions = check->regions > oracle_bits(regions) ? oracle_bits(regions) : check->regions;
	if (value->regions == 0)
		value->regions = 1;
}

static void add_view(struct oracle_value *value, enum observation_state state, uint32_t region)
{
	if (state == OBSERVATION_UNKNOWN)
		return;
	if (state == OBSERVATION_DOWN) {
		value->down++;
		value->down_regions |= 1u << region;
	} else {
		value->up++;
		value->up_regions |= 1u << region;
	}
	value->is_bad = value->is_bad || state != OBSERVATION_UP;
}

static bool is_decidable(const struct oracle_value *value)
{
	return value->up + value->down >= value->quorum &&
	       oracle_bits(value->up_regions | value->down_regions) >= value->regions;
}

static void decide(struct oracle_value *value)
{
	value->value = MODEL_STATE_UNKNOWN;
	if (value->up >= value->quorum && oracle_bits(value->up_regions) >= value->regions)
		value->value = MODEL_STATE_UP;
	if (value->down >= value->quorum && oracle_bits(value->down_regions) >= value->regions)
		value->value = MODEL_STATE_DOWN;
}

/*
 * Add the views of trusted agents first, and those of all agents where the trusted ones do not suffice. The agent
 * `other`, if there is one, counts as if it saw `as`.
 */
static void add_views(const struct sim *sim, uint32_t c, uint32_t e, uint32_t other, enum observation_state as,
		      struct oracle_value *value)
{
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t a = 0; a < SIM_AGENTS; a++) {
			enum verdict_mark mark;
			if (!oracle_is_assigned(&sim->config, a, c, e) || sim->trust[c][a].is_suspect != (round == 1))
				continue;
			enum observation_state state = a == other ? as : oracle_view_of(sim, a, c, e, &mark);
			add_view(value, state, sim->config.region[a]);
			if (round == 1 && state != OBSERVATION_UNKNOWN)
				value->counts_suspects = true;
		}
		if (is_decidable(value))
			break;
	}
	decide(value);
}

static void count_honest(const struct sim *sim, uint32_t c, uint32_t e, struct oracle_value *value)
{
	for (uint32_t a = 0; a < SIM_AGENTS; a++) {
		enum verdict_mark mark;
		if (!oracle_is_assigned(&sim->config, a, c, e))
			continue;
		value->bad += sim->known[a].was_bad;
		if (sim->known[a].was_bad || oracle_view_of(sim, a, c, e, &mark) != OBSERVATION_DOWN)
			continue;
		value->honest_down++;
		value->honest_regions |= 1u << sim->config.region[a];
	}
}

static void value_calculated(struct sim *sim, uint32_t c, uint32_t e, struct oracle_value *value)
{
	const struct sim_check *check = &sim->config.checks[c];
	uint32_t bad = 0;
	value->agents = check->lost;
	for (uint32_t k = 0; k < c; k++) {
		if (!check->of[k])
			continue;
		value->agents++;
		if (sim->config.endpoints[e].items[k] == SIM_ITEM_NONE)
			continue;
		const struct oracle_value *part = &sim->values[k][e];
		value->up += part->value == MODEL_STATE_UP;
		value->down += part->value == MODEL_STATE_DOWN;
		bad += part->value == MODEL_STATE_DOWN || part->is_bad;
	}
	value->quorum = check->need == 0 || check->need > value->agents ? value->agents : check->need;
	value->regions = 1;
	if (value->up >= value->quorum)
		value->value = MODEL_STATE_UP;
	else if (value->down > value->agents - value->quorum)
		value->value = MODEL_STATE_DOWN;
	value->is_bad = bad > value->agents - value->quorum;
}

static void value_all(struct sim *sim)
{
	memset(sim->values, 0, sizeof sim->values);
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		for (uint32_t c = 0; c < SIM_CHECKS; c++) {
			struct oracle_value *value = &sim->values[c][e];
			enum verdict_mark mark;
			if (sim->config.endpoints[e].items[c] == SIM_ITEM_NONE)
				continue;
			if (c > SIM_PUSH) {
				value_calculated(sim, c, e, value);
			} else if (c == SIM_PUSH) {
				value->agents = value->quorum = value->regions = 1;
				add_view(value, oracle_push_of(sim, e, &mark), 0);
				decide(value);
			} else {
				set_rules(sim, c, e, value);
				add_views(sim, c, e, SIM_AGENTS, OBSERVATION_UNKNOWN, value);
				count_honest(sim, c, e, value);
			}
		}
	}
	sim->has_values = true;
}

const struct oracle_value *oracle_value_of(struct sim *sim, uint32_t c, uint32_t e)
{
	if (!sim->has_values)
		value_all(sim);
	return &sim->values[c][e];
}

bool oracle_is_pivot(const struct sim *sim, uint32_t a, uint32_t c, uint32_t e)
{
	static const enum observation_state states[] = {OBSERVATION_UNKNOWN, OBSERVATION_UP, OBSERVATION_DOWN};
	struct oracle_value first = {0};
	if (!oracle_is_assigned(&sim->config, a, c, e))
		return false;
	for (uint32_t i = 0; i < 3; i++) {
		struct oracle_value value = {0};
		set_rules(sim, c, e, &value);
		add_views(sim, c, e, a, states[i], &value);
		if (i == 0)
			first = value;
		if (value.value != first.value || is_decidable(&value) != is_decidable(&first))
			return true;
	}
	return false;
}
