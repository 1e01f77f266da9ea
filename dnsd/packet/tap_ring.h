/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of bytes between one worker and the thread that writes queries down: what does not fit is lost, and counted.
 * Nobody waits for anybody.
 *
 * Threads: tap_ring_put() belongs to one thread, tap_ring_take() to one other; tap_ring_lost() to any.
 */
#ifndef VEER_DNSD_PACKET_TAP_RING_H
#define VEER_DNSD_PACKET_TAP_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/packet/client.h"

#define TAP_RING_BYTES (1u << 20)   /* of one ring */
#define TAP_MESSAGES_MAX (2u << 16) /* bytes of a query and its reply */

/* One query that was answered; the two messages follow it. */
struct tap_record {
	int64_t time_ns; /* since 1970: when the worker took the query up */
	struct client client;
	bool is_tcp;
	uint8_t outputs; /* who is to have it, a bit each */
	uint16_t rcode;  /* with its upper bits */
	uint32_t query_len;
	uint32_t reply_len;
};

struct tap_ring;

/* NULL when memory is out. Caller frees, when both threads have ended. */
struct tap_ring *tap_ring_new(void);
void tap_ring_free(struct tap_ring **ring);

/* Copy it in; false when there is no room (it is counted as lost). No system call, no lock, no allocation. */
bool tap_ring_put(struct tap_ring *ring, const struct tap_record *record, const uint8_t *query, const uint8_t *reply);

/*
 * Take the oldest out: the record, and the query with the reply after it into `messages` (TAP_MESSAGES_MAX bytes).
 * False when there is none.
 */
bool tap_ring_take(struct tap_ring *ring, struct tap_record *record, uint8_t *messages);

/* How many did not fit. */
uint64_t tap_ring_lost(const struct tap_ring *ring);

#endif
