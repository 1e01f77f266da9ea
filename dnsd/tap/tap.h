/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of queries and their replies: a query log and dnstap. A worker copies sampled queries into a ring of its own
 * (tap_port.h). A thread empties the rings, so that only this thread is affected by slow disks, pipes and collectors.
 *
 * Threads: the control thread.
 */
#ifndef VEER_DNSD_TAP_TAP_H
#define VEER_DNSD_TAP_TAP_H

#include "base/err.h"
#include "base/log.h"
#include "dnsd/packet/tap_port.h"

struct tap_options {
	const char *query_log; /* a file, "-" for standard output, or NULL: none */
	enum log_format format;
	const char *dnstap;          /* "unix:PATH", or NULL: none */
	const char *identity;        /* of this server, for dnstap */
	uint32_t every[TAP_OUTPUTS]; /* one of so many queries is sampled, on average; at least 1 */
};

struct tap;

/*
 * Open the outputs, and start the thread. A query log that cannot be opened now is tried again. `log` is borrowed.
 * Errors: with the reason in the diag: VEER_EUNSUPPORTED (dnstap, in a build without it), VEER_EINVAL, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err tap_new(const struct tap_options *options, unsigned workers, struct logger *log,
				      struct tap **out, struct veer_diag *diag);
/*
 * Write out what is in the rings, as far as possible within about a second, and free everything. Call this when no
 * worker runs any more.
 */
void tap_free(struct tap **tap);

/* The port of worker `index`; borrowed. */
struct tap_port *tap_port(struct tap *tap, unsigned index);

/* The query log's file was moved away: begin a new one (logrotate). */
void tap_reopen(struct tap *tap);

struct tap_stats {
	uint64_t written[TAP_OUTPUTS]; /* lines, frames */
	uint64_t lost[TAP_OUTPUTS];    /* lost to a full disk, a pipe that nobody reads, or a missing collector */
	uint64_t ring_lost;            /* lost because there was no room in a ring */
	bool is_query_log_broken;      /* the last attempt to open or write it failed */
};
/* What became of the queries so far. From any thread. */
void tap_stats_read(const struct tap *tap, struct tap_stats *out);

#endif
