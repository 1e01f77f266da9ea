/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ticker.h"
#include "base/clock.h"

#include <time.h>

/* Wait for the pause to end. False when the ticker is being stopped. */
static bool wait_a_while(struct ticker *ticker)
{
	const struct timespec until = veer_clock_deadline(ticker->pause_ms);
	(void)pthread_mutex_lock(&ticker->lock);
	int err = 0;
	while (!ticker->is_closing && err == 0)
		err = pthread_cond_timedwait(&ticker->wake, &ticker->lock, &until);
	bool goes_on = !ticker->is_closing;
	(void)pthread_mutex_unlock(&ticker->lock);
	return goes_on;
}

static void *run(void *ctx)
{
	struct ticker *ticker = ctx;
	do {
		atomic_store(&ticker->began_ms, veer_clock_monotonic_ms(ticker->clock));
		ticker->turn(ticker->ctx);
		atomic_store(&ticker->began_ms, 0);
	} while (wait_a_while(ticker));
	return NULL;
}

bool ticker_start(struct ticker *ticker, const struct veer_clock *clock, int64_t pause_ms, void (*turn)(void *ctx),
		  void *ctx)
{
	pthread_condattr_t monotonic;
	*ticker = (struct ticker){.turn = turn, .ctx = ctx, .clock = clock, .pause_ms = pause_ms};
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&ticker->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&ticker->lock, NULL);
	ticker->is_running = pthread_create(&ticker->thread, NULL, run, ticker) == 0;
	if (!ticker->is_running) {
		(void)pthread_cond_destroy(&ticker->wake);
		(void)pthread_mutex_destroy(&ticker->lock);
	}
	return ticker->is_running;
}

void ticker_stop(struct ticker *ticker)
{
	if (!ticker->is_running)
		return;
	(void)pthread_mutex_lock(&ticker->lock);
	ticker->is_closing = true;
	(void)pthread_cond_signal(&ticker->wake);
	(void)pthread_mutex_unlock(&ticker->lock);
	(void)pthread_join(ticker->thread, NULL);
	(void)pthread_cond_destroy(&ticker->wake);
	(void)pthread_mutex_destroy(&ticker->lock);
	ticker->is_running = false;
}

int64_t ticker_busy_ms(struct ticker *ticker)
{
	int64_t began_ms = atomic_load(&ticker->began_ms);
	int64_t busy_ms = began_ms != 0 ? veer_clock_monotonic_ms(ticker->clock) - began_ms : 0;
	return busy_ms > 0 ? busy_ms : 0;
}
