/* SPDX-License-Identifier: Apache-2.0 */
/* Shows the state of the verdict engine, for `veer status` and the API. Changes nothing. */
#include "probes/verdict/verdict_impl.h"

const char *verdict_wait_text(enum verdict_wait wait)
{
	switch (wait) {
	case VERDICT_WAIT_NONE:
		return "none";
	case VERDICT_WAIT_NO_CHECK:
		return "no_check";
	case VERDICT_WAIT_NO_QUORUM:
		return "no_quorum";
	case VERDICT_WAIT_NO_REGIONS:
		return "no_regions";
	case VERDICT_WAIT_COMMIT:
		return "commit";
	case VERDICT_WAIT_HOLD:
		return "hold";
	case VERDICT_WAIT_BRAKE:
		return "brake";
	case VERDICT_WAIT_FROZEN:
		return "frozen";
	}
	return "none";
}

const char *verdict_mark_text(enum verdict_mark mark)
{
	switch (mark) {
	case VERDICT_MARK_NONE:
		return "none";
	case VERDICT_MARK_SILENT:
		return "silent";
	case VERDICT_MARK_BLIND:
		return "blind";
	case VERDICT_MARK_REVOKED:
		return "revoked";
	case VERDICT_MARK_SUSPECT:
		return "suspect";
	case VERDICT_MARK_UNCONFIRMED:
		return "unconfirmed";
	case VERDICT_MARK_EXPIRED:
		return "expired";
	}
	return "none";
}

uint32_t verdict_endpoint_count(const struct verdict_engine *engine)
{
	return engine->table == NULL ? 0 : engine->table->endpoint_count;
}

uint32_t verdict_endpoint_index(const struct verdict_engine *engine, const char *endpoint)
{
	return engine->table == NULL ? INDEX_NONE : strmap_get_number(&engine->table->endpoint_map, endpoint);
}

uint32_t verdict_agent_count(const struct verdict_engine *engine)
{
	return engine->table == NULL ? 0 : engine->table->agent_count;
}

/* The present time for the engine, without setting its clock. */
static int64_t now_of(const struct verdict_engine *engine, int64_t now_ms)
{
	return now_ms > engine->now_ms ? now_ms : engine->now_ms;
}

/* Fill in the voting check whose number of fresh views is lowest relative to its quorum. */
static void status_scarcest(const struct table *t, const struct endpoint_state *endpoint, const struct judged *judged,
			    struct verdict_endpoint_status *out)
{
	int64_t least = INT64_MAX;
	for (uint32_t i = 0; i < endpoint->item_count; i++) {
		const struct item_state *item = &t->items[endpoint->item_first + i];
		const struct check_state *check = &t->checks[item->check];
		int64_t margin = (int64_t)judged[i].up + judged[i].down - check->quorum;
		if (!item->is_voting || margin >= least)
			continue;
		least = margin;
		out->check = check->name;
		out->agents = check->source == VERDICT_SOURCE_CALCULATED ? check->part_total : check->view_count;
		out->quorum = check->quorum;
		out->fresh = judged[i].up + judged[i].down;
		out->up = judged[i].up;
		out->down = judged[i].down;
		out->regions = check->regions;
		out->regions_asked = check->regions_asked;
		out->regions_fresh = region_count(judged[i].up_regions | judged[i].down_regions);
		out->regions_up = region_count(judged[i].up_regions);
		out->regions_down = region_count(judged[i].down_regions);
	}
}

bool verdict_endpoint_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
			 struct verdict_endpoint_status *out)
{
	if (index >= verdict_endpoint_count(engine))
		return false;
	int64_t now = now_of(engine, now_ms);
	const struct endpoint_state *endpoint = &engine->table->endpoints[index];
	struct judged judged[VERDICT_ITEMS_MAX];
	endpoint_judge(engine->table, endpoint, now, judged);
	struct decision decision = endpoint_decide_judged(engine, endpoint, judged, now);
	*out = (struct verdict_endpoint_status){
		.endpoint = endpoint->key,
		.state = (enum model_state)endpoint->committed,
		.is_doubted = endpoint->is_doubted,
		.wait = decision.wait,
		.domain = endpoint->voting_count > 0 ? engine->table->domains[endpoint->domain] : NULL,
		.hold_left_ms = decision.hold_left_ms,
		.hold_ms = endpoint->committed == MODEL_STATE_DOWN ? endpoint_hold_ms(endpoint) : 0,
	};
	status_scarcest(engine->table, endpoint, judged, out);
	return true;
}

