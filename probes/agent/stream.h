/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's end of the stream of assignments: connects, reads lines, and when the stream ends or becomes silent,
 * tries the next control plane, with growing pauses.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_STREAM_H
#define VEER_PROBES_AGENT_STREAM_H

#include "base/log.h"
#include "base/loop.h"
#include "base/node/link.h"
#include "probes/verdict/assign.h"

struct stream;

/*
 * Called for each line. `line` (of `len` bytes, no newline) is borrowed for the call; the receiver takes `arena`, in
 * which the message lives.
 */
typedef void stream_message_fn(void *ctx, const struct assign_message *message, const char *line, size_t len,
			       struct arena *arena);

/* Called when the control plane refuses our credential, which is nevertheless tried again. May not free the stream. */
typedef void stream_refused_fn(void *ctx);

/* Make a stream, which is not started. `loop`, `link` and `log` are borrowed. NULL when memory is out. */
struct stream *stream_new(struct loop *loop, const struct link *link, struct logger *log, stream_message_fn *fn,
			  stream_refused_fn *refused, void *ctx);
void stream_free(struct stream **stream);

/* Connect now; called again after the link has changed. */
void stream_start(struct stream *stream);

#endif
