/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of objects, and what is true of all objects of a kind. All of it is in one table (kind.c). Code that treats
 * kinds differently must ask here, for one kind or for the set of all kinds with a property. The order of the numbers
 * has no meaning.
 *
 * A kind without a row does not compile, nor does a row that leaves out a column.
 *
 * Threads: pure functions.
 */
#ifndef VEER_ZONES_MODEL_KIND_H
#define VEER_ZONES_MODEL_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The numbers are those that the store and the plan on disk use (docs/formats.md, section 7): a kind keeps its number
 * for ever, and no number is reused.
 */
enum model_kind {
	MODEL_KIND_NONE = 0,
	MODEL_KIND_SITE = 1,
	MODEL_KIND_POOL = 2,
	MODEL_KIND_POLICY = 3,
	MODEL_KIND_ZONE = 4,
	MODEL_KIND_RRSET = 5,
	MODEL_KIND_VERDICT = 6,
	MODEL_KIND_LAST = 7, /* the last set of a pool: what it answered while it still had eligible endpoints */
	MODEL_KIND_CHECK = 8,
	MODEL_KIND_AGENT = 9,
	MODEL_KIND_NAMESERVER = 10,
	MODEL_KIND_ENROLMENT = 11,
	MODEL_KIND_TOKEN = 12,
	MODEL_KIND_META = 13, /* the control plane's own data: election, pointers */
	MODEL_KIND_OVERRIDE = 14,
	MODEL_KIND_MAINTENANCE = 15,
	MODEL_KIND_SETTINGS = 16,
	MODEL_KIND_TRANSITION = 17, /* history: there are many, and only the store keeps them */
	MODEL_KIND_COUNT
};

/* How many kinds are fed to name servers. The plan builder has a row for each. */
enum { MODEL_KINDS_FED = 8 };

/* Content is what people and tools write; state is what the control plane finds out and decides. */
enum model_kind_part { MODEL_PART_CONTENT = 1, MODEL_PART_STATE };
/* Are objects of the kind fed to name servers? */
enum model_kind_feeding { MODEL_FEEDING_NO = 1, MODEL_FEEDING_YES };
/* Does the control plane keep all objects in memory (api/control/directory.h), or are there too many? */
enum model_kind_mirroring { MODEL_MIRRORING_NO = 1, MODEL_MIRRORING_YES };
/* When people take the content back to an earlier revision, does it go back too? */
enum model_kind_rollback { MODEL_ROLLBACK_NO = 1, MODEL_ROLLBACK_YES };
/* Can a deletion be undone? */
enum model_kind_undeletion { MODEL_UNDELETION_NO = 1, MODEL_UNDELETION_YES };

/* One row of the table. */
struct model_kind_row {
	const char *text; /* "site": the name in streams, messages and digests */
	enum model_kind_part part;
	enum model_kind_feeding feeding;
	enum model_kind_mirroring mirroring;
	const char *secret; /* the member that must not appear in any reply; "" when there is none */
	enum model_kind_rollback rollback;
	enum model_kind_undeletion undeletion;
	const char *capability; /* the token scope that allows writing it; "" when only the control plane writes it */
};

/* The row of a kind; NULL for a number that is not a kind's. Static storage. */
const struct model_kind_row *model_kind_row(enum model_kind kind);

/* A set of kinds. */
struct model_kinds {
	uint64_t bits;
};

/* Every kind. */
struct model_kinds model_kinds_all(void);
/* The kinds that are fed to name servers. */
struct model_kinds model_kinds_fed(void);
/* The kinds that the control plane keeps in memory. */
struct model_kinds model_kinds_mirrored(void);
/* A set of the given kinds. */
struct model_kinds model_kinds_of(const enum model_kind *kinds, size_t count);
/* The union of both sets. */
struct model_kinds model_kinds_either(struct model_kinds a, struct model_kinds b);
/* The intersection of both sets. */
struct model_kinds model_kinds_common(struct model_kinds a, struct model_kinds b);
/* Is the set empty? */
bool model_kinds_are_none(struct model_kinds kinds);
/* Is the kind in the set? False for a number that is not a kind's. */
static inline bool model_kinds_have(struct model_kinds kinds, enum model_kind kind)
{
	return (unsigned)kind < MODEL_KIND_COUNT && (kinds.bits >> kind & 1) != 0;
}

/* Is the number a kind's? */
bool model_kind_is_known(enum model_kind kind);
/* Are objects of this kind fed to name servers? */
bool model_kind_is_fed(enum model_kind kind);
/* Does it belong to the part of the feed that is called state? */
bool model_kind_is_state(enum model_kind kind);

/* "site", "pool" and so on; "none" for a number that is not a kind's. Static storage. */
const char *model_kind_text(enum model_kind kind);
/* The inverse of model_kind_text(); MODEL_KIND_NONE for an unknown name. */
enum model_kind model_kind_from_text(const char *text);

#endif
