/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task that is repeated in a thread of its own, because it may block, above all on a disk. Other threads can see how
 * long a turn has been under way and report that it hangs.
 *
 * Threads: start and stop belong to one thread; ticker_busy_ms() is for any.
 */
#ifndef VEER_BASE_TICKER_H
#define VEER_BASE_TICKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* A ticker, in the caller's memory. The fields are private to the ticker. */
struct ticker {
	void (*turn)(void *ctx);
	void *ctx;
	const struct veer_clock *clock;
	int64_t pause_ms;
	_Atomic int64_t began_ms; /* monotonic time at which the present turn began; 0: no turn is under way */
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	bool is_closing;
	bool is_running; /* there is a thread; used only by the thread that starts and stops the ticker */
};

/*
 * Call `turn(ctx)` in a new thread, at once and then with pauses of `pause_ms` in between. `clock` and `ctx` are
 * borrowed until ticker_stop(). False when no thread could be started; then there is nothing to stop.
 */
bool ticker_start(struct ticker *ticker, const struct veer_clock *clock, int64_t pause_ms, void (*turn)(void *ctx),
		  void *ctx);
/*
 * Stop the ticker after waiting for the present turn to end. Does nothing for a ticker that is zeroed or was stopped.
 */
void ticker_stop(struct ticker *ticker);
/* For how long the present turn has been under way, in ms; 0 between turns. */
int64_t ticker_busy_ms(struct ticker *ticker);

#endif
