/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many may do at a time what costs memory: whoever wants to takes a place, or waits for one, first come first
 * served. Those of whom it is known that they hold their places for long have a quarter less of them: they must not
 * hold up the others.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_PLACES_H
#define VEER_PROBES_AGENT_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct place;

/* Those that wait, in two queues. */
enum place_class { PLACE_ORDINARY, PLACE_SLOW, PLACE_CLASS_COUNT };

struct place_queue {
	struct place *first;
	struct place *last;
	uint32_t taken; /* places that are held by such */
};

/* In the caller's memory: zero it, set the first part. */
struct places {
	struct loop *loop; /* borrowed */
	uint32_t max;
	/* Told that somebody has to wait, at most once a minute; NULL: nobody asks. */
	void (*crowded)(void *ctx, uint32_t taken, uint32_t waiting);
	void *crowded_ctx;

	uint32_t taken;
	uint32_t peak; /* the most that were taken since the owner has set it to 0 */
	uint32_t waiting;
	struct place_queue queues[PLACE_CLASS_COUNT];
	struct loop_timer timer;
	int64_t told_ms; /* when it was said last; 0: never */
};

/* One place, held, waited for, or neither. Zero it. Its owner gives it back before freeing it. */
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
/* Give it back, or do not wait any more; fine when it is neither held nor waited for. */
void places_give(struct place *place);
/* Nobody holds or waits any more. */
void places_deinit(struct places *places);

#endif
