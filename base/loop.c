/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EVENTS_PER_TURN 256
#define HEAP_ARITY 4 /* the children of a slot fill one cache line */
#define POSTS_MAX 65536
#define TIMERS_MAX (UINT32_MAX / 2)

/* The callback for one descriptor; the table is indexed by descriptor. */
struct watch {
	loop_fd_fn *fn; /* NULL: not watched */
	void *ctx;
	uint32_t generation; /* changes whenever the watch is set, so that events collected before are not delivered */
};

struct post {
	void (*fn)(void *ctx);
	void *ctx;
};

/* A growing array of posts. */
struct post_queue {
	struct post *items;
	size_t count;
	size_t size;
};

/*
 * A place in the heap. The due time is stored here too: with ten thousand timers, reading it from each timer costs more
 * than everything else.
 */
struct slot {
	int64_t due_ms;
	struct loop_timer *timer;
};

struct loop {
	const struct veer_clock *clock;
	int epoll_fd;
	int wake_fd;   /* an eventfd: posts and stops from other threads */
	int signal_fd; /* -1 until loop_signals() */
	int64_t now_ms;
	struct watch *watches;
	size_t watch_size;
	uint32_t next_generation;
	struct slot *heap; /* of HEAP_ARITY children each, by (due_ms, seq) */
	size_t timer_count;
	size_t heap_size;
	uint64_t next_seq;
	atomic_bool is_stopping;
	pthread_mutex_t lock; /* guards `waiting` */
	struct post_queue waiting;
	struct post_queue running; /* used by the loop's thread only: the posts it took from `waiting`, and their
				    * memory */
	void (*on_stop)(void *);
	void (*on_reload)(void *);
	void (*on_child)(void *);
	void *signal_ctx;
};

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void wake(struct loop *loop)
{
	const uint64_t one = 1;
	/* The write can fail only when the counter is full, and then the loop wakes up anyway. */
	ssize_t n = write(loop->wake_fd, &one, sizeof one);
	(void)n;
}

static void run_posts(struct loop *loop)
{
	(void)pthread_mutex_lock(&loop->lock);
	struct post_queue taken = loop->waiting;
	loop->waiting = loop->running;
	loop->waiting.count = 0;
	loop->running = taken;
	(void)pthread_mutex_unlock(&loop->lock);
	for (size_t i = 0; i < taken.count; i++)
		taken.items[i].fn(taken.items[i].ctx);
}

static void on_wake(void *ctx, int fd, unsigned events)
{
	struct loop *loop = ctx;
	uint64_t count = 0;
	(void)events;
	ssize_t n = read(fd, &count, sizeof count);
	(void)n;
	run_posts(loop);
}

struct loop *loop_new(const struct veer_clock *clock)
{
	struct loop *loop = calloc(1, sizeof *loop);
	if (loop == NULL)
		return NULL;
	loop->clock = clock;
	loop->signal_fd = -1;
	atomic_init(&loop->is_stopping, false);
	(void)pthread_mutex_init(&loop->lock, NULL);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->now_ms = veer_clock_monotonic_ms(clock);
	if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
	    loop_watch(loop, loop->wake_fd, LOOP_READ, on_wake, loop) != VEER_OK)
		loop_free(&loop);
	return loop;
}

void loop_free(struct loop **loop_ptr)
{
	struct loop *loop = *loop_ptr;
	if (loop == NULL)
		return;
	for (size_t i = 0; i < loop->timer_count; i++)
		loop->heap[i].timer->heap_index = 0;
	close_fd(loop->epoll_fd);
	close_fd(loop->wake_fd);
	close_fd(loop->signal_fd);
	free(loop->watches);
	free(loop->heap);
	free(loop->waiting.items);
	free(loop->running.items);
	(void)pthread_mutex_destroy(&loop->lock);
	free(loop);
	*loop_ptr = NULL;
}

int64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

const struct veer_clock *loop_clock(const struct loop *loop)
{
	return loop->clock;
}

/* --- descriptors ------------------------------------------------------------------------------------------ */

static enum veer_err watch_reserve(struct loop *loop, size_t fd)
{
	if (fd < loop->watch_size)
		return VEER_OK;
	size_t size = loop->watch_size > 0 ? loop->watch_size : 64;
	while (size <= fd)
		size *= 2;
	struct watch *grown = reallocarray(loop->watches, size, sizeof *grown);
	if (grown == NULL)
		return VEER_ENOMEM;
	memset(grown + loop->watch_size, 0, (size - loop->watch_size) * sizeof *grown);
	loop->watches = grown;
	loop->watch_size = size;
	return VEER_OK;
}

