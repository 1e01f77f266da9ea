/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one reply of HTTP/1.0 or 1.1 (RFC 9112) as its bytes come, however they are split. The length of heads and
 * trailers together is limited, and that of the body. Pure: no input or output, no clock.
 *
 * Threads: a reader belongs to one thread.
 */
#ifndef VEER_PROBES_AGENT_HTTP1_H
#define VEER_PROBES_AGENT_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define HTTP1_HEAD_MAX_BYTES ((size_t)64 * 1024) /* status lines, headers and trailers together */
#define HTTP1_LINE_MAX 256  /* of a line that says where the body ends, or that is between chunks */
#define HTTP1_KEPT_MAX 4352 /* of any other line; the bytes beyond are ignored */

enum http1_state {
	HTTP1_MORE, /* the reply is not complete */
	HTTP1_DONE, /* the reply has ended; bytes after it are ignored */
	HTTP1_CUT,  /* the body is longer than the limit: only its beginning is there */
	HTTP1_BAD,  /* this is not HTTP/1, see `error` */
};

enum http1_stage {
	HTTP1_STATUS_LINE,
	HTTP1_HEADERS,
	HTTP1_CHUNK_SIZE,
	HTTP1_CHUNK_END, /* expects the line end after a chunk */
	HTTP1_TRAILERS,
	HTTP1_BODY,
};

/*
 * In the caller's memory, between http1_init() and http1_deinit(). The first group of members may be read, the rest is
 * private.
 */
struct http1_reader {
	enum http1_state state;
	int status;          /* of the last status line; 0 before it */
	int version;         /* 10 or 11; 0 before the status line */
	struct buf body;     /* without its framing */
	struct buf location; /* the Location header; "": there is none */
	const char *error;   /* static text, when the state is HTTP1_BAD */

	enum http1_stage stage;
	bool is_bodiless; /* the reply is to HEAD */
	bool is_chunked;
	bool has_length;
	bool ends_with_connection;
	bool says_close;  /* Connection: close */
	bool says_keep;   /* Connection: keep-alive */
	bool has_surplus; /* bytes came after the reply */
	bool is_held;     /* the line has ended, but the next one may continue it (RFC 9112 5.2) */
	uint64_t left;    /* remaining bytes of the body, or of the chunk */
	size_t head_bytes;
	size_t line_len; /* of the present line; may be more than the kept text */
	struct buf line;
};

/* Initialize. `is_to_head`: the reply has no body, whatever its headers say. Allocates nothing. */
void http1_init(struct http1_reader *reader, bool is_to_head, size_t body_limit_bytes);
/* Free what the reader holds. */
void http1_deinit(struct http1_reader *reader);

/* Read the next bytes. Returns the state; once it is not HTTP1_MORE, nothing changes any more. */
enum http1_state http1_feed(struct http1_reader *reader, const void *data, size_t len);

/*
 * Note that the connection has ended. HTTP1_DONE also when that ends the body (RFC 9112 6.3); HTTP1_MORE: the reply is
 * not complete.
 */
enum http1_state http1_end(struct http1_reader *reader);

/*
 * May the connection be used again (RFC 9112 9.3)? Only after a complete reply whose end was unambiguous: it was not
 * the end of the connection, the headers gave it in only one way, and no bytes followed.
 */
bool http1_can_be_kept(const struct http1_reader *reader);

#endif
