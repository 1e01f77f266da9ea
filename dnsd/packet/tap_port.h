/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's end of the tap: which queries are sampled, and their copy into the worker's ring.
 *
 * Threads: the worker that the port belongs to.
 */
#ifndef VEER_DNSD_PACKET_TAP_PORT_H
#define VEER_DNSD_PACKET_TAP_PORT_H

#include "dnsd/packet/tap_ring.h"

enum tap_output { TAP_QUERY_LOG, TAP_DNSTAP, TAP_OUTPUTS };

/* A worker's end. */
struct tap_port {
	struct tap_ring *ring;
	uint32_t every[TAP_OUTPUTS]; /* 0: nothing is sampled */
	uint64_t left[TAP_OUTPUTS];  /* queries to skip until the next sample */
	uint64_t random;             /* state of the random generator that spreads the samples */
};

/* An answered query, in the worker's memory. Borrowed for the call. */
struct tap_query {
	int64_t time_ns; /* since 1970 */
	const struct client *client;
	bool is_tcp;
	unsigned rcode;
	const uint8_t *query;
	size_t query_len;
	const uint8_t *reply;
	size_t reply_len;
};

/* Offer a query: it is copied if it is sampled and if there is room. */
void tap_offer(struct tap_port *port, const struct tap_query *query);

#endif
