/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of HTTP/2, against frames written by hand (RFC 9113 4, 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/agent/http2.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum { BODY_MAX = 65536 };

/* The bytes of the server, and the bytes that we have sent to it. */
struct talk {
	struct http2 *h2;
	struct buf in;
	struct buf out;
};

/* --- frames ---------------------------------------------------------------------------------------------------- */

static void put_frame(struct buf *to, int type, int flags, uint32_t stream, const void *data, size_t len)
{
	const uint8_t head[9] = {(uint8_t)(len >> 16),    (uint8_t)(len >> 8),    (uint8_t)len,
				 (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
				 (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
	buf_append(to, head, sizeof head);
	buf_append(to, data, len);
}

/* A field without compression (RFC 7541 6.2.2). */
static void put_field(struct buf *to, const char *name, const char *value)
{
	buf_putc(to, 0);
	buf_putc(to, (char)strlen(name));
	buf_puts(to, name);
	buf_putc(to, (char)strlen(value));
	buf_puts(to, value);
}

static void put_head(struct buf *to, uint32_t stream, int flags, const char *status, const char *name,
		     const char *value)
{
	struct buf block;
	buf_init(&block, 1024);
	if (status != NULL)
		put_field(&block, ":status", status);
	if (name != NULL)
		put_field(&block, name, value);
	put_frame(to, HEADERS, flags | END_HEADERS, stream, block.data, block.len);
	buf_deinit(&block);
}

static void put_settings(struct buf *to)
{
	put_frame(to, SETTINGS, 0, 0, NULL, 0);
}

static void put_code(struct buf *to, int type, uint32_t stream, uint32_t first, uint32_t code)
{
	const uint8_t data[8] = {(uint8_t)(first >> 24), (uint8_t)(first >> 16), (uint8_t)(first >> 8), (uint8_t)first,
				 (uint8_t)(code >> 24),  (uint8_t)(code >> 16),  (uint8_t)(code >> 8),  (uint8_t)code};
	if (type == GOAWAY)
		put_frame(to, type, 0, 0, data, 8);
	else
		put_frame(to, type, 0, stream, data + 4, 4);
}

/* --- talking --------------------------------------------------------------------------------------------------- */

static void ask(struct talk *t, const void *body, size_t body_len)
{
	struct http_ask ask = {.method = body_len > 0 ? "POST" : "GET",
			       .path = "/path?query#fragment",
			       .authority = "www.example.com",
			       .body = body,
			       .body_len = body_len,
			       .has_length = body_len > 0};
	http_ask_put_line(&ask, "X-Empty: ");
	http_ask_put_line(&ask, "Connection: close");
	http_ask_put_line(&ask, "TE: gzip");
	assert_int_equal(http2_ask(t->h2, &ask, BODY_MAX), VEER_OK);
}

static void open_talk(struct talk *t)
{
	t->h2 = http2_new();
	assert_non_null(t->h2);
	buf_init(&t->in, (size_t)1 << 22);
	buf_init(&t->out, (size_t)1 << 22);
}

static void close_talk(struct talk *t)
{
	http2_free(&t->h2);
	buf_deinit(&t->in);
	buf_deinit(&t->out);
}

/* Take all that we send now, in small portions. */
static void say(struct talk *t)
{
	for (;;) {
		const uint8_t *data = NULL;
		size_t len = 0;
		http2_pending(t->h2, &data, &len);
		if (len == 0)
			return;
		len = len < 11 ? len : 11;
		buf_append(&t->out, data, len);
		http2_sent(t->h2, len);
	}
}

/* Feed the server's bytes in t->in, in pieces. */
static const struct http2_reply *hear(struct talk *t, size_t piece)
{
	say(t);
	for (size_t at = 0; at < t->in.len; at += piece) {
		http2_feed(t->h2, t->in.data + at, t->in.len - at < piece ? t->in.len - at : piece);
		say(t);
	}
	buf_reset(&t->in);
	return http2_reply(t->h2);
}

/* How many frames of the type we have sent. */
static size_t count_sent(const struct talk *t, int type)
{
	static const size_t preface = 24;
	size_t count = 0;
	for (size_t at = preface; at + 9 <= t->out.len;) {
		const uint8_t *head = (const uint8_t *)t->out.data + at;
		count += head[3] == type;
		at += 9 + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
	}
	return count;
}

/* --- replies --------------------------------------------------------------------------------------------------- */

/* What a server may send in reply to the first request, and the expected result. */
struct reply_case {
	const char *name;
	void (*write)(struct buf *to);
	enum http2_state state;
	int status;
	const char *body;
	bool can_be_kept;
};

static void w_plain(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, 0, "200", "content-length", "2");
	put_frame(to, DATA, END_STREAM, 1, "ok", 2);
}

static void w_no_body(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, END_STREAM, "204", NULL, NULL);
}

static void w_interim(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, 0, "100", NULL, NULL);
	put_head(to, 1, 0, "103", "link", "</x>");
	w_plain(to);
}

static void w_padded(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, 0, "200", NULL, NULL);
	put_frame(to, DATA, PADDED, 1, "\x05ok\0\0\0\0\0", 8);
	put_frame(to, DATA, PADDED | END_STREAM, 1, "\x03\0\0\0", 4);
}

