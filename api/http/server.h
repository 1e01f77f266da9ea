/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: listeners, limits, deadlines, routing, authentication, worker threads. The only home of
 * libmicrohttpd (with its private header connection.h).
 *
 * Limits: each principal has a share of each shared resource (shares.h), each class of request has its own queue and
 * threads (lanes.c), and connections that have shown no credential are closed first (crowd.c). Deadlines are absolute,
 * even while bytes arrive: a request line within 15 s of the connection (60 s when kept alive), headers within 5 s of
 * it, the body within 30 s, the reply sent within 60 s; large bodies and replies have a second more for each 128 kB.
 * Heads that RFC 9112 does not allow are refused (headers.c).
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
	API_CLASS_BLOCKING, /* by a worker thread: may block on the store */
	API_CLASS_INLINE,   /* at once, by the network thread: must never block (reports, uplink) */
	API_CLASS_STREAM,   /* inline, and the reply is a stream */
	API_CLASS_URGENT,   /* by threads that are only for what an administrator does in an emergency */
	API_CLASS_BULK,     /* by threads of low priority, for long work: exports, backups, large lists */
};

/*
 * One route. `path` has {…} for each parameter, as in "/v1/sites/{name}"; a last {…*} takes the rest, slashes included.
 */
struct api_route {
	const char *method;
	const char *path;
	enum api_class class;
	unsigned roles;          /* bits 1 << enum api_role of those that may call it; owners always may */
	enum api_scope scope;    /* the scope that a token needs */
	size_t body_limit_bytes; /* 0: no body is expected; a body longer than this and than the principal's limit is
				    refused by its headers */
	api_handler_fn *handler;
	int arg;           /* handed to the handler as request->arg: one handler for routes of the same form */
	const char *query; /* the query parameters that it takes, blanks between them; others are refused. NULL: none */
};

/*
 * Find out who sent the request: fills request->principal. Called by network threads, must not block. False: the
 * credentials are wrong.
 */
typedef bool api_authenticate_fn(void *ctx, struct api_request *request);

/*
 * Is the credential that opened a stream still good (not revoked, not deleted, the scope not taken away)? Called once a
 * second for each open stream, by a thread of the server, which must not block. False ends the stream.
 */
typedef bool api_revalidate_fn(void *ctx, const struct api_principal *who, enum api_scope scope);

/* How much of the route's body_limit_bytes this principal may send, once the headers are there. Must not block. */
typedef size_t api_body_limit_fn(void *ctx, const struct api_request *request, const struct api_route *route);

/*
 * A handler has answered a request; not called for requests that were refused before. Called by any thread of the
 * server; must not block long.
 */
typedef void api_done_fn(void *ctx, const struct api_request *request, const struct api_reply *reply);

/* A credential was not good, or did not permit this. Called by network threads, must not block. */
typedef void api_refused_fn(void *ctx, const struct api_request *request, int status);

struct api_server_config {
	const struct api_route *routes; /* borrowed for the server's life */
	size_t route_count;
	void *ctx; /* for handlers, authenticate and revalidate */
	api_authenticate_fn *authenticate;
	api_revalidate_fn *revalidate;
	bool has_feed_user; /* a client on a Unix socket with the user id `feed_uid` is a name server */
	uid_t feed_uid;
	bool is_socket_open;           /* every user of this host may connect to Unix sockets, but then needs a token */
	api_body_limit_fn *body_limit; /* NULL: the route's limit */
	api_done_fn *done;             /* may be NULL */
	api_refused_fn *refused;       /* may be NULL */
	const char *tls_cert_pem;      /* contents, or NULL for clear text; copied */
	const char *tls_key_pem;
	bool wants_tls;   /* TCP listeners wait for api_server_set_certificate() when there is no certificate yet */
	unsigned workers; /* threads for ordinary requests, default 4 */
	struct logger *log;
};

/* Counters since start, for /metrics. */
struct api_server_stats {
	uint64_t requests;            /* finished ones */
	uint64_t by_class[6];         /* replies with 1xx … 5xx at [1] … [5] */
	uint64_t refused_busy;        /* 503 because a limit was reached */
	uint64_t refused[API_SHARES]; /* by the share that was used up, of the principal or of all: 429, 503, or cut */
	uint64_t cut_deadline;        /* connections cut by a deadline, or to make room */
	uint64_t connections;         /* open now */
	uint64_t streams;             /* open now */
	uint64_t old_certificates;    /* old certificates that connections still use; summed over all addresses */
};

/* Make a server that does not listen yet. NULL when memory or threads are out. */
struct api_server *api_server_new(const struct api_server_config *config);

/*
 * Bind a socket to an address, for api_server_listen() later: called while the program may still use ports below 1024.
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
	API_CERTIFICATE_REFUSED, /* the library refuses it, or memory or descriptors are out */
	API_CERTIFICATE_WAITS,   /* as many old ones as allowed still have connections */
};

/*
 * Show this certificate from now on, on all addresses or, if the result is not SHOWN, on none; open connections go on.
 * At most API_RETIRED_MAX old certificates of an address can have connections; while that many have, the new one waits:
 * call again. From API_CROWDED_MS after the first such call on, connections with the oldest are cut, so that a stream
 * that does not end cannot prevent a certificate from being shown for ever. Threads: one at a time.
 */
#define API_CROWDED_MS 10000
enum api_certificate api_server_set_certificate(struct api_server *server, const char *cert_pem, const char *key_pem);

/* The port of the first TCP listener (useful when it was opened with port 0); 0 without one. */
uint16_t api_server_port(const struct api_server *server);

/* Read the counters, from any thread; the numbers need not be of the same moment. */
void api_server_stats_read(struct api_server *server, struct api_server_stats *out);

/*
 * Accept no more connections, and finish the requests that wait for a worker; requests that come later on open
 * connections are refused as if all places were taken. Streams go on. The hub and the controller, for which requests
 * wait, must still run. A second call does nothing.
 */
void api_server_drain(struct api_server *server);

/* End all streams, finish the running requests, close everything, free. Sets the caller's pointer to NULL. */
void api_server_free(struct api_server **server_ptr);

#endif
