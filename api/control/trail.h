/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The times of a transition after its commit: when it was fed, and when each name server had received it and answered
 * from it. The control plane that committed it keeps them in memory, for the newest transitions only; on request they
 * are merged with what the store has.
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

/* Make a trail. NULL when memory is out. Caller frees. */
struct trail *trail_new(void);
void trail_free(struct trail **trail);

/* Note that the transition `id`, whose first observation was at `base_us`, was committed as `revision`. */
void trail_committed(struct trail *trail, const char *id, int64_t base_us, int64_t revision, int64_t committed_us);
/* Note that the commit `revision`, which contains transitions, is about to be fed. */
void trail_fed(struct trail *trail, int64_t revision, int64_t fed_us);
/*
 * Note that the name server had received `revision` at `received_us`, and that all its workers answered from it at
 * `applied_us`.
 */
void trail_applied(struct trail *trail, const char *server, const char *name, int64_t revision, int64_t received_us,
		   int64_t applied_us);
/*
 * Add the known times to a stored transition: "committed_us" and "fed_us" in its "steps", and "nameservers", all
 * relative to its first observation. Does nothing when the transition is not remembered.
 */
void trail_merge(struct trail *trail, json_t *transition);

#endif
