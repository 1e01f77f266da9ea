/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine: doubt, and the evidence of a transition: which agent has seen what since when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/verdict_bench.h"

/* The doubts that were reported, as "+p/e0 -p/e1 ". */
static const char *doubts(struct bench *b)
{
	static char text[256];
	struct verdict_doubt doubt;
	size_t len = 0;
	text[0] = '\0';
	verdict_tick(b->engine, b->now_ms);
	while (verdict_doubt_next(b->engine, &doubt))
		len += (size_t)snprintf(text + len, sizeof text - len, "%c%s ", doubt.is_doubted ? '+' : '-',
					doubt.endpoint);
	return text;
}

static void doubt_begins_with_the_first_failure_and_ends_with_the_last(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 2);
	assert_string_equal(doubts(&b), "");
	bench_see(&b, "f--");
	assert_string_equal(doubts(&b), "+p/e0 ");
	assert_true(bench_status(&b, 0).is_doubted);
	assert_string_equal(doubts(&b), "");
	bench_see(&b, "ud-");
	assert_string_equal(doubts(&b), "");
	bench_see(&b, "uuu");
	assert_string_equal(doubts(&b), "-p/e0 ");
	assert_false(bench_status(&b, 0).is_doubted);
	bench_deinit(&b);
}

static void doubt_ends_when_down_is_committed_and_not_before(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	struct verdict_doubt doubt;
	bench_init_proposed(&b, &t);
	assert_true(verdict_doubt_next(b.engine, &doubt));
	assert_true(doubt.is_doubted);
	assert_false(verdict_doubt_next(b.engine, &doubt));
	verdict_committed(b.engine, t.endpoint, t.to, b.now_ms);
	assert_true(verdict_doubt_next(b.engine, &doubt));
	assert_string_equal(doubt.endpoint, "p/e0");
	assert_false(doubt.is_doubted);
	assert_string_equal(doubts(&b), "");
	bench_deinit(&b);
}

static void a_doubt_that_came_and_went_unasked_is_not_told(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "f--");
	verdict_tick(b.engine, b.now_ms);
	bench_see(&b, "u--");
	assert_string_equal(doubts(&b), "");
	bench_deinit(&b);
}

static void the_silent_the_blind_and_warnings_raise_no_doubt(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 2, 1);
	b.checks[1].is_warning = true;
	bench_configure(&b);
	b.seen[0][1] = 'd';
	bench_report_all(&b);
	assert_string_equal(doubts(&b), "");
	bench_see(&b, "d--");
	assert_string_equal(doubts(&b), "+p/e0 ");
	b.now_ms += 3001; /* all agents are silent */
	assert_string_equal(doubts(&b), "-p/e0 ");
	bench_report(&b, 0);
	assert_string_equal(doubts(&b), "+p/e0 ");
	assert_int_equal(verdict_revoke(b.engine, "ag-0", b.now_ms), VEER_OK);
	assert_string_equal(doubts(&b), "-p/e0 ");
	bench_deinit(&b);
}

static void doubt_survives_a_new_configuration(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 2);
	bench_see(&b, "f--");
	assert_string_equal(doubts(&b), "+p/e0 ");
	bench_configure(&b);
	assert_string_equal(doubts(&b), "");
	bench_see(&b, "u--");
	bench_configure(&b);
	assert_string_equal(doubts(&b), "-p/e0 ");
	bench_deinit(&b);
}

static void a_removal_says_when_it_was_first_seen(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "f--");
	b.now_ms += 400;
	bench_see(&b, "fd-");
	b.now_ms += 700;
	bench_see(&b, "dd-");
	assert_true(bench_tick(&b, &t));
	assert_int_equal(t.to, MODEL_STATE_DOWN);
	assert_int_equal(t.first_ms_ago, 1100);
	assert_int_equal(t.votes[0].since_ms, 1100);
	assert_int_equal(t.votes[0].age_ms, 0);
	assert_int_equal(t.votes[1].since_ms, 700);
	assert_int_equal(t.votes[2].since_ms, 1100); /* up since that time */
	verdict_committed(b.engine, t.endpoint, t.to, b.now_ms);
	b.now_ms += 2000;
	bench_see(&b, "u--");
	b.now_ms += 50;
	bench_see(&b, "uuu");
	assert_true(bench_tick(&b, &t));
	assert_int_equal(t.to, MODEL_STATE_UP);
	assert_int_equal(t.first_ms_ago, 50);
	bench_deinit(&b);
}

static void the_first_failure_is_the_beginning_though_others_decide(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 4, 1, 1);
	b.checks[0].quorum = 2;
	bench_configure(&b);
	bench_see(&b, "f---"); /* its next probe is not due before the others have decided */
	b.now_ms += 500;
	bench_see(&b, "-f--");
	b.now_ms += 100;
	bench_see(&b, "-df-");
	b.now_ms += 50;
	bench_see(&b, "--df"); /* fails for the first time when all is decided: this is neither a beginning nor a gap */
	assert_true(bench_tick(&b, &t));
	assert_int_equal(t.to, MODEL_STATE_DOWN);
	assert_int_equal(t.first_ms_ago, 650);
	bench_deinit(&b);
}

