/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EDNS(0), RFC 6891, with the options client subnet (RFC 7871), cookie (RFC 7873), NSID (RFC 5001), TCP keepalive (RFC
 * 7828) and extended errors (RFC 8914). Other options and flags are ignored.
 *
 * Threads: pure functions.
 */
#ifndef VEER_DNSD_PACKET_EDNS_H
#define VEER_DNSD_PACKET_EDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "dnsd/packet/cookie.h"

#define EDNS_UDP_SIZE 1232   /* the most that we send over UDP, and the size that we announce (DNS flag day 2020) */
#define EDNS_UDP_MIN 512     /* RFC 6891 6.2.5: less is read as 512 */
#define EDNS_OPT_LEN 11      /* an OPT record without options */
#define EDNS_OPTIONS_MAX 160 /* bytes of the options of any reply of ours */

enum { EDNS_ECS_IPV4 = 1, EDNS_ECS_IPV6 = 2 }; /* address families (RFC 7871 6) */

/* A client-subnet option as received. */
struct edns_ecs {
	bool is_present;
	uint8_t source_len;  /* SOURCE PREFIX-LENGTH, bits */
	uint16_t family;     /* EDNS_ECS_*; 0 is possible with source_len 0 */
	uint8_t address[16]; /* network order, zero beyond source_len */
};

/* Extended errors that we send (RFC 8914 4). */
enum edns_error {
	EDNS_ERROR_NONE = 0, /* no error; we never send the code 0, "other" */
	EDNS_ERROR_NOT_READY = 14,
	EDNS_ERROR_NOT_AUTHORITATIVE = 20,
};

/* What the OPT record of a reply contains beside what it echoes of the query. Zero: nothing. */
struct edns_reply {
	const uint8_t *nsid; /* borrowed; NULL: none */
	uint8_t nsid_len;
	bool has_cookie; /* send the query's client cookie and this server cookie */
	uint8_t cookie[COOKIE_SERVER_LEN];
	uint16_t keepalive; /* units of 100 ms (RFC 7828 3.1); 0: none */
	enum edns_error error;
};

/* The OPT record of a query. Refers to the packet, which must stay. */
struct edns {
	bool is_present;
	uint8_t version;
	uint8_t extended_rcode; /* of the query; ignored */
	bool wants_dnssec;      /* DO */
	uint16_t udp_size;      /* as received */
	bool wants_nsid;
	bool wants_keepalive;
	uint8_t cookie_len;    /* length of `cookie`: 8, or 16 to 40 with a server cookie; 0: no cookie */
	const uint8_t *cookie; /* the client cookie and, after it, the server cookie that the client sent */
	bool is_known;         /* the server cookie is one of ours: the client's address is not forged */
	struct edns_ecs ecs;
	struct edns_reply reply; /* set by whoever replies */
};

/*
 * Read the part of the OPT record after its type: class, TTL, RDLENGTH, RDATA. False when it is malformed (FORMERR):
 * options that do not fill RDATA, a client subnet against RFC 7871 7.1.2 (address length, bits beyond the prefix, a
 * scope), a cookie of an impossible length (RFC 7873 5.2.2). Then `edns` has everything except the options, for the
 * reply. Options of versions other than 0 are not parsed.
 */
bool edns_read(struct edns *edns, struct byte_reader *r);

/* The number of bytes that edns_write() will write; 0 when the query had no OPT. */
size_t edns_reply_len(const struct edns *edns);

/*
 * Write the OPT record of the reply: our size, version 0, DO as received, the upper bits of `rcode`, the client subnet
 * with `scope` bits, and what `edns->reply` says.
 */
void edns_write(const struct edns *edns, unsigned rcode, uint8_t scope, struct byte_writer *w);

#endif
