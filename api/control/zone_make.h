/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones: wishes to make and to delete them. A new one has an SOA and its NS.
 *
 * Threads: any that may block on the store.
 */
#ifndef VEER_API_CONTROL_ZONE_MAKE_H
#define VEER_API_CONTROL_ZONE_MAKE_H

#include "api/control/change.h"
#include "api/control/zone_data.h"

enum { ZONE_NAMESERVERS_MAX = 16 };

struct zone_make {
	struct zone_ref zone; /* name and text; version becomes the new one's */
	uint8_t nameservers[ZONE_NAMESERVERS_MAX][NAME_WIRE_MAX];
	size_t nameserver_count; /* at least 1; the first is the SOA's */
	uint8_t hostmaster[NAME_WIRE_MAX];
	uint32_t soa_ttl, ns_ttl;
	char keys[2][RRSET_KEY_SIZE]; /* of the SOA and the NS, while it is made */
};

/* The wish; `*z` must outlive the change. Problems: CHANGE_FORBIDDEN. Errors: VEER_ECONFLICT (it is there). */
struct change_wish zone_make_wish(struct zone_make *z);

struct zone_unmake {
	const char *name;     /* as written. Borrowed */
	struct zone_ref zone; /* becomes what was found; revision 0: it is not there */
};

/*
 * The wish to delete a zone. The zone object goes, and with it the zone disappears at once; its RRsets are then
 * invisible, and removed behind. Problems: CHANGE_MISSING, CHANGE_FORBIDDEN, CHANGE_PRECONDITION.
 */
struct change_wish zone_unmake_wish(struct zone_unmake *z);

#endif
