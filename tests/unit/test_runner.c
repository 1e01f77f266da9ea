/* SPDX-License-Identifier: Apache-2.0 */
/* The process that runs programs does not trust messages from an agent. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "probes/agent/runner.h"

enum { PATIENCE_MS = 20000, STRINGS = 512 };

struct bench {
	char dir[64];
	char program[128]; /* exits with the status in its argument */
	int fd;
	pid_t pid;
};

static int setup(void **state)
{
	static const char text[] = "#!/bin/sh\n[ \"$1\" = wait ] && sleep 60\nexit \"$1\"\n";
	struct bench *b = calloc(1, sizeof *b);
	assert_non_null(b);
	(void)snprintf(b->dir, sizeof b->dir, "/tmp/veer-runner-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	(void)snprintf(b->program, sizeof b->program, "%s/exit", b->dir);
	assert_int_equal(file_write_atomic(b->program, text, sizeof text - 1, 0755, NULL), VEER_OK);
	const struct runner_config config = {.dir = b->dir};
	assert_int_equal(runner_start(&config, &b->fd, &b->pid, NULL), VEER_OK);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	(void)close(b->fd);
	assert_int_equal(waitpid(b->pid, NULL, 0), b->pid); /* it ends when its agent ends */
	(void)unlink(b->program);
	(void)rmdir(b->dir);
	free(b);
	return 0;
}

/* Send one message; `output` -1: without a descriptor. */
static void tell(const struct bench *b, const void *message, size_t len, int output)
{
	char control[CMSG_SPACE(sizeof output)] = {0};
	struct iovec iov = {(void *)(uintptr_t)message, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (output >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof control;
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof output);
		memcpy(CMSG_DATA(h), &output, sizeof output);
	}
	assert_true(sendmsg(b->fd, &msg, MSG_NOSIGNAL) >= 0);
}

static void start(const struct bench *b, uint32_t id, const char *program, const char *argument)
{
	const struct runner_request request = {.kind = RUNNER_START, .id = id, .argc = 2};
	char message[sizeof request + STRINGS];
	int output = open("/dev/null", O_WRONLY | O_CLOEXEC);
	size_t len = sizeof request;
	memcpy(message, &request, sizeof request);
	len += (size_t)snprintf(message + len, STRINGS, "%s", program) + 1;
	len += (size_t)snprintf(message + len, STRINGS - (len - sizeof request), "%s", argument) + 1;
	tell(b, message, len, output);
	(void)close(output);
}

static struct runner_reply hear(const struct bench *b)
{
	struct runner_reply reply = {.kind = 0};
	struct pollfd p = {.fd = b->fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(recv(b->fd, &reply, sizeof reply, 0), sizeof reply);
	return reply;
}

static void it_works(const struct bench *b)
{
	start(b, 7, b->program, "3");
	struct runner_reply reply = hear(b);
	assert_int_equal(reply.kind, RUNNER_ENDED);
	assert_int_equal(reply.id, 7);
	assert_int_equal(reply.code, 3);
	assert_int_equal(reply.is_killed, 0);
}

static void a_program_runs_and_its_end_is_told(void **state)
{
	it_works(*state);
}

static void only_the_directory_is_open(void **state)
{
	const struct bench *b = *state;
	char around[256];
	(void)snprintf(around, sizeof around, "%s/../../bin/true", b->dir);
	const char *const programs[] = {"/bin/true", around, "true", "", b->dir};
	for (uint32_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		start(b, i, programs[i], "0");
		struct runner_reply reply = hear(b);
		assert_int_equal(reply.kind, RUNNER_REFUSED);
		assert_int_equal(reply.code, VEER_EAUTH);
		assert_int_equal(reply.id, i);
		assert_int_equal(hear(b).kind, RUNNER_ENDED);
	}
	it_works(b);
}

static void nonsense_is_ignored(void **state)
{
	const struct bench *b = *state;
	static char long_message[sizeof(struct runner_request) + RUNNER_STRINGS_BYTES + 100];
	const struct runner_request requests[] = {
		{.kind = RUNNER_START, .argc = 1},                        /* no strings */
		{.kind = RUNNER_START, .argc = 0},                        /* no program */
		{.kind = RUNNER_START, .argc = UINT32_MAX},               /* more arguments than are possible */
		{.kind = RUNNER_START, .argc = RUNNER_ARGUMENTS_MAX + 1}, /* one more than the limit */
		{.kind = RUNNER_START, .argc = 1, .envc = UINT32_MAX},    /* likewise */
		{.kind = RUNNER_KILL, .id = 12345},                       /* an id that does not exist */
		{.kind = RUNNER_RELOAD},                                  /* there is no configuration */
		{.kind = RUNNER_ENDED},                                   /* a kind that only replies have */
		{.kind = UINT32_MAX},
	};
	int output = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		char message[sizeof requests[0] + 4] = {0};
		memcpy(message, &requests[i], sizeof requests[i]);
		memcpy(message + sizeof requests[i], "abcd", 4); /* a string without its final NUL */
		for (size_t len = 1; len <= sizeof message; len++)
			tell(b, message, len, len % 2 == 0 ? output : -1);
	}
	memcpy(long_message, &(struct runner_request){.kind = RUNNER_START, .argc = 1}, sizeof requests[0]);
	tell(b, long_message, sizeof long_message, output);
	(void)close(output);
	it_works(b);
}

static void there_are_only_so_many_places(void **state)
{
	const struct bench *b = *state;
	for (uint32_t i = 0; i < RUNNER_RUNNING_MAX; i++)
		start(b, 100 + i, b->program, "wait");
	start(b, 99, b->program, "0");
	struct runner_reply reply = hear(b);
	assert_int_equal(reply.kind, RUNNER_REFUSED);
	assert_int_equal(reply.id, 99);
	assert_int_equal(hear(b).kind, RUNNER_ENDED);
	for (uint32_t i = 0; i < RUNNER_RUNNING_MAX; i++) {
		const struct runner_request request = {.kind = RUNNER_KILL, .id = 100 + i};
		tell(b, &request, sizeof request, -1);
		reply = hear(b);
		assert_int_equal(reply.kind, RUNNER_ENDED);
		assert_int_equal(reply.id, 100 + i);
		assert_int_equal(reply.code, SIGKILL);
		assert_int_equal(reply.is_killed, 1);
	}
	it_works(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_program_runs_and_its_end_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_directory_is_open, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(there_are_only_so_many_places, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
