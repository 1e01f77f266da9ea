/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdict engine's inputs: the reports of agents, pushes, and the stored verdicts. Proposals are in
 * verdict_propose.c.
 */
#include "probes/verdict/verdict.h"

#include <stdlib.h>

#include "probes/verdict/verdict_impl.h"

#define SEED_AGE_MAX_MS 31536000000 /* a year: old enough for every hold */

struct verdict_engine *verdict_engine_new(const struct verdict_limits *limits)
{
	struct verdict_engine *engine = calloc(1, sizeof *engine);
	if (engine == NULL)
		return NULL;
	if (limits != NULL)
		engine->limits = *limits;
	struct verdict_limits *l = &engine->limits;
	l->agents = l->agents > 0 ? l->agents : VERDICT_AGENTS_MAX;
	l->checks = l->checks > 0 ? l->checks : VERDICT_CHECKS_MAX;
	l->endpoints = l->endpoints > 0 ? l->endpoints : VERDICT_ENDPOINTS_MAX;
	l->items = l->items > 0 && l->items < REPORT_ITEMS_MAX ? l->items : REPORT_ITEMS_MAX;
	l->bytes = l->bytes > 0 ? l->bytes : (size_t)512 * 1024 * 1024;
	engine->now_ms = VERDICT_NEVER;
	return engine;
}

void verdict_engine_free(struct verdict_engine **engine)
{
	if (*engine == NULL)
		return;
	if ((*engine)->table != NULL) {
		struct arena *arena = (*engine)->table->arena;
		arena_free(&arena);
	}
	free(*engine);
	*engine = NULL;
}

int64_t verdict_now(struct verdict_engine *engine, int64_t now_ms)
{
	if (now_ms > engine->now_ms)
		engine->now_ms = now_ms;
	return engine->now_ms;
}

struct endpoint_state *endpoint_find(const struct verdict_engine *engine, const char *key)
{
	if (engine->table == NULL)
		return NULL;
	uint32_t index = strmap_get_number(&engine->table->endpoint_map, key);
	return index == INDEX_NONE ? NULL : &engine->table->endpoints[index];
}

static struct agent_state *agent_find(const struct verdict_engine *engine, const char *id)
{
	if (engine->table == NULL)
		return NULL;
	uint32_t index = strmap_get_number(&engine->table->agent_map, id);
	return index == INDEX_NONE ? NULL : &engine->table->agents[index];
}

/* The source of a push that votes was heard before this engine started, so its time to live starts now. */
static void item_await(const struct table *table, struct item_state *item, int64_t now_ms)
{
	const struct check_state *check = &table->checks[item->check];
	if (item->is_voting && check->source == VERDICT_SOURCE_PUSH && check->is_down_on_expiry &&
	    item->expires_ms == VERDICT_NEVER)
		item->expires_ms = now_ms + check->ttl_ms;
}

enum veer_err verdict_seed(struct verdict_engine *engine, const char *key, enum model_state state, int64_t age_ms,
			   bool is_current, int64_t now_ms)
{
	int64_t now = verdict_now(engine, now_ms);
	struct endpoint_state *endpoint = endpoint_find(engine, key);
	if (endpoint == NULL || endpoint->voting_count == 0)
		return VEER_ENOTFOUND;
	if (state == MODEL_STATE_UNKNOWN)
		return VEER_OK;
	endpoint->committed = (uint8_t)state;
	endpoint->flight_to = MODEL_STATE_UNKNOWN;
	if (state == MODEL_STATE_DOWN) {
		endpoint->removed_ms = now - (age_ms > 0 ? (age_ms < SEED_AGE_MAX_MS ? age_ms : SEED_AGE_MAX_MS) : 0);
		endpoint->penalty = endpoint->penalty > 0 ? endpoint->penalty : VERDICT_PENALTY_STEP;
		endpoint_set_doubt(engine, endpoint, false);
	}
	/* It is not known which item took the endpoint down, so each must be seen up before the endpoint returns. */
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++) {
		struct item_state *item = &engine->table->items[i];
		if (item->state == MODEL_STATE_UNKNOWN && state == MODEL_STATE_UP)
			item->state = MODEL_STATE_UP;
		item->needs_proof = state == MODEL_STATE_DOWN;
		if (state == MODEL_STATE_UP && is_current)
			item_await(engine->table, item, now);
	}
	return VEER_OK;
}