static void w_continued(struct buf *to)
{
	struct buf block;
	put_settings(to);
	buf_init(&block, 1024);
	put_field(&block, ":status", "200");
	put_field(&block, "x-long", "0123456789");
	put_frame(to, HEADERS, 0, 1, block.data, 5);
	put_frame(to, CONTINUATION, 0, 1, block.data + 5, 3);
	put_frame(to, CONTINUATION, END_HEADERS, 1, block.data + 8, block.len - 8);
	put_frame(to, DATA, END_STREAM, 1, "ok", 2);
	buf_deinit(&block);
}

static void w_between(struct buf *to)
{
	put_settings(to);
	put_frame(to, PING, 0, 0, "12345678", 8);
	put_code(to, WINDOW_UPDATE, 0, 0, 100);
	put_head(to, 1, 0, "200", NULL, NULL);
	put_frame(to, 200, 0, 1, "unknown", 7);
	put_frame(to, PRIORITY, 0, 1, "\0\0\0\0\x10", 5);
	put_frame(to, DATA, 0, 1, "o", 1);
	put_settings(to);
	put_frame(to, DATA, 0, 1, "k", 1);
	put_frame(to, DATA, END_STREAM, 1, "", 0);
}

static void w_drain_after(struct buf *to)
{
	put_settings(to);
	put_code(to, GOAWAY, 0, 1, 0);
	put_head(to, 1, 0, "200", NULL, NULL);
	put_frame(to, DATA, END_STREAM, 1, "ok", 2);
}

static void w_drain_before(struct buf *to)
{
	put_settings(to);
	put_code(to, GOAWAY, 0, 0, 0);
}

static void w_drain_gently(struct buf *to)
{
	put_settings(to);
	put_code(to, GOAWAY, 0, 0x7fffffff, 0);
	put_code(to, GOAWAY, 0, 0, 0);
}

static void w_refused(struct buf *to)
{
	put_settings(to);
	put_code(to, RST_STREAM, 1, 0, 7);
}

static void w_fall_back(struct buf *to)
{
	put_settings(to);
	put_code(to, RST_STREAM, 1, 0, 13);
}

static void w_reset_after(struct buf *to)
{
	w_plain(to);
	put_code(to, RST_STREAM, 1, 0, 0);
}

static void w_reset_within(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, 0, "200", NULL, NULL);
	put_code(to, RST_STREAM, 1, 0, 2);
}

static void w_short(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, 0, "200", "content-length", "3");
	put_frame(to, DATA, END_STREAM, 1, "ok", 2);
}

static void w_http1(struct buf *to)
{
	buf_puts(to, "HTTP/1.1 400 Bad Request\r\n\r\n");
}

static void w_garbage(struct buf *to)
{
	buf_puts(to, "SSH-2.0-OpenSSH_9.2\r\n");
}

static void w_push(struct buf *to)
{
	put_settings(to);
	put_frame(to, SETTINGS, ACK, 0, NULL, 0); /* so the server knows that we do not want pushes */
	put_frame(to, PUSH_PROMISE, END_HEADERS, 1, "\0\0\0\2\x82\x87\x84", 7);
}

