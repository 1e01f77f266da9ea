/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker counts: requests by transport, family and type, responses by RCODE, sizes, times, drops by reason, and
 * what happens to connections. All counters of a worker are in one array of its own, which shares no cache line with
 * other workers.
 *
 * Threads: only the worker that owns the counters writes them; any thread may read them (relaxed).
 */
#ifndef VEER_DNSD_PACKET_COUNT_H
#define VEER_DNSD_PACKET_COUNT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_CACHE_LINE 64
#define COUNT_TYPES 32  /* types that are counted by name, with "other" and "none" */
#define COUNT_RCODES 24 /* 0 to BADCOOKIE */
#define COUNT_SIZES 11  /* up to 64, 128, 256, ... 65,536 octets */
#define COUNT_TIMES 16  /* up to 4,096, 8,192, 16,384, ... ns, and longer ones */
#define COUNT_PROTOS 2  /* UDP, TCP */

/* Why a packet got no reply. */
enum count_drop {
	COUNT_DROP_SHORT,    /* no whole header */
	COUNT_DROP_RESPONSE, /* QR is set */
	COUNT_DROP_SOURCE,   /* from a port or an address that cannot be replied to */
	COUNT_DROP_SEND,     /* the kernel did not take the reply */
	COUNT_DROP_LIMIT,    /* its prefix is over the limit of replies */
	COUNT_DROPS
};

/* Why a connection ended: each one for exactly one reason. */
enum count_close {
	COUNT_CLOSE_CLIENT,  /* the client closed it after it had taken all replies */
	COUNT_CLOSE_RESET,   /* it was reset, or closed before a reply was taken */
	COUNT_CLOSE_IDLE,    /* no query for RESPOND_TCP_IDLE_MS */
	COUNT_CLOSE_QUERY,   /* a query was not complete in time: a slow writer */
	COUNT_CLOSE_REPLY,   /* a reply was not taken in time: a slow reader */
	COUNT_CLOSE_FULL,    /* it was idle longest when the table was full or descriptors ran out */
	COUNT_CLOSE_PREFIX,  /* it was idle longest among those of a prefix that had used up its share */
	COUNT_CLOSE_INVALID, /* a message that is too long, or one that would be dropped over UDP without a reply */
	COUNT_CLOSE_FAILED,  /* the system refused memory or a watch */
	COUNT_CLOSE_HANDED,  /* another process took it over */
	COUNT_CLOSE_STOP,    /* the worker ends */
	COUNT_CLOSES
};

/* Places in the array of counters; requests begin at 0, at count_request(). */
enum {
	COUNT_RESPONSES = 4 * COUNT_TYPES,                  /* + RCODE */
	COUNT_DROPPED = COUNT_RESPONSES + COUNT_RCODES,     /* + enum count_drop */
	COUNT_TRUNCATED = COUNT_DROPPED + (int)COUNT_DROPS, /* replies with TC */
	COUNT_COOKIE_GOOD,                                  /* queries with a good server cookie */
	COUNT_COOKIE_BAD,                                   /* queries with a server cookie that is not good */
	COUNT_COOKIE_NEW,                                   /* queries with a client cookie only */
	COUNT_SLIPPED,                                      /* replies truncated because of the limit */
	COUNT_TCP_ACCEPTED,
	COUNT_TCP_NO_DESCRIPTOR, /* how often accepting was postponed for lack of descriptors or memory */
	COUNT_WAITS_FAILED,      /* how often the kernel refused to wait, and all sockets were tried instead */
	COUNT_TCP_CLOSED,        /* + enum count_close */
	COUNT_REQUEST_SIZES = COUNT_TCP_CLOSED + (int)COUNT_CLOSES, /* count_request_size() */
	COUNT_RESPONSE_SIZES = COUNT_REQUEST_SIZES + COUNT_PROTOS * COUNT_SIZES,
	COUNT_TIME_BUCKETS = COUNT_RESPONSE_SIZES + COUNT_PROTOS * COUNT_SIZES, /* count_time() */
	COUNT_REQUEST_OCTETS = COUNT_TIME_BUCKETS + COUNT_PROTOS * COUNT_TIMES, /* + proto */
	COUNT_RESPONSE_OCTETS = COUNT_REQUEST_OCTETS + COUNT_PROTOS,
	COUNT_TIME_NS = COUNT_RESPONSE_OCTETS + COUNT_PROTOS,
	COUNT_ALL = COUNT_TIME_NS + COUNT_PROTOS
};

struct counters {
	alignas(COUNT_CACHE_LINE) _Atomic uint64_t values[COUNT_ALL];
};

/* Sums of the counters. */
struct count_totals {
	uint64_t values[COUNT_ALL];
};

/* What the kernel dropped at our sockets since they were opened. */
struct kernel_drops {
	uint64_t udp; /* datagrams, mostly for lack of room in the receive buffer */
	uint64_t tcp; /* connections, because too many waited to be accepted */
};

/* The place of a type among the counted ones. `has_question` is false for queries without a question. */
unsigned count_type(bool has_question, uint16_t qtype);
/* The name of that place: "A", "other", "none"; NULL when there is no such place. Static storage. */
const char *count_type_name(unsigned index);

/* The counter of requests. `type` comes from count_type(). */
static inline unsigned count_request(bool is_tcp, bool is_ipv6, unsigned type)
{
	return ((is_tcp ? 2U : 0U) + (is_ipv6 ? 1U : 0U)) * COUNT_TYPES + type;
}

/*
 * The index of the least power of two, from 2^first on, that is not below `value`: 0 for 2^first, and at most `last`.
 */
static inline unsigned count_power(uint64_t value, unsigned first, unsigned last)
{
	if (value <= UINT64_C(1) << first)
		return 0;
	unsigned power = 64 - (unsigned)__builtin_clzll(value - 1) - first;
	return power < last ? power : last;
}

/* The counter for a query's size in octets (at most 65,535). */
static inline unsigned count_request_size(bool is_tcp, size_t octets)
{
	return COUNT_REQUEST_SIZES + (is_tcp ? (unsigned)COUNT_SIZES : 0U) + count_power(octets, 6, COUNT_SIZES - 1);
}

/* The counter for a reply's size. */
static inline unsigned count_response_size(bool is_tcp, size_t octets)
{
	return COUNT_RESPONSE_SIZES + (is_tcp ? (unsigned)COUNT_SIZES : 0U) + count_power(octets, 6, COUNT_SIZES - 1);
}

/* The counter for a time; the last bucket has no upper bound. */
static inline unsigned count_time(bool is_tcp, uint64_t ns)
{
	return COUNT_TIME_BUCKETS + (is_tcp ? (unsigned)COUNT_TIMES : 0U) + count_power(ns, 12, COUNT_TIMES - 1);
}

/* Add to a counter of the calling worker. */
static inline void count_add_n(struct counters *c, unsigned at, uint64_t n)
{
	/* there is only one writer, so no read-modify-write instruction is needed */
	uint64_t value = atomic_load_explicit(&c->values[at], memory_order_relaxed);
	atomic_store_explicit(&c->values[at], value + n, memory_order_relaxed);
}

/* Add one. */
static inline void count_add(struct counters *c, unsigned at)
{
	count_add_n(c, at, 1);
}

/* Add all of a worker's counters to `out`. */
void count_sum(const struct counters *c, struct count_totals *out);

/* All requests, over all transports and types. */
uint64_t count_requests(const struct count_totals *totals);

#endif
