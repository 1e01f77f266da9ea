/* SPDX-License-Identifier: Apache-2.0 */
/* Reads from the store what a zone itself says about its name servers, for the comparison with its parent. */
#ifndef VEER_API_CONTROL_DELEGATION_ZONE_H
#define VEER_API_CONTROL_DELEGATION_ZONE_H

#include "api/control/delegation_judge.h"
#include "api/control/zone_data.h"

/*
 * Read the NS RRset of the zone's apex, and the addresses of those name servers that are within the zone. What does not
 * exist, or cannot be read, is left out. Blocks on the store. Errors: VEER_EIO, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err delegation_zone_read(struct control *control, const struct zone_ref *zone,
						   struct delegation_set *out);

#endif
