/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

static void rfc3339_text_is_read_back(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00.000000001Z", 1},
		{"1970-01-01T00:00:00.0000000019Z", 1},
		{"1970-01-01T01:00:00+01:00", 0},
		{"2026-11-22T20:36:01.123Z", INT64_C(1795379761123000000)},
		{"2026-11-22t20:36:01.123z", INT64_C(1795379761123000000)},
		{"2026-11-22T22:06:01.123+01:30", INT64_C(1795379761123000000)},
		{"2026-11-22T15:36:01.123-05:00", INT64_C(1795379761123000000)},
		{"2000-02-29T00:00:00Z", INT64_C(951782400000000000)},
		{"2100-03-01T00:00:00Z", INT64_C(4107542400000000000)},
		{"2199-12-31T23:59:59Z", INT64_C(7258118399000000000)},
	};
	static const char *const bad[] = {
		"",
		"2026",
		"2026-11-22",
		"2026-11-22T20:36:01",
		"2026-11-22 20:36:01Z",
		"2026-11-22T20:36Z",
		"2026-11-22T20:36:01.Z",
		"2026-11-22T20:36:01ZZ",
		"2026-11-22T20:36:01+0100",
		"2026-11-22T20:36:01+24:00",
		"2026-11-22T20:36:01+01:60",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-11-31T00:00:00Z",
		"2026-11-00T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-11-22T24:00:00Z",
		"2026-11-22T20:60:00Z",
		"2026-12-31T23:59:60Z",
		"1969-12-31T23:59:59Z",
		"2200-01-01T00:00:00Z",
		"-026-11-22T20:36:01Z",
		"2026-11-22T20:36:0",
		"2026-11-22T20:36:01.1",
		"\xff",
	};
	int64_t ns;
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (!veer_rfc3339_parse(good[i].text, &ns))
			fail_msg("%s", good[i].text);
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ns = 42;
		if (veer_rfc3339_parse(bad[i], &ns) || ns != 42)
			fail_msg("%s", bad[i]);
	}
	for (int64_t day = 0; day < 366 * 120; day++) { /* compare every day with the function that writes times */
		char text[VEER_RFC3339_SIZE];
		int64_t at = (day * 86400 + day % 86400) * INT64_C(1000000000);
		veer_rfc3339(at, text);
		assert_true(veer_rfc3339_parse(text, &ns));
		assert_int_equal(ns, at);
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

static void the_boot_is_known_and_stays(void **state)
{
	(void)state;
	const struct veer_clock nameless = {0};
	char id[VEER_BOOT_ID_SIZE], again[VEER_BOOT_ID_SIZE];
	veer_clock_boot_id(veer_clock_system(), id);
	assert_int_equal(strlen(id), 36);
	veer_clock_boot_id(veer_clock_system(), again);
	assert_string_equal(again, id);
	veer_clock_boot_id(&nameless, again);
	assert_string_equal(again, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_boot_is_known_and_stays),
		cmocka_unit_test(the_monotonic_clock_never_goes_back),
		cmocka_unit_test(the_wall_clock_is_in_this_century),
		cmocka_unit_test(rfc3339_text_is_utc_with_milliseconds),
		cmocka_unit_test(rfc3339_text_is_read_back),
		cmocka_unit_test(a_clock_of_ones_own_is_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
