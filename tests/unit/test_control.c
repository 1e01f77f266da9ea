/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket, with a clock that the test advances: no step of the conversation may last for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsd/serve/control.h"

#define STORE "0123456789abcdef0123456789abcdef"

struct fixture {
	int64_t now_ns;
	struct veer_clock clock;
	struct loop *loop;
	char path[64];
	struct control *control;
	int peer;
	int left, resumed;
};

static int64_t now_ns(void *ctx)
{
	return *(int64_t *)ctx;
}

static bool is_serving(void *ctx)
{
	(void)ctx;
	return true;
}

static size_t sockets(void *ctx, enum control_role role, size_t from, int *fds, size_t max, size_t *total)
{
	(void)ctx;
	(void)role;
	(void)from;
	(void)fds;
	(void)max;
	*total = 0;
	return 0;
}

static void leave(void *ctx)
{
	((struct fixture *)ctx)->left++;
}

static bool is_behind(void *ctx, const struct control_position *other)
{
	(void)ctx;
	return other->revision < 7;
}

static void position(void *ctx, struct control_position *out)
{
	(void)ctx;
	*out = (struct control_position){.store_id = STORE, .revision = 7, .is_heard = true};
}

static void secrets(void *ctx, struct cookie_secrets *out)
{
	(void)ctx;
	*out = (struct cookie_secrets){.count = 0};
}

static void resume(void *ctx)
{
	((struct fixture *)ctx)->resumed++;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static void drain(void *ctx, const int *channels, size_t count)
{
	(void)ctx;
	(void)channels;
	(void)count;
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

/* Do everything that is due now. */
static void turn(struct fixture *f)
{
	for (int i = 0; i < 3; i++) {
		struct loop_timer timer = {0};
		assert_int_equal(loop_timer_set(f->loop, &timer, 0, stop, f->loop), VEER_OK);
		assert_int_equal(loop_run(f->loop), VEER_OK);
	}
}

static int enter(struct fixture *f)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(control_address(f->path, &address, NULL), VEER_OK);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	turn(f);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	f->now_ns = INT64_C(7000000000);
	f->clock = (struct veer_clock){.monotonic_ns = now_ns, .wall_ns = now_ns, .ctx = &f->now_ns};
	f->loop = loop_new(&f->clock);
	const struct control_host host = {.loop = f->loop,
					  .is_serving = is_serving,
					  .sockets = sockets,
					  .leave = leave,
					  .position = position,
					  .is_behind = is_behind,
					  .secrets = secrets,
					  .yield = ignore,
					  .drain = drain,
					  .resume = resume,
					  .finish = ignore,
					  .ctx = f};
	(void)snprintf(f->path, sizeof f->path, "/tmp/veer-control-%d", (int)getpid());
	assert_int_equal(control_new(&host, f->path, -1, &f->control, NULL), VEER_OK);
	assert_int_equal(control_listen(f->control), VEER_OK);
	f->peer = enter(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	(void)close(f->peer);
	control_free(&f->control);
	loop_free(&f->loop);
	free(f);
	return 0;
}

static void ask(struct fixture *f, const struct control_message *question, enum control_kind answer)
{
	struct control_message got;
	assert_int_equal(control_send(f->peer, question), VEER_OK);
	turn(f);
	assert_int_equal(control_receive(f->peer, &got, NULL), VEER_OK);
	assert_int_equal(got.kind, answer);
	control_close_fds(&got);
}

static void assert_is_dropped_in_time(struct fixture *f)
{
	struct control_message got;
	f->now_ns += INT64_C(1000000) * (CONTROL_STEP_MS - 1);
	turn(f);
	assert_int_equal(control_receive(f->peer, &got, NULL), VEER_ETIMEOUT);
	f->now_ns += INT64_C(2000000);
	turn(f);
	assert_int_equal(control_receive(f->peer, &got, NULL), VEER_OK);
	assert_int_equal(got.kind, CONTROL_REFUSED);
	assert_int_equal(control_receive(f->peer, &got, NULL), VEER_ECLOSED);
	/* and there is room for another peer */
	(void)close(f->peer);
	f->peer = enter(f);
	ask(f, &(struct control_message){.kind = CONTROL_TAKE}, CONTROL_SOCKETS);
}

static void one_that_says_nothing_is_dropped(void **state)
{
	assert_is_dropped_in_time(*state);
}

static void one_that_only_takes_the_sockets_is_dropped(void **state)
{
	struct fixture *f = *state;
	ask(f, &(struct control_message){.kind = CONTROL_TAKE}, CONTROL_SOCKETS);
	assert_is_dropped_in_time(f);
	assert_int_equal(f->resumed, 0);
}

static void one_that_hangs_while_it_loads_is_dropped_and_the_disk_taken_up_again(void **state)
{
	struct fixture *f = *state;
	ask(f, &(struct control_message){.kind = CONTROL_TAKE}, CONTROL_SOCKETS);
	f->now_ns += INT64_C(1000000) * (CONTROL_STEP_MS - 1); /* each step has its own time limit */
	ask(f, &(struct control_message){.kind = CONTROL_LOAD}, CONTROL_LEFT);
	assert_int_equal(f->left, 1);
	assert_is_dropped_in_time(f);
	assert_int_equal(f->resumed, 1);
}

static void one_that_is_behind_and_hangs_is_dropped(void **state)
{
	struct fixture *f = *state;
	ask(f, &(struct control_message){.kind = CONTROL_LOAD}, CONTROL_LEFT);
	f->now_ns += INT64_C(1000000) * (CONTROL_STEP_MS - 1);
	ask(f,
	    &(struct control_message){.kind = CONTROL_READY,
				      .position = {.store_id = STORE, .revision = 6, .is_heard = true}},
	    CONTROL_WAIT);
	assert_is_dropped_in_time(f);
	assert_int_equal(f->resumed, 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(one_that_says_nothing_is_dropped),
		T(one_that_only_takes_the_sockets_is_dropped),
		T(one_that_hangs_while_it_loads_is_dropped_and_the_disk_taken_up_again),
		T(one_that_is_behind_and_hangs_is_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
