/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a backup in the place of a store that nobody has open: it becomes another store, with an id and a lineage of
 * its own, and what was there is kept aside.
 *
 * Threads: one.
 */
#ifndef VEER_ZONES_STORE_RESTORE_H
#define VEER_ZONES_STORE_RESTORE_H

#include "zones/store/store.h"

#define RESTORE_PATH_SIZE 4096
#define RESTORE_KEYS_MAX 20 /* that are named; more are counted */

/* How the backup differs from the store that it takes the place of. */
struct restore_loss {
	bool is_known; /* there was a store, and it could be read */
	int64_t backup_revision;
	int64_t store_revision; /* of the store that was there */
	uint64_t lost;          /* objects that the backup does not have */
	uint64_t older;         /* that it has with another value */
	uint64_t back;          /* that only the backup has: they had been deleted */
	size_t key_count;
	char keys[RESTORE_KEYS_MAX][256]; /* "KIND KEY: lost", … */
	char kept[RESTORE_PATH_SIZE];     /* where the store that was there is now; "" for nowhere */
	char store_id[HISTORY_ID_SIZE];   /* the new one */
};

/*
 * Put the backup `file` in the place of the store at `url`. `cause`: HISTORY_RESTORE or HISTORY_COPY. Everything is
 * made beside it and checked first; the change itself is two renames. Errors: VEER_EBUSY (veer-api runs), VEER_ECORRUPT
 * (the file is no backup), VEER_EUNSUPPORTED (of a newer program), VEER_ENOTFOUND, VEER_ESPACE, VEER_EIO; the diag says
 * what, and the store is as it was.
 */
VEER_MUST_CHECK enum veer_err store_restore(const char *url, const char *file, enum history_cause cause,
					    struct restore_loss *out, struct veer_diag *diag);

#endif
