/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request through libmicrohttpd: headers, body, handler, reply. The library calls api_exchange_access() once when
 * the headers are there, for each piece of the body, at its end, and again after a suspended connection is resumed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection.h"
#include "api/uri.h"

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* A part of the query, decoded into the arena; NULL when it is malformed or memory is out. */
static const char *decode_query(struct api_exchange *x, const char *text)
{
	size_t len = strlen(text);
	char *out = api_uri_is_valid(text) ? arena_alloc(x->request.arena, len + 1) : NULL;
	x->is_query_malformed = x->is_query_malformed || out == NULL;
	if (out != NULL)
		api_uri_decode(text, len, out);
	return out;
}

static enum MHD_Result add_query(void *ctx, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct api_exchange *x = ctx;
	(void)kind;
	if (x->request.query_count == API_QUERY_MAX) {
		x->query_dropped++;
		return MHD_NO;
	}
	const char *decoded_key = decode_query(x, key), *decoded_value = decode_query(x, value != NULL ? value : "");
	if (decoded_key == NULL || decoded_value == NULL)
		return MHD_NO;
	x->request.query[x->request.query_count++] = (struct api_pair){decoded_key, decoded_value};
	return MHD_YES;
}

static void count_reply(struct api_server *server, int status)
{
	atomic_fetch_add(&server->requests, 1);
	if (status >= 100 && status < 600)
		atomic_fetch_add(&server->by_class[status / 100], 1);
}

static void add_headers(struct MHD_Response *response, const struct api_reply *reply)
{
	char quoted[40], challenge[sizeof reply->challenge + 64];
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (reply->content_type != NULL)
		(void)MHD_add_response_header(response, "Content-Type", reply->content_type);
	if (reply->location[0] != '\0')
		(void)MHD_add_response_header(response, "Location", reply->location);
	if (reply->status == 401) {
		/* streams' clients do not collect bodies: the reason stands here too */
		(void)snprintf(challenge, sizeof challenge,
			       reply->challenge[0] != '\0' ? "Bearer error=\"invalid_token\", error_description=\"%s\""
							   : "Bearer%s",
			       reply->challenge);
		(void)MHD_add_response_header(response, "WWW-Authenticate", challenge);
	}
	if (reply->status == 503)
		(void)MHD_add_response_header(response, "Retry-After", "1");
	if (reply->etag[0] != '\0') {
		(void)snprintf(quoted, sizeof quoted, "\"%s\"", reply->etag);
		(void)MHD_add_response_header(response, "ETag", quoted);
	}
}

static struct MHD_Response *make_response(struct api_exchange *x)
{
	struct api_reply *reply = &x->reply;
	if (reply->source != NULL)
		return api_stream_response(x);
	if (reply->status == 0)
		reply->status = 204;
	if (reply->status == 500 && reply->body == NULL)
		api_problem(reply, 500, "internal", "out of memory");
	struct MHD_Response *response = MHD_create_response_from_buffer(
		reply->body_len, reply->body, reply->body != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (response != NULL)
		reply->body = NULL;
	return response;
}

static enum MHD_Result send_reply(struct api_exchange *x)
{
	bool is_stream = x->reply.source != NULL;
	api_connection_phase(x->server, x->peer, is_stream ? API_PHASE_STREAM : API_PHASE_REPLY, x->reply.body_len);
	struct MHD_Response *response = make_response(x);
	if (response == NULL)
		return MHD_NO;
	if (is_stream)
		x->reply.status = 200;
	add_headers(response, &x->reply);
	if (x->is_refused || x->is_body_over || x->is_crowded_out)
		(void)MHD_add_response_header(response, "Connection", "close");
	count_reply(x->server, x->reply.status);
	enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)x->reply.status, response);
	MHD_destroy_response(response);
	return result;
}

/* There is room for one more stream, and one agent or name server does not take it all. */
static bool may_open_stream(struct api_exchange *x)
{
	const struct api_principal *who = &x->request.principal;
	if (atomic_load(&x->server->stream_count) >= API_STREAMS_MAX)
		return false;
	return (who->role != API_ROLE_AGENT && who->role != API_ROLE_NAMESERVER) ||
	       api_connections_count_streams(x->server, who) < API_STREAMS_OF_ONE;
}

/* Smuggling (RFC 9112 6.1) and what the routes' tables say of bodies. False: the reply is made. */
static bool check_headers(struct api_exchange *x)
{
	const char *length = header(x->connection, "Content-Length");
	const char *coding = header(x->connection, "Transfer-Encoding");
	if (length != NULL && coding != NULL) {
		api_problem(&x->reply, 400, "malformed", "Content-Length and Transfer-Encoding exclude each other");
		return false;
	}
	if (x->query_dropped > 0) {
		api_problem(&x->reply, 400, "malformed", "more than %d query parameters", API_QUERY_MAX);
		return false;
	}
	if (x->is_query_malformed || !api_uri_is_valid(x->request.path)) {
		api_problem(&x->reply, 400, "malformed",
			    "a %% in the path or the query needs two hex digits behind it, which are not 00");
		return false;
	}
	x->route = api_route_find(x->server, x);
	if (x->route == NULL || !api_route_authorise(x->server, x) || !api_route_check_query(x))
		return false;
	if (length != NULL && strtoull(length, NULL, 10) > x->route->body_limit_bytes) {
		api_problem(&x->reply, 413, "too-large", "the body may have at most %zu bytes",
			    x->route->body_limit_bytes);
		return false;
	}
	if (x->route->class == API_CLASS_STREAM && !may_open_stream(x)) {
		atomic_fetch_add(&x->server->refused_busy, 1);
		api_problem_err(&x->reply, VEER_ELIMIT);
		return false;
	}
	return true;
}

