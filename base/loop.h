/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An epoll event loop with timers for control threads (never the packet path).
 *
 * Threads: everything is called from the thread that runs the loop, except loop_post() and loop_stop(), which may be
 * called from any thread while the loop exists.
 * Re-entrancy: a callback may add, change and remove any watch or timer, its own included; a watch or timer that it
 * removed is not called any more, not even in the same turn. A timer set in a callback runs in a later turn at the
 * earliest.
 */
#ifndef VEER_BASE_LOOP_H
#define VEER_BASE_LOOP_H

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

struct loop;

/*
 * A loop on `clock` (borrowed). NULL when memory or descriptors are out. The caller frees the loop after it has
 * stopped. Posts that did not run by then are dropped, and timers still set count as cancelled.
 */
struct loop *loop_new(const struct veer_clock *clock);
/* Free a loop that is not running; watches and timers that are still set are forgotten. Sets the pointer to NULL. */
void loop_free(struct loop **loop_ptr);

/*
 * Dispatch until loop_stop(); the turn in which it is called is finished, and a stop before the run ends the run at
 * once. The loop can be run again. Returns VEER_OK, or VEER_EIO when epoll itself fails.
 */
enum veer_err loop_run(struct loop *loop);
/* End loop_run() after the present turn. From any thread. */
void loop_stop(struct loop *loop);

/* The loop's present time in ms on the monotonic clock, read once per turn. */
int64_t loop_now_ms(const struct loop *loop);
/* The clock that the loop was made with; borrowed. */
const struct veer_clock *loop_clock(const struct loop *loop);

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_ERROR = 4 };

/* Called when `fd` is ready for `events` (a mask of LOOP_*; LOOP_ERROR is delivered without being asked for). */
typedef void loop_fd_fn(void *ctx, int fd, unsigned events);

/*
 * Watch `fd` (borrowed; one watch each) for `events`, replacing an earlier watch of it.
 * Errors: VEER_ENOMEM, VEER_EIO. loop_unwatch() must be called before the descriptor is closed.
 */
VEER_MUST_CHECK enum veer_err loop_watch(struct loop *loop, int fd, unsigned events, loop_fd_fn *fn, void *ctx);
/* Forget the watch of `fd`. It is no error if there is none. */
void loop_unwatch(struct loop *loop, int fd);

/*
 * A timer in the caller's memory: zero it, then loop_timer_set(). Its owner cancels it before freeing it.
 * The fields are the loop's.
 */
struct loop_timer {
	int64_t due_ms;
	void (*fn)(void *ctx);
	void *ctx;
	uint64_t seq;        /* timers due in the same millisecond run in the order in which they were set */
	uint32_t heap_index; /* place in the heap + 1; 0 when not set */
};

/* Call `fn(ctx)` once, `after_ms` (>= 0) from now; replaces an earlier setting. Errors: VEER_ENOMEM. */
enum veer_err loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t after_ms, void (*fn)(void *ctx),
			     void *ctx);
/* Same, at an absolute time of the monotonic clock (for cadences that must not drift). */
enum veer_err loop_timer_set_at(struct loop *loop, struct loop_timer *timer, int64_t due_ms, void (*fn)(void *ctx),
				void *ctx);
/* Cancel the timer. It is no error if it is not set. */
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

/*
 * Run `fn(ctx)` once in the loop's thread; posts run in the order of the calls. May be called from any thread. Errors:
 * VEER_ENOMEM, VEER_ELIMIT (65,536 waiting).
 */
VEER_MUST_CHECK enum veer_err loop_post(struct loop *loop, void (*fn)(void *ctx), void *ctx);

/*
 * Deliver SIGTERM and SIGINT to `on_stop`, SIGHUP to `on_reload` and SIGCHLD to `on_child` (each may be NULL) as
 * ordinary callbacks (signalfd). These signals are blocked in the calling thread, so call this before starting other
 * threads, and unblock them in child processes before exec. Several signals of one kind may be merged into one, so
 * on_child must reap in a loop. Errors: VEER_EIO, VEER_ELIMIT, VEER_ENOMEM. A second call replaces the callbacks.
 */
VEER_MUST_CHECK enum veer_err loop_signals(struct loop *loop, void (*on_stop)(void *), void (*on_reload)(void *),
					   void (*on_child)(void *), void *ctx);

#endif
