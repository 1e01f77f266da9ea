/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/places.h"

#include <assert.h>
#include <stddef.h>

#define TELL_MS 60000

static void remove_waiting(struct place *place)
{
	struct places *places = place->of;
	if (place->prev != NULL)
		place->prev->next = place->next;
	else
		places->first = place->next;
	if (place->next != NULL)
		place->next->prev = place->prev;
	else
		places->last = place->prev;
	place->is_waiting = false;
	places->waiting--;
}

static void hold(struct places *places, struct place *place)
{
	place->is_held = true;
	places->taken++;
	if (places->taken > places->peak)
		places->peak = places->taken;
}

/* From the loop, so that who gives a place back is not called into. */
static void serve(void *ctx)
{
	struct places *places = ctx;
	while (places->first != NULL && places->taken < places->max) {
		struct place *place = places->first;
		remove_waiting(place);
		hold(places, place);
		place->granted(place->ctx);
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

bool places_take(struct places *places, struct place *place, void (*granted)(void *ctx), void *ctx)
{
	assert(!place->is_held && !place->is_waiting);
	*place = (struct place){.of = places, .granted = granted, .ctx = ctx};
	if (places->taken < places->max && places->first == NULL) {
		hold(places, place);
		return true;
	}
	place->is_waiting = true;
	place->prev = places->last;
	if (places->last != NULL)
		places->last->next = place;
	else
		places->first = place;
	places->last = place;
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
	assert(places->taken > 0);
	places->taken--;
	/* Without memory for the timer the next one that gives its place back sets it. */
	if (places->first != NULL && places->timer.heap_index == 0)
		(void)loop_timer_set(places->loop, &places->timer, 0, serve, places);
}

void places_deinit(struct places *places)
{
	assert(places->taken == 0 && places->waiting == 0);
	if (places->loop != NULL)
		loop_timer_cancel(places->loop, &places->timer);
}
