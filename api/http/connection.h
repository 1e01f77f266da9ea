/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's internals: private to api/http/server.c, admit.c, connection.c, crowd.c, exchange.c, headers.c, lanes.c,
 * route.c, server_certificate.c and stream.c, and to tests/unit/test_route.c. Order of locks: connections_lock or
 * lanes_lock, then a stream's, then the shares'.
 */
#ifndef VEER_API_HTTP_CONNECTION_H
#define VEER_API_HTTP_CONNECTION_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "api/http/server.h"
#include "api/http/shares.h"
#include "api/http/stream.h"
#include "base/buf.h"

enum {
	API_CONNECTIONS_MAX = 8192,     /* of all listeners together; fewer if the limit of descriptors is lower */
	API_DEADLINE_CROWDED_MS = 2000, /* replaces the next two, without a request, while half of all are taken */
	API_ARENA_BYTES = 4 << 20,
	API_DEADLINE_FIRST_MS = 15000, /* for the request line on a new connection */
	API_DEADLINE_IDLE_MS = 60000,  /* for the next request line on a connection that is kept alive */
	API_DEADLINE_HEADERS_MS = 5000,
	API_DEADLINE_BODY_MS = 30000,
	API_DEADLINE_REPLY_MS = 60000,
	API_BYTES_PER_MS = 128, /* a large body or reply has one more ms for each of these; a slower one is cut */
};

/* What a connection is doing, which decides its deadline. */
enum api_phase { API_PHASE_IDLE, API_PHASE_HEADERS, API_PHASE_BODY, API_PHASE_REPLY, API_PHASE_STREAM };

/* One connection, from accept to close. It is in the server's list, which connections_lock guards. */
struct api_connection {
	struct api_connection *next, *prev;
	int fd;                          /* borrowed from the library, valid while in the list */
	const struct api_daemon *daemon; /* the daemon that accepted it */
	bool is_local;
	bool is_owner;
	bool is_feeder;                       /* the peer is the user of --feed-user */
	int64_t due_ms;                       /* the connection is cut when the monotonic clock passes this; 0: never */
	int64_t since_ms;                     /* when its phase began */
	bool is_idle;                         /* it has not sent a complete request header since then */
	struct api_stream *stream;            /* the stream it carries, to end it at shutdown */
	char from[API_FROM_SIZE];             /* who is at the other end, for people */
	struct api_account *address;          /* account of that address */
	struct api_account *holder;           /* account of the principal, once the connection has shown a credential */
	struct api_connection *older, *newer; /* neighbours in the list of silent ones of its crowd */
	bool is_silent;                       /* it is in that list */
	bool is_pushed_out;                   /* it was closed to make room for another one */
	const char *uri;                      /* target of the present request; borrowed from the library */
	size_t uri_len;
	bool is_uri_clean; /* the target has no blank and no control character */
};

/* Connections that have shown no credential: those from elsewhere, and those from this host. */
enum { API_CROWD_REMOTE, API_CROWD_LOCAL, API_CROWDS };
struct api_crowd {
	struct api_connection *oldest, *newest;
	size_t count, max;
};

struct api_exchange;

struct api_stream {
	pthread_mutex_t lock; /* guards what follows; taken after no other lock of ours */
	bool has_news;
	bool is_suspended;
	bool is_ended; /* the server is stopping */
	struct MHD_Connection *connection;
	struct api_connection *peer; /* lives longer than the stream */
	struct api_stream_source *source;
	struct api_server *server;
	struct api_principal who; /* who opened it, and with which scope: checked again while the stream lasts */
	enum api_scope scope;
	struct api_account *account; /* the account whose share it takes */
};

