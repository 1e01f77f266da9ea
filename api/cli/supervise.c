/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cli/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 5000,
	STEADY_MS = 10000, /* after a run of this length, the next pause is the first again */
	END_TIMEOUT_MS = 10000,
	EXIT_NO_PROGRAM = 127,
	LINE_BYTES = 400,
	WATCHDOG_MS = 10000, /* a child that is ready and silent for so long hangs */
	LOOK_MS = 1000,
	LATE_LOOKS = 2, /* looks in a row that must find it, because this process may have been stopped */
};

enum child_state { CHILD_WAITING, CHILD_RUNNING, CHILD_READY, CHILD_PAUSING, CHILD_DONE };

struct child {
	struct supervisor *supervisor;
	char *name;
	char **argv;
	char *log_path;
	bool is_once;
	bool outlives;                     /* keeps running when the supervisor is killed */
	size_t needs[SUPERVISE_NEEDS_MAX]; /* indices of children */
	size_t need_count;
	enum child_state state;
	pid_t pid;
	int pidfd; /* -1 when it is not running */
	int64_t started_ms;
	int64_t pause_ms;
	int64_t alive_ms;    /* when it last said that it is alive; counts once it is ready */
	unsigned late_looks; /* how many looks in a row have found it silent */
	struct loop_timer timer;
};

struct supervisor {
	struct loop *loop;
	struct logger *log;
	char notify[128]; /* NOTIFY_SOCKET=@NAME: an abstract address, which needs no file */
	int socket;
	int lock_fd; /* allows one supervisor per directory; -1: it cannot be locked */
	struct loop_timer look;
	struct child *children[SUPERVISE_CHILDREN_MAX];
	size_t count;
	bool is_started;
	bool was_ready;
	void (*on_ready)(void *ctx);
	void *ctx;
};

static void start_all(struct supervisor *s);
static void on_child_exit(void *ctx, int fd, unsigned events);

/* In the child process: nothing here may allocate or lock. */
static void become(const struct child *c, const char *notify, const char *watchdog, pid_t supervisor)
{
	sigset_t none;
	(void)setpgid(0, 0);
	if (!c->outlives)
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (c->log_path != NULL) {
		int fd = open(c->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fd >= 0)
			(void)dup2(fd, STDERR_FILENO);
	}
	if (getppid() != supervisor) /* the supervisor died before prctl() */
		_exit(1);
	(void)putenv((char *)(uintptr_t)notify);
	(void)putenv((char *)(uintptr_t)watchdog);
	(void)unsetenv("WATCHDOG_PID");
	(void)execv(c->argv[0], c->argv);
	_exit(EXIT_NO_PROGRAM);
}

static void pause_child(struct child *c)
{
	struct supervisor *s = c->supervisor;
	bool was_steady = loop_now_ms(s->loop) - c->started_ms > STEADY_MS;
	c->pause_ms = c->pause_ms == 0 || was_steady ? BACKOFF_FIRST_MS : 2 * c->pause_ms;
	if (c->pause_ms > BACKOFF_MAX_MS)
		c->pause_ms = BACKOFF_MAX_MS;
	c->state = CHILD_PAUSING;
}

static void on_pause_over(void *ctx)
{
	struct child *c = ctx;
	c->state = CHILD_WAITING;
	start_all(c->supervisor);
}

