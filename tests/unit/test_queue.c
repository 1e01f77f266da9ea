/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/queue.h"

static void items_come_in_order_up_to_the_limit(void **state)
{
	(void)state;
	int items[5];
	void *item = NULL;
	struct queue *queue = queue_new(3);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 3; i++)
			assert_int_equal(queue_push(queue, &items[i]), VEER_OK);
		assert_int_equal(queue_push(queue, &items[3]), VEER_ELIMIT);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(queue_pop(queue, 0, &item), VEER_OK);
			assert_ptr_equal(item, &items[i]);
		}
		assert_int_equal(queue_pop(queue, -1, &item), VEER_OK);
		assert_ptr_equal(item, &items[2]);
		assert_int_equal(queue_pop(queue, 0, &item), VEER_ETIMEOUT);
	}
	queue_free(&queue, NULL);
	queue_free(&queue, NULL);
	assert_null(queue_new(0));
	assert_null(queue_new(SIZE_MAX));
}

static void waiting_ends_in_time(void **state)
{
	(void)state;
	void *item = NULL;
	struct queue *queue = queue_new(1);
	int64_t before = veer_clock_monotonic_ms(veer_clock_system());
	assert_int_equal(queue_pop(queue, 30, &item), VEER_ETIMEOUT);
	assert_true(veer_clock_monotonic_ms(veer_clock_system()) - before >= 29);
	queue_free(&queue, NULL);
}

static void a_closed_queue_gives_what_is_left(void **state)
{
	(void)state;
	int a = 0;
	void *item = NULL;
	struct queue *queue = queue_new(2);
	assert_int_equal(queue_push(queue, &a), VEER_OK);
	queue_close(queue);
	assert_int_equal(queue_push(queue, &a), VEER_ECLOSED);
	assert_int_equal(queue_pop(queue, -1, &item), VEER_OK);
	assert_int_equal(queue_pop(queue, -1, &item), VEER_ECLOSED);
	queue_free(&queue, NULL);
}

static void what_is_left_is_dropped_with_the_queue(void **state)
{
	(void)state;
	struct queue *queue = queue_new(10);
	for (int i = 0; i < 7; i++)
		assert_int_equal(queue_push(queue, malloc(1)), VEER_OK);
	queue_free(&queue, free); /* the leak checker finds what is not freed */
}

enum { PUSHERS = 4, EACH = 5000 };

struct pusher {
	struct queue *queue;
	int values[EACH];
};

static void *push_all(void *ctx)
{
	struct pusher *p = ctx;
	for (int i = 0; i < EACH; i++) {
		p->values[i] = i;
		while (queue_push(p->queue, &p->values[i]) == VEER_ELIMIT)
			(void)sched_yield();
	}
	return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
	(void)state;
	static struct pusher pushers[PUSHERS];
	pthread_t threads[PUSHERS];
	int next[PUSHERS] = {0};
	struct queue *queue = queue_new(64);
	for (int i = 0; i < PUSHERS; i++) {
		pushers[i].queue = queue;
		assert_int_equal(pthread_create(&threads[i], NULL, push_all, &pushers[i]), 0);
	}
	for (int n = 0; n < PUSHERS * EACH; n++) {
		void *item = NULL;
		assert_int_equal(queue_pop(queue, 10000, &item), VEER_OK);
		for (int i = 0; i < PUSHERS; i++)
			if ((int *)item >= pushers[i].values && (int *)item < pushers[i].values + EACH)
				assert_int_equal(*(int *)item, next[i]++); /* in order for each thread that pushes */
	}
	for (int i = 0; i < PUSHERS; i++) {
		(void)pthread_join(threads[i], NULL);
		assert_int_equal(next[i], EACH);
	}
	queue_free(&queue, NULL);
}

static void *pop_until_closed(void *ctx)
{
	void *item = NULL;
	return queue_pop(ctx, -1, &item) == VEER_ECLOSED ? ctx : NULL;
}

static void closing_wakes_all_who_wait(void **state)
{
	(void)state;
	pthread_t threads[3];
	struct queue *queue = queue_new(1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pop_until_closed, queue), 0);
	queue_close(queue);
	for (int i = 0; i < 3; i++) {
		void *result = NULL;
		(void)pthread_join(threads[i], &result);
		assert_non_null(result);
	}
	queue_free(&queue, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_come_in_order_up_to_the_limit),
		cmocka_unit_test(waiting_ends_in_time),
		cmocka_unit_test(a_closed_queue_gives_what_is_left),
		cmocka_unit_test(what_is_left_is_dropped_with_the_queue),
		cmocka_unit_test(nothing_is_lost_between_threads),
		cmocka_unit_test(closing_wakes_all_who_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
