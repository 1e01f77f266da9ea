/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which histories a name server has served, and whether to follow the one that a control plane offers. It follows by
 * itself a history that has a lineage in common with what it has served. A store that it knows nothing about, and one
 * that it has left for another store, are not followed until an administrator says so. A name server that serves a
 * store counts as having served all ancestors of that store, because a backup may be older than everything that this
 * name server has seen itself.
 *
 * Threads: pure functions on memory of the caller.
 */
#ifndef VEER_DNSD_REPLICA_LINEAGES_H
#define VEER_DNSD_REPLICA_LINEAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "zones/model/history.h"

/* How many lineages are remembered: 64, and those of one whole ancestry; the oldest are dropped. */
#define LINEAGES_MAX (64 + HISTORY_LINEAGES_MAX)

struct lineages {
	size_t count;
	struct {
		char id[HISTORY_ID_SIZE];
		bool is_abandoned; /* another history was followed that does not contain it */
	} marks[LINEAGES_MAX];     /* in the order in which the lineages were first served */
};

enum lineages_judgement {
	LINEAGES_FOLLOW,
	LINEAGES_UNKNOWN,   /* the store has no lineage in common with what was served */
	LINEAGES_ABANDONED, /* the store goes on with a lineage that was left for another one: two stores with a
			     * common history are in use */
};

/*
 * May a store with this ancestry be followed without being told? A name server that has served nothing follows any
 * store.
 */
enum lineages_judgement lineages_judge(const struct lineages *lineages, const struct history_ancestry *ancestry);

/* Did an administrator restore or copy the store after everything that was served of it? */
bool lineages_are_confirmed(const struct lineages *lineages, const struct history_ancestry *ancestry);

/*
 * Was the present lineage of this ancestry served later than the lineage `id`? Then it is no news that its content has
 * diverged from what was served in `id`. An earlier lineage of the ancestry does not count: up to where it was served
 * is not known, and the store may have gone back behind that since. `ancestry` is not empty.
 */
bool lineages_have_moved_on(const struct lineages *lineages, const struct history_ancestry *ancestry, const char *id);

/*
 * A store with this ancestry is served now; all lineages outside it are marked as abandoned. True when something has
 * changed.
 */
bool lineages_serve(struct lineages *lineages, const struct history_ancestry *ancestry);
/* Note that the lineage was served, without saying anything about others. */
void lineages_add(struct lineages *lineages, const char *lineage);

#define LINEAGES_TEXT_MAX (LINEAGES_MAX * (HISTORY_ID_LEN + 16))
/* Print a line for each lineage, "LINEAGE served" or "LINEAGE abandoned", with its newline; returns the length. */
size_t lineages_print(const struct lineages *lineages, char out[LINEAGES_TEXT_MAX + 1]);
/* The inverse; lines of another form are skipped. */
void lineages_parse(const char *text, struct lineages *out);

#endif
