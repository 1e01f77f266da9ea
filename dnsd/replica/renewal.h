/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a full state is asked for only because the plan on disk needs a base. While one comes in, no change is visible,
 * so a disk that stays full or broken must not have it asked for again and again.
 *
 * Threads: none of its own; time is passed in, ms on the monotonic clock.
 */
#ifndef VEER_DNSD_REPLICA_RENEWAL_H
#define VEER_DNSD_REPLICA_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#define RENEWAL_PAUSE_MS 30000       /* from the need to the first try: perhaps the base is being written */
#define RENEWAL_PAUSE_MAX_MS 3600000 /* between tries; it doubles up to this */
#define RENEWAL_ROOM_MS 1000         /* how often the disk is asked whether it has room */

struct renewal {
	bool is_behind;   /* the disk needs a base */
	int64_t due_ms;   /* when to try, or to look for room again */
	int64_t tried_ms; /* the last try */
	int64_t pause_ms; /* after it; 0: there was none */
};

/*
 * Is it time? `needs_base` is what the disk says now; `has_room` (with `ctx`) is called only when nothing else stands
 * in the way. True counts as a try.
 */
bool renewal_is_due(struct renewal *renewal, bool needs_base, bool (*has_room)(void *ctx), void *ctx, int64_t now_ms);

#endif
