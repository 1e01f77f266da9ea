/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reply of HTTP/1. However it is split, the same is read, and whatever is read is within its bounds. A complete reply
 * is read the same when it is written anew with its length and when other bytes follow it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/agent/http1.h"
#include "tests/fuzz/fuzz.h"

enum { BODY_MAX = 1024 };

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_bounds(const struct http1_reader *r)
{
	check(r->body.len <= BODY_MAX && r->head_bytes <= HTTP1_HEAD_MAX_BYTES + 65536);
	check((r->status == 0) == (r->version == 0) && (r->status == 0 || (r->status >= 100 && r->status <= 999)));
	check((r->error != NULL) == (r->state == HTTP1_BAD));
	check(r->state != HTTP1_DONE || r->status >= 101);
	check(r->state != HTTP1_CUT || r->body.len == BODY_MAX);
}

static void check_same(const struct http1_reader *a, const struct http1_reader *b)
{
	check(a->state == b->state && a->status == b->status && a->version == b->version);
	check(a->body.len == b->body.len && memcmp(a->body.data, b->body.data, a->body.len) == 0);
}

/* Read in pieces whose sizes come from the data. */
static void read_in_pieces(const uint8_t *data, size_t size, bool is_to_head, struct http1_reader *out)
{
	http1_init(out, is_to_head, BODY_MAX);
	for (size_t at = 0; at < size;) {
		size_t piece = 1 + (size_t)(data[at] % 13);
		piece = piece < size - at ? piece : size - at;
		(void)http1_feed(out, data + at, piece);
		at += piece;
	}
}

/* Its status and body, framed by a length and followed by other bytes, must be read the same. */
static void read_again(const struct http1_reader *r)
{
	static char text[BODY_MAX + 128];
	struct http1_reader again;
	int head = snprintf(text, sizeof text, "HTTP/1.%d %d x\r\nContent-Length: %zu\r\n\r\n", r->version - 10,
			    r->status, r->body.len);
	memcpy(text + head, r->body.data, r->body.len);
	memcpy(text + head + r->body.len, "more", 4);
	http1_init(&again, r->is_bodiless, BODY_MAX);
	check(http1_feed(&again, text, (size_t)head + r->body.len + 4) == HTTP1_DONE);
	check_same(r, &again);
	http1_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http1_reader whole;
	struct http1_reader pieces;
	if (size == 0)
		return 0;
	bool is_to_head = data[0] % 4 == 3;
	data++, size--;
	http1_init(&whole, is_to_head, BODY_MAX);
	(void)http1_feed(&whole, data, size);
	read_in_pieces(data, size, is_to_head, &pieces);
	check_bounds(&whole);
	check_bounds(&pieces);
	check_same(&whole, &pieces);
	(void)http1_end(&whole);
	check(http1_end(&pieces) == whole.state);
	if (whole.state == HTTP1_DONE)
		read_again(&whole);
	http1_deinit(&whole);
	http1_deinit(&pieces);
	return 0;
}