/* One request, from its headers to the end of its reply. */
struct api_exchange {
	struct api_server *server;
	struct MHD_Connection *connection;
	struct api_connection *peer;
	const struct api_route *route;
	struct api_request request;
	struct api_reply reply;
	struct api_account *account; /* account of the principal; NULL until that is known */
	enum api_lane lane;
	struct buf body;
	size_t body_limit_bytes;  /* how long this request's body may be */
	size_t body_taken_bytes;  /* taken from the share of bodies */
	size_t reply_taken_bytes; /* taken from the share of replies */
	size_t over_bytes;        /* bytes of the body that came after it was refused */
	size_t query_dropped;
	bool is_query_malformed;
	bool has_stream_share;          /* it holds a share of streams, until a stream takes that over */
	bool is_refused;                /* the reply was made before the body came; the body is discarded */
	bool is_body_over;              /* the body is longer than allowed */
	bool has_trailers;              /* fields came after a chunked body */
	enum shares_answer crowded_out; /* SHARES_TAKEN while there is room for the body */
	bool is_done;                   /* the handler has run */
	struct api_exchange *next;      /* in its lane's queue */
};

/* How many old certificates connections may still use, and how many connections may wait to be accepted. */
enum { API_RETIRED_MAX = 8, API_BACKLOG = 1024 };

/*
 * One daemon of the library, with its certificate. Connections know it by this struct, because the library itself names
 * only one of its threads.
 */
struct api_daemon {
	struct MHD_Daemon *mhd; /* NULL: the place is free */
	struct api_listener *listener;
};

struct api_listener {
	struct api_daemon daemons[API_RETIRED_MAX + 2]; /* the present, the old ones and one that is starting */
	struct MHD_Daemon *daemon;                      /* NULL: it must speak TLS, and there is no certificate yet */
	int fd; /* for TCP the socket, which the next daemon uses too; -1 otherwise */
	struct MHD_Daemon *retired[API_RETIRED_MAX]; /* with old certificates, until their connections have ended */
	size_t retired_count;
	char unix_path[108]; /* "" for TCP */
	uint16_t port;
	bool is_unix;
	struct api_server *server;
};

/* The queue of a lane and its threads; guarded by lanes_lock. */
struct api_lane_queue {
	struct api_server *server;
	enum api_lane which;
	pthread_cond_t filled;
	struct api_exchange *head, *tail;
	size_t len;
	pthread_t *workers;
	unsigned worker_count;
};

struct api_server {
	struct api_server_config config;
	char *cert, *key;
	struct api_listener listeners[API_LISTENERS_MAX];
	size_t listener_count;
	int64_t crowded_since_ms; /* since when a new certificate has waited for an old one to go; 0: none waits */
	int64_t crowded_seen_ms;  /* when it was last found waiting */

	bool are_headers_placed; /* it is known where the library puts headers: see headers.c */

	pthread_mutex_t connections_lock; /* guards the list, the fields of its members, and the crowds */
	struct api_connection *connections;
	struct api_crowd crowds[API_CROWDS];
	size_t connections_max, silent_of_address, open_count;
	struct shares shares;

	pthread_mutex_t lanes_lock; /* guards the lanes and is_stopping */
	struct api_lane_queue lanes[API_LANES];
	bool is_stopping;
	bool is_drained; /* belongs to the thread that stops the server */

	pthread_t janitor;
	bool has_janitor;
	atomic_bool is_janitor_done;
	atomic_bool is_ending; /* no stream may be opened or parked any longer */

	atomic_uint_fast64_t requests, by_class[6], refused_busy, cut_deadline, connection_count, stream_count;
	atomic_uint_fast64_t old_certificates; /* not shown any more, but still used by connections; of all addresses */
};

/* The system's monotonic clock. */
int64_t api_now_ms(void);

/* connection.c: the registry and the janitor, which cuts connections that are past their deadline. */
void api_connection_notify(void *ctx, struct MHD_Connection *connection, void **socket_context,
			   enum MHD_ConnectionNotificationCode code);
/* Start a phase, whose deadline leaves time for `bytes` of body or reply. */
void api_connection_phase(struct api_server *server, struct api_connection *connection, enum api_phase phase,
			  size_t bytes);
/* A request line has come: its headers have a deadline from now on. Always NULL. */
void *api_connection_uri(void *ctx, const char *uri, struct MHD_Connection *connection);
/* Start the janitor. False when no thread can be made for it. */
bool api_janitor_start(struct api_server *server);
/* End the janitor and wait for its thread; it need not have been started. */
void api_janitor_stop(struct api_server *server);
/* Cut all connections of one daemon, including streams. */
void api_connections_cut(struct api_server *server, const struct api_daemon *daemon);
/* End all streams so that the listeners can be stopped. */
void api_connections_end_streams(struct api_server *server);

