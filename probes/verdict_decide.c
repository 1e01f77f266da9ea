/* SPDX-License-Identifier: Apache-2.0 */
/* The rules: what a view is worth, when an item and an endpoint change, what the brake lets through. */
#include "probes/verdict_internal.h"

#define FLAP_DOUBLINGS_MAX 4
#define FLAP_HOLD_MAX_MS 3600000

enum observation_state view_state(const struct table *table, const struct check_state *check, uint32_t rank,
				  const struct view *view, int64_t now_ms)
{
	const struct agent_state *agent = &table->agents[check->agents[rank]];
	if (view->state == OBSERVATION_UNKNOWN || agent->is_revoked || agent->is_blind)
		return OBSERVATION_UNKNOWN; /* also when it was never heard: its views start unknown */
	if (now_ms - agent->received_ms > check->silence_ms)
		return OBSERVATION_UNKNOWN;
	if (now_ms - view->confirmed_ms > check->stale_ms)
		return OBSERVATION_UNKNOWN;
	return (enum observation_state)view->state;
}

struct tally item_tally(const struct table *table, const struct item_state *item, int64_t now_ms)
{
	const struct check_state *check = &table->checks[item->check];
	struct tally tally = {0, 0};
	for (uint32_t i = 0; i < check->agent_count; i++) {
		enum observation_state state = view_state(table, check, i, &table->views[item->view_first + i], now_ms);
		tally.down += state == OBSERVATION_DOWN;
		tally.up += state == OBSERVATION_UP || state == OBSERVATION_FAILING;
	}
	return tally;
}

/*
 * Down goes first: with a quorum of at most half of the agents both sides can have it, and q honest agents that see
 * an endpoint dead must suffice, whatever the others say.
 */
static enum model_state item_state_of(const struct tally *tally, uint32_t quorum, enum model_state before)
{
	if (tally->down >= quorum)
		return MODEL_STATE_DOWN;
	if (tally->up >= quorum)
		return MODEL_STATE_UP;
	return before;
}

void items_update(struct table *table, int64_t now_ms)
{
	for (uint32_t i = 0; i < table->item_count; i++) {
		struct item_state *item = &table->items[i];
		struct tally tally = item_tally(table, item, now_ms);
		item->state = (uint8_t)item_state_of(&tally, table->checks[item->check].quorum,
						     (enum model_state)item->state);
		const struct endpoint_state *endpoint = &table->endpoints[item->endpoint];
		bool is_up_for_good = endpoint->committed == MODEL_STATE_UP && endpoint->flight_to != MODEL_STATE_DOWN;
		if (item->state != MODEL_STATE_UP && !is_up_for_good)
			item->needs_proof = true;
	}
}

bool endpoint_in_window(const struct endpoint_state *endpoint, int64_t now_ms)
{
	if (endpoint->flight_to == MODEL_STATE_DOWN)
		return true;
	return endpoint->removed_ms != VERDICT_NEVER && now_ms - endpoint->removed_ms <= VERDICT_BRAKE_WINDOW_MS;
}

void brake_add(struct brake *brake, const struct endpoint_state *endpoint)
{
	brake->is_mixed = brake->is_mixed || (brake->count > 0 && brake->site != endpoint->site);
	brake->site = endpoint->site;
	brake->count++;
}

void brake_update(struct verdict_engine *engine, int64_t now_ms)
{
	const struct table *table = engine->table;
	struct brake brake = {.site = INDEX_NONE};
	uint64_t share = (uint64_t)table->voting_endpoint_count * table->max_removal_percent / 100;
	brake.limit = share > 1 ? (uint32_t)share : 1;
	brake.is_engaged = !table->is_brake_off && table->voting_endpoint_count >= VERDICT_BRAKE_ENDPOINTS &&
			   table->site_count >= VERDICT_BRAKE_SITES;
	for (uint32_t i = 0; brake.is_engaged && i < table->endpoint_count; i++) {
		const struct endpoint_state *endpoint = &table->endpoints[i];
		if (endpoint->voting_count == 0 || !endpoint_in_window(endpoint, now_ms))
			continue;
		brake_add(&brake, endpoint);
	}
	engine->brake = brake;
}

/* May the endpoint be removed now? One site, or a share of all, whichever is more (S9). */
static bool brake_lets(const struct verdict_engine *engine, const struct endpoint_state *endpoint, int64_t now_ms)
{
	const struct brake *brake = &engine->brake;
	if (!brake->is_engaged)
		return true;
	/* One that was removed and came back within the window is counted already. */
	uint32_t others = brake->count - (endpoint_in_window(endpoint, now_ms) && brake->count > 0 ? 1 : 0);
	if (others + 1 <= brake->limit)
		return true;
	return !brake->is_mixed && brake->site == endpoint->site;
}

int64_t endpoint_hold_ms(const struct endpoint_state *endpoint)
{
	int64_t hold_ms = (int64_t)endpoint->hold_s * 1000;
	int64_t most_ms = hold_ms > FLAP_HOLD_MAX_MS ? hold_ms : FLAP_HOLD_MAX_MS;
	uint32_t doublings = endpoint->flaps > 1 ? endpoint->flaps - 1 : 0;
	if (doublings > FLAP_DOUBLINGS_MAX)
		doublings = FLAP_DOUBLINGS_MAX;
	int64_t grown_ms = hold_ms << doublings;
	return grown_ms < most_ms ? grown_ms : most_ms;
}

