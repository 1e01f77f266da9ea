/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity of a store's history. A revision alone does not identify content: a store that was restored from a copy
 * goes on counting from an old number, and two copies count through the same numbers. So the store keeps its ancestry,
 * a list of lineages. Each lineage is a random id and the revision at which it begins, and each start of a control
 * plane appends one. The pair (lineage, revision) identifies the content.
 *
 * Threads: pure functions on memory of the caller.
 */
#ifndef VEER_ZONES_MODEL_HISTORY_H
#define VEER_ZONES_MODEL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "zones/model/digest.h"

#define HISTORY_ID_LEN 32 /* hex digits of a lineage's id and of a store's id */
#define HISTORY_ID_SIZE (HISTORY_ID_LEN + 1)
#define HISTORY_LINEAGES_MAX 256 /* in one ancestry; older ones are forgotten */

/* Why a lineage began. */
enum history_cause {
	HISTORY_CREATED, /* with the store */
	HISTORY_START,   /* a control plane started */
	HISTORY_REWIND,  /* the store was found at a lower revision than it had had */
	HISTORY_RESTORE, /* an administrator put a backup in the store's place */
	HISTORY_COPY,    /* an administrator made another store from a backup */
};

/* One stretch of the history: from `from_revision` up to the beginning of the next one, both included. */
struct history_lineage {
	char id[HISTORY_ID_SIZE];
	char store_id[HISTORY_ID_SIZE]; /* of the store when it began */
	int64_t from_revision;
	enum history_cause cause;
};

/* All lineages, the oldest first; the last one is the present one. */
struct history_ancestry {
	size_t count;
	struct history_lineage lineages[HISTORY_LINEAGES_MAX];
};

/* Identifies content: its lineage, its revision and its digest. Zeroed: none. */
struct history_position {
	char store_id[HISTORY_ID_SIZE];
	char lineage[HISTORY_ID_SIZE]; /* from a control plane without lineages: the store's id */
	int64_t revision;
	bool has_digest;
	struct digest_pair digest;
};

/* Is the text HISTORY_ID_LEN lower-case hex digits? */
bool history_is_id(const char *text);
/* A random id. Errors: VEER_EIO (no random bytes). */
VEER_MUST_CHECK enum veer_err history_draw_id(char out[HISTORY_ID_SIZE]) __attribute__((warn_unused_result));

/* The cause's name in files and streams. Static storage. */
const char *history_cause_text(enum history_cause cause);
/* The inverse; false when the text is not a cause. */
bool history_cause_parse(const char *text, enum history_cause *out);

/* Append a lineage; when the ancestry is full, the oldest one is forgotten. */
void history_append(struct history_ancestry *ancestry, const struct history_lineage *lineage);

/* The index of the newest lineage with this id, or `ancestry->count`. */
size_t history_find(const struct history_ancestry *ancestry, const char *id);

/*
 * Is the content (id, revision) a part of this history, whose newest revision is `head`? After a rewind no earlier
 * content is known to be a part of it, because revision numbers were given out twice, perhaps even before the rewind
 * was noticed.
 */
bool history_holds(const struct history_ancestry *ancestry, const char *id, int64_t revision, int64_t head);

/*
 * The lineage that identifies the content at `revision`: the newest one that begins there or before. "" when there is
 * none.
 */
const char *history_lineage_at(const struct history_ancestry *ancestry, int64_t revision);

/* [["LINEAGE","STORE_ID",FROM,"CAUSE"],…]; NULL when memory is out. The caller's. */
json_t *history_write(const struct history_ancestry *ancestry);
/* The inverse. Errors: VEER_EINVAL, with a diag. */
VEER_MUST_CHECK enum veer_err history_read(const json_t *array, struct history_ancestry *out, struct veer_diag *diag);

#endif
