/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet in, at most one packet out: parse, admit, look up, encode, count. What a transport calls: respond(), or
 * for a batch its three parts, so that the memory which one query needs is fetched while others are worked on.
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
#define RESPOND_TCP_IDLE_MS 10000 /* a connection without a query is closed; replies say so (RFC 7828) */

/* What replies carry beside answers. The same for all workers; zero: nothing. */
struct responder_config {
	struct cookie_secrets secrets;
	struct limit *limit; /* of replies over UDP; NULL: none. Borrowed, shared by all workers */
	uint8_t nsid_len;    /* 0: none */
	uint8_t nsid[RESPOND_NSID_MAX];
};

/* One query under way. Refers to the packet and the plan, which must stay. Need not be zeroed. */
struct request {
	enum query_verdict verdict;
	enum dns_rcode rcode; /* for QUERY_REPLY */
	bool is_tcp;
	bool is_slip;    /* over the limit: the reply is QUERY_REPLY, and truncated */
	uint64_t prefix; /* whose limit the reply counts for (prefix_of()); 0: nobody's */
	struct client client;
	struct query query;
	struct lookup_start start; /* for QUERY_ANSWER */
};

/* A worker's scratch. About 10 KiB; reused for every packet. */
struct responder {
	struct counters counters;
	struct responder_config config; /* the worker's copy */
	uint32_t now_s;                 /* seconds since 1970, as the worker last looked: for cookies */
	int64_t now_ms;                 /* monotonic, as the worker last looked: for the limit */
	int64_t taken_ns;               /* when the worker took the present queries up */
	uint64_t answered;              /* replies since then */
	unsigned limited;               /* queries over the limit, to let every so many of them slip */
	int64_t wall_offset_ns;         /* what makes taken_ns the time since 1970 */
	struct tap_port *tap;           /* NULL: nobody looks */
	uint32_t zone_limit;            /* zones with smaller numbers are counted */
	_Atomic uint64_t *zone_counts;  /* queries by the number of their zone; the worker's */
	uint64_t random;                /* state of the generator of random bits */
	struct request request;         /* of respond() */
	struct answer answer;
};

/* Seeds the random bits from the kernel; the config is empty. Errors: VEER_EIO. */
VEER_MUST_CHECK enum veer_err responder_init(struct responder *r);

/* Parse `packet` and begin. False: it gets no reply, and `request` is void. */
bool respond_begin(struct responder *r, const struct plan *plan, const uint8_t *packet, size_t len,
		   const struct client *client, bool is_tcp, struct request *request);
/* Fetch some of the memory that the request will need; false when that is done. */
bool respond_step(struct request *request);
/* Reply, as respond() does. The plan is the one that it began with. */
size_t respond_end(struct responder *r, const struct plan *plan, struct request *request, uint8_t *out,
		   size_t out_size);

/* The replies made since `taken_ns` are with the kernel: count how long they took, all alike. Then begins the next
 * time. */
void respond_sent(struct responder *r, bool is_tcp);

/*
 * Answer `packet` from `plan` (not NULL) into `out` of `out_size` bytes: at least EDNS_UDP_SIZE for UDP, ENCODE_MAX for
 * TCP. Returns the reply's length; 0 for no reply.
 */
size_t respond(struct responder *r, const struct plan *plan, const uint8_t *packet, size_t len,
	       const struct client *client, bool is_tcp, uint8_t *out, size_t out_size);

#endif
