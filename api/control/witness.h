/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file beside the store that remembers it (docs/formats.md, section 10): which store it was, and how far it had got.
 * It is kept apart from the database, so that a database that is lost or put back from a copy can be told from one that
 * has just begun.
 *
 * Threads: one at a time.
 */
#ifndef VEER_API_CONTROL_WITNESS_H
#define VEER_API_CONTROL_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "zones/store/store.h"

#define WITNESS_PATH_SIZE 4096

struct witness {
	char database[WITNESS_PATH_SIZE]; /* path of the database's file */
	char path[WITNESS_PATH_SIZE];     /* of the witness: "witness-NAME" beside it */
	char store_id[HISTORY_ID_SIZE];   /* "" when there is no witness */
	char lineage[HISTORY_ID_SIZE];
	int64_t revision; /* the newest that is known to have been */
	int fd;           /* for updates; -1: none yet */
};

/* Read what is remembered of the store at `url`. Errors: VEER_EINVAL (url), VEER_ERANGE (its path is too long). What
 * cannot be read is as if it were not there. Release with witness_close(). */
VEER_MUST_CHECK enum veer_err witness_open(const char *url, struct witness *out, struct veer_diag *diag);
void witness_close(struct witness *witness);

/* The database is not there, though something remembers it: making a new one would lose it without a word. */
bool witness_misses_store(const struct witness *witness);

/* Why the lineage of this start begins: HISTORY_REWIND if the store is not what it had become, else HISTORY_START. */
enum history_cause witness_judge(const struct witness *witness, struct store *store);

/* Remember the store as it is now, durably. Errors: those of file_write_atomic(). */
VEER_MUST_CHECK enum veer_err witness_write(struct witness *witness, struct store *store, struct veer_diag *diag);
/* It has got to `revision`; cheap, and durable only when the kernel has come to it. */
void witness_advance(struct witness *witness, int64_t revision);

#endif
