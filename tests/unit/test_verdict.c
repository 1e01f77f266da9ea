/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine's rules, one by one. tests/sim looks for what no table thought of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probes/verdict.h"

#define AGENTS 5
#define ENDPOINTS 16

/* A configuration in the test's memory and the engine on it: every agent is assigned to every check. */
struct bench {
	struct verdict_engine *engine;
	struct verdict_config config;
	struct verdict_agent agents[AGENTS];
	struct verdict_check checks[2];
	struct verdict_endpoint endpoints[ENDPOINTS];
	uint32_t all_agents[AGENTS];
	uint32_t all_checks[2];
	char keys[ENDPOINTS][16];
	char sites[ENDPOINTS][16];
	uint64_t seq[AGENTS];
	char seen[AGENTS][2 * ENDPOINTS]; /* what each agent says of each item */
	int64_t now_ms;
};

static const char *const agent_ids[AGENTS] = {"ag-0", "ag-1", "ag-2", "ag-3", "ag-4"};

static void bench_shape(struct bench *b, uint32_t agents, uint32_t checks, uint32_t endpoints)
{
	static const char *const names[] = {"web", "db"};
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

static void bench_configure(struct bench *b)
{
	struct veer_diag diag;
	b->config.assignment_revision++;
	assert_int_equal(verdict_configure(b->engine, &b->config, b->now_ms, &diag), VEER_OK);
}

static void bench_init(struct bench *b, uint32_t agents, uint32_t checks, uint32_t endpoints)
{
	memset(b, 0, sizeof *b);
	memset(b->seen, 'u', sizeof b->seen);
	b->now_ms = 1000000;
	b->engine = verdict_engine_new(NULL);
	assert_non_null(b->engine);
	bench_shape(b, agents, checks, endpoints);
	bench_configure(b);
}

static void bench_deinit(struct bench *b)
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

/* Report what the agent sees as (boot, seq). */
static enum veer_err bench_send(struct bench *b, uint32_t agent, uint64_t boot, uint64_t seq)
{
	struct observation items[2 * ENDPOINTS] = {0};
	uint32_t count = b->config.endpoint_count * b->config.check_count;
	for (uint32_t i = 0; i < count; i++) {
		items[i].state = state_of(b->seen[agent][i]);
		items[i].reason = b->seen[agent][i] == 'd' ? PROBE_REASON_CONNECT_REFUSED : PROBE_REASON_OK;
	}
	struct report report = {.assignment_revision = b->config.assignment_revision,
				.boot = boot,
				.seq = seq,
				.items = items,
				.item_count = count};
	return verdict_report(b->engine, agent_ids[agent], &report, b->now_ms);
}

static void bench_report(struct bench *b, uint32_t agent)
{
	assert_int_equal(bench_send(b, agent, 7, ++b->seq[agent]), VEER_OK);
}

static void bench_report_all(struct bench *b)
{
	for (uint32_t i = 0; i < b->config.agent_count; i++)
		bench_report(b, i);
}

/* What the agents see of item 0, one letter each ('-': says nothing). */
static void bench_see(struct bench *b, const char *letters)
{
	for (uint32_t i = 0; i < b->config.agent_count; i++) {
		if (letters[i] == '-')
			continue;
		b->seen[i][0] = letters[i];
		bench_report(b, i);
	}
}

static bool bench_tick(struct bench *b, struct verdict_transition *out)
{
	verdict_tick(b->engine, b->now_ms);
	return verdict_next(b->engine, out);
}

/* Commit everything that is due; returns how much that was. */
static int bench_settle(struct bench *b)
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

static struct verdict_endpoint_status bench_status(const struct bench *b, uint32_t endpoint)
{
	struct verdict_endpoint_status status;
	assert_true(verdict_endpoint_at(b->engine, endpoint, b->now_ms, &status));
	return status;
}

static enum model_state bench_verdict(const struct bench *b, uint32_t endpoint)
{
	return bench_status(b, endpoint).state;
}

/* An engine whose endpoints are all committed up. */
static void bench_init_up(struct bench *b, uint32_t agents, uint32_t checks, uint32_t endpoints)
{
	bench_init(b, agents, checks, endpoints);
	bench_report_all(b);
	assert_int_equal(bench_settle(b), endpoints);
}

/* --- quorum ---------------------------------------------------------------------------------------------------- */

static void a_quorum_is_the_majority_of_the_assigned(void **state)
{
	static const struct {
		uint32_t agents;
		const char *views;
		bool goes_down;
	} cases[] = {
		{1, "d", true},     {2, "du", false},    {2, "dd", true},    {3, "duu", false}, {3, "ddu", true},
		{3, "dd-", true},   {3, "d--", false},   {4, "dduu", false}, {4, "dddu", true}, {5, "dduuu", false},
		{5, "dddff", true}, {5, "dd???", false}, {5, "ddd??", true}, {3, "dff", false}, {3, "d??", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bench b;
		bench_init_up(&b, cases[i].agents, 1, 1);
		bench_see(&b, cases[i].views);
		assert_int_equal(bench_settle(&b), cases[i].goes_down);
		bench_deinit(&b);
	}
}

static void a_quorum_by_configuration_is_never_more_than_all(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 2, 1, 1);
	b.checks[0].quorum = 64;
	bench_configure(&b);
	assert_int_equal(bench_status(&b, 0).quorum, 2);
	b.checks[0].quorum = 1;
	bench_configure(&b);
	bench_see(&b, "du");
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	/* Both sides have one vote: dead wins, and it does not swing. */
	for (int i = 0; i < 10; i++) {
		b.now_ms += 1000;
		bench_see(&b, i % 2 == 0 ? "ud" : "du");
		assert_int_equal(bench_settle(&b), 0);
	}
	bench_deinit(&b);
}

static void an_unknown_endpoint_needs_a_quorum_to_become_either(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 3, 1, 1);
	bench_see(&b, "u--");
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UNKNOWN);
	bench_see(&b, "-u-");
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	bench_deinit(&b);
	bench_init(&b, 3, 1, 1);
	bench_see(&b, "dd?");
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_deinit(&b);
}

