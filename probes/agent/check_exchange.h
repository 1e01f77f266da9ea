/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange of a probe, over a connection of its own or one that was kept: connect, shake hands, ask, read the
 * reply. In clear or by TLS, HTTP/1.1 or HTTP/2, the reply is read and judged in the same way.
 *
 * A server may end a kept connection without a fault, and a server that drains takes no new request on a connection
 * (GOAWAY, REFUSED_STREAM): then a new connection is made and the request sent again, within the probe's deadline and
 * at most HTTP_TRIES_MAX times in all. A probe repeats its request at each interval anyway, so this is done for every
 * method (RFC 9110 9.2.2).
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_CHECK_EXCHANGE_H
#define VEER_PROBES_AGENT_CHECK_EXCHANGE_H

#include "probes/agent/check_impl.h"
#include "probes/agent/http1.h"
#include "probes/agent/http_conn.h"

#define HTTP_TRIES_MAX 3

/* A complete reply, or one whose body is longer than CHECK_BODY_MAX_BYTES. Borrowed for the callback. */
struct http_reply {
	int status;
	int version; /* 10, 11 or 20 */
	const char *body;
	size_t body_len;
	bool is_cut;              /* `body` is only the beginning */
	const char *location;     /* NULL: there is no such header */
	const char *content_type; /* this and the following only by HTTP/2 */
	const char *grpc_status;
	const char *grpc_message;
	const struct tls_peer *peer; /* what the server sent when the connection was made; all zero without TLS */
};

/* Write the request; called for each connection on which it is sent. */
typedef void http_describe_fn(struct check_probe *probe, struct http_ask *ask);
/* Called when a reply has come. The exchange may be started again from it. */
typedef void http_reply_fn(struct check_probe *probe, const struct http_reply *reply);

enum http_stage {
	HTTP_STAGE_NONE,
	HTTP_STAGE_CONNECT,
	HTTP_STAGE_SHAKE,
	HTTP_STAGE_TALK,
};

/* Part of a probe's memory. Zero it, and set the first group of members. */
struct http_exchange {
	struct check_probe *probe;
	struct http_aim aim; /* except `store` */
	http_describe_fn *describe;
	http_reply_fn *done;

	enum http_stage stage;
	enum model_http_version version; /* tried now: the aim's, or the one that the server needs */
	struct http_conn *conn;
	struct http1_reader reader;
	bool has_reader;
	struct buf request; /* for HTTP/1 */
	size_t sent;
	unsigned watched; /* events */
	unsigned tries;   /* connections on which the request was sent */
	bool is_reused;   /* the connection was a kept one */
	bool has_bytes;   /* some bytes of the reply have come */
	char error[128];  /* of an earlier try */
};

/* Start the exchange. It ends with `done`, or with the end of the probe. */
void http_exchange_start(struct http_exchange *exchange);
/* End the exchange and free what it holds; it may be started again. */
void http_exchange_stop(struct http_exchange *exchange);

#endif
