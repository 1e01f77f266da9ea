/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of one connection of HTTP/2 (RFC 9113): requests one after the other, bytes in and bytes out,
 * without a socket or a clock. The only home of nghttp2, which does frames, header compression and windows. This code
 * sends requests, collects replies, and limits what a server may send: fields, body, and frames without content.
 *
 * Threads: a connection belongs to one thread.
 */
#ifndef VEER_PROBES_AGENT_HTTP2_H
#define VEER_PROBES_AGENT_HTTP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "probes/agent/http_ask.h"

#define HTTP2_HEAD_MAX_BYTES                                                                                           \
	((size_t)64 * 1024)         /* header fields and trailers of all heads of a reply, as in http1.h               \
				     */
#define HTTP2_HEAD_PIECES_MAX 128   /* CONTINUATION frames of one head */
#define HTTP2_EMPTY_FRAMES_MAX 1000 /* of frames that contribute nothing to a reply: for one request, or while idle */
#define HTTP2_BYTES_MAX                                                                                                \
	((size_t)2 << 20) /* of all that comes for one request, or idle: padding, frames nobody knows                  \
			   */

enum http2_state {
	HTTP2_MORE,      /* the reply is not complete */
	HTTP2_DONE,      /* the reply has ended */
	HTTP2_CUT,       /* the body is longer than the limit: only its beginning is there */
	HTTP2_RETRY,     /* the server has not processed the request and wants it on another connection */
	HTTP2_FALL_BACK, /* the server wants the request in HTTP/1.1 */
	HTTP2_BROKEN,    /* the connection has ended within the reply */
	HTTP2_BAD,       /* this is not HTTP/2, or the server gives up, see `error` */
};

/*
 * The fields that callers need. In a head the first occurrence counts; trailers have precedence over heads, except for
 * the location.
 */
enum http2_field {
	HTTP2_LOCATION,
	HTTP2_CONTENT_TYPE,
	HTTP2_GRPC_STATUS,
	HTTP2_GRPC_MESSAGE,
	HTTP2_FIELD_COUNT,
};

/* The reply to the latest request, as far as it has come. */
struct http2_reply {
	enum http2_state state;
	int status; /* 0 before the first head that is not interim */
	struct buf body;
	struct buf fields[HTTP2_FIELD_COUNT];
	bool has_field[HTTP2_FIELD_COUNT];
	char error[96]; /* why, when the reply is not complete */
};

struct http2;

/* Make a connection. NULL when memory is out. Caller frees. */
struct http2 *http2_new(void);
/* Free the connection. `*connection` may be NULL. */
void http2_free(struct http2 **connection);

/*
 * Send a request; the previous reply is forgotten. The texts are copied, the body is borrowed until the reply has
 * ended. Errors: VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err http2_ask(struct http2 *connection, const struct http_ask *ask, size_t body_limit_bytes);

/*
 * Get the bytes to send now: a few frames at most, and `*len` 0 when there are none. Borrowed until http2_sent(), which
 * says how many of them were sent.
 */
void http2_pending(struct http2 *connection, const uint8_t **data, size_t *len);
void http2_sent(struct http2 *connection, size_t len);
/* Take bytes that the server has sent. Once the state is not HTTP2_MORE, it does not change any more. */
void http2_feed(struct http2 *connection, const void *data, size_t len);
/* Note that the connection has ended. */
void http2_end(struct http2 *connection);

/* The reply, borrowed as long as the connection. */
const struct http2_reply *http2_reply(const struct http2 *connection);
/* Can another request be sent on it, when none is running? */
bool http2_can_be_kept(const struct http2 *connection);

#endif
