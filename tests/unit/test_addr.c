/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/addr.h"

static void every_kind_of_place_is_known(void **state)
{
	(void)state;
	const struct {
		const char *text;
		enum veer_addr_class class;
	} cases[] = {
		{"8.8.8.8", VEER_ADDR_GLOBAL},
		{"1.1.1.1", VEER_ADDR_GLOBAL},
		{"9.255.255.255", VEER_ADDR_GLOBAL},
		{"11.0.0.0", VEER_ADDR_GLOBAL},
		{"0.0.0.0", VEER_ADDR_UNSPECIFIED},
		{"0.255.255.255", VEER_ADDR_UNSPECIFIED},
		{"1.0.0.0", VEER_ADDR_GLOBAL},
		{"10.0.0.0", VEER_ADDR_PRIVATE},
		{"10.255.255.255", VEER_ADDR_PRIVATE},
		{"100.63.255.255", VEER_ADDR_GLOBAL},
		{"100.64.0.0", VEER_ADDR_SHARED},
		{"100.127.255.255", VEER_ADDR_SHARED},
		{"100.128.0.0", VEER_ADDR_GLOBAL},
		{"100.100.100.200", VEER_ADDR_METADATA},
		{"126.255.255.255", VEER_ADDR_GLOBAL},
		{"127.0.0.1", VEER_ADDR_LOOPBACK},
		{"127.255.255.255", VEER_ADDR_LOOPBACK},
		{"128.0.0.0", VEER_ADDR_GLOBAL},
		{"168.63.129.16", VEER_ADDR_METADATA},
		{"168.63.129.17", VEER_ADDR_GLOBAL},
		{"169.253.255.255", VEER_ADDR_GLOBAL},
		{"169.254.0.0", VEER_ADDR_LINK_LOCAL},
		{"169.254.169.253", VEER_ADDR_LINK_LOCAL},
		{"169.254.169.254", VEER_ADDR_METADATA},
		{"169.254.170.2", VEER_ADDR_METADATA},
		{"169.255.0.0", VEER_ADDR_GLOBAL},
		{"172.15.255.255", VEER_ADDR_GLOBAL},
		{"172.16.0.0", VEER_ADDR_PRIVATE},
		{"172.31.255.255", VEER_ADDR_PRIVATE},
		{"172.32.0.0", VEER_ADDR_GLOBAL},
		{"192.0.0.1", VEER_ADDR_RESERVED},
		{"192.0.0.9", VEER_ADDR_GLOBAL},
		{"192.0.0.192", VEER_ADDR_METADATA},
		{"192.0.1.0", VEER_ADDR_GLOBAL},
		{"192.0.2.255", VEER_ADDR_DOCUMENTATION},
		{"192.88.99.1", VEER_ADDR_TUNNEL},
		{"192.167.255.255", VEER_ADDR_GLOBAL},
		{"192.168.0.0", VEER_ADDR_PRIVATE},
		{"192.168.255.255", VEER_ADDR_PRIVATE},
		{"192.169.0.0", VEER_ADDR_GLOBAL},
		{"198.17.255.255", VEER_ADDR_GLOBAL},
		{"198.18.0.0", VEER_ADDR_BENCHMARK},
		{"198.19.255.255", VEER_ADDR_BENCHMARK},
		{"198.20.0.0", VEER_ADDR_GLOBAL},
		{"198.51.100.1", VEER_ADDR_DOCUMENTATION},
		{"203.0.113.1", VEER_ADDR_DOCUMENTATION},
		{"223.255.255.255", VEER_ADDR_GLOBAL},
		{"224.0.0.1", VEER_ADDR_MULTICAST},
		{"239.255.255.255", VEER_ADDR_MULTICAST},
		{"240.0.0.1", VEER_ADDR_RESERVED},
		{"255.255.255.254", VEER_ADDR_RESERVED},
		{"255.255.255.255", VEER_ADDR_BROADCAST},
		{"::", VEER_ADDR_UNSPECIFIED},
		{"::1", VEER_ADDR_LOOPBACK},
		{"::2", VEER_ADDR_TRANSLATED},
		{"::127.0.0.1", VEER_ADDR_TRANSLATED},
		{"::ffff:127.0.0.1", VEER_ADDR_TRANSLATED},
		{"::ffff:8.8.8.8", VEER_ADDR_TRANSLATED},
		{"::ffff:0:127.0.0.1", VEER_ADDR_TRANSLATED},
		{"64:ff9b::127.0.0.1", VEER_ADDR_TRANSLATED},
		{"64:ff9b::a9fe:a9fe", VEER_ADDR_TRANSLATED},
		{"64:ff9b:1::1", VEER_ADDR_TRANSLATED},
		{"64:ff9b:2::1", VEER_ADDR_RESERVED},
		{"100::1", VEER_ADDR_RESERVED},
		{"1fff:ffff::1", VEER_ADDR_RESERVED},
		{"2000::1", VEER_ADDR_GLOBAL},
		{"2001::1", VEER_ADDR_TUNNEL},
		{"2001:1::1", VEER_ADDR_GLOBAL},
		{"2001:1::3", VEER_ADDR_RESERVED},
		{"2001:2::1", VEER_ADDR_BENCHMARK},
		{"2001:10::1", VEER_ADDR_RESERVED},
		{"2001:20::1", VEER_ADDR_RESERVED},
		{"2001:1ff::1", VEER_ADDR_RESERVED},
		{"2001:200::1", VEER_ADDR_GLOBAL},
		{"2001:db7::1", VEER_ADDR_GLOBAL},
		{"2001:db8::1", VEER_ADDR_DOCUMENTATION},
		{"2001:db9::1", VEER_ADDR_GLOBAL},
		{"2002:7f00:1::1", VEER_ADDR_TUNNEL},
		{"2003::1", VEER_ADDR_GLOBAL},
		{"2606:4700::1111", VEER_ADDR_GLOBAL},
		{"3fff::1", VEER_ADDR_DOCUMENTATION},
		{"3fff:1000::1", VEER_ADDR_GLOBAL},
		{"4000::1", VEER_ADDR_RESERVED},
		{"fbff::1", VEER_ADDR_RESERVED},
		{"fc00::1", VEER_ADDR_PRIVATE},
		{"fd00:ec2::254", VEER_ADDR_METADATA},
		{"fd20:ce::254", VEER_ADDR_METADATA},
		{"fdff::1", VEER_ADDR_PRIVATE},
		{"fe7f::1", VEER_ADDR_RESERVED},
		{"fe80::1", VEER_ADDR_LINK_LOCAL},
		{"febf::1", VEER_ADDR_LINK_LOCAL},
		{"fec0::1", VEER_ADDR_PRIVATE},
		{"ff02::1", VEER_ADDR_MULTICAST},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_addr addr;
		assert_int_equal(veer_addr_parse(cases[i].text, &addr), VEER_OK);
		enum veer_addr_class class = veer_addr_classify(&addr);
		if (class != cases[i].class)
			fail_msg("%s is %s, not %s", cases[i].text, veer_addr_class_text(class),
				 veer_addr_class_text(cases[i].class));
		assert_int_equal(veer_addr_is_loopback(&addr), class == VEER_ADDR_LOOPBACK);
	}
	for (int class = 0; class < VEER_ADDR_CLASS_COUNT; class ++)
		assert_non_null(veer_addr_class_text((enum veer_addr_class) class));
	assert_string_equal(veer_addr_class_text(VEER_ADDR_CLASS_COUNT), "unknown");
}