static void a_transition_carries_its_evidence(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 3, 1, 1);
	b.now_ms += 40;
	bench_see(&b, "d-d");
	b.now_ms += 5;
	assert_true(bench_tick(&b, &t));
	assert_string_equal(t.endpoint, "p/e0");
	assert_int_equal(t.from, MODEL_STATE_UP);
	assert_int_equal(t.to, MODEL_STATE_DOWN);
	assert_string_equal(t.check, "web");
	assert_int_equal(t.reason, PROBE_REASON_CONNECT_REFUSED);
	assert_int_equal(t.quorum, 2);
	assert_int_equal(t.vote_count, 3);
	assert_string_equal(t.votes[0].agent, "ag-0");
	assert_int_equal(t.votes[0].state, OBSERVATION_DOWN);
	assert_int_equal(t.votes[0].age_ms, 5);
	assert_int_equal(t.votes[1].state, OBSERVATION_UP);
	assert_int_equal(t.votes[1].age_ms, 45);
	assert_int_equal(t.votes[2].state, OBSERVATION_DOWN);
	assert_false(verdict_next(b.engine, &t));
	bench_deinit(&b);
}

/* --- silence --------------------------------------------------------------------------------------------------- */

static void silence_changes_nothing(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	for (int i = 0; i < 100; i++) {
		b.now_ms += 1000;
		assert_int_equal(bench_settle(&b), 0);
	}
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	assert_int_equal(bench_status(&b, 0).wait, VERDICT_WAIT_NO_QUORUM);
	assert_int_equal(bench_status(&b, 0).fresh, 0);
	bench_deinit(&b);
}

static void a_view_counts_for_three_intervals_of_receipt_time(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "d--");
	b.now_ms += 3000;
	assert_int_equal(bench_status(&b, 0).down, 1);
	b.now_ms += 1;
	assert_int_equal(bench_status(&b, 0).down, 0);
	bench_see(&b, "-d-");
	assert_int_equal(bench_settle(&b), 0);
	bench_deinit(&b);
}

