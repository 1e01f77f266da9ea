/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define STREAM_PATH "/v1/agents/self/assignments"
#define SILENCE_MS 5000 /* a heartbeat comes every second */
#define LINE_ARENA_BYTES ((size_t)256 * 1024 * 1024)

struct stream {
	struct loop *loop;
	const struct link *link;
	struct logger *log;
	stream_message_fn *fn;
	stream_refused_fn *refused;
	void *ctx;
	struct http_request *request; /* NULL between tries */
	struct loop_timer retry;
	struct backoff backoff;
	struct buf line; /* the present line, as far as it has come */
	uint32_t url;    /* index of the URL in use, or to try next */
	bool is_connected;
	bool was_complaining; /* the failure in progress was logged already, … */
	int complained_of;    /* … with this status */
	char broken[128];     /* why we ended the connection ourselves; "": we did not */
};

static void connect_now(void *ctx);

static void retry_later(struct stream *stream)
{
	stream->url = (stream->url + 1) % stream->link->url_count;
	(void)loop_timer_set(stream->loop, &stream->retry, backoff_next_ms(&stream->backoff), connect_now, stream);
}

static const char *reason_of(const struct stream *stream, const struct http_result *result, char *out, size_t size)
{
	if (stream->broken[0] != '\0')
		return stream->broken;
	if (result->err == VEER_OK && result->status == 200)
		return "the stream ended";
	link_why(result, out, size);
	return out;
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct stream *stream = ctx;
	char text[512];
	const char *reason = reason_of(stream, result, text, sizeof text);
	stream->request = NULL;
	if (!stream->was_complaining || stream->is_connected || result->status != stream->complained_of)
		log_warn(stream->log, "no assignments", LOG_STR("api", stream->link->urls[stream->url]),
			 LOG_STR("reason", reason), LOG_INT("status", result->status));
	stream->was_complaining = true;
	stream->complained_of = result->status;
	stream->is_connected = false;
	retry_later(stream);
	if (result->status == 401)
		stream->refused(stream->ctx);
}

static bool give_up(struct stream *stream, const char *what, const char *why)
{
	(void)snprintf(stream->broken, sizeof stream->broken, "%s: %s", what, why);
	return false;
}

static bool take_line(struct stream *stream, const char *line, size_t len)
{
	struct assign_message message;
	struct veer_diag diag = {""};
	struct arena *arena = arena_new(LINE_ARENA_BYTES);
	if (arena == NULL)
		return give_up(stream, "a line", veer_err_text(VEER_ENOMEM));
	if (assign_line_parse(line, len, arena, &message, &diag) != VEER_OK) {
		arena_free(&arena);
		return give_up(stream, "a line that cannot be read", diag.text);
	}
	if (!stream->is_connected && message.kind != ASSIGN_LINE_HELLO) {
		arena_free(&arena);
		return give_up(stream, "the stream", "does not begin with hello");
	}
	if (!stream->is_connected) {
		stream->is_connected = true;
		stream->was_complaining = false;
		backoff_reset(&stream->backoff);
	}
	stream->fn(stream->ctx, &message, line, len, arena);
	return true;
}

static bool on_data(void *ctx, const void *data, size_t len)
{
	struct stream *stream = ctx;
	buf_append(&stream->line, data, len);
	if (stream->line.failed)
		return give_up(stream, "a line", "too long");
	for (;;) {
		const char *end = memchr(stream->line.data, '\n', stream->line.len);
		if (end == NULL)
			return true;
		size_t line_len = (size_t)(end - stream->line.data);
		struct http_request *request = stream->request;
		if (line_len > 0 && !take_line(stream, stream->line.data, line_len))
			return false;
		if (stream->request != request)
			return false; /* the receiver has restarted the stream */
		buf_consume(&stream->line, line_len + 1);
	}
}

static void connect_now(void *ctx)
{
	struct stream *stream = ctx;
	struct veer_diag diag = {""};
	buf_reset(&stream->line);
	stream->broken[0] = '\0';
	stream->is_connected = false;
	if (stream->url >= stream->link->url_count)
		stream->url = 0;
	struct http_spec spec = link_spec(stream->link, stream->url, STREAM_PATH);
	spec.idle_timeout_ms = SILENCE_MS;
	if (http_request_start(stream->link->http, &spec, on_data, on_done, stream, &stream->request, &diag) == VEER_OK)
		return;
	log_warn(stream->log, "no assignments", LOG_STR("api", stream->link->urls[stream->url]),
		 LOG_STR("reason", diag.text));
	retry_later(stream);
}

struct stream *stream_new(struct loop *loop, const struct link *link, struct logger *log, stream_message_fn *fn,
			  stream_refused_fn *refused, void *ctx)
{
	struct stream *stream = calloc(1, sizeof *stream);
	if (stream == NULL)
		return NULL;
	*stream = (struct stream){.loop = loop, .link = link, .log = log, .fn = fn, .refused = refused, .ctx = ctx};
	buf_init(&stream->line, ASSIGN_LINE_MAX);
	return stream;
}

static void stop(struct stream *stream)
{
	loop_timer_cancel(stream->loop, &stream->retry);
	if (stream->request != NULL)
		http_request_cancel(stream->request);
	stream->request = NULL;
}

void stream_free(struct stream **stream)
{
	if (*stream == NULL)
		return;
	stop(*stream);
	buf_deinit(&(*stream)->line);
	free(*stream);
	*stream = NULL;
}

void stream_start(struct stream *stream)
{
	stop(stream);
	backoff_reset(&stream->backoff);
	(void)loop_timer_set(stream->loop, &stream->retry, 0, connect_now, stream);
}
