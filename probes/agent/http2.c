/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/http2.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <nghttp2/nghttp2.h>

#define FIELD_MAX_BYTES 4096
#define ACKS_MAX 100    /* replies of ours that wait to be sent; more mean a flood */
#define SETTINGS_MAX 64 /* entries of one frame */
#define OWN_OVERHEAD 4  /* ": " and the line end, so that fields count as they would in HTTP/1 */
#define PSEUDO_COUNT 4

struct http2 {
	nghttp2_session *session;
	struct http2_reply reply;
	int32_t stream;   /* of the latest request; 0 before the first */
	bool is_open;     /* that stream is not closed on both sides yet */
	bool has_head;    /* its final head has come: a further head is trailers */
	bool is_draining; /* the server takes no new requests */
	bool has_begun;   /* some bytes have come on the connection */
	bool is_over;     /* it cannot be used any more */
	int head_status;  /* status of the head that is being read */
	size_t head_bytes;
	size_t empty_frames;
	size_t bytes;
	size_t pieces;      /* CONTINUATION frames of the head that is being read */
	const uint8_t *out; /* what has to be sent; owned by nghttp2 */
	size_t out_len;
	const uint8_t *body; /* of the request */
	size_t body_len;
};

static void fail(struct http2 *h, enum http2_state state, const char *error)
{
	if (h->reply.state != HTTP2_MORE)
		return;
	h->reply.state = state;
	(void)snprintf(h->reply.error, sizeof h->reply.error, "%s", error);
}

static void fail_code(struct http2 *h, enum http2_state state, const char *what, uint32_t code)
{
	char text[96];
	(void)snprintf(text, sizeof text, "%s: %s", what, nghttp2_http2_strerror(code));
	fail(h, state, text);
}

