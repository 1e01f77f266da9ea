/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections for HTTP, and those that are kept for the next request. A kept connection is watched: when its server
 * ends it, or says that it takes no more requests (GOAWAY), it is removed before a probe uses it.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_HTTP_CONN_H
#define VEER_PROBES_AGENT_HTTP_CONN_H

#include "base/addr.h"
#include "base/loop.h"
#include "probes/agent/http2.h"
#include "probes/agent/wire.h"
#include "zones/model/model.h"

#define HTTP_HOST_SIZE 256

/* Where a connection leads, and how it was judged: another request may use it if all of this is equal. */
struct http_aim {
	struct veer_addr address;
	uint16_t port;
	bool is_tls;
	enum model_http_version version; /* what was offered */
	bool verify;
	struct x509_store_st *store; /* the certificates that it trusts; NULL: no TLS. A connection holds a reference */
	char host[HTTP_HOST_SIZE];   /* the name that was requested */
};

/* A connection, which belongs to its holder. */
struct http_conn {
	struct http_aim aim;
	struct wire wire; /* owns its descriptor, which the connection's holder watches */
	struct tls_peer peer;
	struct http2 *h2; /* NULL: HTTP/1.1, or not yet known */

	struct http_kept *kept; /* set while nobody uses it */
	struct http_conn *next;
	struct http_conn *prev;
	struct loop_timer timer;
};

/* Make a connection on `fd`, which is taken, also on failure. NULL when memory is out. */
struct http_conn *http_conn_new(const struct http_aim *aim, int fd);
/* End the connection; `loop` stops watching its descriptor. `*conn_ptr` may be NULL. */
void http_conn_free(struct http_conn **conn_ptr, struct loop *loop);

struct http_kept;

/*
 * Make room for `max` unused connections; when there are more, the least recently used one is ended. NULL: memory is
 * out.
 */
struct http_kept *http_kept_new(struct loop *loop, uint32_t max);
/* End all of them. `*kept` may be NULL. */
void http_kept_free(struct http_kept **kept);
/* Take out the most recently used connection that leads there; NULL when there is none. */
struct http_conn *http_kept_take(struct http_kept *kept, const struct http_aim *aim);
/* Keep a connection, for two minutes at most. Takes the connection. */
void http_kept_put(struct http_kept *kept, struct http_conn *conn);

#endif
