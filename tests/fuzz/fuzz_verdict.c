/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as events for the verdict engine. Two engines get the same events and must give the same output. Every proposal
 * must contain a quorum of votes that agree, there is only one at a time, and none leads back to unknown. (tests/sim
 * makes stricter checks, on more regular histories.)
 */
#include <stdlib.h>
#include <string.h>

#include "probes/verdict/verdict.h"
#include "tests/fuzz/fuzz.h"

#define AGENTS 3
#define ENDPOINTS 9
#define PROBED 2 /* beside these one push, and one check calculated of all three */
#define CHECKS 4
#define ITEMS (ENDPOINTS * PROBED)

static const char *const agent_ids[AGENTS] = {"a0", "a1", "a2"};
static const char *const keys[ENDPOINTS] = {"p/0", "p/1", "p/2", "p/3", "p/4", "p/5", "p/6", "p/7", "p/8"};
static const char *const sites[4] = {"s0", "s1", "s2", "s3"};

struct world {
	const uint8_t *data;
	size_t left;
	struct verdict_engine *engines[2];
	int64_t now_ms;
	int64_t revision;
	enum model_state committed[ENDPOINTS];
	enum model_state flight[ENDPOINTS];
	bool is_doubted[ENDPOINTS];
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static uint8_t next(struct world *w)
{
	if (w->left == 0)
		return 0;
	w->left--;
	return *w->data++;
}

static void configure(struct world *w)
{
	static const uint32_t all[CHECKS] = {0, 1, 2, 3};
	static const uint32_t order[CHECKS] = {3, 0, 2, 1};
	static const char *const names[CHECKS] = {"c0", "c1", "push", "calculated"};
	static const char *const regions[2] = {"eu", "us"};
	uint8_t shape = next(w);
	struct verdict_agent agents[AGENTS];
	struct verdict_check checks[CHECKS];
	struct verdict_endpoint endpoints[ENDPOINTS];
	for (uint32_t i = 0; i < AGENTS; i++)
		agents[i] = (struct verdict_agent){.id = agent_ids[i], .region = regions[i & 1]};
	uint8_t more = (shape & 0x60) == 0x40 ? next(w) : 0; /* 0: only the probed checks, of any region */
	for (uint32_t i = 0; i < PROBED; i++)
		checks[i] = (struct verdict_check){.name = names[i],
						   .fingerprint = next(w) & 1,
						   .fall = 2,
						   .rise = 2,
						   .interval_ms = 100u + 100u * next(w),
						   .timeout_ms = 100,
						   .hold_s = shape & 3,
						   .quorum = next(w) & 3,
						   .regions = more & 3,
						   .is_warning = i == 1 && (shape & 4) != 0,
						   .agents = all,
						   .agent_count = 1u + (uint32_t)(shape >> 3) % AGENTS};
	checks[PROBED] = (struct verdict_check){.name = names[PROBED],
						.source = VERDICT_SOURCE_PUSH,
						.ttl_ms = 1000,
						.is_warning = (more & 4) != 0,
						.is_down_on_expiry = (more & 8) != 0};
	checks[PROBED + 1] = (struct verdict_check){.name = names[PROBED + 1],
						    .source = VERDICT_SOURCE_CALCULATED,
						    .of = all,
						    .of_count = PROBED + 1,
						    .lost_count = more >> 6 & 1,
						    .need = more >> 4 & 3};
	for (uint32_t i = 0; i < ENDPOINTS; i++)
		endpoints[i] = (struct verdict_endpoint){.key = keys[i],
							 .site = sites[i % 4],
							 .domain = (more & 0x80) != 0 && i % 4 < 2 ? "north" : NULL,
							 .checks = more != 0 ? order : all,
							 .check_count = more != 0 ? CHECKS : PROBED,
							 .part_count = more & 1};
	const struct verdict_config config = {.assignment_revision = ++w->revision,
					      .is_frozen = (shape & 0x40) != 0 && (shape & 0x20) != 0,
					      .is_brake_off = (shape & 0x80) != 0,
					      .agents = agents,
					      .agent_count = AGENTS,
					      .checks = checks,
					      .check_count = CHECKS,
					      .endpoints = endpoints,
					      .endpoint_count = ENDPOINTS};
	for (int i = 0; i < 2; i++)
		check(verdict_configure(w->engines[i], &config, w->now_ms, NULL) == VEER_OK);
}

static void report(struct world *w)
{
	struct observation items[ITEMS + 1] = {0};
	uint8_t who = next(w);
	uint8_t pattern = next(w);
	struct report r = {.assignment_revision = w->revision - (who >> 7),
			   .boot = 1u + (who >> 5 & 3),
			   .seq = next(w),
			   .is_blind = (who & 0x10) != 0,
			   .items = items,
			   .item_count = ITEMS + (who >> 3 & 1)};
	for (uint32_t i = 0; i < ITEMS; i++) {
		items[i].state = (enum observation_state)(pattern >> 2 * (i % 4) & 3);
		items[i].age_ms = i * pattern * 10u;
	}
	enum veer_err first = verdict_report(w->engines[0], agent_ids[who % AGENTS], &r, w->now_ms);
	check(verdict_report(w->engines[1], agent_ids[who % AGENTS], &r, w->now_ms) == first);
}

static void push(struct world *w)
{
	uint8_t what = next(w);
	enum model_state state = (enum model_state)(what % 3);
	uint32_t ttl_ms = (uint32_t)(what >> 4) * 500;
	const char *key = keys[what % ENDPOINTS];
	enum veer_err first = verdict_push(w->engines[0], "push", key, state, ttl_ms, w->now_ms);
	check(first == VEER_OK || first == VEER_ENOTFOUND || state == MODEL_STATE_UNKNOWN);
	check(verdict_push(w->engines[1], "push", key, state, ttl_ms, w->now_ms) == first);
}

static uint32_t endpoint_number(const char *key)
{
	uint32_t i = 0;
	while (i < ENDPOINTS && strcmp(keys[i], key) != 0)
		i++;
	check(i < ENDPOINTS);
	return i;
}

static void check_votes(const struct verdict_transition *t)
{
	uint32_t agree = 0;
	check(t->first_ms_ago >= 0 && t->quorum >= 1 && t->regions >= 1);
	for (uint32_t i = 0; i < t->vote_count; i++) {
		enum observation_state state = t->votes[i].state;
		check(state == OBSERVATION_UNKNOWN || t->votes[i].mark == VERDICT_MARK_NONE);
		bool is_up = state == OBSERVATION_UP || state == OBSERVATION_FAILING;
		if (strcmp(t->votes[i].check, t->check) == 0)
			agree += t->to == MODEL_STATE_DOWN ? state == OBSERVATION_DOWN : is_up;
	}
	check(agree >= t->quorum || t->source == VERDICT_SOURCE_CALCULATED);
}

static void tick(struct world *w)
{
	struct verdict_transition t;
	struct verdict_transition same;
	verdict_tick(w->engines[0], w->now_ms);
	verdict_tick(w->engines[1], w->now_ms);
	while (verdict_next(w->engines[0], &t)) {
		check(verdict_next(w->engines[1], &same));
		check(strcmp(same.endpoint, t.endpoint) == 0 && same.to == t.to && same.reason == t.reason &&
		      same.first_ms_ago == t.first_ms_ago);
		uint32_t e = endpoint_number(t.endpoint);
		check(t.from == w->committed[e] && t.to != t.from && t.to != MODEL_STATE_UNKNOWN);
		check(w->flight[e] == MODEL_STATE_UNKNOWN);
		check_votes(&t);
		w->flight[e] = t.to;
	}
	check(!verdict_next(w->engines[1], &same));
}

static void answer(struct world *w)
{
	uint8_t which = next(w);
	uint32_t e = which % ENDPOINTS;
	bool is_taken = (which & 0x80) == 0;
	enum model_state to = w->flight[e];
	if (to == MODEL_STATE_UNKNOWN)
		return;
	for (int i = 0; i < 2; i++) {
		if (is_taken)
			verdict_committed(w->engines[i], keys[e], to, w->now_ms);
		else
			verdict_commit_failed(w->engines[i], keys[e], w->now_ms);
	}
	w->committed[e] = is_taken ? to : w->committed[e];
	w->flight[e] = MODEL_STATE_UNKNOWN;
}

static void check_states(const struct world *w)
{
	for (uint32_t e = 0; e < ENDPOINTS; e++) {
		struct verdict_endpoint_status status;
		check(verdict_endpoint_at(w->engines[0], e, w->now_ms, &status));
		check(status.state == w->committed[e]);
		check(status.fresh == status.up + status.down && status.fresh <= status.agents);
		check(!status.is_doubted || status.state != MODEL_STATE_DOWN);
		check(status.regions >= 1 && status.regions_up <= 2 && status.regions_down <= 2);
	}
}

static void drain_suspicions(struct world *w)
{
	struct verdict_suspicion s;
	int count = 0;
	while (verdict_suspicion_next(w->engines[0], &s))
		check(++count <= ITEMS && s.agent_count >= 1 && s.agent_count <= AGENTS);
	while (verdict_suspicion_next(w->engines[1], &s))
		count--;
	check(count == 0);
}

/* The doubts that were reported must be those that are shown, and each change must be reported once. */
static void drain_doubts(struct world *w)
{
	struct verdict_doubt doubt;
	struct verdict_doubt same;
	while (verdict_doubt_next(w->engines[0], &doubt)) {
		uint32_t e = endpoint_number(doubt.endpoint);
		check(verdict_doubt_next(w->engines[1], &same) && same.is_doubted == doubt.is_doubted);
		check(w->is_doubted[e] != doubt.is_doubted);
		w->is_doubted[e] = doubt.is_doubted;
	}
	check(!verdict_doubt_next(w->engines[1], &same));
}

static void event(struct world *w)
{
	uint8_t kind = next(w);
	switch (kind & 7) {
	case 0:
		w->now_ms += (int64_t)(kind >> 3) * next(w) * 8;
		break;
	case 1:
	case 2:
		report(w);
		break;
	case 3:
		if ((kind & 0x18) == 0)
			push(w);
		else
			report(w);
		break;
	case 4:
		answer(w);
		break;
	case 5:
		if ((kind & 0x38) == 0)
			configure(w);
		break;
	case 6:
		if (kind == 0xfe)
			check(verdict_revoke(w->engines[0], "a2", w->now_ms) ==
			      verdict_revoke(w->engines[1], "a2", w->now_ms));
		break;
	default:
		tick(w);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.data = data, .left = size, .now_ms = 1000000};
	for (int i = 0; i < 2; i++) {
		w.engines[i] = verdict_engine_new(NULL);
		check(w.engines[i] != NULL);
	}
	configure(&w);
	while (w.left > 0) {
		event(&w);
		drain_suspicions(&w);
		drain_doubts(&w);
		check_states(&w);
	}
	for (int i = 0; i < 2; i++)
		verdict_engine_free(&w.engines[i]);
	return 0;
}
