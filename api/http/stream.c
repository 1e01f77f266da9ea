/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams over libmicrohttpd: a content reader that parks its connection when there is nothing to send. The news flag
 * closes the gap between "nothing there" and "parked": a wake-up in between makes the reader look again.
 */
#include "api/http/stream.h"

#include <stdlib.h>

#include "api/http/connection.h"

enum { STREAM_BLOCK_BYTES = 16384 };

void api_stream_wake(struct api_stream *stream)
{
	(void)pthread_mutex_lock(&stream->lock);
	stream->has_news = true;
	if (stream->is_suspended) {
		stream->is_suspended = false;
		MHD_resume_connection(stream->connection);
	}
	(void)pthread_mutex_unlock(&stream->lock);
}

/* Note that all news so far will be looked at now. False when the stream must end. */
static bool begin_look(struct api_stream *stream)
{
	(void)pthread_mutex_lock(&stream->lock);
	stream->has_news = false;
	bool goes_on = !stream->is_ended && !atomic_load(&stream->server->is_ending);
	(void)pthread_mutex_unlock(&stream->lock);
	return goes_on;
}

/* Park the connection unless news has arrived meanwhile. True when parked. */
static bool park(struct api_stream *stream)
{
	(void)pthread_mutex_lock(&stream->lock);
	bool is_parked = !stream->has_news && !stream->is_ended;
	if (is_parked) {
		stream->is_suspended = true;
		MHD_suspend_connection(stream->connection);
	}
	(void)pthread_mutex_unlock(&stream->lock);
	return is_parked;
}

static ssize_t read_content(void *ctx, uint64_t pos, char *out, size_t size)
{
	struct api_stream *stream = ctx;
	(void)pos;
	while (begin_look(stream)) {
		ssize_t len = stream->source->pull(stream->source, out, size);
		if (len < 0)
			return len == API_STREAM_BROKEN ? MHD_CONTENT_READER_END_WITH_ERROR
							: MHD_CONTENT_READER_END_OF_STREAM;
		if (len > 0)
			return len;
		if (park(stream))
			return 0;
	}
	return MHD_CONTENT_READER_END_OF_STREAM;
}

static void free_content(void *ctx)
{
	struct api_stream *stream = ctx;
	(void)pthread_mutex_lock(&stream->server->connections_lock);
	stream->peer->stream = NULL;
	(void)pthread_mutex_unlock(&stream->server->connections_lock);
	stream->source->close(stream->source);
	atomic_fetch_sub(&stream->server->stream_count, 1);
	shares_put_back(&stream->server->shares, stream->account, API_SHARE_STREAMS, 1);
	shares_give(&stream->server->shares, stream->account);
	(void)pthread_mutex_destroy(&stream->lock);
	free(stream);
}

struct MHD_Response *api_stream_response(struct api_exchange *exchange)
{
	struct api_server *server = exchange->server;
	struct api_stream *stream = calloc(1, sizeof *stream);
	if (stream == NULL)
		return NULL;
	(void)pthread_mutex_init(&stream->lock, NULL);
	stream->connection = exchange->connection;
	stream->peer = exchange->peer;
	stream->server = server;
	stream->source = exchange->reply.source;
	stream->who = exchange->request.principal;
	stream->scope = exchange->route->scope;
	struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
									  read_content, stream, free_content);
	if (response == NULL) {
		(void)pthread_mutex_destroy(&stream->lock);
		free(stream);
		return NULL;
	}
	exchange->reply.source = NULL; /* from now on free_content() closes it, and gives its share back */
	exchange->has_stream_share = false;
	stream->account = shares_hold(&server->shares, exchange->account);
	atomic_fetch_add(&server->stream_count, 1);
	(void)pthread_mutex_lock(&server->connections_lock);
	exchange->peer->stream = stream;
	(void)pthread_mutex_unlock(&server->connections_lock);
	stream->source->open(stream->source, stream);
	return response;
}
