/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "probes/agent/places.h"

struct waiter {
	struct place place;
	struct loop *loop;
	int granted; /* the turn in which it got a place, from 1 on; 0: it got none */
	int *turn;
	int stop_at;
};

static void on_granted(void *ctx)
{
	struct waiter *w = ctx;
	w->granted = ++*w->turn;
	if (w->granted == w->stop_at)
		loop_stop(w->loop);
}

static void on_crowded(void *ctx, uint32_t taken, uint32_t waiting)
{
	uint32_t *seen = ctx;
	seen[0]++;
	seen[1] = taken;
	seen[2] = waiting;
}

static void who_comes_first_is_served_first(void **state)
{
	int turn = 0;
	uint32_t crowd[3] = {0};
	struct loop *loop = loop_new(veer_clock_system());
	struct places places = {.loop = loop, .max = 2, .crowded = on_crowded, .crowded_ctx = crowd};
	struct waiter w[6];
	(void)state;
	for (int i = 0; i < 6; i++) {
		w[i] = (struct waiter){.loop = loop, .turn = &turn, .stop_at = 2};
		assert_int_equal(places_take(&places, &w[i].place, PLACE_ORDINARY, on_granted, &w[i]), i < 2);
	}
	assert_true(crowd[0] == 1 && crowd[1] == 2 && crowd[2] == 1); /* told once, not four times */
	places_give(&w[3].place);                                     /* it does not wait any more */
	places_give(&w[0].place);
	places_give(&w[1].place);
	assert_int_equal(turn, 0); /* places are given only from the loop */
	assert_int_equal(loop_run(loop), VEER_OK);
	assert_true(w[2].granted == 1 && w[4].granted == 2 && w[5].granted == 0 && w[3].granted == 0);
	assert_true(places.taken == 2 && places.waiting == 1);
	for (int i = 0; i < 6; i++)
		places_give(&w[i].place);
	places_deinit(&places);
	loop_free(&loop);
}

/* Four places, of which slow users have three. */
static void who_is_slow_leaves_a_quarter_to_the_others(void **state)
{
	int turn = 0;
	struct loop *loop = loop_new(veer_clock_system());
	struct places places = {.loop = loop, .max = 4};
	struct waiter slow[5];
	struct waiter quick[2];
	(void)state;
	for (int i = 0; i < 5; i++) {
		slow[i] = (struct waiter){.loop = loop, .turn = &turn, .stop_at = 2};
		assert_int_equal(places_take(&places, &slow[i].place, PLACE_SLOW, on_granted, &slow[i]), i < 3);
	}
	for (int i = 0; i < 2; i++) {
		quick[i] = (struct waiter){.loop = loop, .turn = &turn, .stop_at = 2};
		assert_int_equal(places_take(&places, &quick[i].place, PLACE_ORDINARY, on_granted, &quick[i]), i == 0);
	}
	/* Two places are free: one goes to a user that is not slow, although the slow ones came first. */
	places_give(&slow[0].place);
	places_give(&slow[1].place);
	assert_int_equal(loop_run(loop), VEER_OK);
	assert_true(quick[1].granted == 1 && slow[3].granted == 2 && slow[4].granted == 0);
	for (int i = 0; i < 5; i++)
		places_give(&slow[i].place);
	for (int i = 0; i < 2; i++)
		places_give(&quick[i].place);
	places_deinit(&places);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_comes_first_is_served_first),
		cmocka_unit_test(who_is_slow_leaves_a_quarter_to_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
