/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine: several checks of one endpoint, proposals, and the results of their commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/verdict_bench.h"

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
	b.seen[0][0] = b.seen[1][1] = 'd'; /* one agent reports down on each */
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
	/* When it becomes a voting check, the present observations decide. */
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
	bench_init_proposed(&b, &t);
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
	bench_init_proposed(&b, &t);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_endpoint_is_the_and_of_its_voting_checks),
		cmocka_unit_test(votes_against_each_other_on_two_checks_do_not_add_up),
		cmocka_unit_test(a_warning_never_votes_but_is_seen),
		cmocka_unit_test(a_return_needs_every_check_seen_by_a_quorum),
		cmocka_unit_test(a_proposal_in_flight_is_not_repeated),
		cmocka_unit_test(a_failed_commit_is_proposed_again_while_it_is_due),
		cmocka_unit_test(evidence_that_went_away_before_the_proposal_stops_it),
		cmocka_unit_test(frozen_means_that_nothing_is_proposed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
