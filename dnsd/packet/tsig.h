/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transaction signatures (RFC 8945), as far as a server without keys needs them: a signed query is recognised and
 * answered with an unsigned TSIG record, which says that the key is unknown.
 *
 * Threads: pure functions. Nothing here allocates.
 */
#ifndef VEER_DNSD_PACKET_TSIG_H
#define VEER_DNSD_PACKET_TSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "zones/dns/name.h"

/* The parts of a query's TSIG record that an answer repeats. */
struct tsig {
	uint8_t key[NAME_WIRE_MAX]; /* as received, decompressed */
	uint8_t key_len;
	uint8_t algorithm_len;
	const uint8_t *algorithm; /* in the packet */
	const uint8_t *time;      /* in the packet: 48 bits of time, 16 of fudge */
	const uint8_t *id;        /* in the packet: the original ID */
};

/*
 * Read the TSIG record whose owner begins at `at` of a packet. False when it is malformed (FORMERR, RFC 8945 5.1): an
 * invalid name, a class other than ANY, a TTL other than 0, RDATA that is incomplete or has trailing octets.
 */
bool tsig_read(struct tsig *tsig, const uint8_t *packet, size_t len, size_t at);

/* Append the TSIG record that says that the key is unknown: no MAC, error BADKEY (RFC 8945 5.2.1, 5.3.2). */
void tsig_write_badkey(const struct tsig *tsig, struct byte_writer *w);

#endif
