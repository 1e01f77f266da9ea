/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Response rate limiting: how much may be sent over UDP to a client's prefix, so that nobody can have us flood somebody
 * else by queries with a forged source. The unit is a reply of up to LIMIT_UNIT octets; a longer one counts for as many
 * as it fills, because octets are what a victim suffers.
 *
 * One table for all workers: a rate a worker would grow with the number of cores, and with how many source ports an
 * attacker makes up (SO_REUSEPORT spreads by them). An entry is one 64-bit word, changed by compare-and-swap: a tag of
 * its prefix and the time at which its allowance will be whole again ("virtual scheduling", ITU-T I.371 annex A):
 *
 *      63      48 47                                   0
 *     +----------+--------------------------------------+
 *     | tag      | whole again at, us since the start   |
 *     +----------+--------------------------------------+
 *
 * LIMIT_WAYS words, one cache line, are a set; a secret hash of the prefix selects set and tag, so nobody can choose
 * with whom to collide. A newcomer takes over the entry with the most allowance, *with* that allowance: whole ones, of
 * whom nothing is forgotten, go first; what is limited goes last; and by being displaced nobody gains anything.
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

#define LIMIT_RATE_MAX 100000   /* the table counts in microseconds: above, rates would be inexact */
#define LIMIT_RATE_DEFAULT 2000 /* units a second and prefix */
#define LIMIT_SLIP_DEFAULT 2
#define LIMIT_SLIP_MAX 100
#define LIMIT_BURST_S 2 /* what a prefix that was silent may take at once: this many seconds' worth */
#define LIMIT_UNIT 128  /* octets */
#define LIMIT_WAYS 8
#define LIMIT_SETS 16384 /* a table of 1 MiB for 131,072 prefixes */
#define LIMIT_EXEMPT_MAX 64

struct limit;

struct limit_config {
	unsigned rate; /* units a second and prefix, 1 to LIMIT_RATE_MAX */
	unsigned slip; /* of the queries over the limit every slip-th gets a truncated reply; 0: none */
	const struct veer_prefix *exempt; /* never limited; copied */
	size_t exempt_count;              /* at most LIMIT_EXEMPT_MAX */
};

/*
 * An empty table with a secret of its own, whose time begins at `now_ms`. Ownership: `*out` is the caller's. Errors:
 * VEER_ENOMEM, VEER_EIO (no random bytes), VEER_EINVAL (the config).
 */
VEER_MUST_CHECK enum veer_err limit_new(const struct limit_config *config, int64_t now_ms, struct limit **out);
void limit_free(struct limit **limit);

/* Whether the client is in one of the exempt prefixes. */
bool limit_is_exempt(const struct limit *limit, const struct client *client);

/* Take the first unit of a reply to `prefix` (of prefix_of()). False when nothing is left: it is over its limit. */
bool limit_take(struct limit *limit, uint64_t prefix, int64_t now_ms);
/* Take what a reply of `len` octets fills beyond its first unit, even where it is not left: what follows waits for it.
 */
void limit_charge(struct limit *limit, uint64_t prefix, size_t len, int64_t now_ms);

/* As in struct limit_config. */
unsigned limit_slip(const struct limit *limit);

#define LIMIT_NOTES 16
/*
 * Take a prefix that was over its limit since the last call, for a log; false when there is none. About LIMIT_NOTES of
 * them are remembered, the latest ones. Any thread.
 */
bool limit_next_note(struct limit *limit, uint64_t *prefix);

#endif
