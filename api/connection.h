/* SPDX-License-Identifier: Apache-2.0 */
/* The server's insides; private to api/server.c, exchange.c, connection.c, pool.c and route.c. */
#ifndef VEER_API_CONNECTION_H
#define VEER_API_CONNECTION_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "api/server.h"
#include "api/stream.h"
#include "base/buf.h"

enum {
	API_LISTENERS_MAX = 8,
	API_CONNECTIONS_MAX = 8192, /* of one listener */
	API_STREAMS_MAX = 2500,
	API_BODIES_BYTES = 1 << 30,          /* of all bodies being received; more are refused */
	API_CROWD = API_CONNECTIONS_MAX / 2, /* more connections: those without a request are cut sooner */
	API_DEADLINE_CROWDED_MS = 2000,
	API_POOL_QUEUE_MAX = 256,
	API_ARENA_BYTES = 4 << 20,
	API_DEADLINE_FIRST_MS = 15000, /* the request line on a new connection */
	API_DEADLINE_IDLE_MS = 60000,  /* the next request line on a kept one */
	API_DEADLINE_HEADERS_MS = 5000,
	API_DEADLINE_BODY_MS = 30000,
	API_DEADLINE_REPLY_MS = 60000,
	API_BYTES_PER_MS = 128, /* large bodies and replies have so much more time: slower is a failure */
	API_STREAMS_OF_ONE = 8, /* streams of one agent or name server */
};

/* What a connection is doing; decides its deadline. */
enum api_phase { API_PHASE_IDLE, API_PHASE_HEADERS, API_PHASE_BODY, API_PHASE_REPLY, API_PHASE_STREAM };

/* One connection, from accept to close. In the server's list, guarded by its connections_lock. */
struct api_connection {
	struct api_connection *next, *prev;
	int fd; /* borrowed from the library, valid while in the list */
	bool is_local;
	bool is_owner;
	bool is_feeder; /* the user of --feed-user */
	int64_t due_ms;            /* cut when the monotonic clock passes it; 0: never */
	int64_t since_ms;          /* in its phase */
	bool is_idle;              /* it has sent no whole request header since then */
	struct api_stream *stream; /* the stream it carries, to end it at shutdown */
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
	struct api_principal who; /* who opened it, and by which scope: asked again while it lasts */
	enum api_scope scope;
};

/* One request, from its headers to the end of its reply. */
struct api_exchange {
	struct api_server *server;
	struct MHD_Connection *connection;
	struct api_connection *peer;
	const struct api_route *route;
	struct api_request request;
	struct api_reply reply;
	struct buf body;
	size_t query_dropped;
	bool is_query_malformed;
	bool is_refused;           /* the reply was made before the body came; the body is thrown away */
	bool is_body_over;         /* the body is longer than the route takes */
	bool is_crowded_out;       /* the bodies of all requests together are too large */
	bool is_done;              /* the handler has run */
	struct api_exchange *next; /* in the pool's queue */
};

struct api_listener {
	struct MHD_Daemon *daemon;
	char unix_path[108]; /* "" for TCP */
	uint16_t port;
	bool is_unix;
	struct api_server *server;
};

struct api_server {
	struct api_server_config config;
	char *cert, *key;
	struct api_listener listeners[API_LISTENERS_MAX];
	size_t listener_count;

	pthread_mutex_t connections_lock; /* guards the list and the fields of its members */
	struct api_connection *connections;

	pthread_mutex_t pool_lock; /* guards the queue and is_stopping */
	pthread_cond_t pool_filled;
	struct api_exchange *queue_head, *queue_tail;
	size_t queue_len;
	bool is_stopping;
	pthread_t *workers;
	unsigned worker_count;

	pthread_t janitor;
	bool has_janitor;
	atomic_bool is_janitor_done;
	atomic_bool is_ending; /* no stream may be opened or parked any more */

	atomic_uint_fast64_t requests, by_class[6], refused_busy, cut_deadline, connection_count, stream_count,
		body_bytes;
};

/* The system's monotonic clock. */
int64_t api_now_ms(void);

/* connection.c: the registry and the janitor that cuts what is over its deadline. */
void api_connection_notify(void *ctx, struct MHD_Connection *connection, void **socket_context,
			   enum MHD_ConnectionNotificationCode code);
/* Start a phase, whose deadline leaves time for `bytes` of body or reply. */
void api_connection_phase(struct api_server *server, struct api_connection *connection, enum api_phase phase,
			  size_t bytes);
/* Open streams of this agent or name server. */
size_t api_connections_count_streams(struct api_server *server, const struct api_principal *who);
/* A request line has come: its headers have a deadline now. Always NULL. */
void *api_connection_uri(void *ctx, const char *uri, struct MHD_Connection *connection);
/* False when there is no thread for it. */
bool api_janitor_start(struct api_server *server);
/* End it and wait for that; it need not have been started. */
void api_janitor_stop(struct api_server *server);
/* End all streams so that the listeners can be stopped. */
void api_connections_end_streams(struct api_server *server);

/* exchange.c: the library's callbacks. */
enum MHD_Result api_exchange_access(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
				    const char *version, const char *upload, size_t *upload_len, void **state);
/* It is over, answered or not: closes its stream, frees it; its connection is idle. */
void api_exchange_completed(void *ctx, struct MHD_Connection *connection, void **state,
			    enum MHD_RequestTerminationCode code);

/* stream.c: a reply that does not end. NULL when memory is out or too many are open. */
struct MHD_Response *api_stream_response(struct api_exchange *exchange);

/* pool.c: the workers. False when memory or threads are out; those that there are run until api_pool_stop(). */
bool api_pool_start(struct api_server *server, unsigned workers);
/* Take no more; wait until what is being worked on is done. */
void api_pool_stop(struct api_server *server);
/* Queue the exchange; its connection must be suspended. False when the queue is full or the server stops. */
bool api_pool_push(struct api_server *server, struct api_exchange *exchange);

/* route.c: the route for the exchange's method and path. On failure the reply is 404 or 405 already. */
const struct api_route *api_route_find(struct api_server *server, struct api_exchange *exchange);
/* All query parameters are the route's, each once; else the reply is 400 already. */
bool api_route_check_query(struct api_exchange *exchange);
/* Run authentication and authorisation; on failure the reply is 401 or 403 already. */
bool api_route_authorise(struct api_server *server, struct api_exchange *exchange);

#endif
