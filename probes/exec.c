/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_BYTES 65536 /* of all arguments and the environment */
#define READS_A_TURN 16

enum run_state {
	RUN_WAITS,    /* for a place */
	RUN_STARTING, /* in a thread */
	RUN_RUNS,
	RUN_ENDED, /* never started, or gone */
};

struct exec_run {
	struct exec_pool *pool; /* NULL: the pool is gone, and nobody waits */
	struct exec_run *next;  /* in the pool's list, oldest first */
	struct exec_run **link; /* what points here */
	enum run_state state;
	exec_done_fn *done; /* NULL: cancelled */
	void *ctx;
	char **argv; /* with the environment and all strings one allocation */
	char **environment;
	char *dir; /* a copy: the thread reads it */
	int64_t began_ms;
	pid_t pid;      /* 0: none */
	int pidfd;      /* -1: none */
	int output_fd;  /* our end of its output, or -1 */
	size_t written; /* by it, so far */
	struct exec_result result;
	char error[160];
	char output[EXEC_OUTPUT_KEPT];
};

struct exec_pool {
	struct loop *loop;
	struct jobs *threads;
	char *dir; /* without final slashes; NULL: nothing is allowed */
	struct exec_run *runs;
	struct exec_run **last; /* where the next one goes */
	uint32_t running;       /* that have a place */
};

/* --- in the thread --------------------------------------------------------------------------------------------- */

static void refuse(struct exec_run *run, enum veer_err err, const char *what, int error)
{
	run->result.err = err;
	(void)snprintf(run->error, sizeof run->error, "%.80s %s%s%s", run->argv[0], what, error != 0 ? ": " : "",
		       error != 0 ? strerrordesc_np(error) : "");
}

/* Is it a file below the directory, whatever symbolic links it is reached by? The kernel says so. */
static bool is_allowed(struct exec_run *run)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	size_t len = strlen(run->dir);
	struct stat st = {0};
	if (strncmp(run->argv[0], run->dir, len) != 0 || run->argv[0][len] != '/') {
		refuse(run, VEER_EAUTH, "is not below the directory that this agent allows", 0);
		return false;
	}
	const char *rest = run->argv[0] + len + strspn(run->argv[0] + len, "/");
	int dir_fd = open(run->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir_fd >= 0 ? (int)syscall(SYS_openat2, dir_fd, rest, &how, sizeof how) : -1;
	int error = errno;
	bool is_file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (fd >= 0)
		(void)close(fd);
	if (dir_fd >= 0)
		(void)close(dir_fd);
	if (fd < 0 && error == EXDEV)
		refuse(run, VEER_EAUTH, "leads out of the directory that this agent allows", 0);
	else if (fd < 0)
		refuse(run, VEER_EIO, "cannot be opened", error);
	else if (!is_file)
		refuse(run, VEER_EAUTH, "is no program", 0);
	return is_file;
}

/* A descriptor less than all that are open, so that nothing leaks into it: not even what others open meanwhile. */
static int set_actions(posix_spawn_file_actions_t *actions, int output)
{
	int rc = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, output, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, output, 2);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(actions, 3);
	return rc == 0 ? posix_spawn_file_actions_addchdir_np(actions, "/") : rc;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	int rc = posix_spawnattr_setflags(attributes,
					  POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawnattr_setpgroup(attributes, 0);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(attributes, &none);
	return rc == 0 ? posix_spawnattr_setsigdefault(attributes, &all) : rc;
}

/* posix_spawn(3) shares our memory until the program runs: no copy, however large the agent is. */
static int spawn(struct exec_run *run, int output)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc != 0)
		return rc;
	rc = posix_spawnattr_init(&attributes);
	if (rc == 0) {
		rc = set_actions(&actions, output);
		if (rc == 0)
			rc = set_attributes(&attributes);
		if (rc == 0)
			rc = posix_spawn(&run->pid, run->argv[0], &actions, &attributes, run->argv, run->environment);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		run->pid = 0;
	return rc;
}

/* Kill all that is left of it. It is not reaped yet, so that its number is still its own. */
static void kill_group(const struct exec_run *run)
{
	(void)kill(-run->pid, SIGKILL);
}

