/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check constant work [S18] by counting, not by time: the engine is compiled so that each basic block calls
 * __sanitizer_cov_trace_pc(), and a second of the steady state (a report of each agent, ten ticks with everything that
 * follows them) must not take more than 1.2 times as many blocks when every endpoint fails as when none does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "probes/verdict/verdict.h"

#define AGENTS 10
#define ENDPOINTS 2000
#define SITES 50

void __sanitizer_cov_trace_pc(void);

static uint64_t blocks;

void __sanitizer_cov_trace_pc(void)
{
	blocks++;
}

struct bench {
	struct verdict_engine *engine;
	struct observation items[ENDPOINTS];
	char names[ENDPOINTS][16];
	int64_t now_ms;
	uint64_t seq;
};

static void configure(struct bench *b)
{
	static char ids[AGENTS][8], sites[SITES][8];
	static struct verdict_agent agents[AGENTS];
	static struct verdict_endpoint endpoints[ENDPOINTS];
	static const uint32_t all[AGENTS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	const struct verdict_check check = {.name = "web",
					    .fall = 2,
					    .rise = 2,
					    .interval_ms = 1000,
					    .timeout_ms = 500,
					    .hold_s = 10,
					    .agents = all,
					    .agent_count = AGENTS};
	for (int i = 0; i < AGENTS; i++) {
		(void)snprintf(ids[i], sizeof ids[i], "ag-%d", i);
		agents[i] = (struct verdict_agent){.id = ids[i]};
	}
	for (int i = 0; i < ENDPOINTS; i++) {
		(void)snprintf(b->names[i], sizeof b->names[i], "p/e%d", i);
		(void)snprintf(sites[i % SITES], sizeof sites[0], "s%d", i % SITES);
		endpoints[i] = (struct verdict_endpoint){
			.key = b->names[i], .site = sites[i % SITES], .checks = all, .check_count = 1};
	}
	const struct verdict_config config = {.assignment_revision = 1,
					      .agents = agents,
					      .agent_count = AGENTS,
					      .checks = &check,
					      .check_count = 1,
					      .endpoints = endpoints,
					      .endpoint_count = ENDPOINTS};
	if (verdict_configure(b->engine, &config, b->now_ms, NULL) != VEER_OK)
		exit(1);
}

/* Play one second and commit every proposal. Returns how many proposals there were. */
static uint32_t second(struct bench *b)
{
	char id[8];
	struct verdict_transition t;
	struct verdict_doubt doubt;
	struct verdict_suspicion suspicion;
	uint32_t transitions = 0;
	struct report report = {
		.assignment_revision = 1, .boot = 1, .seq = ++b->seq, .items = b->items, .item_count = ENDPOINTS};
	for (int i = 0; i < AGENTS; i++) {
		b->now_ms += 100;
		(void)snprintf(id, sizeof id, "ag-%d", i);
		if (verdict_report(b->engine, id, &report, b->now_ms) != VEER_OK)
			exit(1);
		while (verdict_suspicion_next(b->engine, &suspicion))
			;
		verdict_tick(b->engine, b->now_ms);
		for (; verdict_next(b->engine, &t); transitions++)
			verdict_committed(b->engine, t.endpoint, t.to, b->now_ms);
		while (verdict_doubt_next(b->engine, &doubt))
			;
	}
	return transitions;
}

/* Count the blocks of one second after nothing changes any more. `seconds` is how long that takes. */
static uint64_t steady(struct bench *b, enum observation_state state, int seconds)
{
	for (int i = 0; i < ENDPOINTS; i++)
		b->items[i] = (struct observation){.state = state, .reason = PROBE_REASON_OK};
	for (int i = 0; i < seconds; i++)
		(void)second(b);
	blocks = 0;
	if (second(b) > 0) {
		printf("work: not steady\n");
		exit(1);
	}
	return blocks;
}

int main(void)
{
	static struct bench b = {.now_ms = 1000000};
	b.engine = verdict_engine_new(NULL);
	if (b.engine == NULL)
		return 1;
	configure(&b);
	uint64_t up = steady(&b, OBSERVATION_UP, 3);
	uint64_t braked = steady(&b, OBSERVATION_DOWN, 3); /* a quarter is removed, the others wait */
	uint64_t down = steady(&b, OBSERVATION_DOWN, 400);
	uint64_t most = braked > down ? braked : down;
	verdict_engine_free(&b.engine);
	printf("work: %" PRIu64 " blocks a second with nothing failing, %" PRIu64 " on the brake, %" PRIu64
	       " with everything down: %.3f times\n",
	       up, braked, down, (double)most / (double)up);
	return up > 0 && most * 10 <= up * 12 ? 0 : 1;
}
