/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"

static int setup(void **state)
{
	*state = loop_new(veer_clock_system());
	return *state == NULL;
}

static int teardown(void **state)
{
	struct loop *loop = *state;
	loop_free(&loop);
	loop_free(&loop);
	return 0;
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

/* Records the order in which callbacks ran. */
struct trace {
	struct loop *loop;
	int order[4096];
	int count;
	int stop_at;
};

struct mark {
	struct trace *trace;
	struct loop_timer timer;
	struct loop_timer *to_cancel;
	int id;
};

static void on_mark(void *ctx)
{
	struct mark *m = ctx;
	m->trace->order[m->trace->count++] = m->id;
	if (m->to_cancel != NULL)
		loop_timer_cancel(m->trace->loop, m->to_cancel);
	if (m->trace->count == m->trace->stop_at)
		loop_stop(m->trace->loop);
}

static void timers_run_in_order_of_their_time(void **state)
{
	struct loop *loop = *state;
	struct trace trace = {.loop = loop, .stop_at = 500};
	struct mark marks[500] = {0};
	int64_t base = veer_clock_monotonic_ms(veer_clock_system()) + 5;
	unsigned x = 12345;
	int64_t dues[500];
	for (int i = 0; i < 500; i++) {
		x = x * 1103515245 + 12345;
		dues[i] = base + (x >> 16) % 40;
		marks[i] = (struct mark){.trace = &trace, .id = i};
		assert_int_equal(loop_timer_set_at(loop, &marks[i].timer, dues[i], on_mark, &marks[i]), VEER_OK);
	}
	assert_int_equal(loop_run(loop), VEER_OK);
	assert_int_equal(trace.count, 500);
	for (int i = 1; i < 500; i++) {
		int a = trace.order[i - 1];
		int b = trace.order[i];
		/* in the same millisecond, in the order in which they were set */
		assert_true(dues[a] < dues[b] || (dues[a] == dues[b] && a < b));
	}
}

static void a_timer_is_never_early_and_runs_once(void **state)
{
	struct loop *loop = *state;
	for (int64_t after = 0; after < 30; after += 7) {
		struct trace trace = {.loop = loop, .stop_at = 1};
		struct mark mark = {.trace = &trace};
		int64_t before = veer_clock_monotonic_ms(veer_clock_system());
		assert_int_equal(loop_timer_set(loop, &mark.timer, after, on_mark, &mark), VEER_OK);
		assert_int_equal(loop_run(loop), VEER_OK);
		assert_true(veer_clock_monotonic_ms(veer_clock_system()) - before >= after);
		assert_int_equal(trace.count, 1);
		assert_int_equal(mark.timer.heap_index, 0);
	}
}

static void a_cancelled_timer_does_not_run(void **state)
{
	struct loop *loop = *state;
	struct trace trace = {.loop = loop, .stop_at = 50};
	struct mark marks[100] = {0};
	for (int i = 0; i < 100; i++) {
		marks[i] = (struct mark){.trace = &trace, .id = i};
		(void)loop_timer_set(loop, &marks[i].timer, (i * 37) % 11, on_mark, &marks[i]);
	}
	for (int i = 0; i < 100; i += 2) {
		loop_timer_cancel(loop, &marks[i].timer);
		loop_timer_cancel(loop, &marks[i].timer);
	}
	(void)loop_run(loop);
	assert_int_equal(trace.count, 50);
	for (int i = 0; i < 50; i++)
		assert_int_equal(trace.order[i] % 2, 1);
}

static void a_callback_may_cancel_one_that_is_due_too(void **state)
{
	struct loop *loop = *state;
	struct trace trace = {.loop = loop, .stop_at = 2};
	struct mark a = {.trace = &trace, .id = 1};
	struct mark b = {.trace = &trace, .id = 2};
	struct mark c = {.trace = &trace, .id = 3};
	int64_t due = veer_clock_monotonic_ms(veer_clock_system()) + 3;
	a.to_cancel = &b.timer;
	(void)loop_timer_set_at(loop, &a.timer, due, on_mark, &a);
	(void)loop_timer_set_at(loop, &b.timer, due, on_mark, &b);
	(void)loop_timer_set_at(loop, &c.timer, due, on_mark, &c);
	(void)loop_run(loop);
	assert_int_equal(trace.order[0], 1);
	assert_int_equal(trace.order[1], 3);
}

static void setting_again_replaces(void **state)
{
	struct loop *loop = *state;
	struct trace trace = {.loop = loop, .stop_at = 2};
	struct mark a = {.trace = &trace, .id = 1};
	struct mark b = {.trace = &trace, .id = 2};
	(void)loop_timer_set(loop, &a.timer, 1, on_mark, &a);
	(void)loop_timer_set(loop, &b.timer, 10, on_mark, &b);
	(void)loop_timer_set(loop, &a.timer, 20, on_mark, &a);
	(void)loop_run(loop);
	assert_int_equal(trace.order[0], 2);
	assert_int_equal(trace.order[1], 1);
}

/* A timer that always sets itself again, to a time in the past. */
struct greedy {
	struct loop *loop;
	struct loop_timer timer;
	int fds[2];
	int turns;
	bool was_read;
};

static void on_greedy(void *ctx)
{
	struct greedy *g = ctx;
	g->turns++;
	assert_true(g->turns < 100000);
	(void)loop_timer_set_at(g->loop, &g->timer, 0, on_greedy, g);
}

static void on_greedy_read(void *ctx, int fd, unsigned events)
{
	struct greedy *g = ctx;
	(void)fd;
	assert_int_equal(events, LOOP_READ);
	g->was_read = true;
	loop_stop(g->loop);
}

static void a_greedy_timer_starves_nobody(void **state)
{
	struct greedy g = {.loop = *state};
	assert_int_equal(pipe2(g.fds, O_CLOEXEC), 0);
	assert_int_equal(loop_watch(g.loop, g.fds[0], LOOP_READ, on_greedy_read, &g), VEER_OK);
	(void)loop_timer_set(g.loop, &g.timer, 0, on_greedy, &g);
	assert_int_equal(write(g.fds[1], "x", 1), 1);
	(void)loop_run(g.loop);
	assert_true(g.was_read);
	/* other timers also get their turn */
	struct loop_timer other = {0};
	loop_unwatch(g.loop, g.fds[0]);
	(void)loop_timer_set(g.loop, &other, 3, stop, g.loop);
	(void)loop_run(g.loop);
	loop_timer_cancel(g.loop, &g.timer);
	(void)close(g.fds[0]);
	(void)close(g.fds[1]);
}

/* Two sockets that are ready in the same turn; the first whose callback runs does something to the other. */
struct pair {
	struct loop *loop;
	int fds[2];
	int peers[2];
	int called[2];
	int action; /* 0: unwatch the other, 1: replace its watch, 2: close and reopen the same number, watched anew */
	bool other_fn_called;
};

static void on_other(void *ctx, int fd, unsigned events)
{
	struct pair *p = ctx;
	char byte;
	(void)events;
	assert_int_equal(read(fd, &byte, 1), 1);
	p->other_fn_called = true;
}

static void on_pair(void *ctx, int fd, unsigned events)
{
	struct pair *p = ctx;
	int other = fd == p->fds[0] ? 1 : 0;
	(void)events;
	p->called[1 - other]++;
	if (p->action == 0) {
		loop_unwatch(p->loop, p->fds[other]);
	} else if (p->action == 1) {
		assert_int_equal(loop_watch(p->loop, p->fds[other], LOOP_READ, on_other, p), VEER_OK);
	} else {
		int fresh[2];
		loop_unwatch(p->loop, p->fds[other]);
		(void)close(p->fds[other]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fresh), 0);
		assert_int_equal(fresh[0], p->fds[other]); /* the lowest free number */
		(void)close(p->peers[other]);
		p->peers[other] = fresh[1];
		assert_int_equal(loop_watch(p->loop, fresh[0], LOOP_READ, on_pair, p), VEER_OK);
	}
	loop_unwatch(p->loop, fd);
}

