/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "zones/dns/zonefile.h"

#define HEAD "$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n NS ns1\n"
static const uint8_t origin[] = "\7example";

static enum veer_err print(void *ctx, const struct rrset_view *rrset)
{
	return zonefile_print(rrset, ctx);
}

static enum veer_err read_text(const char *text, struct buf *out, struct veer_diag *diag)
{
	struct zonefile *zf = NULL;
	enum veer_err err = zonefile_read_text(text, strlen(text), "z", origin, &zf, diag);
	if (err == VEER_OK)
		err = zonefile_each(zf, print, out, diag);
	zonefile_free(&zf);
	return err;
}

static void records_come_out_in_canonical_order(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{HEAD, "example.\t300\tIN\tSOA\tns1.example. host.example. 1 2 3 4 "
		       "60\nexample.\t300\tIN\tNS\tns1.example.\n"},
		{HEAD "b 5 A 192.0.2.1\nA.B 7 IN A 192.0.2.2\n  A 192.0.2.1 ; the same owner\nb A 192.0.2.1\n",
		 "example.\t300\tIN\tSOA\tns1.example. host.example. 1 2 3 4 60\nexample.\t300\tIN\tNS\tns1.example.\n"
		 "b.example.\t5\tIN\tA\t192.0.2.1\nA.B.example.\t7\tIN\tA\t192.0.2.1\nA.B.example.\t7\tIN\tA\t192.0.2."
		 "2\n"},
		/*
		 * RFC 4343 4.1: the case of a name, and of names in RDATA, is that of the first occurrence; it makes no
		 * difference
		 */
		{HEAD "B.a MX 1 Mail.B.a\nb.A MX 1 mail.b.A\nc.a A 192.0.2.1\n",
		 "example.\t300\tIN\tSOA\tns1.example. host.example. 1 2 3 4 60\nexample.\t300\tIN\tNS\tns1.example.\n"
		 "B.a.example.\t300\tIN\tMX\t1 Mail.B.a.example.\nc.a.example.\t300\tIN\tA\t192.0.2.1\n"},
		{"@ 9 ( SOA ns1 host ( 1 2\n3 ; a comment ) with brackets\n 4 ) 60 )\n\n   \n; nothing\n\tNS ns1\n",
		 "example.\t9\tIN\tSOA\tns1.example. host.example. 1 2 3 4 60\nexample.\t9\tIN\tNS\tns1.example.\n"},
		{"@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\n",
		 "example.\t60\tIN\tSOA\tns1.example. host.example. 1 2 3 4 60\nexample.\t60\tIN\tNS\tns1.example.\n"},
		{HEAD "$ORIGIN sub\nx TXT \"a;b (c\" d\\;e\n$TTL 1h\ny TYPE65280 \\# 2 abcd",
		 "example.\t300\tIN\tSOA\tns1.example. host.example. 1 2 3 4 60\nexample.\t300\tIN\tNS\tns1.example.\n"
		 "x.sub.example.\t300\tIN\tTXT\t\"a;b (c\" \"d;e\"\ny.sub.example.\t3600\tIN\tTYPE65280\t\\# 2 "
		 "abcd\n"},
		{HEAD "w 30 A 192.0.2.1\nw 10 A 192.0.2.2\n",
		 "example.\t300\tIN\tSOA\tns1.example. host.example. 1 2 3 4 60\nexample.\t300\tIN\tNS\tns1.example.\n"
		 "w.example.\t10\tIN\tA\t192.0.2.1\nw.example.\t10\tIN\tA\t192.0.2.2\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		struct buf out;
		buf_init(&out, 1 << 16);
		if (read_text(cases[i].in, &out, &diag) != VEER_OK)
			fail_msg("case %zu: %s", i, diag.text);
		assert_string_equal(out.data, cases[i].out);
		struct buf again;
		buf_init(&again, 1 << 16);
		assert_int_equal(read_text(out.data, &again, &diag), VEER_OK);
		assert_string_equal(again.data, out.data);
		buf_deinit(&again);
		buf_deinit(&out);
	}
}

