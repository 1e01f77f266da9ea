/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence: the votes on an endpoint, why some of them do not count, and the summary of those that support a decision.
 */
#include "probes/verdict/verdict_impl.h"

static uint32_t age_of(int64_t then_ms, int64_t now_ms)
{
	int64_t age_ms = then_ms == VERDICT_NEVER ? 0 : now_ms - then_ms;
	return age_ms > UINT32_MAX ? UINT32_MAX : age_ms < 0 ? 0 : (uint32_t)age_ms;
}

static uint32_t vote_count(const struct check_state *check)
{
	return check->source == VERDICT_SOURCE_CALCULATED ? 1 : check->view_count;
}

static struct verdict_vote vote_of_agent(const struct table *table, const struct item_state *item,
					 const struct judged *judged, uint32_t rank, int64_t now_ms)
{
	const struct check_state *check = &table->checks[item->check];
	const struct view *view = &table->views[item->view_first + rank];
	const struct agent_state *agent = &table->agents[check->agents[rank]];
	enum verdict_mark mark = view_mark(table, check, rank, view, now_ms);
	if (mark == VERDICT_MARK_NONE && check->trust[rank].is_suspect && !judged->counts_suspects)
		mark = VERDICT_MARK_SUSPECT;
	return (struct verdict_vote){
		.source = VERDICT_SOURCE_AGENTS,
		.agent = agent->id,
		.region = agent->region,
		.check = check->name,
		.state = mark == VERDICT_MARK_NONE ? (enum observation_state)view->state : OBSERVATION_UNKNOWN,
		.said = (enum observation_state)view->state,
		.mark = mark,
		.reason = (enum probe_reason)view->reason,
		.age_ms = age_of(view->confirmed_ms, now_ms),
		.since_ms = age_of(view->turned_ms, now_ms),
		.rtt_us = (uint32_t)view->rtt_100us * 100,
	};
}

static struct verdict_vote vote_of_push(const struct table *table, const struct item_state *item, int64_t now_ms)
{
	const struct view *view = &table->views[item->view_first];
	enum verdict_mark mark;
	enum observation_state state = push_state(table, item, now_ms, &mark);
	bool is_expired = item->expires_ms != VERDICT_NEVER && now_ms >= item->expires_ms;
	int64_t since_ms = is_expired && state == OBSERVATION_DOWN && view->state != OBSERVATION_DOWN ? item->expires_ms
												      : view->turned_ms;
	return (struct verdict_vote){
		.source = VERDICT_SOURCE_PUSH,
		.agent = "push",
		.region = "",
		.check = table->checks[item->check].name,
		.state = state,
		.said = (enum observation_state)view->state,
		.mark = mark,
		.reason = is_expired ? PROBE_REASON_EXPIRED : (enum probe_reason)view->reason,
		.age_ms = age_of(view->confirmed_ms, now_ms),
		.since_ms = age_of(since_ms, now_ms),
	};
}

static struct verdict_vote vote_of_calculated(const struct check_state *check, const struct judged *judged)
{
	static const enum observation_state states[] = {[MODEL_STATE_UNKNOWN] = OBSERVATION_UNKNOWN,
							[MODEL_STATE_UP] = OBSERVATION_UP,
							[MODEL_STATE_DOWN] = OBSERVATION_DOWN};
	return (struct verdict_vote){.source = VERDICT_SOURCE_CALCULATED,
				     .agent = "calculated",
				     .region = "",
				     .check = check->name,
				     .state = states[judged->value],
				     .said = states[judged->value]};
}

static void item_votes(const struct table *table, const struct item_state *item, const struct judged *judged,
		       int64_t now_ms, struct verdict_vote *out, uint32_t size)
{
	const struct check_state *check = &table->checks[item->check];
	for (uint32_t i = 0; i < vote_count(check) && i < size; i++) {
		if (check->source == VERDICT_SOURCE_AGENTS)
			out[i] = vote_of_agent(table, item, judged, i, now_ms);
		else if (check->source == VERDICT_SOURCE_PUSH)
			out[i] = vote_of_push(table, item, now_ms);
		else
			out[i] = vote_of_calculated(check, judged);
	}
}

uint32_t endpoint_votes(const struct table *table, const struct endpoint_state *endpoint, bool is_all, int64_t now_ms,
			struct verdict_vote *out, uint32_t size)
{
	struct judged judged[VERDICT_ITEMS_MAX];
	uint32_t count = 0;
	endpoint_judge(table, endpoint, now_ms, judged);
	for (uint32_t i = 0; i < endpoint->item_count; i++) {
		const struct item_state *item = &table->items[endpoint->item_first + i];
		if (!is_all && !item->is_evidence)
			continue;
		if (count < size)
			item_votes(table, item, &judged[i], now_ms, out + count, size - count);
		count += vote_count(&table->checks[item->check]);
	}
	return count;
}

/* --- the votes that support a decision -----------------------------------------------------------------------------
 */

