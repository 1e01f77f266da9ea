/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange of a probe, over a connection of its own or one that was kept: connect, shake hands, ask, read the
 * reply. In clear or by TLS, HTTP/1.1 or HTTP/2, it is the same reading and the same judgement.
 *
 * A kept connection may have been ended by its server for no fault, and a server that drains takes no new request on a
 * connection (GOAWAY, REFUSED_STREAM): then a new connection is made and the request sent again, within the probe's
 * deadline and at most HTTP_TRIES_MAX times in all. What a probe asks it asks again at each interval, so this is done
 * whatever the method (RFC 9110 9.2.2).
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_CHECK_EXCHANGE_H
#define VEER_PROBES_AGENT_CHECK_EXCHANGE_H

#include "probes/agent/check_impl.h"
#include "probes/agent/http1.h"
#include "probes/agent/http_conn.h"

#define HTTP_TRIES_MAX 3

/* What came: a whole reply, or one whose body is longer than CHECK_BODY_MAX_BYTES. Borrowed for the callback. */
struct http_reply {
	int status;
	int version; /* 10, 11 or 20 */
	const char *body;
	size_t body_len;
	bool is_cut;              /* `body` is its beginning */
	const char *location;     /* NULL: there is none */
	const char *content_type; /* the rest of HTTP/2 only */
	const char *grpc_status;
	const char *grpc_message;
	const struct tls_peer *peer; /* what the server showed, when the connection was made; of zeros in clear */
};

/* Write the request; called for each connection on which it is sent. */
typedef void http_describe_fn(struct check_probe *probe, struct http_ask *ask);
/* A reply has come. The exchange may be started again from it. */
typedef void http_reply_fn(struct check_probe *probe, const struct http_reply *reply);

enum http_stage {
	HTTP_STAGE_NONE,
	HTTP_STAGE_CONNECT,
	HTTP_STAGE_SHAKE,
	HTTP_STAGE_TALK,
};

/* Part of what a probe owns. Zero it; set the first part. */
struct http_exchange {
	struct check_probe *probe;
	struct http_aim aim; /* but for the store */
	http_describe_fn *describe;
	http_reply_fn *done;

	enum http_stage stage;
	enum model_http_version version; /* what is tried now: the aim's, or what the server turned out to want */
	struct http_conn *conn;
	struct http1_reader reader;
	bool has_reader;
	struct buf request; /* of HTTP/1 */
	size_t sent;
	unsigned watched; /* events */
	unsigned tries;   /* connections on which it was asked */
	bool is_reused;   /* the connection is a kept one */
	bool has_bytes;   /* something of the reply has come */
	char error[128];  /* of a try that is made again */
};

/* Start it. It ends in `done`, or in the end of the probe. */
void http_exchange_start(struct http_exchange *exchange);
/* End what runs and free; it may be started again. */
void http_exchange_stop(struct http_exchange *exchange);

#endif
