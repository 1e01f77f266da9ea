/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet in, at most one packet out: parse, look up, encode, count. What a transport calls.
 *
 * Threads: a responder belongs to one worker; its counters may be read by any thread.
 */
#ifndef VEER_DNSD_RESPOND_H
#define VEER_DNSD_RESPOND_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/encode.h"
#include "dnsd/lookup.h"

#define RESPOND_CACHE_LINE 64

/* What one worker counts since its start. Written by the worker only, read relaxed by others: no order is needed. */
struct respond_counters {
	alignas(RESPOND_CACHE_LINE) _Atomic uint64_t queries; /* packets with a whole header, over all transports */
	_Atomic uint64_t udp;                                 /* of them over UDP */
	_Atomic uint64_t tcp;                                 /* of them over TCP */
	_Atomic uint64_t noerror;
	_Atomic uint64_t nxdomain;
	_Atomic uint64_t servfail;
	_Atomic uint64_t refused;
	_Atomic uint64_t formerr;
	_Atomic uint64_t notimp;
	_Atomic uint64_t badvers;
	_Atomic uint64_t yxdomain;
	_Atomic uint64_t notauth;
	_Atomic uint64_t badcookie;
	_Atomic uint64_t truncated;      /* replies with TC */
	_Atomic uint64_t dropped_packet; /* too short, or a response: no reply */
	_Atomic uint64_t dropped_send;   /* the kernel did not take the reply */
	_Atomic uint64_t tcp_accepted;
	_Atomic uint64_t tcp_evicted; /* closed for room */
	_Atomic uint64_t tcp_expired; /* closed at a deadline */
};

#define RESPOND_NSID_MAX 64 /* octets */

/* What replies carry beside answers. The same for all workers; zero: nothing. */
struct responder_config {
	struct cookie_secrets secrets;
	uint8_t nsid_len; /* 0: none */
	uint8_t nsid[RESPOND_NSID_MAX];
};

/* A worker's scratch. About 10 KiB; reused for every packet. */
struct responder {
	struct respond_counters counters;
	struct responder_config config; /* the worker's copy */
	uint32_t now_s;                 /* seconds since 1970, as the worker last looked: for cookies */
	uint64_t random;                /* state of the generator of random bits */
	struct query query;
	struct answer answer;
};

/* Seeds the random bits from the kernel; the config is empty. Errors: VEER_EIO. */
enum veer_err responder_init(struct responder *r);

/*
 * Answer `packet` from `plan` (not NULL) into `out` of `out_size` bytes: at least EDNS_UDP_SIZE for UDP, ENCODE_MAX for
 * TCP. Returns the reply's length; 0 for no reply.
 */
size_t respond(struct responder *r, const struct plan *plan, const uint8_t *packet, size_t len,
	       const struct lookup_client *client, bool is_tcp, uint8_t *out, size_t out_size);

/* Add one to a counter of the calling worker's own. */
static inline void respond_count(_Atomic uint64_t *counter)
{
	/* one writer: no read-modify-write instruction is needed */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

#endif
