/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries: the bytes of a packet to what is asked. No reading beyond the packet, no allocation.
 *
 * Threads: pure functions.
 */
#ifndef VEER_DNSD_PACKET_QUERY_H
#define VEER_DNSD_PACKET_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/packet/edns.h"
#include "zones/dns/message.h"

/* A parsed query. Refers to the packet, which must stay. */
struct query {
	const uint8_t *packet;
	size_t len;
	uint16_t flags;    /* as received */
	bool has_question; /* the fields below are filled, and the reply echoes the question */
	uint16_t qtype;
	uint16_t qclass;
	uint8_t qname_len;
	uint8_t qname[NAME_WIRE_MAX]; /* in lower case; as received it begins at packet + 12 */
	uint16_t tsig_at;             /* where the packet has its TSIG record; 0: it is not signed */
	struct edns edns;
};

/* What to do with a packet. */
enum query_verdict {
	QUERY_DROP,   /* no reply at all */
	QUERY_ANSWER, /* look it up */
	QUERY_REPLY,  /* reply with the RCODE given */
};

/*
 * Parse `len` bytes into `q`. For QUERY_REPLY `*rcode` is FORMERR, NOTIMP, REFUSED (class), BADVERS, or NOTAUTH (it is
 * signed, and we have no keys, RFC 8945 5.2.1); NOERROR for no question but a cookie (RFC 7873 5.4). Types that
 * only messages have are looked up like all others, and are nowhere. Dropped are packets shorter than a header and
 * responses (QR set).
 */
enum query_verdict query_parse(struct query *q, const uint8_t *packet, size_t len, enum dns_rcode *rcode);

#endif