static void with_a_short_interval_three_report_periods_count(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	b.checks[0].interval_ms = 100;
	bench_configure(&b);
	b.now_ms += 3000;
	assert_int_equal(bench_status(&b, 0).fresh, 3);
	b.now_ms += 1;
	assert_int_equal(bench_status(&b, 0).fresh, 0);
	bench_deinit(&b);
}

static void a_state_that_no_probe_confirms_stops_counting(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 1, 1, 1);
	struct observation item = {.state = OBSERVATION_DOWN, .reason = PROBE_REASON_TIMEOUT, .age_ms = 6000};
	struct report report = {.assignment_revision = 1, .boot = 7, .seq = 100, .items = &item, .item_count = 1};
	/* 3 intervals, one round of 2 probes and a timeout: 5,500 ms */
	assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 0);
	item.age_ms = 5500;
	report.seq++;
	assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

static void the_blind_and_the_revoked_have_no_view(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "d--");
	struct observation item = {.state = OBSERVATION_DOWN, .reason = PROBE_REASON_TIMEOUT};
	struct report report = {
		.assignment_revision = 1, .boot = 7, .seq = 100, .is_blind = true, .items = &item, .item_count = 1};
	assert_int_equal(verdict_report(b.engine, "ag-1", &report, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 0);
	report.is_blind = false;
	report.seq++;
	assert_int_equal(verdict_report(b.engine, "ag-1", &report, b.now_ms), VEER_OK);
	assert_int_equal(verdict_revoke(b.engine, "ag-0", b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_send(&b, 0, 7, 1000), VEER_EAUTH);
	assert_int_equal(verdict_revoke(b.engine, "nobody", b.now_ms), VEER_ENOTFOUND);
	/* A configuration from before the revocation does not undo it. */
	bench_configure(&b);
	assert_int_equal(bench_send(&b, 0, 7, 1001), VEER_EAUTH);
	bench_see(&b, "--d");
	report.assignment_revision = b.config.assignment_revision;
	report.seq++;
	assert_int_equal(verdict_report(b.engine, "ag-1", &report, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

/* --- reports --------------------------------------------------------------------------------------------------- */

static void a_report_counts_once_and_in_order(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 1, 1, 1);
	assert_int_equal(bench_send(&b, 0, 5, 3), VEER_OK);
	assert_int_equal(bench_send(&b, 0, 5, 3), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 5, 2), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 5, 4), VEER_OK);
	assert_int_equal(bench_send(&b, 0, 6, 1), VEER_OK);
	assert_int_equal(bench_send(&b, 0, 5, 5), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 6, 1), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 0, 9), VEER_EINVAL);
	assert_int_equal(bench_send(&b, 0, 6, 0), VEER_EINVAL);
	bench_deinit(&b);
}

static void a_replayed_report_does_not_refresh(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 1, 1, 1);
	b.now_ms += 3001;
	assert_int_equal(bench_send(&b, 0, 7, b.seq[0]), VEER_ESTALE);
	assert_int_equal(bench_status(&b, 0).fresh, 0);
	struct verdict_agent_status agent;
	assert_true(verdict_agent_at(b.engine, 0, b.now_ms, &agent));
	assert_int_equal(agent.heard_ms_ago, 3001);
	assert_int_equal(agent.items, 1);
	assert_int_equal(agent.fresh, 0);
	assert_false(verdict_agent_at(b.engine, 1, b.now_ms, &agent));
	bench_deinit(&b);
}

static void boots_are_remembered_and_their_number_is_bounded(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 1, 1, 1);
	for (uint64_t boot = 1; boot <= VERDICT_BOOTS + 1; boot++)
		assert_int_equal(bench_send(&b, 0, boot, 1), VEER_OK);
	for (uint64_t boot = 1; boot <= VERDICT_BOOTS; boot++)
		assert_int_equal(bench_send(&b, 0, boot, 2), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 99, 1), VEER_ELIMIT);
	b.now_ms += VERDICT_BOOT_KEEP_MS;
	assert_int_equal(bench_send(&b, 0, 99, 1), VEER_OK);
	bench_deinit(&b);
}