static void errors_name_file_and_line(void **state)
{
	(void)state;
	static const struct {
		const char *in, *place;
	} cases[] = {
		{HEAD "www A nonsense\n", "z:4: "},
		{HEAD "\n\nwww A 192.0.2.1 192.0.2.2\n", "z:6: "},
		{HEAD "www NOTYPE x\n", "z:4: "},
		{HEAD "www A\n", "z:4: "},
		{HEAD "www.other.test. A 192.0.2.1\n", "z:4: the owner name is outside"},
		{HEAD "www CH TXT x\n", "z:4: only class IN"},
		{HEAD "www TXT (\n a\n b\n", "z:4: a parenthesis"},
		{HEAD "www TXT \"a\nb\"\n", "z:4: a quoted string"},
		{HEAD "www TXT a )\n", "z:4: unbalanced"},
		{HEAD "www TXT \001\n", "z:4: control character"},
		{HEAD "www A 192.0.2.1\nwww CNAME @\n", "z:5: a CNAME and other data"},
		{HEAD "www CNAME a\nwww CNAME b\n", "z:5: there may be only one"},
		{HEAD "sub SOA a b 1 2 3 4 5\n", "z:4: an SOA below"},
		{HEAD "@ SOA a b 1 2 3 4 5\n", "z:4: there may be only one"},
		{HEAD "$TTL x\n", "z:4: $TTL needs"},
		{HEAD "$TTL\n", "z:4: a directive needs"},
		{HEAD "$ORIGIN a..b\n", "z:4: empty label"},
		{HEAD "$ORIGIN a b\n", "z:4: a directive has too many"},
		{HEAD "$GENERATE 1-9 a$ A 192.0.2.$\n", "z:4: unknown directive"},
		{HEAD "$INCLUDE /etc/passwd\n", "z:4: $INCLUDE is not possible"},
		{"$TTL 5\n@ NS ns1\n", "z: the zone has no SOA"},
		{"$TTL 5\n@ SOA ns1 host 1 2 3 4 60\n", "z: the zone has no NS"},
		{"", "z: the zone has no SOA"},
		{" A 192.0.2.1\n", "z:1: the first record has no owner"},
		{HEAD "a\\", "z:4: backslash"},
		{HEAD "@ 4294967295 A 192.0.2.1\n", "z:4: "},
		{HEAD "@ OPT \\# 0\n", "z:4: "},
		/* numbers that ldns would truncate to fit */
		{HEAD "www 4294967299 A 192.0.2.1\n", "z:4: TTL over"},
		{HEAD "www 4294967283 A 192.0.2.1\n", "z:4: TTL over"},
		{HEAD "www 18446744073709551617 IN A 192.0.2.1\n", "z:4: TTL over"},
		{HEAD "www 5w99999999d IN A 192.0.2.1\n", "z:4: TTL over"},
		{HEAD "$TTL 4294967299\n", "z:4: $TTL needs"},
		{HEAD "$TTL 7101w\n", "z:4: $TTL needs"},
		{HEAD "@ MX 70000 www\n", "z:4: a number"},
		{HEAD "@ MX -1 www\n", "z:4: a number"},
		{HEAD "@ SRV 1 2 65536 www\n", "z:4: a number"},
		{HEAD "@ NAPTR 100 65536 \"u\" \"a b\" \"\" .\n", "z:4: a number"},
		{HEAD "@ CAA 256 issue \"x\"\n", "z:4: a number"},
		{HEAD "@ DS 65536 8 2 00\n", "z:4: a number"},
		{HEAD "@ DS 1 264 2 00\n", "z:4: an algorithm"},
		{HEAD "@ HTTPS 65536 .\n", "z:4: a number"},
		{HEAD "@ HTTPS 1 . port=65536\n", "z:4: a parameter"},
		{HEAD "@ SVCB 1 a alpn=h2 port=\"-1\"\n", "z:4: a parameter"},
		/* parameters that occur twice, and half an octet */
		{HEAD "@ HTTPS 1 . alpn=h2 port=1 alpn=h3\n", "z:4: a parameter"},
		{HEAD "@ HTTPS 1 . port=1 key3=a\n", "z:4: "},
		{HEAD "@ HTTPS 1 . key700=a key0700=b\n", "z:4: a parameter"},
		{HEAD "@ TLSA 3 1 1 abc\n", "z:4: an odd"},
		{HEAD "@ DS 1 8 2 ab cde\n", "z:4: an odd"},
		{"@ 5 SOA ns1 host 4294967296 2 3 4 60\n@ NS ns1\n", "z:1: a number"},
		{"@ 5 SOA ns1 host 1 2 3 4 4294967299\n@ NS ns1\n", "z:1: a number"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		struct buf out;
		buf_init(&out, 1 << 16);
		enum veer_err err = read_text(cases[i].in, &out, &diag);
		if (err == VEER_OK || strncmp(diag.text, cases[i].place, strlen(cases[i].place)) != 0)
			fail_msg("case %zu: wanted \"%s\", got \"%s\"", i, cases[i].place, diag.text);
		buf_deinit(&out);
	}
}

/* RFC 1035 5.1: the class may precede the TTL, and blanks, comments and parentheses at the end mean nothing. */
static void order_and_blanks_do_not_matter(void **state)
{
	(void)state;
	struct veer_diag diag = {.text = ""};
	struct buf plain, other;
	buf_init(&plain, 1 << 16);
	buf_init(&other, 1 << 16);
	enum veer_err err = read_text(HEAD "@ 300 IN CAA 0 issue \"x\"\n"
					   "@ 7 IN A 192.0.2.1\n"
					   "@ 90 HINFO \"a\" \"b\"\n"
					   "@ URI 1 1 \"http://x\"\n"
					   "@ TLSA 3 1 1 abcdef\n"
					   "@ HTTPS 1 . alpn=h2 port=65535 key700=x\n",
				      &plain, &diag);
	if (err == VEER_OK)
		err = read_text(HEAD "@ IN 5m CAA ( 0 issue \"x\" ) ; only x\n"
				     " IN   7 A 192.0.2.1\t\n"
				     "@ CLASS1 1m30s HINFO \"a\" \"b\" ;\n"
				     "@ URI 1 1 \"http://x\" \n"
				     "@ TLSA 3 1 1 abc def\n"
				     "@ HTTPS 1 . port=\"65535\" key700=x alpn=h2 ",
				&other, &diag);
	if (err != VEER_OK)
		fail_msg("%s", diag.text);
	assert_string_equal(other.data, plain.data);
	buf_deinit(&other);
	buf_deinit(&plain);
}

/* Data that ldns would change into something else, and that the generic form may not contain either. */
static void data_that_means_nothing_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"HTTPS 1 . mandatory=port alpn=h2",
		"HTTPS 1 . mandatory=mandatory,alpn alpn=h2",
		"SVCB 1 svc no-default-alpn port=443",
		"HTTPS \\# 9 0001 00 0003 0002 01bb 00",
		"HTTPS \\# 17 0001 00 0003 0002 01bb 0001 0003 026832 00",
		"HTTPS \\# 10 0001 00 0001 0003 036832",
		"LOC 91 0 0 N 4 53 32.000 E 0m",
		"LOC 90 0 0.001 N 4 53 32.000 E 0m",
		"LOC 52 60 0 N 4 E 0m",
		"LOC 52 22 60 N 4 E 0m",
		"LOC 52 22 23.1239 N 4 E 0",
		"LOC 52 22 N 181 E 0m",
		"LOC 52 22 N 18 E -100001m",
		"LOC 52 22 N 18 E 42849672.96m",
		"LOC 52 22 N 18 E 0m 90000001m",
		"LOC \\# 16 00 12 16 13 9386c780 810cbce0 00989680",
		"LOC \\# 16 00 1a 16 13 8b3cf018 810cbce0 00989680",
		"APL 1:192.0.2.0/33",
		"APL 1:192.0.2.0/24 !2:2001:db8::/129",
		"APL 2:2001:db8::/300",
		"APL \\# 7 0001 21 03 c00002",
		"IPSECKEY 10 3 2 gw",
		"IPSECKEY 10 4 2 gw AQNR",
		"IPSECKEY 10 1 2 gw AQNR",
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		char text[256];
		struct buf out;
		buf_init(&out, 1 << 16);
		(void)snprintf(text, sizeof text, HEAD "x %s\n", cases[i]);
		if (read_text(text, &out, &diag) == VEER_OK || strncmp(diag.text, "z:4: ", 5) != 0)
			fail_msg("%s: '%s' %s", cases[i], diag.text, out.data);
		buf_deinit(&out);
	}
}

