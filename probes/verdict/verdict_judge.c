/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The present values of views and items: which views count, whether they agree, and what follows for calculated items.
 */
#include "probes/verdict/verdict_impl.h"

bool agent_is_silent(const struct agent_state *agent, int64_t silence_ms, int64_t now_ms)
{
	return agent->received_ms == VERDICT_NEVER || now_ms - agent->received_ms > silence_ms;
}

enum verdict_mark view_mark(const struct table *table, const struct check_state *check, uint32_t rank,
			    const struct view *view, int64_t now_ms)
{
	const struct agent_state *agent = &table->agents[check->agents[rank]];
	if (agent->is_revoked)
		return VERDICT_MARK_REVOKED;
	if (agent_is_silent(agent, check->silence_ms, now_ms))
		return VERDICT_MARK_SILENT;
	if (agent->is_blind)
		return VERDICT_MARK_BLIND;
	if (view->state != OBSERVATION_UNKNOWN && now_ms - view->confirmed_ms > check->stale_ms)
		return VERDICT_MARK_UNCONFIRMED;
	return VERDICT_MARK_NONE;
}

uint32_t region_count(uint64_t bits)
{
	return (uint32_t)__builtin_popcountll(bits);
}

bool judged_is_enough(const struct check_state *check, const struct judged *judged)
{
	return judged->up + judged->down >= check->quorum &&
	       region_count(judged->up_regions | judged->down_regions) >= check->regions;
}

static void count_view(struct judged *judged, enum observation_state state, uint64_t region)
{
	bool is_down = state == OBSERVATION_DOWN;
	judged->down += is_down;
	judged->down_regions |= is_down ? region : 0;
	judged->up += !is_down;
	judged->up_regions |= is_down ? 0 : region;
	judged->is_doubted = judged->is_doubted || state != OBSERVATION_UP;
}

static void count_all(struct judged *judged, const struct judged *more)
{
	judged->up += more->up;
	judged->down += more->down;
	judged->up_regions |= more->up_regions;
	judged->down_regions |= more->down_regions;
	judged->is_doubted = judged->is_doubted || more->is_doubted;
}

/*
 * Down is judged first: with a quorum of at most half of the agents both sides can have a quorum, and q honest agents
 * that see an endpoint dead must suffice, whatever the others report.
 */
static void conclude(const struct check_state *check, struct judged *judged)
{
	bool is_down = judged->down >= check->quorum;
	bool is_up = judged->up >= check->quorum;
	judged->has_quorum = judged->up + judged->down >= check->quorum;
	judged->is_fresh = judged_is_enough(check, judged);
	if (is_down && region_count(judged->down_regions) >= check->regions)
		judged->value = MODEL_STATE_DOWN;
	else if (is_up && region_count(judged->up_regions) >= check->regions)
		judged->value = MODEL_STATE_UP;
	else
		judged->lacks_regions = is_down || is_up || (judged->has_quorum && !judged->is_fresh);
}

static void judge_agents(const struct table *table, const struct check_state *check, const struct item_state *item,
			 int64_t now_ms, struct judged *out)
{
	struct judged suspects = {0};
	for (uint32_t i = 0; i < check->agent_count; i++) {
		const struct view *view = &table->views[item->view_first + i];
		if (view->state == OBSERVATION_UNKNOWN || view_mark(table, check, i, view, now_ms) != VERDICT_MARK_NONE)
			continue;
		count_view(check->trust[i].is_suspect ? &suspects : out, (enum observation_state)view->state,
			   check->bits[i]);
	}
	if (suspects.up + suspects.down > 0 && !judged_is_enough(check, out)) {
		count_all(out, &suspects);
		out->counts_suspects = true;
	}
	conclude(check, out);
}

enum observation_state push_state(const struct table *table, const struct item_state *item, int64_t now_ms,
				  enum verdict_mark *mark)
{
	const struct check_state *check = &table->checks[item->check];
	*mark = VERDICT_MARK_NONE;
	if (item->expires_ms != VERDICT_NEVER && now_ms >= item->expires_ms) {
		*mark = check->is_down_on_expiry ? VERDICT_MARK_NONE : VERDICT_MARK_EXPIRED;
		return check->is_down_on_expiry ? OBSERVATION_DOWN : OBSERVATION_UNKNOWN;
	}
	const struct view *view = &table->views[item->view_first];
	*mark = view->state == OBSERVATION_UNKNOWN ? VERDICT_MARK_SILENT : VERDICT_MARK_NONE;
	return (enum observation_state)view->state;
}

static void judge_push(const struct table *table, const struct check_state *check, const struct item_state *item,
		       int64_t now_ms, struct judged *out)
{
	enum verdict_mark mark;
	enum observation_state state = push_state(table, item, now_ms, &mark);
	if (state != OBSERVATION_UNKNOWN)
		count_view(out, state, 1);
	conclude(check, out);
}

/* Judge a calculated item. `all` are the endpoint's items; those of lower levels are judged already. */
static void judge_calculated(const struct table *table, const struct check_state *check, const struct item_state *item,
			     const struct judged *all, struct judged *out)
{
	uint32_t bad = 0;
	bool lacks_regions = false;
	for (uint32_t i = 0; i < check->of_count; i++) {
		uint8_t number = table->parts[item->part_first + i];
		if (number == VERDICT_PART_LOST)
			continue;
		const struct judged *part = &all[number];
		out->up += part->value == MODEL_STATE_UP;
		out->down += part->value == MODEL_STATE_DOWN;
		bad += part->is_doubted || part->value == MODEL_STATE_DOWN;
		lacks_regions = lacks_regions || part->lacks_regions;
	}
	if (out->up >= check->quorum)
		out->value = MODEL_STATE_UP;
	else if (check->part_total - out->down < check->quorum)
		out->value = MODEL_STATE_DOWN;
	out->is_fresh = out->has_quorum = out->value != MODEL_STATE_UNKNOWN;
	out->lacks_regions = lacks_regions && !out->is_fresh;
	out->has_quorum = out->has_quorum || out->lacks_regions;
	out->is_doubted = check->part_total - bad < check->quorum;
}

void endpoint_judge(const struct table *table, const struct endpoint_state *endpoint, int64_t now_ms,
		    struct judged *out)
{
	for (uint32_t level = 0; level <= endpoint->level; level++) {
		for (uint32_t i = 0; i < endpoint->item_count; i++) {
			const struct item_state *item = &table->items[endpoint->item_first + i];
			const struct check_state *check = &table->checks[item->check];
			if (check->level != level)
				continue;
			out[i] = (struct judged){.value = MODEL_STATE_UNKNOWN};
			if (check->source == VERDICT_SOURCE_AGENTS)
				judge_agents(table, check, item, now_ms, &out[i]);
			else if (check->source == VERDICT_SOURCE_PUSH)
				judge_push(table, check, item, now_ms, &out[i]);
			else
				judge_calculated(table, check, item, out, &out[i]);
		}
	}
}