static void a_report_for_another_revision_or_size_is_not_counted(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 1, 1, 2);
	struct observation items[3] = {{.state = OBSERVATION_DOWN}, {.state = OBSERVATION_DOWN}};
	struct report report = {.assignment_revision = 2, .boot = 7, .seq = 50, .items = items, .item_count = 2};
	assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_ECONFLICT);
	report.assignment_revision = 1;
	for (uint32_t count = 0; count <= 3; count++) {
		report.item_count = count;
		if (count != 2)
			assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_EINVAL);
	}
	assert_int_equal(bench_settle(&b), 0);
	report.item_count = 2; /* the refused ones have not used up the number */
	assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_OK);
	assert_int_equal(verdict_report(b.engine, "ag-9", &report, b.now_ms), VEER_EAUTH);
	assert_int_equal(bench_settle(&b), 2);
	bench_deinit(&b);
}

/* --- several checks -------------------------------------------------------------------------------------------- */

static void an_endpoint_is_the_and_of_its_voting_checks(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 2, 1);
	b.seen[0][1] = b.seen[1][1] = 'd';
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	b.seen[0][0] = b.seen[1][0] = 'd';
	bench_report_all(&b);
	b.seen[0][1] = b.seen[1][1] = 'u';
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 0);
	b.seen[0][0] = 'u';
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	bench_deinit(&b);
}

static void votes_against_each_other_on_two_checks_do_not_add_up(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 2, 1);
	b.seen[0][0] = b.seen[1][1] = 'd'; /* one agent says down on each */
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 0);
	bench_deinit(&b);
}

static void a_warning_never_votes_but_is_seen(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_vote votes[8];
	bench_init(&b, 3, 2, 1);
	b.checks[1].is_warning = true;
	bench_configure(&b);
	for (uint32_t i = 0; i < 3; i++)
		b.seen[i][1] = 'd';
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	assert_int_equal(verdict_votes(b.engine, 0, b.now_ms, votes, 8), 6);
	assert_string_equal(votes[5].check, "db");
	assert_int_equal(votes[5].state, OBSERVATION_DOWN);
	assert_int_equal(verdict_votes(b.engine, 0, b.now_ms, votes, 2), 6);
	assert_int_equal(verdict_votes(b.engine, 1, b.now_ms, votes, 8), 0);
	/* When it becomes a voting check, what is seen now decides. */
	b.checks[1].is_warning = false;
	bench_configure(&b);
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_deinit(&b);
}

static void a_return_needs_every_check_seen_by_a_quorum(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 2, 1);
	b.seen[0][0] = b.seen[1][0] = 'd';
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 1);
	b.seen[0][0] = b.seen[1][0] = 'u';
	for (uint32_t i = 0; i < 3; i++)
		b.seen[i][1] = '?';
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_status(&b, 0).wait, VERDICT_WAIT_NO_QUORUM);
	assert_string_equal(bench_status(&b, 0).check, "db");
	b.seen[0][1] = b.seen[1][1] = 'u';
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

/* --- proposals and commits ------------------------------------------------------------------------------------- */

static void a_proposal_in_flight_is_not_repeated(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "ddd");
	assert_true(bench_tick(&b, &t));
	assert_int_equal(bench_status(&b, 0).wait, VERDICT_WAIT_COMMIT);
	assert_false(bench_tick(&b, &t));
	bench_see(&b, "uuu");
	assert_false(bench_tick(&b, &t));
	verdict_committed(b.engine, "p/e0", MODEL_STATE_DOWN, b.now_ms);
	assert_true(bench_tick(&b, &t));
	assert_int_equal(t.from, MODEL_STATE_DOWN);
	assert_int_equal(t.to, MODEL_STATE_UP);
	bench_deinit(&b);
}

