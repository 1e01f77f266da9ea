/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out assignments: probes each item once in each interval, at the item's own offset, and keeps the
 * observations.
 *
 * When: an item's offset is (a hash of its name + the agent's phase) modulo the interval of the wall clock, which is
 * read once when the item is scheduled. So one agent's items are spread evenly, and the agents of one item, whose
 * phases differ by rank/N, probe in turn. A wall clock that jumps only changes the offset. Until an item's state is
 * known it is probed more often, at least once a second, so that a new agent can report soon.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_PROBER_H
#define VEER_PROBES_AGENT_PROBER_H

#include "base/arena.h"
#include "base/log.h"
#include "probes/agent/check.h"
#include "probes/verdict/assign.h"

struct prober;

/* Callbacks to the owner. None of them may free the prober. */
struct prober_events {
	void (*changed)(void *ctx);                  /* a report should be sent soon */
	void (*failing)(void *ctx);                  /* an item that did not fail fails now */
	void (*outage)(void *ctx, uint32_t failing); /* every item has begun to fail within one interval (outage.h) */
	void *ctx;
};

/* Make a prober without items. `env` and `log` are borrowed. NULL when memory is out. */
struct prober *prober_new(const struct check_env *env, struct logger *log, const struct prober_events *events);
/* Cancel all probes, and free the prober. `*prober` may be NULL. */
void prober_free(struct prober **prober);

/*
 * Put a list in force. Items that stay (same check, endpoint and address, and the check probes in the same way) keep
 * their observations and running probes; the others start as unknown. Ownership: takes `arena`, in which `list` lives,
 * also on failure. Errors: VEER_ENOMEM: the previous list stays in force.
 */
VEER_MUST_CHECK enum veer_err prober_assign(struct prober *prober, const struct assignments *list, struct arena *arena);

/* Handle *confirm*: probe this item now, `fall` times, started 100 ms apart. Unknown items are ignored. */
void prober_confirm(struct prober *prober, const char *check, const char *endpoint);

/* The revision of the list in force, -1 before the first. */
int64_t prober_revision(const struct prober *prober);
/* The number of items in the list in force, 0 before the first; items that cannot be probed count, too. */
uint32_t prober_item_count(const struct prober *prober);
/* Write the present observation of each item, in the order of the list; `out` has room for all. */
void prober_observe(const struct prober *prober, struct observation *out);

#endif
