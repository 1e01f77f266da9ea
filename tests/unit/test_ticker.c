/* SPDX-License-Identifier: Apache-2.0 */
/* Turns in a thread of its own, and how long a turn has been under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/ticker.h"

struct turns {
	pthread_mutex_t gate; /* while it is held, a turn blocks as on a disk that does not answer */
	atomic_int begun, done;
};

static void turn(void *ctx)
{
	struct turns *t = ctx;
	atomic_fetch_add(&t->begun, 1);
	(void)pthread_mutex_lock(&t->gate);
	(void)pthread_mutex_unlock(&t->gate);
	atomic_fetch_add(&t->done, 1);
}

/* Checks every ms, for at most 10 s. */
static void wait_for(atomic_int *count, int at_least)
{
	for (int i = 0; i < 10000 && atomic_load(count) < at_least; i++)
		(void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	assert_true(atomic_load(count) >= at_least);
}

static void a_turn_that_hangs_is_seen(void **state)
{
	struct turns t = {.gate = PTHREAD_MUTEX_INITIALIZER};
	struct ticker ticker;
	(void)state;
	(void)pthread_mutex_lock(&t.gate);
	assert_true(ticker_start(&ticker, veer_clock_system(), 1, turn, &t));
	wait_for(&t.begun, 1);
	for (int i = 0; i < 10000 && ticker_busy_ms(&ticker) < 20; i++)
		(void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	assert_true(ticker_busy_ms(&ticker) >= 20);
	assert_int_equal(atomic_load(&t.begun), 1);
	(void)pthread_mutex_unlock(&t.gate);
	wait_for(&t.done, 3);
	ticker_stop(&ticker);
	int done = atomic_load(&t.done);
	assert_int_equal(ticker_busy_ms(&ticker), 0);
	assert_int_equal(atomic_load(&t.begun), done);
	ticker_stop(&ticker);
}

static void stopping_does_not_wait_for_the_pause(void **state)
{
	struct turns t = {.gate = PTHREAD_MUTEX_INITIALIZER};
	struct ticker ticker;
	(void)state;
	int64_t before_ms = veer_clock_monotonic_ms(veer_clock_system());
	assert_true(ticker_start(&ticker, veer_clock_system(), 3600000, turn, &t));
	wait_for(&t.done, 1);
	ticker_stop(&ticker);
	assert_true(veer_clock_monotonic_ms(veer_clock_system()) - before_ms < 10000);
	assert_int_equal(atomic_load(&t.begun), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_that_hangs_is_seen),
		cmocka_unit_test(stopping_does_not_wait_for_the_pause),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
