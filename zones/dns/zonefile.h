/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zone files (RFC 1035 5, RFC 2308 4 for $TTL, RFC 3597 5 for unknown types): read completely, checked, then handed out
 * RRset by RRset; and written.
 *
 * Errors carry FILE:LINE and the record's text; RDATA is read by rdata_text.h. Decisions:
 *   - $INCLUDE takes a relative path within the zone file's own directory, never outside it (no "..", no symbolic link
 *     that leads out), nested at most 8 deep.
 *   - A record without a TTL gets $TTL; before any $TTL it gets the TTL of the last record that stated one, and if
 *     there was none the SOA's MINIMUM.
 *   - Records of one RRset with different TTLs all get the lowest (RFC 2181 5.2 deprecates the difference).
 *   - Duplicates are merged. These are errors: records outside the zone, classes other than IN, $GENERATE, a name with
 *     CNAME and other data, a zone without exactly one SOA and at least one NS at its apex.
 *
 * Threads: one file belongs to one thread.
 */
#ifndef VEER_ZONES_DNS_ZONEFILE_H
#define VEER_ZONES_DNS_ZONEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "zones/dns/rrset.h"

#define ZONEFILE_LINE_MAX 524288 /* bytes of one logical line, after lines in parentheses are joined */
#define ZONEFILE_DEPTH_MAX 8     /* of $INCLUDE */
#define ZONEFILE_FILES_MAX 1024  /* files of one zone */
#define ZONEFILE_RECORDS_MAX 50000000

struct zonefile;

/*
 * Read and check the zone `origin` from `path`. Ownership: `*out` is the caller's (zonefile_free).
 * Errors: VEER_EINVAL, VEER_ERANGE (content), VEER_ENOTFOUND, VEER_EAUTH, VEER_EIO (files), VEER_ENOMEM, VEER_ELIMIT;
 * the diag says FILE:LINE: what.
 */
VEER_MUST_CHECK enum veer_err zonefile_read(const char *path, const uint8_t *origin, struct zonefile **out,
					    struct veer_diag *diag);

/* The same from `len` bytes of text; `label` stands for the file in errors. $INCLUDE is refused. */
VEER_MUST_CHECK enum veer_err zonefile_read_text(const char *text, size_t len, const char *label, const uint8_t *origin,
						 struct zonefile **out, struct veer_diag *diag);

void zonefile_free(struct zonefile **zonefile);

/* Records read, duplicates included. */
size_t zonefile_record_count(const struct zonefile *zonefile);

/*
 * Call `fn` for every RRset, names in canonical order; the view is borrowed for the call. Ends with the first error of
 * `fn`. Errors: that one; VEER_ERANGE (an RRset beyond its limits; diag says where), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err zonefile_each(const struct zonefile *zonefile,
					    enum veer_err (*fn)(void *ctx, const struct rrset_view *rrset), void *ctx,
					    struct veer_diag *diag);

/* Append an RRset as lines of a zone file, names absolute. Errors: VEER_EINVAL, VEER_ENOMEM; buf->failed when full. */
VEER_MUST_CHECK enum veer_err zonefile_print(const struct rrset_view *rrset, struct buf *out);

#endif
