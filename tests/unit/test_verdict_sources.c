/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine: quorums of regions, pushes and calculated checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/verdict_bench.h"

/* --- regions ---------------------------------------------------------------------------------------------------- */

static void bench_init_regions(struct bench *b, const char *regions, uint32_t wanted)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	bench_init(b, (uint32_t)strlen(regions), 1, 1);
	for (uint32_t i = 0; regions[i] != '\0'; i++)
		b->agents[i].region = names[regions[i] - 'a'];
	b->checks[0].regions = wanted;
	bench_configure(b);
}

static void a_quorum_must_span_so_many_regions(void **state)
{
	static const struct {
		const char *regions;
		uint32_t wanted;
		const char *views;
		enum model_state to;
		enum verdict_wait wait;
	} cases[] = {
		{"aaab", 1, "ddd-", MODEL_STATE_DOWN, VERDICT_WAIT_NONE},
		{"aaab", 2, "ddd-", MODEL_STATE_UNKNOWN, VERDICT_WAIT_NO_REGIONS},
		{"aaab", 2, "dddu", MODEL_STATE_UNKNOWN, VERDICT_WAIT_NO_REGIONS},
		{"aaab", 2, "dd-d", MODEL_STATE_DOWN, VERDICT_WAIT_NONE},
		{"aaab", 2, "uuu-", MODEL_STATE_UNKNOWN, VERDICT_WAIT_NO_REGIONS},
		{"aaab", 2, "uu-u", MODEL_STATE_UP, VERDICT_WAIT_NONE},
		{"aabc", 3, "dddd", MODEL_STATE_DOWN, VERDICT_WAIT_NONE},
		{"aabc", 3, "ddd-", MODEL_STATE_UNKNOWN, VERDICT_WAIT_NO_REGIONS},
		{"aabc", 3, "dd--", MODEL_STATE_UNKNOWN, VERDICT_WAIT_NO_QUORUM},
		{"aaaa", 3, "ddd-", MODEL_STATE_DOWN, VERDICT_WAIT_NONE}, /* there is only one region */
		{"aabb", 9, "ddd-", MODEL_STATE_DOWN, VERDICT_WAIT_NONE},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bench b;
		struct verdict_transition t = {.to = MODEL_STATE_UNKNOWN};
		bench_init_regions(&b, cases[i].regions, cases[i].wanted);
		bench_see(&b, cases[i].views);
		(void)bench_tick(&b, &t);
		if (t.to != cases[i].to)
			fail_msg("case %zu: %s", i, model_state_text(t.to));
		if (t.to == MODEL_STATE_UNKNOWN)
			assert_int_equal(bench_status(&b, 0).wait, cases[i].wait);
		bench_deinit(&b);
	}
}

static void the_status_says_what_is_missing_of_regions(void **state)
{
	(void)state;
	struct bench b;
	bench_init_regions(&b, "aab", 3);
	bench_see(&b, "ddu");
	struct verdict_endpoint_status status = bench_status(&b, 0);
	assert_int_equal(status.regions, 2); /* no more than exist */
	assert_int_equal(status.regions_asked, 3);
	assert_int_equal(status.regions_fresh, 2);
	assert_int_equal(status.regions_down, 1);
	assert_int_equal(status.regions_up, 1);
	assert_string_equal(verdict_wait_text(VERDICT_WAIT_NO_REGIONS), "no_regions");
	bench_deinit(&b);
}

/* --- push ------------------------------------------------------------------------------------------------------- */

static void bench_init_push(struct bench *b, bool is_down_on_expiry)
{
	bench_init(b, 1, 1, 1);
	b->checks[0] = (struct verdict_check){
		.name = "web", .source = VERDICT_SOURCE_PUSH, .ttl_ms = 5000, .is_down_on_expiry = is_down_on_expiry};
	bench_configure(b);
}

