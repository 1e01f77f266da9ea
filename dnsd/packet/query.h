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
#include "zones/dns/name.h"

#define DNS_HEADER_LEN 12
#define DNS_CLASS_IN 1

/* RCODEs (RFC 1035 4.1.1, RFC 6891 9). */
enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_YXDOMAIN = 6, /* RFC 6672 2.2: a DNAME leads to a name that is too long */
	DNS_NOTAUTH = 9,  /* RFC 5936 2.2.1: a transfer of a zone that is not served here; RFC 8945 5.2.1: an unknown
			   * key */
	DNS_BADVERS = 16,
	DNS_BADCOOKIE = 23, /* RFC 7873 8 */
};

/* The name of an RCODE, such as "NOERROR"; NULL for one that is never sent. Static storage. */
const char *dns_rcode_text(unsigned rcode);

/* Bits of the header's second 16-bit word. */
enum {
	DNS_FLAG_QR = 0x8000,
	DNS_FLAG_AA = 0x0400,
	DNS_FLAG_TC = 0x0200,
	DNS_FLAG_RD = 0x0100,
	DNS_FLAG_CD = 0x0010,
	DNS_OPCODE_MASK = 0x7800,
};

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
