/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's end of the stream of assignments: connects, reads lines, and when the stream ends or goes silent tries
 * the next control plane, waiting longer each time.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_STREAM_H
#define VEER_PROBES_AGENT_STREAM_H

#include "base/log.h"
#include "base/loop.h"
#include "base/node/link.h"
#include "probes/verdict/assign.h"

struct stream;

/*
 * One line came. `line` (of `len` bytes, no newline) is borrowed for the call; `arena`, in which the message lives,
 * is the receiver's from now on.
 */
typedef void stream_message_fn(void *ctx, const struct assign_message *message, const char *line, size_t len,
			       struct arena *arena);

/* The control plane does not take our credential; it is tried again all the same. May not free the stream. */
typedef void stream_refused_fn(void *ctx);

/* A stream that has not started. `loop`, `link` and `log` are borrowed. NULL when memory is out. */
struct stream *stream_new(struct loop *loop, const struct link *link, struct logger *log, stream_message_fn *fn,
			  stream_refused_fn *refused, void *ctx);
void stream_free(struct stream **stream);

/* Connect now, or again: after the link has changed. */
void stream_start(struct stream *stream);

#endif
