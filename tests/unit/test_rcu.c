/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsd/serve/rcu.h"

enum { READERS = 3, PLANS = 3000 };

static void hand_in(struct rcu *rcu, const struct plan *next, struct plan *old)
{
	struct retire_list list = {0};
	assert_int_equal(retire_reserve(&list, 1), VEER_OK);
	retire_add(&list, old, NULL);
	assert_int_equal(rcu_publish(rcu, next, &list), VEER_OK);
	assert_null(list.items);
}

static struct plan *new_plan(int64_t revision)
{
	struct plan *plan = calloc(1, sizeof *plan);
	assert_non_null(plan);
	plan->revision = revision;
	return plan;
}

static void a_plan_waits_for_its_last_reader(void **state)
{
	(void)state;
	struct rcu *rcu = rcu_new(2);
	struct plan *a = new_plan(1), *b = new_plan(2);
	assert_null(rcu_quiescent(rcu, 0));
	rcu_away(rcu, 0);
	hand_in(rcu, a, NULL);
	assert_int_equal(rcu_reclaim(rcu), 0);
	assert_ptr_equal(rcu_quiescent(rcu, 0), a);
	hand_in(rcu, b, a);
	assert_false(rcu_is_applied(rcu));
	assert_int_equal(rcu_reclaim(rcu), 1);
	assert_int_equal(a->revision, 1); /* not yet freed, because reader 0 uses it */
	assert_ptr_equal(rcu_quiescent(rcu, 1), b);
	assert_int_equal(rcu_reclaim(rcu), 1);
	assert_ptr_equal(rcu_quiescent(rcu, 0), b);
	assert_true(rcu_is_applied(rcu));
	assert_int_equal(rcu_reclaim(rcu), 0);
	rcu_away(rcu, 0);
	rcu_away(rcu, 1);
	hand_in(rcu, NULL, b);
	assert_int_equal(rcu_reclaim(rcu), 0); /* no reader: freed at once */
	rcu_free(&rcu);
	assert_null(rcu);
}

static void what_still_waits_is_released_at_the_end(void **state)
{
	(void)state;
	struct rcu *rcu = rcu_new(1);
	hand_in(rcu, NULL, NULL);
	(void)rcu_quiescent(rcu, 0);
	hand_in(rcu, NULL, new_plan(1));
	hand_in(rcu, NULL, new_plan(2));
	assert_int_equal(rcu_reclaim(rcu), 2);
	rcu_free(&rcu);
}

struct reading {
	struct rcu *rcu;
	unsigned index;
	_Atomic bool *stop;
	uint64_t seen; /* number of plans read */
	int64_t last;
	bool went_back;
};

static void *read_plans(void *ctx)
{
	struct reading *r = ctx;
	while (!atomic_load(r->stop)) {
		const struct plan *plan = rcu_quiescent(r->rcu, r->index);
		for (int i = 0; i < 20; i++) {
			r->went_back |= plan->revision < r->last; /* the sanitizers detect an access to a freed plan */
			r->last = plan->revision;
		}
		r->seen++;
		if (r->seen % 7 == 0)
			rcu_away(r->rcu, r->index);
	}
	rcu_away(r->rcu, r->index);
	return NULL;
}

static void readers_never_see_what_was_released(void **state)
{
	(void)state;
	struct rcu *rcu = rcu_new(READERS);
	struct reading readings[READERS];
	pthread_t threads[READERS];
	_Atomic bool stop = false;
	struct plan *newest = new_plan(1);
	hand_in(rcu, newest, NULL);
	for (unsigned i = 0; i < READERS; i++) {
		readings[i] = (struct reading){.rcu = rcu, .index = i, .stop = &stop};
		assert_int_equal(pthread_create(&threads[i], NULL, read_plans, &readings[i]), 0);
	}
	for (int64_t revision = 2; revision <= PLANS; revision++) {
		struct plan *next = new_plan(revision);
		hand_in(rcu, next, newest);
		newest = next;
		(void)rcu_reclaim(rcu);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(readings[i].went_back);
	}
	assert_int_equal(rcu_reclaim(rcu), 0);
	rcu_free(&rcu);
	free(newest);
}

struct slow {
	pthread_t thread; /* the thread that released it */
	_Atomic bool *gone;
};

static void release_slowly(void *ptr)
{
	struct slow *slow = ptr;
	(void)usleep(200000);
	slow->thread = pthread_self();
	atomic_store(slow->gone, true);
}

/* A zone of a million names takes most of a second to free, so the control thread must not do it. */
static void what_takes_long_is_released_elsewhere_and_before_the_end(void **state)
{
	(void)state;
	struct rcu *rcu = rcu_new(1);
	_Atomic bool gone[3] = {false, false, false};
	struct slow slow[3];
	for (int i = 0; i < 3; i++) {
		struct retire_list list = {0};
		slow[i].gone = &gone[i];
		assert_int_equal(retire_reserve(&list, 2), VEER_OK);
		retire_add(&list, &slow[i], release_slowly);
		retire_add(&list, malloc(1), NULL);
		assert_int_equal(rcu_publish(rcu, NULL, &list), VEER_OK);
		assert_int_equal(rcu_reclaim(rcu), 0);
		assert_false(atomic_load(&gone[i]));
	}
	rcu_free(&rcu);
	for (int i = 0; i < 3; i++) {
		assert_true(atomic_load(&gone[i]));
		assert_false(pthread_equal(slow[i].thread, pthread_self()));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_waits_for_its_last_reader),
		cmocka_unit_test(what_still_waits_is_released_at_the_end),
		cmocka_unit_test(readers_never_see_what_was_released),
		cmocka_unit_test(what_takes_long_is_released_elsewhere_and_before_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
