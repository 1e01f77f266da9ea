/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing overrides under the safety rule (api/control/safety.h), which the writer can override by naming a pool. All
 * writes of overrides, pools, policies and sites use one guard, an object that such a commit either changes, or has as
 * its condition. So of two commits that together would empty a policy, the second one fails, even on another control
 * plane.
 *
 * Threads: any; the store and the directory allow it.
 */
#ifndef VEER_API_CONTROL_OVERRIDES_H
#define VEER_API_CONTROL_OVERRIDES_H

#include <stdbool.h>

#include "api/control/directory.h"
#include "api/control/safety.h"
#include "zones/model/model.h"
#include "zones/store/store.h"

#define OVERRIDES_TRIES 8    /* how often a commit is tried when other writers interfere */
#define OVERRIDES_AT_ONCE 40 /* overrides in one commit, which also contains the conditions on their pools */

/* An action to write for several endpoints. Borrowed. */
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
	int64_t expect; /* condition on the override of each endpoint, as for a store_op; STORE_ABSENT: none of them has
			   one */
	int64_t election_revision; /* 0: no condition; otherwise a condition on the controller's election */
};

/*
 * Judge the wish by the directory, and put its operations into `ops` (STORE_COMMIT_OPS_MAX; they live in the arena).
 * Errors: VEER_ENOTFOUND, VEER_EBUSY as below; VEER_ELIMIT, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err overrides_draft(struct directory *directory, const struct override_wish *wish,
					      struct arena *arena, struct store_op *ops, size_t *count,
					      struct safety_loss *loss, struct veer_diag *diag);

/*
 * For the controller, which writes under its election: draft the wish and commit it; `*revision` is that of the commit.
 * Errors: VEER_ENOTFOUND (the diag names an endpoint that does not exist), VEER_EBUSY (the safety rule forbids it, so
 * nothing is written; `*loss` and the diag say what would be lost), VEER_ECONFLICT (other writers interfered again and
 * again, or `expect` does not hold), and those of store_commit().
 */
VEER_MUST_CHECK enum veer_err overrides_put(struct store *store, struct directory *directory,
					    const struct override_wish *wish, struct arena *arena, int64_t *revision,
					    struct safety_loss *loss, struct veer_diag *diag);

/*
 * What would the safety rule say about draining all of these together (POOL/NAME, any number)? The directory's read
 * lock is held. Errors as safety_judge().
 */
VEER_MUST_CHECK enum veer_err overrides_judge(struct directory *directory, const char *const *endpoints, size_t count,
					      const char *const *force, size_t force_count, struct arena *arena,
					      struct safety_loss *loss);

/*
 * Make the operation that puts one endpoint's override, for a transaction of the caller, who is responsible for the
 * safety rule. `endpoint` is borrowed, the value lives in the arena. False when memory is out.
 */
bool overrides_put_op(const struct override_wish *wish, const char *endpoint, int64_t expect, struct arena *arena,
		      struct store_op *op);

/*
 * What does the safety rule say about storing this `pool` (`force`: NULL, or the name of a pool that may be emptied)?
 * Fills in the condition under which the answer still holds at commit time, which must be added to the transaction that
 * puts the pool. Errors as safety_judge().
 */
VEER_MUST_CHECK enum veer_err overrides_judge_pool(struct directory *directory, const struct model_pool *pool,
						   const char *force, struct arena *arena, struct store_op *guard,
						   struct safety_loss *loss);
/* The same for taking a site out; `*guard` changes the guard, so that drains that were judged without it fail. */
VEER_MUST_CHECK enum veer_err overrides_judge_site(struct directory *directory, const char *site, bool is_forced,
						   struct arena *arena, struct store_op *guard,
						   struct safety_loss *loss);
/*
 * Make the operation that changes the guard, for other writes that affect what is left. The read lock is held. False:
 * memory is out.
 */
bool overrides_raise_guard(struct directory *directory, struct arena *arena, struct store_op *op);

#endif
