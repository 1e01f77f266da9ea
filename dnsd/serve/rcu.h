/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How workers get the newest plan, and how the control thread learns that no worker uses an old one any more:
 * quiescent-state reclamation with C11 atomics.
 *
 * One published pointer and one epoch. A worker between two batches copies the epoch into its own place ("I hold
 * nothing from before"), then loads the pointer, and uses only what it reaches from there until it does this again.
 * Before it waits for long it says that it is away. A retire list that was handed in with epoch E is released when
 * every worker has shown E or later, or is away. Publishing never waits for a worker.
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

/*
 * Make the state for `readers` workers, all away. NULL when memory is out. The caller frees it when no worker runs any
 * more.
 */
struct rcu *rcu_new(unsigned readers);
/*
 * Free the state. This releases all retire lists and waits until that is done. The plan is not released, because its
 * builder owns it.
 */
void rcu_free(struct rcu **rcu);

/*
 * Called by a worker that no longer uses anything that it loaded before. Returns the newest plan (NULL before the
 * first), which the worker may use until it calls this again.
 */
const struct plan *rcu_quiescent(struct rcu *rcu, unsigned reader);
/* Called by a worker that uses nothing, and will not until rcu_quiescent(). Needed before every wait. */
void rcu_away(struct rcu *rcu, unsigned reader);

/*
 * Make `plan` the newest, at once. `retired` is what only earlier plans reach: taken and left empty.
 * Errors: VEER_ENOMEM: the plan is published all the same, but `retired` is not taken (keep it for the next call).
 */
enum veer_err rcu_publish(struct rcu *rcu, const struct plan *plan, struct retire_list *retired);

/*
 * Release what no worker can have any more; if that takes long, in a thread of its own (reaper.h). Returns how many
 * lists still wait for a worker.
 */
size_t rcu_reclaim(struct rcu *rcu);

/* Has every worker that is not away seen the newest plan, or passed a quiescent state since the last rcu_advance()? */
bool rcu_is_applied(const struct rcu *rcu);
/* Raise the epoch without a new plan, so that rcu_is_applied() shows some time later whether a worker hangs. */
void rcu_advance(struct rcu *rcu);

#endif
