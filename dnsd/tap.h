/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries and their replies to the outside: a query log and dnstap. A worker copies those that are sampled into a ring
 * of its own (dnsd/tap_ring.h); a thread empties the rings, and has all the trouble with disks, pipes and collectors.
 *
 * Threads: tap_new(), tap_free(), tap_reopen() and tap_stats_read() from the control thread; tap_query() from the
 * worker that the port belongs to.
 */
#ifndef VEER_DNSD_TAP_H
#define VEER_DNSD_TAP_H

#include "base/log.h"
#include "dnsd/tap_ring.h"

enum tap_output { TAP_QUERY_LOG, TAP_DNSTAP, TAP_OUTPUTS };

struct tap_options {
	const char *query_log; /* a file, "-" for standard output, or NULL: none */
	enum log_format format;
	const char *dnstap;          /* "unix:PATH", or NULL: none */
	const char *identity;        /* of this server, for dnstap */
	uint32_t every[TAP_OUTPUTS]; /* one query of so many, on average; at least 1 */
};

/* A worker's end. */
struct tap_port {
	struct tap_ring *ring;
	uint32_t every[TAP_OUTPUTS]; /* 0: not at all */
	uint64_t left[TAP_OUTPUTS];  /* queries until the next one */
	uint64_t random;             /* state of the generator that spreads them */
};

/* An answered query, as the worker has it. Borrowed for the call. */
struct tap_query {
	int64_t time_ns; /* since 1970 */
	const struct lookup_client *client;
	bool is_tcp;
	unsigned rcode;
	const uint8_t *query;
	size_t query_len;
	const uint8_t *reply;
	size_t reply_len;
};

struct tap;

/*
 * Open the outputs, and start the thread. A query log that cannot be opened now is tried again. `log` is borrowed.
 * Errors: with the reason in the diag: VEER_EUNSUPPORTED (dnstap, in a build without it), VEER_EINVAL, VEER_ENOMEM.
 */
enum veer_err tap_new(const struct tap_options *options, unsigned workers, struct logger *log, struct tap **out,
		      struct veer_diag *diag);
/* Writes down what is in the rings, as far as that goes within a second or so. When no worker runs any more. */
void tap_free(struct tap **tap);

/* The end of worker `index`; borrowed. */
struct tap_port *tap_port(struct tap *tap, unsigned index);

/* One query more: copied if it is sampled, and if there is room. */
void tap_offer(struct tap_port *port, const struct tap_query *query);

/* The query log's file was moved away: begin a new one (logrotate). */
void tap_reopen(struct tap *tap);

struct tap_stats {
	uint64_t written[TAP_OUTPUTS]; /* lines, frames */
	uint64_t lost[TAP_OUTPUTS];    /* full disk, a pipe that nobody reads, no collector */
	uint64_t ring_lost;            /* no room in a ring */
	bool is_query_log_broken;      /* the last try to open or to write it failed */
};
/* What became of the queries so far. From any thread. */
void tap_stats_read(const struct tap *tap, struct tap_stats *out);

#endif
