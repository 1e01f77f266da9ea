/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file beside the store that records which store it was, and which revision it had reached (docs/formats.md, section
 * 10). It is separate from the database, so that a database that was lost or replaced by an old copy can be told apart
 * from a new one.
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
	int64_t revision; /* the newest revision that is known to have existed */
	int fd;           /* for updates; -1: none yet */
};

/*
 * Read what is recorded about the store at `url`. A file that cannot be read counts as missing. Release with
 * witness_close(). Errors: VEER_EINVAL (url), VEER_ERANGE (its path is too long).
 */
VEER_MUST_CHECK enum veer_err witness_open(const char *url, struct witness *out, struct veer_diag *diag);
void witness_close(struct witness *witness);

/* Is the database missing although a file records it? Then making a new one would silently lose it. */
bool witness_misses_store(const struct witness *witness);

/* Why this start begins a lineage: HISTORY_REWIND if the store has gone back, otherwise HISTORY_START. */
enum history_cause witness_judge(const struct witness *witness, struct store *store);

/* Record the present state of the store, durably. Errors: those of file_write_atomic(). */
VEER_MUST_CHECK enum veer_err witness_write(struct witness *witness, struct store *store, struct veer_diag *diag);
/* Record that the store has reached `revision`; cheap, and durable only after the kernel has written it. */
void witness_advance(struct witness *witness, int64_t revision);

#endif