static void a_failed_commit_is_proposed_again_while_it_is_due(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "ddd");
	assert_true(bench_tick(&b, &t));
	verdict_commit_failed(b.engine, "p/e0", b.now_ms);
	assert_true(bench_tick(&b, &t));
	assert_int_equal(t.to, MODEL_STATE_DOWN);
	verdict_commit_failed(b.engine, "p/e0", b.now_ms);
	bench_see(&b, "uuu");
	assert_false(bench_tick(&b, &t));
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	verdict_committed(b.engine, "p/gone", MODEL_STATE_UP, b.now_ms);
	verdict_commit_failed(b.engine, "p/gone", b.now_ms);
	bench_deinit(&b);
}

static void evidence_that_went_away_before_the_proposal_stops_it(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "ddd");
	verdict_tick(b.engine, b.now_ms);
	bench_see(&b, "uuu");
	assert_false(verdict_next(b.engine, &t));
	bench_deinit(&b);
}

static void frozen_means_that_nothing_is_proposed(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	b.config.is_frozen = true;
	bench_configure(&b);
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_status(&b, 0).wait, VERDICT_WAIT_FROZEN);
	b.config.is_frozen = false;
	bench_configure(&b);
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

/* --- hold ------------------------------------------------------------------------------------------------------ */

static void a_return_waits_for_the_hold_but_a_removal_does_not(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 3, 1, 1);
	b.checks[0].hold_s = 2;
	bench_configure(&b);
	bench_see(&b, "uuu");
	assert_int_equal(bench_settle(&b), 1);
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 1);
	bench_see(&b, "uuu");
	b.now_ms += 1999;
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_status(&b, 0).wait, VERDICT_WAIT_HOLD);
	assert_int_equal(bench_status(&b, 0).hold_left_ms, 1);
	b.now_ms += 1;
	assert_int_equal(bench_settle(&b), 1);
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

static void a_hold_that_ends_in_silence_returns_nothing(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 3, 1, 1);
	b.checks[0].hold_s = 10;
	bench_configure(&b);
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 1);
	bench_see(&b, "uuu");
	assert_int_equal(bench_settle(&b), 0);
	b.now_ms += 10000;
	assert_int_equal(bench_settle(&b), 0);
	bench_see(&b, "uu-");
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

/* One fall and return; the hold that the return waited for. */
static int64_t bench_flap(struct bench *b)
{
	bench_see(b, "ddd");
	assert_int_equal(bench_settle(b), 1);
	int64_t from_ms = b->now_ms;
	for (;;) {
		bench_see(b, "uuu");
		if (bench_settle(b) == 1)
			return b->now_ms - from_ms;
		b->now_ms += 1000;
		assert_true(b->now_ms - from_ms <= 3600000);
	}
}

static void the_hold_of_a_flapping_endpoint_grows_and_is_forgotten(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 3, 1, 1);
	b.checks[0].hold_s = 10;
	bench_configure(&b);
	bench_see(&b, "uuu");
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_flap(&b), 10000);
	assert_int_equal(bench_flap(&b), 20000);
	assert_int_equal(bench_flap(&b), 40000);
	for (int i = 0; i < 8; i++)
		(void)bench_flap(&b);
	assert_int_equal(bench_flap(&b), 160000);
	b.now_ms += 3600000;
	bench_see(&b, "uuu");
	assert_int_equal(bench_flap(&b), 10000);
	bench_deinit(&b);
}

/* --- brake ----------------------------------------------------------------------------------------------------- */

static void see_all(struct bench *b, uint32_t first, uint32_t count, char letter)
{
	for (uint32_t agent = 0; agent < b->config.agent_count; agent++)
		memset(b->seen[agent] + first, letter, count);
	bench_report_all(b);
}

static void the_brake_lets_a_quarter_go_and_the_rest_later(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 16); /* two endpoints at each of 8 sites */
	see_all(&b, 0, 16, 'd');
	assert_int_equal(bench_settle(&b), 4);
	assert_int_equal(bench_status(&b, 4).wait, VERDICT_WAIT_BRAKE);
	b.now_ms += VERDICT_BRAKE_WINDOW_MS;
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 0);
	b.now_ms += 1;
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 4);
	/* Restorations are not braked. */
	see_all(&b, 0, 16, 'u');
	assert_int_equal(bench_settle(&b), 8);
	bench_deinit(&b);
}