/* A child that cannot be watched must not run, because it would be started a second time. */
static void give_up(struct child *c)
{
	if (c->pid > 0) {
		(void)kill(c->pid, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
	}
	if (c->pidfd >= 0)
		(void)close(c->pidfd);
	c->pidfd = -1;
	c->pid = 0;
}

/* The last line that a child wrote to its file, which nobody at the terminal sees; "" if there is none. */
static const char *last_line(const char *path, char out[LINE_BYTES])
{
	out[0] = '\0';
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	off_t from = size > LINE_BYTES - 1 ? size - (LINE_BYTES - 1) : 0;
	ssize_t len = fd >= 0 ? pread(fd, out, LINE_BYTES - 1, from) : 0;
	if (fd >= 0)
		(void)close(fd);
	out[len > 0 ? len : 0] = '\0';
	while (len > 0 && out[len - 1] == '\n')
		out[--len] = '\0';
	const char *line = strrchr(out, '\n');
	return line != NULL ? line + 1 : out;
}

static void start_child(struct child *c)
{
	struct supervisor *s = c->supervisor;
	char watchdog[48];
	(void)snprintf(watchdog, sizeof watchdog, "WATCHDOG_USEC=%d000", WATCHDOG_MS);
	c->started_ms = loop_now_ms(s->loop);
	const pid_t supervisor = getpid();
	c->pid = fork();
	if (c->pid == 0)
		become(c, s->notify, watchdog, supervisor);
	c->pidfd = c->pid > 0 ? (int)syscall(SYS_pidfd_open, c->pid, 0) : -1;
	if (c->pidfd < 0 || loop_watch(s->loop, c->pidfd, LOOP_READ, on_child_exit, c) != VEER_OK) {
		log_error(s->log, "cannot start", LOG_STR("child", c->name), LOG_STR("why", strerror(errno)));
		give_up(c);
		pause_child(c);
		(void)loop_timer_set(s->loop, &c->timer, c->pause_ms, on_pause_over, c);
		return;
	}
	c->state = CHILD_RUNNING;
	log_info(s->log, "started", LOG_STR("child", c->name), LOG_INT("pid", c->pid));
}

static bool has_all_needs(const struct child *c)
{
	for (size_t i = 0; i < c->need_count; i++) {
		enum child_state state = c->supervisor->children[c->needs[i]]->state;
		if (state != CHILD_READY && state != CHILD_DONE)
			return false;
	}
	return true;
}

/* Start the children that wait and may start; report once that all are ready. */
static void start_all(struct supervisor *s)
{
	bool is_ready = true;
	for (size_t i = 0; i < s->count && s->is_started; i++) {
		struct child *c = s->children[i];
		if (c->state == CHILD_WAITING && has_all_needs(c))
			start_child(c);
		is_ready = is_ready && (c->state == CHILD_READY || c->state == CHILD_DONE);
	}
	if (s->is_started && is_ready && !s->was_ready) {
		s->was_ready = true;
		s->on_ready(s->ctx);
	}
}

static void reap(struct child *c, int *status)
{
	*status = 0;
	(void)waitpid(c->pid, status, 0);
	loop_unwatch(c->supervisor->loop, c->pidfd);
	(void)close(c->pidfd);
	c->pidfd = -1;
	c->pid = 0;
}

static void on_child_exit(void *ctx, int fd, unsigned events)
{
	struct child *c = ctx;
	struct supervisor *s = c->supervisor;
	int status;
	(void)fd;
	(void)events;
	reap(c, &status);
	if (c->is_once && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		c->state = CHILD_DONE;
		start_all(s);
		return;
	}
	pause_child(c);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_PROGRAM)
		log_error(s->log, "the program cannot be executed", LOG_STR("child", c->name),
			  LOG_STR("program", c->argv[0]));
	char said[LINE_BYTES];
	log_warn(s->log, "ended, will be started again", LOG_STR("child", c->name),
		 LOG_INT("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
		 LOG_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0), LOG_INT("pause_ms", c->pause_ms),
		 LOG_STR("said", last_line(c->log_path, said)));
	(void)loop_timer_set(s->loop, &c->timer, c->pause_ms, on_pause_over, c);
}

/* Handle a message of a child about itself. */
static void hear(struct child *c, const char *text)
{
	c->alive_ms = loop_now_ms(c->supervisor->loop);
	if (strstr(text, "READY=1") == NULL)
		return;
	c->state = CHILD_READY;
	log_info(c->supervisor->log, "ready", LOG_STR("child", c->name));
	start_all(c->supervisor);
}

