/* SPDX-License-Identifier: Apache-2.0 */
/* The request, the reply, and how it ends. */
#include <stdio.h>
#include <string.h>

#include "probes/agent/check_exchange_impl.h"

#define REQUEST_MAX_BYTES ((size_t)64 * 1024 + MODEL_BODY_MAX)
#define READ_BYTES 16384
#define READS_A_TURN 8 /* so that a flood of bytes does not delay other probes */

/* --- the end --------------------------------------------------------------------------------------------------- */

void http_exchange_drop(struct http_exchange *x)
{
	http_conn_free(&x->conn, x->probe->env->loop);
	if (x->probe->place.of != NULL)
		places_give(&x->probe->place);
	if (x->has_reader)
		http1_deinit(&x->reader);
	x->has_reader = false;
	if (x->request.data != NULL)
		buf_deinit(&x->request);
	x->stage = HTTP_STAGE_NONE;
}

void http_exchange_stop(struct http_exchange *exchange)
{
	http_exchange_drop(exchange);
}

void http_exchange_fail(struct http_exchange *x, enum probe_reason reason, const char *detail)
{
	struct check_probe *probe = x->probe;
	(void)probe_detail(probe, "%.180s", detail);
	http_exchange_drop(x);
	probe_finish(probe, reason, probe->detail);
}

/* Send the request on another connection, unless that was done too often. */
static void retry_or_fail(struct http_exchange *x, enum probe_reason reason, const char *why)
{
	if (x->tries >= HTTP_TRIES_MAX) {
		http_exchange_fail(x, reason, why);
		return;
	}
	probe_note(x->probe, "again", "%s: on a new connection", why);
	http_exchange_drop(x);
	http_exchange_connect(x);
}

bool http_exchange_wants_http2(const struct http_exchange *x)
{
	const struct wire *wire = &x->conn->wire;
	if (x->version != MODEL_HTTP_DEFAULT || wire->ssl == NULL)
		return false;
	if (!wire->is_shaken)
		return wire_lacks_protocol(wire);
	return x->conn->h2 == NULL && x->reader.status == 0 && !wire_speaks(wire, "http/1.1");
}

void http_exchange_offer_http2(struct http_exchange *x)
{
	x->version = MODEL_HTTP_ANY;
	retry_or_fail(x, PROBE_REASON_HTTP_PROTOCOL, "the server does not take HTTP/1.1");
}

/* The connection has ended, and the reply is not complete. */
static void fail_connection(struct http_exchange *x, int error)
{
	const char *why = error != 0     ? strerrordesc_np(error)
			  : x->has_bytes ? "the connection ended within the reply"
					 : "the connection ended without a reply";
	if (http_exchange_wants_http2(x))
		http_exchange_offer_http2(x);
	else if (x->is_reused && !x->has_bytes)
		retry_or_fail(x, PROBE_REASON_RESET, "the kept connection has ended");
	else
		http_exchange_fail(x, PROBE_REASON_RESET, why);
}

static void note_status(const struct check_probe *probe, const struct http_reply *reply)
{
	probe_note(probe, "status", "HTTP/%s status %d, %zu bytes of body%s",
		   reply->version == 20   ? "2"
		   : reply->version == 11 ? "1.1"
					  : "1.0",
		   reply->status, reply->body_len, reply->is_cut ? " (the rest is not read)" : "");
}

/* Keep the connection if the check wants that and it can be used again; otherwise end it. Then report the reply. */
static void finish(struct http_exchange *x, struct http_reply *reply)
{
	struct check_probe *probe = x->probe;
	struct http_conn *conn = x->conn;
	const struct tls_peer peer = conn->peer;
	struct loop *loop = probe->env->loop;
	struct http_kept *kept = probe->env->kept;
	bool is_good = conn->h2 != NULL ? http2_can_be_kept(conn->h2) : http1_can_be_kept(&x->reader);
	bool is_kept = is_good && probe->check->keeps_connection;
	reply->peer = &peer;
	note_status(probe, reply);
	x->stage = HTTP_STAGE_NONE;
	x->conn = NULL;
	if (probe->place.of != NULL)
		places_give(&probe->place);
	loop_unwatch(loop, conn->wire.fd);
	/*
	 * A reply of HTTP/2 belongs to the connection, which must therefore stay until the reply was handled; a
	 * redirect may need an HTTP/1 connection again at once.
	 */
	if (is_kept && conn->h2 == NULL) {
		http_kept_put(kept, conn);
		conn = NULL;
	}
	x->done(probe, reply);
	if (conn != NULL && is_kept)
		http_kept_put(kept, conn);
	else
		http_conn_free(&conn, loop);
}

