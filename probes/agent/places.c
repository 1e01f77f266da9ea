/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/places.h"

#include <assert.h>
#include <stddef.h>

#define TELL_MS 60000

static bool has_room(const struct places *places, enum place_class class)
{
	uint32_t max_slow = places->max - places->max / 4;
	return places->taken < places->max && (class == PLACE_ORDINARY || places->queues[PLACE_SLOW].taken < max_slow);
}

static void remove_waiting(struct place *place)
{
	struct places *places = place->of;
	struct place_queue *queue = &places->queues[place->class];
	if (place->prev != NULL)
		place->prev->next = place->next;
	else
		queue->first = place->next;
	if (place->next != NULL)
		place->next->prev = place->prev;
	else
		queue->last = place->prev;
	place->is_waiting = false;
	places->waiting--;
}

static void hold(struct places *places, struct place *place)
{
	place->is_held = true;
	places->queues[place->class].taken++;
	places->taken++;
	if (places->taken > places->peak)
		places->peak = places->taken;
}

/* Called from the loop, so that `granted` is not called within places_give(). */
static void serve(void *ctx)
{
	struct places *places = ctx;
	for (enum place_class class = PLACE_ORDINARY; class < PLACE_CLASS_COUNT; class ++) {
		struct place_queue *queue = &places->queues[class];
		while (queue->first != NULL && has_room(places, class)) {
			struct place *place = queue->first;
			remove_waiting(place);
			hold(places, place);
			place->granted(place->ctx);
		}
	}
}

static void tell(struct places *places)
{
	int64_t now_ms = loop_now_ms(places->loop);
	if (places->crowded == NULL || (places->told_ms != 0 && now_ms - places->told_ms < TELL_MS))
		return;
	places->told_ms = now_ms > 0 ? now_ms : 1;
	places->crowded(places->crowded_ctx, places->taken, places->waiting);
}

bool places_take(struct places *places, struct place *place, enum place_class class, void (*granted)(void *ctx),
		 void *ctx)
{
	struct place_queue *queue = &places->queues[class];
	assert(!place->is_held && !place->is_waiting);
	*place = (struct place){.of = places, .class = class, .granted = granted, .ctx = ctx};
	if (queue->first == NULL && has_room(places, class)) {
		hold(places, place);
		return true;
	}
	place->is_waiting = true;
	place->prev = queue->last;
	if (queue->last != NULL)
		queue->last->next = place;
	else
		queue->first = place;
	queue->last = place;
	places->waiting++;
	tell(places);
	return false;
}

void places_give(struct place *place)
{
	struct places *places = place->of;
	if (place->is_waiting)
		remove_waiting(place);
	if (!place->is_held)
		return;
	place->is_held = false;
	assert(places->taken > 0 && places->queues[place->class].taken > 0);
	places->taken--;
	places->queues[place->class].taken--;
	/* If there is no memory for the timer, the next place that is given back sets it. */
	if (places->waiting > 0 && places->timer.heap_index == 0)
		(void)loop_timer_set(places->loop, &places->timer, 0, serve, places);
}

void places_deinit(struct places *places)
{
	assert(places->taken == 0 && places->waiting == 0);
	if (places->loop != NULL)
		loop_timer_cancel(places->loop, &places->timer);
}