/* exchange.c: the library's callbacks. */
enum MHD_Result api_exchange_access(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
				    const char *version, const char *upload, size_t *upload_len, void **state);
/* The request is over, with or without a reply: close its stream and free it; its connection is idle. */
void api_exchange_completed(void *ctx, struct MHD_Connection *connection, void **state,
			    enum MHD_RequestTerminationCode code);

/* stream.c: a reply that does not end. NULL when memory is out or too many streams are open. */
struct MHD_Response *api_stream_response(struct api_exchange *exchange);

/* Run the handler in the calling thread, and record its result. */
void api_exchange_handle(struct api_exchange *exchange);

/* lanes.c: the workers. False when memory or threads are out; workers that were started run until api_lanes_stop(). */
bool api_lanes_start(struct api_server *server, unsigned workers);
/* Take no more requests; wait until those in progress are done. */
void api_lanes_stop(struct api_server *server);
/*
 * Queue the exchange; its connection must be suspended. It is refused when all places, or all of its principal, are
 * taken.
 */
enum shares_answer api_lane_push(struct api_server *server, struct api_exchange *x, enum api_lane which);

/* crowd.c: compute from the limit of descriptors how many connections there may be. */
void api_crowd_init(struct api_server *server);
/* Add a new connection, with its address; connections_lock is held. Another connection may be closed to make room. */
void api_crowd_enter(struct api_server *server, struct api_connection *connection);
/* The connection has shown a credential: count it as this principal's, if that principal may have another one. */
enum shares_answer api_crowd_prove(struct api_server *server, struct api_connection *connection,
				   struct api_account *account);
/* The connection is closed; connections_lock is held. */
void api_crowd_leave(struct api_server *server, struct api_connection *connection);

/* admit.c: judge the head before any of the body is read. False: the reply is made already. */
bool api_admit(struct api_exchange *exchange);
/* A reply that does not end takes one of its principal's places for streams. False: the reply is made already. */
bool api_admit_stream(struct api_exchange *exchange);
/* Refuse because the principal's or everybody's share is used up: the reply is 429 or 503. Always false. */
bool api_refuse_share(struct api_exchange *exchange, enum api_share share, enum shares_answer answer);
/*
 * A long reply takes from its principal's share of long replies until it is sent. False: another reply has replaced it.
 */
bool api_admit_reply(struct api_exchange *exchange);
/* Refuse a body that is longer than allowed: the reply is 413. Always false. */
bool api_refuse_length(struct api_exchange *exchange);

/* headers.c: does the library put headers where the checks expect them? */
bool api_headers_are_placed(void);
/* Remember a request's target, as it was sent. */
void api_headers_note_uri(struct api_connection *peer, const char *uri);
/* Is the head valid by RFC 9112? False: the reply is made already, and the connection must be closed. */
bool api_headers_check(struct api_exchange *exchange, const char *method, const char *version);
/* Did fields come after a chunked body? */
bool api_headers_have_trailers(struct api_exchange *exchange);

/* route.c: find the route for the exchange's method and path. On failure the reply is 404 or 405 already. */
const struct api_route *api_route_find(struct api_server *server, struct api_exchange *exchange);
/* Check that the route knows all query parameters and that each is given once; otherwise the reply is 400 already. */
bool api_route_check_query(struct api_exchange *exchange);
/* Run authentication and authorisation; on failure the reply is 401 or 403 already. */
bool api_route_authorise(struct api_server *server, struct api_exchange *exchange);

/* server.c: start a daemon of the library on the listening socket `fd`, which it then owns. NULL: it does not start. */
struct MHD_Daemon *api_listener_start(struct api_server *server, struct api_listener *listener, int fd, bool is_tls);
/* Stop a daemon. None of its connections may be suspended. */
void api_listener_stop(struct api_listener *listener, struct MHD_Daemon *daemon);

#endif