/* --- what has come --------------------------------------------------------------------------------------------- */

static void settle_http1(struct http_exchange *x)
{
	const struct http1_reader *reader = &x->reader;
	struct http_reply reply = {.status = reader->status,
				   .version = reader->version,
				   .body = reader->body.data,
				   .body_len = reader->body.len,
				   .is_cut = reader->state == HTTP1_CUT,
				   .location = reader->location.len > 0 ? reader->location.data : NULL};
	switch (reader->state) {
	case HTTP1_MORE:
		return;
	case HTTP1_DONE:
	case HTTP1_CUT:
		finish(x, &reply);
		return;
	case HTTP1_BAD:
		if (http_exchange_wants_http2(x))
			http_exchange_offer_http2(x);
		else
			http_exchange_fail(x, PROBE_REASON_HTTP_PROTOCOL, reader->error);
		return;
	}
}

static const char *field(const struct http2_reply *reply, enum http2_field which)
{
	return reply->has_field[which] ? reply->fields[which].data : NULL;
}

static void settle_http2(struct http_exchange *x)
{
	const struct http2_reply *came = http2_reply(x->conn->h2);
	struct http_reply reply = {.status = came->status,
				   .version = 20,
				   .body = came->body.data,
				   .body_len = came->body.len,
				   .is_cut = came->state == HTTP2_CUT,
				   .location = field(came, HTTP2_LOCATION),
				   .content_type = field(came, HTTP2_CONTENT_TYPE),
				   .grpc_status = field(came, HTTP2_GRPC_STATUS),
				   .grpc_message = field(came, HTTP2_GRPC_MESSAGE)};
	(void)snprintf(x->error, sizeof x->error, "%s", came->error);
	switch (came->state) {
	case HTTP2_MORE:
		return;
	case HTTP2_DONE:
	case HTTP2_CUT:
		finish(x, &reply);
		return;
	case HTTP2_RETRY:
		retry_or_fail(x, PROBE_REASON_HTTP_PROTOCOL, x->error);
		return;
	case HTTP2_FALL_BACK:
		if (x->version == MODEL_HTTP_2) {
			http_exchange_fail(x, PROBE_REASON_HTTP_PROTOCOL, x->error);
			return;
		}
		x->version = MODEL_HTTP_1_1;
		retry_or_fail(x, PROBE_REASON_HTTP_PROTOCOL, x->error);
		return;
	case HTTP2_BROKEN:
		fail_connection(x, 0);
		return;
	case HTTP2_BAD:
		http_exchange_fail(x, PROBE_REASON_HTTP_PROTOCOL, x->error);
		return;
	}
}

static bool is_settled(const struct http_exchange *x)
{
	return x->conn->h2 != NULL ? http2_reply(x->conn->h2)->state != HTTP2_MORE : x->reader.state != HTTP1_MORE;
}

static void settle(struct http_exchange *x)
{
	if (x->conn->h2 != NULL)
		settle_http2(x);
	else
		settle_http1(x);
}

static void feed(struct http_exchange *x, const char *data, size_t len)
{
	if (x->conn->h2 == NULL) {
		x->has_bytes = true;
		(void)http1_feed(&x->reader, data, len);
	} else {
		http2_feed(x->conn->h2, data, len);
		x->has_bytes = http2_reply(x->conn->h2)->status != 0;
	}
	if (x->probe->timing.first_byte_us >= 0 || !x->has_bytes)
		return;
	x->probe->timing.first_byte_us = probe_now_us(x->probe);
	x->probe->doing = "while reading the reply";
}

/* --- talking --------------------------------------------------------------------------------------------------- */

bool http_exchange_watch(struct http_exchange *x, unsigned events)
{
	if (x->watched == events)
		return true;
	x->watched = events;
	if (loop_watch(x->probe->env->loop, x->conn->wire.fd, events, http_exchange_on_ready, x) == VEER_OK)
		return true;
	struct check_probe *probe = x->probe;
	http_exchange_drop(x);
	probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(VEER_ENOMEM));
	return false;
}

