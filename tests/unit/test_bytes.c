/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

#define WHOLE_LEN (1 + 2 + 4 + 8 + 3)

static void write_everything(struct byte_writer *w)
{
	byte_write_u8(w, 0x01);
	byte_write_u16(w, 0x0203);
	byte_write_u32(w, 0x04050607);
	byte_write_u64(w, UINT64_C(0x08090a0b0c0d0e0f));
	byte_write_span(w, "abc", 3);
}

static void numbers_travel_in_network_order(void **state)
{
	(void)state;
	uint8_t out[WHOLE_LEN];
	struct byte_writer w;
	byte_writer_init(&w, out, sizeof out);
	write_everything(&w);
	assert_false(w.failed);
	assert_int_equal(byte_writer_len(&w), WHOLE_LEN);
	assert_int_equal(byte_writer_left(&w), 0);
	assert_memory_equal(out,
			    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
			    "abc",
			    WHOLE_LEN);
	struct byte_reader r;
	byte_reader_init(&r, out, sizeof out);
	assert_int_equal(byte_read_u8(&r), 0x01);
	assert_int_equal(byte_read_u16(&r), 0x0203);
	assert_int_equal(byte_read_u32(&r), 0x04050607);
	assert_true(byte_read_u64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_memory_equal(byte_read_span(&r, 3), "abc", 3);
	assert_false(r.failed);
	assert_int_equal(byte_reader_left(&r), 0);
}

static void every_truncated_input_fails_and_stays_failed(void **state)
{
	(void)state;
	for (size_t len = 0; len < WHOLE_LEN; len++) {
		/* exact heap blocks, so that the address sanitizer detects an access one byte beyond */
		uint8_t *data = malloc(len + 1);
		memset(data, 0xff, len + 1);
		struct byte_reader r;
		byte_reader_init(&r, data, len);
		(void)byte_read_u8(&r);
		(void)byte_read_u16(&r);
		(void)byte_read_u32(&r);
		(void)byte_read_u64(&r);
		(void)byte_read_span(&r, 3);
		assert_true(r.failed);
		size_t left = byte_reader_left(&r);
		assert_int_equal(byte_read_u8(&r), 0);
		assert_null(byte_read_span(&r, 0));
		assert_int_equal(byte_reader_left(&r), left);
		free(data);
	}
}

static void every_short_output_fails_and_writes_nothing_more(void **state)
{
	(void)state;
	for (size_t size = 0; size < WHOLE_LEN; size++) {
		uint8_t *data = malloc(size + 1);
		data[size] = 0x5a;
		struct byte_writer w;
		byte_writer_init(&w, data, size);
		write_everything(&w);
		assert_true(w.failed);
		size_t len = byte_writer_len(&w);
		byte_write_u8(&w, 1);
		assert_int_equal(byte_writer_len(&w), len);
		assert_int_equal(data[size], 0x5a);
		free(data);
	}
}

static void a_length_written_later_lands_in_its_place(void **state)
{
	(void)state;
	uint8_t out[6] = {0};
	struct byte_writer w;
	byte_writer_init(&w, out, sizeof out);
	byte_write_u16(&w, 0);
	byte_write_u16(&w, 0x1122);
	byte_write_u16_at(&w, 0, 0xbeef);
	assert_false(w.failed);
	assert_memory_equal(out, "\xbe\xef\x11\x22", 4);
	byte_write_u16_at(&w, 2, 0x3344);
	assert_false(w.failed);
	byte_write_u16_at(&w, 3, 0);
	assert_true(w.failed);
	assert_memory_equal(out, "\xbe\xef\x33\x44\0\0", 6);
}

static void patching_before_anything_was_written_fails(void **state)
{
	(void)state;
	uint8_t out[4];
	struct byte_writer w;
	byte_writer_init(&w, out, sizeof out);
	byte_write_u8(&w, 1);
	byte_write_u16_at(&w, 0, 1);
	assert_true(w.failed);
	byte_writer_init(&w, out, sizeof out);
	byte_write_u32(&w, 1);
	byte_write_u16_at(&w, SIZE_MAX, 1);
	assert_true(w.failed);
}

static void nothing_at_all_is_a_valid_input(void **state)
{
	(void)state;
	struct byte_reader r;
	byte_reader_init(&r, NULL, 0);
	assert_int_equal(byte_reader_left(&r), 0);
	assert_int_equal(byte_read_u32(&r), 0);
	assert_true(r.failed);
	struct byte_writer w;
	byte_writer_init(&w, NULL, 0);
	byte_write_span(&w, NULL, 0);
	assert_false(w.failed);
	byte_write_u8(&w, 0);
	assert_true(w.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_travel_in_network_order),
		cmocka_unit_test(every_truncated_input_fails_and_stays_failed),
		cmocka_unit_test(every_short_output_fails_and_writes_nothing_more),
		cmocka_unit_test(a_length_written_later_lands_in_its_place),
		cmocka_unit_test(patching_before_anything_was_written_fails),
		cmocka_unit_test(nothing_at_all_is_a_valid_input),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
