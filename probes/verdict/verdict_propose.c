/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine's outputs: proposals and the results of their commits, doubt, and requests for second looks. */
#include "probes/verdict/verdict_impl.h"

/* --- proposals and commits ------------------------------------------------------------------------------------- */

void verdict_tick(struct verdict_engine *engine, int64_t now_ms)
{
	int64_t now = verdict_now(engine, now_ms);
	if (engine->table == NULL)
		return;
	items_update(engine, now);
	brake_update(engine, now);
	engine->cursor = 0;
}

/* How many must agree. For a calculated check that goes down: how many parts must be down so that too few are left. */
static uint32_t quorum_for(const struct check_state *check, enum model_state to)
{
	bool is_calculated = check->source == VERDICT_SOURCE_CALCULATED;
	return is_calculated && to == MODEL_STATE_DOWN ? check->part_total - check->quorum + 1 : check->quorum;
}

static void propose(struct verdict_engine *engine, struct endpoint_state *endpoint, const struct decision *decision,
		    struct verdict_transition *out)
{
	struct table *t = engine->table;
	const struct check_state *check = &t->checks[t->items[decision->item].check];
	*out = (struct verdict_transition){
		.endpoint = endpoint->key,
		.from = (enum model_state)endpoint->committed,
		.to = decision->to,
		.check = check->name,
		.source = check->source,
		.quorum = quorum_for(check, decision->to),
		.regions = check->regions,
		.votes = t->votes,
		.vote_count = endpoint_votes(t, endpoint, false, engine->now_ms, t->votes, UINT32_MAX),
	};
	evidence_sum_up(t, endpoint, decision->item, engine->now_ms, out);
	if (decision->to == MODEL_STATE_DOWN) {
		t->items[decision->item].needs_proof = true;
		if (!endpoint_in_window(endpoint, engine->now_ms))
			brake_add(&engine->brake, endpoint);
	}
	endpoint->flight_to = (uint8_t)decision->to;
}

bool verdict_next(struct verdict_engine *engine, struct verdict_transition *out)
{
	while (engine->table != NULL && engine->cursor < engine->table->endpoint_count) {
		struct endpoint_state *endpoint = &engine->table->endpoints[engine->cursor++];
		struct decision decision = endpoint_decide(engine, endpoint, engine->now_ms);
		if (decision.to == MODEL_STATE_UNKNOWN || decision.wait != VERDICT_WAIT_NONE)
			continue;
		propose(engine, endpoint, &decision, out);
		return true;
	}
	return false;
}

static void endpoint_proven(struct verdict_engine *engine, const struct endpoint_state *endpoint)
{
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++)
		engine->table->items[i].needs_proof = false;
}

void verdict_committed(struct verdict_engine *engine, const char *key, enum model_state state, int64_t now_ms)
{
	int64_t now = verdict_now(engine, now_ms);
	struct endpoint_state *endpoint = endpoint_find(engine, key);
	if (endpoint == NULL || endpoint->voting_count == 0 || state == MODEL_STATE_UNKNOWN)
		return;
	endpoint->flight_to = MODEL_STATE_UNKNOWN;
	endpoint->committed = (uint8_t)state;
	if (state == MODEL_STATE_DOWN) {
		endpoint_removed(endpoint, now);
		endpoint_set_doubt(engine, endpoint, false);
	} else {
		endpoint_proven(engine, endpoint);
	}
}

void verdict_commit_failed(struct verdict_engine *engine, const char *key, int64_t now_ms)
{
	(void)verdict_now(engine, now_ms);
	struct endpoint_state *endpoint = endpoint_find(engine, key);
	if (endpoint == NULL)
		return;
	endpoint->flight_to = MODEL_STATE_UNKNOWN;
	if (endpoint->committed == MODEL_STATE_UP)
		endpoint_proven(engine, endpoint);
}

/* --- doubt ------------------------------------------------------------------------------------------------------- */

void endpoint_set_doubt(struct verdict_engine *engine, struct endpoint_state *endpoint, bool is_doubted)
{
	if (endpoint->is_doubted == is_doubted)
		return;
	endpoint->is_doubted = is_doubted;
	if (endpoint->is_doubt_told == is_doubted)
		engine->doubt_count--;
	else
		engine->doubt_count++;
}

/*
 * The next index below `count`, continuing in a circle from where the last call found something, so that reporting
 * everything looks at each only once.
 */
static uint32_t step(uint32_t *cursor, uint32_t count)
{
	uint32_t at = *cursor < count ? *cursor : 0;
	*cursor = at + 1;
	return at;
}

bool verdict_doubt_next(struct verdict_engine *engine, struct verdict_doubt *out)
{
	const struct table *t = engine->table;
	for (uint32_t i = 0; engine->doubt_count > 0 && i < t->endpoint_count; i++) {
		struct endpoint_state *endpoint = &t->endpoints[step(&engine->doubt_cursor, t->endpoint_count)];
		if (endpoint->is_doubted == endpoint->is_doubt_told)
			continue;
		endpoint->is_doubt_told = endpoint->is_doubted;
		if (--engine->doubt_count == 0)
			engine->doubt_cursor = 0;
		*out = (struct verdict_doubt){endpoint->key, endpoint->is_doubted};
		return true;
	}
	return false;
}

/* --- second looks ---------------------------------------------------------------------------------------------- */

static uint32_t agents_to_ask(struct table *t, const struct item_state *item)
{
	const struct check_state *check = &t->checks[item->check];
	uint32_t count = 0;
	for (uint32_t i = 0; i < check->agent_count; i++) {
		const struct agent_state *agent = &t->agents[check->agents[i]];
		const struct view *view = &t->views[item->view_first + i];
		if (!agent->is_revoked && view->state != OBSERVATION_FAILING && view->state != OBSERVATION_DOWN)
			t->asked[count++] = agent->id;
	}
	return count;
}

bool verdict_suspicion_next(struct verdict_engine *engine, struct verdict_suspicion *out)
{
	struct table *t = engine->table;
	for (uint32_t i = 0; engine->suspected_count > 0 && i < t->item_count; i++) {
		struct item_state *item = &t->items[step(&engine->suspect_cursor, t->item_count)];
		if (!item->is_suspected)
			continue;
		item->is_suspected = false;
		item->asked_ms = engine->now_ms;
		if (--engine->suspected_count == 0)
			engine->suspect_cursor = 0;
		uint32_t count = agents_to_ask(t, item);
		if (count == 0)
			continue;
		*out = (struct verdict_suspicion){
			.check = t->checks[item->check].name,
			.endpoint = t->endpoints[item->endpoint].key,
			.agents = t->asked,
			.agent_count = count,
		};
		return true;
	}
	return false;
}
