/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages (RFC 1035 4): the header, its bits and codes, and names with compression. What a query or a reply means
 * is left to the server and the agent.
 *
 * Threads: pure functions. Messages come from outside: nothing is read beyond them, nothing is allocated, and the work
 * is linear in their length.
 */
#ifndef VEER_ZONES_DNS_MESSAGE_H
#define VEER_ZONES_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "zones/dns/name.h"

#define DNS_HEADER_LEN 12
#define DNS_CLASS_IN 1
#define DNS_CLASS_ANY 255

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

#define DNS_RCODE_TEXT_SIZE 16

/* The name of an RCODE, such as "NOERROR"; NULL for a number that is not in the list. Static storage. */
const char *dns_rcode_text(unsigned rcode);
/* The same; for a number that is not in the list "RCODE11" and the like, in `out`. */
const char *dns_rcode_print(unsigned rcode, char out[DNS_RCODE_TEXT_SIZE]);

/* Bits of the header's second 16-bit word. */
enum {
	DNS_FLAG_QR = 0x8000,
	DNS_FLAG_AA = 0x0400,
	DNS_FLAG_TC = 0x0200,
	DNS_FLAG_RD = 0x0100,
	DNS_FLAG_CD = 0x0010,
	DNS_OPCODE_MASK = 0x7800,
	DNS_RCODE_MASK = 0x000f,
};

/* The header, in the order of the wire. */
struct dns_header {
	uint16_t id;
	uint16_t flags;
	uint16_t questions;
	uint16_t answers;
	uint16_t authority;
	uint16_t additional;
};

/* Read a header. A message that is too short fails the reader. */
static inline struct dns_header dns_header_read(struct byte_reader *r)
{
	struct dns_header header;
	header.id = byte_read_u16(r);
	header.flags = byte_read_u16(r);
	header.questions = byte_read_u16(r);
	header.answers = byte_read_u16(r);
	header.authority = byte_read_u16(r);
	header.additional = byte_read_u16(r);
	return header;
}

/* Write a header. If there is no room, the writer fails. */
static inline void dns_header_write(struct byte_writer *w, const struct dns_header *header)
{
	byte_write_u16(w, header->id);
	byte_write_u16(w, header->flags);
	byte_write_u16(w, header->questions);
	byte_write_u16(w, header->answers);
	byte_write_u16(w, header->authority);
	byte_write_u16(w, header->additional);
}

/* Skip a name. Pointers are not followed. False when the name is malformed or incomplete. */
bool dns_name_skip(struct byte_reader *r);

/*
 * Read a name, compressed or not (RFC 1035 4.1.4), in its own case. The reader must have been set up with the whole
 * message, from which offsets count. Each pointer must lead to an offset before the beginning of the name or of the
 * last pointer's target, so the loop ends. Returns the length; 0 when the name is malformed or incomplete, and then the
 * reader has failed.
 */
size_t dns_name_read(struct byte_reader *r, uint8_t out[NAME_WIRE_MAX]);

#endif