static void data_at_its_limits_is_taken(void **state)
{
	(void)state;
	struct veer_diag diag = {.text = ""};
	struct buf out;
	buf_init(&out, 1 << 16);
	enum veer_err err =
		read_text(HEAD "a HTTPS 1 . mandatory=port,alpn alpn=h2 port=443 no-default-alpn\n"
			       "a HTTPS 0 other\n"
			       "a SVCB 1 . alpn=\"h2,h3\" ipv4hint=192.0.2.1 ipv6hint=2001:db8::1 key700=x\n"
			       "a LOC 90 N 180 W -100000.00m 90000000m 90000000.00m 0m\n"
			       "a LOC 0 59 59.999 S 179 59 59.999 E 42849672.95\n"
			       "a LOC 52 22 23.123 N 4 E 0\n"
			       "a APL\n"
			       "a APL 1:192.0.2.1/32 !2:2001:db8::1/128 1:0.0.0.0/0\n"
			       "a IPSECKEY 10 3 2 gw.example. AQNR\n"
			       "a IPSECKEY 10 03 2 gw AQNR\n"
			       "a IPSECKEY 10 3 2 . AQNR\n"
			       "a IPSECKEY 10 1 2 192.0.2.1 AQNR\n"
			       "a IPSECKEY 10 0 2 . AQNR\n",
			  &out, &diag);
	if (err != VEER_OK)
		fail_msg("%s", diag.text);
	buf_deinit(&out);
}