static void the_word_of_a_push_is_a_quorum(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_push(&b, false);
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_status(&b, 0).wait, VERDICT_WAIT_NO_QUORUM);
	assert_int_equal(verdict_push(b.engine, "web", "p/e0", MODEL_STATE_UP, 0, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	b.now_ms += 1500;
	assert_int_equal(verdict_push(b.engine, "web", "p/e0", MODEL_STATE_DOWN, 0, b.now_ms), VEER_OK);
	b.now_ms += 10;
	assert_true(bench_tick(&b, &t));
	assert_int_equal(t.to, MODEL_STATE_DOWN);
	assert_int_equal(t.source, VERDICT_SOURCE_PUSH);
	assert_int_equal(t.quorum, 1);
	assert_int_equal(t.reason, PROBE_REASON_PUSHED);
	assert_int_equal(t.first_ms_ago, 10);
	assert_int_equal(t.vote_count, 1);
	assert_string_equal(t.votes[0].agent, "push");
	bench_deinit(&b);
}

static void silence_after_a_push_changes_nothing(void **state)
{
	(void)state;
	struct bench b;
	bench_init_push(&b, false);
	assert_int_equal(verdict_push(b.engine, "web", "p/e0", MODEL_STATE_UP, 0, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 1);
	b.now_ms += 4999;
	assert_int_equal(bench_status(&b, 0).fresh, 1);
	b.now_ms += 1;
	assert_int_equal(bench_status(&b, 0).fresh, 0);
	b.now_ms += 1000000;
	assert_int_equal(bench_settle(&b), 0);
	struct verdict_vote vote;
	assert_int_equal(verdict_votes(b.engine, 0, b.now_ms, &vote, 1), 1);
	assert_int_equal(vote.mark, VERDICT_MARK_EXPIRED);
	bench_deinit(&b);
}

static void silence_after_a_push_is_down_where_the_check_says_so(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_push(&b, true);
	b.now_ms += 1000000; /* never heard, so the endpoint is new */
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(verdict_push(b.engine, "web", "p/e0", MODEL_STATE_UP, 700, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 1);
	b.now_ms += 699;
	assert_int_equal(bench_settle(&b), 0);
	b.now_ms += 21;
	assert_true(bench_tick(&b, &t));
	assert_int_equal(t.to, MODEL_STATE_DOWN);
	assert_int_equal(t.reason, PROBE_REASON_EXPIRED);
	assert_int_equal(t.first_ms_ago, 20);
	bench_deinit(&b);
}

static void a_restart_does_not_disarm_a_push(void **state)
{
	(void)state;
	struct bench b;
	bench_init_push(&b, true);
	assert_int_equal(verdict_seed(b.engine, "p/e0", MODEL_STATE_UP, -1, true, b.now_ms), VEER_OK);
	b.now_ms += 4999;
	assert_int_equal(bench_settle(&b), 0);
	b.now_ms += 1;
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_deinit(&b);
}

/* The verdict may be older than the check: then no push was heard yet, and a new endpoint takes nothing down (S20). */
static void a_restart_does_not_arm_a_push_that_was_never_heard(void **state)
{
	(void)state;
	struct bench b;
	bench_init_push(&b, true);
	assert_int_equal(verdict_seed(b.engine, "p/e0", MODEL_STATE_UP, -1, false, b.now_ms), VEER_OK);
	b.now_ms += 1000000;
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	bench_deinit(&b);
}

static void a_push_survives_a_new_configuration_and_bad_ones_are_refused(void **state)
{
	(void)state;
	struct bench b;
	bench_init_push(&b, false);
	assert_int_equal(verdict_push(b.engine, "web", "p/e0", MODEL_STATE_UP, 60000, b.now_ms), VEER_OK);
	bench_configure(&b);
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(verdict_push(b.engine, "db", "p/e0", MODEL_STATE_UP, 0, b.now_ms), VEER_ENOTFOUND);
	assert_int_equal(verdict_push(b.engine, "web", "p/e1", MODEL_STATE_UP, 0, b.now_ms), VEER_ENOTFOUND);
	assert_int_equal(verdict_push(b.engine, "web", "p/e0", MODEL_STATE_UNKNOWN, 0, b.now_ms), VEER_EINVAL);
	assert_int_equal(verdict_push(b.engine, "web", "p/e0", MODEL_STATE_UP, 86400001, b.now_ms), VEER_ERANGE);
	bench_deinit(&b);
	bench_init(&b, 1, 1, 1);
	assert_int_equal(verdict_push(b.engine, "web", "p/e0", MODEL_STATE_UP, 0, b.now_ms), VEER_ENOTFOUND);
	bench_deinit(&b);
}

/* --- calculated -------------------------------------------------------------------------------------------------- */

/* "c2" is calculated of web, db and this many missing checks; only c2 votes. One agent. */
static void bench_init_calculated(struct bench *b, uint32_t need, uint32_t lost)
{
	static const uint32_t of[] = {0, 1};
	static const uint32_t order[] = {2, 0, 1};
	bench_init(b, 1, 3, 1);
	b->checks[2] = (struct verdict_check){.name = "c2",
					      .source = VERDICT_SOURCE_CALCULATED,
					      .of = of,
					      .of_count = 2,
					      .lost_count = lost,
					      .need = need};
	b->endpoints[0].checks = order;
	b->endpoints[0].part_count = 2;
	bench_configure(b);
}

/* The single agent's view of web and db, in the order of the report. */
static void see_parts(struct bench *b, const char *views)
{
	b->seen[0][0] = views[0];
	b->seen[0][1] = views[1];
	bench_report(b, 0);
}

static void calculated_checks_use_three_valued_logic(void **state)
{
	static const struct {
		uint32_t need;
		uint32_t lost;
		const char *views;
		enum model_state to;
	} cases[] = {
		{0, 0, "uu", MODEL_STATE_UP},      {0, 0, "du", MODEL_STATE_DOWN},    {0, 0, "u?", MODEL_STATE_UNKNOWN},
		{0, 0, "d?", MODEL_STATE_DOWN},    {0, 0, "??", MODEL_STATE_UNKNOWN}, {1, 0, "dd", MODEL_STATE_DOWN},
		{1, 0, "du", MODEL_STATE_UP},      {1, 0, "d?", MODEL_STATE_UNKNOWN}, {1, 0, "u?", MODEL_STATE_UP},
		{2, 1, "uu", MODEL_STATE_UP},      {2, 1, "ud", MODEL_STATE_UNKNOWN}, {2, 1, "dd", MODEL_STATE_DOWN},
		{0, 1, "uu", MODEL_STATE_UNKNOWN}, {0, 1, "ud", MODEL_STATE_DOWN},    {9, 0, "uu", MODEL_STATE_UP},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bench b;
		struct verdict_transition t = {.to = MODEL_STATE_UNKNOWN};
		bench_init_calculated(&b, cases[i].need, cases[i].lost);
		see_parts(&b, cases[i].views);
		(void)bench_tick(&b, &t);
		if (t.to != cases[i].to)
			fail_msg("case %zu: %s", i, model_state_text(t.to));
		bench_deinit(&b);
	}
}

static void a_part_that_the_endpoint_does_not_have_is_never_known(void **state)
{
	(void)state;
	struct bench b;
	bench_init_calculated(&b, 0, 0);
	b.endpoints[0].check_count = 2; /* c2 and web, without db */
	b.endpoints[0].part_count = 1;
	b.checks[1].agent_count = 0;
	bench_configure(&b);
	b.config.check_count = 2;
	assert_int_equal(verdict_votes(b.engine, 0, b.now_ms, NULL, 0), 2);
	assert_int_equal(bench_settle(&b), 0);
	bench_deinit(&b);
}

static void a_part_that_does_not_vote_removes_nothing_by_itself(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_calculated(&b, 1, 0);
	see_parts(&b, "uu");
	assert_int_equal(bench_settle(&b), 1);
	see_parts(&b, "du");
	assert_int_equal(bench_settle(&b), 0);
	assert_false(bench_status(&b, 0).is_doubted);
	see_parts(&b, "df");
	assert_int_equal(bench_settle(&b), 0);
	assert_true(bench_status(&b, 0).is_doubted); /* if the doubt is true, it goes down */
	b.now_ms += 100;
	see_parts(&b, "dd");
	assert_true(bench_tick(&b, &t));
	assert_string_equal(t.check, "c2");
	assert_int_equal(t.source, VERDICT_SOURCE_CALCULATED);
	assert_int_equal(t.quorum, 2); /* when both are down, fewer than one part is up */
	assert_int_equal(t.reason, PROBE_REASON_CONNECT_REFUSED);
	assert_int_equal(t.first_ms_ago, 100);
	assert_int_equal(t.vote_count, 3);
	assert_string_equal(t.votes[0].agent, "calculated");
	assert_int_equal(t.votes[0].state, OBSERVATION_DOWN);
	assert_string_equal(t.votes[1].check, "web");
	assert_string_equal(t.votes[2].check, "db");
	bench_deinit(&b);
}

static void silence_of_the_parts_changes_nothing(void **state)
{
	(void)state;
	struct bench b;
	bench_init_calculated(&b, 0, 0);
	see_parts(&b, "uu");
	assert_int_equal(bench_settle(&b), 1);
	b.now_ms += 100000;
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	struct verdict_endpoint_status status = bench_status(&b, 0);
	assert_int_equal(status.wait, VERDICT_WAIT_NO_QUORUM);
	assert_int_equal(status.agents, 2); /* the number of its parts */
	assert_int_equal(status.quorum, 2);
	assert_int_equal(status.fresh, 0);
	bench_deinit(&b);
}

/* Configure web, then a chain of calculated checks, each of the one before. */
static enum veer_err configure_chain(struct bench *b, uint32_t length, bool is_loop)
{
	static const uint32_t numbers[] = {0, 1, 2, 3, 4, 5, 6};
	struct veer_diag diag;
	bench_init(b, 1, length + 1, 1);
	for (uint32_t i = 1; i <= length; i++) {
		b->checks[i].source = VERDICT_SOURCE_CALCULATED;
		b->checks[i].agent_count = 0;
		b->checks[i].of = &numbers[is_loop && i == 1 ? length : i - 1];
		b->checks[i].of_count = 1;
	}
	b->endpoints[0].part_count = 0;
	b->config.assignment_revision++;
	return verdict_configure(b->engine, &b->config, b->now_ms, &diag);
}

static void calculated_checks_nest_four_deep_and_never_in_a_loop(void **state)
{
	(void)state;
	struct bench b;
	assert_int_equal(configure_chain(&b, 4, false), VEER_OK);
	b.seen[0][0] = 'd';
	bench_report(&b, 0);
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_deinit(&b);
	assert_int_equal(configure_chain(&b, 5, false), VEER_ELIMIT);
	bench_deinit(&b);
	assert_int_equal(configure_chain(&b, 2, true), VEER_ELIMIT);
	bench_deinit(&b);
	assert_int_equal(configure_chain(&b, 1, true), VEER_ELIMIT);
	bench_deinit(&b);
}

static void configurations_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	struct bench b;
	struct veer_diag diag;
	static const uint32_t twice[] = {0, 0}, nowhere[] = {9}, web[] = {0};
	bench_init_calculated(&b, 0, 0);
	for (int i = 0; i < 7; i++) {
		struct verdict_check check = b.checks[2];
		struct verdict_endpoint endpoint = b.endpoints[0];
		struct verdict_check web_check = b.checks[0];
		switch (i) {
		case 0:
			b.checks[2].of_count = 0;
			break;
		case 1:
			b.checks[2].of = twice;
			break;
		case 2:
			b.checks[2].of = nowhere, b.checks[2].of_count = 1;
			break;
		case 3:
			b.checks[2].lost_count = VERDICT_PARTS_MAX;
			break;
		case 4:
			b.checks[0].interval_ms = 0;
			break;
		case 5:
			b.checks[0].of = web, b.checks[0].of_count = 1;
			break;
		default:
			b.endpoints[0].part_count = 4;
			break;
		}
		b.config.assignment_revision++;
		if (verdict_configure(b.engine, &b.config, b.now_ms, &diag) == VEER_OK)
			fail_msg("case %d is taken", i);
		b.checks[2] = check;
		b.checks[0] = web_check;
		b.endpoints[0] = endpoint;
	}
	bench_configure(&b);
	bench_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quorum_must_span_so_many_regions),
		cmocka_unit_test(the_status_says_what_is_missing_of_regions),
		cmocka_unit_test(the_word_of_a_push_is_a_quorum),
		cmocka_unit_test(silence_after_a_push_changes_nothing),
		cmocka_unit_test(silence_after_a_push_is_down_where_the_check_says_so),
		cmocka_unit_test(a_restart_does_not_disarm_a_push),
		cmocka_unit_test(a_restart_does_not_arm_a_push_that_was_never_heard),
		cmocka_unit_test(a_push_survives_a_new_configuration_and_bad_ones_are_refused),
		cmocka_unit_test(calculated_checks_use_three_valued_logic),
		cmocka_unit_test(a_part_that_the_endpoint_does_not_have_is_never_known),
		cmocka_unit_test(a_part_that_does_not_vote_removes_nothing_by_itself),
		cmocka_unit_test(silence_of_the_parts_changes_nothing),
		cmocka_unit_test(calculated_checks_nest_four_deep_and_never_in_a_loop),
		cmocka_unit_test(configurations_that_make_no_sense_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
