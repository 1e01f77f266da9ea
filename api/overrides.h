/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing overrides under the safety rule (S11): no commit may leave a pool without an endpoint that is neither drained
 * nor forced down, unless its writer names the pool. Everybody who writes overrides or pools does it under one guard,
 * an object that each such commit raises on the condition that it is as it was read: of two that together would empty a
 * pool, the second one fails, on whichever control plane it is.
 *
 * Threads: any; the store and the directory are.
 */
#ifndef VEER_API_OVERRIDES_H
#define VEER_API_OVERRIDES_H

#include <stdbool.h>

#include "api/directory.h"
#include "zones/model.h"
#include "zones/store/store.h"

#define OVERRIDES_AT_ONCE 40 /* in one commit, with the conditions on their pools */

/* What is to be written: one action for several endpoints. Borrowed. */
struct override_wish {
	const char *const *endpoints; /* POOL/NAME, at most OVERRIDES_AT_ONCE, each once */
	size_t count;
	enum model_override_action action;
	const char *owner;
	const char *reason;
	const char *source;       /* "maintenance/NAME"; NULL: by hand */
	const char *expires_at;   /* RFC 3339; NULL: never */
	const char *created_at;   /* RFC 3339 */
	const char *const *force; /* pools that may be emptied */
	size_t force_count;
	int64_t expect; /* of the one endpoint's override, when count is 1: as for a store_op; else STORE_ANY, or
			 * STORE_ABSENT: of none of them anything must have been said */
	int64_t election_revision; /* 0: none; otherwise a condition on the controller's election */
};

/*
 * Commit the wish; `*revision` is its revision. Errors: VEER_ENOTFOUND (the diag names an endpoint that is not there),
 * VEER_EBUSY (would empty the pool that the diag names: nothing is written), VEER_ECONFLICT (somebody was faster,
 * again and again, or `expect` does not hold), and those of store_commit().
 */
enum veer_err overrides_put(struct store *store, struct directory *directory, const struct override_wish *wish,
			    struct arena *arena, int64_t *revision, struct veer_diag *diag);

/*
 * The put of one endpoint's override as wished, for a transaction of the caller's, who answers for the safety rule.
 * `endpoint` is borrowed, the value in the arena. False when memory is out.
 */
bool overrides_put_op(const struct override_wish *wish, const char *endpoint, int64_t expect, struct arena *arena,
		      struct store_op *op);

/*
 * Would a pool be without endpoints, if it were as `pool` says, under the overrides there are? Fills the condition
 * under which the answer holds at commit time, to be added to the pool's own transaction. `*guard` must have one place.
 */
bool overrides_would_empty(struct directory *directory, const struct model_pool *pool, struct store_op *guard);

#endif