static void the_brake_lets_one_whole_site_go(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 3, 1, 16);
	for (uint32_t i = 0; i < 16; i++)
		b.endpoints[i].site = i < 10 ? "big" : b.sites[i];
	bench_configure(&b);
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 16);
	see_all(&b, 0, 16, 'd');
	assert_int_equal(bench_settle(&b), 10);
	bench_deinit(&b);
}

static void small_scopes_and_those_without_brake_have_none(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 7);
	see_all(&b, 0, 7, 'd');
	assert_int_equal(bench_settle(&b), 7);
	bench_deinit(&b);
	bench_init_up(&b, 3, 1, 16);
	b.config.is_brake_off = true;
	bench_configure(&b);
	see_all(&b, 0, 16, 'd');
	assert_int_equal(bench_settle(&b), 16);
	bench_deinit(&b);
	bench_init(&b, 3, 1, 16);
	for (uint32_t i = 0; i < 16; i++)
		b.endpoints[i].site = i < 8 ? "s0" : i < 12 ? "s1" : "s2";
	bench_configure(&b);
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 16);
	see_all(&b, 0, 16, 'd');
	assert_int_equal(bench_settle(&b), 16);
	bench_deinit(&b);
}

static void failed_commits_do_not_use_up_the_brake(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 3, 1, 16);
	see_all(&b, 0, 16, 'd');
	for (int round = 0; round < 3; round++) {
		int count = 0;
		char keys[ENDPOINTS][16];
		verdict_tick(b.engine, b.now_ms);
		while (verdict_next(b.engine, &t))
			(void)snprintf(keys[count++], sizeof keys[0], "%s", t.endpoint);
		assert_int_equal(count, 4);
		for (int i = 0; i < count; i++)
			verdict_commit_failed(b.engine, keys[i], b.now_ms);
	}
	bench_deinit(&b);
}

/* --- configuration --------------------------------------------------------------------------------------------- */

static void what_stays_keeps_its_state_and_what_is_new_is_unknown(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 2);
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 1);
	bench_shape(&b, 4, 1, 3);
	bench_configure(&b);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	assert_int_equal(bench_verdict(&b, 1), MODEL_STATE_UP);
	assert_int_equal(bench_verdict(&b, 2), MODEL_STATE_UNKNOWN);
	assert_int_equal(bench_status(&b, 0).down, 3);
	assert_int_equal(bench_status(&b, 0).agents, 4);
	assert_int_equal(bench_status(&b, 0).quorum, 3);
	assert_int_equal(bench_status(&b, 2).fresh, 0);
	assert_int_equal(verdict_endpoint_index(b.engine, "p/e2"), 2);
	assert_true(verdict_endpoint_index(b.engine, "p/e9") == UINT32_MAX);
	assert_int_equal(bench_settle(&b), 0);
	bench_deinit(&b);
}

static void a_proposal_in_flight_survives_a_new_configuration(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "ddd");
	assert_true(bench_tick(&b, &t));
	bench_configure(&b);
	assert_false(bench_tick(&b, &t));
	verdict_committed(b.engine, "p/e0", MODEL_STATE_DOWN, b.now_ms);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_deinit(&b);
}

static void another_address_or_check_forgets_what_was_seen_but_not_the_verdict(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct bench b;
		bench_init_up(&b, 3, 1, 1);
		bench_see(&b, "d-d");
		if (which == 0)
			b.endpoints[0].fingerprint = 2;
		else
			b.checks[0].fingerprint = 2;
		bench_configure(&b);
		assert_int_equal(bench_status(&b, 0).fresh, 0);
		assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
		assert_int_equal(bench_settle(&b), 0);
		bench_deinit(&b);
	}
}

static void an_endpoint_that_nobody_watches_any_more_is_unknown(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 1);
	b.endpoints[0].check_count = 0;
	bench_configure(&b);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UNKNOWN);
	assert_int_equal(bench_status(&b, 0).wait, VERDICT_WAIT_NO_CHECK);
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(verdict_seed(b.engine, "p/e0", MODEL_STATE_DOWN, -1, b.now_ms), VEER_ENOTFOUND);
	bench_deinit(&b);
}

