/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns a zone file into a zone: its RRsets are written as a new version, in pieces of at most 100, beside the version
 * that is served; bound RRsets are copied; then one change of the zone object makes the whole version visible at once.
 * If anything fails before that, the old version stays complete.
 *
 * Threads: called by worker threads; takes time proportional to the zone's size, and holds no lock meanwhile.
 */
#ifndef VEER_API_CONTROL_ZONE_IMPORT_H
#define VEER_API_CONTROL_ZONE_IMPORT_H

#include "api/control/change.h"
#include "api/control/zone_keeper.h"

#define ZONE_IMPORT_LABEL "line" /* replaces the file's name in errors: "line:7: what" */

struct zone_import_result {
	int64_t rrsets;   /* in the new version, bound ones included */
	int64_t revision; /* of the commit that made it visible */
	uint32_t serial;
	bool is_refused; /* after an error: the precondition does not hold */
};

/*
 * Import `len` bytes of zone file into the zone with the name in `zone` (zone_name_parse()), which is made if it does
 * not exist. `precondition` applies to the zone object, whose revision is that of the last import (or of its making);
 * it is judged before anything is written, and again when the new version is made visible. Errors: VEER_ECONFLICT with
 * out->is_refused (the precondition does not hold; the diag says so), VEER_EINVAL, VEER_ERANGE and the like with
 * ZONE_IMPORT_LABEL:LINE in the diag; VEER_EBUSY and VEER_ELIMIT (other imports), VEER_ECONFLICT (the zone was changed
 * again and again), VEER_ECLOSED (shutting down), VEER_EAUTH (the token is for other zones; the diag says so),
 * VEER_ESPACE, VEER_EIO, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err zone_import_run(struct control *control, const struct change_principal *principal,
					      const struct change_precondition *precondition,
					      const struct zone_ref *zone, const char *text, size_t len,
					      struct zone_import_result *out, struct veer_diag *diag);

#endif