static struct api_exchange *exchange_new(struct api_listener *listener, struct MHD_Connection *connection,
					 const char *url, const char *method)
{
	struct api_exchange *x = calloc(1, sizeof *x);
	if (x == NULL)
		return NULL;
	x->server = listener->server;
	x->connection = connection;
	buf_init(&x->body, 0);
	x->request.arena = arena_new(API_ARENA_BYTES);
	if (x->request.arena == NULL) {
		free(x);
		return NULL;
	}
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	x->peer = info != NULL ? info->socket_context : NULL;
	x->request.method = arena_strdup(x->request.arena, method);
	x->request.path = arena_strdup(x->request.arena, url);
	x->request.body = "";
	x->request.authorization = header(connection, "Authorization");
	x->request.content_type = header(connection, "Content-Type");
	x->request.if_match = header(connection, "If-Match");
	x->request.if_none_match = header(connection, "If-None-Match");
	x->request.is_local = x->peer != NULL && x->peer->is_local;
	x->request.is_owner = x->peer != NULL && x->peer->is_owner;
	x->request.is_feeder = x->peer != NULL && x->peer->is_feeder;
	(void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_query, x);
	return x;
}

static enum MHD_Result first_call(struct api_exchange *x)
{
	api_connection_phase(x->server, x->peer, API_PHASE_BODY, 0);
	if (x->request.method == NULL || x->request.path == NULL || x->peer == NULL)
		return MHD_NO;
	if (!check_headers(x)) {
		x->is_refused = header(x->connection, "Content-Length") != NULL ||
				header(x->connection, "Transfer-Encoding") != NULL;
		return send_reply(x);
	}
	const char *length = header(x->connection, "Content-Length"); /* not more than the route takes: checked */
	if (length != NULL)
		api_connection_phase(x->server, x->peer, API_PHASE_BODY, strtoull(length, NULL, 10));
	x->body.limit_bytes = x->route->body_limit_bytes;
	x->request.arg = x->route->arg;
	return MHD_YES;
}

static enum MHD_Result run_handler(struct api_exchange *x)
{
	x->request.body = x->body.data;
	x->request.body_len = x->body.len;
	if (x->is_crowded_out) {
		atomic_fetch_add(&x->server->refused_busy, 1);
		api_problem_err(&x->reply, VEER_EBUSY);
		return send_reply(x);
	}
	if (x->is_body_over) {
		api_problem(&x->reply, 413, "too-large", "the body may have at most %zu bytes",
			    x->route->body_limit_bytes);
		return send_reply(x);
	}
	if (x->route->class != API_CLASS_POOLED) {
		x->route->handler(x->server->config.ctx, &x->request, &x->reply);
		x->is_done = true;
		return send_reply(x);
	}
	/* How long the handler takes is ours to answer for, not the client's. */
	api_connection_phase(x->server, x->peer, API_PHASE_STREAM, 0);
	MHD_suspend_connection(x->connection);
	if (api_pool_push(x->server, x))
		return MHD_YES;
	atomic_fetch_add(&x->server->refused_busy, 1);
	api_problem_err(&x->reply, VEER_EBUSY);
	x->is_done = true;
	MHD_resume_connection(x->connection);
	return MHD_YES;
}

static void take_body(struct api_exchange *x, const char *data, size_t len)
{
	size_t before = x->body.len;
	if (x->is_crowded_out || x->is_body_over || x->route == NULL)
		return;
	if (atomic_load(&x->server->body_bytes) + len > API_BODIES_BYTES) {
		x->is_crowded_out = true;
		return;
	}
	buf_append(&x->body, data, len);
	x->is_body_over = x->body.len != before + len;
	atomic_fetch_add(&x->server->body_bytes, x->body.len - before);
}

enum MHD_Result api_exchange_access(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
				    const char *version, const char *upload, size_t *upload_len, void **state)
{
	(void)version;
	struct api_exchange *x = *state;
	if (x == NULL) {
		x = exchange_new(ctx, connection, url, method);
		*state = x;
		return x != NULL ? first_call(x) : MHD_NO;
	}
	if (*upload_len > 0) {
		take_body(x, upload, *upload_len);
		*upload_len = 0;
		return MHD_YES;
	}
	return x->is_done ? send_reply(x) : run_handler(x);
}

void api_exchange_completed(void *ctx, struct MHD_Connection *connection, void **state,
			    enum MHD_RequestTerminationCode code)
{
	struct api_exchange *x = *state;
	(void)ctx;
	(void)connection;
	(void)code;
	if (x == NULL)
		return;
	*state = NULL;
	api_connection_phase(x->server, x->peer, API_PHASE_IDLE, 0);
	if (x->reply.source != NULL)
		x->reply.source->close(x->reply.source);
	free(x->reply.body);
	atomic_fetch_sub(&x->server->body_bytes, x->body.len);
	buf_deinit(&x->body);
	arena_free(&x->request.arena);
	free(x);
}
