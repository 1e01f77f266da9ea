/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The safety rule (S11): what people do must leave every policy something to answer with. One function judges drains,
 * endpoints that are forced down, sites that are taken out, maintenance windows and pools that change.
 *
 * A change is refused if, for some policy that uses a pool it concerns and for IPv4 or IPv6,
 *   - endpoints would be answered with if nobody had said anything, and all of them would be drained, forced down, or
 * at sites that are out; or
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

/* The endpoints of some pools, counted. */
struct safety_count {
	uint32_t all;      /* whatever anybody has said, and wherever they are */
	uint32_t at_in;    /* of these, at sites that are in before the change */
	uint32_t left;     /* neither drained nor forced down after the change, wherever they are */
	uint32_t left_in;  /* of these, at sites that are in after it */
	uint32_t eligible; /* before the change (design section 10) */
	uint32_t left_eligible;
};

/* What is to be judged. All of it is borrowed; leave out what does not change. */
struct safety_change {
	const struct strmap
		*taken_out; /* POOL/NAME that would be drained or forced down; each key's value is the key */
	const struct strmap *given_back; /* … that would not be any more, likewise */
	const struct model_pool *pool;   /* as it would be; its verdicts are not looked at */
	const char *site;                /* that would be out */
};

/* Whom a change would leave without endpoints. */
struct safety_loss {
	char policy[MODEL_NAME_MAX + 1]; /* "" for a pool that no policy uses */
	char pool[MODEL_NAME_MAX + 1];   /* the last pool of it that the change concerns */
	enum safety_family family;
};

/* The rule itself. `*family` is the one that is lost. */
bool safety_is_lost(const struct safety_count count[SAFETY_FAMILIES], enum safety_family *family);

/*
 * Judge a change. `force`: names of pools that may be emptied: what loses only by them is not refused. Errors:
 * VEER_EBUSY
 * (`*loss` is the first of them), VEER_ENOMEM. What it allocates lives in the arena.
 */
VEER_MUST_CHECK enum veer_err safety_judge(struct directory *directory, const struct safety_change *change,
					   const char *const *force, size_t force_count, struct arena *arena,
					   struct safety_loss *loss);

/* "the policy \"www\" would have nothing left to answer with (IPv4)", for people, in the arena; NULL without memory. */
const char *safety_text(const struct safety_loss *loss, struct arena *arena);

#endif
