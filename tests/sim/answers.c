/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overrides, and the answers of a name server: the real policy compiler works on the engine's verdicts. The engine does
 * not know overrides: no verdict may depend on them, and every answer must [S1, S10, S11].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"
#include "zones/plan/policy.h"

#define TYPE_A 1
#define MIN_UP 2

void answers_override(struct sim *sim)
{
	uint32_t e = sim_draw(sim, SIM_ENDPOINTS);
	if (sim_chance(sim, 4)) { /* the wall clock jumps; only the end of overrides may depend on it */
		sim->wall_ms += (int64_t)sim_draw(sim, 2000000) - 1000000;
		return;
	}
	sim->overrides[e] = (enum sim_override)sim_draw(sim, SIM_OVERRIDE_DRAIN + 1);
	sim->override_until_ms[e] = sim->wall_ms + sim_draw(sim, 600000);
}

struct situation {
	struct model_endpoint endpoints[SIM_ENDPOINTS];
	uint8_t flags[SIM_ENDPOINTS];
	uint32_t numbers[SIM_ENDPOINTS]; /* the number of each endpoint */
	struct model_pool model;
	struct policy_pool pool;
	uint32_t eligible;
	uint32_t not_out;
};

static enum sim_override override_of(const struct sim *sim, uint32_t e)
{
	return sim->wall_ms < sim->override_until_ms[e] ? sim->overrides[e] : SIM_OVERRIDE_NONE;
}

static void add_endpoint(struct sim *sim, struct situation *s, uint32_t e, enum model_state state)
{
	uint32_t i = s->model.endpoint_count++;
	enum sim_override override = override_of(sim, e);
	bool is_out = override == SIM_OVERRIDE_DOWN || override == SIM_OVERRIDE_DRAIN;
	bool is_down = state == MODEL_STATE_DOWN && override != SIM_OVERRIDE_UP;
	s->endpoints[i] = (struct model_endpoint){.name = world_endpoint_key(e) + 2,
						  .site = "s",
						  .kind = MODEL_ADDRESS_IPV4,
						  .address = "192.0.2.0",
						  .ip = {192, 0, 2, (uint8_t)(100 + e)},
						  .weight = 1};
	s->flags[i] = (uint8_t)((is_down ? POLICY_ENDPOINT_DOWN : 0) | (is_out ? POLICY_ENDPOINT_OUT : 0));
	s->numbers[i] = e;
	s->eligible += !is_down && !is_out;
	s->not_out += !is_out;
}

static const struct policy_pool *find_pool(void *ctx, const char *name)
{
	struct situation *s = ctx;
	return strcmp(name, "p") == 0 ? &s->pool : NULL;
}

/* Is the endpoint's address in the answer? Each record is owner (the root), fixed fields, four bytes. */
static bool is_answered(const struct ready_rrset *rr, const struct model_endpoint *endpoint)
{
	enum { RECORD = 1 + 10 + 4 };
	uint8_t wire[SIM_ENDPOINTS * RECORD];
	size_t len = ready_expand(rr, (const uint8_t *)"", NULL, wire, sizeof wire);
	for (size_t at = 0; at + RECORD <= len; at += RECORD) {
		if (memcmp(wire + at + RECORD - 4, endpoint->ip, 4) == 0)
			return true;
	}
	return false;
}

static void judge(struct sim *sim, const struct situation *s, const struct policy_outcome *outcome)
{
	if (outcome->result != POLICY_ANSWER || outcome->rr == NULL || outcome->rr->count == 0) {
		sim_fail(sim, "S1: an empty answer");
		return;
	}
	bool is_normal = s->eligible >= MIN_UP;
	for (uint32_t i = 0; i < s->model.endpoint_count; i++) {
		bool is_out = (s->flags[i] & POLICY_ENDPOINT_OUT) != 0;
		bool is_down = (s->flags[i] & POLICY_ENDPOINT_DOWN) != 0;
		bool should = is_normal ? !is_out && !is_down : s->not_out == 0 || !is_out; /* else as if all were up */
		if (is_answered(outcome->rr, &s->endpoints[i]) != should)
			sim_fail(sim, "%s: %s is%s answered", is_normal ? "S11" : "S10",
				 world_endpoint_key(s->numbers[i]), should ? " not" : "");
	}
}

void answers_check(struct sim *sim)
{
	struct situation s = {0};
	struct policy_program *program = NULL;
	static const struct model_node root = {.kind = MODEL_NODE_POOL, .pool = "p"};
	static const struct model_policy policy = {
		.name = "www", .ttl = 30, .when_all_down = MODEL_ALL_DOWN_ALL, .tree = &root};
	uint32_t index = 0;
	for (uint32_t e = 0; e < SIM_ENDPOINTS; e++) {
		struct verdict_endpoint_status status;
		if (sim->config.endpoints[e].is_in && verdict_endpoint_at(sim->engine, index++, sim->now_ms, &status))
			add_endpoint(sim, &s, e, status.state);
	}
	if (s.model.endpoint_count == 0)
		return;
	s.model.name = "p";
	s.model.min_up = MIN_UP;
	s.model.endpoints = s.endpoints;
	s.pool = (struct policy_pool){.model = &s.model, .flags = s.flags};
	struct policy_compiler *compiler = policy_compiler_new();
	if (compiler == NULL || policy_compile(compiler, &policy, TYPE_A, find_pool, &s, &program) != VEER_OK)
		sim_fail(sim, "the policy cannot be compiled");
	else
		judge(sim, &s, policy_choose(program, (struct geo_location){0}, sim_draw(sim, UINT32_MAX)));
	free(program);
	policy_compiler_free(&compiler);
}