/* A child has sent a message; the kernel says which one (SCM_CREDENTIALS, unix(7)). */
static void on_notify(void *ctx, int fd, unsigned events)
{
	struct supervisor *s = ctx;
	char text[512], control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {text, sizeof text - 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct ucred peer = {0};
	(void)events;
	ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len <= 0)
		return;
	text[len] = '\0';
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&msg); h != NULL; h = CMSG_NXTHDR(&msg, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS)
			memcpy(&peer, CMSG_DATA(h), sizeof peer);
	for (size_t i = 0; i < s->count; i++)
		if (s->children[i]->pid == peer.pid && peer.pid != 0)
			hear(s->children[i], text);
}

static void kill_hung(struct child *c)
{
	log_error(c->supervisor->log, "it hangs: it is killed, and started again", LOG_STR("child", c->name),
		  LOG_INT("pid", c->pid), LOG_INT("silent_ms", loop_now_ms(c->supervisor->loop) - c->alive_ms));
	c->late_looks = 0;
	(void)kill(c->pid, SIGKILL);
}

/* Check every second which of the ready children have been silent for too long. */
static void look(void *ctx)
{
	struct supervisor *s = ctx;
	for (size_t i = 0; i < s->count; i++) {
		struct child *c = s->children[i];
		bool is_late = c->state == CHILD_READY && loop_now_ms(s->loop) - c->alive_ms > WATCHDOG_MS;
		c->late_looks = is_late ? c->late_looks + 1 : 0;
		if (c->late_looks >= LATE_LOOKS)
			kill_hung(c);
	}
	if (loop_timer_set(s->loop, &s->look, LOOK_MS, look, s) != VEER_OK)
		log_error(s->log, "memory is out: a child that hangs is not noticed");
}

/*
 * A directory that cannot be locked (a read-only disk without the file) is used all the same: the children have locks
 * of their own.
 */
static enum veer_err lock_dir(struct supervisor *s, const char *dir, struct veer_diag *diag)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/run.lock", dir) >= sizeof path)
		return veer_fail(diag, VEER_ERANGE, "%s: the path is too long", dir);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0) {
		log_error(s->log, "the state directory cannot be written in", LOG_STR("path", path),
			  LOG_STR("why", strerror(errno)));
		s->lock_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	}
	if (s->lock_fd >= 0 && flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return veer_fail(diag, VEER_EBUSY, "%s: another veer run uses this directory: end it first", dir);
	return VEER_OK;
}

