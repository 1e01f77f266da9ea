/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan builder: takes the objects of the feed (or RRsets of zone files) one by one, and makes the next plan of them
 * at each commit. Only what depends on a change is rebuilt: a changed RRset costs a path copy in its zone; a changed
 * verdict, site, pool or policy recompiles the policies that depend on it, which are found by reverse indexes.
 *
 * Ownership: the builder owns everything that its newest plan reaches. At a commit it hands out a retire list of memory
 * that only earlier plans reach; release it when no reader can have such a plan (dnsd/serve/rcu.h). Freeing the builder
 * releases the newest plan too.
 *
 * Objects that do not parse are refused one by one: the call fails, and the builder keeps the object that it had under
 * that key.
 *
 * Threads: a builder belongs to one thread.
 */
#ifndef VEER_ZONES_PLAN_PLAN_BUILD_H
#define VEER_ZONES_PLAN_PLAN_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "zones/dns/retire.h"
#include "zones/dns/rrset.h"
#include "zones/model/model.h"
#include "zones/plan/plan.h"

struct plan_builder;

/* Make an empty builder. NULL when memory is out. The caller frees it when no reader has its newest plan. */
struct plan_builder *plan_builder_new(void);
/* Free the builder; no reader may have one of its plans any more. `*builder` may be NULL. */
void plan_builder_free(struct plan_builder **builder);

/*
 * Put an object, in the form of the plan on disk (docs/formats.md, section 7): `value` is the object's JSON, but for an
 * RRset 'w' and its wire form or 'p' and the name of its policy. Kinds that are not fed are ignored.
 * Errors: VEER_EINVAL, VEER_ERANGE (diag says what is wrong), VEER_ENOMEM. After an error the builder keeps the object
 * that it had.
 */
VEER_MUST_CHECK enum veer_err plan_builder_put(struct plan_builder *builder, enum model_kind kind, const char *key,
					       size_t key_len, const uint8_t *value, size_t value_len,
					       struct veer_diag *diag);

/* The same for an object that is parsed already (borrowed for the call). RRsets are ignored. */
VEER_MUST_CHECK enum veer_err plan_builder_put_object(struct plan_builder *builder, enum model_kind kind,
						      const char *key, size_t key_len, const json_t *object,
						      struct veer_diag *diag);

/* Remove an object; no error when it is not there. Errors: VEER_EINVAL (the key), VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err plan_builder_del(struct plan_builder *builder, enum model_kind kind, const char *key,
					       size_t key_len, struct veer_diag *diag);

/* Put an RRset (checked, at or below `zone`) into a version of a zone, visible or not. Errors: VEER_ENOMEM,
 * VEER_ERANGE. */
VEER_MUST_CHECK enum veer_err plan_builder_put_rrset(struct plan_builder *builder, const uint8_t *zone,
						     uint64_t version, const struct rrset_view *rrset);
/* Make `version` of `name` (lower case) the visible one. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err plan_builder_show_zone(struct plan_builder *b, const uint8_t *name, uint64_t version);
/* Stop serving the zone; its RRsets stay. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err plan_builder_hide_zone(struct plan_builder *b, const uint8_t *name);
/*
 * Remove all RRsets of one version of a zone. The cost of releasing them grows with their number. Errors: VEER_ENOMEM.
 */
enum veer_err plan_builder_drop_version(struct plan_builder *builder, const uint8_t *zone, uint64_t version);

/* Use these locations from the next commit on. Takes `geo` (may be NULL) on success. Errors: VEER_ENOMEM. */
enum veer_err plan_builder_set_geo(struct plan_builder *builder, struct geo_table *geo);
/*
 * Take the locations away from this builder, to use them in another one; the plans made so far go on using them. The
 * result may be NULL.
 */
struct geo_table *plan_builder_take_geo(struct plan_builder *builder);

/*
 * Give zones their numbers from `numbers` (borrowed); without this call they have none. Call it before the first zone.
 */
void plan_builder_set_numbers(struct plan_builder *builder, struct zone_numbers *numbers);

/*
 * These endpoints (POOL/NAME, borrowed), and no others, are in doubt from the next commit on: answers with one of them
 * carry the policies' `ttl_suspect`. `*changed` says whether the set is different now. Errors: VEER_ENOMEM: a part of
 * the set may be in force; the next successful call corrects it.
 */
VEER_MUST_CHECK enum veer_err plan_builder_set_doubt(struct plan_builder *builder, const char *const *endpoints,
						     size_t count, bool *changed);

/*
 * Set whether all endpoints are in doubt from the next commit on, because a saved plan may be out of date. Errors:
 * VEER_ENOMEM: some policies keep their TTL until they are compiled for another reason.
 */
enum veer_err plan_builder_set_all_in_doubt(struct plan_builder *builder, bool are_in_doubt);

/* Set the id of the store that the plans come from; "" for none. */
void plan_builder_set_store_id(struct plan_builder *builder, const char *store_id);
/* Set the lineage of the plans, from the next plan on. */
void plan_builder_set_lineage(struct plan_builder *builder, const char *lineage);

/*
 * Make the plan of everything put so far. `*plan` is the builder's and stays valid until the caller releases the retire
 * list of a later commit. What only earlier plans reach is appended to `retired`.
 * Errors: VEER_ENOMEM: no plan was made and the newest one stays; the next commit includes these changes.
 */
VEER_MUST_CHECK enum veer_err plan_builder_commit(struct plan_builder *builder, int64_t revision,
						  const struct plan **plan, struct retire_list *retired);

/* The newest plan, or NULL before the first commit. */
const struct plan *plan_builder_newest(const struct plan_builder *builder);

/*
 * Compile this policy even if no RRset is bound to it, until plan_builder_unwant(); it need not exist yet. For callers
 * that want to see what it answers. Call at most once for each policy. Errors: VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err plan_builder_want(struct plan_builder *builder, const char *policy);
/* Undo plan_builder_want(). */
void plan_builder_unwant(struct plan_builder *builder, const char *policy);
/*
 * The program of a wanted (or bound) policy as of the last commit, NULL when it does not exist. Borrowed until the next
 * commit's retire list is released.
 */
const struct policy_program *plan_builder_program(const struct plan_builder *builder, const char *policy,
						  enum plan_bound bound);

/* Numbers for tests and metrics. */
struct plan_builder_stats {
	size_t sites;
	size_t pools;
	size_t policies;
	size_t zones;      /* visible ones */
	size_t versions;   /* of zones, with at least one RRset */
	size_t rrsets;     /* in all versions */
	size_t slots;      /* of the policy table in use */
	uint64_t compiled; /* policies compiled since the builder was made */
};
/* Get the present numbers. */
void plan_builder_stats(const struct plan_builder *builder, struct plan_builder_stats *out);

#endif