/* --- reports --------------------------------------------------------------------------------------------------- */

/*
 * Is (boot, seq) new? If it is of a new boot, `*slot` is where the present boot is moved to; for the present boot it is
 * NULL.
 */
static enum veer_err boot_check(struct agent_state *agent, const struct report *report, int64_t now_ms,
				struct old_boot **slot)
{
	*slot = NULL;
	if (report->boot == agent->boot)
		return report->seq > agent->seq ? VEER_OK : VEER_ESTALE;
	for (uint32_t i = 0; i < agent->old_count; i++) {
		if (agent->old[i].boot == report->boot)
			return VEER_ESTALE;
	}
	if (agent->boot == 0)
		return VEER_OK;
	if (agent->old_count < VERDICT_BOOTS) {
		*slot = &agent->old[agent->old_count];
		return VEER_OK;
	}
	struct old_boot *oldest = &agent->old[0];
	for (uint32_t i = 1; i < agent->old_count; i++) {
		if (agent->old[i].retired_ms < oldest->retired_ms)
			oldest = &agent->old[i];
	}
	if (now_ms - oldest->retired_ms < VERDICT_BOOT_KEEP_MS)
		return VEER_ELIMIT;
	*slot = oldest;
	return VEER_OK;
}

static void boot_accept(struct agent_state *agent, const struct report *report, int64_t now_ms, struct old_boot *slot)
{
	if (slot != NULL) {
		if (slot == &agent->old[agent->old_count])
			agent->old_count++;
		*slot = (struct old_boot){.boot = agent->boot, .retired_ms = now_ms};
	}
	agent->boot = report->boot;
	agent->seq = report->seq;
	agent->received_ms = now_ms;
	agent->is_blind = report->is_blind;
}

static bool is_failing(enum observation_state state)
{
	return state == OBSERVATION_DOWN || state == OBSERVATION_FAILING;
}

static void item_suspect(struct verdict_engine *engine, struct item_state *item, int64_t now_ms)
{
	const struct check_state *check = &engine->table->checks[item->check];
	if (item->is_suspected || item->state == MODEL_STATE_DOWN)
		return;
	if (item->asked_ms != VERDICT_NEVER && now_ms - item->asked_ms < check->interval_ms)
		return;
	item->is_suspected = true;
	engine->suspected_count++;
}

static void view_set(struct view *view, enum observation_state state, int64_t confirmed_ms)
{
	bool stays = is_failing(state) ? is_failing((enum observation_state)view->state) : state == view->state;
	if (!stays)
		view->turned_ms = confirmed_ms;
	view->state = (uint8_t)state;
	view->confirmed_ms = confirmed_ms;
}

/*
 * Add the time of a success to the smoothed mean, with a weight of one eighth. The first one is the mean; times over
 * 6.5 s count as 6.5 s.
 */
static void view_time(struct view *view, uint32_t rtt_us)
{
	uint32_t rtt = rtt_us / 100 < UINT16_MAX ? rtt_us / 100 : UINT16_MAX;
	if (rtt == 0)
		rtt = 1;
	view->rtt_100us = (uint16_t)(view->rtt_100us == 0 ? rtt : (7 * (uint32_t)view->rtt_100us + rtt + 4) / 8);
}

static void item_observe(struct verdict_engine *engine, struct item_state *item, uint32_t rank,
			 const struct observation *seen, int64_t now_ms)
{
	struct view *view = &engine->table->views[item->view_first + rank];
	bool was_failing = is_failing((enum observation_state)view->state);
	uint32_t age_ms = seen->age_ms < REPORT_AGE_MS_MAX ? seen->age_ms : REPORT_AGE_MS_MAX;
	enum observation_state state = seen->state <= OBSERVATION_DOWN ? seen->state : OBSERVATION_UNKNOWN;
	view_set(view, state, now_ms - age_ms);
	view->reason = (uint8_t)(seen->reason < PROBE_REASON_COUNT ? seen->reason : PROBE_REASON_INTERNAL);
	if (state == OBSERVATION_UP && seen->rtt_us > 0)
		view_time(view, seen->rtt_us);
	if (!was_failing && is_failing((enum observation_state)view->state))
		item_suspect(engine, item, now_ms);
}