static void a_name_has_at_most_256_types(void **state)
{
	(void)state;
	for (int types = 256; types <= 257; types++) {
		struct veer_diag diag = {.text = ""};
		struct buf text, out;
		buf_init(&text, 1 << 16);
		buf_init(&out, 1 << 16);
		buf_puts(&text, HEAD);
		for (int i = 0; i < types; i++)
			buf_printf(&text, "x TYPE%d \\# 0\n", 1000 + i);
		assert_int_equal(read_text(text.data, &out, &diag), types == 256 ? VEER_OK : VEER_ELIMIT);
		assert_string_equal(diag.text,
				    types == 256 ? "" : "z:260: too many types at one name: x.example. TYPE1256");
		buf_deinit(&text);
		buf_deinit(&out);
	}
}

static void numbers_at_their_limits_are_taken(void **state)
{
	(void)state;
	struct veer_diag diag = {.text = ""};
	struct buf out;
	buf_init(&out, 1 << 16);
	enum veer_err err =
		read_text("@ 2147483647 SOA ns1 host 4294967295 1h 15m 1w2d 1h30m\n"
			  "@ IN NS ns1\n"
			  " 1h MX 65535 70000\n"
			  "70000 60 A 192.0.2.1\n"
			  "txt TXT 99999999999 \"70000 70000\" 4294967296\n"
			  "caa CAA 255 issue \"70000\"\n"
			  "ds DS 65535 255 2 9999999999999999999999999999999999999999999999999999999999999999\n"
			  "naptr NAPTR 65535 65535 \"99999\" \"99 999\" \"\" 99999.\n"
			  "a\\ 99999\\; 5 A 192.0.2.2\n"
			  "t TYPE65280 \\# 2 9999\n",
			  &out, &diag);
	if (err != VEER_OK)
		fail_msg("%s", diag.text);
	assert_non_null(strstr(out.data, "4294967295 3600 900 777600 5400"));
	buf_deinit(&out);
}

/* --- includes --------------------------------------------------------------------------------------------- */

struct files {
	char directory[64];
};

