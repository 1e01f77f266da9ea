/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones: wishes to make and to delete them. A new one has an SOA and its NS.
 *
 * Threads: any thread that may block on the store.
 */
#ifndef VEER_API_CONTROL_ZONE_MAKE_H
#define VEER_API_CONTROL_ZONE_MAKE_H

#include "api/control/change.h"
#include "api/control/zone_data.h"

enum { ZONE_NAMESERVERS_MAX = 16 };

struct zone_make {
	struct zone_ref zone; /* name and text; version is set to the new one */
	uint8_t nameservers[ZONE_NAMESERVERS_MAX][NAME_WIRE_MAX];
	size_t nameserver_count; /* at least 1; the first one is also used in the SOA */
	uint8_t hostmaster[NAME_WIRE_MAX];
	uint32_t soa_ttl, ns_ttl;
	char keys[2][RRSET_KEY_SIZE]; /* of the SOA and the NS, used while the zone is made */
};

/*
 * Make the wish; `*z` must outlive the change. Problems: CHANGE_FORBIDDEN. Errors: VEER_ECONFLICT (the zone exists
 * already).
 */
struct change_wish zone_make_wish(struct zone_make *z);

struct zone_unmake {
	const char *name;     /* as written. Borrowed */
	struct zone_ref zone; /* set to the zone that was found; revision 0: it does not exist */
};

/*
 * Make the wish to delete a zone. Only the zone object is deleted, so the zone disappears at once; its RRsets are then
 * invisible, and removed in the background. Problems: CHANGE_MISSING, CHANGE_FORBIDDEN, CHANGE_PRECONDITION.
 */
struct change_wish zone_unmake_wish(struct zone_unmake *z);

#endif