enum veer_err loop_watch(struct loop *loop, int fd, unsigned events, loop_fd_fn *fn, void *ctx)
{
	if (fd < 0)
		return VEER_EIO;
	enum veer_err err = watch_reserve(loop, (size_t)fd);
	if (err != VEER_OK)
		return err;
	struct watch *watch = &loop->watches[fd];
	uint32_t generation = ++loop->next_generation;
	struct epoll_event event = {0};
	event.events = ((events & LOOP_READ) != 0 ? (uint32_t)EPOLLIN : 0) |
		       ((events & LOOP_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0);
	event.data.u64 = (uint64_t)generation << 32 | (uint32_t)fd;
	int rc = epoll_ctl(loop->epoll_fd, watch->fn != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	/*
	 * The kernel drops a closed descriptor from the set, whoever closed it. So add it again if the kernel does not
	 * know it.
	 */
	if (rc < 0 && errno == ENOENT)
		rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	else if (rc < 0 && errno == EEXIST)
		rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	if (rc < 0)
		return errno == ENOMEM || errno == ENOSPC ? VEER_ENOMEM : VEER_EIO;
	*watch = (struct watch){.fn = fn, .ctx = ctx, .generation = generation};
	return VEER_OK;
}

void loop_unwatch(struct loop *loop, int fd)
{
	if (fd < 0 || (size_t)fd >= loop->watch_size || loop->watches[fd].fn == NULL)
		return;
	struct epoll_event unused = {0};
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, &unused);
	loop->watches[fd].fn = NULL;
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
	size_t fd = event->data.u64 & UINT32_MAX;
	/* A copy, because the callback may make the table grow. */
	const struct watch watch = loop->watches[fd];
	if (watch.fn == NULL || watch.generation != event->data.u64 >> 32)
		return;
	unsigned events = 0;
	if ((event->events & EPOLLIN) != 0)
		events |= LOOP_READ;
	if ((event->events & EPOLLOUT) != 0)
		events |= LOOP_WRITE;
	if ((event->events & (EPOLLERR | EPOLLHUP)) != 0)
		events |= LOOP_ERROR;
	watch.fn(watch.ctx, (int)fd, events);
}

/* --- timers ----------------------------------------------------------------------------------------------- */

static bool is_before(const struct slot *a, const struct slot *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->timer->seq < b->timer->seq;
}

static void heap_place(struct loop *loop, size_t at, struct slot slot)
{
	loop->heap[at] = slot;
	slot.timer->heap_index = (uint32_t)at + 1;
}

static void heap_up(struct loop *loop, size_t at)
{
	struct slot slot = loop->heap[at];
	while (at > 0) {
		size_t parent = (at - 1) / HEAP_ARITY;
		if (!is_before(&slot, &loop->heap[parent]))
			break;
		heap_place(loop, at, loop->heap[parent]);
		at = parent;
	}
	heap_place(loop, at, slot);
}

static size_t least_child(const struct loop *loop, size_t at)
{
	size_t first = HEAP_ARITY * at + 1;
	size_t end = first + HEAP_ARITY < loop->timer_count ? first + HEAP_ARITY : loop->timer_count;
	size_t least = first;
	for (size_t child = first + 1; child < end; child++)
		if (is_before(&loop->heap[child], &loop->heap[least]))
			least = child;
	return least;
}

static void heap_down(struct loop *loop, size_t at)
{
	struct slot slot = loop->heap[at];
	while (HEAP_ARITY * at + 1 < loop->timer_count) {
		size_t child = least_child(loop, at);
		if (!is_before(&loop->heap[child], &slot))
			break;
		heap_place(loop, at, loop->heap[child]);
		at = child;
	}
	heap_place(loop, at, slot);
}

static enum veer_err heap_reserve(struct loop *loop)
{
	if (loop->timer_count < loop->heap_size)
		return VEER_OK;
	if (loop->timer_count >= TIMERS_MAX)
		return VEER_ENOMEM;
	size_t size = loop->heap_size > 0 ? loop->heap_size * 2 : 64;
	struct slot *grown = reallocarray(loop->heap, size, sizeof *grown);
	if (grown == NULL)
		return VEER_ENOMEM;
	loop->heap = grown;
	loop->heap_size = size;
	return VEER_OK;
}

enum veer_err loop_timer_set_at(struct loop *loop, struct loop_timer *timer, int64_t due_ms, void (*fn)(void *ctx),
				void *ctx)
{
	loop_timer_cancel(loop, timer);
	enum veer_err err = heap_reserve(loop);
	if (err != VEER_OK)
		return err;
	/*
	 * A time in the past counts as now, so that a timer which always sets itself into the past cannot starve
	 * others.
	 */
	int64_t now_ms = veer_clock_monotonic_ms(loop->clock);
	timer->due_ms = due_ms > now_ms ? due_ms : now_ms;
	timer->seq = loop->next_seq++;
	timer->fn = fn;
	timer->ctx = ctx;
	loop->heap[loop->timer_count] = (struct slot){timer->due_ms, timer};
	heap_up(loop, loop->timer_count++);
	return VEER_OK;
}

enum veer_err loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t after_ms, void (*fn)(void *ctx),
			     void *ctx)
{
	/*
	 * The time comes from the clock, not from the start of the turn: a slow callback must not shorten the timers
	 * that it sets.
	 */
	int64_t now_ms = veer_clock_monotonic_ms(loop->clock);
	int64_t due_ms = after_ms < INT64_MAX - now_ms ? now_ms + after_ms : INT64_MAX;
	return loop_timer_set_at(loop, timer, due_ms, fn, ctx);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	if (timer->heap_index == 0)
		return;
	size_t at = timer->heap_index - 1;
	timer->heap_index = 0;
	struct slot last = loop->heap[--loop->timer_count];
	if (last.timer == timer)
		return;
	heap_place(loop, at, last);
	heap_up(loop, at);
	heap_down(loop, last.timer->heap_index - 1);
}

