/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which histories a name server has served, and whether to follow the one that a control plane offers. It follows by
 * itself what has a lineage in common with what it has served; a store that it knows nothing of, and one that it has
 * left for another, are not followed until somebody says so. Who serves a store has served all that the store descends
 * from: a backup may be older than all that this name server has seen itself.
 *
 * Threads: pure functions on memory of the caller.
 */
#ifndef VEER_DNSD_REPLICA_LINEAGES_H
#define VEER_DNSD_REPLICA_LINEAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "zones/model/history.h"

/* That are remembered: 64, and those of one whole ancestry; the oldest give way. */
#define LINEAGES_MAX (64 + HISTORY_LINEAGES_MAX)

struct lineages {
	size_t count;
	struct {
		char id[HISTORY_ID_SIZE];
		bool is_abandoned; /* another history was followed that does not contain it */
	} marks[LINEAGES_MAX];     /* in the order in which they were first served */
};

enum lineages_judgement {
	LINEAGES_FOLLOW,
	LINEAGES_UNKNOWN,   /* it has nothing in common with what was served */
	LINEAGES_ABANDONED, /* it goes on with a lineage that was left for another: two of them live */
};

/* May a store of this ancestry be followed without being told? Who has served nothing follows any. */
enum lineages_judgement lineages_judge(const struct lineages *lineages, const struct history_ancestry *ancestry);

/* Did an administrator put the store in its place (restore, copy) after all that was served of it? */
bool lineages_are_confirmed(const struct lineages *lineages, const struct history_ancestry *ancestry);

/*
 * Was a store of this ancestry served later than the lineage `id`, and has it not gone back since? Then it is no news
 * that its content has parted from what was served in `id`.
 */
bool lineages_have_moved_on(const struct lineages *lineages, const struct history_ancestry *ancestry, const char *id);

/* A store of this ancestry is served now; what is not of it is abandoned. True when something has changed. */
bool lineages_serve(struct lineages *lineages, const struct history_ancestry *ancestry);
/* It was served, with nothing known of others. */
void lineages_add(struct lineages *lineages, const char *lineage);

#define LINEAGES_TEXT_MAX (LINEAGES_MAX * (HISTORY_ID_LEN + 16))
/* "LINEAGE served\n" or "LINEAGE abandoned\n" each; returns its length. */
size_t lineages_print(const struct lineages *lineages, char out[LINEAGES_TEXT_MAX + 1]);
/* The inverse; lines that are none are left out. */
void lineages_parse(const char *text, struct lineages *out);

#endif