static void report_apply(struct verdict_engine *engine, uint32_t agent, const struct report *report, int64_t now_ms)
{
	struct table *t = engine->table;
	uint32_t next = 0;
	bool has_lost_runner = false;
	for (uint32_t i = 0; i < t->check_count; i++)
		t->ranks[i] = index_find(t->checks[i].agents, t->checks[i].agent_count, agent);
	for (uint32_t i = 0; i < t->item_count && next < report->item_count; i++) {
		uint32_t rank = t->ranks[t->items[i].check];
		if (rank == INDEX_NONE)
			continue;
		has_lost_runner |= report->items[next].reason == PROBE_REASON_EXEC_LOST;
		item_observe(engine, &t->items[i], rank, &report->items[next++], now_ms);
	}
	t->agents[agent].has_lost_runner = has_lost_runner;
}

enum veer_err verdict_report(struct verdict_engine *engine, const char *id, const struct report *report, int64_t now_ms)
{
	int64_t now = verdict_now(engine, now_ms);
	struct agent_state *agent = agent_find(engine, id);
	struct old_boot *slot = NULL;
	if (agent == NULL || agent->is_revoked)
		return VEER_EAUTH;
	if (report->boot == 0 || report->seq == 0)
		return VEER_EINVAL;
	enum veer_err err = boot_check(agent, report, now, &slot);
	if (err != VEER_OK)
		return err;
	if (report->assignment_revision != engine->table->revision)
		return VEER_ECONFLICT;
	if (report->item_count != agent->item_count)
		return VEER_EINVAL;
	boot_accept(agent, report, now, slot);
	report_apply(engine, (uint32_t)(agent - engine->table->agents), report, now);
	return VEER_OK;
}

/* --- pushes and revocations ------------------------------------------------------------------------------------- */

static struct item_state *item_find(const struct verdict_engine *engine, const char *check, const char *key)
{
	struct endpoint_state *endpoint = endpoint_find(engine, key);
	uint32_t index = endpoint != NULL ? strmap_get_number(&engine->table->check_map, check) : INDEX_NONE;
	for (uint32_t i = 0; index != INDEX_NONE && i < endpoint->item_count; i++) {
		struct item_state *item = &engine->table->items[endpoint->item_first + i];
		if (item->check == index)
			return item;
	}
	return NULL;
}

bool verdict_is_pushed(const struct verdict_engine *engine, const char *check, const char *endpoint)
{
	const struct item_state *item = item_find(engine, check, endpoint);
	return item != NULL && engine->table->checks[item->check].source == VERDICT_SOURCE_PUSH;
}

enum veer_err verdict_push(struct verdict_engine *engine, const char *check, const char *endpoint,
			   enum model_state state, uint32_t ttl_ms, int64_t now_ms)
{
	int64_t now = verdict_now(engine, now_ms);
	if (!verdict_is_pushed(engine, check, endpoint))
		return VEER_ENOTFOUND;
	struct item_state *item = item_find(engine, check, endpoint);
	if (state != MODEL_STATE_UP && state != MODEL_STATE_DOWN)
		return VEER_EINVAL;
	if (ttl_ms > VERDICT_TTL_MS_MAX)
		return VEER_ERANGE;
	struct view *view = &engine->table->views[item->view_first];
	view_set(view, state == MODEL_STATE_UP ? OBSERVATION_UP : OBSERVATION_DOWN, now);
	view->reason = PROBE_REASON_PUSHED;
	item->expires_ms = now + (ttl_ms > 0 ? ttl_ms : engine->table->checks[item->check].ttl_ms);
	return VEER_OK;
}

enum veer_err verdict_revoke(struct verdict_engine *engine, const char *id, int64_t now_ms)
{
	(void)verdict_now(engine, now_ms);
	struct agent_state *agent = agent_find(engine, id);
	if (agent == NULL)
		return VEER_ENOTFOUND;
	agent->is_revoked = true;
	return VEER_OK;
}