/*
 * Run the timers that are due. Timers set meanwhile wait for the next turn, so that descriptors are served in between.
 */
static void run_timers(struct loop *loop)
{
	uint64_t end_seq = loop->next_seq;
	while (loop->timer_count > 0) {
		struct loop_timer *timer = loop->heap[0].timer;
		if (timer->due_ms > loop->now_ms || timer->seq >= end_seq)
			return;
		loop_timer_cancel(loop, timer);
		timer->fn(timer->ctx);
	}
}

static int wait_ms(const struct loop *loop)
{
	if (loop->timer_count == 0)
		return -1;
	int64_t left_ms = loop->heap[0].due_ms - veer_clock_monotonic_ms(loop->clock);
	if (left_ms <= 0)
		return 0;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/* --- running ---------------------------------------------------------------------------------------------- */

enum veer_err loop_run(struct loop *loop)
{
	struct epoll_event events[EVENTS_PER_TURN];
	/* Acquire, so that the loop's thread sees what the stopping thread did before it called loop_stop(). */
	while (!atomic_load_explicit(&loop->is_stopping, memory_order_acquire)) {
		int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, wait_ms(loop));
		if (count < 0 && errno != EINTR)
			return VEER_EIO;
		loop->now_ms = veer_clock_monotonic_ms(loop->clock);
		for (int i = 0; i < count; i++)
			dispatch(loop, &events[i]);
		run_timers(loop);
	}
	atomic_store_explicit(&loop->is_stopping, false, memory_order_relaxed);
	return VEER_OK;
}

void loop_stop(struct loop *loop)
{
	/* Release: pairs with the acquire in loop_run(). */
	atomic_store_explicit(&loop->is_stopping, true, memory_order_release);
	wake(loop);
}

static enum veer_err queue_push(struct post_queue *queue, struct post post)
{
	if (queue->count >= POSTS_MAX)
		return VEER_ELIMIT;
	if (queue->count == queue->size) {
		size_t size = queue->size > 0 ? queue->size * 2 : 32;
		struct post *grown = reallocarray(queue->items, size, sizeof *grown);
		if (grown == NULL)
			return VEER_ENOMEM;
		queue->items = grown;
		queue->size = size;
	}
	queue->items[queue->count++] = post;
	return VEER_OK;
}

enum veer_err loop_post(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
	(void)pthread_mutex_lock(&loop->lock);
	bool was_empty = loop->waiting.count == 0;
	enum veer_err err = queue_push(&loop->waiting, (struct post){.fn = fn, .ctx = ctx});
	/*
	 * Wake the loop while the lock is held: once the lock is released the post may run, and it may free the loop.
	 */
	if (err == VEER_OK && was_empty)
		wake(loop);
	(void)pthread_mutex_unlock(&loop->lock);
	return err;
}

/* --- signals ---------------------------------------------------------------------------------------------- */

static void on_signal(void *ctx, int fd, unsigned events)
{
	struct loop *loop = ctx;
	struct signalfd_siginfo info;
	(void)events;
	while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
		void (*fn)(void *) = NULL;
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			fn = loop->on_stop;
		else if (info.ssi_signo == SIGHUP)
			fn = loop->on_reload;
		else if (info.ssi_signo == SIGCHLD)
			fn = loop->on_child;
		if (fn != NULL)
			fn(loop->signal_ctx);
	}
}

enum veer_err loop_signals(struct loop *loop, void (*on_stop)(void *), void (*on_reload)(void *),
			   void (*on_child)(void *), void *ctx)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGCHLD);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return VEER_EIO;
	int fd = signalfd(loop->signal_fd, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return veer_err_from_errno(errno);
	loop->signal_fd = fd;
	loop->on_stop = on_stop;
	loop->on_reload = on_reload;
	loop->on_child = on_child;
	loop->signal_ctx = ctx;
	return loop_watch(loop, fd, LOOP_READ, on_signal, loop);
}
