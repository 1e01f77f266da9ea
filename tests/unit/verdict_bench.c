/* SPDX-License-Identifier: Apache-2.0 */
/* The bench of the verdict engine's tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/verdict_bench.h"

static const char *const agent_ids[BENCH_AGENTS] = {"ag-0", "ag-1", "ag-2", "ag-3", "ag-4"};

void bench_shape(struct bench *b, uint32_t agents, uint32_t checks, uint32_t endpoints)
{
	static const char *const names[BENCH_CHECKS] = {"web", "db", "c2", "c3", "c4", "c5", "c6"};
	b->config.agent_count = agents;
	b->config.check_count = checks;
	b->config.endpoint_count = endpoints;
	for (uint32_t i = 0; i < agents; i++) {
		b->agents[i] = (struct verdict_agent){.id = agent_ids[i]};
		b->all_agents[i] = i;
	}
	for (uint32_t i = 0; i < checks; i++) {
		b->all_checks[i] = i;
		b->checks[i] = (struct verdict_check){.name = names[i],
						      .fingerprint = 1,
						      .fall = 2,
						      .rise = 2,
						      .interval_ms = 1000,
						      .timeout_ms = 500,
						      .agents = b->all_agents,
						      .agent_count = agents};
	}
	for (uint32_t i = 0; i < endpoints; i++) {
		(void)snprintf(b->keys[i], sizeof b->keys[i], "p/e%u", i);
		(void)snprintf(b->sites[i], sizeof b->sites[i], "s%u", i / 2);
		b->endpoints[i] = (struct verdict_endpoint){.key = b->keys[i],
							    .site = b->sites[i],
							    .fingerprint = 1,
							    .checks = b->all_checks,
							    .check_count = checks};
	}
	b->config.agents = b->agents;
	b->config.checks = b->checks;
	b->config.endpoints = b->endpoints;
}

void bench_configure(struct bench *b)
{
	struct veer_diag diag;
	b->config.assignment_revision++;
	assert_int_equal(verdict_configure(b->engine, &b->config, b->now_ms, &diag), VEER_OK);
}

void bench_init(struct bench *b, uint32_t agents, uint32_t checks, uint32_t endpoints)
{
	memset(b, 0, sizeof *b);
	memset(b->seen, 'u', sizeof b->seen);
	b->now_ms = 1000000;
	b->engine = verdict_engine_new(NULL);
	assert_non_null(b->engine);
	bench_shape(b, agents, checks, endpoints);
	bench_configure(b);
}

void bench_deinit(struct bench *b)
{
	verdict_engine_free(&b->engine);
	assert_null(b->engine);
}

static enum observation_state state_of(char letter)
{
	switch (letter) {
	case 'u':
		return OBSERVATION_UP;
	case 'f':
		return OBSERVATION_FAILING;
	case 'd':
		return OBSERVATION_DOWN;
	default:
		return OBSERVATION_UNKNOWN;
	}
}

/* Report what the agent sees, as (boot, seq). */
enum veer_err bench_send(struct bench *b, uint32_t agent, uint64_t boot, uint64_t seq)
{
	struct observation items[BENCH_CHECKS * BENCH_ENDPOINTS] = {0};
	uint32_t count = 0;
	for (uint32_t i = 0; i < b->config.endpoint_count * b->config.check_count; i++) {
		if (b->checks[i % b->config.check_count].source != VERDICT_SOURCE_AGENTS)
			continue;
		items[count].state = state_of(b->seen[agent][i]);
		items[count++].reason = b->seen[agent][i] == 'd' ? PROBE_REASON_CONNECT_REFUSED : PROBE_REASON_OK;
	}
	struct report report = {.assignment_revision = b->config.assignment_revision,
				.boot = boot,
				.seq = seq,
				.items = items,
				.item_count = count};
	return verdict_report(b->engine, agent_ids[agent], &report, b->now_ms);
}

void bench_report(struct bench *b, uint32_t agent)
{
	assert_int_equal(bench_send(b, agent, 7, ++b->seq[agent]), VEER_OK);
}

void bench_report_all(struct bench *b)
{
	for (uint32_t i = 0; i < b->config.agent_count; i++)
		bench_report(b, i);
}

/* Set what the agents see of item 0, one letter each ('-': no report). */
void bench_see(struct bench *b, const char *letters)
{
	for (uint32_t i = 0; i < b->config.agent_count; i++) {
		if (letters[i] == '-')
			continue;
		b->seen[i][0] = letters[i];
		bench_report(b, i);
	}
}

bool bench_tick(struct bench *b, struct verdict_transition *out)
{
	verdict_tick(b->engine, b->now_ms);
	return verdict_next(b->engine, out);
}

/* Commit everything that is due. Returns how many proposals that was. */
int bench_settle(struct bench *b)
{
	struct verdict_transition t;
	int count = 0;
	verdict_tick(b->engine, b->now_ms);
	while (verdict_next(b->engine, &t)) {
		verdict_committed(b->engine, t.endpoint, t.to, b->now_ms);
		count++;
	}
	return count;
}

struct verdict_endpoint_status bench_status(const struct bench *b, uint32_t endpoint)
{
	struct verdict_endpoint_status status;
	assert_true(verdict_endpoint_at(b->engine, endpoint, b->now_ms, &status));
	return status;
}

enum model_state bench_verdict(const struct bench *b, uint32_t endpoint)
{
	return bench_status(b, endpoint).state;
}

/* Make an engine whose endpoints are all committed up. */
void bench_init_up(struct bench *b, uint32_t agents, uint32_t checks, uint32_t endpoints)
{
	bench_init(b, agents, checks, endpoints);
	bench_report_all(b);
	assert_int_equal(bench_settle(b), endpoints);
}

void bench_init_proposed(struct bench *b, struct verdict_transition *t)
{
	bench_init_up(b, 3, 1, 1);
	bench_see(b, "ddd");
	assert_true(bench_tick(b, t));
}

void bench_see_all(struct bench *b, uint32_t first, uint32_t count, char letter)
{
	for (uint32_t agent = 0; agent < b->config.agent_count; agent++)
		memset(b->seen[agent] + first, letter, count);
	bench_report_all(b);
}
