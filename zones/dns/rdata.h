/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a name server must know of RDATA: where domain names are in it, and whether they may be lower-cased or
 * compressed.
 *
 * Threads: pure functions. Nothing here allocates.
 */
#ifndef VEER_ZONES_DNS_RDATA_H
#define VEER_ZONES_DNS_RDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types that the code treats by name (RFC 1035 3.2.2, RFC 3596, RFC 2782, RFC 6672, RFC 6891, RFC 9460, RFC 4034). */
enum {
	RRTYPE_A = 1,
	RRTYPE_NS = 2,
	RRTYPE_MD = 3,
	RRTYPE_MF = 4,
	RRTYPE_CNAME = 5,
	RRTYPE_SOA = 6,
	RRTYPE_MB = 7,
	RRTYPE_MG = 8,
	RRTYPE_MR = 9,
	RRTYPE_PTR = 12,
	RRTYPE_HINFO = 13,
	RRTYPE_MINFO = 14,
	RRTYPE_MX = 15,
	RRTYPE_TXT = 16,
	RRTYPE_RP = 17,
	RRTYPE_AFSDB = 18,
	RRTYPE_RT = 21,
	RRTYPE_SIG = 24,
	RRTYPE_KEY = 25,
	RRTYPE_PX = 26,
	RRTYPE_AAAA = 28,
	RRTYPE_LOC = 29,
	RRTYPE_NXT = 30,
	RRTYPE_SRV = 33,
	RRTYPE_NAPTR = 35,
	RRTYPE_KX = 36,
	RRTYPE_DNAME = 39,
	RRTYPE_OPT = 41,
	RRTYPE_APL = 42,
	RRTYPE_DS = 43,
	RRTYPE_IPSECKEY = 45,
	RRTYPE_RRSIG = 46,
	RRTYPE_NSEC = 47,
	RRTYPE_SVCB = 64,
	RRTYPE_HTTPS = 65,
	RRTYPE_TKEY = 249,
	RRTYPE_TSIG = 250,
	RRTYPE_IXFR = 251,
	RRTYPE_AXFR = 252,
	RRTYPE_MAILA = 254,
	RRTYPE_ANY = 255,
};

#define RDATA_NAMES_MAX 2 /* names in one RDATA */

/* How RDATA of a type is laid out, as far as names go. */
struct rdata_layout {
	uint8_t fixed;        /* octets before the first name or string */
	uint8_t strings;      /* character strings before the first name (NAPTR) */
	uint8_t names;        /* consecutive names; 0: no names that matter here */
	uint8_t tail;         /* octets that must follow the names; 255: any number */
	bool is_lowered;      /* canonical form lower-cases them (RFC 4034 6.2, RFC 6840 5.1) */
	bool is_compressible; /* a sender may compress them (RFC 3597 4) */
	bool has_additional;  /* the addresses of the last name belong in the additional section */
};

/* The layout of a type. For a type without names that matter: no names, any tail. */
struct rdata_layout rdata_layout(uint16_t type);

/*
 * Where the names of one RDATA begin: up to RDATA_NAMES_MAX offsets into `at`. Returns their count, or -1 when the
 * RDATA is not what the type's layout says (also: an A that is not 4, an AAAA that is not 16 octets).
 */
int rdata_names(uint16_t type, const uint8_t *rdata, size_t len, uint16_t *at);

/*
 * Lower-case in place the names that are lower-case in the canonical form. rdata_names() must have accepted the RDATA.
 */
void rdata_lower(uint16_t type, uint8_t *rdata, size_t len);

/* A type that exists only in questions or messages: 0, OPT, 128-255 (RFC 6895 3.1). Never stored. */
bool rrtype_is_meta(uint16_t type);

/* A type of which there is at most one record at a name: SOA, CNAME, DNAME. */
bool rrtype_is_single(uint16_t type);

/*
 * May RRsets of both types exist at one name? A CNAME must be alone (RFC 1034 3.6.2), except for RRSIG, NSEC and KEY
 * (RFC 2181 10.1).
 */
bool rrtype_may_coexist(uint16_t a, uint16_t b);

#endif