static void w_101(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, 0, "101", NULL, NULL);
}

static void w_no_status(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, 0, "073", NULL, NULL);
	put_frame(to, DATA, END_STREAM, 1, "ok", 2);
}

static void w_pings(struct buf *to)
{
	put_settings(to);
	for (int i = 0; i < HTTP2_EMPTY_FRAMES_MAX + 1; i++)
		put_frame(to, PING, 0, 0, "12345678", 8);
}

static void w_many_settings(struct buf *to)
{
	for (int i = 0; i < HTTP2_EMPTY_FRAMES_MAX + 1; i++)
		put_settings(to);
}

static void w_empty_data(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, 0, "200", NULL, NULL);
	for (int i = 0; i < HTTP2_EMPTY_FRAMES_MAX + 1; i++)
		put_frame(to, DATA, 0, 1, "", 0);
}

static void w_padding_alone(struct buf *to)
{
	put_settings(to);
	put_head(to, 1, 0, "200", NULL, NULL);
	for (int i = 0; i < HTTP2_EMPTY_FRAMES_MAX + 1; i++)
		put_frame(to, DATA, PADDED, 1, "\x01\0", 2);
}

static void w_continued_for_ever(struct buf *to)
{
	put_settings(to);
	put_frame(to, HEADERS, 0, 1, "\x88", 1);
	for (int i = 0; i < 1000; i++)
		put_frame(to, CONTINUATION, 0, 1, "", 0);
}

static void w_long_head(struct buf *to)
{
	put_settings(to);
	for (int i = 0; i < 2000; i++)
		put_head(to, 1, 0, "103", "x", "01234567890123456789012345678901");
}

/* One entry of the table, made long and repeated by its index: few bytes are sent, many are read. */
static void w_bomb(struct buf *to)
{
	struct buf block;
	char value[121];
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	buf_init(&block, 16384);
	put_settings(to);
	buf_putc(&block, (char)0x88);
	buf_putc(&block, 0x40);
	buf_puts(&block, "\1x");
	buf_putc(&block, 120);
	buf_puts(&block, value);
	for (int i = 0; i < 10000; i++)
		buf_putc(&block, (char)0xbe);
	put_frame(to, HEADERS, END_HEADERS, 1, block.data, block.len);
	buf_deinit(&block);
}

static const struct reply_case cases[] = {
	{"plain", w_plain, HTTP2_DONE, 200, "ok", true},
	{"no body", w_no_body, HTTP2_DONE, 204, "", true},
	{"interim replies", w_interim, HTTP2_DONE, 200, "ok", true},
	{"padding", w_padded, HTTP2_DONE, 200, "ok", true},
	{"a head in pieces", w_continued, HTTP2_DONE, 200, "ok", true},
	{"other frames between", w_between, HTTP2_DONE, 200, "ok", true},
	{"drains, and answers", w_drain_after, HTTP2_DONE, 200, "ok", false},
	{"drains, and does not", w_drain_before, HTTP2_RETRY, 0, "", false},
	{"drains in two steps", w_drain_gently, HTTP2_RETRY, 0, "", false},
	{"refuses the stream", w_refused, HTTP2_RETRY, 0, "", true},
	{"wants HTTP/1.1", w_fall_back, HTTP2_FALL_BACK, 0, "", true},
	{"resets what is complete", w_reset_after, HTTP2_DONE, 200, "ok", true},
	{"resets what is not", w_reset_within, HTTP2_BAD, 200, "", true},
	{"less than its length", w_short, HTTP2_BAD, 200, "ok", true},
	{"HTTP/1.1", w_http1, HTTP2_BAD, 0, "", false},
	{"garbage", w_garbage, HTTP2_BAD, 0, "", false},
	{"pushes", w_push, HTTP2_BAD, 0, "", false},
	{"switches protocols", w_101, HTTP2_BAD, 0, "", true},
	{"a status that is none", w_no_status, HTTP2_BAD, 0, "ok", true},
	{"pings for ever", w_pings, HTTP2_BAD, 0, "", false},
	{"settings for ever", w_many_settings, HTTP2_BAD, 0, "", false},
	{"empty frames for ever", w_empty_data, HTTP2_BAD, 200, "", false},
	{"padding for ever", w_padding_alone, HTTP2_BAD, 200, "", false},
	{"a head that goes on for ever", w_continued_for_ever, HTTP2_BAD, 0, "", false},
	{"interim replies for ever", w_long_head, HTTP2_BAD, 0, "", false},
	{"a head that unpacks to much", w_bomb, HTTP2_BAD, 0, "", false},
};

