/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a transition after its commit: when it was fed, and when each name server had it and answered from
 * it. Kept in memory, for the newest of them, by the control plane that committed it; merged with what the store has
 * when somebody asks.
 *
 * Times are microseconds on this process's monotonic clock. Threads: all functions may be called from any thread.
 */
#ifndef VEER_API_CONTROL_TRAIL_H
#define VEER_API_CONTROL_TRAIL_H

#include <stdint.h>

#include "base/json.h"

#define TRAIL_REVISIONS_MAX 256    /* commits with transitions that are remembered */
#define TRAIL_TRANSITIONS_MAX 4096 /* transitions in them */
#define TRAIL_SERVERS_MAX 1024     /* name servers for one commit */
#define TRAIL_ID_SIZE 32

struct trail;

/* NULL when memory is out. Caller frees. */
struct trail *trail_new(void);
void trail_free(struct trail **trail);

/* The transition `id`, whose first observation was at `base_us`, was committed as `revision`. */
void trail_committed(struct trail *trail, const char *id, int64_t base_us, int64_t revision, int64_t committed_us);
/* The commit `revision` holds transitions and is about to be fed. */
void trail_fed(struct trail *trail, int64_t revision, int64_t fed_us);
/* The name server had received `revision` at `received_us`, and all its workers answered from it at `applied_us`. */
void trail_applied(struct trail *trail, const char *server, const char *name, int64_t revision, int64_t received_us,
		   int64_t applied_us);
/*
 * Add what is known to a stored transition: "committed_us" and "fed_us" in its "steps", and "nameservers", all from its
 * first observation on. Nothing when it is not remembered.
 */
void trail_merge(struct trail *trail, json_t *transition);

#endif
