/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet in, at most one packet out: parse, admit, look up, encode, count. A transport calls respond(), or for a
 * batch its three parts, so that the memory that one query needs is fetched while others are being processed.
 *
 * Threads: a responder belongs to one worker; its counters may be read by any thread.
 */
#ifndef VEER_DNSD_PACKET_RESPOND_H
#define VEER_DNSD_PACKET_RESPOND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "dnsd/packet/count.h"
#include "dnsd/packet/encode.h"
#include "dnsd/packet/limit.h"
#include "dnsd/packet/lookup.h"
#include "dnsd/packet/tap_port.h"

#define RESPOND_NSID_MAX 64       /* octets */
#define RESPOND_TCP_IDLE_MS 10000 /* a connection without a query is closed then; replies say so (RFC 7828) */

/* What replies contain beside answers. The same for all workers; zero: nothing. */
struct responder_config {
	struct cookie_secrets secrets;
	struct limit *limit; /* limit of replies over UDP; NULL: no limit. Borrowed, shared by all workers */
	uint8_t nsid_len;    /* 0: none */
	uint8_t nsid[RESPOND_NSID_MAX];
};

/* One query in progress. It refers to the packet and the plan, which must stay valid. Need not be zeroed. */
struct request {
	enum query_verdict verdict;
	enum dns_rcode rcode; /* for QUERY_REPLY */
	bool is_tcp;
	bool is_slip;    /* the query is over the limit: it gets a truncated QUERY_REPLY */
	uint64_t prefix; /* the prefix whose limit the reply counts for (prefix_of()); 0: none */
	struct client client;
	struct query query;
	struct lookup_start start; /* for QUERY_ANSWER */
};

/* A worker's scratch memory, about 10 KiB; reused for every packet. */
struct responder {
	struct counters counters;
	struct responder_config config; /* the worker's copy */
	uint32_t now_s;                 /* seconds since 1970 when the worker last read the clock: for cookies */
	int64_t now_ms;                 /* monotonic time when the worker last read the clock: for the limit */
	int64_t taken_ns;               /* when the worker took up the present queries */
	uint64_t answered;              /* replies since then */
	unsigned limited;               /* queries over the limit, counted to let every slip-th one through */
	int64_t wall_offset_ns;         /* added to taken_ns it gives the time since 1970 */
	struct tap_port *tap;           /* NULL: queries are not sampled */
	uint32_t zone_limit;            /* only zones with smaller numbers are counted */
	_Atomic uint64_t *zone_counts;  /* queries by the number of their zone; the worker's */
	uint64_t random;                /* state of the generator of random bits */
	struct request request;         /* used by respond() */
	struct answer answer;
};

/* Initialise: the random bits are seeded from the kernel, and the config is empty. Errors: VEER_EIO. */
VEER_MUST_CHECK enum veer_err responder_init(struct responder *r);

/* Parse `packet` and begin a request. False: the packet gets no reply, and `request` must not be used. */
bool respond_begin(struct responder *r, const struct plan *plan, const uint8_t *packet, size_t len,
		   const struct client *client, bool is_tcp, struct request *request);
/* Fetch some of the memory that the request will need; false when that is done. */
bool respond_step(struct request *request);
/* Reply, as respond() does. The plan must be the one that the request began with. */
size_t respond_end(struct responder *r, const struct plan *plan, struct request *request, uint8_t *out,
		   size_t out_size);

/*
 * The replies made since `taken_ns` were handed to the kernel: count the same time for all of them. Then the next
 * period begins.
 */
void respond_sent(struct responder *r, bool is_tcp);

/*
 * Answer `packet` from `plan` (not NULL) into `out` of `out_size` bytes: at least EDNS_UDP_SIZE for UDP, ENCODE_MAX for
 * TCP. Returns the reply's length; 0 for no reply.
 */
size_t respond(struct responder *r, const struct plan *plan, const uint8_t *packet, size_t len,
	       const struct client *client, bool is_tcp, uint8_t *out, size_t out_size);

#endif
