/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections for HTTP: what one is, and those that are kept for the next request. A kept one is watched: when its
 * server ends it, or says that it takes no more requests (GOAWAY), it is gone before anybody uses it.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_HTTP_CONN_H
#define VEER_PROBES_AGENT_HTTP_CONN_H

#include "base/addr.h"
#include "base/loop.h"
#include "probes/agent/http2.h"
#include "probes/agent/wire.h"
#include "zones/model/model.h"

#define HTTP_HOST_SIZE 256

/* To whom a connection leads, and how it was judged: another request may use it if all of that is the same. */
struct http_aim {
	struct veer_addr address;
	uint16_t port;
	bool is_tls;
	enum model_http_version version; /* what was offered */
	bool verify;
	struct x509_store_st *store; /* whom it trusts; NULL: in clear. Counted by a connection */
	char host[HTTP_HOST_SIZE];   /* the name that was asked for */
};

/* A connection; who has it owns it. */
struct http_conn {
	struct http_aim aim;
	struct wire wire; /* owns its descriptor, which is watched by whoever has the connection */
	struct tls_peer peer;
	struct http2 *h2; /* NULL: HTTP/1.1, or not yet known */

	struct http_kept *kept; /* while nobody uses it */
	struct http_conn *next;
	struct http_conn *prev;
	struct loop_timer timer;
};

/* A connection over `fd`, which it takes, also on failure. NULL when memory is out. */
struct http_conn *http_conn_new(const struct http_aim *aim, int fd);
/* Ends it; `loop` forgets its descriptor. `*conn_ptr` may be NULL. */
void http_conn_free(struct http_conn **conn_ptr, struct loop *loop);

struct http_kept;

/* Room for `max` connections that nobody uses; beyond, the one that was used longest ago ends. NULL: no memory. */
struct http_kept *http_kept_new(struct loop *loop, uint32_t max);
/* Ends all of them. `*kept` may be NULL. */
void http_kept_free(struct http_kept **kept);
/* The one used last that leads there, out of the room; NULL when there is none. */
struct http_conn *http_kept_take(struct http_kept *kept, const struct http_aim *aim);
/* Keep it, for two minutes at most. Takes the connection. */
void http_kept_put(struct http_kept *kept, struct http_conn *conn);

#endif
