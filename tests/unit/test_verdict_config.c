/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine: what it keeps and forgets with a new configuration. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/verdict_bench.h"

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
	bench_init_proposed(&b, &t);
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
	assert_int_equal(verdict_seed(b.engine, "p/e0", MODEL_STATE_DOWN, -1, true, b.now_ms), VEER_ENOTFOUND);
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

/* S21. With the address sanitizer nothing is counted; its leak check has the same purpose. */
static void memory_follows_the_configuration_and_not_the_history(void **state)
{
	(void)state;
	struct bench b;
	size_t used[3] = {0};
	bench_init_up(&b, 3, 2, 16);
	for (int i = 0; i < 300; i++) {
		b.now_ms += 1000;
		bench_see_all(&b, 0, 32, i % 10 < 5 ? 'd' : 'u');
		(void)bench_settle(&b);
		if (i % 3 == 0)
			bench_configure(&b);
		if (i % 100 == 50)
			used[i / 100] = mallinfo2().uordblks;
	}
	assert_int_equal(used[0], used[1]);
	assert_int_equal(used[0], used[2]);
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
	assert_int_equal(verdict_seed(b.engine, "p/e0", MODEL_STATE_DOWN, -1, true, b.now_ms), VEER_OK);
	assert_int_equal(verdict_seed(b.engine, "p/e1", MODEL_STATE_UP, -1, true, b.now_ms), VEER_OK);
	assert_int_equal(verdict_seed(b.engine, "p/e9", MODEL_STATE_UP, -1, true, b.now_ms), VEER_ENOTFOUND);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stays_keeps_its_state_and_what_is_new_is_unknown),
		cmocka_unit_test(a_proposal_in_flight_survives_a_new_configuration),
		cmocka_unit_test(another_address_or_check_forgets_what_was_seen_but_not_the_verdict),
		cmocka_unit_test(an_endpoint_that_nobody_watches_any_more_is_unknown),
		cmocka_unit_test(fewer_agents_mean_a_smaller_quorum_of_those_left),
		cmocka_unit_test(memory_follows_the_configuration_and_not_the_history),
		cmocka_unit_test(a_bad_configuration_is_refused_and_the_old_one_stays),
		cmocka_unit_test(a_new_controller_starts_from_the_committed_verdicts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
