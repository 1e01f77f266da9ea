/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How workers come by the newest plan, and how the control thread learns that nobody has an old one any more: quiescent
 * states, with C11 atomics.
 *
 * One published pointer and one epoch. A worker between two batches copies the epoch into its own place ("I hold
 * nothing from before"), then loads the pointer, and uses only what it reaches from there until the next time. Before
 * it waits for long it says that it is away. A retire list that was handed in with epoch E is released when every
 * worker has shown E or later, or is away. Publishing never waits for anybody.
 *
 * Threads: rcu_publish(), rcu_reclaim(), rcu_is_applied() and rcu_advance() belong to the control thread; each reader
 * index to one worker.
 */
#ifndef VEER_DNSD_SERVE_RCU_H
#define VEER_DNSD_SERVE_RCU_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "zones/dns/retire.h"
#include "zones/plan/plan.h"

struct rcu;

/* For `readers` workers, all away. NULL when memory is out. Caller frees, when no worker runs any more. */
struct rcu *rcu_new(unsigned readers);
/* Releases all retire lists, and waits for that. Not the plan: its builder has it. */
void rcu_free(struct rcu **rcu);

/* A worker: I use nothing that I loaded before. Returns the newest plan (NULL before the first), mine until I call
 * again. */
const struct plan *rcu_quiescent(struct rcu *rcu, unsigned reader);
/* A worker: I use nothing, and will not until rcu_quiescent(). Before every wait. */
void rcu_away(struct rcu *rcu, unsigned reader);

/*
 * Make `plan` the newest, at once. `retired` is what only earlier plans reach: taken and left empty.
 * Errors: VEER_ENOMEM: the plan is published all the same, but `retired` was not taken (keep it for the next call).
 */
enum veer_err rcu_publish(struct rcu *rcu, const struct plan *plan, struct retire_list *retired);

/*
 * Release what nobody can have any more; what takes long, in a thread of its own (reaper.h). Returns how many lists
 * still wait for a worker.
 */
size_t rcu_reclaim(struct rcu *rcu);

/* Has every worker that is not away seen the newest plan, or come past the last rcu_advance()? */
bool rcu_is_applied(const struct rcu *rcu);
/* Raise the epoch without a new plan: rcu_is_applied() tells, some time later, whether a worker hangs. */
void rcu_advance(struct rcu *rcu);

#endif
