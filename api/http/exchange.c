/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request through libmicrohttpd: headers, body, handler, reply. The library calls api_exchange_access() once when
 * the headers are complete, for each piece of the body, at its end, and again after a suspended connection is resumed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/connection.h"
#include "api/http/uri.h"

enum { OVER_BYTES_MAX = 65536 };

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Decode a part of the query into the arena; NULL when it is malformed or memory is out. */
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
	(void)MHD_add_response_header(response, "Cache-Control", reply->caching != NULL ? reply->caching : "no-store");
	if (reply->allow[0] != '\0')
		(void)MHD_add_response_header(response, "Allow", reply->allow);
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (reply->content_type != NULL)
		(void)MHD_add_response_header(response, "Content-Type", reply->content_type);
	if (reply->location[0] != '\0')
		(void)MHD_add_response_header(response, "Location", reply->location);
	if (reply->status == 401) {
		/* clients of streams do not read bodies of errors, so the reason is also in this header */
		(void)snprintf(challenge, sizeof challenge,
			       reply->challenge[0] != '\0' ? "Bearer error=\"invalid_token\", error_description=\"%s\""
							   : "Bearer%s",
			       reply->challenge);
		(void)MHD_add_response_header(response, "WWW-Authenticate", challenge);
	}
	if (reply->status == 503 || reply->retry_after_s > 0) {
		char seconds[16];
		(void)snprintf(seconds, sizeof seconds, "%d", reply->retry_after_s > 0 ? reply->retry_after_s : 1);
		(void)MHD_add_response_header(response, "Retry-After", seconds);
	}
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
	if (reply->constant != NULL && reply->body == NULL) /* the library never writes to a persistent buffer */
		return MHD_create_response_from_buffer(reply->body_len, (void *)(uintptr_t)reply->constant,
						       MHD_RESPMEM_PERSISTENT);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		reply->body_len, reply->body, reply->body != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (response != NULL)
		reply->body = NULL;
	return response;
}

static enum MHD_Result send_reply(struct api_exchange *x)
{
	if (x->reply.source != NULL && !x->has_stream_share &&
	    !api_admit_stream(x)) { /* a file that is sent, such as a backup */
		x->reply.source->close(x->reply.source);
		x->reply.source = NULL;
	}
	bool is_stream = x->reply.source != NULL;
	(void)api_admit_reply(x);
	api_connection_phase(x->server, x->peer, is_stream ? API_PHASE_STREAM : API_PHASE_REPLY, x->reply.body_len);
	struct MHD_Response *response = make_response(x);
	if (response == NULL)
		return MHD_NO;
	if (is_stream)
		x->reply.status = 200;
	add_headers(response, &x->reply);
	if (x->is_refused || x->is_body_over || x->has_trailers || x->crowded_out != SHARES_TAKEN)
		(void)MHD_add_response_header(response, "Connection", "close");
	count_reply(x->server, x->reply.status);
	enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)x->reply.status, response);
	MHD_destroy_response(response);
	return result;
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
	x->request.from = x->peer != NULL ? x->peer->from : "";
	x->request.is_feeder = x->peer != NULL && x->peer->is_feeder;
	(void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, add_query, x);
	return x;
}

static enum MHD_Result first_call(struct api_exchange *x, const char *method, const char *version)
{
	api_connection_phase(x->server, x->peer, API_PHASE_BODY, 0);
	if (x->request.method == NULL || x->request.path == NULL || x->peer == NULL)
		return MHD_NO;
	if (!api_headers_check(x, method, version)) {
		x->is_refused = true;
		return send_reply(x);
	}
	const char *length = header(x->connection, "Content-Length");
	if (!api_admit(x)) {
		x->is_refused = x->is_refused || length != NULL || header(x->connection, "Transfer-Encoding") != NULL;
		return send_reply(x);
	}
	if (length != NULL)
		api_connection_phase(x->server, x->peer, API_PHASE_BODY, x->body_taken_bytes);
	x->body.limit_bytes = x->body_limit_bytes;
	x->request.arg = x->route->arg;
	return MHD_YES;
}

void api_exchange_handle(struct api_exchange *exchange)
{
	void *ctx = exchange->server->config.ctx;
	exchange->reply.wants_worker = false;
	exchange->route->handler(ctx, &exchange->request, &exchange->reply);
	exchange->is_done = !exchange->reply.wants_worker;
	if (!exchange->is_done)
		return;
	bool is_unreadable = exchange->reply.status == 400 || exchange->reply.status == 422;
	if (is_unreadable && exchange->route->class == API_CLASS_INLINE && exchange->route->body_limit_bytes > 0)
		shares_note_bad(&exchange->server->shares, exchange->account, api_now_ms());
	if (exchange->server->config.done != NULL)
		exchange->server->config.done(ctx, &exchange->request, &exchange->reply);
}