static void fewer_agents_mean_a_smaller_quorum_of_those_left(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "duu");
	assert_int_equal(bench_settle(&b), 0);
	bench_shape(&b, 1, 1, 1);
	bench_configure(&b);
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

static void a_bad_configuration_is_refused_and_the_old_one_stays(void **state)
{
	(void)state;
	struct bench b;
	struct veer_diag diag;
	bench_init_up(&b, 3, 2, 2);
	struct verdict_config good = b.config;
	for (int i = 0; i < 7; i++) {
		const uint32_t unordered[3] = {0, 2, 1};
		const uint32_t twice[2] = {1, 1};
		struct verdict_limits limits = {.items = 1};
		struct verdict_engine *small = verdict_engine_new(&limits);
		assert_non_null(small);
		bench_shape(&b, 3, 2, 2);
		b.config.assignment_revision++;
		if (i == 0)
			b.agents[1].id = "ag-0";
		if (i == 1)
			b.checks[1].name = "web";
		if (i == 2)
			b.endpoints[1].key = "p/e0";
		if (i == 3)
			b.checks[0].agents = unordered;
		if (i == 4)
			b.endpoints[0].checks = twice;
		if (i == 5)
			b.checks[1].interval_ms = 0;
		enum veer_err err = verdict_configure(i == 6 ? small : b.engine, &b.config, b.now_ms, &diag);
		assert_int_equal(err, i == 6 ? VEER_ELIMIT : VEER_EINVAL);
		verdict_engine_free(&small);
	}
	bench_shape(&b, 3, 2, 2);
	b.config.assignment_revision = good.assignment_revision;
	bench_report_all(&b); /* the revision in force is still the first */
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	bench_deinit(&b);
}

static void a_new_controller_starts_from_the_committed_verdicts(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 3, 2, 2);
	for (uint32_t i = 0; i < 2; i++)
		b.checks[i].hold_s = 10;
	bench_configure(&b);
	assert_int_equal(verdict_seed(b.engine, "p/e0", MODEL_STATE_DOWN, -1, b.now_ms), VEER_OK);
	assert_int_equal(verdict_seed(b.engine, "p/e1", MODEL_STATE_UP, -1, b.now_ms), VEER_OK);
	assert_int_equal(verdict_seed(b.engine, "p/e9", MODEL_STATE_UP, -1, b.now_ms), VEER_ENOTFOUND);
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_status(&b, 0).wait, VERDICT_WAIT_HOLD);
	b.now_ms += 10000;
	b.seen[0][1] = b.seen[1][1] = '?';
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 0);
	b.seen[0][1] = 'u';
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

/* --- second looks ---------------------------------------------------------------------------------------------- */

static void a_first_failure_asks_the_others_once(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_suspicion s;
	bench_init_up(&b, 3, 1, 2);
	assert_false(verdict_suspicion_next(b.engine, &s));
	bench_see(&b, "-f-");
	assert_true(verdict_suspicion_next(b.engine, &s));
	assert_string_equal(s.check, "web");
	assert_string_equal(s.endpoint, "p/e0");
	assert_int_equal(s.agent_count, 2);
	assert_string_equal(s.agents[0], "ag-0");
	assert_string_equal(s.agents[1], "ag-2");
	assert_false(verdict_suspicion_next(b.engine, &s));
	bench_see(&b, "-d-");
	bench_see(&b, "d--");
	assert_false(verdict_suspicion_next(b.engine, &s)); /* within the interval */
	bench_see(&b, "uu-");
	b.now_ms += 1000;
	bench_see(&b, "f--");
	assert_true(verdict_suspicion_next(b.engine, &s));
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 1);
	b.now_ms += 1000;
	bench_see(&b, "uuu");
	bench_see(&b, "duu");
	assert_false(verdict_suspicion_next(b.engine, &s)); /* down already */
	bench_deinit(&b);
}

/* --- time ------------------------------------------------------------------------------------------------------ */

