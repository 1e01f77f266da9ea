/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verdict engine with a small configuration, for the tests of its rules. Its agents report what the test lets them
 * see.
 *
 * Threads: the thread of the test.
 */
#ifndef VEER_TESTS_VERDICT_BENCH_H
#define VEER_TESTS_VERDICT_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "probes/verdict/verdict.h"

#define BENCH_AGENTS 5
#define BENCH_CHECKS 7
#define BENCH_ENDPOINTS 16

/* A configuration in the test's memory and an engine that uses it: every agent is assigned to every check. */
struct bench {
	struct verdict_engine *engine;
	struct verdict_config config;
	struct verdict_agent agents[BENCH_AGENTS];
	struct verdict_check checks[BENCH_CHECKS];
	struct verdict_endpoint endpoints[BENCH_ENDPOINTS];
	uint32_t all_agents[BENCH_AGENTS];
	uint32_t all_checks[BENCH_CHECKS];
	char keys[BENCH_ENDPOINTS][16];
	char sites[BENCH_ENDPOINTS][16];
	uint64_t seq[BENCH_AGENTS];
	char seen[BENCH_AGENTS][BENCH_CHECKS * BENCH_ENDPOINTS]; /* what each agent reports for each item */
	int64_t now_ms;
};

/* Make a configuration: this many agents, each with every check of every endpoint. Each site has two endpoints. */
void bench_shape(struct bench *b, uint32_t agents, uint32_t checks, uint32_t endpoints);
/* Put the present configuration in force with a new assignment revision. */
void bench_configure(struct bench *b);
/* Make an engine with such a configuration; everything is unknown. */
void bench_init(struct bench *b, uint32_t agents, uint32_t checks, uint32_t endpoints);
void bench_deinit(struct bench *b);
/* Report what the agent sees, as (boot, seq). */
enum veer_err bench_send(struct bench *b, uint32_t agent, uint64_t boot, uint64_t seq);
/* The agent reports what it sees; the report must count. */
void bench_report(struct bench *b, uint32_t agent);
void bench_report_all(struct bench *b);
/* Set what the agents see of item 0, one letter each ('-': no report). */
void bench_see(struct bench *b, const char *letters);
/* The first proposal of a tick, if there is one. */
bool bench_tick(struct bench *b, struct verdict_transition *out);
/* Commit everything that is due. Returns how many proposals that was. */
int bench_settle(struct bench *b);
struct verdict_endpoint_status bench_status(const struct bench *b, uint32_t endpoint);
enum model_state bench_verdict(const struct bench *b, uint32_t endpoint);
/* Make an engine whose endpoints are all committed up. */
void bench_init_up(struct bench *b, uint32_t agents, uint32_t checks, uint32_t endpoints);
/*
 * Make an engine with one endpoint that three agents saw up and now see down. Its removal is proposed in `*t`, and not
 * committed.
 */
void bench_init_proposed(struct bench *b, struct verdict_transition *t);
/* Let all agents see `count` items from `first` on in this state. */
void bench_see_all(struct bench *b, uint32_t first, uint32_t count, char letter);

#endif
