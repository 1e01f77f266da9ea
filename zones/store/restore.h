/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replacing a store that nobody has open by a backup. The backup becomes another store, with an id and a lineage of its
 * own, and the old store is kept under another name.
 *
 * Threads: one.
 */
#ifndef VEER_ZONES_STORE_RESTORE_H
#define VEER_ZONES_STORE_RESTORE_H

#include "zones/store/store.h"

#define RESTORE_PATH_SIZE 4096
#define RESTORE_KEYS_MAX 20 /* keys that are listed; more are only counted */

/* How the backup differs from the store that it replaces. */
struct restore_loss {
	bool is_known; /* there was a store, and it could be read */
	int64_t backup_revision;
	int64_t store_revision; /* revision of the old store */
	uint64_t lost;          /* objects that the backup does not have */
	uint64_t older;         /* objects that it has with another value */
	uint64_t back;          /* objects that only the backup has: they had been deleted since */
	size_t key_count;
	char keys[RESTORE_KEYS_MAX][256]; /* "KIND KEY: lost", … */
	char kept[RESTORE_PATH_SIZE];     /* where the old store is now; "" when there was none */
	char store_id[HISTORY_ID_SIZE];   /* the id of the new store */
};

/*
 * Put the backup `file` in the place of the store at `url`. `cause`: HISTORY_RESTORE or HISTORY_COPY. Everything is
 * first prepared beside the store and checked; the replacement itself is two renames. Errors: VEER_EBUSY (veer-api
 * runs), VEER_ECORRUPT (the file is not a backup), VEER_EUNSUPPORTED (made by a newer program), VEER_ENOTFOUND,
 * VEER_ESPACE, VEER_EIO; the diag says what, and the store is as it was.
 */
VEER_MUST_CHECK enum veer_err store_restore(const char *url, const char *file, enum history_cause cause,
					    struct restore_loss *out, struct veer_diag *diag);

#endif
