/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/file.h"
#include "dnsd/packet/cookie.h"

static void from_hex(const char *hex, uint8_t *out)
{
	assert_int_equal(crypto_hex_decode(hex, strlen(hex), out, strlen(hex) / 2), VEER_OK);
}

/* RFC 9018 appendix A: the query's cookie, the client's address, the time, and the cookie of the reply. */
static const struct {
	const char *address;
	const char *client;
	const char *server; /* "": none */
	const char *secrets[COOKIE_SECRETS_MAX];
	uint32_t now_s;
	const char *reply;
	bool is_good;
} vectors[] = {
	{"198.51.100.100",
	 "2464c4abcf10c957",
	 "",
	 {"e5e973e5a6b2a43f48e7dc849e37bfcf"},
	 1559731985,
	 "010000005cf79f111f8130c3eee29480",
	 false},
	{"198.51.100.100",
	 "2464c4abcf10c957",
	 "010000005cf79f111f8130c3eee29480",
	 {"e5e973e5a6b2a43f48e7dc849e37bfcf"},
	 1559734385,
	 "010000005cf7a871d4a564a1442aca77",
	 true},
	/* A.3: reserved octets that are not zero are hashed as they are */
	{"203.0.113.203",
	 "fc93fc62807ddb86",
	 "01abcdef5cf78f71a314227b6679ebf5",
	 {"e5e973e5a6b2a43f48e7dc849e37bfcf"},
	 1559734700,
	 "010000005cf7a9acf73a7810aca2381e",
	 false},
	{"203.0.113.203",
	 "fc93fc62807ddb86",
	 "01abcdef5cf78f71a314227b6679ebf5",
	 {"e5e973e5a6b2a43f48e7dc849e37bfcf"},
	 1559728000,
	 NULL,
	 true},
	/* A.4: IPv6, and the previous secret */
	{"2001:db8:220:1:59de:d0f4:8769:82b8",
	 "22681ab97d52c298",
	 "010000005cf7c57926556bd0934c72f8",
	 {"445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715"},
	 1559741961,
	 "010000005cf7c609a6bb79d16625507a",
	 true},
};

static void cookies_are_those_of_rfc_9018(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		struct cookie_secrets secrets = {0};
		struct veer_addr address;
		uint8_t cookie[COOKIE_CLIENT_LEN];
		uint8_t server[COOKIE_SERVER_LEN];
		uint8_t reply[COOKIE_SERVER_LEN];
		char hex[2 * COOKIE_SERVER_LEN + 1];
		assert_int_equal(veer_addr_parse(vectors[i].address, &address), VEER_OK);
		from_hex(vectors[i].client, cookie);
		from_hex(vectors[i].server, server);
		for (; secrets.count < COOKIE_SECRETS_MAX && vectors[i].secrets[secrets.count] != NULL; secrets.count++)
			from_hex(vectors[i].secrets[secrets.count], secrets.keys[secrets.count]);
		struct cookie_client client = {cookie, address.bytes, address.family == VEER_FAMILY_V4 ? 4 : 16};
		bool good =
			cookie_check(&secrets, &client, server, strlen(vectors[i].server) / 2, vectors[i].now_s, reply);
		crypto_hex_encode(reply, sizeof reply, hex);
		if (good != vectors[i].is_good || (vectors[i].reply != NULL && strcmp(hex, vectors[i].reply) != 0))
			fail_msg("vector %zu: %d %s", i, good, hex);
	}
}

