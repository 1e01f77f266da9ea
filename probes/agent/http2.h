/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of one connection of HTTP/2 (RFC 9113): requests one after the other, bytes in and bytes out,
 * without a socket or a clock. The only home of nghttp2, which does frames, header compression and windows; what is
 * here asks, collects the reply, and bounds what a server may send: fields, body, and frames that bring nothing.
 *
 * Threads: a connection belongs to one.
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
#define HTTP2_EMPTY_FRAMES_MAX 1000 /* of those that bring nothing of a reply: for one request, or idle */
#define HTTP2_BYTES_MAX                                                                                                \
	((size_t)2 << 20) /* of all that comes for one request, or idle: padding, frames nobody knows                  \
			   */

enum http2_state {
	HTTP2_MORE,      /* the reply goes on */
	HTTP2_DONE,      /* it has ended */
	HTTP2_CUT,       /* the body is longer than the limit: its beginning is there */
	HTTP2_RETRY,     /* the server has not looked at the request and wants it on another connection */
	HTTP2_FALL_BACK, /* it wants it in HTTP/1.1 */
	HTTP2_BROKEN,    /* the connection has ended within the reply */
	HTTP2_BAD,       /* that is no HTTP/2, or the server gives up, see `error` */
};

/* Fields that somebody asks for. Of a head the first one counts; trailers go before it, but for the location. */
enum http2_field {
	HTTP2_LOCATION,
	HTTP2_CONTENT_TYPE,
	HTTP2_GRPC_STATUS,
	HTTP2_GRPC_MESSAGE,
	HTTP2_FIELD_COUNT,
};

/* What has come of the reply to the latest request. */
struct http2_reply {
	enum http2_state state;
	int status; /* 0 before a head that is not interim */
	struct buf body;
	struct buf fields[HTTP2_FIELD_COUNT];
	bool has_field[HTTP2_FIELD_COUNT];
	char error[96]; /* when it is not whole */
};

struct http2;

/* A new connection. NULL when memory is out. Caller frees. */
struct http2 *http2_new(void);
/* `*connection` may be NULL. */
void http2_free(struct http2 **connection);

/*
 * Ask; the reply before is forgotten. The texts are copied, the body is borrowed until the reply has ended. Errors:
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err http2_ask(struct http2 *connection, const struct http_ask *ask, size_t body_limit_bytes);

/*
 * What is to be sent now: at most some frames at a time, none when `*len` is 0. Borrowed until http2_sent(), which says
 * how much of it is.
 */
void http2_pending(struct http2 *connection, const uint8_t **data, size_t *len);
void http2_sent(struct http2 *connection, size_t len);
/* What the server sent. Once the state is not HTTP2_MORE it does not change any more. */
void http2_feed(struct http2 *connection, const void *data, size_t len);
/* The connection has ended. */
void http2_end(struct http2 *connection);

/* Borrowed as long as the connection. */
const struct http2_reply *http2_reply(const struct http2 *connection);
/* Can another request go over it, now that none runs? */
bool http2_can_be_kept(const struct http2 *connection);

#endif