/* Mark the item and all its parts, and theirs; `is_behind` is indexed by the number within the endpoint. */
static void mark_behind(const struct table *table, const struct endpoint_state *endpoint, uint32_t number,
			bool *is_behind)
{
	is_behind[number] = true;
	for (uint32_t level = endpoint->level; level > 0; level--) {
		for (uint32_t i = 0; i < endpoint->item_count; i++) {
			const struct item_state *item = &table->items[endpoint->item_first + i];
			const struct check_state *check = &table->checks[item->check];
			if (!is_behind[i] || check->level != level)
				continue;
			for (uint32_t k = 0; k < check->of_count; k++) {
				uint8_t part = table->parts[item->part_first + k];
				if (part != VERDICT_PART_LOST)
					is_behind[part] = true;
			}
		}
	}
}

static bool agrees(const struct verdict_vote *vote, enum model_state to)
{
	if (vote->source == VERDICT_SOURCE_CALCULATED)
		return false;
	return to == MODEL_STATE_DOWN ? vote->state == OBSERVATION_DOWN
				      : vote->state == OBSERVATION_UP || vote->state == OBSERVATION_FAILING;
}

/* The reason that most votes give; among equals the first one in order. */
static enum probe_reason common_reason(const uint32_t *counts)
{
	enum probe_reason best = PROBE_REASON_NONE;
	for (int i = 0; i < PROBE_REASON_COUNT; i++) {
		if (counts[i] > counts[best])
			best = (enum probe_reason)i;
	}
	return best;
}

/*
 * How long ago the episode began: going back from the latest vote, as long as the next one is no further than `gap_ms`.
 * A vote that has been the same for much longer (of a liar, or an agent that is cut off) is not the beginning of this
 * episode.
 */
static int64_t first_ago_ms(uint32_t *ages, uint32_t count, int64_t gap_ms)
{
	for (uint32_t i = 1; i < count; i++) {
		uint32_t age = ages[i];
		uint32_t k = i;
		for (; k > 0 && ages[k - 1] > age; k--)
			ages[k] = ages[k - 1];
		ages[k] = age;
	}
	uint32_t last = 0;
	while (last + 1 < count && (int64_t)ages[last + 1] - ages[last] <= gap_ms)
		last++;
	return count > 0 ? ages[last] : 0;
}

/* What is collected from the votes behind a decision. */
struct behind {
	uint32_t reasons[PROBE_REASON_COUNT];
	uint32_t age_count;
	uint32_t latest_ms; /* the age of the youngest vote that agrees */
	int64_t gap_ms;
};

/*
 * Count one vote. A first failure is part of the episode, too, although it is not a vote for down, unless it is younger
 * than all votes that are; therefore it is counted in the second pass.
 */
static void gather(const struct table *table, const struct verdict_vote *vote, enum model_state to,
		   int64_t removed_ago_ms, bool is_first_pass, struct behind *behind)
{
	if (!is_first_pass) {
		if (vote->source == VERDICT_SOURCE_AGENTS && vote->state == OBSERVATION_FAILING &&
		    vote->since_ms >= behind->latest_ms)
			table->ages[behind->age_count++] = vote->since_ms;
		return;
	}
	if (!agrees(vote, to))
		return;
	behind->reasons[vote->reason]++;
	if (to != MODEL_STATE_DOWN && (vote->state != OBSERVATION_UP || vote->since_ms > removed_ago_ms))
		return;
	table->ages[behind->age_count++] = vote->since_ms;
	if (vote->since_ms < behind->latest_ms)
		behind->latest_ms = vote->since_ms;
}

static void gather_all(const struct table *table, const struct endpoint_state *endpoint, const bool *is_behind,
		       const struct verdict_transition *transition, int64_t removed_ago_ms, bool is_first_pass,
		       struct behind *behind)
{
	const struct verdict_vote *vote = transition->votes;
	for (uint32_t i = 0; i < endpoint->item_count; i++) {
		const struct item_state *part = &table->items[endpoint->item_first + i];
		const struct check_state *check = &table->checks[part->check];
		if (!part->is_evidence)
			continue;
		for (uint32_t k = 0; k < vote_count(check); k++, vote++) {
			if (!is_behind[i])
				continue;
			gather(table, vote, transition->to, removed_ago_ms, is_first_pass, behind);
			if (agrees(vote, transition->to) && check->settle_ms > behind->gap_ms)
				behind->gap_ms = check->settle_ms;
		}
	}
}

void evidence_sum_up(const struct table *table, const struct endpoint_state *endpoint, uint32_t item, int64_t now_ms,
		     struct verdict_transition *transition)
{
	bool was_removed = endpoint->committed == MODEL_STATE_DOWN && endpoint->removed_ms != VERDICT_NEVER;
	int64_t removed_ago_ms = was_removed ? now_ms - endpoint->removed_ms : INT64_MAX;
	bool is_behind[VERDICT_ITEMS_MAX] = {false};
	struct behind behind = {.latest_ms = UINT32_MAX};
	mark_behind(table, endpoint, item - endpoint->item_first, is_behind);
	gather_all(table, endpoint, is_behind, transition, removed_ago_ms, true, &behind);
	if (transition->to == MODEL_STATE_DOWN)
		gather_all(table, endpoint, is_behind, transition, removed_ago_ms, false, &behind);
	transition->reason = common_reason(behind.reasons);
	transition->first_ms_ago = first_ago_ms(table->ages, behind.age_count, behind.gap_ms);
}
