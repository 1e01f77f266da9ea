/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something that is done again and again in a thread of its own, because it may block: on a disk, above all. Others can
 * see for how long a turn has been under way, and say that it hangs.
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

/* In the caller's memory. All is the ticker's own. */
struct ticker {
	void (*turn)(void *ctx);
	void *ctx;
	const struct veer_clock *clock;
	int64_t pause_ms;
	_Atomic int64_t began_ms; /* monotonic; of the turn that is under way, 0: none is */
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	bool is_closing;
	bool is_running; /* the starter's: there is a thread */
};

/*
 * Call `turn(ctx)` in a new thread, at once and then with pauses of `pause_ms` between. `clock` and `ctx` are borrowed
 * until ticker_stop(). False when there is no thread; then nothing is to be stopped.
 */
bool ticker_start(struct ticker *ticker, const struct veer_clock *clock, int64_t pause_ms, void (*turn)(void *ctx),
		  void *ctx);
/* Waits for the turn that is under way. A ticker that is zeroed, or was stopped, is left alone. */
void ticker_stop(struct ticker *ticker);
/* For how long the present turn has been under way, in ms; 0 between turns. */
int64_t ticker_busy_ms(struct ticker *ticker);

#endif
