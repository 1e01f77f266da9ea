/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "api/control/write_gate.h"

enum { ORDINARY = 6 };

struct crowd {
	struct write_gate gate;
	pthread_mutex_t lock;
	char order[ORDINARY + 2]; /* who passed the gate, in turn: 'o' or 'u' */
	unsigned waiting;
};

static void enter(struct crowd *crowd, bool is_urgent)
{
	(void)pthread_mutex_lock(&crowd->lock);
	crowd->waiting++;
	(void)pthread_mutex_unlock(&crowd->lock);
	write_gate_enter(&crowd->gate, is_urgent);
	crowd->order[strlen(crowd->order)] = is_urgent ? 'u' : 'o'; /* guarded by the gate */
	write_gate_leave(&crowd->gate);
}

static void *ordinary(void *ctx)
{
	enter(ctx, false);
	return NULL;
}

static void *urgent(void *ctx)
{
	enter(ctx, true);
	return NULL;
}

static unsigned count_waiting(struct crowd *crowd)
{
	(void)pthread_mutex_lock(&crowd->lock);
	unsigned waiting = crowd->waiting;
	(void)pthread_mutex_unlock(&crowd->lock);
	return waiting;
}

static unsigned count_urgent(struct crowd *crowd)
{
	(void)pthread_mutex_lock(&crowd->gate.lock);
	unsigned waiting = crowd->gate.urgent_waiting;
	(void)pthread_mutex_unlock(&crowd->gate.lock);
	return waiting;
}

static void who_is_urgent_goes_before_all_who_wait(void **state)
{
	(void)state;
	const struct timespec moment = {.tv_nsec = 1000000};
	struct crowd crowd = {.waiting = 0};
	pthread_t threads[ORDINARY + 1];
	write_gate_init(&crowd.gate);
	(void)pthread_mutex_init(&crowd.lock, NULL);
	write_gate_enter(&crowd.gate, false);
	for (unsigned i = 0; i < ORDINARY; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ordinary, &crowd), 0);
	while (count_waiting(&crowd) < ORDINARY)
		(void)nanosleep(&moment, NULL);
	assert_int_equal(pthread_create(&threads[ORDINARY], NULL, urgent, &crowd), 0);
	while (count_urgent(&crowd) == 0)
		(void)nanosleep(&moment, NULL);
	write_gate_leave(&crowd.gate);
	for (unsigned i = 0; i < ORDINARY + 1; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_string_equal(crowd.order, "uoooooo");
	(void)pthread_mutex_destroy(&crowd.lock);
	write_gate_deinit(&crowd.gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_urgent_goes_before_all_who_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
