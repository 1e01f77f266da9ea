/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine: agents that contradict the others on a large part of what they see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/verdict_bench.h"

/* the settling time of the bench's checks: twice 3 s of silence, a round of 2 s and a timeout of 500 ms */
#define SETTLE_MS 11000

static struct verdict_agent_status agent_status(const struct bench *b, uint32_t agent)
{
	struct verdict_agent_status status;
	assert_true(verdict_agent_at(b->engine, agent, b->now_ms, &status));
	return status;
}

static bool is_suspect(const struct bench *b, uint32_t agent)
{
	return agent_status(b, agent).suspect_check != NULL;
}

/* All agents report every second for this time. Returns the number of transitions. */
static int bench_run(struct bench *b, int64_t for_ms)
{
	int count = 0;
	for (int64_t until_ms = b->now_ms + for_ms; b->now_ms < until_ms;) {
		b->now_ms += 1000;
		bench_report_all(b);
		count += bench_settle(b);
	}
	return count;
}

/* The agent sees the first `count` endpoints in this state. */
static void agent_sees(struct bench *b, uint32_t agent, uint32_t count, char letter)
{
	memset(b->seen[agent], letter, count);
}

static void one_that_the_others_contradict_long_enough_is_suspect(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 8);
	agent_sees(&b, 0, 4, 'd');
	assert_int_equal(bench_run(&b, SETTLE_MS + 1000), 0);
	assert_false(is_suspect(&b, 0));
	assert_int_equal(bench_run(&b, 1000), 0);
	struct verdict_agent_status status = agent_status(&b, 0);
	assert_string_equal(status.suspect_check, "web");
	assert_int_equal(status.contradicted, 4);
	assert_int_equal(status.compared, 8);
	assert_int_equal(status.fresh, 0);
	assert_false(is_suspect(&b, 1));
	assert_false(is_suspect(&b, 2));
	/* The vote of the suspect and one mistake of an honest agent are no longer a quorum. */
	b.seen[1][0] = 'd';
	assert_int_equal(bench_run(&b, 5000), 0);
	struct verdict_vote votes[3];
	assert_int_equal(verdict_votes(b.engine, 0, b.now_ms, votes, 3), 3);
	assert_int_equal(votes[0].mark, VERDICT_MARK_SUSPECT);
	assert_int_equal(votes[0].said, OBSERVATION_DOWN);
	assert_int_equal(votes[0].state, OBSERVATION_UNKNOWN);
	/* When both other agents see it, it is true. */
	b.seen[2][0] = 'd';
	assert_int_equal(bench_run(&b, 1000), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_deinit(&b);
}

static void few_endpoints_or_a_small_share_do_not_suffice(void **state)
{
	static const struct {
		uint32_t endpoints;
		uint32_t contradicted;
		bool is_suspect;
	} cases[] = {{4, 4, true}, {3, 3, false}, {8, 3, false}, {9, 4, false}, {9, 5, true}, {16, 7, false}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bench b;
		bench_init_up(&b, 3, 1, cases[i].endpoints);
		agent_sees(&b, 2, cases[i].contradicted, 'd');
		assert_int_equal(bench_run(&b, 60000), 0);
		if (is_suspect(&b, 2) != cases[i].is_suspect)
			fail_msg("case %zu", i);
		bench_deinit(&b);
	}
}

static void a_suspect_returns_by_itself_when_it_agrees_again(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 8);
	agent_sees(&b, 0, 8, 'd');
	(void)bench_run(&b, 30000);
	assert_true(is_suspect(&b, 0));
	agent_sees(&b, 0, 8, 'u');
	agent_sees(&b, 0, 2, 'd'); /* a quarter is still too many */
	(void)bench_run(&b, 60000);
	assert_true(is_suspect(&b, 0));
	agent_sees(&b, 0, 1, 'u');
	(void)bench_run(&b, 20000);
	agent_sees(&b, 0, 2, 'd'); /* its time begins anew */
	(void)bench_run(&b, 1000);
	agent_sees(&b, 0, 2, 'u');
	(void)bench_run(&b, 30000);
	assert_true(is_suspect(&b, 0));
	(void)bench_run(&b, 1000);
	assert_false(is_suspect(&b, 0));
	bench_deinit(&b);
}

