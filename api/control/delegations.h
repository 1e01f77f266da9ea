/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares what parents say about our zones with what the zones say: once an hour, soon after a zone or its NS RRset
 * has changed, and on request.
 *
 * A thread of its own compares one zone after the other, at least 100 ms apart. Only callers that request a comparison
 * wait for it: the thread holds no lock while it waits for a reply or the store, and can be interrupted at any moment.
 * Requested comparisons go first. While no resolver answers, one zone a minute is tried. Results are kept in memory and
 * nothing is written, so every veer-api compares for itself, whether or not it has the acting controller.
 *
 * Threads: all functions may be called from any thread, except where stated.
 */
#ifndef VEER_API_CONTROL_DELEGATIONS_H
#define VEER_API_CONTROL_DELEGATIONS_H

#include "api/control/control.h"
#include "api/control/delegation_judge.h"
#include "base/resolvers.h"

#define DELEGATION_WAIT_MS 15000 /* a caller gets an answer within this */

struct delegations;

/* Start the thread, unless the resolvers are "none". NULL when memory, descriptors or threads are out. `api` is
 * borrowed. */
struct delegations *delegations_new(struct control *control, const struct resolvers *resolvers);
/*
 * Interrupt the comparison in progress and answer the caller that waits: for the shutdown, before waiting for the
 * workers.
 */
void delegations_stop(struct delegations *delegations);
/* Free everything. No other thread, especially the hub, may use it any more. Sets the caller's pointer to NULL. */
void delegations_free(struct delegations **delegations);

/* A hub_change_fn: an object was committed. Returns quickly. `ctx` is the struct delegations. */
void delegations_note(void *ctx, const struct store_object *object);

/*
 * Compare now, and wait for the result: `*result` is JSON text, which the caller frees. Errors: VEER_EBUSY (another
 * caller waits already), VEER_ENOTFOUND (the zone was deleted), VEER_ECLOSED (shutting down), VEER_ETIMEOUT,
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err delegations_compare(struct delegations *delegations, const char *zone, char **result);
/* The result of the last comparison, or that there was none yet. The caller frees it; NULL when memory is out. */
char *delegations_last(struct delegations *delegations, const char *zone);

/* How many zones are in each state. */
void delegations_count(struct delegations *delegations, uint64_t counts[DELEGATION_STATES]);
/*
 * Zones that differ or are missing, at most `max`, by name: [{"zone", "state", "parent", "summary", "checked_at"}].
 * Ownership: the caller's. NULL when memory is out.
 */
json_t *delegations_items(struct delegations *delegations, size_t max);

#endif