static void events_of_a_watch_that_is_gone_are_dropped(void **state)
{
	for (int action = 0; action < 3; action++) {
		struct pair p = {.loop = *state, .action = action};
		struct loop_timer timer = {0};
		for (int i = 0; i < 2; i++) {
			int fds[2];
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
			p.fds[i] = fds[0];
			p.peers[i] = fds[1];
			assert_int_equal(write(fds[1], "x", 1), 1);
			assert_int_equal(loop_watch(p.loop, fds[0], LOOP_READ, on_pair, &p), VEER_OK);
		}
		(void)loop_timer_set(p.loop, &timer, 20, stop, p.loop);
		(void)loop_run(p.loop);
		assert_int_equal(p.called[0] + p.called[1], 1);
		assert_int_equal(p.other_fn_called, action == 1);
		for (int i = 0; i < 2; i++) {
			loop_unwatch(p.loop, p.fds[i]);
			(void)close(p.fds[i]);
			(void)close(p.peers[i]);
		}
	}
}

static void on_events(void *ctx, int fd, unsigned events)
{
	unsigned *seen = ctx;
	(void)fd;
	*seen |= events;
}

static void a_hangup_comes_unasked(void **state)
{
	struct loop *loop = *state;
	struct loop_timer timer = {0};
	unsigned seen = 0;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	(void)close(fds[1]);
	assert_int_equal(loop_watch(loop, fds[0], 0, on_events, &seen), VEER_OK);
	(void)loop_timer_set(loop, &timer, 5, stop, loop);
	(void)loop_run(loop);
	assert_int_equal(seen, LOOP_ERROR);
	loop_unwatch(loop, fds[0]);
	(void)close(fds[0]);
}

