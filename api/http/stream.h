/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies that do not end: the feed, an agent's assignments. The server pulls bytes when the socket takes them and
 * parks the connection when there are none; whoever has news wakes it.
 */
#ifndef VEER_API_HTTP_STREAM_H
#define VEER_API_HTTP_STREAM_H

#include <stddef.h>
#include <sys/types.h>

/* A parked or sending connection, as its source sees it. Valid from `open` until `close`. */
struct api_stream;

/* What `pull` returns when the reply cannot be finished. */
#define API_STREAM_BROKEN (-2)

/*
 * Where the bytes come from. The server calls `open` once before the first `pull`, `pull` from its own threads (one at
 * a time for each stream), and `close` exactly once at the end, whatever happened; `close` frees the source.
 */
struct api_stream_source {
	void (*open)(struct api_stream_source *self, struct api_stream *stream);
	/*
	 * Write up to `size` bytes into `out` and return how many; 0: nothing now, wake me; -1: the reply ends here;
	 * API_STREAM_BROKEN: it cannot go on, and the client must see that it is not whole. Must not block.
	 */
	ssize_t (*pull)(struct api_stream_source *self, char *out, size_t size);
	void (*close)(struct api_stream_source *self);
};

/* May be called from any thread, between open and close: there may be something to pull. Never calls the source. */
void api_stream_wake(struct api_stream *stream);

#endif
