/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out assignments: probes each item once an interval, at its own place in it, and keeps what it sees.
 *
 * When: an item's place is (a hash of its name + the agent's phase) modulo the interval of the wall clock, read once
 * when it is scheduled. So one agent's items are spread evenly, and the agents of one item, whose phases differ by
 * rank/N, look in turn. A wall clock that jumps only moves the place. Until an item is known it is looked at more
 * often, once a second at least, so that a new agent can speak soon.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_PROBER_H
#define VEER_PROBES_AGENT_PROBER_H

#include "base/arena.h"
#include "base/log.h"
#include "probes/agent/check.h"
#include "probes/verdict/assign.h"

struct prober;

/* What the owner is told. None of them may free the prober. */
struct prober_events {
	void (*changed)(void *ctx);                  /* a report should go out soon */
	void (*failing)(void *ctx);                  /* an item that did not fail does now */
	void (*outage)(void *ctx, uint32_t failing); /* every item has begun to fail within one interval (outage.h) */
	void *ctx;
};

/* A prober without items. `env` and `log` are borrowed. */
struct prober *prober_new(const struct check_env *env, struct logger *log, const struct prober_events *events);
/* Cancels all probes. `*prober` may be NULL. */
void prober_free(struct prober **prober);

/*
 * Put a list in force. What stays (same check, endpoint and address, and the check probes the same) keeps what was seen
 * and its running probes; the rest starts unknown. Ownership: takes `arena`, in which `list` lives, also on failure.
 * Errors: VEER_ENOMEM: the list before stays in force.
 */
VEER_MUST_CHECK enum veer_err prober_assign(struct prober *prober, const struct assignments *list, struct arena *arena);

/* *Confirm*: look at this item now, `fall` times, started 100 ms apart. Unknown items are ignored. */
void prober_confirm(struct prober *prober, const char *check, const char *endpoint);

/* The revision of the list in force, -1 before the first. */
int64_t prober_revision(const struct prober *prober);
/* Items of the list in force, 0 before the first; those that cannot be probed count too. */
uint32_t prober_item_count(const struct prober *prober);
/* What is seen of each item now, in the order of the list; `out` has room for all. */
void prober_observe(const struct prober *prober, struct observation *out);

#endif
