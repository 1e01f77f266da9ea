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

#include "base/file.h"
#include "base/resolvers.h"

static void assert_at(const struct veer_listen *at, const char *text)
{
	char printed[VEER_LISTEN_TEXT_SIZE];
	veer_listen_print(at, true, printed);
	assert_string_equal(printed, text);
}

static void options_are_read(void **state)
{
	const char *const texts[] = {"192.0.2.1", "2001:db8::1@5353", "192.0.2.2@53"};
	struct resolvers r;
	(void)state;
	assert_int_equal(resolvers_parse(texts, 3, &r, NULL), VEER_OK);
	assert_int_equal(r.count, 3);
	assert_at(&r.at[0], "192.0.2.1@53");
	assert_at(&r.at[1], "2001:db8::1@5353");
	assert_at(&r.at[2], "192.0.2.2@53");
	assert_false(r.is_off || r.is_system);
	assert_int_equal(resolvers_parse(NULL, 0, &r, NULL), VEER_OK);
	assert_true(r.is_system && !r.is_off && r.count == 0);
	const char *const none[] = {"none"};
	assert_int_equal(resolvers_parse(none, 1, &r, NULL), VEER_OK);
	assert_true(r.is_off && !r.is_system);
}

static void what_is_no_resolver_is_refused(void **state)
{
	static const char *const bad[] = {"",    "dns.example",    "192.0.2.1@", "192.0.2.1@0", "192.0.2.1:53",
					  "@53", "192.0.2.1@65536"};
	struct resolvers r;
	struct veer_diag diag;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		diag.text[0] = '\0';
		assert_int_equal(resolvers_parse(&bad[i], 1, &r, &diag), VEER_EINVAL);
		assert_non_null(strstr(diag.text, "is no resolver"));
	}
	const char *const mixed[] = {"192.0.2.1", "none"};
	assert_int_equal(resolvers_parse(mixed, 2, &r, &diag), VEER_EINVAL);
	const char *const many[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"};
	assert_int_equal(resolvers_parse(many, 4, &r, &diag), VEER_ELIMIT);
}

static void the_file_of_the_host_is_read(void **state)
{
	static const char text[] = "# nameserver 192.0.2.9\n"
				   "search example.com\n"
				   "nameserver\n"
				   "nameserver fe80::1%eth0\n"
				   "nameservers 192.0.2.8\n"
				   "nameserver\t 192.0.2.1  # first\n"
				   "nameserver 2001:db8::1\r\n"
				   "nameserver 192.0.2.3\n"
				   "nameserver 192.0.2.4";
	char path[] = "/tmp/veer-resolv-XXXXXX";
	struct resolvers r = {.count = 0};
	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
	(void)close(fd);
	resolvers_read(path, &r);
	(void)unlink(path);
	assert_int_equal(r.count, 3);
	assert_at(&r.at[0], "192.0.2.1@53");
	assert_at(&r.at[1], "2001:db8::1@53");
	assert_at(&r.at[2], "192.0.2.3@53");
	resolvers_read(path, &r);
	assert_int_equal(r.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_read),
		cmocka_unit_test(what_is_no_resolver_is_refused),
		cmocka_unit_test(the_file_of_the_host_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
