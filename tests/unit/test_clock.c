/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void the_monotonic_clock_never_goes_back(void **state)
{
	(void)state;
	const struct veer_clock *clock = veer_clock_system();
	int64_t last = veer_clock_monotonic_ns(clock);
	for (int i = 0; i < 10000; i++) {
		int64_t now = veer_clock_monotonic_ns(clock);
		assert_true(now >= last);
		last = now;
	}
	assert_in_range(veer_clock_monotonic_ms(clock), last / 1000000, last / 1000000 + 1000);
}

static void the_wall_clock_is_in_this_century(void **state)
{
	(void)state;
	int64_t wall = veer_clock_wall_ns(veer_clock_system());
	assert_true(wall > INT64_C(1600000000) * 1000000000);
	assert_true(wall < INT64_C(4102444800) * 1000000000);
}

static void rfc3339_text_is_utc_with_milliseconds(void **state)
{
	(void)state;
	const struct {
		int64_t wall_ns;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{INT64_C(999999), "1970-01-01T00:00:00.000Z"},
		{INT64_C(1000000), "1970-01-01T00:00:00.001Z"},
		{INT64_C(1795379761123456789), "2026-11-22T20:36:01.123Z"},
		{INT64_C(1709164800000000000), "2024-02-29T00:00:00.000Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{INT64_MAX, "2262-04-11T23:47:16.854Z"},
		{INT64_MIN, "1677-09-21T00:12:43.145Z"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char out[VEER_RFC3339_SIZE];
		veer_rfc3339(cases[i].wall_ns, out);
		assert_string_equal(out, cases[i].text);
	}
}

static int64_t fixed(void *ctx)
{
	return *(int64_t *)ctx;
}

static void a_clock_of_ones_own_is_asked(void **state)
{
	(void)state;
	int64_t now = 5999999;
	struct veer_clock clock = {.monotonic_ns = fixed, .wall_ns = fixed, .ctx = &now};
	assert_int_equal(veer_clock_monotonic_ns(&clock), 5999999);
	assert_int_equal(veer_clock_monotonic_ms(&clock), 5);
	assert_int_equal(veer_clock_wall_ns(&clock), 5999999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_monotonic_clock_never_goes_back),
		cmocka_unit_test(the_wall_clock_is_in_this_century),
		cmocka_unit_test(rfc3339_text_is_utc_with_milliseconds),
		cmocka_unit_test(a_clock_of_ones_own_is_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