static void status_trust(const struct table *t, uint32_t agent, struct verdict_agent_status *out)
{
	for (uint32_t i = 0; i < t->check_count; i++) {
		const struct check_state *check = &t->checks[i];
		uint32_t rank =
			check->suspect_count > 0 ? index_find(check->agents, check->agent_count, agent) : INDEX_NONE;
		if (rank == INDEX_NONE || !check->trust[rank].is_suspect)
			continue;
		if (out->suspect_checks++ > 0)
			continue;
		out->suspect_check = check->name;
		out->contradicted = check->trust[rank].against;
		out->compared = check->trust[rank].compared;
	}
}

/* Do the trusted agents alone suffice for the item, so that a suspect's view does not count? */
static bool suffices_without(const struct table *t, const struct item_state *item, int64_t now_ms)
{
	struct judged judged[VERDICT_ITEMS_MAX];
	const struct endpoint_state *endpoint = &t->endpoints[item->endpoint];
	endpoint_judge(t, endpoint, now_ms, judged);
	return !judged[item - &t->items[endpoint->item_first]].counts_suspects;
}

static uint32_t counted_views(const struct table *t, uint32_t agent, int64_t now_ms)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < t->item_count; i++) {
		const struct item_state *item = &t->items[i];
		const struct check_state *check = &t->checks[item->check];
		uint32_t rank = index_find(check->agents, check->agent_count, agent);
		if (rank == INDEX_NONE)
			continue;
		const struct view *view = &t->views[item->view_first + rank];
		count += view->state != OBSERVATION_UNKNOWN &&
			 view_mark(t, check, rank, view, now_ms) == VERDICT_MARK_NONE &&
			 !(check->trust[rank].is_suspect && suffices_without(t, item, now_ms));
	}
	return count;
}

/* For how long the agent may be silent before its views on some check no longer count. */
static int64_t agent_silence_ms(const struct table *t, uint32_t agent)
{
	int64_t shortest_ms = INT64_MAX;
	for (uint32_t i = 0; i < t->check_count; i++) {
		const struct check_state *check = &t->checks[i];
		if (check->silence_ms < shortest_ms &&
		    index_find(check->agents, check->agent_count, agent) != INDEX_NONE)
			shortest_ms = check->silence_ms;
	}
	return shortest_ms < INT64_MAX ? shortest_ms : VERDICT_SILENCE_MS;
}

bool verdict_agent_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
		      struct verdict_agent_status *out)
{
	if (index >= verdict_agent_count(engine))
		return false;
	int64_t now = now_of(engine, now_ms);
	const struct table *t = engine->table;
	const struct agent_state *agent = &t->agents[index];
	int64_t silence_ms = agent_silence_ms(t, index);
	*out = (struct verdict_agent_status){
		.id = agent->id,
		.region = agent->region,
		.is_revoked = agent->is_revoked,
		.is_blind = agent->is_blind,
		.has_lost_runner = agent->has_lost_runner,
		.heard_ms_ago = agent->received_ms == VERDICT_NEVER ? -1 : now - agent->received_ms,
		.is_silent = agent_is_silent(agent, silence_ms, now),
		.silence_ms = silence_ms,
		.items = agent->item_count,
		.fresh = counted_views(t, index, now),
	};
	status_trust(t, index, out);
	return true;
}

void verdict_brake_at(const struct verdict_engine *engine, int64_t now_ms, struct verdict_brake_status *out)
{
	*out = (struct verdict_brake_status){0};
	if (engine->table == NULL)
		return;
	const struct table *t = engine->table;
	const struct brake *brake = &engine->brake;
	int64_t now = now_of(engine, now_ms);
	bool has_one = brake->count > 0 && !brake->is_mixed;
	*out = (struct verdict_brake_status){
		.is_engaged = brake->is_engaged,
		.endpoints = t->voting_endpoint_count,
		.sites = t->site_count,
		.limit = brake->limit,
		.removed = brake->count,
		.domain = has_one ? t->domains[brake->domain] : NULL,
	};
	for (uint32_t i = 0; i < t->endpoint_count; i++) {
		const struct endpoint_state *endpoint = &t->endpoints[i];
		out->held += endpoint_decide(engine, endpoint, now).wait == VERDICT_WAIT_BRAKE;
		if (endpoint->voting_count == 0 || endpoint->removed_ms == VERDICT_NEVER)
			continue;
		int64_t frees_ms = endpoint->removed_ms + VERDICT_BRAKE_WINDOW_MS + 1 - now;
		if (frees_ms > 0 && (out->frees_ms == 0 || frees_ms < out->frees_ms))
			out->frees_ms = frees_ms;
	}
}

uint32_t verdict_votes(const struct verdict_engine *engine, uint32_t index, int64_t now_ms, struct verdict_vote *out,
		       uint32_t size)
{
	if (index >= verdict_endpoint_count(engine))
		return 0;
	return endpoint_votes(engine->table, &engine->table->endpoints[index], true, now_of(engine, now_ms), out, size);
}
