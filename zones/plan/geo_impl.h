/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Internals of location tables: lists of networks while they are built. For geo.c, geo_mmdb.c and their tests.
 */
#ifndef VEER_ZONES_PLAN_GEO_IMPL_H
#define VEER_ZONES_PLAN_GEO_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include "zones/plan/geo.h"

#define GEO_NETS_MAX 20000000 /* networks of one family; this bounds memory against hostile files */

/* An IPv6 address as a number; an IPv4 address in its upper 32 bits. */
typedef unsigned __int128 geo_address;

struct geo_net {
	geo_address start;
	struct geo_location place; /* with the network's own prefix_len */
};

/* Networks that follow each other without gaps and cover all addresses, once complete. */
struct geo_nets {
	struct geo_net *items;
	size_t count;
	size_t size; /* capacity */
};

/*
 * Append the next network, and merge two halves of a network that have equal locations. Errors: VEER_ENOMEM,
 * VEER_ELIMIT.
 */
VEER_MUST_CHECK enum veer_err geo_nets_add(struct geo_nets *nets, geo_address start, struct geo_location place);
void geo_nets_free(struct geo_nets *nets);

/*
 * Combine two lists: the location is that of `over`, or that of `under` where `over` has none. `out` must be empty.
 * Errors as geo_nets_add().
 */
VEER_MUST_CHECK enum veer_err geo_nets_overlay(const struct geo_nets *over, const struct geo_nets *under,
					       struct geo_nets *out);

/*
 * Make a table of two complete lists. Ownership: `*out` is the caller's; the lists stay the caller's too. Errors:
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err geo_table_make(const struct geo_nets *nets4, const struct geo_nets *nets6,
					     struct geo_table **out);

#endif
