/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/serve/seats.h"

static void the_idlest_is_in_the_way_when_all_are_taken(void **state)
{
	(void)state;
	struct seats *s = seats_new(3, 3);
	bool is_share = true;
	assert_int_equal(seats_idlest(s), SEATS_NONE);
	assert_int_equal(seats_in_the_way(s, 1, &is_share), SEATS_NONE);
	uint32_t a = seats_take(s, 1);
	uint32_t b = seats_take(s, 2);
	uint32_t c = seats_take(s, 3);
	assert_int_equal(seats_taken(s), 3);
	assert_int_equal(seats_in_the_way(s, 4, &is_share), a);
	assert_false(is_share);
	seats_touch(s, a);
	assert_int_equal(seats_in_the_way(s, 4, &is_share), b);
	seats_touch(s, c);
	seats_touch(s, c);
	seats_leave(s, b);
	assert_int_equal(seats_in_the_way(s, 4, &is_share), SEATS_NONE);
	assert_int_equal(seats_take(s, 4), b);
	assert_int_equal(seats_idlest(s), a);
	seats_free(&s);
}

static void a_prefix_beyond_its_share_is_in_its_own_way_only(void **state)
{
	(void)state;
	struct seats *s = seats_new(10, 2);
	bool is_share;
	uint32_t other = seats_take(s, 7);
	uint32_t first = seats_take(s, 1);
	uint32_t second = seats_take(s, 1);
	assert_int_equal(seats_in_the_way(s, 1, &is_share), first);
	assert_true(is_share);
	seats_touch(s, first);
	assert_int_equal(seats_in_the_way(s, 1, &is_share), second);
	assert_int_equal(seats_in_the_way(s, 7, &is_share), SEATS_NONE);
	assert_false(is_share);
	assert_int_equal(seats_idlest(s), other);
	seats_leave(s, second);
	assert_int_equal(seats_in_the_way(s, 1, &is_share), SEATS_NONE);
	seats_free(&s);
}

/* --- against a model that looks at everything ------------------------------------------------------------- */

enum { COUNT = 50, SHARE = 7, PREFIXES = 12, STEPS = 200000 };

struct model {
	uint64_t prefix[COUNT]; /* 0: free */
	uint64_t used[COUNT];
	uint64_t clock;
};

static uint32_t model_idlest(const struct model *m, uint64_t prefix, uint32_t *count)
{
	uint32_t best = SEATS_NONE;
	*count = 0;
	for (uint32_t i = 0; i < COUNT; i++) {
		if (m->prefix[i] == 0 || (prefix != 0 && m->prefix[i] != prefix))
			continue;
		++*count;
		if (best == SEATS_NONE || m->used[i] < m->used[best])
			best = i;
	}
	return best;
}

static uint32_t model_in_the_way(const struct model *m, uint64_t prefix, bool *is_share)
{
	uint32_t own;
	uint32_t all;
	uint32_t own_idlest = model_idlest(m, prefix, &own);
	uint32_t idlest = model_idlest(m, 0, &all);
	*is_share = own == SHARE;
	return *is_share ? own_idlest : all == COUNT ? idlest : SEATS_NONE;
}

static void whoever_comes_and_goes_it_agrees_with_a_simple_model(void **state)
{
	(void)state;
	struct seats *s = seats_new(COUNT, SHARE);
	struct model m = {.clock = 0};
	unsigned seed = 1;
	uint32_t count;
	for (int step = 0; step < STEPS; step++) {
		seed = seed * 1103515245 + 12345;
		uint32_t seat = (seed >> 8) % COUNT;
		uint64_t prefix = 1 + (seed >> 16) % PREFIXES;
		bool is_share;
		bool expected_share;
		if (seed >> 30 == 0 && m.prefix[seat] != 0) {
			seats_leave(s, seat);
			m.prefix[seat] = 0;
		} else if (seed >> 30 == 1 && m.prefix[seat] != 0) {
			seats_touch(s, seat);
			m.used[seat] = ++m.clock;
		} else {
			seat = model_in_the_way(&m, prefix, &expected_share);
			assert_int_equal(seats_in_the_way(s, prefix, &is_share), seat);
			assert_int_equal(is_share, expected_share);
			if (seat != SEATS_NONE) {
				seats_leave(s, seat);
				m.prefix[seat] = 0;
			}
			seat = seats_take(s, prefix);
			assert_int_equal(m.prefix[seat], 0);
			m.prefix[seat] = prefix;
			m.used[seat] = ++m.clock;
		}
		assert_int_equal(seats_idlest(s), model_idlest(&m, 0, &count));
		assert_int_equal(seats_taken(s), count);
	}
	seats_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_idlest_is_in_the_way_when_all_are_taken),
		cmocka_unit_test(a_prefix_beyond_its_share_is_in_its_own_way_only),
		cmocka_unit_test(whoever_comes_and_goes_it_agrees_with_a_simple_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