static void pending(struct http_exchange *x, const uint8_t **data, size_t *len)
{
	if (x->conn->h2 != NULL) {
		http2_pending(x->conn->h2, data, len);
		return;
	}
	*data = (const uint8_t *)x->request.data + x->sent;
	*len = x->request.len - x->sent;
}

/*
 * Send what can be sent. Returns the events to wait for, 0 when everything was sent; `has_said`: there was something to
 * send. When the other side does not read any more, what it has replied until then is still read.
 */
static unsigned say(struct http_exchange *x, bool *has_said)
{
	for (;;) {
		const uint8_t *data = NULL;
		size_t len = 0;
		size_t put = 0;
		pending(x, &data, &len);
		if (len == 0)
			return 0;
		*has_said = true;
		enum wire_state state = wire_write(&x->conn->wire, data, len, &put);
		if (state == WIRE_WAIT_WRITE)
			return LOOP_WRITE;
		if (state == WIRE_WAIT_READ)
			return LOOP_READ;
		put = state == WIRE_OK ? put : len;
		if (x->conn->h2 != NULL)
			http2_sent(x->conn->h2, put);
		else
			x->sent += put;
	}
}

static void on_end(struct http_exchange *x, enum wire_state state)
{
	int error = state == WIRE_FAILED ? x->conn->wire.error : 0;
	if (x->conn->h2 != NULL) {
		http2_end(x->conn->h2);
		settle(x);
	} else if (error == 0 && http1_end(&x->reader) == HTTP1_DONE) {
		settle(x);
	} else {
		fail_connection(x, x->has_bytes ? 0 : error);
	}
}

void http_exchange_talk(struct http_exchange *x)
{
	char data[READ_BYTES];
	for (int i = 0; i < READS_A_TURN; i++) {
		size_t got = 0;
		bool has_said = false;
		unsigned events = say(x, &has_said) | (unsigned)LOOP_READ;
		if (is_settled(x)) {
			settle(x);
			return;
		}
		if (has_said && i == 0 && !wire_has_more(&x->conn->wire)) { /* the reply is not expected at once */
			(void)http_exchange_watch(x, events);
			return;
		}
		enum wire_state state = wire_read(&x->conn->wire, data, sizeof data, &got);
		if (state == WIRE_WAIT_READ || state == WIRE_WAIT_WRITE) {
			(void)http_exchange_watch(x, events | (state == WIRE_WAIT_WRITE ? (unsigned)LOOP_WRITE : 0));
			return;
		}
		if (state != WIRE_OK) {
			on_end(x, state);
			return;
		}
		feed(x, data, got);
		if (is_settled(x)) {
			settle(x);
			return;
		}
	}
	/*
	 * Bytes that TLS has already read do not make the socket readable, so come back as soon as it can be written.
	 */
	(void)http_exchange_watch(x, LOOP_READ | LOOP_WRITE);
}

bool http_exchange_ask(struct http_exchange *x, bool is_http2)
{
	struct check_probe *probe = x->probe;
	struct http_ask ask = {.method = "GET"};
	enum veer_err err = VEER_OK;
	x->describe(probe, &ask);
	x->tries++;
	x->has_bytes = false;
	probe->doing = "while waiting for the reply";
	if (is_http2 && x->conn->h2 == NULL)
		x->conn->h2 = http2_new();
	if (is_http2) {
		err = x->conn->h2 != NULL ? http2_ask(x->conn->h2, &ask, CHECK_BODY_MAX_BYTES) : VEER_ENOMEM;
	} else {
		http1_init(&x->reader, strcmp(ask.method, "HEAD") == 0, CHECK_BODY_MAX_BYTES);
		x->has_reader = true;
		buf_init(&x->request, REQUEST_MAX_BYTES);
		http_ask_write(&ask, &x->request);
		x->sent = 0;
		err = x->request.failed ? VEER_ENOMEM : VEER_OK;
	}
	x->stage = HTTP_STAGE_TALK;
	if (err == VEER_OK)
		return true;
	http_exchange_drop(x);
	probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(err));
	return false;
}
