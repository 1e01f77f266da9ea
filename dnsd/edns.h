/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EDNS(0), RFC 6891, and its client-subnet option, RFC 7871. Unknown options and flags are ignored.
 *
 * Threads: pure functions.
 */
#ifndef VEER_DNSD_EDNS_H
#define VEER_DNSD_EDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define EDNS_UDP_SIZE 1232 /* what we send at most over UDP, and say that we take (DNS flag day 2020) */
#define EDNS_UDP_MIN 512   /* RFC 6891 6.2.5: less is read as 512 */
#define EDNS_OPT_LEN 11    /* an OPT record without options */

enum { EDNS_ECS_IPV4 = 1, EDNS_ECS_IPV6 = 2 }; /* address families (RFC 7871 6) */

/* A client-subnet option as received. */
struct edns_ecs {
	bool is_present;
	uint8_t source_len;  /* SOURCE PREFIX-LENGTH, bits */
	uint16_t family;     /* EDNS_ECS_*; 0 is possible with source_len 0 */
	uint8_t address[16]; /* network order, zero beyond source_len */
};

struct edns {
	bool is_present;
	uint8_t version;
	uint8_t extended_rcode; /* of the query; ignored */
	bool wants_dnssec;      /* DO */
	uint16_t udp_size;      /* as received */
	struct edns_ecs ecs;
};

/*
 * Read the OPT record behind its type: class, TTL, RDLENGTH, RDATA. False when it is malformed (FORMERR): options that
 * do not fill RDATA, a client subnet against RFC 7871 7.1.2 (address length, bits beyond the prefix, a scope). Then
 * `edns` says all but the options, for the reply. Options of other versions than 0 are not looked at.
 */
bool edns_read(struct edns *edns, struct byte_reader *r);

/* Bytes that edns_write() will need. 0 when the query had no OPT. */
size_t edns_reply_len(const struct edns *edns);

/*
 * Write the OPT record of the reply: our size, version 0, DO as received, the upper bits of `rcode`, the client subnet
 * with `scope` bits.
 */
void edns_write(const struct edns *edns, unsigned rcode, uint8_t scope, struct byte_writer *w);

#endif