static void bad_descriptors_are_refused(void **state)
{
	struct loop *loop = *state;
	assert_int_equal(loop_watch(loop, -1, LOOP_READ, on_events, NULL), VEER_EIO);
	assert_int_equal(loop_watch(loop, 987, LOOP_READ, on_events, NULL), VEER_EIO);
	loop_unwatch(loop, -1);
	loop_unwatch(loop, 100000);
}

enum { POSTERS = 8, POSTS_EACH = 2000 };

/* What the posts of one thread must show: they arrive in order. */
struct poster {
	struct loop *loop;
	int next;
	int *total;
	pthread_t thread;
};

struct item {
	struct poster *poster;
	int n;
};

static void on_item(void *ctx)
{
	struct item *item = ctx;
	assert_int_equal(item->n, item->poster->next);
	item->poster->next++;
	if (++*item->poster->total == POSTERS * POSTS_EACH)
		loop_stop(item->poster->loop);
	free(item);
}

static void *post_many(void *ctx)
{
	struct poster *poster = ctx;
	for (int i = 0; i < POSTS_EACH; i++) {
		struct item *item = malloc(sizeof *item);
		*item = (struct item){.poster = poster, .n = i};
		enum veer_err err = loop_post(poster->loop, on_item, item);
		if (err != VEER_OK)
			abort();
	}
	return NULL;
}

