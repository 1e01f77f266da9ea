/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine's outside: reports come in, proposals and wishes for a second look go out, commits come back. */
#include "probes/verdict.h"

#include <stdlib.h>

#include "probes/verdict_internal.h"

#define FLAP_MEMORY_HOLDS 10     /* one removal is forgotten after so many times hold_s */
#define FLAP_MEMORY_MIN_MS 60000 /* but not sooner */
#define FLAPS_MAX 16
#define SEED_AGE_MAX_MS 31536000000 /* a year: old enough for every hold */

struct verdict_engine *verdict_engine_new(const struct verdict_limits *limits)
{
	struct verdict_engine *engine = calloc(1, sizeof *engine);
	if (engine == NULL)
		return NULL;
	if (limits != NULL)
		engine->limits = *limits;
	struct verdict_limits *l = &engine->limits;
	l->agents = l->agents > 0 ? l->agents : 4096;
	l->checks = l->checks > 0 ? l->checks : 4096;
	l->endpoints = l->endpoints > 0 ? l->endpoints : 65536;
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

static struct endpoint_state *endpoint_find(const struct verdict_engine *engine, const char *key)
{
	if (engine->table == NULL)
		return NULL;
	uint32_t index = index_map_get(&engine->table->endpoint_map, key);
	return index == INDEX_NONE ? NULL : &engine->table->endpoints[index];
}

static struct agent_state *agent_find(const struct verdict_engine *engine, const char *id)
{
	if (engine->table == NULL)
		return NULL;
	uint32_t index = index_map_get(&engine->table->agent_map, id);
	return index == INDEX_NONE ? NULL : &engine->table->agents[index];
}

enum veer_err verdict_seed(struct verdict_engine *engine, const char *key, enum model_state state, int64_t age_ms,
			   int64_t now_ms)
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
		endpoint->flaps = endpoint->flaps > 0 ? endpoint->flaps : 1;
	}
	/* Which item took it down is not known: then each must be seen up before the endpoint returns. */
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++) {
		struct item_state *item = &engine->table->items[i];
		if (item->state == MODEL_STATE_UNKNOWN && state == MODEL_STATE_UP)
			item->state = MODEL_STATE_UP;
		item->needs_proof = state == MODEL_STATE_DOWN;
	}
	return VEER_OK;
}

/* --- reports --------------------------------------------------------------------------------------------------- */

/* Is (boot, seq) new? When it is, `*slot` is where the present boot retires to (NULL when it goes on). */
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

static void item_observe(struct verdict_engine *engine, struct item_state *item, uint32_t rank,
			 const struct observation *seen, int64_t now_ms)
{
	struct view *view = &engine->table->views[item->view_first + rank];
	bool was_failing = is_failing((enum observation_state)view->state);
	uint32_t age_ms = seen->age_ms < REPORT_AGE_MS_MAX ? seen->age_ms : REPORT_AGE_MS_MAX;
	view->state = (uint8_t)(seen->state <= OBSERVATION_DOWN ? seen->state : OBSERVATION_UNKNOWN);
	view->reason = (uint8_t)(seen->reason < PROBE_REASON_COUNT ? seen->reason : PROBE_REASON_INTERNAL);
	view->confirmed_ms = now_ms - age_ms;
	if (!was_failing && is_failing((enum observation_state)view->state))
		item_suspect(engine, item, now_ms);
}

