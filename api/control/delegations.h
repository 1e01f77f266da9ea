/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parents say about our zones, compared with what the zones say: once an hour, soon after a zone or its NS
 * RRset has changed, and when somebody asks.
 *
 * A thread of its own does it, one zone after the other, at least 100 ms apart, and nobody waits for it but who asks:
 * it holds no lock while it waits for a reply or the store, and can be interrupted at any moment. What somebody asks
 * for goes first. While no resolver answers, one zone a minute is tried. Results are kept in memory and nothing is
 * written, so every veer-api compares for itself, acting controller or not.
 *
 * Threads: all functions may be called from any thread but where stated.
 */
#ifndef VEER_API_CONTROL_DELEGATIONS_H
#define VEER_API_CONTROL_DELEGATIONS_H

#include "api/control/control.h"
#include "api/control/delegation_judge.h"
#include "base/resolvers.h"

#define DELEGATION_WAIT_MS 15000 /* who asks gets an answer within this */

struct delegations;

/* Start the thread, unless the resolvers are "none". NULL when memory, descriptors or threads are out. `api` is
 * borrowed. */
struct delegations *delegations_new(struct control *control, const struct resolvers *resolvers);
/* Interrupt what is under way and answer who waits: for the shutdown, before the workers are waited for. */
void delegations_stop(struct delegations *delegations);
/* Nobody may use it any more, the hub least of all. Sets the caller's pointer to NULL. */
void delegations_free(struct delegations **delegations);

/* A hub_change_fn: an object was committed. Short. `ctx` is the struct delegations. */
void delegations_note(void *ctx, const struct store_object *object);

/*
 * Compare now, and wait for it: `*result` is JSON text, the caller's (free). Errors: VEER_EBUSY (somebody else is
 * waiting for one), VEER_ENOTFOUND (the zone is gone), VEER_ECLOSED (shutting down), VEER_ETIMEOUT, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err delegations_compare(struct delegations *delegations, const char *zone, char **result);
/* What the last comparison has found, or that there was none yet. The caller's (free); NULL when memory is out. */
char *delegations_last(struct delegations *delegations, const char *zone);

/* How many zones are in each state. */
void delegations_count(struct delegations *delegations, uint64_t counts[DELEGATION_STATES]);
/* Zones that differ or are missing, at most `max`, by name: [{"zone", "state", "parent", "summary", "checked_at"}].
 * The caller's; NULL when memory is out. */
json_t *delegations_items(struct delegations *delegations, size_t max);

#endif
