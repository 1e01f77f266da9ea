/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits how many may do at the same time something that costs memory: each takes a place, or waits for one, first come
 * first served. Those that are known to hold their places for long may use only three quarters of the places, so that
 * they do not hold up the others.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_PLACES_H
#define VEER_PROBES_AGENT_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct place;

/* The two queues of those that wait. */
enum place_class { PLACE_ORDINARY, PLACE_SLOW, PLACE_CLASS_COUNT };

struct place_queue {
	struct place *first;
	struct place *last;
	uint32_t taken; /* places that are held by this class */
};

/* In the caller's memory: zero it, and set the first group of members. */
struct places {
	struct loop *loop; /* borrowed */
	uint32_t max;
	/* Called when a place has to be waited for, at most once a minute; NULL: not called. */
	void (*crowded)(void *ctx, uint32_t taken, uint32_t waiting);
	void *crowded_ctx;

	uint32_t taken;
	uint32_t peak; /* the highest `taken` since the owner last reset it */
	uint32_t waiting;
	struct place_queue queues[PLACE_CLASS_COUNT];
	struct loop_timer timer;
	int64_t told_ms; /* when `crowded` was last called; 0: never */
};

/* One place, held, waited for, or neither. Zero it. Its owner must give it back before freeing it. */
struct place {
	struct places *of;
	enum place_class class;
	bool is_held;
	bool is_waiting;
	struct place *next;
	struct place *prev;
	void (*granted)(void *ctx);
	void *ctx;
};

/*
 * Take a place now (true), or wait for it (false): then `granted` is called from the loop once it is held. Waiting
 * needs no memory.
 */
bool places_take(struct places *places, struct place *place, enum place_class class, void (*granted)(void *ctx),
		 void *ctx);
/* Give the place back, or stop waiting; does nothing when it is neither held nor waited for. */
void places_give(struct place *place);
/* Release everything. No place may be held or waited for any more. */
void places_deinit(struct places *places);

#endif
