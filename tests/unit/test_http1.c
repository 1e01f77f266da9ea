/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/http1.h"

enum { BODY_MAX = 65536 };

/* A reply, what is to be read from it, and how it ends. */
struct reply_case {
	const char *text;
	enum http1_state fed;   /* after all bytes */
	enum http1_state ended; /* after the end of the connection */
	int status;
	int version;
	const char *body;
};

static const struct reply_case replies[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", HTTP1_DONE, HTTP1_DONE, 200, 11, "ok"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", HTTP1_DONE, HTTP1_DONE, 200, 11, "ok"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", HTTP1_MORE, HTTP1_MORE, 200, 11, "ok"},
	{"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok", HTTP1_DONE, HTTP1_DONE, 200, 11,
	 "ok"},
	{"HTTP/1.0 404 Not here\r\n\r\ngone", HTTP1_MORE, HTTP1_DONE, 404, 10, "gone"},
	{"HTTP/1.1 503\n\nbare", HTTP1_MORE, HTTP1_DONE, 503, 11, "bare"},
	{"HTTP/1.1 204 No Content\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 204, 11, ""},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 304, 11, ""},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
	 "1\r\n\r\nx",
	 HTTP1_DONE, HTTP1_DONE, 200, 11, "x"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: "
	 "t\r\n\r\n",
	 HTTP1_DONE, HTTP1_DONE, 200, 11, "hello world"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\n\r\n2\r\nok\r\n0\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 200, 11,
	 "ok"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: , chunked ,,\r\n\r\n2\r\nok\r\n0\r\n\r\n", HTTP1_DONE, HTTP1_DONE, 200,
	 11, "ok"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: ,\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,x\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	/* chunked goes before a length (RFC 9112 6.3) */
	{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
	 HTTP1_DONE, HTTP1_DONE, 200, 11, "0123456789"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", HTTP1_MORE, HTTP1_MORE, 200, 11,
	 "hello"},
	/* a size of fixed width (RFC 9112 7.1: any number of digits) */
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
	 "chunked\r\n\r\n000000000000000000000002\r\nok\r\n0000000000000000\r\n\r\n",
	 HTTP1_DONE, HTTP1_DONE, 200, 11, "ok"},
	{"HTTP/1.1 200 OK\r\nConten", HTTP1_MORE, HTTP1_MORE, 200, 11, ""},
	{"", HTTP1_MORE, HTTP1_MORE, 0, 0, ""},
	/* what is no HTTP/1 */
	{"HTTP/2 200 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/1.1 20 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/1.1 2000 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/1.1 099 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"<html>\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"\r\nHTTP/1.1 200 OK\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 0, 0, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, ""},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11, "a"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1111111111111111\r\n", HTTP1_BAD, HTTP1_BAD, 200, 11,
	 ""},
};

static void check_case(const struct reply_case *c, size_t piece)
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
	(void)state;
	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		check_case(&replies[i], 1);
		check_case(&replies[i], 7);
		check_case(&replies[i], SIZE_MAX / 2);
	}
}

/* A server that goes on with `again` after `begin` for ever: in which state that ends. */
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

/* At the edge of what is kept of a line: the header before it still counts, the line end is still seen. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_however_they_are_split),
		cmocka_unit_test(what_never_ends_is_cut),
		cmocka_unit_test(long_lines_are_passed_over),
		cmocka_unit_test(a_reply_to_head_has_no_body),
		cmocka_unit_test(a_nul_in_a_header_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
