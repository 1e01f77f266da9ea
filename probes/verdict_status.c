/* SPDX-License-Identifier: Apache-2.0 */
/* Showing how the verdict engine stands, for `veer status` and the API. Changes nothing. */
#include "probes/verdict_internal.h"

const char *verdict_wait_text(enum verdict_wait wait)
{
	switch (wait) {
	case VERDICT_WAIT_NONE:
		return "none";
	case VERDICT_WAIT_NO_CHECK:
		return "no_check";
	case VERDICT_WAIT_NO_QUORUM:
		return "no_quorum";
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

uint32_t verdict_endpoint_count(const struct verdict_engine *engine)
{
	return engine->table == NULL ? 0 : engine->table->endpoint_count;
}

uint32_t verdict_endpoint_index(const struct verdict_engine *engine, const char *endpoint)
{
	return engine->table == NULL ? INDEX_NONE : index_map_get(&engine->table->endpoint_map, endpoint);
}

uint32_t verdict_agent_count(const struct verdict_engine *engine)
{
	return engine->table == NULL ? 0 : engine->table->agent_count;
}

/* Time as the engine knows it, without moving it. */
static int64_t now_of(const struct verdict_engine *engine, int64_t now_ms)
{
	return now_ms > engine->now_ms ? now_ms : engine->now_ms;
}

/* Fill in the voting check whose fresh views fall shortest of (or exceed least) its quorum. */
static void status_scarcest(const struct table *t, const struct endpoint_state *endpoint, int64_t now_ms,
			    struct verdict_endpoint_status *out)
{
	int64_t least = INT64_MAX;
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++) {
		const struct check_state *check = &t->checks[t->items[i].check];
		struct tally tally = item_tally(t, &t->items[i], now_ms);
		int64_t margin = (int64_t)tally.up + tally.down - check->quorum;
		if (check->is_warning || margin >= least)
			continue;
		least = margin;
		out->check = check->name;
		out->agents = check->agent_count;
		out->quorum = check->quorum;
		out->fresh = tally.up + tally.down;
		out->up = tally.up;
		out->down = tally.down;
	}
}

bool verdict_endpoint_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
			 struct verdict_endpoint_status *out)
{
	if (index >= verdict_endpoint_count(engine))
		return false;
	int64_t now = now_of(engine, now_ms);
	const struct endpoint_state *endpoint = &engine->table->endpoints[index];
	struct decision decision = endpoint_decide(engine, endpoint, now);
	*out = (struct verdict_endpoint_status){
		.endpoint = endpoint->key,
		.state = (enum model_state)endpoint->committed,
		.wait = decision.wait,
		.hold_left_ms = decision.hold_left_ms,
	};
	status_scarcest(engine->table, endpoint, now, out);
	return true;
}

bool verdict_agent_at(const struct verdict_engine *engine, uint32_t index, int64_t now_ms,
		      struct verdict_agent_status *out)
{
	if (index >= verdict_agent_count(engine))
		return false;
	int64_t now = now_of(engine, now_ms);
	const struct table *t = engine->table;
	const struct agent_state *agent = &t->agents[index];
	*out = (struct verdict_agent_status){
		.id = agent->id,
		.is_revoked = agent->is_revoked,
		.is_blind = agent->is_blind,
		.heard_ms_ago = agent->received_ms == VERDICT_NEVER ? -1 : now - agent->received_ms,
		.items = agent->item_count,
	};
	for (uint32_t i = 0; i < t->item_count; i++) {
		const struct item_state *item = &t->items[i];
		const struct check_state *check = &t->checks[item->check];
		uint32_t rank = index_find(check->agents, check->agent_count, index);
		if (rank != INDEX_NONE &&
		    view_state(t, check, rank, &t->views[item->view_first + rank], now) != OBSERVATION_UNKNOWN)
			out->fresh++;
	}
	return true;
}

uint32_t verdict_votes(const struct verdict_engine *engine, uint32_t index, int64_t now_ms, struct verdict_vote *out,
		       uint32_t size)
{
	if (index >= verdict_endpoint_count(engine))
		return 0;
	return endpoint_votes(engine->table, &engine->table->endpoints[index], true, now_of(engine, now_ms), out, size);
}
