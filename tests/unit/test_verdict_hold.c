/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine: hold and brake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/verdict_bench.h"

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

/* One removal and return. Returns the hold for which the return waited. */
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
	int64_t hold_ms = bench_flap(&b);
	assert_int_equal(hold_ms, 10000);
	for (int i = 0; i < 4; i++) { /* longer each time, but less than twice: the penalty decays meanwhile */
		int64_t next_ms = bench_flap(&b);
		assert_true(next_ms > hold_ms && next_ms < 2 * hold_ms + 1000);
		hold_ms = next_ms;
	}
	for (int i = 0; i < 20; i++)
		hold_ms = bench_flap(&b);
	assert_true(hold_ms > 50000 && hold_ms <= 160000);
	/* Half of the penalty is forgotten in 30 holds, all of it in ten times that. */
	b.now_ms += 300000;
	bench_see(&b, "uuu");
	int64_t half_ms = bench_flap(&b);
	assert_true(half_ms > 10000 && half_ms < hold_ms);
	b.now_ms += 3000000;
	bench_see(&b, "uuu");
	assert_int_equal(bench_flap(&b), 10000);
	bench_deinit(&b);
}

/* --- brake ----------------------------------------------------------------------------------------------------- */

static void the_brake_lets_a_quarter_go_and_the_rest_later(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 16); /* two endpoints at each of 8 sites */
	bench_see_all(&b, 0, 16, 'd');
	assert_int_equal(bench_settle(&b), 4);
	assert_int_equal(bench_status(&b, 4).wait, VERDICT_WAIT_BRAKE);
	b.now_ms += VERDICT_BRAKE_WINDOW_MS;
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 0);
	b.now_ms += 1;
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 4);
	/* The brake does not delay restorations. */
	bench_see_all(&b, 0, 16, 'u');
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
	bench_see_all(&b, 0, 16, 'd');
	assert_int_equal(bench_settle(&b), 10);
	bench_deinit(&b);
}

static void small_scopes_and_those_without_brake_have_none(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 7);
	bench_see_all(&b, 0, 7, 'd');
	assert_int_equal(bench_settle(&b), 7);
	bench_deinit(&b);
	bench_init_up(&b, 3, 1, 16);
	b.config.is_brake_off = true;
	bench_configure(&b);
	bench_see_all(&b, 0, 16, 'd');
	assert_int_equal(bench_settle(&b), 16);
	bench_deinit(&b);
	bench_init(&b, 3, 1, 16);
	for (uint32_t i = 0; i < 16; i++)
		b.endpoints[i].site = i < 8 ? "s0" : i < 12 ? "s1" : "s2";
	bench_configure(&b);
	bench_report_all(&b);
	assert_int_equal(bench_settle(&b), 16);
	bench_see_all(&b, 0, 16, 'd');
	assert_int_equal(bench_settle(&b), 16);
	bench_deinit(&b);
}

static void failed_commits_do_not_use_up_the_brake(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 3, 1, 16);
	bench_see_all(&b, 0, 16, 'd');
	for (int round = 0; round < 3; round++) {
		int count = 0;
		char keys[BENCH_ENDPOINTS][16];
		verdict_tick(b.engine, b.now_ms);
		while (verdict_next(b.engine, &t))
			(void)snprintf(keys[count++], sizeof keys[0], "%s", t.endpoint);
		assert_int_equal(count, 4);
		for (int i = 0; i < count; i++)
			verdict_commit_failed(b.engine, keys[i], b.now_ms);
	}
	bench_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_return_waits_for_the_hold_but_a_removal_does_not),
		cmocka_unit_test(a_hold_that_ends_in_silence_returns_nothing),
		cmocka_unit_test(the_hold_of_a_flapping_endpoint_grows_and_is_forgotten),
		cmocka_unit_test(the_brake_lets_a_quarter_go_and_the_rest_later),
		cmocka_unit_test(the_brake_lets_one_whole_site_go),
		cmocka_unit_test(small_scopes_and_those_without_brake_have_none),
		cmocka_unit_test(failed_commits_do_not_use_up_the_brake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
