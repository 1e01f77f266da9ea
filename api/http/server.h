/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: listeners, limits, deadlines, routing, authentication, worker threads. The only home of
 * libmicrohttpd (with its private header connection.h).
 *
 * Limits: each principal has a share of all that is shared (shares.h), each class of request its own queue and threads
 * (lanes.c), and connections that have shown no credential give way (crowd.c). Deadlines are absolute, whatever
 * trickles in: a request line within 15 s of the connection (60 s when kept alive), headers within 5 s of it, the body
 * within 30 s, the reply sent within 60 s; large ones have a second more for each 128 kB. What RFC 9112 does not allow
 * in a head is refused (headers.c).
 */
#ifndef VEER_API_HTTP_SERVER_H
#define VEER_API_HTTP_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "api/http/request.h"
#include "api/http/shares.h"
#include "base/addr.h"
#include "base/log.h"

#define API_LISTENERS_MAX 8 /* addresses to listen on */

struct api_server;

/* How a route's handler is run. */
enum api_class {
	API_CLASS_POOLED, /* by a worker thread: may block on the store */
	API_CLASS_INLINE, /* at once, by the network thread: must never block (reports, uplink) */
	API_CLASS_STREAM, /* inline, and the reply is a stream */
	API_CLASS_URGENT, /* by threads for what an administrator does in an emergency, which wait for nothing else */
	API_CLASS_BULK,   /* by threads of low priority for what is long: exports, backups, large lists */
};

/* One route. `path` has {…} for each parameter, as "/v1/sites/{name}"; a last {…*} takes the rest, slashes included. */
struct api_route {
	const char *method;
	const char *path;
	enum api_class class;
	unsigned roles;          /* bits 1 << enum api_role that may call it; owners always may */
	enum api_scope scope;    /* what a token needs */
	size_t body_limit_bytes; /* 0: no body wanted; more than that of the principal's is refused by the headers */
	api_handler_fn *handler;
	int arg;           /* handed to the handler as request->arg: one handler for routes of the same shape */
	const char *query; /* the query parameters that it knows, blanks between them; NULL: none. Others are refused */
};

/* Find out who asks: fills request->principal. Called by network threads, must not block. False: credentials are wrong.
 */
typedef bool api_authenticate_fn(void *ctx, struct api_request *request);

/*
 * Is what a stream was opened with still good (not revoked, not deleted, the scope not taken away)? Asked once a second
 * for each open stream, by a thread of the server, which must not block. False ends the stream.
 */
typedef bool api_revalidate_fn(void *ctx, const struct api_principal *who, enum api_scope scope);

/* How much of the route's body_limit_bytes this one may send, once the headers are there. Must not block. */
typedef size_t api_body_limit_fn(void *ctx, const struct api_request *request, const struct api_route *route);

/* A request has been answered by its handler (not: refused before). By any thread of the server; must not block long.
 */
typedef void api_done_fn(void *ctx, const struct api_request *request, const struct api_reply *reply);

/* A credential was not good, or not for this. Called by network threads, must not block. */
typedef void api_refused_fn(void *ctx, const struct api_request *request, int status);

struct api_server_config {
	const struct api_route *routes; /* borrowed for the server's life */
	size_t route_count;
	void *ctx; /* for handlers, authenticate and revalidate */
	api_authenticate_fn *authenticate;
	api_revalidate_fn *revalidate;
	bool has_feed_user; /* `feed_uid`, over a Unix socket, is a name server */
	uid_t feed_uid;
	bool is_socket_open;           /* every user of this host may connect to Unix sockets, and then needs a token */
	api_body_limit_fn *body_limit; /* NULL: what the route says */
	api_done_fn *done;             /* may be NULL */
	api_refused_fn *refused;       /* may be NULL */
	const char *tls_cert_pem;      /* contents, or NULL for clear text; copied */
	const char *tls_key_pem;
	bool wants_tls;   /* TCP waits for api_server_set_certificate() when there is none yet */
	unsigned workers; /* threads for ordinary requests, default 4 */
	struct logger *log;
};

/* Counters since start, for /metrics. */
struct api_server_stats {
	uint64_t requests;            /* finished ones */
	uint64_t by_class[6];         /* answered with 1xx … 5xx at [1] … [5] */
	uint64_t refused_busy;        /* 503 because a limit was reached */
	uint64_t refused[API_SHARES]; /* by the share of a principal or of all that was taken: 429, 503, or cut */
	uint64_t cut_deadline;        /* connections cut by a deadline, or to make room */
	uint64_t connections;         /* open now */
	uint64_t streams;             /* open now */
	uint64_t old_certificates;    /* that connections have, though they are not shown any more; of all addresses */
};

/* A server that listens nowhere yet. NULL when memory or threads are out. */
struct api_server *api_server_new(const struct api_server_config *config);

/*
 * A socket bound to an address, for api_server_listen() later: while the program may still use ports below 1024.
 * Ownership: `*out` is the caller's. Errors: VEER_EIO and the like; the diag names the address.
 */
VEER_MUST_CHECK enum veer_err api_server_bind(const char *address, int *out, struct veer_diag *diag);

/*
 * Listen on one more address, with the socket `bound` to it (borrowed; -1: open one). TCP beyond loopback needs TLS. A
 * stale Unix socket at the path is replaced.
 * Errors: VEER_EAUTH (clear text beyond loopback), VEER_EIO and the like; the diag names the address.
 */
VEER_MUST_CHECK enum veer_err api_server_listen(struct api_server *server, const char *address, int bound,
						struct veer_diag *diag);

enum api_certificate {
	API_CERTIFICATE_SHOWN,
	API_CERTIFICATE_REFUSED, /* the library does not take it, or something is out */
	API_CERTIFICATE_WAITS,   /* as many old ones as there may be have connections */
};

/*
 * Show this certificate from now on, on all addresses or, if it is not SHOWN, on none; connections of before go on.
 * At most API_RETIRED_MAX old ones of an address can have connections; while so many have, the new one waits: call
 * again. From API_CROWDED_MS after the first such call on, connections with the oldest are cut, so that a stream that
 * does not end keeps no certificate from being shown for ever. Threads: one at a time.
 */
#define API_CROWDED_MS 10000
enum api_certificate api_server_set_certificate(struct api_server *server, const char *cert_pem, const char *key_pem);

/* The TCP port of the first TCP listener (for port 0); 0 without one. */
uint16_t api_server_port(const struct api_server *server);

/* From any thread; the numbers need not be of the same moment. */
void api_server_stats_read(struct api_server *server, struct api_server_stats *out);

/*
 * Accept no more connections, and finish the requests that wait for a worker; those that come later on open connections
 * are refused as when all places are taken. Streams go on. What requests wait for (the hub, the controller) must still
 * run. A second call does nothing.
 */
void api_server_drain(struct api_server *server);

/* End all streams, finish what runs, close everything, free. Sets the caller's pointer to NULL. */
void api_server_free(struct api_server **server_ptr);

#endif