static void write_file(const struct files *f, const char *name, const char *text)
{
	char path[256];
	(void)snprintf(path, sizeof path, "%s/%s", f->directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static int make_files(void **state)
{
	struct files *f = calloc(1, sizeof *f);
	char path[256];
	(void)snprintf(f->directory, sizeof f->directory, "/tmp/test_zonefile.XXXXXX");
	if (mkdtemp(f->directory) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/zones", f->directory);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof path, "%s/zones/sub", f->directory);
	(void)mkdir(path, 0700);
	*state = f;
	return 0;
}

static int remove_files(void **state)
{
	struct files *f = *state;
	static const char *const names[] = {"zones/main", "zones/sub/inc", "zones/loop",
					    "zones/link", "outside",       "zones/in",
					    "zones/sub",  "zones",         ""};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[256];
		(void)snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
		(void)remove(path);
	}
	free(f);
	return 0;
}

static enum veer_err read_main(const struct files *f, const char *text, struct buf *out, struct veer_diag *diag)
{
	char path[256];
	struct zonefile *zf = NULL;
	write_file(f, "zones/main", text);
	(void)snprintf(path, sizeof path, "%s/zones/main", f->directory);
	enum veer_err err = zonefile_read(path, origin, &zf, diag);
	if (err == VEER_OK)
		err = zonefile_each(zf, print, out, diag);
	zonefile_free(&zf);
	return err;
}

static void includes_keep_the_origin_outside(void **state)
{
	const struct files *f = *state;
	struct veer_diag diag = {.text = ""};
	struct buf out;
	buf_init(&out, 1 << 16);
	write_file(f, "zones/sub/inc", "a A 192.0.2.1\n$ORIGIN deep\nb A 192.0.2.2\n");
	if (read_main(f, HEAD "$INCLUDE sub/inc x\nc A 192.0.2.3\n$INCLUDE sub/inc\n", &out, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	assert_non_null(strstr(out.data, "\na.x.example.\t"));
	assert_non_null(strstr(out.data, "\nb.deep.x.example.\t"));
	assert_non_null(strstr(out.data, "\nc.example.\t"));
	assert_non_null(strstr(out.data, "\na.example.\t"));
	assert_non_null(strstr(out.data, "\nb.deep.example.\t"));
	buf_deinit(&out);
}

static void includes_cannot_leave_the_directory(void **state)
{
	const struct files *f = *state;
	char path[256], target[256];
	write_file(f, "outside", "a A 192.0.2.1\n");
	(void)snprintf(target, sizeof target, "%s/outside", f->directory);
	(void)snprintf(path, sizeof path, "%s/zones/link", f->directory);
	assert_int_equal(symlink(target, path), 0);
	static const struct {
		const char *line, *what;
	} cases[] = {
		{"$INCLUDE ../outside\n", ":4: $INCLUDE takes a path within"},
		{"$INCLUDE sub/../../outside\n", ":4: $INCLUDE takes a path within"},
		{"$INCLUDE /etc/passwd\n", ":4: $INCLUDE takes a path within"},
		{"$INCLUDE link\n", ":4: $INCLUDE leads out"},
		{"$INCLUDE missing\n", ":4: the file to include cannot be found"},
		{"$INCLUDE sub\n", ":4: the file to include cannot be opened"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {.text = ""};
		char text[256];
		struct buf out;
		buf_init(&out, 1 << 16);
		(void)snprintf(text, sizeof text, HEAD "%s", cases[i].line);
		assert_int_not_equal(read_main(f, text, &out, &diag), VEER_OK);
		if (strstr(diag.text, cases[i].what) == NULL)
			fail_msg("case %zu: %s", i, diag.text);
		buf_deinit(&out);
	}
}

static void include_loops_end(void **state)
{
	const struct files *f = *state;
	struct veer_diag diag = {.text = ""};
	struct buf out;
	buf_init(&out, 1 << 16);
	write_file(f, "zones/loop", "$INCLUDE loop\n$INCLUDE loop\n");
	assert_int_equal(read_main(f, HEAD "$INCLUDE loop\n", &out, &diag), VEER_ELIMIT);
	assert_non_null(strstr(diag.text, "zones/loop:1: $INCLUDE is nested too deep"));
	write_file(f, "zones/in", "www A nonsense\n");
	assert_int_equal(read_main(f, HEAD "$INCLUDE in\n", &out, &diag), VEER_EINVAL);
	assert_non_null(strstr(diag.text, "zones/in:1: "));
	buf_deinit(&out);
}

static void missing_files_are_named(void **state)
{
	(void)state;
	struct zonefile *zf = NULL;
	struct veer_diag diag = {.text = ""};
	assert_int_equal(zonefile_read("/nonexistent/zone", origin, &zf, &diag), VEER_ENOTFOUND);
	assert_non_null(strstr(diag.text, "/nonexistent/zone"));
	assert_int_equal(zonefile_read("/tmp", origin, &zf, &diag), VEER_EIO);
	assert_null(zf);
}

static enum veer_err count(void *ctx, const struct rrset_view *rrset)
{
	*(size_t *)ctx += rrset->count;
	return VEER_OK;
}

static void many_records_load_quickly(void **state)
{
	(void)state;
	enum { COUNT = 50000 };
	struct buf text;
	struct zonefile *zf = NULL;
	size_t records = 0;
	buf_init(&text, (size_t)16 << 20);
	buf_puts(&text, HEAD);
	for (unsigned i = 0; i < COUNT; i++)
		buf_printf(&text, "host%u A 192.0.%u.%u\n", i * 7919 % COUNT, i / 256 % 256, i % 256);
	assert_int_equal(zonefile_read_text(text.data, text.len, "z", origin, &zf, NULL), VEER_OK);
	assert_int_equal(zonefile_record_count(zf), COUNT + 2);
	assert_int_equal(zonefile_each(zf, count, &records, NULL), VEER_OK);
	assert_int_equal(records, COUNT + 2);
	zonefile_free(&zf);
	buf_deinit(&text);
}

/* RFC 1035 5.1: \DDD for an octet: 255 octets are 1020 characters. Names in RDATA, too. */
static void names_of_any_octets_are_read_and_written(void **state)
{
	(void)state;
	struct buf text, out;
	struct veer_diag diag = {.text = ""};
	buf_init(&text, 1 << 16);
	buf_init(&out, 1 << 16);
	buf_puts(&text, HEAD);
	for (unsigned i = 0; i < 240; i++)
		buf_printf(&text, "%s\\%03u", i > 0 && i % 60 == 0 ? "." : "", i + 16);
	buf_puts(&text, " MX 1 ");
	for (unsigned i = 0; i < 240; i++)
		buf_printf(&text, "%s\\%03u", i > 0 && i % 60 == 0 ? "." : "", i + 16);
	buf_puts(&text, "\n  A 192.0.2.1\n\\  A 192.0.2.2\n");
	if (read_text(text.data, &out, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	struct buf again;
	buf_init(&again, 1 << 16);
	if (read_text(out.data, &again, &diag) != VEER_OK)
		fail_msg("%s: %s", diag.text, out.data);
	assert_string_equal(out.data, again.data);
	assert_non_null(strstr(out.data, "\n\\032.example."));
	buf_deinit(&text);
	buf_deinit(&out);
	buf_deinit(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_in_canonical_order),
		cmocka_unit_test(names_of_any_octets_are_read_and_written),
		cmocka_unit_test(errors_name_file_and_line),
		cmocka_unit_test(numbers_at_their_limits_are_taken),
		cmocka_unit_test(order_and_blanks_do_not_matter),
		cmocka_unit_test(data_that_means_nothing_is_refused),
		cmocka_unit_test(data_at_its_limits_is_taken),
		cmocka_unit_test(a_name_has_at_most_256_types),
		cmocka_unit_test_setup_teardown(includes_keep_the_origin_outside, make_files, remove_files),
		cmocka_unit_test_setup_teardown(includes_cannot_leave_the_directory, make_files, remove_files),
		cmocka_unit_test_setup_teardown(include_loops_end, make_files, remove_files),
		cmocka_unit_test(missing_files_are_named),
		cmocka_unit_test(many_records_load_quickly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
