/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of a connection of HTTP/2 with two requests. However the bytes are split, a complete reply is the
 * same, all that is kept and sent is within its bounds, and at the end each reply has a state.
 */
#include <stdlib.h>
#include <string.h>

#include "probes/agent/http2.h"
#include "tests/fuzz/fuzz.h"

enum { BODY_MAX = 1024 };

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Two requests; the second is made when the reply to the first is complete. */
struct talk {
	struct http2 *h2;
	size_t said;
	bool is_second;
	enum http2_state first;
	int first_status;
};

static void check_bounds(const struct http2_reply *reply)
{
	check(reply->body.len <= BODY_MAX);
	check(reply->status == 0 || (reply->status >= 200 && reply->status <= 999));
	check(reply->state != HTTP2_DONE || reply->status >= 200);
	check(reply->state != HTTP2_CUT || reply->body.len == BODY_MAX);
	check((reply->error[0] != '\0') == (reply->state > HTTP2_CUT));
	for (int i = 0; i < HTTP2_FIELD_COUNT; i++)
		check(reply->fields[i].len <= 4096);
}

static void say(struct talk *t)
{
	for (;;) {
		const uint8_t *data = NULL;
		size_t len = 0;
		http2_pending(t->h2, &data, &len);
		if (len == 0)
			return;
		http2_sent(t->h2, len);
		t->said += len;
	}
}

static void ask(struct talk *t, const char *body)
{
	struct http_ask ask = {.method = "POST", .path = "/", .authority = "x", .body = body, .body_len = strlen(body)};
	check(http2_ask(t->h2, &ask, BODY_MAX) == VEER_OK);
}

static void hear(struct talk *t, const uint8_t *data, size_t len)
{
	http2_feed(t->h2, data, len);
	say(t);
	const struct http2_reply *reply = http2_reply(t->h2);
	check_bounds(reply);
	if (t->is_second || reply->state == HTTP2_MORE)
		return;
	t->first = reply->state;
	t->first_status = reply->status;
	if (!http2_can_be_kept(t->h2))
		return;
	t->is_second = true;
	ask(t, "");
	say(t);
}

static struct talk play(const uint8_t *data, size_t size, bool is_split)
{
	struct talk t = {.h2 = http2_new()};
	check(t.h2 != NULL);
	ask(&t, "body");
	say(&t);
	for (size_t at = 0; at < size;) {
		size_t piece = is_split ? 1 + (size_t)(data[at] % 13) : size;
		piece = piece < size - at ? piece : size - at;
		hear(&t, data + at, piece);
		at += piece;
	}
	http2_end(t.h2);
	check(http2_reply(t.h2)->state != HTTP2_MORE);
	check(!http2_can_be_kept(t.h2));
	check_bounds(http2_reply(t.h2));
	check(t.said < 65536 + 32 * size);
	return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk whole = play(data, size, false);
	struct talk pieces = play(data, size, true);
	/*
	 * Bytes that come together with the end of the first reply may belong to the second reply only when the second
	 * request was sent before.
	 */
	if (whole.first == HTTP2_DONE && pieces.first == HTTP2_DONE)
		check(whole.first_status == pieces.first_status);
	http2_free(&whole.h2);
	http2_free(&pieces.h2);
	return 0;
}