/* The kernel chooses a free abstract address (unix(7), autobind). */
static enum veer_err open_socket(struct supervisor *s, struct veer_diag *diag)
{
	const int on = 1;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	socklen_t len = sizeof at;
	s->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->socket < 0 || bind(s->socket, (const struct sockaddr *)&at, sizeof at.sun_family) != 0 ||
	    getsockname(s->socket, (struct sockaddr *)&at, &len) != 0 ||
	    setsockopt(s->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
		return veer_fail(diag, veer_err_from_errno(errno), "no socket for the children: %s", strerror(errno));
	size_t name_len = len - offsetof(struct sockaddr_un, sun_path);
	(void)snprintf(s->notify, sizeof s->notify, "NOTIFY_SOCKET=@%.*s", (int)name_len - 1, at.sun_path + 1);
	return loop_watch(s->loop, s->socket, LOOP_READ, on_notify, s);
}

enum veer_err supervisor_new(struct loop *loop, struct logger *log, const char *dir, struct supervisor **out,
			     struct veer_diag *diag)
{
	struct supervisor *s = calloc(1, sizeof *s);
	if (s == NULL)
		return VEER_ENOMEM;
	s->loop = loop;
	s->log = log;
	s->socket = s->lock_fd = -1;
	enum veer_err err = lock_dir(s, dir, diag);
	if (err == VEER_OK)
		err = open_socket(s, diag);
	if (err != VEER_OK) {
		supervisor_free(&s);
		return err;
	}
	*out = s;
	return VEER_OK;
}

static void child_free(struct child *c)
{
	for (size_t i = 0; c->argv != NULL && c->argv[i] != NULL; i++)
		free(c->argv[i]);
	free(c->argv);
	free(c->name);
	free(c->log_path);
	free(c);
}

static bool copy_argv(struct child *c, const char *const *argv)
{
	size_t count = 0;
	while (argv[count] != NULL)
		count++;
	c->argv = calloc(count + 1, sizeof *c->argv);
	for (size_t i = 0; c->argv != NULL && i < count; i++)
		if ((c->argv[i] = strdup(argv[i])) == NULL)
			return false;
	return c->argv != NULL;
}

static enum veer_err find_needs(const struct supervisor *s, struct child *c, const char *const *needs)
{
	for (; needs != NULL && *needs != NULL; needs++) {
		size_t i = 0;
		while (i < s->count && strcmp(s->children[i]->name, *needs) != 0)
			i++;
		if (i == s->count)
			return VEER_ENOTFOUND;
		if (c->need_count == SUPERVISE_NEEDS_MAX)
			return VEER_ELIMIT;
		c->needs[c->need_count++] = i;
	}
	return VEER_OK;
}

enum veer_err supervisor_add(struct supervisor *supervisor, const struct supervise_spec *spec)
{
	if (supervisor->count == SUPERVISE_CHILDREN_MAX)
		return VEER_ELIMIT;
	struct child *c = calloc(1, sizeof *c);
	if (c == NULL)
		return VEER_ENOMEM;
	c->supervisor = supervisor;
	c->pidfd = -1;
	c->is_once = spec->is_once;
	c->outlives = spec->outlives;
	c->name = strdup(spec->name);
	c->log_path = spec->log_path != NULL ? strdup(spec->log_path) : NULL;
	bool has_memory =
		c->name != NULL && copy_argv(c, spec->argv) && (spec->log_path == NULL || c->log_path != NULL);
	enum veer_err err = has_memory ? find_needs(supervisor, c, spec->needs) : VEER_ENOMEM;
	if (err != VEER_OK) {
		child_free(c);
		return err;
	}
	supervisor->children[supervisor->count++] = c;
	return VEER_OK;
}

void supervisor_start(struct supervisor *supervisor, void (*on_ready)(void *ctx), void *ctx)
{
	supervisor->on_ready = on_ready;
	supervisor->ctx = ctx;
	supervisor->is_started = true;
	start_all(supervisor);
	look(supervisor);
}

void supervisor_signal(struct supervisor *supervisor, int signal_number)
{
	for (size_t i = 0; i < supervisor->count; i++)
		if (supervisor->children[i]->pid > 0)
			(void)kill(supervisor->children[i]->pid, signal_number);
}

/* Wait for all children until `due_ms`; true when all have ended. */
static bool wait_for_all(struct supervisor *s, int64_t due_ms)
{
	const struct veer_clock *clock = loop_clock(s->loop);
	for (size_t i = 0; i < s->count; i++) {
		struct child *c = s->children[i];
		int status;
		if (c->pidfd < 0)
			continue;
		int64_t left = due_ms - veer_clock_monotonic_ms(clock);
		struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
		int ended = poll(&p, 1, left > 0 ? (int)left : 0);
		if (ended < 0 && errno == EINTR) {
			i--;
			continue;
		}
		if (ended <= 0)
			return false;
		reap(c, &status);
	}
	return true;
}

void supervisor_free(struct supervisor **supervisor)
{
	struct supervisor *s = *supervisor;
	if (s == NULL)
		return;
	s->is_started = false;
	loop_timer_cancel(s->loop, &s->look);
	supervisor_signal(s, SIGTERM);
	if (!wait_for_all(s, veer_clock_monotonic_ms(loop_clock(s->loop)) + END_TIMEOUT_MS)) {
		log_error(s->log, "some children do not end: killing them");
		supervisor_signal(s, SIGKILL);
		(void)wait_for_all(s, veer_clock_monotonic_ms(loop_clock(s->loop)) + END_TIMEOUT_MS);
	}
	for (size_t i = 0; i < s->count; i++) {
		loop_timer_cancel(s->loop, &s->children[i]->timer);
		child_free(s->children[i]);
	}
	if (s->socket >= 0) {
		loop_unwatch(s->loop, s->socket);
		(void)close(s->socket);
	}
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	free(s);
	*supervisor = NULL;
}
