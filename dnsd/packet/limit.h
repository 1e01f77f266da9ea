/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Response rate limiting: how much may be sent over UDP to a client's prefix, so that nobody can use us to flood a
 * victim by queries with a forged source address. The unit is a reply of up to LIMIT_UNIT octets. A longer reply counts
 * as several units, because the number of octets is what harms a victim.
 *
 * All workers share one table. With a limit per worker the rate would grow with the number of cores and of source ports
 * that an attacker uses (SO_REUSEPORT distributes by them). An entry is one 64-bit word, changed by compare-and-swap: a
 * tag of its prefix and the time at which its allowance will be full again ("virtual scheduling", ITU-T I.371 annex A):
 *
 *      63      48 47                                   0
 *     +----------+--------------------------------------+
 *     | tag      | whole again at, us since the start   |
 *     +----------+--------------------------------------+
 *
 * LIMIT_WAYS words, one cache line, are a set. A keyed hash of the prefix selects set and tag, so nobody can choose
 * which prefixes collide. A new prefix takes over the entry with the most allowance left, *with* that allowance. So
 * entries with a full allowance, about which there is nothing to remember, are replaced first, and limited ones last,
 * and no prefix gains allowance when its entry is displaced.
 *
 * Threads: one thread makes and frees it; limit_take() and limit_charge() may be called by all workers at once, without
 * a lock, allocation or system call.
 */
#ifndef VEER_DNSD_PACKET_LIMIT_H
#define VEER_DNSD_PACKET_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "dnsd/packet/client.h"

#define LIMIT_RATE_MAX 100000   /* the table counts in microseconds: higher rates would be inexact */
#define LIMIT_RATE_DEFAULT 2000 /* units per second and prefix */
#define LIMIT_SLIP_DEFAULT 2
#define LIMIT_SLIP_MAX 100
#define LIMIT_BURST_S 2 /* a prefix that was silent may take the units of so many seconds at once */
#define LIMIT_UNIT 128  /* octets */
#define LIMIT_WAYS 8
#define LIMIT_SETS 16384 /* a table of 1 MiB for 131,072 prefixes */
#define LIMIT_EXEMPT_MAX 64

struct limit;

struct limit_config {
	unsigned rate;                    /* units per second and prefix, 1 to LIMIT_RATE_MAX */
	unsigned slip;                    /* every slip-th query over the limit gets a truncated reply; 0: none does */
	const struct veer_prefix *exempt; /* never limited; copied */
	size_t exempt_count;              /* at most LIMIT_EXEMPT_MAX */
};

/*
 * Make an empty table with a secret of its own, whose time begins at `now_ms`. Ownership: `*out` is the caller's.
 * Errors: VEER_ENOMEM, VEER_EIO (no random bytes), VEER_EINVAL (the config).
 */
VEER_MUST_CHECK enum veer_err limit_new(const struct limit_config *config, int64_t now_ms, struct limit **out);
void limit_free(struct limit **limit);

/* Whether the client is in one of the exempt prefixes. */
bool limit_is_exempt(const struct limit *limit, const struct client *client);

/*
 * Take the first unit of a reply to `prefix` (from prefix_of()). False when nothing is left: the prefix is over its
 * limit.
 */
bool limit_take(struct limit *limit, uint64_t prefix, int64_t now_ms);
/*
 * Take the units of a reply of `len` octets beyond its first one, even if they are not left; later replies then have to
 * wait longer.
 */
void limit_charge(struct limit *limit, uint64_t prefix, size_t len, int64_t now_ms);

/* The `slip` of struct limit_config. */
unsigned limit_slip(const struct limit *limit);

#define LIMIT_NOTES 16
/*
 * Get and forget a prefix that was over its limit since the last call, for a log; false when there is none. About
 * LIMIT_NOTES of them are remembered, the latest ones. Any thread.
 */
bool limit_next_note(struct limit *limit, uint64_t *prefix);

#endif