static void play(const struct reply_case *c, size_t piece)
{
	struct talk t;
	open_talk(&t);
	ask(&t, NULL, 0);
	c->write(&t.in);
	assert_false(t.in.failed);
	const struct http2_reply *reply = hear(&t, piece);
	if (reply->state != c->state || http2_can_be_kept(t.h2) != c->can_be_kept)
		fail_msg("%s, in pieces of %zu: state %d, not %d (%s), kept: %d", c->name, piece, (int)reply->state,
			 (int)c->state, reply->error, http2_can_be_kept(t.h2));
	assert_int_equal(reply->status, c->status);
	assert_string_equal(reply->body.data, c->body);
	assert_int_equal(reply->error[0] == '\0', c->state == HTTP2_DONE);
	assert_true(t.out.len < 65536); /* whatever the server sends, we do not send more than this */
	close_talk(&t);
}

static void replies_are_read_however_they_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		play(&cases[i], 1);
		play(&cases[i], 13);
		play(&cases[i], SIZE_MAX / 2);
	}
}

static void trailers_go_before_the_head_but_for_the_location(void **state)
{
	struct talk t;
	(void)state;
	open_talk(&t);
	ask(&t, NULL, 0);
	put_settings(&t.in);
	put_head(&t.in, 1, 0, "103", "location", "/early");
	put_head(&t.in, 1, 0, "200", "grpc-status", "2");
	put_frame(&t.in, DATA, 0, 1, "x", 1);
	put_head(&t.in, 1, END_STREAM, NULL, "grpc-status", "0");
	const struct http2_reply *reply = hear(&t, 5);
	assert_int_equal(reply->state, HTTP2_DONE);
	assert_true(reply->has_field[HTTP2_GRPC_STATUS] && !reply->has_field[HTTP2_LOCATION]);
	assert_string_equal(reply->fields[HTTP2_GRPC_STATUS].data, "0");
	close_talk(&t);
}

/* 65,535 octets are allowed at first: a longer body needs our permission (RFC 9113 5.2). */
static void windows_are_opened_again(void **state)
{
	static const char block[16384];
	struct talk t;
	(void)state;
	open_talk(&t);
	ask(&t, NULL, 0);
	put_settings(&t.in);
	put_head(&t.in, 1, 0, "200", NULL, NULL);
	(void)hear(&t, SIZE_MAX / 2);
	for (int request = 0; request < 10; request++) {
		uint32_t stream = 1 + 2 * (uint32_t)request;
		for (int i = 0; i < 3; i++)
			put_frame(&t.in, DATA, i == 2 ? END_STREAM : 0, stream, block, sizeof block);
		const struct http2_reply *reply = hear(&t, 5000);
		assert_int_equal(reply->state, HTTP2_DONE);
		assert_int_equal(reply->body.len, 3 * sizeof block);
		assert_true(http2_can_be_kept(t.h2));
		ask(&t, NULL, 0);
		put_head(&t.in, stream + 2, 0, "200", NULL, NULL);
		(void)hear(&t, SIZE_MAX / 2);
	}
	assert_true(count_sent(&t, WINDOW_UPDATE) >= 10);
	close_talk(&t);
}