static void one_that_always_says_down_is_not_the_beginning(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 5, 1, 1);
	bench_see(&b, "d----");
	for (int i = 0; i < 100; i++) {
		b.now_ms += 1000;
		bench_report_all(&b);
		assert_false(bench_tick(&b, &t));
	}
	bench_see(&b, "-d---");
	b.now_ms += 300;
	bench_see(&b, "--d--");
	assert_true(bench_tick(&b, &t));
	assert_int_equal(t.first_ms_ago, 300);
	bench_deinit(&b);
}

static void the_votes_say_why_some_do_not_count(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init(&b, 5, 1, 1);
	b.agents[1].region = "eu";
	bench_configure(&b);
	b.checks[0].quorum = 2;
	bench_configure(&b);
	bench_see(&b, "d----");
	b.now_ms += 3001;
	bench_see(&b, "-ddd-");
	assert_int_equal(verdict_revoke(b.engine, "ag-3", b.now_ms), VEER_OK);
	assert_true(bench_tick(&b, &t));
	static const enum verdict_mark marks[] = {VERDICT_MARK_SILENT, VERDICT_MARK_NONE, VERDICT_MARK_NONE,
						  VERDICT_MARK_REVOKED, VERDICT_MARK_SILENT};
	assert_int_equal(t.vote_count, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(t.votes[i].mark, marks[i]);
	assert_int_equal(t.votes[0].said, OBSERVATION_DOWN);
	assert_int_equal(t.votes[0].state, OBSERVATION_UNKNOWN);
	assert_string_equal(t.votes[1].region, "eu");
	assert_string_equal(t.votes[0].region, "");
	assert_string_equal(verdict_mark_text(VERDICT_MARK_UNCONFIRMED), "unconfirmed");
	bench_deinit(&b);
}

#define CROWD 65536

/* CPU time of this thread, in ms. */
static int64_t cpu_ms(void)
{
	struct timespec t;
	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* When everything fails at once, the engine must not search everything again for each endpoint that fails. */
static void doubts_and_second_looks_of_a_crowd_are_told_in_one_pass(void **state)
{
	static char keys[CROWD][16];
	static struct verdict_endpoint endpoints[CROWD];
	static struct observation items[CROWD];
	static const struct verdict_agent agents[] = {{.id = "ag-0"}, {.id = "ag-1"}};
	static const uint32_t numbers[] = {0, 1};
	const struct verdict_check check = {.name = "web",
					    .fingerprint = 1,
					    .fall = 2,
					    .rise = 2,
					    .interval_ms = 1000,
					    .timeout_ms = 500,
					    .agents = numbers,
					    .agent_count = 2};
	const struct verdict_config config = {.assignment_revision = 1,
					      .agents = agents,
					      .agent_count = 2,
					      .checks = &check,
					      .check_count = 1,
					      .endpoints = endpoints,
					      .endpoint_count = CROWD};
	const struct report report = {
		.assignment_revision = 1, .boot = 1, .seq = 1, .items = items, .item_count = CROWD};
	struct verdict_engine *engine = verdict_engine_new(NULL);
	struct verdict_suspicion suspicion;
	struct verdict_doubt doubt;
	uint32_t suspicions = 0, doubts = 0;
	(void)state;
	for (uint32_t i = 0; i < CROWD; i++) {
		(void)snprintf(keys[i], sizeof keys[i], "p/e%u", i);
		endpoints[i] = (struct verdict_endpoint){
			.key = keys[i], .site = "s", .fingerprint = 1, .checks = numbers, .check_count = 1};
		items[i] = (struct observation){.state = OBSERVATION_FAILING, .reason = PROBE_REASON_TIMEOUT};
	}
	assert_int_equal(verdict_configure(engine, &config, 1000, NULL), VEER_OK);
	assert_int_equal(verdict_report(engine, "ag-0", &report, 1100), VEER_OK);
	verdict_tick(engine, 1100);
	int64_t before_ms = cpu_ms();
	while (verdict_suspicion_next(engine, &suspicion))
		suspicions++;
	while (verdict_doubt_next(engine, &doubt))
		doubts++;
	assert_int_equal(suspicions, CROWD);
	assert_int_equal(doubts, CROWD);
	assert_true(cpu_ms() - before_ms < 500);
	verdict_engine_free(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubt_begins_with_the_first_failure_and_ends_with_the_last),
		cmocka_unit_test(doubt_ends_when_down_is_committed_and_not_before),
		cmocka_unit_test(a_doubt_that_came_and_went_unasked_is_not_told),
		cmocka_unit_test(the_silent_the_blind_and_warnings_raise_no_doubt),
		cmocka_unit_test(doubt_survives_a_new_configuration),
		cmocka_unit_test(a_removal_says_when_it_was_first_seen),
		cmocka_unit_test(the_first_failure_is_the_beginning_though_others_decide),
		cmocka_unit_test(one_that_always_says_down_is_not_the_beginning),
		cmocka_unit_test(the_votes_say_why_some_do_not_count),
		cmocka_unit_test(doubts_and_second_looks_of_a_crowd_are_told_in_one_pass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
