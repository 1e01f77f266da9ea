/* SPDX-License-Identifier: Apache-2.0 */
/* probes/agent/outage.h: when does it seem that the agent itself is cut off? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probes/agent/outage.h"

#define NOW_MS 100000
#define INTERVAL_MS 1000

static void add(struct outage *outage, const char *endpoint, const char *address, int64_t failing_ms)
{
	const struct outage_item item = {.endpoint = endpoint,
					 .address = address,
					 .is_failing = failing_ms >= 0,
					 .failing_ms = failing_ms,
					 .interval_ms = INTERVAL_MS};
	outage_add(outage, &item);
}

/* Four endpoints at two addresses; the last one has been failing since `last_ms`. */
static bool four(int64_t last_ms)
{
	struct outage outage = {.now_ms = NOW_MS};
	add(&outage, "p/a", "192.0.2.1", NOW_MS - INTERVAL_MS);
	add(&outage, "p/b", "192.0.2.1", NOW_MS);
	add(&outage, "p/c", "192.0.2.1", NOW_MS);
	add(&outage, "p/d", "192.0.2.2", last_ms);
	return outage_is_likely(&outage);
}

static void all_within_one_interval(void **state)
{
	(void)state;
	assert_true(four(NOW_MS));
	assert_true(four(NOW_MS - INTERVAL_MS));
}

static void one_that_failed_before_was_down_already(void **state)
{
	(void)state;
	assert_false(four(NOW_MS - INTERVAL_MS - 1));
}

static void one_that_does_not_fail_is_enough(void **state)
{
	(void)state;
	assert_false(four(-1));
}

static void one_address_may_be_one_site(void **state)
{
	struct outage outage = {.now_ms = NOW_MS};
	(void)state;
	for (int i = 0; i < 8; i++)
		add(&outage, (const char *const[]){"p/a", "p/b", "p/c", "p/d"}[i % 4], "192.0.2.1", NOW_MS);
	assert_false(outage_is_likely(&outage));
}

static void several_checks_of_few_endpoints_do_not_count_twice(void **state)
{
	struct outage outage = {.now_ms = NOW_MS};
	(void)state;
	for (int i = 0; i < 9; i++)
		add(&outage, (const char *const[]){"p/a", "p/b", "p/c"}[i % 3],
		    (const char *const[]){"192.0.2.1", "192.0.2.2", "192.0.2.3"}[i % 3], NOW_MS);
	assert_false(outage_is_likely(&outage));
}

static void nothing_is_no_outage(void **state)
{
	const struct outage outage = {.now_ms = NOW_MS};
	(void)state;
	assert_false(outage_is_likely(&outage));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_within_one_interval),
		cmocka_unit_test(one_that_failed_before_was_down_already),
		cmocka_unit_test(one_that_does_not_fail_is_enough),
		cmocka_unit_test(one_address_may_be_one_site),
		cmocka_unit_test(several_checks_of_few_endpoints_do_not_count_twice),
		cmocka_unit_test(nothing_is_no_outage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