static void what_is_longer_than_the_limit_is_cut(void **state)
{
	static const char block[16384];
	struct talk t;
	(void)state;
	open_talk(&t);
	ask(&t, NULL, 0);
	put_settings(&t.in);
	put_head(&t.in, 1, 0, "200", NULL, NULL);
	for (int i = 0; i < 5; i++) {
		put_frame(&t.in, DATA, 0, 1, block, sizeof block);
		(void)hear(&t, SIZE_MAX / 2);
	}
	assert_int_equal(http2_reply(t.h2)->state, HTTP2_CUT);
	assert_int_equal(http2_reply(t.h2)->body.len, BODY_MAX);
	assert_false(http2_can_be_kept(t.h2));
	close_talk(&t);
}

/* A server that accepts nothing at first, then a little at a time. */
static void a_body_waits_for_the_servers_window(void **state)
{
	static const uint8_t no_window[6] = {0, 4, 0, 0, 0, 0};
	static const char body[1000] = "b";
	struct talk t;
	(void)state;
	open_talk(&t);
	say(&t);
	put_frame(&t.in, SETTINGS, 0, 0, no_window, sizeof no_window);
	(void)hear(&t, SIZE_MAX / 2);
	ask(&t, body, sizeof body);
	say(&t);
	assert_int_equal(count_sent(&t, DATA), 0);
	for (int i = 0; i < 4; i++) {
		put_code(&t.in, WINDOW_UPDATE, 1, 0, 250);
		(void)hear(&t, SIZE_MAX / 2);
	}
	assert_int_equal(count_sent(&t, DATA), 4);
	w_plain(&t.in);
	assert_int_equal(hear(&t, SIZE_MAX / 2)->state, HTTP2_DONE);
	close_talk(&t);
}

/*
 * A server may answer before it has read the request (RFC 9113 8.1); such a connection must not be used for another
 * request.
 */
static void a_reply_may_come_before_the_request_has_ended(void **state)
{
	static const uint8_t no_window[6] = {0, 4, 0, 0, 0, 0};
	struct talk t;
	(void)state;
	open_talk(&t);
	say(&t);
	put_frame(&t.in, SETTINGS, 0, 0, no_window, sizeof no_window);
	(void)hear(&t, SIZE_MAX / 2);
	ask(&t, "body", 4);
	w_plain(&t.in);
	assert_int_equal(hear(&t, 3)->state, HTTP2_DONE);
	assert_false(http2_can_be_kept(t.h2));
	put_code(&t.in, RST_STREAM, 1, 0, 0);
	assert_int_equal(hear(&t, 3)->state, HTTP2_DONE);
	close_talk(&t);
}

static void an_idle_connection_answers_pings_and_hears_of_the_end(void **state)
{
	struct talk t;
	(void)state;
	open_talk(&t);
	ask(&t, NULL, 0);
	w_plain(&t.in);
	(void)hear(&t, 7);
	put_frame(&t.in, PING, 0, 0, "12345678", 8);
	(void)hear(&t, 7);
	assert_int_equal(count_sent(&t, PING), 1);
	assert_true(http2_can_be_kept(t.h2));
	put_code(&t.in, GOAWAY, 0, 1, 0);
	(void)hear(&t, 7);
	assert_false(http2_can_be_kept(t.h2));
	assert_int_equal(http2_reply(t.h2)->state, HTTP2_DONE);
	close_talk(&t);
}

static void the_end_of_the_connection_breaks_what_is_not_whole(void **state)
{
	struct talk t;
	(void)state;
	open_talk(&t);
	ask(&t, NULL, 0);
	put_settings(&t.in);
	put_head(&t.in, 1, 0, "200", NULL, NULL);
	(void)hear(&t, 7);
	http2_end(t.h2);
	assert_int_equal(http2_reply(t.h2)->state, HTTP2_BROKEN);
	assert_false(http2_can_be_kept(t.h2));
	close_talk(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_however_they_are_split),
		cmocka_unit_test(trailers_go_before_the_head_but_for_the_location),
		cmocka_unit_test(windows_are_opened_again),
		cmocka_unit_test(what_is_longer_than_the_limit_is_cut),
		cmocka_unit_test(a_body_waits_for_the_servers_window),
		cmocka_unit_test(a_reply_may_come_before_the_request_has_ended),
		cmocka_unit_test(an_idle_connection_answers_pings_and_hears_of_the_end),
		cmocka_unit_test(the_end_of_the_connection_breaks_what_is_not_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
