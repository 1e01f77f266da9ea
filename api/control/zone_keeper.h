/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps track of the versions of zones: which numbers are free, and which import is writing which version and how far
 * it is. It also removes RRsets that no zone object makes visible (left by an import, by a deleted zone, or by a crash
 * of either).
 *
 * Why nothing visible is ever removed: the keeper removes a piece (100 RRsets) under the lock under which version
 * numbers are assigned, after it has seen that no import is writing this version and that the zone object in the store
 * names another version or does not exist. An assigned number is always above all numbers that still have RRsets.
 *
 * Threads: all functions may be called from any thread, except where stated.
 */
#ifndef VEER_API_CONTROL_ZONE_KEEPER_H
#define VEER_API_CONTROL_ZONE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/control/zone_data.h"

#define ZONE_IMPORTS_MAX 2 /* at once, because they use worker threads, which others need too */

struct zone_keeper;
struct zone_import; /* an import in progress */

/*
 * Make a keeper and start its thread, which removes earlier leftovers. NULL when memory or threads are out. `store` and
 * `log` are borrowed.
 */
struct zone_keeper *zone_keeper_new(struct store *store, struct logger *log);
/* Accept no new imports, and make running ones give up: for the shutdown, before waiting for the workers. */
void zone_keeper_stop(struct zone_keeper *keeper);
/* Free the keeper. Nobody may use it any more. Sets the caller's pointer to NULL. */
void zone_keeper_free(struct zone_keeper **keeper);

/* Look for RRsets that have become invisible and remove them, in the background. */
void zone_keeper_wake(struct zone_keeper *keeper);

/*
 * Assign the number of the version of a zone that is about to be made. Nothing of the zone is removed, and no other
 * number is assigned, until zone_keeper_allotted(), which the same thread must call after the commit or its failure.
 * Errors: VEER_EIO, VEER_ENOMEM; then zone_keeper_allotted() must not be called.
 */
VEER_MUST_CHECK enum veer_err zone_keeper_allot(struct zone_keeper *keeper, const struct zone_ref *zone,
						int64_t *version);
void zone_keeper_allotted(struct zone_keeper *keeper);

/*
 * Begin an import into `zone`. Ownership: `*out` must be given back with zone_import_end().
 * Errors: VEER_EBUSY (an import of this zone is running), VEER_ELIMIT (ZONE_IMPORTS_MAX are running), VEER_ECLOSED
 * (shutting down).
 */
VEER_MUST_CHECK enum veer_err zone_import_begin(struct zone_keeper *keeper, const struct zone_ref *zone,
						struct zone_import **out);
/*
 * Assign the number of the new version to write; earlier leftovers of the zone are removed first. Errors: VEER_EIO,
 * VEER_ECLOSED …
 */
VEER_MUST_CHECK enum veer_err zone_import_allocate(struct zone_import *import, int64_t *version);
/* End an import, whether its version was made visible or not; invisible RRsets will be removed. */
void zone_import_end(struct zone_import **import);

/* What an import is doing. `state` is of static storage. */
struct zone_progress {
	const char *state; /* "parsing", "writing", "cleaning", "idle" */
	int64_t done;      /* RRsets */
	int64_t total;     /* RRsets; 0: not known */
};
/* Report the progress of an import, in numbers of RRsets as in struct zone_progress. */
void zone_import_progress(struct zone_import *import, const char *state, int64_t done, int64_t total);
/* Is the server shutting down? Then the import must give up. */
bool zone_import_must_stop(struct zone_import *import);
/* The progress of the zone's import, or of the removal of its leftovers, or "idle". From any thread. */
void zone_progress_get(struct zone_keeper *keeper, const struct zone_ref *zone, struct zone_progress *out);

#endif
