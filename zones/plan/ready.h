/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RRsets ready to send: the bytes of an answer's records as they go into a message, except for the few pointers that
 * depend on the message. Writing an RRset is one copy and, for most RRsets, nothing else.
 *
 * In `data` each record's owner is a compression pointer (RFC 1035 4.1.4), to offset 12 (the question's name), which is
 * right whenever the owner is the question's name. Names in RDATA that may be compressed (RFC 3597 4) end in a pointer
 * with one of the following meanings; the patches list the places of these pointers:
 *
 *     READY_TO_APEX    the zone's apex, wherever the message has it
 *     READY_TO_OWNER   the owner, wherever the message has it
 *     0xC000 | offset  an earlier name in the same RRset, counted from its first byte
 *
 * A ready RRset is immutable and one block of memory, released with free().
 * Threads: may be read by all.
 */
#ifndef VEER_ZONES_PLAN_READY_H
#define VEER_ZONES_PLAN_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "zones/dns/rrset.h"

#define READY_TO_APEX 0xffff
#define READY_TO_OWNER 0xfffe
#define READY_POINTER_MAX 0x3fff /* the largest offset that a compression pointer can hold */
#define READY_QNAME_OFFSET 12    /* of the question's name in every message */

struct ready_rrset {
	uint32_t ttl; /* seconds */
	uint16_t type;
	uint16_t count;        /* records */
	uint16_t len;          /* bytes of records in `data` */
	uint16_t patch_count;  /* pointers in RDATA to adjust */
	uint16_t target_count; /* names in RDATA that a lookup may have to follow */
	uint8_t data[]; /* the records; then, at an even offset, the offsets of patches and of targets (uint16_t) */
};

/* Scratch memory for making ready RRsets, about 100 KiB; it can be reused for any number of them. */
struct ready_builder;

/* Make a builder. NULL when memory is out. Caller frees. */
struct ready_builder *ready_builder_new(void);
void ready_builder_free(struct ready_builder **builder);

/*
 * Start an RRset. `owner` and `apex` (borrowed until ready_finish) allow pointers to them; NULL forbids such pointers;
 * the RRset can then be sent for any owner in any zone.
 */
void ready_begin(struct ready_builder *builder, uint16_t type, uint32_t ttl, const uint8_t *owner, const uint8_t *apex);
/* Add a record, whose RDATA rdata_names() must have accepted. If it does not fit, ready_finish() fails. */
void ready_add(struct ready_builder *builder, const uint8_t *rdata, size_t len);
/* Finish the RRset. Ownership: `*out` is the caller's. Errors: VEER_ERANGE (over RRSET_WIRE_MAX), VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err ready_finish(struct ready_builder *builder, struct ready_rrset **out);

/* All three steps for a checked RRset. `ttl` replaces its TTL. */
VEER_MUST_CHECK enum veer_err ready_from_view(struct ready_builder *builder, const struct rrset_view *view,
					      uint32_t ttl, const uint8_t *apex, struct ready_rrset **out);

/* The most bytes that ready_cname() needs, alignment included. */
#define READY_CNAME_SIZE 292

/*
 * Make one CNAME for one answer (RFC 6672 3.1) in `memory` of READY_CNAME_SIZE bytes, aligned as a struct ready_rrset.
 * Its target consists of the first `len` bytes of `labels` (whole labels, at most 254 bytes, case kept) followed by the
 * name that is passed as the apex when it is written, which is the DNAME's target. Returns `memory`.
 */
const struct ready_rrset *ready_cname(void *memory, uint32_t ttl, const uint8_t *labels, size_t len);

/*
 * Append the records to a message that starts at w->base, for an owner whose name the message has at `owner_at` and a
 * zone whose apex it has at `apex_at`. Writes all or nothing; false when it does not fit, or when a pointer would lie
 * beyond READY_POINTER_MAX; `*far` says which of the two. In the second case write the result of ready_expand().
 */
bool ready_write(const struct ready_rrset *rr, struct byte_writer *w, unsigned owner_at, unsigned apex_at, bool *far);

/*
 * The records in canonical wire form (uncompressed) into `out` of `size` bytes. Returns the length; 0 when it does not
 * fit. `apex` may be NULL when the RRset was made without one.
 */
size_t ready_expand(const struct ready_rrset *rr, const uint8_t *owner, const uint8_t *apex, uint8_t *out, size_t size);

/* Where the name of target `index` begins in `data`. */
unsigned ready_target_at(const struct ready_rrset *rr, unsigned index);
/* That name, expanded, into `out` of NAME_WIRE_MAX bytes. Returns its length; 0 when it is over the limit. */
size_t ready_target(const struct ready_rrset *rr, unsigned index, const uint8_t *owner, const uint8_t *apex,
		    uint8_t *out);

/* The memory that it takes, in bytes. */
size_t ready_bytes(const struct ready_rrset *rr);

#endif
