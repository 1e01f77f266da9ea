/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The location of clients: mmdb files (read with libmaxminddb, never on the packet path), flattened into one
 * longest-prefix-match table per address family. One table serves all policies; a policy maps (country, continent) to
 * its own branches.
 *
 * Several files make one table: the first file that knows a network's country or continent decides about it.
 *
 * Threads: a table is immutable and may be read by all; loading needs no lock.
 */
#ifndef VEER_ZONES_PLAN_GEO_H
#define VEER_ZONES_PLAN_GEO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "zones/model/continent.h"

#define GEO_FILES_MAX 8

/* The result of a lookup. */
struct geo_location {
	uint16_t country;   /* ISO 3166-1 alpha-2, packed as (first << 8 | second); 0 unknown */
	uint8_t continent;  /* enum continent */
	uint8_t prefix_len; /* the number of leading address bits for which this holds: the scope of an answer (RFC
			     * 7871 7.2.1) */
};

struct geo_table;

/*
 * Load `count` (1 to GEO_FILES_MAX) mmdb files, each read whole into private memory. Both MaxMind's layout
 * (country.iso_code, continent.code; also registered_country as a fallback) and the flat one (country_code) are
 * understood. Ownership: `*out` is the caller's (geo_free). Errors: VEER_ENOTFOUND, VEER_ECORRUPT, VEER_ELIMIT,
 * VEER_ENOMEM, VEER_EIO; the diag names the file.
 */
VEER_MUST_CHECK enum veer_err geo_load(const char *const *paths, size_t count, struct geo_table **out,
				       struct veer_diag *diag);
/*
 * The same, but files that cannot be read or are refused are left out of the table. The reason for the first of them
 * goes to `left_out`, which is empty when all files were used. Errors: VEER_ELIMIT, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err geo_load_readable(const char *const *paths, size_t count, struct geo_table **out,
						struct veer_diag *left_out, struct veer_diag *diag);
/* `*table` may be NULL. */
void geo_free(struct geo_table **table);

/*
 * The location of an IPv4 address, 4 bytes in network order. `table` may be NULL: the result is then an unknown
 * location with 0 bits.
 */
struct geo_location geo_lookup_ipv4(const struct geo_table *table, const uint8_t *ip);
/* The same for an IPv6 address, 16 octets in network order. */
struct geo_location geo_lookup_ipv6(const struct geo_table *table, const uint8_t *ip);

/* The number of networks in the table, both families together. */
size_t geo_count(const struct geo_table *table);
/* The memory of the table in bytes. */
size_t geo_bytes(const struct geo_table *table);

#endif
