/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query log: a line for each query that was sampled, `key=value` or JSON. Nothing here blocks: what a pipe does not
 * accept now is buffered up to QUERY_LOG_BUFFER bytes, and beyond that lost and counted; what a full disk does not
 * accept is lost at once.
 *
 * Threads: one, that of the tap; query_log_stats() from any.
 */
#ifndef VEER_DNSD_TAP_QUERY_LOG_H
#define VEER_DNSD_TAP_QUERY_LOG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "dnsd/packet/tap_ring.h"

#define QUERY_LOG_BUFFER (256u << 10)

struct query_log;

/*
 * Append to the file at `path` (made with mode 0640), or to standard output for "-". A pipe that nobody reads yet and a
 * file that cannot be opened are tried again every second; the latter is logged. `log` is borrowed. Errors:
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err query_log_open(const char *path, enum log_format format, struct logger *log,
					     struct query_log **out, struct veer_diag *diag);
/* Write what can be written at once, and free the query log. */
void query_log_free(struct query_log **query_log);

/* Add the line for a query, whose message is `query`. Writes to the file when the buffer is full. */
void query_log_add(struct query_log *query_log, const struct tap_record *record, const uint8_t *query);
/* Write what can be written now. */
void query_log_flush(struct query_log *query_log);
/* Open the path again, because it may lead to another file now. */
void query_log_reopen(struct query_log *query_log);

/* Did the last attempt to open or write the file fail? From any thread. */
bool query_log_is_broken(const struct query_log *query_log);

/* Lines written, and lines lost. */
void query_log_stats(const struct query_log *query_log, uint64_t *written, uint64_t *lost);

/* Make the line itself, without its line end; for tests. */
void query_log_line(struct buf *out, enum log_format format, const struct tap_record *record, const uint8_t *query);

#endif