static void work(void *ctx)
{
	struct exec_run *run = ctx;
	int ends[2] = {-1, -1};
	if (!is_allowed(run))
		return;
	int error = pipe2(ends, O_CLOEXEC) != 0 ? errno : 0;
	if (error == 0)
		error = fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ? errno : 0;
	if (error == 0)
		error = spawn(run, ends[1]);
	if (error == 0) {
		run->pidfd = pidfd_open(run->pid, 0); /* ours, and not reaped: it cannot be another's */
		error = run->pidfd < 0 ? errno : 0;
	}
	if (ends[1] >= 0)
		(void)close(ends[1]);
	run->output_fd = ends[0];
	if (error == 0)
		return;
	refuse(run, VEER_EIO, "cannot be started", error);
	if (run->pid > 0) {
		kill_group(run);
		(void)waitpid(run->pid, NULL, 0);
		run->pid = 0;
	}
}

/* --- in the loop ----------------------------------------------------------------------------------------------- */

static void start_waiting(struct exec_pool *pool);

static void detach(struct exec_run *run)
{
	struct exec_pool *pool = run->pool;
	*run->link = run->next;
	if (run->next != NULL)
		run->next->link = run->link;
	else
		pool->last = run->link;
}

static void run_free(struct exec_run *run)
{
	if (run->pool != NULL)
		detach(run);
	if (run->output_fd >= 0)
		(void)close(run->output_fd);
	if (run->pidfd >= 0)
		(void)close(run->pidfd);
	free(run->argv);
	free(run->dir);
	free(run);
}

/* It is over: tell its owner, and give its place to the next. */
static void end(struct exec_run *run)
{
	struct exec_pool *pool = run->pool;
	if (run->output_fd >= 0)
		loop_unwatch(pool->loop, run->output_fd);
	if (run->pidfd >= 0)
		loop_unwatch(pool->loop, run->pidfd);
	if (run->state != RUN_WAITS)
		pool->running--;
	run->state = RUN_ENDED;
	run->result.error = run->error;
	run->result.output = run->output;
	if (run->done != NULL)
		run->done(run->ctx, &run->result);
	run_free(run);
	start_waiting(pool);
}

/* Take what it wrote. False: it wrote too much, or nothing more comes. */
static bool read_output(struct exec_run *run)
{
	char bytes[4096];
	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t len = read(run->output_fd, bytes, sizeof bytes);
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (len <= 0)
			return false;
		size_t room = sizeof run->output - run->result.output_len;
		size_t take = (size_t)len < room ? (size_t)len : room;
		memcpy(run->output + run->result.output_len, bytes, take);
		run->result.output_len += take;
		run->written += (size_t)len;
		if (run->written > EXEC_OUTPUT_BYTES) {
			run->result.is_cut = true;
			return false;
		}
	}
	return true;
}

static void on_output(void *ctx, int fd, unsigned events)
{
	struct exec_run *run = ctx;
	(void)events;
	if (read_output(run))
		return;
	loop_unwatch(run->pool->loop, fd);
	if (run->result.is_cut)
		kill_group(run);
}

static void on_end(void *ctx, int fd, unsigned events)
{
	struct exec_run *run = ctx;
	siginfo_t info = {0};
	(void)events;
	kill_group(run); /* what it left behind; before it is reaped, while its number is its own */
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
		return;
	run->pid = 0;
	if (!run->result.is_cut)
		(void)read_output(run);
	run->result.is_killed = info.si_code != CLD_EXITED;
	run->result.code = info.si_status;
	end(run);
}

/* The thread has done its part. */
static void on_started(void *ctx)
{
	struct exec_run *run = ctx;
	if (run->pool == NULL) { /* the pool went meanwhile */
		if (run->pid > 0) {
			kill_group(run);
			(void)waitpid(run->pid, NULL, 0);
		}
		run_free(run);
		return;
	}
	if (run->pid == 0) {
		end(run);
		return;
	}
	run->state = RUN_RUNS;
	run->began_ms = loop_now_ms(run->pool->loop);
	struct loop *loop = run->pool->loop;
	if (run->done == NULL)
		kill_group(run);
	if (loop_watch(loop, run->pidfd, LOOP_READ, on_end, run) == VEER_OK &&
	    loop_watch(loop, run->output_fd, LOOP_READ, on_output, run) == VEER_OK)
		return;
	/* Nobody would tell us of its end. */
	kill_group(run);
	(void)waitpid(run->pid, NULL, 0);
	run->pid = 0;
	run->result.err = VEER_ENOMEM;
	end(run);
}

static void start_waiting(struct exec_pool *pool)
{
	struct exec_run *run = pool->runs;
	while (run != NULL && pool->running < EXEC_RUNNING_MAX) {
		struct exec_run *next = run->next;
		if (run->state == RUN_WAITS && jobs_add(pool->threads, work, on_started, run) == VEER_OK) {
			run->state = RUN_STARTING;
			pool->running++;
		}
		run = next;
	}
}