static void a_clock_that_goes_back_changes_nothing(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	b.now_ms += 3000;
	assert_int_equal(bench_settle(&b), 0);
	b.now_ms -= 100000;
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_deinit(&b);
}

static void an_engine_without_configuration_does_nothing(void **state)
{
	(void)state;
	struct verdict_engine *engine = verdict_engine_new(NULL);
	struct verdict_transition t;
	struct verdict_suspicion s;
	struct report report = {.boot = 1, .seq = 1};
	assert_non_null(engine);
	verdict_tick(engine, 5);
	assert_false(verdict_next(engine, &t));
	assert_false(verdict_suspicion_next(engine, &s));
	assert_int_equal(verdict_report(engine, "a", &report, 6), VEER_EAUTH);
	assert_int_equal(verdict_endpoint_count(engine), 0);
	assert_int_equal(verdict_agent_count(engine), 0);
	verdict_committed(engine, "a", MODEL_STATE_UP, 7);
	verdict_engine_free(&engine);
	verdict_engine_free(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quorum_is_the_majority_of_the_assigned),
		cmocka_unit_test(a_quorum_by_configuration_is_never_more_than_all),
		cmocka_unit_test(an_unknown_endpoint_needs_a_quorum_to_become_either),
		cmocka_unit_test(a_transition_carries_its_evidence),
		cmocka_unit_test(silence_changes_nothing),
		cmocka_unit_test(a_view_counts_for_three_intervals_of_receipt_time),
		cmocka_unit_test(with_a_short_interval_three_report_periods_count),
		cmocka_unit_test(a_state_that_no_probe_confirms_stops_counting),
		cmocka_unit_test(the_blind_and_the_revoked_have_no_view),
		cmocka_unit_test(a_report_counts_once_and_in_order),
		cmocka_unit_test(a_replayed_report_does_not_refresh),
		cmocka_unit_test(boots_are_remembered_and_their_number_is_bounded),
		cmocka_unit_test(a_report_for_another_revision_or_size_is_not_counted),
		cmocka_unit_test(an_endpoint_is_the_and_of_its_voting_checks),
		cmocka_unit_test(votes_against_each_other_on_two_checks_do_not_add_up),
		cmocka_unit_test(a_warning_never_votes_but_is_seen),
		cmocka_unit_test(a_return_needs_every_check_seen_by_a_quorum),
		cmocka_unit_test(a_proposal_in_flight_is_not_repeated),
		cmocka_unit_test(a_failed_commit_is_proposed_again_while_it_is_due),
		cmocka_unit_test(evidence_that_went_away_before_the_proposal_stops_it),
		cmocka_unit_test(frozen_means_that_nothing_is_proposed),
		cmocka_unit_test(a_return_waits_for_the_hold_but_a_removal_does_not),
		cmocka_unit_test(a_hold_that_ends_in_silence_returns_nothing),
		cmocka_unit_test(the_hold_of_a_flapping_endpoint_grows_and_is_forgotten),
		cmocka_unit_test(the_brake_lets_a_quarter_go_and_the_rest_later),
		cmocka_unit_test(the_brake_lets_one_whole_site_go),
		cmocka_unit_test(small_scopes_and_those_without_brake_have_none),
		cmocka_unit_test(failed_commits_do_not_use_up_the_brake),
		cmocka_unit_test(what_stays_keeps_its_state_and_what_is_new_is_unknown),
		cmocka_unit_test(a_proposal_in_flight_survives_a_new_configuration),
		cmocka_unit_test(another_address_or_check_forgets_what_was_seen_but_not_the_verdict),
		cmocka_unit_test(an_endpoint_that_nobody_watches_any_more_is_unknown),
		cmocka_unit_test(fewer_agents_mean_a_smaller_quorum_of_those_left),
		cmocka_unit_test(a_bad_configuration_is_refused_and_the_old_one_stays),
		cmocka_unit_test(a_new_controller_starts_from_the_committed_verdicts),
		cmocka_unit_test(a_first_failure_asks_the_others_once),
		cmocka_unit_test(a_clock_that_goes_back_changes_nothing),
		cmocka_unit_test(an_engine_without_configuration_does_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
