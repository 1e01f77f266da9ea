/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The safety rule (S11): whatever people change, every policy must keep endpoints to answer with. One function judges
 * drains, endpoints that are forced down, sites that are taken out, maintenance windows and pools that change.
 *
 * A change is refused if, for some policy that uses a pool it concerns and for IPv4 or IPv6,
 *   - there are endpoints that it would use without any overrides, and all of them would be drained, forced down, or
 *     at sites that are out; or
 *   - endpoints are eligible now, and none would be afterwards (the last site that works is not taken out).
 * A pool that no policy uses is judged alone, except when a site is taken out. The fallback pool of `when_all_down`
 * does not count: it is a last resort. Host names count for both families.
 *
 * Threads: safety_is_lost() is pure; the others read a directory under its read lock, which the caller holds.
 */
#ifndef VEER_API_CONTROL_SAFETY_H
#define VEER_API_CONTROL_SAFETY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/control/directory.h"
#include "base/strmap.h"
#include "zones/model/model.h"

enum safety_family { SAFETY_IPV4, SAFETY_IPV6, SAFETY_FAMILIES };

/* Counts of the endpoints of some pools. */
struct safety_count {
	uint32_t all;      /* regardless of overrides and sites */
	uint32_t at_in;    /* of `all`, those at sites that are in before the change */
	uint32_t left;     /* neither drained nor forced down after the change, regardless of their sites */
	uint32_t left_in;  /* of `left`, those at sites that are in after the change */
	uint32_t eligible; /* before the change (design section 10) */
	uint32_t left_eligible;
};

/* The change to judge. All of it is borrowed; what does not change is left out. */
struct safety_change {
	const struct strmap *taken_out; /* POOL/NAME of endpoints that would be drained or forced down; each key's value
					   is the key */
	const struct strmap *given_back; /* endpoints that would no longer be drained or forced down, likewise */
	const struct model_pool *pool;   /* the pool as it would be; its verdicts are not considered */
	const char *site;                /* the site that would be out */
};

/* What a change would leave without endpoints. */
struct safety_loss {
	char policy[MODEL_NAME_MAX + 1]; /* "" for a pool that no policy uses */
	char pool[MODEL_NAME_MAX + 1];   /* the last pool of the policy that the change concerns */
	enum safety_family family;
};

/* Apply the rule itself. `*family` is the one that would be lost. */
bool safety_is_lost(const struct safety_count count[SAFETY_FAMILIES], enum safety_family *family);

/*
 * Judge a change. `force`: names of pools that may be emptied: a policy that loses its endpoints only because of them
 * does not count. Errors: VEER_EBUSY (`*loss` is the first loss), VEER_ENOMEM. What it allocates lives in the arena.
 */
VEER_MUST_CHECK enum veer_err safety_judge(struct directory *directory, const struct safety_change *change,
					   const char *const *force, size_t force_count, struct arena *arena,
					   struct safety_loss *loss);

/*
 * "the policy \"www\" would have nothing left to answer with (IPv4)", for people, in the arena; NULL when memory is
 * out.
 */
const char *safety_text(const struct safety_loss *loss, struct arena *arena);

#endif
