/* SPDX-License-Identifier: Apache-2.0 */
/* Names and headers of DNS messages: well-formed ones are read, and all others make the reader fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zones/dns/message.h"

/* Read the name at `at` of a message. Returns its length, and in `*next` the reader's position after it. */
static size_t read_at(const void *message, size_t len, size_t at, uint8_t out[NAME_WIRE_MAX], size_t *next)
{
	struct byte_reader r;
	byte_reader_init(&r, message, len);
	(void)byte_read_span(&r, at);
	size_t got = dns_name_read(&r, out);
	assert_true(r.failed == (got == 0));
	*next = (size_t)(r.pos - r.base);
	return got;
}

static void names_are_read_with_their_pointers(void **state)
{
	(void)state;
	/* 0: "Example.", 9: "a." and a pointer to 0, 13: a pointer to 9, 15: the root */
	static const char message[] = "\7Example\0\1a\300\0\300\11\0";
	uint8_t out[NAME_WIRE_MAX];
	size_t next;
	assert_int_equal(read_at(message, 16, 0, out, &next), 9);
	assert_memory_equal(out, "\7Example\0", 9);
	assert_int_equal(next, 9);
	assert_int_equal(read_at(message, 16, 9, out, &next), 11);
	assert_memory_equal(out, "\1a\7Example\0", 11);
	assert_int_equal(next, 13);
	assert_int_equal(read_at(message, 16, 13, out, &next), 11);
	assert_int_equal(next, 15);
	assert_int_equal(read_at(message, 16, 15, out, &next), 1);
	assert_int_equal(next, 16);
}

static void malformed_names_fail_the_reader(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		size_t len, at;
	} cases[] = {
		{"", 0, 0},                   /* empty */
		{"\1a", 2, 0},                /* without an end */
		{"\3ab", 3, 0},               /* a label cut short */
		{"\300", 1, 0},               /* half a pointer */
		{"\300\0", 2, 0},             /* a pointer to itself */
		{"\0\300\3\0", 4, 1},         /* a pointer ahead */
		{"\1a\300\0", 4, 2},          /* back to a name that ends in this pointer */
		{"\100abc\0", 6, 0},          /* 01: an unused label type (RFC 6891 5) */
		{"\200abc\0", 6, 0},          /* 10: the same */
		{"\1a\1b\300\2\300\4", 8, 6}, /* through a pointer to its own middle */
	};
	uint8_t out[NAME_WIRE_MAX];
	size_t next;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(read_at(cases[i].message, cases[i].len, cases[i].at, out, &next), 0);
}

static void a_name_has_255_octets_at_most(void **state)
{
	(void)state;
	uint8_t message[300], out[NAME_WIRE_MAX];
	size_t next;
	for (size_t i = 0; i < 256; i += 2)
		memcpy(message + i, "\1x", 2);
	message[254] = 0;
	assert_int_equal(read_at(message, sizeof message, 0, out, &next), 255);
	memcpy(message + 254, "\1x\0", 3);
	assert_int_equal(read_at(message, sizeof message, 0, out, &next), 0);
	assert_int_equal(read_at(message, sizeof message, 2, out, &next), 255);
	memcpy(message + 257, "\1y\300\4", 4); /* 253 octets follow */
	assert_int_equal(read_at(message, sizeof message, 257, out, &next), 255);
	message[260] = 2;
	assert_int_equal(read_at(message, sizeof message, 257, out, &next), 0);
}

static void skipping_goes_behind_the_name_and_follows_nothing(void **state)
{
	(void)state;
	struct byte_reader r;
	byte_reader_init(&r, "\1a\0\1b\377\377z", 8);
	assert_true(dns_name_skip(&r));
	assert_int_equal(byte_reader_left(&r), 5);
	assert_true(dns_name_skip(&r));
	assert_int_equal(byte_reader_left(&r), 1);
	assert_false(dns_name_skip(&r));
	byte_reader_init(&r, "\100", 1);
	assert_false(dns_name_skip(&r));
	byte_reader_init(&r, "\300", 1);
	assert_false(dns_name_skip(&r));
}

static void a_header_comes_back(void **state)
{
	(void)state;
	const struct dns_header written = {0x1234, DNS_FLAG_QR | DNS_FLAG_AA | DNS_REFUSED, 1, 2, 3, 65535};
	uint8_t out[DNS_HEADER_LEN];
	struct byte_writer w;
	struct byte_reader r;
	byte_writer_init(&w, out, sizeof out);
	dns_header_write(&w, &written);
	assert_memory_equal(out, "\x12\x34\x84\x05\0\1\0\2\0\3\xff\xff", 12);
	byte_reader_init(&r, out, sizeof out);
	struct dns_header read = dns_header_read(&r);
	assert_false(r.failed);
	assert_memory_equal(&read, &written, sizeof read);
	byte_reader_init(&r, out, 11);
	(void)dns_header_read(&r);
	assert_true(r.failed);
}

static void rcodes_have_names_or_numbers(void **state)
{
	(void)state;
	char text[DNS_RCODE_TEXT_SIZE];
	assert_string_equal(dns_rcode_print(DNS_NXDOMAIN, text), "NXDOMAIN");
	assert_string_equal(dns_rcode_print(11, text), "RCODE11");
	assert_string_equal(dns_rcode_print(4294967295U, text), "RCODE4294967295");
	assert_null(dns_rcode_text(11));
	assert_null(dns_rcode_text(24));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_with_their_pointers),
		cmocka_unit_test(malformed_names_fail_the_reader),
		cmocka_unit_test(a_name_has_255_octets_at_most),
		cmocka_unit_test(skipping_goes_behind_the_name_and_follows_nothing),
		cmocka_unit_test(a_header_comes_back),
		cmocka_unit_test(rcodes_have_names_or_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
