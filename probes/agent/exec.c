/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READS_A_TURN 16
#define FAREWELL_MS 1000 /* time for the runner to end */

enum { MESSAGE_BYTES = sizeof(struct runner_request) + RUNNER_STRINGS_BYTES };

static const char lost_text[] = "the process that runs programs has ended: restart the agent";

enum run_state {
	RUN_WAITS, /* waits for a place */
	RUN_RUNS,  /* the runner has been asked to start it */
};

struct exec_run {
	struct exec_pool *pool;
	struct exec_run *next;  /* in the pool's list, oldest first */
	struct exec_run **link; /* the pointer that points here */
	enum run_state state;
	exec_done_fn *done; /* NULL: cancelled */
	void *ctx;
	struct runner_request request;
	char *strings; /* the arguments and the environment, each with its NUL */
	size_t strings_len;
	int64_t began_ms;
	int output_fd;   /* our end of its output, or -1 */
	size_t written;  /* how many bytes the program has written so far */
	bool needs_kill; /* the runner has not been told yet */
	bool is_failing; /* it will be ended in the next turn of the loop */
	struct exec_result result;
	char error[RUNNER_TEXT_SIZE];
	char output[EXEC_OUTPUT_KEPT];
};

struct exec_pool {
	struct loop *loop;
	char *dir; /* without final slashes; NULL: nothing is allowed */
	struct exec_run *runs;
	struct exec_run **last; /* where the next one is appended */
	uint32_t running;       /* how many have a place */
	uint32_t next_id;
	int runner_fd; /* -1: there is none */
	pid_t runner;  /* its process id */
	bool is_given; /* the runner was given by exec_pool_use(), and cannot be started again */
	bool is_lost;  /* the runner has ended */
	void (*on_lost)(void *ctx);
	void *lost_ctx;
	char message[MESSAGE_BYTES];
};

static void start_waiting(struct exec_pool *pool);
static void on_reply(void *ctx, int fd, unsigned events);

/* --- orders to the runner -------------------------------------------------------------------------------------- */

