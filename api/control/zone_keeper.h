/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of zones: which numbers are free, which import is writing which version and how far it is, and the removal
 * of RRsets that no zone object makes visible (left by an import, by a deleted zone, or by a crash of either).
 *
 * Why nothing visible is ever removed: the keeper removes a piece (100 RRsets) under the lock under which version
 * numbers are given out, after it has seen in the store that the zone object names another version, or is not there,
 * and that no import is at work on this one. A number is given out only above all numbers that still have RRsets.
 *
 * Threads: all functions may be called from any thread but where stated.
 */
#ifndef VEER_API_CONTROL_ZONE_KEEPER_H
#define VEER_API_CONTROL_ZONE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/control/zone_data.h"

#define ZONE_IMPORTS_MAX 2 /* at once: they hold worker threads, which others need too */

struct zone_keeper;
struct zone_import; /* an import under way */

/* Starts its thread, which removes what is left from before. NULL when memory or threads are out. `store` and `log` are
 * borrowed. */
struct zone_keeper *zone_keeper_new(struct store *store, struct logger *log);
/* No more new imports, and those under way give up: for the shutdown, before the workers are waited for. */
void zone_keeper_stop(struct zone_keeper *keeper);
/* Nobody may use it any more. Sets the caller's pointer to NULL. */
void zone_keeper_free(struct zone_keeper **keeper);

/* Something became invisible: look for it and remove it, in the background. */
void zone_keeper_wake(struct zone_keeper *keeper);

/*
 * Give out the number of the version of a zone that is about to be made. Nothing of the zone is removed, and no other
 * number is given out, until zone_keeper_allotted(), which the same thread calls after the commit, or its failure.
 * Errors: VEER_EIO, VEER_ENOMEM; then there is nothing to be called.
 */
VEER_MUST_CHECK enum veer_err zone_keeper_allot(struct zone_keeper *keeper, const struct zone_ref *zone,
						int64_t *version);
void zone_keeper_allotted(struct zone_keeper *keeper);

/*
 * Begin an import into `zone`. Ownership: `*out` goes back by zone_import_end().
 * Errors: VEER_EBUSY (one is under way for this zone), VEER_ELIMIT (ZONE_IMPORTS_MAX are), VEER_ECLOSED (shutting
 * down).
 */
VEER_MUST_CHECK enum veer_err zone_import_begin(struct zone_keeper *keeper, const struct zone_ref *zone,
						struct zone_import **out);
/* Give it the number of a new version to write; earlier leftovers of the zone are removed first. Errors: VEER_EIO,
 * VEER_ECLOSED … */
VEER_MUST_CHECK enum veer_err zone_import_allocate(struct zone_import *import, int64_t *version);
/* It is over, whether its version was made visible or not; what is invisible will be removed. */
void zone_import_end(struct zone_import **import);

/* What an import is doing. `state` is of static storage. */
struct zone_progress {
	const char *state; /* "parsing", "writing", "cleaning", "idle" */
	int64_t done;      /* RRsets */
	int64_t total;     /* RRsets; 0: not known */
};
/* Say how far it is; numbers of RRsets, as in struct zone_progress. */
void zone_import_progress(struct zone_import *import, const char *state, int64_t done, int64_t total);
/* Is the server shutting down? Then give up. */
bool zone_import_must_stop(struct zone_import *import);
/* The zone's import, or the removal of its leftovers, or "idle". From any thread. */
void zone_progress_get(struct zone_keeper *keeper, const struct zone_ref *zone, struct zone_progress *out);

#endif