static void posts_of_many_threads_all_run_in_order(void **state)
{
	static struct poster posters[POSTERS];
	int total = 0;
	memset(posters, 0, sizeof posters);
	for (int i = 0; i < POSTERS; i++) {
		posters[i].loop = *state;
		posters[i].total = &total;
		assert_int_equal(pthread_create(&posters[i].thread, NULL, post_many, &posters[i]), 0);
	}
	assert_int_equal(loop_run(*state), VEER_OK);
	for (int i = 0; i < POSTERS; i++)
		(void)pthread_join(posters[i].thread, NULL);
	assert_int_equal(total, POSTERS * POSTS_EACH);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void waiting_posts_are_bounded(void **state)
{
	int count = 0;
	while (loop_post(*state, nothing, NULL) == VEER_OK)
		count++;
	assert_int_equal(count, 65536);
	assert_int_equal(loop_post(*state, nothing, NULL), VEER_ELIMIT);
	struct loop_timer timer = {0};
	(void)loop_timer_set(*state, &timer, 1, stop, *state);
	(void)loop_run(*state);
	assert_int_equal(loop_post(*state, nothing, NULL), VEER_OK);
}

static void *stop_it(void *ctx)
{
	loop_stop(ctx);
	return NULL;
}

static void another_thread_may_stop_the_loop_even_before_it_runs(void **state)
{
	pthread_t thread;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(pthread_create(&thread, NULL, stop_it, *state), 0);
		if (i % 2 == 0)
			(void)pthread_join(thread, NULL);
		assert_int_equal(loop_run(*state), VEER_OK);
		if (i % 2 == 1)
			(void)pthread_join(thread, NULL);
	}
}

struct signals {
	struct loop *loop;
	int stops;
	int reloads;
	int children;
};

static void on_sig_stop(void *ctx)
{
	struct signals *s = ctx;
	s->stops++;
	loop_stop(s->loop);
}

static void on_sig_reload(void *ctx)
{
	((struct signals *)ctx)->reloads++;
}

static void on_sig_child(void *ctx)
{
	((struct signals *)ctx)->children++;
}

static void signals_are_ordinary_callbacks(void **state)
{
	struct signals s = {.loop = *state};
	assert_int_equal(loop_signals(s.loop, on_sig_stop, on_sig_reload, on_sig_child, &s), VEER_OK);
	(void)raise(SIGHUP);
	(void)raise(SIGCHLD);
	(void)raise(SIGTERM);
	(void)loop_run(s.loop);
	assert_int_equal(s.reloads, 1);
	assert_int_equal(s.children, 1);
	assert_int_equal(s.stops, 1);
	assert_int_equal(loop_signals(s.loop, on_sig_stop, NULL, NULL, &s), VEER_OK);
	(void)raise(SIGHUP);
	(void)raise(SIGINT);
	(void)loop_run(s.loop);
	assert_int_equal(s.reloads, 1);
	assert_int_equal(s.stops, 2);
}

static int64_t fake_ns(void *ctx)
{
	return *(int64_t *)ctx;
}

static void time_comes_from_the_clock_given(void **state)
{
	(void)state;
	int64_t now = INT64_C(7000000000);
	struct veer_clock clock = {.monotonic_ns = fake_ns, .wall_ns = fake_ns, .ctx = &now};
	struct loop *loop = loop_new(&clock);
	struct loop_timer timer = {0};
	assert_int_equal(loop_now_ms(loop), 7000);
	assert_ptr_equal(loop_clock(loop), &clock);
	(void)loop_timer_set(loop, &timer, 3600000, stop, loop);
	now += INT64_C(3600000) * 1000000;
	(void)loop_run(loop);
	assert_int_equal(loop_now_ms(loop), 3607000);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timers_run_in_order_of_their_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_timer_is_never_early_and_runs_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cancelled_timer_does_not_run, setup, teardown),
		cmocka_unit_test_setup_teardown(a_callback_may_cancel_one_that_is_due_too, setup, teardown),
		cmocka_unit_test_setup_teardown(setting_again_replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(a_greedy_timer_starves_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(events_of_a_watch_that_is_gone_are_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hangup_comes_unasked, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_descriptors_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(posts_of_many_threads_all_run_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_posts_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(another_thread_may_stop_the_loop_even_before_it_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(signals_are_ordinary_callbacks, setup, teardown),
		cmocka_unit_test_setup_teardown(time_comes_from_the_clock_given, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