/* Send an order, without ever waiting for the runner. False: the runner does not take it now, or has ended. */
static bool tell(struct exec_pool *pool, const struct runner_request *request, const char *strings, size_t len,
		 int descriptor)
{
	char control[CMSG_SPACE(sizeof descriptor)] = {0};
	memcpy(pool->message, request, sizeof *request);
	if (len > 0)
		memcpy(pool->message + sizeof *request, strings, len);
	struct iovec iov = {pool->message, sizeof *request + len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (descriptor >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof control;
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof descriptor);
		memcpy(CMSG_DATA(h), &descriptor, sizeof descriptor);
	}
	ssize_t sent;
	do
		sent = sendmsg(pool->runner_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

/* Kill everything that is left of the run. The runner reports its end. */
static void kill_run(struct exec_run *run)
{
	const struct runner_request order = {.kind = RUNNER_KILL, .id = run->request.id};
	run->needs_kill = !tell(run->pool, &order, NULL, 0, -1);
}

/* --- runs ------------------------------------------------------------------------------------------------------ */

static void refuse(struct exec_run *run, enum veer_err err, const char *what, int error)
{
	run->result.err = err;
	(void)snprintf(run->error, sizeof run->error, "%s%s%s", what, error != 0 ? ": " : "",
		       error != 0 ? strerrordesc_np(error) : "");
}

static void run_free(struct exec_run *run)
{
	struct exec_pool *pool = run->pool;
	if (run->link != NULL) {
		*run->link = run->next;
		if (run->next != NULL)
			run->next->link = run->link;
		else
			pool->last = run->link;
	}
	if (run->output_fd >= 0)
		(void)close(run->output_fd);
	free(run->strings);
	free(run);
}

/* The run is over: tell its owner, and give its place to the next. */
static void end(struct exec_run *run)
{
	struct exec_pool *pool = run->pool;
	if (run->output_fd >= 0)
		loop_unwatch(pool->loop, run->output_fd);
	if (run->state != RUN_WAITS)
		pool->running--;
	run->result.error = run->error;
	run->result.output = run->output;
	if (run->done != NULL)
		run->done(run->ctx, &run->result);
	run_free(run);
	start_waiting(pool);
}

/* Read what it wrote. False: it wrote too much, or nothing more comes. */
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
		kill_run(run);
}

static void on_not_started(void *ctx)
{
	end(ctx);
}

/* Fail in a later turn of the loop, because no callback may come before exec_start() returns. */
static void fail_soon(struct exec_run *run, const char *what, int error)
{
	refuse(run, VEER_EIO, what, error);
	run->is_failing = true;
	if (loop_post(run->pool->loop, on_not_started, run) != VEER_OK)
		run->done = NULL; /* memory is out: the owner still has a deadline */
}

/* Ask the runner to start it. It has a place from here on, even if starting fails. */
static void begin(struct exec_run *run)
{
	struct exec_pool *pool = run->pool;
	int ends[2] = {-1, -1};
	run->state = RUN_RUNS;
	run->began_ms = loop_now_ms(pool->loop);
	pool->running++;
	int error = pipe2(ends, O_CLOEXEC) != 0 ? errno : 0;
	if (error == 0)
		error = fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ? errno : 0;
	run->output_fd = ends[0];
	if (error == 0 && loop_watch(pool->loop, ends[0], LOOP_READ, on_output, run) != VEER_OK)
		error = ENOMEM;
	bool is_told = error == 0 && tell(pool, &run->request, run->strings, run->strings_len, ends[1]);
	if (error == 0 && !is_told)
		error = errno;
	if (ends[1] >= 0)
		(void)close(ends[1]);
	if (error == 0)
		return;
	fail_soon(run, pool->is_lost ? lost_text : "the program cannot be started", pool->is_lost ? 0 : error);
}

static void start_waiting(struct exec_pool *pool)
{
	struct exec_run *run = pool->runs;
	while (run != NULL && pool->running < EXEC_RUNNING_MAX) {
		struct exec_run *next = run->next;
		if (run->state == RUN_WAITS)
			begin(run);
		run = next;
	}
}

/* --- replies of the runner ------------------------------------------------------------------------------------- */

static struct exec_run *find(struct exec_pool *pool, uint32_t id)
{
	struct exec_run *run = pool->runs;
	while (run != NULL && (run->state != RUN_RUNS || run->request.id != id))
		run = run->next;
	return run;
}

static void hear(struct exec_pool *pool, struct runner_reply *reply)
{
	struct exec_run *run = find(pool, reply->id);
	reply->text[sizeof reply->text - 1] = '\0';
	if (run == NULL || run->is_failing)
		return;
	if (reply->kind == RUNNER_REFUSED)
		refuse(run, reply->code == VEER_EAUTH ? VEER_EAUTH : VEER_EIO, reply->text, 0);
	if (reply->kind != RUNNER_ENDED)
		return;
	if (!run->result.is_cut && run->result.err == VEER_OK)
		(void)read_output(run);
	run->result.is_killed = reply->is_killed != 0;
	run->result.code = reply->code;
	end(run);
}

/* The runner has ended, or sends nonsense: no program can be run any more, and those that ran were killed. */
static void lose(struct exec_pool *pool)
{
	pool->is_lost = true;
	loop_unwatch(pool->loop, pool->runner_fd);
	(void)close(pool->runner_fd);
	pool->runner_fd = -1;
	(void)waitpid(pool->runner, NULL, WNOHANG);
	for (struct exec_run *run = pool->runs; run != NULL; run = run->next)
		if (run->state == RUN_RUNS && !run->is_failing)
			fail_soon(run, lost_text, 0);
	if (pool->on_lost != NULL)
		pool->on_lost(pool->lost_ctx);
}

static void tell_again(struct exec_pool *pool)
{
	for (struct exec_run *run = pool->runs; run != NULL; run = run->next)
		if (run->needs_kill)
			kill_run(run);
}

static void on_reply(void *ctx, int fd, unsigned events)
{
	struct exec_pool *pool = ctx;
	(void)events;
	for (int i = 0; i < READS_A_TURN; i++) {
		struct runner_reply reply;
		ssize_t len = recv(fd, &reply, sizeof reply, MSG_DONTWAIT);
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (len != (ssize_t)sizeof reply) {
			lose(pool);
			return;
		}
		hear(pool, &reply);
	}
	tell_again(pool);
}

/* --- from the outside ------------------------------------------------------------------------------------------ */

static bool copy_strings(struct exec_run *run, const char *const *argv, const char *const *environment)
{
	size_t bytes = 0;
	uint32_t counts[2] = {0, 0};
	const char *const *const lists[2] = {argv, environment};
	for (int part = 0; part < 2; part++)
		for (; lists[part][counts[part]] != NULL; counts[part]++)
			bytes += strlen(lists[part][counts[part]]) + 1;
	if (bytes > RUNNER_STRINGS_BYTES || counts[0] > RUNNER_ARGUMENTS_MAX || counts[1] > RUNNER_ARGUMENTS_MAX)
		return false;
	char *at = run->strings = malloc(bytes + 1);
	if (at == NULL)
		return false;
	for (int part = 0; part < 2; part++) {
		for (uint32_t i = 0; i < counts[part]; i++) {
			size_t size = strlen(lists[part][i]) + 1;
			memcpy(at, lists[part][i], size);
			at += size;
		}
	}
	run->strings_len = bytes;
	run->request.argc = counts[0];
	run->request.envc = counts[1];
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
	*run = (struct exec_run){.pool = pool, .done = done, .ctx = ctx, .output_fd = -1};
	run->request.kind = RUNNER_START;
	run->request.id = ++pool->next_id;
	if (!copy_strings(run, argv, environment)) {
		run_free(run);
		return VEER_ENOMEM;
	}
	run->link = pool->last;
	*pool->last = run;
	pool->last = &run->next;
	*out = run;
	start_waiting(pool);
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
	else if (run->pool->runner_fd >= 0)
		kill_run(run);
}

/* --- the pool -------------------------------------------------------------------------------------------------- */

struct exec_pool *exec_pool_new(struct loop *loop)
{
	struct exec_pool *pool = calloc(1, sizeof *pool);
	if (pool == NULL)
		return NULL;
	pool->loop = loop;
	pool->runner_fd = -1;
	pool->last = &pool->runs;
	return pool;
}

enum veer_err exec_pool_use(struct exec_pool *pool, int fd, pid_t runner, void (*on_lost)(void *ctx), void *ctx)
{
	enum veer_err err = fd >= 0 ? loop_watch(pool->loop, fd, LOOP_READ, on_reply, pool) : VEER_OK;
	if (err != VEER_OK)
		return err;
	pool->runner_fd = fd;
	pool->runner = runner;
	pool->is_given = true;
	pool->on_lost = on_lost;
	pool->lost_ctx = ctx;
	return VEER_OK;
}

/* End the runner by closing its socket. */
static void dismiss(struct exec_pool *pool)
{
	if (pool->runner_fd < 0)
		return;
	loop_unwatch(pool->loop, pool->runner_fd);
	(void)close(pool->runner_fd);
	pool->runner_fd = -1;
	struct pollfd end = {.fd = pidfd_open(pool->runner, 0), .events = POLLIN};
	if (end.fd >= 0) {
		(void)poll(&end, 1, FAREWELL_MS);
		(void)close(end.fd);
	}
	(void)waitpid(pool->runner, NULL, WNOHANG);
}

/*
 * A given runner reads the configuration itself; one of our own is started again, and what the old one ran is killed.
 */
static enum veer_err point_runner(struct exec_pool *pool, const char *dir, struct veer_diag *diag)
{
	const struct runner_request order = {.kind = RUNNER_RELOAD};
	const struct runner_config config = {.dir = dir};
	if (pool->is_given)
		return pool->runner_fd < 0 || tell(pool, &order, NULL, 0, -1)
			       ? VEER_OK
			       : veer_fail(diag, VEER_EIO, "the process for programs does not listen");
	if (pool->dir != NULL && strcmp(pool->dir, dir) == 0 && !pool->is_lost)
		return VEER_OK;
	int fd;
	pid_t runner;
	enum veer_err err = runner_start(&config, &fd, &runner, diag);
	if (err != VEER_OK)
		return err;
	dismiss(pool);
	pool->runner_fd = fd;
	pool->runner = runner;
	pool->is_lost = false;
	return loop_watch(pool->loop, fd, LOOP_READ, on_reply, pool);
}

enum veer_err exec_dir_check(const char *dir, char out[RUNNER_DIR_SIZE], struct veer_diag *diag)
{
	struct stat st;
	size_t len = strlen(dir);
	if (dir[0] != '/')
		return veer_fail(diag, VEER_EINVAL, "'%.200s' is not an absolute path", dir);
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
		return veer_fail(diag, VEER_ENOTFOUND, "'%.200s' is not a directory", dir);
	while (len > 1 && dir[len - 1] == '/')
		len--;
	if (len >= RUNNER_DIR_SIZE)
		return veer_fail(diag, VEER_ERANGE, "'%.200s...' is too long", dir);
	memcpy(out, dir, len);
	out[len] = '\0';
	return VEER_OK;
}

enum veer_err exec_pool_allow(struct exec_pool *pool, const char *dir, struct veer_diag *diag)
{
	char path[RUNNER_DIR_SIZE];
	enum veer_err err = dir != NULL ? exec_dir_check(dir, path, diag) : VEER_OK;
	if (err == VEER_OK && dir != NULL && pool->is_given && pool->runner_fd < 0 && !pool->is_lost)
		err = veer_fail(diag, VEER_EAUTH, "--allow-exec needs a restart");
	if (err == VEER_OK && (dir != NULL || pool->is_given))
		err = point_runner(pool, dir != NULL ? path : "", diag);
	char *copy = err == VEER_OK && dir != NULL ? strdup(path) : NULL;
	if (err == VEER_OK && dir != NULL && copy == NULL)
		err = veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	if (err != VEER_OK)
		return err;
	free(pool->dir);
	pool->dir = copy;
	return VEER_OK;
}

bool exec_pool_is_open(const struct exec_pool *pool)
{
	return pool->dir != NULL;
}

const char *exec_pool_lost(const struct exec_pool *pool)
{
	return pool->is_lost ? lost_text : NULL;
}

void exec_pool_free(struct exec_pool **pool)
{
	if (*pool == NULL)
		return;
	while ((*pool)->runs != NULL) {
		if ((*pool)->runs->output_fd >= 0)
			loop_unwatch((*pool)->loop, (*pool)->runs->output_fd);
		run_free((*pool)->runs);
	}
	dismiss(*pool);
	free((*pool)->dir);
	free(*pool);
	*pool = NULL;
}
