/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void text_grows_and_stays_terminated(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 100000);
	assert_string_equal(buf.data, "");
	for (int i = 0; i < 5000; i++) {
		buf_printf(&buf, "%d", i % 10);
		assert_int_equal(buf.len, i + 1);
		assert_int_equal(buf.data[buf.len], 0);
	}
	buf_puts(&buf, "x");
	buf_putc(&buf, 'y');
	buf_append(&buf, "a\0b", 3);
	buf_append(&buf, NULL, 0);
	assert_false(buf.failed);
	assert_int_equal(buf.len, 5005);
	assert_memory_equal(buf.data + 5000, "xya\0b", 6);
	buf_deinit(&buf);
	assert_string_equal(buf.data, "");
	buf_deinit(&buf);
}

static void the_limit_holds_exactly_and_failure_sticks(void **state)
{
	(void)state;
	for (size_t limit = 0; limit < 200; limit++) {
		struct buf buf;
		buf_init(&buf, limit);
		for (size_t i = 0; i < limit; i++)
			buf_putc(&buf, 'x');
		assert_false(buf.failed);
		assert_int_equal(buf.len, limit);
		buf_puts(&buf, "");
		assert_false(buf.failed);
		buf_putc(&buf, 'y');
		assert_true(buf.failed);
		assert_int_equal(buf.len, limit);
		buf_puts(&buf, "");
		buf_printf(&buf, "%s", "z");
		assert_int_equal(buf.len, limit);
		assert_null(buf_take(&buf, NULL));
		assert_false(buf.failed);
		assert_int_equal(buf.len, 0);
	}
}

static void what_does_not_fit_is_not_half_written(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 5);
	buf_puts(&buf, "abc");
	buf_puts(&buf, "def");
	assert_true(buf.failed);
	assert_string_equal(buf.data, "abc");
	buf_reset(&buf);
	assert_false(buf.failed);
	assert_string_equal(buf.data, "");
	buf_append(&buf, "x", SIZE_MAX);
	assert_true(buf.failed);
	buf_deinit(&buf);
}

static void taking_hands_over_and_empties(void **state)
{
	(void)state;
	struct buf buf;
	size_t len = 99;
	buf_init(&buf, 100);
	char *text = buf_take(&buf, &len);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	free(text);
	buf_puts(&buf, "hello");
	text = buf_take(&buf, &len);
	assert_string_equal(text, "hello");
	assert_int_equal(len, 5);
	free(text);
	assert_int_equal(buf.len, 0);
	buf_deinit(&buf);
}

static void consuming_removes_from_the_front(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 100);
	buf_consume(&buf, 5);
	buf_puts(&buf, "line 1\nline 2\nrest");
	buf_consume(&buf, 7);
	assert_string_equal(buf.data, "line 2\nrest");
	buf_consume(&buf, 0);
	buf_consume(&buf, 7);
	assert_string_equal(buf.data, "rest");
	buf_consume(&buf, 1000);
	assert_string_equal(buf.data, "");
	assert_int_equal(buf.len, 0);
	buf_deinit(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows_and_stays_terminated),
		cmocka_unit_test(the_limit_holds_exactly_and_failure_sticks),
		cmocka_unit_test(what_does_not_fit_is_not_half_written),
		cmocka_unit_test(taking_hands_over_and_empties),
		cmocka_unit_test(consuming_removes_from_the_front),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
