/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/agent/http1.h"
#include "tests/unit/http_replies.h"

enum { BODY_MAX = 65536 };

static void check_case(const struct http_reply_case *c, size_t piece)
{
	struct http1_reader reader;
	size_t len = strlen(c->text);
	http1_init(&reader, false, BODY_MAX);
	for (size_t at = 0; at < len; at += piece)
		(void)http1_feed(&reader, c->text + at, len - at < piece ? len - at : piece);
	if (reader.state != c->fed)
		fail_msg("in pieces of %zu: state %d, not %d, of: %s", piece, (int)reader.state, (int)c->fed, c->text);
	assert_int_equal(http1_end(&reader), c->ended);
	assert_int_equal(reader.status, c->status);
	assert_int_equal(reader.version, c->version);
	assert_string_equal(reader.body.data, c->body);
	assert_true((reader.error != NULL) == (reader.state == HTTP1_BAD));
	http1_deinit(&reader);
}

static void replies_are_read_however_they_are_split(void **state)
{
	size_t count = 0;
	const struct http_reply_case *replies = http_reply_cases(&count);
	(void)state;
	for (size_t i = 0; i < count; i++) {
		check_case(&replies[i], 1);
		check_case(&replies[i], 7);
		check_case(&replies[i], SIZE_MAX / 2);
	}
}

/* A server that sends `begin` and then `again` for ever: return the state in which that ends. */
static enum http1_state of_endless(const char *begin, const char *again, size_t *body_len)
{
	struct http1_reader reader;
	size_t fed = 0;
	http1_init(&reader, false, BODY_MAX);
	enum http1_state state = http1_feed(&reader, begin, strlen(begin));
	while (state == HTTP1_MORE && fed < (1 << 20)) {
		state = http1_feed(&reader, again, strlen(again));
		fed += strlen(again);
	}
	*body_len = reader.body.len;
	http1_deinit(&reader);
	return state;
}

static void what_never_ends_is_cut(void **state)
{
	(void)state;
	size_t body = 0;
	assert_int_equal(of_endless("", "x", &body), HTTP1_BAD);
	assert_int_equal(of_endless("HTTP/1.1 200 OK\r\n", "X: y\r\n", &body), HTTP1_BAD);
	assert_int_equal(of_endless("HTTP/1.1 200 OK\r\n", "X", &body), HTTP1_BAD);
	assert_int_equal(of_endless("", "HTTP/1.1 100 Continue\r\n\r\n", &body), HTTP1_BAD);
	assert_int_equal(of_endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ";", &body), HTTP1_BAD);
	assert_int_equal(of_endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", ";", &body), HTTP1_BAD);
	assert_int_equal(of_endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "T: t\r\n", &body),
			 HTTP1_BAD);
	assert_int_equal(body, 0);
	assert_int_equal(of_endless("HTTP/1.1 200 OK\r\n\r\n", "abc", &body), HTTP1_CUT);
	assert_int_equal(body, BODY_MAX);
	assert_int_equal(of_endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", &body),
			 HTTP1_CUT);
	assert_int_equal(body, BODY_MAX);
	assert_int_equal(of_endless("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551\r\n\r\n", "abc", &body),
			 HTTP1_CUT);
	assert_int_equal(body, BODY_MAX);
}

/* At the limit of what is kept of a line, the header before it still counts, and the end of the line is still found. */
static void long_lines_are_passed_over(void **state)
{
	(void)state;
	for (size_t len = HTTP1_LINE_MAX - 8; len < HTTP1_LINE_MAX + 8; len++) {
		char text[1024];
		struct http1_reader reader;
		int n = snprintf(text, sizeof text, "HTTP/1.1 200 %0*d\r\nX: %0*d\r\nContent-Length: 1\r\n\r\nz",
				 (int)len, 1, (int)len, 2);
		http1_init(&reader, false, BODY_MAX);
		assert_int_equal(http1_feed(&reader, text, (size_t)n), HTTP1_DONE);
		assert_string_equal(reader.body.data, "z");
		http1_deinit(&reader);
		n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length:%*d\r\n\r\nz", (int)len, 1);
		http1_init(&reader, false, BODY_MAX);
		assert_int_equal(http1_feed(&reader, text, (size_t)n),
				 len + 15 >= HTTP1_LINE_MAX ? HTTP1_BAD : HTTP1_DONE);
		http1_deinit(&reader);
	}
}

static void a_reply_to_head_has_no_body(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
	struct http1_reader reader;
	(void)state;
	http1_init(&reader, true, BODY_MAX);
	assert_int_equal(http1_feed(&reader, text, sizeof text - 1), HTTP1_DONE);
	http1_deinit(&reader);
}

static void a_nul_in_a_header_is_refused(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n";
	struct http1_reader reader;
	(void)state;
	http1_init(&reader, false, BODY_MAX);
	assert_int_equal(http1_feed(&reader, text, sizeof text - 1), HTTP1_BAD);
	http1_deinit(&reader);
}

/* Each case states whether the connection may be used again (RFC 9112 9.3). */
static void a_connection_is_kept_only_after_an_end_without_doubt(void **state)
{
	static const struct {
		const char *text;
		bool can_be_kept;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", true},
		{"HTTP/1.1 204 No Content\r\n\r\n", true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", true},
		{"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx", true},
		{"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\nx", false},
		{"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false},
		{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK", false},
		{"HTTP/1.1 101 Switching Protocols\r\n\r\n", false},
		{"HTTP/1.1 200 OK\r\n\r\nx", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http1_reader reader;
		http1_init(&reader, false, BODY_MAX);
		(void)http1_feed(&reader, cases[i].text, strlen(cases[i].text));
		assert_int_equal(http1_end(&reader), HTTP1_DONE);
		if (http1_can_be_kept(&reader) != cases[i].can_be_kept)
			fail_msg("%s", cases[i].text);
		http1_deinit(&reader);
	}
}

static void the_first_location_of_the_last_head_counts(void **state)
{
	static const char text[] =
		"HTTP/1.1 103 Early\r\nLocation: /early\r\n\r\nHTTP/1.1 302 Found\r\nlocation : /a\r\n  b\r\n"
		"Location: /c\r\nContent-Length: 0\r\n\r\n";
	struct http1_reader reader;
	(void)state;
	http1_init(&reader, false, BODY_MAX);
	assert_int_equal(http1_feed(&reader, text, sizeof text - 1), HTTP1_DONE);
	assert_string_equal(reader.location.data, "/a  b");
	http1_deinit(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_however_they_are_split),
		cmocka_unit_test(what_never_ends_is_cut),
		cmocka_unit_test(long_lines_are_passed_over),
		cmocka_unit_test(a_reply_to_head_has_no_body),
		cmocka_unit_test(a_nul_in_a_header_is_refused),
		cmocka_unit_test(a_connection_is_kept_only_after_an_end_without_doubt),
		cmocka_unit_test(the_first_location_of_the_last_head_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
