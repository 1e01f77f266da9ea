/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing queries: from the bytes of a packet to the question. Never reads beyond the packet and allocates nothing.
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

/* A parsed query. It refers to the packet, which must stay valid. */
struct query {
	const uint8_t *packet;
	size_t len;
	uint16_t flags;    /* as received */
	bool has_question; /* the fields below are filled, and the reply echoes the question */
	uint16_t qtype;
	uint16_t qclass;
	uint8_t qname_len;
	uint8_t qname[NAME_WIRE_MAX]; /* in lower case; the name as received begins at packet + 12 */
	uint16_t tsig_at;             /* where the packet has its TSIG record; 0: it is not signed */
	struct edns edns;
};

/* What to do with a packet. */
enum query_verdict {
	QUERY_DROP,   /* no reply at all */
	QUERY_ANSWER, /* look up the question */
	QUERY_REPLY,  /* reply with the RCODE given */
};

/*
 * Parse `len` bytes into `q`. For QUERY_REPLY `*rcode` is FORMERR, NOTIMP, REFUSED (class), BADVERS, or NOTAUTH (the
 * query is signed, and we have no keys, RFC 8945 5.2.1); NOERROR for a cookie without a question (RFC 7873 5.4). Types
 * that occur only in messages are looked up like all others, and never found. Packets shorter than a header and
 * responses (QR set) are dropped.
 */
enum query_verdict query_parse(struct query *q, const uint8_t *packet, size_t len, enum dns_rcode *rcode);

#endif