/* The first voting item that q agents see down now; INDEX_NONE without one. */
static uint32_t item_down(const struct table *table, const struct endpoint_state *endpoint, int64_t now_ms)
{
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++) {
		const struct item_state *item = &table->items[i];
		const struct check_state *check = &table->checks[item->check];
		if (!check->is_warning && item->state == MODEL_STATE_DOWN &&
		    item_tally(table, item, now_ms).down >= check->quorum)
			return i;
	}
	return INDEX_NONE;
}

/* The voting item that shows the endpoint up, when all of them agree; INDEX_NONE otherwise. */
static uint32_t item_up(const struct table *table, const struct endpoint_state *endpoint, int64_t now_ms)
{
	uint32_t found = INDEX_NONE;
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++) {
		const struct item_state *item = &table->items[i];
		const struct check_state *check = &table->checks[item->check];
		if (check->is_warning)
			continue;
		struct tally tally = item_tally(table, item, now_ms);
		bool is_proven = tally.up >= check->quorum && tally.down < check->quorum;
		if (item->state != MODEL_STATE_UP || tally.up + tally.down < check->quorum ||
		    (item->needs_proof && !is_proven))
			return INDEX_NONE;
		if (is_proven && (found == INDEX_NONE || (item->needs_proof && !table->items[found].needs_proof)))
			found = i;
	}
	return found;
}

static bool has_quorum(const struct table *table, const struct endpoint_state *endpoint, int64_t now_ms)
{
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++) {
		const struct check_state *check = &table->checks[table->items[i].check];
		struct tally tally = item_tally(table, &table->items[i], now_ms);
		if (!check->is_warning && tally.up + tally.down < check->quorum)
			return false;
	}
	return true;
}

static int64_t hold_left_ms(const struct endpoint_state *endpoint, int64_t now_ms)
{
	if (endpoint->committed != MODEL_STATE_DOWN || endpoint->removed_ms == VERDICT_NEVER)
		return 0;
	int64_t left_ms = endpoint->removed_ms + endpoint_hold_ms(endpoint) - now_ms;
	return left_ms > 0 ? left_ms : 0;
}

/* What is due by votes alone. */
static void decide_due(const struct table *table, const struct endpoint_state *endpoint, int64_t now_ms,
		       struct decision *out)
{
	out->item = item_down(table, endpoint, now_ms);
	if (out->item != INDEX_NONE) {
		out->to = endpoint->committed == MODEL_STATE_DOWN ? MODEL_STATE_UNKNOWN : MODEL_STATE_DOWN;
		return;
	}
	if (endpoint->committed == MODEL_STATE_UP)
		return;
	out->item = item_up(table, endpoint, now_ms);
	if (out->item != INDEX_NONE)
		out->to = MODEL_STATE_UP;
}

struct decision endpoint_decide(const struct verdict_engine *engine, const struct endpoint_state *endpoint,
				int64_t now_ms)
{
	const struct table *table = engine->table;
	struct decision out = {.to = MODEL_STATE_UNKNOWN, .wait = VERDICT_WAIT_NONE, .item = INDEX_NONE};
	if (endpoint->voting_count == 0) {
		out.wait = VERDICT_WAIT_NO_CHECK;
		return out;
	}
	if (endpoint->flight_to != MODEL_STATE_UNKNOWN) {
		out.wait = VERDICT_WAIT_COMMIT;
		return out;
	}
	decide_due(table, endpoint, now_ms, &out);
	if (out.to == MODEL_STATE_UNKNOWN) {
		out.wait = has_quorum(table, endpoint, now_ms) ? VERDICT_WAIT_NONE : VERDICT_WAIT_NO_QUORUM;
	} else if (table->is_frozen) {
		out.wait = VERDICT_WAIT_FROZEN;
	} else if (out.to == MODEL_STATE_UP) {
		out.hold_left_ms = hold_left_ms(endpoint, now_ms);
		out.wait = out.hold_left_ms > 0 ? VERDICT_WAIT_HOLD : VERDICT_WAIT_NONE;
	} else if (!brake_lets(engine, endpoint, now_ms)) {
		out.wait = VERDICT_WAIT_BRAKE;
	}
	return out;
}

static uint32_t item_votes(const struct table *table, const struct item_state *item, int64_t now_ms,
			   struct verdict_vote *out, uint32_t size)
{
	const struct check_state *check = &table->checks[item->check];
	for (uint32_t i = 0; i < check->agent_count && i < size; i++) {
		const struct agent_state *agent = &table->agents[check->agents[i]];
		const struct view *view = &table->views[item->view_first + i];
		int64_t age_ms = view->confirmed_ms == VERDICT_NEVER ? 0 : now_ms - view->confirmed_ms;
		out[i] = (struct verdict_vote){
			.agent = agent->id,
			.check = check->name,
			.state = view_state(table, check, i, view, now_ms),
			.reason = (enum probe_reason)view->reason,
			.age_ms = age_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)age_ms,
		};
	}
	return check->agent_count;
}

uint32_t endpoint_votes(const struct table *table, const struct endpoint_state *endpoint, bool with_warnings,
			int64_t now_ms, struct verdict_vote *out, uint32_t size)
{
	uint32_t count = 0;
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++) {
		const struct item_state *item = &table->items[i];
		if (!with_warnings && table->checks[item->check].is_warning)
			continue;
		uint32_t left = count < size ? size - count : 0;
		count += item_votes(table, item, now_ms, left > 0 ? out + count : NULL, left);
	}
	return count;
}