static void only_strict_literals_are_addresses(void **state)
{
	(void)state;
	const char *const bad[] = {
		"",           " ",          "1",          "127.1",       "0x7f.0.0.1",       "0177.0.0.1", "127.0.0.01",
		"127.0.0.1 ", " 127.0.0.1", "127.0.0.1.", "127.0.0.256", "127.0.0.-1",       "127.0.0",    "2130706433",
		"::1%lo",     "[::1]",      ":::",        "1::2::3",     "1:2:3:4:5:6:7",    "g::",        "::1/128",
		"localhost",  "1.2.3.4.5",  "::12345",    "::1.2.3",     "1:2:3:4:5:6:7:8:9"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct veer_addr addr;
		if (veer_addr_parse(bad[i], &addr) != VEER_EINVAL)
			fail_msg("accepted: '%s'", bad[i]);
	}
}

static void addresses_print_as_rfc_5952_says(void **state)
{
	(void)state;
	const char *const pairs[][2] = {
		{"192.0.2.1", "192.0.2.1"},
		{"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
		{"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct veer_addr addr;
		struct veer_addr again;
		char text[VEER_ADDR_TEXT_SIZE];
		assert_int_equal(veer_addr_parse(pairs[i][0], &addr), VEER_OK);
		veer_addr_print(&addr, text);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(veer_addr_parse(text, &again), VEER_OK);
		assert_true(veer_addr_equal(&addr, &again));
	}
}

static void prefixes_contain_what_they_should(void **state)
{
	(void)state;
	const struct {
		const char *prefix;
		const char *addr;
		bool inside;
	} cases[] = {
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::", false},
		{"::/0", "ffff::", true},
		{"::/0", "0.0.0.0", false},
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1/32", "192.0.2.2", false},
		{"2001:db8::/32", "2001:db8:ffff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1/128", "2001:db8::1", true},
		{"2001:db8::1", "2001:db8::", false},
		{"128.0.0.0/1", "127.255.255.255", false},
		{"128.0.0.0/1", "128.0.0.0", true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_prefix prefix;
		struct veer_addr addr;
		assert_int_equal(veer_prefix_parse(cases[i].prefix, &prefix), VEER_OK);
		assert_int_equal(veer_addr_parse(cases[i].addr, &addr), VEER_OK);
		if (veer_prefix_contains(&prefix, &addr) != cases[i].inside)
			fail_msg("%s in %s", cases[i].addr, cases[i].prefix);
		char text[VEER_PREFIX_TEXT_SIZE];
		struct veer_prefix again;
		veer_prefix_print(&prefix, text);
		assert_int_equal(veer_prefix_parse(text, &again), VEER_OK);
		assert_true(veer_addr_equal(&prefix.addr, &again.addr) && prefix.bits == again.bits);
	}
	const char *const bad[] = {"",
				   "/",
				   "/24",
				   "192.0.2.0/",
				   "192.0.2.0/33",
				   "192.0.2.0/-1",
				   "192.0.2.0/024",
				   "192.0.2.0/2 ",
				   "192.0.2.1/24",
				   "::1/129",
				   "::1/64",
				   "192.0.2.0/24/1",
				   "192.0.2.0/+24",
				   "192.0.2/24",
				   "a/8",
				   "0.0.0.1/0"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct veer_prefix prefix;
		if (veer_prefix_parse(bad[i], &prefix) != VEER_EINVAL)
			fail_msg("accepted: '%s'", bad[i]);
	}
}

static void masks_of_every_length_are_right(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct veer_addr addr = {.family = VEER_FAMILY_V6};
		memset(addr.bytes, 0xff, sizeof addr.bytes);
		veer_addr_mask(&addr, bits);
		unsigned ones = 0;
		for (unsigned i = 0; i < 128; i++) {
			unsigned bit = addr.bytes[i / 8] >> (7 - i % 8) & 1;
			assert_int_equal(bit, i < bits);
			ones += bit;
		}
		assert_int_equal(ones, bits);
	}
}

static void listen_addresses_of_dns(void **state)
{
	(void)state;
	const struct {
		const char *text;
		uint16_t port;
		bool local;
	} good[] = {
		{"127.0.0.1@5300", 5300, true}, {"0.0.0.0@53", 53, false},   {"::1@0", 0, true},
		{"::@65535", 65535, false},     {"192.0.2.1@53", 53, false},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct veer_listen l;
		char text[VEER_LISTEN_TEXT_SIZE];
		assert_int_equal(veer_listen_parse_dns(good[i].text, &l, NULL), VEER_OK);
		assert_int_equal(veer_listen_port(&l), good[i].port);
		assert_int_equal(veer_listen_is_local(&l), good[i].local);
		assert_null(veer_listen_path(&l));
		veer_listen_print(&l, true, text);
		assert_string_equal(text, good[i].text);
	}
	const char *const bad[] = {"",
				   "127.0.0.1",
				   "127.0.0.1@",
				   "@53",
				   "127.0.0.1@65536",
				   "127.0.0.1@-1",
				   "127.0.0.1@053",
				   "127.0.0.1@53 ",
				   "localhost@53",
				   "127.0.0.1:53",
				   "[::1]@53",
				   "a@b@53",
				   "127.0.0.1@53@",
				   "unix:/x"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct veer_listen l;
		struct veer_diag diag = {.text = ""};
		if (veer_listen_parse_dns(bad[i], &l, &diag) != VEER_EINVAL)
			fail_msg("accepted: '%s'", bad[i]);
		assert_non_null(strstr(diag.text, "ADDRESS@PORT"));
	}
}

static void listen_addresses_of_http(void **state)
{
	(void)state;
	const char *const good[] = {
		"127.0.0.1:8053", "[::1]:443",           "[::]:0", "0.0.0.0:80", "unix:/run/veer/api.sock",
		"unix:relative",  "[::ffff:127.0.0.1]:1"};
	const bool local[] = {true, true, false, false, true, true, false};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct veer_listen l;
		char text[VEER_LISTEN_TEXT_SIZE];
		assert_int_equal(veer_listen_parse_http(good[i], &l, NULL), VEER_OK);
		assert_int_equal(veer_listen_is_local(&l), local[i]);
		veer_listen_print(&l, false, text);
		assert_string_equal(text, good[i]);
	}
	char long_path[200] = "unix:/";
	memset(long_path + 6, 'x', 106);
	struct veer_listen l;
	assert_int_equal(veer_listen_parse_http(long_path, &l, NULL), VEER_OK);
	assert_string_equal(veer_listen_path(&l), long_path + 5);
	char text[VEER_LISTEN_TEXT_SIZE];
	veer_listen_print(&l, false, text);
	assert_string_equal(text, long_path);
	long_path[112] = 'x';
	assert_int_equal(veer_listen_parse_http(long_path, &l, NULL), VEER_EINVAL);
	const char *const bad[] = {"",
				   ":",
				   ":80",
				   "127.0.0.1",
				   "127.0.0.1:",
				   "::1:443",
				   "[::1]",
				   "[::1]443",
				   "[127.0.0.1]:80",
				   "[]:80",
				   "[::1]:80:80",
				   "127.0.0.1@80",
				   "unix:",
				   "[::1:80",
				   "http://127.0.0.1:80",
				   "localhost:80",
				   "[:80"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct veer_diag diag = {.text = ""};
		if (veer_listen_parse_http(bad[i], &l, &diag) != VEER_EINVAL)
			fail_msg("accepted: '%s'", bad[i]);
		assert_true(diag.text[0] != '\0');
	}
}

static void mapped_clients_count_as_v4(void **state)
{
	(void)state;
	struct veer_listen l;
	struct veer_addr addr;
	char text[VEER_ADDR_TEXT_SIZE];
	assert_int_equal(veer_listen_parse_http("[::ffff:192.0.2.7]:1", &l, NULL), VEER_OK);
	assert_true(veer_addr_from_sockaddr((const struct sockaddr *)&l.storage, &addr));
	veer_addr_print(&addr, text);
	assert_string_equal(text, "192.0.2.7");
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	assert_false(veer_addr_from_sockaddr((const struct sockaddr *)&un, &addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_place_is_known),
		cmocka_unit_test(only_strict_literals_are_addresses),
		cmocka_unit_test(addresses_print_as_rfc_5952_says),
		cmocka_unit_test(prefixes_contain_what_they_should),
		cmocka_unit_test(masks_of_every_length_are_right),
		cmocka_unit_test(listen_addresses_of_dns),
		cmocka_unit_test(listen_addresses_of_http),
		cmocka_unit_test(mapped_clients_count_as_v4),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
