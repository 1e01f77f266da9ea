/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to ask for a full state only because the plan on disk needs a base. While a full state comes in, changes do not
 * take effect, so it must not be requested again and again for a disk that stays full or broken.
 *
 * Threads: pure functions; the time is passed in, in ms on the monotonic clock.
 */
#ifndef VEER_DNSD_REPLICA_RENEWAL_H
#define VEER_DNSD_REPLICA_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#define RENEWAL_PAUSE_MS 30000       /* from the need to the first attempt: perhaps a base is being written just now */
#define RENEWAL_PAUSE_MAX_MS 3600000 /* the longest pause between attempts; the pause doubles up to this */
#define RENEWAL_ROOM_MS 1000         /* how often the disk is asked whether it has room */

struct renewal {
	bool is_behind;   /* the disk needs a base */
	int64_t due_ms;   /* when to make an attempt, or to look for room again */
	int64_t tried_ms; /* when the last attempt was made */
	int64_t pause_ms; /* the pause after that attempt; 0: there was none */
};

/*
 * Is it time to ask for a full state? `needs_base` is the present state of the disk; `has_room` (with `ctx`) is called
 * only when all other conditions are met. A result of true counts as an attempt.
 */
bool renewal_is_due(struct renewal *renewal, bool needs_base, bool (*has_room)(void *ctx), void *ctx, int64_t now_ms);

#endif
