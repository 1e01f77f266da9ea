/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypto.h"

static void sha256_agrees_with_fips_180(void **state)
{
	(void)state;
	char hex[CRYPTO_SHA256_HEX_SIZE];
	assert_int_equal(crypto_sha256_hex("", 0, hex), VEER_OK);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(crypto_sha256_hex("abc", 3, hex), VEER_OK);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(crypto_sha256_hex(NULL, 0, hex), VEER_OK);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void random_bytes_differ_and_stay_in_bounds(void **state)
{
	(void)state;
	uint8_t a[1001] = {0};
	uint8_t b[1001] = {0};
	assert_int_equal(crypto_random(a, 1000), VEER_OK);
	assert_int_equal(crypto_random(b, 1000), VEER_OK);
	assert_memory_not_equal(a, b, 1000);
	assert_int_equal(a[1000], 0);
	assert_int_equal(crypto_random(NULL, 0), VEER_OK);
}

static void equality_looks_at_every_byte(void **state)
{
	(void)state;
	uint8_t a[33] = {0};
	uint8_t b[33] = {0};
	assert_true(crypto_equal(a, b, sizeof a));
	for (size_t i = 0; i < sizeof a; i++) {
		b[i] = 1;
		assert_false(crypto_equal(a, b, sizeof a));
		b[i] = 0;
	}
	assert_true(crypto_equal("x", "y", 0));
}

static void tokens_are_43_letters_and_digits_all_different(void **state)
{
	(void)state;
	char tokens[200][CRYPTO_TOKEN_SIZE];
	unsigned seen[256] = {0};
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(crypto_token(tokens[i]), VEER_OK);
		assert_int_equal(strlen(tokens[i]), 43);
		for (const char *s = tokens[i]; *s != '\0'; s++) {
			assert_true((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'));
			seen[(unsigned char)*s]++;
		}
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(tokens[i], tokens[j]);
	}
	/* 8,600 characters: each of the 62 about 139 times, except the first ones of a token */
	for (char c = 'a'; c <= 'z'; c++)
		assert_true(seen[(unsigned char)c] > 60);
}

static void base64_agrees_with_rfc_4648(void **state)
{
	(void)state;
	const char *const pairs[][2] = {{"", ""},
					{"f", "Zg=="},
					{"fo", "Zm8="},
					{"foo", "Zm9v"},
					{"foob", "Zm9vYg=="},
					{"fooba", "Zm9vYmE="},
					{"foobar", "Zm9vYmFy"}};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		char text[16];
		char back[16];
		size_t len = 99;
		crypto_base64_encode(pairs[i][0], strlen(pairs[i][0]), text);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(strlen(text) + 1, crypto_base64_size(strlen(pairs[i][0])));
		assert_int_equal(crypto_base64_decode(text, strlen(text), back, sizeof back, &len), VEER_OK);
		assert_int_equal(len, strlen(pairs[i][0]));
		assert_memory_equal(back, pairs[i][0], len);
	}
}

static void base64_of_any_bytes_comes_back(void **state)
{
	(void)state;
	for (size_t len = 0; len < 300; len++) {
		uint8_t *data = malloc(len + 1);
		uint8_t *back = malloc(len + 1);
		char *text = malloc(crypto_base64_size(len));
		size_t got = 0;
		assert_int_equal(crypto_random(data, len), VEER_OK);
		crypto_base64_encode(data, len, text);
		assert_int_equal(crypto_base64_decode(text, strlen(text), back, len, &got), VEER_OK);
		assert_int_equal(got, len);
		assert_memory_equal(back, data, len);
		if (len > 0)
			assert_int_equal(crypto_base64_decode(text, strlen(text), back, len - 1, &got), VEER_ERANGE);
		free(data);
		free(back);
		free(text);
	}
}

static void sloppy_base64_is_refused(void **state)
{
	(void)state;
	const char *const bad[] = {
		"Z",     "Zg",     "Zg=",  "Zg===",    "=",    "====", "Zh==",     "Zm9=",       "Zm9v=", " Zg==",
		"Zg== ", "Z\ng==", "Zm-_", "Zg==Zg==", "Z=g=", "=Zg=", "Zm9v====", "\xc3\xa4==", "A==="};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char out[16];
		size_t len = 77;
		if (crypto_base64_decode(bad[i], strlen(bad[i]), out, sizeof out, &len) != VEER_EINVAL)
			fail_msg("accepted: '%s'", bad[i]);
		assert_int_equal(len, 77);
	}
}

static void hex_goes_both_ways_and_is_strict(void **state)
{
	(void)state;
	const uint8_t data[] = {0x00, 0x0f, 0xf0, 0xff, 0xa5};
	char text[11];
	uint8_t back[5];
	crypto_hex_encode(data, sizeof data, text);
	assert_string_equal(text, "000ff0ffa5");
	assert_int_equal(crypto_hex_decode("000FF0ffA5", 10, back, 5), VEER_OK);
	assert_memory_equal(back, data, 5);
	const char *const bad[] = {"",           "0",          "000ff0ffa", "000ff0ffa5a", "000ff0ffa5aa",
				   "000ff0ffg5", "0x0ff0ffa5", " 00ff0ffa5"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(crypto_hex_decode(bad[i], strlen(bad[i]), back, 5), VEER_EINVAL);
}

static void siphash_agrees_with_its_paper(void **state)
{
	(void)state;
	uint8_t key[16];
	uint8_t data[64];
	for (unsigned i = 0; i < sizeof data; i++) {
		data[i] = (uint8_t)i;
		if (i < sizeof key)
			key[i] = (uint8_t)i;
	}
	assert_true(crypto_siphash24(key, data, 15) == UINT64_C(0xa129ca6149be45e5));
	assert_true(crypto_siphash24(key, data, 0) == UINT64_C(0x726fdb47dd0e0e31));
	assert_true(crypto_siphash24(key, NULL, 0) == UINT64_C(0x726fdb47dd0e0e31));
	assert_true(crypto_siphash24(key, data, 8) == UINT64_C(0x93f5f5799a932462));
	assert_true(crypto_siphash13(key, data, 0) == UINT64_C(0xabac0158050fc4dc));
}

/* RFC 9018 appendix A.1: the server cookie for a client at 198.51.100.100. */
static void siphash_makes_the_cookie_of_rfc_9018(void **state)
{
	(void)state;
	uint8_t secret[16];
	uint8_t input[20];
	uint8_t expected[8];
	assert_int_equal(crypto_hex_decode("e5e973e5a6b2a43f48e7dc849e37bfcf", 32, secret, 16), VEER_OK);
	assert_int_equal(crypto_hex_decode("2464c4abcf10c957010000005cf79f11c6336464", 40, input, 20), VEER_OK);
	assert_int_equal(crypto_hex_decode("1f8130c3eee29480", 16, expected, 8), VEER_OK);
	uint64_t hash = crypto_siphash24(secret, input, sizeof input);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(hash >> (8 * i) & 0xff, expected[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_agrees_with_fips_180),
		cmocka_unit_test(random_bytes_differ_and_stay_in_bounds),
		cmocka_unit_test(equality_looks_at_every_byte),
		cmocka_unit_test(tokens_are_43_letters_and_digits_all_different),
		cmocka_unit_test(base64_agrees_with_rfc_4648),
		cmocka_unit_test(base64_of_any_bytes_comes_back),
		cmocka_unit_test(sloppy_base64_is_refused),
		cmocka_unit_test(hex_goes_both_ways_and_is_strict),
		cmocka_unit_test(siphash_agrees_with_its_paper),
		cmocka_unit_test(siphash_makes_the_cookie_of_rfc_9018),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
