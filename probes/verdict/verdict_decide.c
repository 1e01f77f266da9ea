/* SPDX-License-Identifier: Apache-2.0 */
/* The rules: when the state of an item or an endpoint changes, how long a removal holds, and what the brake allows. */
#include "probes/verdict/verdict_impl.h"

#define PENALTY_MAX 5000 /* 16 times the hold */
#define PENALTY_LEAST 10 /* a smaller penalty is forgotten */
#define PENALTY_HALVES_HOLDS 30
#define PENALTY_HALVES_MIN_MS 60000
#define PENALTY_HOLD_MAX_MS 3600000

/* --- items ------------------------------------------------------------------------------------------------------ */

static void item_update(struct item_state *item, const struct endpoint_state *endpoint, const struct judged *judged)
{
	bool is_up_for_good = endpoint->committed == MODEL_STATE_UP && endpoint->flight_to != MODEL_STATE_DOWN;
	if (judged->value != MODEL_STATE_UNKNOWN)
		item->state = judged->value;
	if (item->state != MODEL_STATE_UP && !is_up_for_good)
		item->needs_proof = true;
}

void items_update(struct verdict_engine *engine, int64_t now_ms)
{
	struct table *table = engine->table;
	struct judged judged[VERDICT_ITEMS_MAX];
	trust_begin(table);
	for (uint32_t e = 0; e < table->endpoint_count; e++) {
		struct endpoint_state *endpoint = &table->endpoints[e];
		bool is_doubted = false;
		endpoint_judge(table, endpoint, now_ms, judged);
		for (uint32_t i = 0; i < endpoint->item_count; i++) {
			struct item_state *item = &table->items[endpoint->item_first + i];
			item_update(item, endpoint, &judged[i]);
			trust_item(table, item, &judged[i], now_ms);
			is_doubted = is_doubted || (item->is_voting && judged[i].is_doubted);
		}
		endpoint_set_doubt(engine, endpoint, is_doubted && endpoint->committed != MODEL_STATE_DOWN);
	}
	trust_end(table, now_ms);
}

/* --- the brake ---------------------------------------------------------------------------------------------------- */

bool endpoint_in_window(const struct endpoint_state *endpoint, int64_t now_ms)
{
	if (endpoint->flight_to == MODEL_STATE_DOWN)
		return true;
	return endpoint->removed_ms != VERDICT_NEVER && now_ms - endpoint->removed_ms <= VERDICT_BRAKE_WINDOW_MS;
}

void brake_add(struct brake *brake, const struct endpoint_state *endpoint)
{
	brake->is_mixed = brake->is_mixed || (brake->count > 0 && brake->domain != endpoint->domain);
	brake->domain = endpoint->domain;
	brake->count++;
}

void brake_update(struct verdict_engine *engine, int64_t now_ms)
{
	const struct table *table = engine->table;
	struct brake brake = {.domain = INDEX_NONE};
	uint64_t share = (uint64_t)table->voting_endpoint_count * table->max_removal_percent / 100;
	brake.limit = share > 1 ? (uint32_t)share : 1;
	brake.is_engaged = !table->is_brake_off && table->voting_endpoint_count >= VERDICT_BRAKE_ENDPOINTS &&
			   table->site_count >= VERDICT_BRAKE_SITES;
	for (uint32_t i = 0; i < table->endpoint_count; i++) {
		const struct endpoint_state *endpoint = &table->endpoints[i];
		if (endpoint->voting_count > 0 && endpoint_in_window(endpoint, now_ms))
			brake_add(&brake, endpoint);
	}
	engine->brake = brake;
}

/*
 * May the endpoint be removed now? Allowed are one failure domain, or a share of all endpoints, whichever is more (S9).
 */
static bool brake_lets(const struct verdict_engine *engine, const struct endpoint_state *endpoint, int64_t now_ms)
{
	const struct brake *brake = &engine->brake;
	if (!brake->is_engaged)
		return true;
	/* An endpoint that was removed and has returned within the window is counted already. */
	uint32_t others = brake->count - (endpoint_in_window(endpoint, now_ms) && brake->count > 0 ? 1 : 0);
	if (others + 1 <= brake->limit)
		return true;
	return !brake->is_mixed && brake->domain == endpoint->domain;
}

/* --- the hold ------------------------------------------------------------------------------------------------------
 */

/* What is left of a penalty: it is halved after each `half_ms`, with a linear fall in between. */
static uint32_t penalty_after(uint32_t penalty, int64_t elapsed_ms, int64_t half_ms)
{
	int64_t halves = elapsed_ms / half_ms;
	if (halves >= 16)
		return 0;
	int64_t left = (int64_t)penalty >> halves;
	left -= left * (elapsed_ms % half_ms) / (2 * half_ms);
	return left < PENALTY_LEAST ? 0 : (uint32_t)left;
}

