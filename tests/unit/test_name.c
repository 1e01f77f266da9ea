/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zones/dns/name.h"

static const uint8_t example[] = "\7example";

static enum veer_err parse(const char *text, const uint8_t *origin, uint8_t *out, size_t *len)
{
	return name_parse(text, strlen(text), origin, out, len, NULL);
}

static void text_and_wire_agree(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		const char *wire;
		size_t len;
		const char *out;
	} cases[] = {
		{".", "", 1, "."},
		{"a.", "\1a", 3, "a."},
		{"www.example.", "\3www\7example", 13, "www.example."},
		{"Www", "\3Www\7example", 13, "Www.example."},
		{"@", "\7example", 9, "example."},
		{"a\\.b.", "\3a.b", 5, "a\\.b."},
		{"\\097\\000\\255.", "\3a\0\377", 5, "a\\000\\255."},
		{"\\@.", "\1@", 3, "\\@."},
		{"a\\ b.", "\3a b", 5, "a\\032b."},
		{"0/25.",
		 "\4"
		 "0/25",
		 6, "0/25."},
		{"*.x.", "\1*\1x", 5, "*.x."},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t wire[NAME_WIRE_MAX];
		size_t len = 0;
		char text[NAME_TEXT_SIZE];
		assert_int_equal(parse(cases[i].in, example, wire, &len), VEER_OK);
		assert_int_equal(len, cases[i].len);
		assert_memory_equal(wire, cases[i].wire, len);
		assert_int_equal(name_print(wire, text, sizeof text), strlen(cases[i].out));
		assert_string_equal(text, cases[i].out);
		assert_int_equal(name_check(wire, len), len);
		assert_int_equal(name_len(wire), len);
	}
}

static void malformed_text_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "..", ".a", "a..b.", "a\\", "a\\12", "a\\256.", "a\\1x3.", "\\300."};
	uint8_t wire[NAME_WIRE_MAX];
	size_t len = 77;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(parse(bad[i], example, wire, &len), VEER_EINVAL);
	assert_int_equal(parse("www", NULL, wire, &len), VEER_EINVAL);
	assert_int_equal(parse("@", NULL, wire, &len), VEER_EINVAL);
	assert_int_equal(len, 77);
}

static void limits_of_rfc_1035_hold_to_the_octet(void **state)
{
	(void)state;
	char text[400];
	uint8_t wire[NAME_WIRE_MAX];
	size_t len;
	memset(text, 'a', 63);
	strncpy(text + 63, ".", 2);
	assert_int_equal(parse(text, NULL, wire, &len), VEER_OK);
	memset(text, 'a', 64);
	strncpy(text + 64, ".", 2);
	assert_int_equal(parse(text, NULL, wire, &len), VEER_ERANGE);
	for (size_t total = 250; total < 260; total++) {
		size_t at = 0;
		for (size_t left = total - 1; left > 0;) {
			size_t label = left - 1 < 50 ? left - 1 : 50;
			if (left - label - 1 == 1)
				label--;
			memset(text + at, 'b', label);
			at += label;
			text[at++] = '.';
			left -= label + 1;
		}
		text[at] = '\0';
		enum veer_err err = parse(text, NULL, wire, &len);
		assert_int_equal(err, total <= 255 ? VEER_OK : VEER_ERANGE);
		if (err == VEER_OK)
			assert_int_equal(len, total);
		text[at - 1] = '\0';
		err = parse(text, (const uint8_t *)"", wire, &len);
		assert_int_equal(err, total <= 255 ? VEER_OK : VEER_ERANGE);
	}
}

static void unchecked_bytes_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(name_check((const uint8_t *)"\3www", 4), 0);
	assert_int_equal(name_check((const uint8_t *)"\3www", 5), 5);
	assert_int_equal(name_check((const uint8_t *)"\300\014", 2), 0);
	assert_int_equal(name_check((const uint8_t *)"", 0), 0);
	uint8_t labels[300];
	for (size_t i = 0; i < sizeof labels; i++)
		labels[i] = i % 2 == 0 ? 1 : 'x';
	labels[254] = 0;
	assert_int_equal(name_check(labels, sizeof labels), 255);
	labels[254] = 1;
	labels[256] = 0;
	assert_int_equal(name_check(labels, sizeof labels), 0);
}

static void canonical_order_of_rfc_4034(void **state)
{
	(void)state;
	static const char *const sorted[] = {"example.",         "a.example.",      "yljkjljk.a.example.",
					     "z.a.example.",     "zabc.a.example.", "z.example.",
					     "\\001.z.example.", "*.z.example.",    "\\200.z.example."};
	enum { COUNT = sizeof sorted / sizeof sorted[0] };
	uint8_t names[COUNT][NAME_WIRE_MAX];
	for (size_t i = 0; i < COUNT; i++) {
		size_t len;
		assert_int_equal(parse(sorted[i], NULL, names[i], &len), VEER_OK);
	}
	for (size_t i = 0; i < COUNT; i++)
		for (size_t j = 0; j < COUNT; j++) {
			int diff = name_compare(names[i], names[j]);
			assert_int_equal((diff > 0) - (diff < 0), (i > j) - (i < j));
			assert_int_equal(name_equal(names[i], names[j]), i == j);
		}
}

static void relations_between_names(void **state)
{
	(void)state;
	uint8_t a[NAME_WIRE_MAX], b[NAME_WIRE_MAX], mixed[NAME_WIRE_MAX];
	size_t len;
	assert_int_equal(parse("x.y.example.", NULL, a, &len), VEER_OK);
	assert_int_equal(name_label_count(a), 3);
	assert_true(name_is_under(a, a));
	assert_true(name_is_under(a, (const uint8_t *)""));
	assert_true(name_is_under(a, name_skip(a, 1)));
	assert_false(name_is_under(name_skip(a, 1), a));
	assert_int_equal(parse("xy.example.", NULL, b, &len), VEER_OK);
	assert_int_equal(name_common_labels(a, b), 1);
	assert_false(name_is_under(b, name_skip(a, 1)));
	assert_int_equal(parse("XY.eXAMple.", NULL, mixed, &len), VEER_OK);
	name_lower(mixed, len);
	assert_true(name_equal(mixed, b));
	assert_false(name_is_wildcard(b));
	assert_true(name_is_wildcard((const uint8_t *)"\1*\1x"));
	assert_false(name_is_wildcard((const uint8_t *)"\2**\1x"));
}

static void every_octet_survives_print_and_parse(void **state)
{
	(void)state;
	uint8_t name[] = "\4a_.b\1x";
	for (int c = 0; c < 256; c++) {
		char text[NAME_TEXT_SIZE];
		uint8_t wire[NAME_WIRE_MAX];
		size_t len;
		name[2] = (uint8_t)c;
		assert_true(name_print_key(name, text, sizeof text) > 0);
		assert_null(strchr(text, '/'));
		assert_int_equal(parse(text, NULL, wire, &len), VEER_OK);
		assert_int_equal(len, sizeof name);
		assert_memory_equal(wire, name, len);
		for (size_t size = 0; size <= strlen(text); size++)
			assert_int_equal(name_print_key(name, (char[NAME_TEXT_SIZE]){0}, size), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_wire_agree),
		cmocka_unit_test(malformed_text_is_refused),
		cmocka_unit_test(limits_of_rfc_1035_hold_to_the_octet),
		cmocka_unit_test(unchecked_bytes_are_bounded),
		cmocka_unit_test(canonical_order_of_rfc_4034),
		cmocka_unit_test(relations_between_names),
		cmocka_unit_test(every_octet_survives_print_and_parse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
