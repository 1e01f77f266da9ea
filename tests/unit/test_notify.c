/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/notify.h"

/* Open a service manager's socket at `name` ("@..." is abstract), and put it into the environment. */
static int open_manager(const char *name)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	memcpy(un.sun_path, name, len);
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void expect(int fd, const char *message)
{
	char got[1000];
	ssize_t n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, message);
}

static void without_a_manager_nothing_happens(void **state)
{
	(void)state;
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(notify_ready(), VEER_OK);
	assert_int_equal(setenv("NOTIFY_SOCKET", "", 1), 0);
	assert_int_equal(notify_ready(), VEER_OK);
}

static void messages_arrive_at_a_path_and_at_an_abstract_name(void **state)
{
	(void)state;
	char dir[] = "/tmp/veer-test-XXXXXX";
	char path[64];
	char abstract[64];
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/s", dir);
	(void)snprintf(abstract, sizeof abstract, "@veer-test-%d", (int)getpid());
	const char *const names[] = {path, abstract};
	for (size_t i = 0; i < 2; i++) {
		int fd = open_manager(names[i]);
		assert_int_equal(notify_ready(), VEER_OK);
		expect(fd, "READY=1");
		assert_int_equal(notify_stopping(), VEER_OK);
		expect(fd, "STOPPING=1");
		assert_int_equal(notify_watchdog(), VEER_OK);
		expect(fd, "WATCHDOG=1");
		assert_int_equal(notify_reloading(), VEER_OK);
		char got[100] = "";
		assert_true(recv(fd, got, sizeof got - 1, MSG_DONTWAIT) > 30);
		assert_memory_equal(got, "RELOADING=1\nMONOTONIC_USEC=", 27);
		(void)close(fd);
	}
	(void)unlink(path);
	(void)rmdir(dir);
}

static void unusable_sockets_are_errors(void **state)
{
	(void)state;
	char very_long[300] = "/";
	memset(very_long + 1, 'x', sizeof very_long - 2);
	const struct {
		const char *name;
		enum veer_err err;
	} cases[] = {
		{"relative", VEER_EINVAL},
		{very_long, VEER_EINVAL},
		{"/nonexistent/socket", VEER_EIO},
		{"vsock:2:1", VEER_EINVAL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", cases[i].name, 1), 0);
		assert_int_equal(notify_ready(), cases[i].err);
	}
	(void)unsetenv("NOTIFY_SOCKET");
}

static void the_watchdog_is_for_its_process_only(void **state)
{
	(void)state;
	char pid[32];
	(void)snprintf(pid, sizeof pid, "%d", (int)getpid());
	const struct {
		const char *usec;
		const char *pid;
		int64_t ms;
	} cases[] = {
		{NULL, NULL, 0},
		{"10000000", NULL, 10000},
		{"10000000", pid, 10000},
		{"10000000", "1", 0},
		{"500", NULL, 1},
		{"0", NULL, 0},
		{"-5", NULL, 0},
		{"x", NULL, 0},
		{"", NULL, 0},
		{"10000000", "x", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		(void)unsetenv("WATCHDOG_USEC");
		(void)unsetenv("WATCHDOG_PID");
		if (cases[i].usec != NULL)
			(void)setenv("WATCHDOG_USEC", cases[i].usec, 1);
		if (cases[i].pid != NULL)
			(void)setenv("WATCHDOG_PID", cases[i].pid, 1);
		assert_int_equal(notify_watchdog_ms(), cases[i].ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_manager_nothing_happens),
		cmocka_unit_test(messages_arrive_at_a_path_and_at_an_abstract_name),
		cmocka_unit_test(unusable_sockets_are_errors),
		cmocka_unit_test(the_watchdog_is_for_its_process_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
