/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void integers_are_whole_and_plain(void **state)
{
	(void)state;
	int64_t value = 77;
	assert_true(text_to_int("0", 0, 9, &value));
	assert_int_equal(value, 0);
	assert_true(text_to_int("-9223372036854775808", INT64_MIN, INT64_MAX, &value));
	assert_true(value == INT64_MIN);
	assert_true(text_to_int("9223372036854775807", INT64_MIN, INT64_MAX, &value));
	assert_true(value == INT64_MAX);
	value = 77;
	const char *const bad[] = {"",
				   " ",
				   "+1",
				   " 1",
				   "1 ",
				   "01",
				   "-0",
				   "-",
				   "--1",
				   "1.0",
				   "1e3",
				   "0x1",
				   "10",
				   "-1",
				   "9223372036854775808",
				   "99999999999999999999999",
				   "\xd9\xa1"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(text_to_int(bad[i], 0, 9, &value));
		assert_int_equal(value, 77);
	}
	assert_false(text_to_int("9223372036854775808", INT64_MIN, INT64_MAX, &value));
}

static void suggestions_are_close_or_none(void **state)
{
	(void)state;
	const char *const names[] = {"zone", "listen", "workers", "log-level", "log-format", "geoip", "a"};
	const struct {
		const char *text;
		const char *suggestion;
	} cases[] = {
		{"zome", "zone"},
		{"zoen", "zone"},
		{"zones", "zone"},
		{"zon", "zone"},
		{"lisen", "listen"},
		{"wokers", "workers"},
		{"log-lvl", "log-level"},
		{"loglevel", "log-level"},
		{"geo-ip", "geoip"},
		{"xyz", NULL},
		{"", NULL},
		{"b", NULL},
		{"completely-different", NULL},
		{"log-formats", "log-format"},
		{"zone", "zone"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *got = text_closest(cases[i].text, names, sizeof names / sizeof names[0]);
		if (cases[i].suggestion == NULL)
			assert_null(got);
		else if (got == NULL || strcmp(got, cases[i].suggestion) != 0)
			fail_msg("%s: %s", cases[i].text, got != NULL ? got : "none");
	}
	char very_long[300];
	memset(very_long, 'z', sizeof very_long - 1);
	very_long[sizeof very_long - 1] = '\0';
	assert_null(text_closest(very_long, names, 7));
	const char *const long_names[] = {very_long};
	assert_null(text_closest("zone", long_names, 1));
	assert_null(text_closest("zone", NULL, 0));
}

static void utf8_is_decoded_strictly(void **state)
{
	(void)state;
	const struct {
		const char *text;
		size_t len;
		uint32_t code;
	} cases[] = {
		{"a", 1, 'a'},
		{"", 0, 0},
		{"\x7f", 1, 0x7f},
		{"\xc2\x80", 2, 0x80},
		{"\xdf\xbf", 2, 0x7ff},
		{"\xe0\xa0\x80", 3, 0x800},
		{"\xef\xbf\xbf", 3, 0xffff},
		{"\xf0\x90\x80\x80", 4, 0x10000},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
		{"\x80", 0, 0},
		{"\xbf", 0, 0},
		{"\xc0\x80", 0, 0},
		{"\xc1\xbf", 0, 0},
		{"\xc3", 0, 0},
		{"\xc3"
		 "a",
		 0, 0},
		{"\xe0\x9f\xbf", 0, 0},
		{"\xe2\x82", 0, 0},
		{"\xed\xa0\x80", 0, 0},
		{"\xf0\x8f\xbf\xbf", 0, 0},
		{"\xf4\x90\x80\x80", 0, 0},
		{"\xf5\x80\x80\x80", 0, 0},
		{"\xff", 0, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint32_t code = 0;
		assert_int_equal(text_utf8_decode(cases[i].text, &code), cases[i].len);
		if (cases[i].len > 0)
			assert_int_equal(code, cases[i].code);
		assert_int_equal(text_utf8_len(cases[i].text), cases[i].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_whole_and_plain),
		cmocka_unit_test(suggestions_are_close_or_none),
		cmocka_unit_test(utf8_is_decoded_strictly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