/* Give up the connection, whatever the reply is. */
static int give_up(struct http2 *h, const char *error)
{
	h->is_over = true;
	fail(h, HTTP2_BAD, error);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* --- the reply ------------------------------------------------------------------------------------------------- */

static bool is_ours(const struct http2 *h, int32_t stream)
{
	return stream == h->stream && h->reply.state == HTTP2_MORE;
}

static void reply_reset(struct http2_reply *reply, size_t body_limit_bytes)
{
	buf_deinit(&reply->body);
	buf_init(&reply->body, body_limit_bytes);
	for (int i = 0; i < HTTP2_FIELD_COUNT; i++) {
		buf_deinit(&reply->fields[i]);
		buf_init(&reply->fields[i], FIELD_MAX_BYTES);
		reply->has_field[i] = false;
	}
	reply->state = HTTP2_MORE;
	reply->status = 0;
	reply->error[0] = '\0';
}

static void take_field(struct http2 *h, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len)
{
	static const char *const names[HTTP2_FIELD_COUNT] = {[HTTP2_LOCATION] = "location",
							     [HTTP2_CONTENT_TYPE] = "content-type",
							     [HTTP2_GRPC_STATUS] = "grpc-status",
							     [HTTP2_GRPC_MESSAGE] = "grpc-message"};
	for (int i = 0; i < HTTP2_FIELD_COUNT; i++) {
		bool is_wanted = h->has_head ? i != HTTP2_LOCATION : !h->reply.has_field[i];
		if (!is_wanted || strlen(names[i]) != name_len || memcmp(names[i], name, name_len) != 0)
			continue;
		buf_reset(&h->reply.fields[i]);
		buf_append(&h->reply.fields[i], value, value_len);
		h->reply.has_field[i] = !h->reply.fields[i].failed;
	}
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct http2 *h = ctx;
	(void)session;
	if (!is_ours(h, frame->hd.stream_id))
		return 0;
	h->head_status = 0;
	for (int i = 0; i < HTTP2_FIELD_COUNT && !h->has_head; i++)
		h->reply.has_field[i] = false;
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *ctx)
{
	struct http2 *h = ctx;
	(void)session;
	(void)flags;
	h->head_bytes += name_len + value_len + OWN_OVERHEAD;
	if (h->head_bytes > HTTP2_HEAD_MAX_BYTES)
		return give_up(h, "the head of the reply is longer than 64 KiB");
	if (!is_ours(h, frame->hd.stream_id))
		return 0;
	if (name_len == 7 && memcmp(name, ":status", 7) == 0 && value_len == 3)
		h->head_status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
	else
		take_field(h, name, name_len, value, value_len);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len, void *ctx)
{
	struct http2 *h = ctx;
	(void)session;
	(void)flags;
	if (len > 0 && h->empty_frames > 0)
		h->empty_frames--;
	if (!is_ours(h, stream))
		return 0;
	struct buf *body = &h->reply.body;
	size_t room = body->limit_bytes - body->len;
	buf_append(body, data, len < room ? len : room);
	if (body->failed)
		return give_up(h, "there is no memory for the body");
	if (len > room) {
		h->reply.state = HTTP2_CUT;
		h->is_over = true; /* the rest is not read */
	}
	return 0;
}

/* Handle a complete frame: a head, or the end of the reply. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct http2 *h = ctx;
	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		h->is_draining = true;
	if (!is_ours(h, frame->hd.stream_id))
		return 0;
	bool is_headers = frame->hd.type == NGHTTP2_HEADERS;
	if (is_headers && !h->has_head && h->head_status >= 200) {
		h->has_head = true;
		h->reply.status = h->head_status;
	}
	if (is_headers && h->empty_frames > 0)
		h->empty_frames--; /* its size is counted by head_bytes */
	bool is_end =
		(is_headers || frame->hd.type == NGHTTP2_DATA) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	if (is_end && h->has_head)
		h->reply.state = HTTP2_DONE;
	else if (is_end)
		fail(h, HTTP2_BAD, "the reply has no status");
	return 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *ctx)
{
	struct http2 *h = ctx;
	(void)session;
	h->pieces = hd->type == NGHTTP2_CONTINUATION ? h->pieces + 1 : 0;
	if (h->pieces > HTTP2_HEAD_PIECES_MAX)
		return give_up(h, "the head of the reply is in too many pieces");
	if (++h->empty_frames > HTTP2_EMPTY_FRAMES_MAX)
		return give_up(h, "the server floods the connection with frames that bring nothing");
	return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *ctx)
{
	struct http2 *h = ctx;
	(void)session;
	(void)frame;
	char text[96];
	(void)snprintf(text, sizeof text, "the server breaks the rules of HTTP/2: %s", nghttp2_strerror(error));
	fail(h, HTTP2_BAD, text);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *ctx)
{
	struct http2 *h = ctx;
	(void)session;
	if (stream != h->stream)
		return 0;
	h->is_open = false;
	if (code == NGHTTP2_REFUSED_STREAM)
		fail(h, HTTP2_RETRY, "the server takes no requests on its connections");
	else if (code == NGHTTP2_HTTP_1_1_REQUIRED)
		fail(h, HTTP2_FALL_BACK, "the server wants HTTP/1.1");
	else
		fail_code(h, HTTP2_BAD, "the request was given up", code);
	return 0;
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size, uint32_t *flags,
			 nghttp2_data_source *source, void *ctx)
{
	struct http2 *h = ctx;
	size_t len = h->body_len < size ? h->body_len : size;
	(void)session;
	(void)source;
	if (stream != h->stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (len > 0)
		memcpy(out, h->body, len);
	h->body += len;
	h->body_len -= len;
	if (h->body_len == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

/* Is it a field about the connection, which HTTP/2 does not allow (RFC 9113 8.2.2)? */
static bool is_of_connection(const char *name, size_t len, const char *value)
{
	static const char *const names[] = {"connection",        "keep-alive", "proxy-connection",
					    "transfer-encoding", "upgrade",    "host"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0)
			return true;
	return len == 2 && strncasecmp(name, "te", 2) == 0 && strcasecmp(value, "trailers") != 0;
}

static nghttp2_nv field(const char *name, size_t name_len, const char *value, size_t value_len)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
			    .namelen = name_len,
			    .value = (uint8_t *)(uintptr_t)value,
			    .valuelen = value_len};
}

/*
 * List the fields: pseudo-headers first, names in lower case; nghttp2 copies everything. `names` holds the lower-case
 * names.
 */
static size_t list_fields(const struct http_ask *ask, char *names, const char *length,
			  nghttp2_nv fields[HTTP_ASK_HEADERS_MAX + PSEUDO_COUNT + 1])
{
	size_t count = 0;
	size_t path_len = http_ask_path_len(ask);
	fields[count++] = field(":method", 7, ask->method, strlen(ask->method));
	fields[count++] = field(":scheme", 7, ask->is_tls ? "https" : "http", ask->is_tls ? 5 : 4);
	fields[count++] = field(":authority", 10, ask->authority, strlen(ask->authority));
	fields[count++] = field(":path", 5, path_len > 0 ? ask->path : "/", path_len > 0 ? path_len : 1);
	for (size_t i = 0; i < ask->header_count; i++) {
		size_t len = ask->headers[i].name_len;
		const char *value = ask->headers[i].value;
		if (is_of_connection(ask->headers[i].name, len, value))
			continue;
		for (size_t k = 0; k < len; k++)
			names[k] = (char)tolower((unsigned char)ask->headers[i].name[k]);
		fields[count++] = field(names, len, value, strlen(value));
		names += len;
	}
	if (ask->has_length && !http_ask_has(ask, "Content-Length"))
		fields[count++] = field("content-length", 14, length, strlen(length));
	return count;
}

enum veer_err http2_ask(struct http2 *connection, const struct http_ask *ask, size_t body_limit_bytes)
{
	nghttp2_nv fields[HTTP_ASK_HEADERS_MAX + PSEUDO_COUNT + 1];
	const nghttp2_data_provider provider = {.read_callback = read_body};
	char length[24];
	size_t names_size = 1;
	for (size_t i = 0; i < ask->header_count; i++)
		names_size += ask->headers[i].name_len;
	char *names = malloc(names_size);
	if (names == NULL)
		return VEER_ENOMEM;
	(void)snprintf(length, sizeof length, "%zu", ask->body_len);
	size_t count = list_fields(ask, names, length, fields);
	reply_reset(&connection->reply, body_limit_bytes);
	connection->body = ask->body;
	connection->body_len = ask->body_len;
	connection->has_head = false;
	connection->head_bytes = connection->empty_frames = connection->bytes = 0;
	int32_t stream = nghttp2_submit_request(connection->session, NULL, fields, count,
						ask->body_len > 0 ? &provider : NULL, NULL);
	free(names);
	if (stream < 0)
		return VEER_ENOMEM;
	connection->stream = stream;
	connection->is_open = true;
	return VEER_OK;
}

/* --- bytes ----------------------------------------------------------------------------------------------------- */

void http2_pending(struct http2 *connection, const uint8_t **data, size_t *len)
{
	if (connection->out_len == 0) {
		ssize_t made = nghttp2_session_mem_send(connection->session, &connection->out);
		connection->out_len = made > 0 ? (size_t)made : 0;
		if (made < 0)
			(void)give_up(connection, nghttp2_strerror((int)made));
	}
	*data = connection->out;
	*len = connection->out_len;
	/* nghttp2 has ended the connection because of an error, and has queued its message about that. */
	if (connection->out_len == 0 && connection->reply.state == HTTP2_MORE && connection->is_open &&
	    nghttp2_session_want_read(connection->session) == 0)
		(void)give_up(connection, "the server breaks the rules of HTTP/2");
}

void http2_sent(struct http2 *connection, size_t len)
{
	assert(len <= connection->out_len);
	connection->out += len;
	connection->out_len -= len;
}

void http2_feed(struct http2 *connection, const void *data, size_t len)
{
	static const char http1[] = "HTTP/1.";
	if (!connection->has_begun && len >= sizeof http1 - 1 && memcmp(data, http1, sizeof http1 - 1) == 0) {
		(void)give_up(connection, "the server does not speak HTTP/2");
		return;
	}
	connection->has_begun = true;
	if (connection->is_over)
		return;
	connection->bytes += len;
	if (connection->bytes > HTTP2_BYTES_MAX) {
		(void)give_up(connection, "the server floods the connection");
		return;
	}
	ssize_t taken = nghttp2_session_mem_recv(connection->session, data, len);
	if (taken < 0)
		(void)give_up(connection, taken == NGHTTP2_ERR_FLOODED ? "the server floods the connection"
								       : nghttp2_strerror((int)taken));
}

void http2_end(struct http2 *connection)
{
	connection->is_over = true;
	fail(connection, HTTP2_BROKEN,
	     connection->reply.status != 0 ? "the connection ended within the reply"
					   : "the connection ended without a reply");
}

/* --- outside --------------------------------------------------------------------------------------------------- */

const struct http2_reply *http2_reply(const struct http2 *connection)
{
	return &connection->reply;
}

bool http2_can_be_kept(const struct http2 *connection)
{
	return !connection->is_over && !connection->is_draining && !connection->is_open &&
	       nghttp2_session_check_request_allowed(connection->session) != 0;
}

static nghttp2_session *session_new(struct http2 *h)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	nghttp2_session *session = NULL;
	if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
		nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
		nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
		nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
		nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
		nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
		nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
		/* nghttp2 counts a frame once for each part in which it arrives; we count frames. */
		nghttp2_option_set_max_continuations(option, 10 * HTTP2_HEAD_PIECES_MAX);
		nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
		nghttp2_option_set_max_settings(option, SETTINGS_MAX);
		nghttp2_option_set_no_closed_streams(option, 1);
		if (nghttp2_session_client_new2(&session, callbacks, h, option) != 0)
			session = NULL;
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

struct http2 *http2_new(void)
{
	static const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP2_HEAD_MAX_BYTES},
	};
	struct http2 *h = calloc(1, sizeof *h);
	if (h == NULL)
		return NULL;
	reply_reset(&h->reply, 0);
	h->session = session_new(h);
	if (h->session == NULL ||
	    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]) != 0)
		http2_free(&h);
	return h;
}

void http2_free(struct http2 **connection)
{
	struct http2 *h = *connection;
	if (h == NULL)
		return;
	nghttp2_session_del(h->session);
	buf_deinit(&h->reply.body);
	for (int i = 0; i < HTTP2_FIELD_COUNT; i++)
		buf_deinit(&h->reply.fields[i]);
	free(h);
	*connection = NULL;
}