/* One allocation of pointers and strings. */
static bool copy_vectors(struct exec_run *run, const char *const *argv, const char *const *environment)
{
	size_t count = 2;
	size_t bytes = 0;
	for (size_t i = 0; argv[i] != NULL; i++, count++)
		bytes += strlen(argv[i]) + 1;
	for (size_t i = 0; environment[i] != NULL; i++, count++)
		bytes += strlen(environment[i]) + 1;
	if (bytes > ARGUMENTS_BYTES)
		return false;
	run->argv = malloc(count * sizeof *run->argv + bytes);
	if (run->argv == NULL)
		return false;
	char **at = run->argv;
	char *text = (char *)(run->argv + count);
	for (int part = 0; part < 2; part++) {
		const char *const *from = part == 0 ? argv : environment;
		if (part == 1)
			run->environment = at;
		for (size_t i = 0; from[i] != NULL; i++) {
			size_t size = strlen(from[i]) + 1;
			*at++ = memcpy(text, from[i], size);
			text += size;
		}
		*at++ = NULL;
	}
	return true;
}

enum veer_err exec_start(struct exec_pool *pool, const char *const *argv, const char *const *environment,
			 exec_done_fn *done, void *ctx, struct exec_run **out)
{
	if (pool->dir == NULL)
		return VEER_EAUTH;
	struct exec_run *run = calloc(1, sizeof *run);
	if (run == NULL)
		return VEER_ENOMEM;
	*run = (struct exec_run){.done = done, .ctx = ctx, .pidfd = -1, .output_fd = -1};
	run->dir = strdup(pool->dir);
	if (run->dir == NULL || !copy_vectors(run, argv, environment)) {
		run_free(run);
		return VEER_ENOMEM;
	}
	run->pool = pool;
	run->link = pool->last;
	*pool->last = run;
	pool->last = &run->next;
	start_waiting(pool);
	*out = run;
	return VEER_OK;
}

int64_t exec_ran_ms(const struct exec_run *run)
{
	return run->state == RUN_RUNS ? loop_now_ms(run->pool->loop) - run->began_ms : 0;
}

void exec_cancel(struct exec_run *run)
{
	run->done = NULL;
	if (run->state == RUN_WAITS)
		run_free(run);
	else if (run->state == RUN_RUNS)
		kill_group(run); /* its end is heard of by the pidfd */
}

/* --- the pool -------------------------------------------------------------------------------------------------- */

struct exec_pool *exec_pool_new(struct loop *loop, struct jobs *threads)
{
	struct exec_pool *pool = calloc(1, sizeof *pool);
	if (pool == NULL)
		return NULL;
	*pool = (struct exec_pool){.loop = loop, .threads = threads};
	pool->last = &pool->runs;
	return pool;
}

enum veer_err exec_pool_allow(struct exec_pool *pool, const char *dir, struct veer_diag *diag)
{
	struct stat st;
	size_t len = dir != NULL ? strlen(dir) : 0;
	char *copy = NULL;
	if (dir != NULL && dir[0] != '/')
		return veer_fail(diag, VEER_EINVAL, "'%.200s' is no absolute path", dir);
	if (dir != NULL && (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)))
		return veer_fail(diag, VEER_ENOTFOUND, "'%.200s' is no directory", dir);
	while (len > 1 && dir[len - 1] == '/')
		len--;
	if (dir != NULL && (copy = strndup(dir, len)) == NULL)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	free(pool->dir);
	pool->dir = copy;
	return VEER_OK;
}

bool exec_pool_is_open(const struct exec_pool *pool)
{
	return pool->dir != NULL;
}

static void abandon(struct exec_run *run)
{
	if (run->state == RUN_STARTING) { /* on_started() frees it */
		detach(run);
		run->pool = NULL;
		return;
	}
	if (run->pid > 0) {
		loop_unwatch(run->pool->loop, run->pidfd);
		loop_unwatch(run->pool->loop, run->output_fd);
		kill_group(run);
		(void)waitid(P_PIDFD, (id_t)run->pidfd, &(siginfo_t){0}, WEXITED | WNOHANG);
	}
	run_free(run);
}

void exec_pool_free(struct exec_pool **pool)
{
	if (*pool == NULL)
		return;
	while ((*pool)->runs != NULL)
		abandon((*pool)->runs);
	free((*pool)->dir);
	free(*pool);
	*pool = NULL;
}