/* Hand the exchange to the worker threads; their queue may be full. */
static enum MHD_Result queue(struct api_exchange *x, enum api_lane lane)
{
	/* The time that the handler takes is our responsibility, so it does not count against the client. */
	api_connection_phase(x->server, x->peer, API_PHASE_STREAM, 0);
	MHD_suspend_connection(x->connection);
	enum shares_answer answer = api_lane_push(x->server, x, lane);
	if (answer == SHARES_TAKEN)
		return MHD_YES;
	(void)api_refuse_share(x, API_SHARE_PLACES, answer);
	x->is_done = true;
	MHD_resume_connection(x->connection);
	return MHD_YES;
}

/* Check that the body was what the head announced and that there was room for it. False: the reply is made already. */
static bool check_body(struct api_exchange *x)
{
	if (x->crowded_out != SHARES_TAKEN)
		return api_refuse_share(x, API_SHARE_BODIES, x->crowded_out);
	if (x->is_body_over)
		return api_refuse_length(x);
	x->has_trailers = api_headers_have_trailers(x);
	if (x->has_trailers)
		api_problem(&x->reply, 400, "malformed", "fields behind a chunked body (trailers) are not taken");
	return !x->has_trailers;
}

static enum MHD_Result run_handler(struct api_exchange *x)
{
	static const enum api_lane lanes[] = {[API_CLASS_BLOCKING] = API_LANE_ORDINARY,
					      [API_CLASS_INLINE] = API_LANE_REPORTS,
					      [API_CLASS_STREAM] = API_LANE_REPORTS,
					      [API_CLASS_URGENT] = API_LANE_URGENT,
					      [API_CLASS_BULK] = API_LANE_BULK};
	x->request.body = x->body.data;
	x->request.body_len = x->body.len;
	if (!check_body(x))
		return send_reply(x);
	if (x->route->class == API_CLASS_INLINE || x->route->class == API_CLASS_STREAM) {
		api_exchange_handle(x);
		if (x->is_done)
			return send_reply(x);
	}
	return queue(x, lanes[x->route->class]);
}

/* Is the rest of the body discarded, because the reply is made, or will be made without it? */
static bool is_thrown_away(const struct api_exchange *x)
{
	return x->is_refused || x->crowded_out != SHARES_TAKEN || x->is_body_over || x->account == NULL;
}

/* An announced length has its share already; of a chunked body each piece takes its own. */
static void take_body(struct api_exchange *x, const char *data, size_t len)
{
	size_t before = x->body.len;
	if (is_thrown_away(x)) {
		x->over_bytes += len;
		return;
	}
	size_t more = before + len > x->body_taken_bytes ? before + len - x->body_taken_bytes : 0;
	x->is_body_over = before + len > x->body_limit_bytes;
	if (x->is_body_over)
		return;
	if (more > 0)
		x->crowded_out = shares_take(&x->server->shares, x->account, API_SHARE_BODIES, more);
	if (x->crowded_out != SHARES_TAKEN)
		return;
	x->body_taken_bytes += more;
	buf_append(&x->body, data, len);
	x->is_body_over = x->body.len != before + len;
}

enum MHD_Result api_exchange_access(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
				    const char *version, const char *upload, size_t *upload_len, void **state)
{
	struct api_exchange *x = *state;
	if (x == NULL) {
		x = exchange_new(ctx, connection, url, method);
		*state = x;
		return x != NULL ? first_call(x, method, version) : MHD_NO;
	}
	if (*upload_len > 0) {
		take_body(x, upload, *upload_len);
		*upload_len = 0;
		/*
		 * The library sends no reply before the end of a body, so a body that goes on for long is cut without a
		 * reply.
		 */
		return x->over_bytes <= OVER_BYTES_MAX ? MHD_YES : MHD_NO;
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
	if (x->account != NULL) {
		shares_put_back(&x->server->shares, x->account, API_SHARE_BODIES, x->body_taken_bytes);
		shares_put_back(&x->server->shares, x->account, API_SHARE_REPLIES, x->reply_taken_bytes);
		if (x->has_stream_share)
			shares_put_back(&x->server->shares, x->account, API_SHARE_STREAMS, 1);
		shares_give(&x->server->shares, x->account);
	}
	buf_deinit(&x->body);
	arena_free(&x->request.arena);
	free(x);
}
