/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding damage in a store, and salvaging what can still be read.
 *
 * Threads: one.
 */
#ifndef VEER_ZONES_STORE_REPAIR_H
#define VEER_ZONES_STORE_REPAIR_H

#include "zones/store/store.h"

/* What was found. */
struct repair_finding {
	bool is_damaged;
	uint64_t objects; /* objects that could be read */
	uint64_t bad;     /* objects that were read but are not JSON or not of a known kind; they are not taken over */
	int64_t revision;
};

/* One line for people, without its end. */
typedef void repair_say_fn(void *ctx, const char *line);

/*
 * Look at every page and every object of the store at `url`, while veer-api may run. Faults are passed to `say`, at
 * most 100. Errors: VEER_ENOTFOUND, VEER_EINVAL (url), VEER_EIO, VEER_ENOMEM (nothing is known then). Damage is not an
 * error.
 */
VEER_MUST_CHECK enum veer_err store_check(const char *url, repair_say_fn *say, void *ctx, struct repair_finding *out,
					  struct veer_diag *diag);

/*
 * Take over what can be read into a new database `file`, which store_restore() puts in the place of the old one. The
 * old one is only read; veer-api must not run. Errors: as above; VEER_EBUSY, VEER_ESPACE; VEER_ECORRUPT when nothing
 * can be read. `file` is removed after an error.
 */
VEER_MUST_CHECK enum veer_err store_salvage(const char *url, const char *file, repair_say_fn *say, void *ctx,
					    struct repair_finding *out, struct veer_diag *diag);

#endif
