/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privileges that are given up are gone in each thread, and everything that is needed still works. Each test gives them
 * up in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/privilege.h"

/* Note the first condition that does not hold. A child cannot use cmocka's assertions. */
static void must(int *line, int here, bool is_so)
{
	if (*line == 0 && !is_so)
		*line = here;
}

/* Run the test in a child. It returns the line of the condition that does not hold, or 0. */
static void in_a_child(int (*test)(void))
{
	int ends[2], line = -1;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		line = test();
		_exit(write(ends[1], &line, sizeof line) == (ssize_t)sizeof line ? 0 : 1);
	}
	(void)close(ends[1]);
	assert_int_equal(read(ends[0], &line, sizeof line), sizeof line);
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(line, 0);
}

static bool is_refused(long rc)
{
	return rc == -1 && errno == EPERM;
}

static int try_refused(void)
{
	char *const argv[] = {"true", NULL};
	char io[256] = {0};
	int line = 0;
	must(&line, __LINE__, is_refused(execve("/bin/true", argv, argv + 1)));
	must(&line, __LINE__, is_refused(unshare(CLONE_NEWUSER)));
	must(&line, __LINE__, is_refused(mount("none", "/nonexistent", "tmpfs", 0, NULL)));
	must(&line, __LINE__, is_refused(chroot("/")));
	must(&line, __LINE__, is_refused(setgid(getgid())));
	must(&line, __LINE__, is_refused(syscall(SYS_setuid, getuid())));
	must(&line, __LINE__, is_refused(syscall(SYS_bpf, 0, NULL, 0)));
	must(&line, __LINE__, is_refused(syscall(SYS_io_uring_setup, 1, io)));
	must(&line, __LINE__, is_refused(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)));
	must(&line, __LINE__, is_refused(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)));
	must(&line, __LINE__, is_refused(syscall(SYS_clone, CLONE_NEWNET | 17, NULL, NULL, NULL, NULL)));
	return line;
}

static void *thread_main(void *ctx)
{
	*(int *)ctx = try_refused();
	return NULL;
}

/* Threads that already run, threads that are started later, and a fork. */
static int seal(void)
{
	const struct privilege_user nobody_else = {.is_set = false};
	struct logger *log = logger_new("test", STDERR_FILENO, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	pthread_t thread;
	int line = 0, in_thread = -1;
	must(&line, __LINE__, privilege_drop(&nobody_else, PRIVILEGE_BIND, NULL) == VEER_OK);
	privilege_seal(log);
	must(&line, __LINE__, prctl(PR_GET_SECCOMP) == 2 && prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1);
	must(&line, __LINE__, try_refused() == 0);
	must(&line, __LINE__, pthread_create(&thread, NULL, thread_main, &in_thread) == 0);
	must(&line, __LINE__, pthread_join(thread, NULL) == 0 && in_thread == 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(try_refused() != 0);
	int status = -1;
	must(&line, __LINE__, pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	logger_free(&log);
	return line;
}

static void what_nobody_needs_is_refused(void **state)
{
	(void)state;
	in_a_child(seal);
}

static int become_nobody(void)
{
	const struct privilege_names names = {.user = "nobody"};
	struct privilege_user user;
	int line = 0;
	must(&line, __LINE__, privilege_find(&names, &user, NULL) == VEER_OK && user.is_set);
	must(&line, __LINE__, prctl(PR_SET_PDEATHSIG, 15L) == 0);
	must(&line, __LINE__, privilege_drop(&user, PRIVILEGE_BIND, NULL) == VEER_OK);
	int signal_number = 0;
	must(&line, __LINE__, getuid() == user.uid && geteuid() == user.uid && getgid() == user.gid);
	must(&line, __LINE__, setuid(0) == -1 && setgid(0) == -1 && setgroups(0, NULL) == -1);
	must(&line, __LINE__, prctl(PR_GET_PDEATHSIG, &signal_number) == 0 && signal_number == 15);
	must(&line, __LINE__, open("/proc/1/mem", O_RDONLY) == -1);
	return line;
}

static void root_is_gone_for_ever(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	in_a_child(become_nobody);
}

static void only_an_empty_directory_is_given(void **state)
{
	const struct privilege_names names = {.user = "nobody"};
	struct privilege_user user;
	struct veer_diag diag = {""};
	struct stat st;
	char dir[] = "/tmp/veer-privilege-XXXXXX", path[128], file[160];
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(privilege_find(&names, &user, &diag), VEER_OK);
	(void)snprintf(path, sizeof path, "%s/a/b", dir);
	(void)snprintf(file, sizeof file, "%s/file", path);
	assert_int_equal(privilege_give_dir(path, &user, &diag), VEER_OK); /* and its parent, which did not exist */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, user.uid);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(privilege_give_dir(path, &user, &diag), VEER_OK); /* it belongs to the user already */
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(privilege_give_dir(path, &user, &diag), VEER_EAUTH);
	assert_non_null(strstr(diag.text, path));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(privilege_give_dir(path, &user, &diag), VEER_OK);
	assert_int_equal(rmdir(path), 0);
	(void)snprintf(path, sizeof path, "%s/a", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, user.uid);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void names_that_are_none_are_named(void **state)
{
	const struct privilege_names none = {.user = NULL}, unknown = {.user = "nosuchuser", .option = "--exec-user"},
				     lonely = {.group = "nogroup"};
	struct privilege_user user;
	struct veer_diag diag = {""};
	(void)state;
	assert_int_equal(privilege_find(&none, &user, &diag), VEER_OK);
	assert_false(user.is_set);
	assert_int_equal(privilege_find(&unknown, &user, &diag), VEER_ENOTFOUND);
	assert_string_equal(diag.text, "--exec-user nosuchuser: there is no such user");
	assert_int_equal(privilege_find(&lonely, &user, &diag), VEER_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_needs_is_refused),
		cmocka_unit_test(root_is_gone_for_ever),
		cmocka_unit_test(only_an_empty_directory_is_given),
		cmocka_unit_test(names_that_are_none_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