static void agents_that_learn_of_a_disaster_late_make_nobody_suspect(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 4);
	b.config.is_brake_off = true;
	bench_configure(&b);
	for (int round = 0; round < 20; round++) {
		char letter = round % 2 == 0 ? 'd' : 'u';
		for (uint32_t agent = 0; agent < 3; agent++) {
			agent_sees(&b, agent, 4, letter);
			(void)bench_run(&b, 2500);
			for (uint32_t i = 0; i < 3; i++)
				assert_false(is_suspect(&b, i));
		}
	}
	bench_deinit(&b);
}

/*
 * Two of five agents lie that everything is up, while the honest ones see half of it down: they are a quorum, and it
 * goes down.
 */
static void liars_below_the_quorum_make_no_honest_agent_suspect(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 5, 1, 8);
	b.config.is_brake_off = true;
	bench_configure(&b);
	for (uint32_t agent = 0; agent < 3; agent++)
		agent_sees(&b, agent, 6, 'd');
	assert_int_equal(bench_run(&b, 120000), 6);
	for (uint32_t agent = 0; agent < 5; agent++)
		assert_false(is_suspect(&b, agent));
	bench_deinit(&b);
}

static void where_a_minority_suffices_its_members_are_not_contradicted(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 4, 1, 8);
	b.checks[0].quorum = 2;
	b.config.is_brake_off = true;
	bench_configure(&b);
	agent_sees(&b, 0, 8, 'd');
	agent_sees(&b, 1, 8, '?'); /* may still turn out to report the same */
	assert_int_equal(bench_run(&b, 120000), 0);
	assert_false(is_suspect(&b, 0));
	agent_sees(&b, 1, 8, 'd');
	assert_int_equal(bench_run(&b, 1000), 8);
	bench_deinit(&b);
}

static void a_suspect_counts_where_the_others_cannot_decide(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 8);
	b.config.is_brake_off = true;
	bench_configure(&b);
	agent_sees(&b, 0, 8, 'd');
	(void)bench_run(&b, 30000);
	assert_true(is_suspect(&b, 0));
	/* One of the two other agents has no view of an endpoint. Only the honest one and the suspect are left. */
	b.seen[1][3] = '?';
	b.seen[2][3] = 'd';
	assert_int_equal(bench_run(&b, 1000), 1);
	assert_int_equal(bench_verdict(&b, 3), MODEL_STATE_DOWN);
	assert_int_equal(bench_verdict(&b, 4), MODEL_STATE_UP);
	assert_true(is_suspect(&b, 0));
	bench_deinit(&b);
}

static void being_suspect_survives_a_new_configuration_and_is_judged_by_check(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 3, 2, 8);
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 8);
	for (uint32_t i = 0; i < 16; i += 2)
		b.seen[0][i] = 'd'; /* on web, not on db */
	(void)bench_run(&b, 30000);
	assert_string_equal(agent_status(&b, 0).suspect_check, "web");
	assert_int_equal(agent_status(&b, 0).suspect_checks, 1);
	assert_int_equal(agent_status(&b, 0).fresh, 8);
	bench_configure(&b);
	assert_true(is_suspect(&b, 0));
	bench_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_the_others_contradict_long_enough_is_suspect),
		cmocka_unit_test(few_endpoints_or_a_small_share_do_not_suffice),
		cmocka_unit_test(a_suspect_returns_by_itself_when_it_agrees_again),
		cmocka_unit_test(agents_that_learn_of_a_disaster_late_make_nobody_suspect),
		cmocka_unit_test(liars_below_the_quorum_make_no_honest_agent_suspect),
		cmocka_unit_test(where_a_minority_suffices_its_members_are_not_contradicted),
		cmocka_unit_test(a_suspect_counts_where_the_others_cannot_decide),
		cmocka_unit_test(being_suspect_survives_a_new_configuration_and_is_judged_by_check),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
