/* SPDX-License-Identifier: Apache-2.0 */
/* When to ask for a full state for the disk's sake. See renewal.h. */
#include "dnsd/replica/renewal.h"

static int64_t pause_of(const struct renewal *r)
{
	return r->pause_ms > 0 ? r->pause_ms : RENEWAL_PAUSE_MS;
}

bool renewal_is_due(struct renewal *renewal, bool needs_base, bool (*has_room)(void *ctx), void *ctx, int64_t now_ms)
{
	if (!needs_base) {
		/* if the disk takes a base but fails again soon, the pauses must not become short again */
		if (renewal->pause_ms > 0 && now_ms - renewal->tried_ms > renewal->pause_ms)
			renewal->pause_ms = 0;
		renewal->is_behind = false;
		return false;
	}
	if (!renewal->is_behind) {
		renewal->is_behind = true;
		renewal->due_ms = now_ms + pause_of(renewal);
	}
	if (now_ms < renewal->due_ms)
		return false;
	if (!has_room(ctx)) {
		renewal->due_ms = now_ms + RENEWAL_ROOM_MS;
		return false;
	}
	renewal->tried_ms = now_ms;
	renewal->pause_ms = 2 * pause_of(renewal);
	if (renewal->pause_ms > RENEWAL_PAUSE_MAX_MS)
		renewal->pause_ms = RENEWAL_PAUSE_MAX_MS;
	renewal->due_ms = now_ms + renewal->pause_ms;
	return true;
}