static void report_apply(struct verdict_engine *engine, uint32_t agent, const struct report *report, int64_t now_ms)
{
	struct table *t = engine->table;
	uint32_t next = 0;
	for (uint32_t i = 0; i < t->check_count; i++)
		t->ranks[i] = index_find(t->checks[i].agents, t->checks[i].agent_count, agent);
	for (uint32_t i = 0; i < t->item_count && next < report->item_count; i++) {
		uint32_t rank = t->ranks[t->items[i].check];
		if (rank != INDEX_NONE)
			item_observe(engine, &t->items[i], rank, &report->items[next++], now_ms);
	}
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

enum veer_err verdict_revoke(struct verdict_engine *engine, const char *id, int64_t now_ms)
{
	(void)verdict_now(engine, now_ms);
	struct agent_state *agent = agent_find(engine, id);
	if (agent == NULL)
		return VEER_ENOTFOUND;
	agent->is_revoked = true;
	return VEER_OK;
}

/* --- proposals and commits ------------------------------------------------------------------------------------- */

void verdict_tick(struct verdict_engine *engine, int64_t now_ms)
{
	int64_t now = verdict_now(engine, now_ms);
	if (engine->table == NULL)
		return;
	items_update(engine->table, now);
	brake_update(engine, now);
	engine->cursor = 0;
}

/* The reason that most of the votes for `to` on the check give; the first in order among equals. */
static enum probe_reason common_reason(const struct verdict_transition *transition)
{
	uint32_t counts[PROBE_REASON_COUNT] = {0};
	enum probe_reason best = PROBE_REASON_NONE;
	for (uint32_t i = 0; i < transition->vote_count; i++) {
		const struct verdict_vote *vote = &transition->votes[i];
		bool is_down = vote->state == OBSERVATION_DOWN;
		if (vote->check == transition->check && vote->state != OBSERVATION_UNKNOWN &&
		    is_down == (transition->to == MODEL_STATE_DOWN))
			counts[vote->reason]++;
	}
	for (int i = 0; i < PROBE_REASON_COUNT; i++) {
		if (counts[i] > counts[best])
			best = (enum probe_reason)i;
	}
	return best;
}

static void propose(struct verdict_engine *engine, struct endpoint_state *endpoint, const struct decision *decision,
		    struct verdict_transition *out)
{
	struct table *t = engine->table;
	const struct check_state *check = &t->checks[t->items[decision->item].check];
	uint32_t votes = endpoint_votes(t, endpoint, false, engine->now_ms, t->votes, UINT32_MAX);
	*out = (struct verdict_transition){
		.endpoint = endpoint->key,
		.from = (enum model_state)endpoint->committed,
		.to = decision->to,
		.check = check->name,
		.quorum = check->quorum,
		.votes = t->votes,
		.vote_count = votes,
	};
	out->reason = common_reason(out);
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

static void endpoint_removed(struct endpoint_state *endpoint, int64_t now_ms)
{
	int64_t memory_ms = (int64_t)endpoint->hold_s * 1000 * FLAP_MEMORY_HOLDS;
	if (memory_ms < FLAP_MEMORY_MIN_MS)
		memory_ms = FLAP_MEMORY_MIN_MS;
	if (endpoint->removed_ms != VERDICT_NEVER) {
		int64_t forgotten = (now_ms - endpoint->removed_ms) / memory_ms;
		endpoint->flaps = forgotten < endpoint->flaps ? endpoint->flaps - (uint32_t)forgotten : 0;
	}
	if (endpoint->flaps < FLAPS_MAX)
		endpoint->flaps++;
	endpoint->removed_ms = now_ms;
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
	if (state == MODEL_STATE_DOWN)
		endpoint_removed(endpoint, now);
	else
		endpoint_proven(engine, endpoint);
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

/* --- second looks ---------------------------------------------------------------------------------------------- */

static uint32_t agents_to_ask(struct table *t, const struct item_state *item)
{
	const struct check_state *check = &t->checks[item->check];
	uint32_t count = 0;
	for (uint32_t i = 0; i < check->agent_count; i++) {
		const struct agent_state *agent = &t->agents[check->agents[i]];
		const struct view *view = &t->views[item->view_first + i];
		if (!agent->is_revoked && !is_failing((enum observation_state)view->state))
			t->asked[count++] = agent->id;
	}
	return count;
}

bool verdict_suspicion_next(struct verdict_engine *engine, struct verdict_suspicion *out)
{
	for (uint32_t i = 0; engine->suspected_count > 0 && i < engine->table->item_count; i++) {
		struct item_state *item = &engine->table->items[i];
		if (!item->is_suspected)
			continue;
		item->is_suspected = false;
		item->asked_ms = engine->now_ms;
		engine->suspected_count--;
		uint32_t count = agents_to_ask(engine->table, item);
		if (count == 0)
			continue;
		*out = (struct verdict_suspicion){
			.check = engine->table->checks[item->check].name,
			.endpoint = engine->table->endpoints[item->endpoint].key,
			.agents = engine->table->asked,
			.agent_count = count,
		};
		return true;
	}
	return false;
}
