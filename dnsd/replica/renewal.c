/* SPDX-License-Identifier: Apache-2.0 */
/* When to ask for a full state for the disk's sake. See renewal.h. */
#include "dnsd/replica/renewal.h"

static int64_t pause_of(const struct renewal *r)
{
	return r->pause_ms > 0 ? r->pause_ms : RENEWAL_PAUSE_MS;
}

bool renewal_is_due(struct renewal *r, bool needs_base, bool (*has_room)(void *ctx), void *ctx, int64_t now_ms)
{
	if (!needs_base) {
		/* a base that the disk takes, only to fail soon after, is no reason to begin anew with short pauses */
		if (r->pause_ms > 0 && now_ms - r->tried_ms > r->pause_ms)
			r->pause_ms = 0;
		r->is_behind = false;
		return false;
	}
	if (!r->is_behind) {
		r->is_behind = true;
		r->due_ms = now_ms + pause_of(r);
	}
	if (now_ms < r->due_ms)
		return false;
	if (!has_room(ctx)) {
		r->due_ms = now_ms + RENEWAL_ROOM_MS;
		return false;
	}
	r->tried_ms = now_ms;
	r->pause_ms = 2 * pause_of(r);
	if (r->pause_ms > RENEWAL_PAUSE_MAX_MS)
		r->pause_ms = RENEWAL_PAUSE_MAX_MS;
	r->due_ms = now_ms + r->pause_ms;
	return true;
}
