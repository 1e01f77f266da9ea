/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RRsets as values: the canonical wire form that the store, the feed and the plan on disk carry (docs/formats.md,
 * section 1, "rrset"), and the keys of stored RRsets.
 *
 * Canonical wire form: the records one after the other, each owner, type, class IN, TTL, RDLENGTH, RDATA, uncompressed;
 * all with the same owner, letter for letter. The case of names is kept as it was written (RFC 4343 4.1) but does not
 * count: records are sorted by their RDATA with those names in lower case that RFC 4034 6.2 lists, and of records that
 * are then equal only one is kept.
 *
 * Threads: pure functions.
 */
#ifndef VEER_ZONES_DNS_RRSET_H
#define VEER_ZONES_DNS_RRSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "zones/dns/name.h"
#include "zones/dns/rdata.h"

#define RRSET_WIRE_MAX 64000     /* bytes: any RRset fits in one message over TCP with its question and OPT */
#define RRSET_RECORDS_MAX 4096   /* records in one RRset */
#define RRSET_TTL_MAX 2147483647 /* RFC 2181 8 */
#define RRSET_TYPE_TEXT_SIZE 16  /* "TYPE65535" and NUL fit */
#define RRSET_KEY_SIZE 2100      /* of a buffer for any key */

/* One record's RDATA: borrowed bytes. */
struct rdata_span {
	const uint8_t *data;
	size_t len;
};

/* A checked RRset in canonical wire form. `wire` is borrowed; it begins with the owner as it was written. */
struct rrset_view {
	const uint8_t *wire;
	size_t len;
	uint8_t owner[NAME_WIRE_MAX]; /* in lower case */
	size_t owner_len;
	uint16_t type;
	uint32_t ttl;   /* seconds */
	unsigned count; /* records, at least 1 */
};

/*
 * Check that `len` bytes from outside are one RRset in canonical wire form; the order of records is not checked.
 * Errors: VEER_EINVAL (structure, mixed owners or types or TTLs, class, malformed RDATA, several SOA or CNAME),
 * VEER_ERANGE (limits).
 */
VEER_MUST_CHECK enum veer_err rrset_check(const uint8_t *wire, size_t len, struct rrset_view *out,
					  struct veer_diag *diag);

/* The next record's RDATA; `*pos` starts at 0. False after the last. */
bool rrset_next(const struct rrset_view *rrset, size_t *pos, struct rdata_span *out);

/*
 * Make the canonical wire form of records given as RDATA in any order. Duplicates are merged; case is kept.
 * Ownership: `*wire` is the caller's (free). Errors: VEER_EINVAL (RDATA malformed, none given, several of a single
 * type, a type that is never stored), VEER_ERANGE (TTL, size), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err rrset_compose(const uint8_t *owner, uint16_t type, uint32_t ttl,
					    const struct rdata_span *records, size_t count, uint8_t **wire,
					    size_t *wire_len, struct veer_diag *diag);

/* Write a type as "A" or "TYPE65280" (RFC 3597 5) into `out` of RRSET_TYPE_TEXT_SIZE bytes. */
void rrtype_print(uint16_t type, char *out);
/* The inverse of rrtype_print(), in any case; false when the text is not a type. */
bool rrtype_parse(const char *text, size_t len, uint16_t *type);

/* The parts of the key of a stored RRset, names in lower case. */
struct rrset_key {
	uint8_t zone[NAME_WIRE_MAX];
	uint8_t owner[NAME_WIRE_MAX]; /* at or below `zone` */
	size_t zone_len;
	size_t owner_len;
	uint64_t version;
	uint16_t type;
};

/*
 * Read "ZONE/VERSION/OWNER/TYPE". Errors: VEER_EINVAL (malformed, upper case, owner outside the zone, a type that is
 * never stored).
 */
VEER_MUST_CHECK enum veer_err rrset_key_parse(const char *text, size_t len, struct rrset_key *out,
					      struct veer_diag *diag);
/*
 * Write such a key, NUL-terminated, into `out` of RRSET_KEY_SIZE bytes. "/" within a name becomes \047. Returns the
 * length.
 */
size_t rrset_key_print(const struct rrset_key *key, char *out);

#endif
