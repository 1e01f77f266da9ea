/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How RDATA of each type is composed, field by field, according to its RFC. Text is read (rdata_text.h) and octets are
 * printed and checked by this table. It is the only table of types that have a name.
 *
 * Threads: pure functions. Nothing here allocates.
 */
#ifndef VEER_ZONES_DNS_RDATA_FORM_H
#define VEER_ZONES_DNS_RDATA_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDATA_FIELDS_MAX 10 /* the closing FIELD_END included */

enum rdata_field {
	FIELD_END = 0,
	FIELD_NONE, /* the type has no text of its own: only the generic form (RFC 3597 5) */
	FIELD_U8,   /* numbers, decimal */
	FIELD_U16,
	FIELD_U32,
	FIELD_PERIOD, /* seconds in 32 bits, also as "1h30m" */
	FIELD_NAME,   /* a domain name */
	FIELD_IPV4,
	FIELD_IPV6,
	FIELD_STRING,         /* one character-string (RFC 1035 3.3): a length octet, then up to 255 octets */
	FIELD_STRING_OR_NONE, /* the same, or nothing: the last field */
	FIELD_STRINGS,        /* one or more, to the end */
	FIELD_DIGITS,         /* one string of four digits or more (RFC 1183 3.1) */
	FIELD_TAG,            /* one string of letters and digits (RFC 8659 4.1) */
	FIELD_TEXT,           /* octets without a length, to the end; one word, in quotation marks or not */
	FIELD_TYPE,           /* the number of a type, by name or number */
	FIELD_TYPES,          /* a bitmap of types (RFC 4034 4.1.2), to the end */
	FIELD_SOME_TYPES,     /* the same, of one type at least */
	FIELD_OLD_TYPES,      /* a bitmap of types up to 127 (RFC 2535 5.2), to the end */
	FIELD_ALGORITHM,      /* of DNSSEC keys, by name or number */
	FIELD_DIGEST,         /* the number of a digest type, then the digest in hex, to the end (RFC 4034 5.3) */
	FIELD_FINGERPRINT,    /* the same with the numbers of RFC 4255 3.1.2 */
	FIELD_CERT_TYPE,      /* by name or number (RFC 4398 2.1) */
	FIELD_TIME,           /* YYYYMMDDHHMMSS, or seconds since 1970 (RFC 4034 3.2) */
	FIELD_KEY,            /* base64 to the end, absent when the flags two fields before say so (RFC 2535 3.1.2) */
	FIELD_BASE64,         /* to the end */
	FIELD_BASE64_OR_NONE,
	FIELD_HEX,    /* to the end */
	FIELD_SALT,   /* hex or "-", after a length octet (RFC 5155 3.3) */
	FIELD_HASH,   /* base32hex without padding, after a length octet */
	FIELD_ZONEMD, /* scheme, hash algorithm and digest (RFC 8976 2.3) */
	FIELD_EUI48,
	FIELD_EUI64,
	FIELD_LOCATOR,  /* 64 bits as "0014:4fff:ff20:ee64" (RFC 6742 2.1.2) */
	FIELD_NSAP,     /* hex after "0x", with dots anywhere (RFC 1706 7) */
	FIELD_ATMA,     /* "+" and digits, or hex with dots */
	FIELD_LOCATION, /* RFC 1876 3 */
	FIELD_PREFIXES, /* RFC 3123 5 */
	FIELD_SERVICES, /* address, protocol and ports (RFC 1035 3.4.2) */
	FIELD_PARAMS,   /* of SVCB and HTTPS (RFC 9460 2.1) */
	FIELD_IPSECKEY, /* RFC 4025 3 */
	FIELD_AMTRELAY, /* RFC 8777 4 */
	FIELD_HIP,      /* RFC 8005 6 */
	FIELD_A6,       /* RFC 2874 3.1 */
	FIELD_COUNT
};

struct rdata_form {
	uint16_t type;
	bool is_alias; /* the name is accepted when read; the type is written as TYPE and its number */
	char name[12];
	uint8_t fields[RDATA_FIELDS_MAX]; /* enum rdata_field, closed by FIELD_END */
};

/* The form of a type, or NULL when it has none: then only the generic form is possible. */
const struct rdata_form *rdata_form_of(uint16_t type);

/* The form of the type with that name, in any case; NULL when there is none. */
const struct rdata_form *rdata_form_named(const char *name, size_t len);

#endif
