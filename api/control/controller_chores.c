/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the acting controller does besides deciding, in a thread of its own so that no verdict ever waits for it: ends
 * overrides whose time is over, drains and releases for maintenance windows, deletes old transitions. All of it by
 * commits of a few operations, each with the election as a condition, and all of it judged anew from what is stored: a
 * commit that fails is simply due again. This file is the thread; what a turn does is in controller_chores_*.c and
 * controller_history.c.
 */
#include <stdlib.h>
#include <time.h>

#include "api/control/controller_chores_impl.h"

enum { TICK_MS = 200, ARENA_BYTES = 256 << 20 };

static void take_turn(struct controller *c, int64_t now_ns, int64_t *due_ns)
{
	struct chores_turn t = {.c = c, .arena = arena_new(ARENA_BYTES), .now_ns = now_ns, .due_ns = INT64_MAX};
	t.blocks = t.arena != NULL ? arena_calloc(t.arena, CHORE_BLOCKS_MAX, sizeof *t.blocks) : NULL;
	t.failed = t.blocks == NULL;
	if (!t.failed)
		chores_read(&t);
	if (!t.failed)
		chores_end_overrides(&t);
	/* What was ended is still among what was read: draining waits for the next turn. */
	if (!t.failed && !t.has_written)
		chores_maintain(&t);
	if (t.failed)
		log_error(c->config.log, "memory is out: overrides and maintenance windows are late");
	*due_ns = t.failed || t.has_written ? now_ns : t.due_ns;
	arena_free(&t.arena);
}

/* False when closing. */
static bool wait_a_while(struct controller *c)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&c->chores.lock);
	if (!c->chores.is_closing)
		(void)pthread_cond_timedwait(&c->chores.wake, &c->chores.lock, &until);
	bool goes_on = !c->chores.is_closing;
	(void)pthread_mutex_unlock(&c->chores.lock);
	return goes_on;
}

static void *chores_main(void *ctx)
{
	struct controller *c = ctx;
	int64_t due_ns = 0, before_ns = 0;
	while (wait_a_while(c)) {
		if (c->is_deposed)
			continue;
		bool is_dirty = atomic_exchange(&c->chores.is_dirty, false);
		int64_t now_ns = veer_clock_wall_ns(c->config.clock);
		/* Nothing has changed, nothing is due, and nobody has set the clock back. */
		if (is_dirty || now_ns >= due_ns || now_ns < before_ns)
			take_turn(c, now_ns, &due_ns);
		before_ns = now_ns;
		controller_history_prune(c);
	}
	return NULL;
}

void controller_chores_changed(struct controller *c)
{
	atomic_store(&c->chores.is_dirty, true);
	(void)pthread_mutex_lock(&c->chores.lock);
	(void)pthread_cond_signal(&c->chores.wake);
	(void)pthread_mutex_unlock(&c->chores.lock);
}

bool controller_chores_start(struct controller *c)
{
	atomic_store(&c->chores.is_dirty, true);
	c->chores.has_thread = pthread_create(&c->chores.thread, NULL, chores_main, c) == 0;
	return c->chores.has_thread;
}

void controller_chores_init(struct controller *c)
{
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->chores.wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&c->chores.lock, NULL);
}

void controller_chores_stop(struct controller *c)
{
	(void)pthread_mutex_lock(&c->chores.lock);
	c->chores.is_closing = true;
	(void)pthread_cond_signal(&c->chores.wake);
	(void)pthread_mutex_unlock(&c->chores.lock);
	if (c->chores.has_thread)
		(void)pthread_join(c->chores.thread, NULL);
	c->chores.has_thread = false;
}

void controller_chores_deinit(struct controller *c)
{
	(void)pthread_cond_destroy(&c->chores.wake);
	(void)pthread_mutex_destroy(&c->chores.lock);
	free(c->chores.keys);
}