static void a_cookie_grows_old(void **state)
{
	(void)state;
	struct cookie_secrets secrets = {.count = 1, .keys = {{1, 2, 3}}};
	struct cookie_client client = {(const uint8_t *)"clientco", (const uint8_t *)"\xc0\0\2\1", 4};
	struct cookie_client other = {(const uint8_t *)"clientco", (const uint8_t *)"\xc0\0\2\2", 4};
	uint8_t cookie[COOKIE_SERVER_LEN];
	uint8_t reply[COOKIE_SERVER_LEN];
	static const uint32_t starts[] = {0, 1000000, UINT32_MAX - 100}; /* the clock passes 2^32 */
	for (size_t i = 0; i < 3; i++) {
		uint32_t made = starts[i];
		cookie_make(secrets.keys[0], &client, made, cookie);
		assert_true(cookie_check(&secrets, &client, cookie, 16, made, reply));
		assert_memory_equal(reply, cookie, 16);
		assert_true(cookie_check(&secrets, &client, cookie, 16, made + COOKIE_RENEW_S, reply));
		assert_memory_equal(reply, cookie, 16);
		assert_true(cookie_check(&secrets, &client, cookie, 16, made + COOKIE_RENEW_S + 1, reply));
		assert_memory_not_equal(reply, cookie, 16);
		assert_true(cookie_check(&secrets, &client, cookie, 16, made + COOKIE_OLD_S, reply));
		assert_false(cookie_check(&secrets, &client, cookie, 16, made + COOKIE_OLD_S + 1, reply));
		assert_true(cookie_check(&secrets, &client, cookie, 16, made - COOKIE_AHEAD_S, reply));
		assert_false(cookie_check(&secrets, &client, cookie, 16, made - COOKIE_AHEAD_S - 1, reply));
		assert_false(cookie_check(&secrets, &other, cookie, 16, made, reply));
		assert_false(cookie_check(&secrets, &client, cookie, 15, made, reply));
		assert_false(cookie_check(&secrets, &client, cookie, 8, made, reply));
		assert_false(cookie_check(&secrets, &client, NULL, 0, made, reply));
		for (int at = 0; at < 16; at++) {
			cookie[at] ^= 0x40;
			assert_false(cookie_check(&secrets, &client, cookie, 16, made, reply));
			cookie[at] ^= 0x40;
		}
	}
}

static void secrets_are_read_whole_or_not_at_all(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned count; /* 0: refused */
		const char *reason;
	} cases[] = {
		{"e5e973e5a6b2a43f48e7dc849e37bfcf\n", 1, NULL},
		{"# new\nE5E973E5A6B2A43F48E7DC849E37BFCF\r\n\n445536bcd2513298075a5d379663c962", 2, NULL},
		{"", 0, "no cookie secret"},
		{"# nothing\n", 0, "no cookie secret"},
		{"e5e973e5a6b2a43f48e7dc849e37bfcf\ne5e973e5a6b2a43f48e7dc849e37bf\n", 0, ":2: a cookie secret is 32"},
		{"x5e973e5a6b2a43f48e7dc849e37bfcf\n", 0, ":1: a cookie secret is 32"},
		{"e5e973e5a6b2a43f48e7dc849e37bfcf\ne5e973e5a6b2a43f48e7dc849e37bfcf\ne5e973e5a6b2a43f48e7dc849e37bfcf"
		 "\n",
		 0, ":3: more than 2"},
	};
	char path[] = "/tmp/veer-cookie-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cookie_secrets secrets = {.count = 9};
		struct veer_diag diag = {.text = ""};
		assert_int_equal(file_write_atomic(path, cases[i].text, strlen(cases[i].text), 0600, NULL), VEER_OK);
		enum veer_err err = cookie_secrets_load(path, &secrets, &diag);
		assert_int_equal(err, cases[i].count > 0 ? VEER_OK : VEER_EINVAL);
		assert_int_equal(secrets.count, cases[i].count > 0 ? cases[i].count : 9);
		assert_true(err == VEER_OK ? secrets.keys[0][0] == 0xe5 : strstr(diag.text, cases[i].reason) != NULL);
	}
	(void)unlink(path);
	struct cookie_secrets secrets;
	assert_int_equal(cookie_secrets_load(path, &secrets, NULL), VEER_ENOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cookies_are_those_of_rfc_9018),
		cmocka_unit_test(a_cookie_grows_old),
		cmocka_unit_test(secrets_are_read_whole_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
