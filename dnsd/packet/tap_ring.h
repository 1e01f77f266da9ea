/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of bytes between one worker and the thread that writes queries to the outputs. A query that does not fit is
 * lost, and counted. Neither side ever waits.
 *
 * Threads: tap_ring_put() belongs to one thread, tap_ring_take() to one other; tap_ring_lost() to any.
 */
#ifndef VEER_DNSD_PACKET_TAP_RING_H
#define VEER_DNSD_PACKET_TAP_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/packet/client.h"

#define TAP_RING_BYTES (1u << 20)   /* size of one ring */
#define TAP_MESSAGES_MAX (2u << 16) /* bytes of a query and its reply */

/* One query that was answered; the two messages follow it. */
struct tap_record {
	int64_t time_ns; /* since 1970: when the worker took up the query */
	struct client client;
	bool is_tcp;
	uint8_t outputs; /* the outputs that it is for, one bit each */
	uint16_t rcode;  /* including the upper bits from EDNS */
	uint32_t query_len;
	uint32_t reply_len;
};

struct tap_ring;

/* NULL when memory is out. Caller frees, when both threads have ended. */
struct tap_ring *tap_ring_new(void);
void tap_ring_free(struct tap_ring **ring);

/*
 * Copy a query into the ring; false when there is no room (it is counted as lost). No system call, no lock, no
 * allocation.
 */
bool tap_ring_put(struct tap_ring *ring, const struct tap_record *record, const uint8_t *query, const uint8_t *reply);

/*
 * Take out the oldest query: the record, and the query with the reply after it into `messages` (TAP_MESSAGES_MAX
 * bytes). False when the ring is empty.
 */
bool tap_ring_take(struct tap_ring *ring, struct tap_record *record, uint8_t *messages);

/* How many queries did not fit. */
uint64_t tap_ring_lost(const struct tap_ring *ring);

#endif