void endpoint_removed(struct endpoint_state *endpoint, int64_t now_ms)
{
	int64_t half_ms = (int64_t)endpoint->hold_s * 1000 * PENALTY_HALVES_HOLDS;
	if (half_ms < PENALTY_HALVES_MIN_MS)
		half_ms = PENALTY_HALVES_MIN_MS;
	if (endpoint->removed_ms != VERDICT_NEVER)
		endpoint->penalty = penalty_after(endpoint->penalty, now_ms - endpoint->removed_ms, half_ms);
	endpoint->penalty += VERDICT_PENALTY_STEP;
	if (endpoint->penalty > PENALTY_MAX)
		endpoint->penalty = PENALTY_MAX;
	endpoint->removed_ms = now_ms;
}

int64_t endpoint_hold_ms(const struct endpoint_state *endpoint)
{
	int64_t hold_ms = (int64_t)endpoint->hold_s * 1000;
	int64_t most_ms = hold_ms > PENALTY_HOLD_MAX_MS ? hold_ms : PENALTY_HOLD_MAX_MS;
	uint32_t excess = endpoint->penalty > VERDICT_PENALTY_STEP ? endpoint->penalty - VERDICT_PENALTY_STEP : 0;
	int64_t grown_ms = hold_ms << excess / VERDICT_PENALTY_STEP;
	grown_ms += grown_ms * (excess % VERDICT_PENALTY_STEP) / VERDICT_PENALTY_STEP;
	return grown_ms < most_ms ? grown_ms : most_ms;
}

static int64_t hold_left_ms(const struct endpoint_state *endpoint, int64_t now_ms)
{
	if (endpoint->committed != MODEL_STATE_DOWN || endpoint->removed_ms == VERDICT_NEVER)
		return 0;
	int64_t left_ms = endpoint->removed_ms + endpoint_hold_ms(endpoint) - now_ms;
	return left_ms > 0 ? left_ms : 0;
}

/* --- what is due ---------------------------------------------------------------------------------------------------
 */

/* The first voting item that a quorum now sees down; INDEX_NONE: there is none. */
static uint32_t item_down(const struct table *table, const struct endpoint_state *endpoint, const struct judged *judged)
{
	for (uint32_t i = 0; i < endpoint->item_count; i++) {
		const struct item_state *item = &table->items[endpoint->item_first + i];
		if (item->is_voting && item->state == MODEL_STATE_DOWN && judged[i].value == MODEL_STATE_DOWN)
			return endpoint->item_first + i;
	}
	return INDEX_NONE;
}

/* The voting item to name as the reason for a return, if all voting items are up; INDEX_NONE if they are not. */
static uint32_t item_up(const struct table *table, const struct endpoint_state *endpoint, const struct judged *judged)
{
	uint32_t found = INDEX_NONE;
	for (uint32_t i = 0; i < endpoint->item_count; i++) {
		const struct item_state *item = &table->items[endpoint->item_first + i];
		bool is_proven = judged[i].value == MODEL_STATE_UP;
		if (!item->is_voting)
			continue;
		if (item->state != MODEL_STATE_UP || !judged[i].is_fresh || judged[i].value == MODEL_STATE_DOWN ||
		    (item->needs_proof && !is_proven))
			return INDEX_NONE;
		if (is_proven && (found == INDEX_NONE || (item->needs_proof && !table->items[found].needs_proof)))
			found = endpoint->item_first + i;
	}
	return found;
}

/* Decide what is due by the votes alone. */
static void decide_due(const struct table *table, const struct endpoint_state *endpoint, const struct judged *judged,
		       struct decision *out)
{
	out->item = item_down(table, endpoint, judged);
	if (out->item != INDEX_NONE) {
		out->to = endpoint->committed == MODEL_STATE_DOWN ? MODEL_STATE_UNKNOWN : MODEL_STATE_DOWN;
		return;
	}
	if (endpoint->committed == MODEL_STATE_UP)
		return;
	out->item = item_up(table, endpoint, judged);
	if (out->item != INDEX_NONE)
		out->to = MODEL_STATE_UP;
}

/* Explain why nothing is due by votes: too few fresh views, too few regions, or nothing has changed. */
static enum verdict_wait wait_of_views(const struct table *table, const struct endpoint_state *endpoint,
				       const struct judged *judged)
{
	bool lacks_regions = false;
	for (uint32_t i = 0; i < endpoint->item_count; i++) {
		if (!table->items[endpoint->item_first + i].is_voting)
			continue;
		if (!judged[i].has_quorum)
			return VERDICT_WAIT_NO_QUORUM;
		lacks_regions = lacks_regions || judged[i].lacks_regions;
	}
	return lacks_regions ? VERDICT_WAIT_NO_REGIONS : VERDICT_WAIT_NONE;
}

struct decision endpoint_decide_judged(const struct verdict_engine *engine, const struct endpoint_state *endpoint,
				       const struct judged *judged, int64_t now_ms)
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
	decide_due(table, endpoint, judged, &out);
	if (out.to == MODEL_STATE_UNKNOWN) {
		out.wait = wait_of_views(table, endpoint, judged);
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

struct decision endpoint_decide(const struct verdict_engine *engine, const struct endpoint_state *endpoint,
				int64_t now_ms)
{
	struct judged judged[VERDICT_ITEMS_MAX];
	endpoint_judge(engine->table, endpoint, now_ms, judged);
	return endpoint_decide_judged(engine, endpoint, judged, now_ms);
}
