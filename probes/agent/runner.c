/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and ending programs, in a process of its own. See runner.h. */
#include "probes/agent/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOCKET_FD = 3, MESSAGE_BYTES = sizeof(struct runner_request) + RUNNER_STRINGS_BYTES };

struct slot {
	pid_t pid; /* 0: free */
	uint32_t id;
};

struct runner {
	const struct runner_config *config;
	int children_fd; /* a signalfd for SIGCHLD */
	struct slot slots[RUNNER_RUNNING_MAX];
	char dir[RUNNER_DIR_SIZE];
	char message[MESSAGE_BYTES + 1];
};

/* A received message: the order, and the descriptor. */
struct order {
	struct runner_request request;
	char *argv[RUNNER_ARGUMENTS_MAX + 1];
	char *environment[RUNNER_ARGUMENTS_MAX + 1];
	int output; /* -1: none */
};

/* --- replies --------------------------------------------------------------------------------------------------- */

/*
 * Send without waiting: an agent that does not read replies cannot have more runs than places, and the socket has room
 * for the replies to these.
 */
static void reply(const struct runner_reply *message)
{
	ssize_t sent;
	do
		sent = send(SOCKET_FD, message, sizeof *message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
}

static void reply_refused(uint32_t id, enum veer_err err, const char *program, const char *what, int error)
{
	struct runner_reply message = {.kind = RUNNER_REFUSED, .id = id, .code = (int32_t)err};
	(void)snprintf(message.text, sizeof message.text, "%.80s %s%s%s", program, what, error != 0 ? ": " : "",
		       error != 0 ? strerrordesc_np(error) : "");
	reply(&message);
}

/* --- in the process that becomes the program ------------------------------------------------------------------- */

/* Is it a file below the directory, whatever symbolic links lead to it? The kernel decides. */
static bool is_allowed(const struct runner *r, uint32_t id, const char *program)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	size_t len = strlen(r->dir);
	struct stat st = {0};
	if (len == 0 || strncmp(program, r->dir, len) != 0 || program[len] != '/') {
		reply_refused(id, VEER_EAUTH, program, "is not below the directory that this agent allows", 0);
		return false;
	}
	const char *rest = program + len + strspn(program + len, "/");
	int dir_fd = open(r->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir_fd >= 0 ? (int)syscall(SYS_openat2, dir_fd, rest, &how, sizeof how) : -1;
	int error = errno;
	bool is_file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (fd < 0 && error == EXDEV)
		reply_refused(id, VEER_EAUTH, program, "leads out of the directory that this agent allows", 0);
	else if (fd < 0)
		reply_refused(id, VEER_EIO, program, "cannot be opened", error);
	else if (!is_file)
		reply_refused(id, VEER_EAUTH, program, "is not a program", 0);
	return is_file;
}

static void reset_signals(void)
{
	const struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t none;
	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &standard, NULL); /* some cannot be changed, and need not be */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Become the program. Nothing is open in it except its output, and the socket until it runs. A file system that hangs
 * holds up only this process.
 */
static void become(const struct runner *r, const struct order *order)
{
	const char *program = order->argv[0];
	uint32_t id = order->request.id;
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	reset_signals();
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool is_set = null >= 0 && dup2(null, 0) >= 0 && dup2(order->output, 1) >= 0 && dup2(order->output, 2) >= 0 &&
		      chdir("/") == 0 && close_range(SOCKET_FD + 1, ~0u, 0) == 0;
	if (!is_set)
		reply_refused(id, VEER_EIO, program, "cannot be started", errno);
	else if (is_allowed(r, id, program)) {
		(void)execve(program, order->argv, order->environment);
		reply_refused(id, VEER_EIO, program, "cannot be started", errno);
	}
	_exit(127);
}

/* --- orders ---------------------------------------------------------------------------------------------------- */

static struct slot *find_slot(struct runner *r, bool is_free, uint32_t id)
{
	for (size_t i = 0; i < RUNNER_RUNNING_MAX; i++)
		if (is_free ? r->slots[i].pid == 0 : r->slots[i].pid != 0 && r->slots[i].id == id)
			return &r->slots[i];
	return NULL;
}

static void start_program(struct runner *r, const struct order *order)
{
	struct slot *slot = find_slot(r, true, 0);
	pid_t pid = slot != NULL ? fork() : -1;
	int error = slot != NULL ? errno : EAGAIN;
	if (pid == 0)
		become(r, order);
	if (pid > 0) {
		(void)setpgid(pid, pid); /* done in both processes, whichever is first */
		*slot = (struct slot){.pid = pid, .id = order->request.id};
		return;
	}
	const struct runner_reply ended = {.kind = RUNNER_ENDED, .id = order->request.id};
	reply_refused(order->request.id, VEER_EIO, order->argv[0], "cannot be started", error);
	reply(&ended);
}

/* Set pointers to `count` strings; false when they do not end within the message. */
static bool take_strings(char **at, const char *end, char **out, uint32_t count)
{
	if (count > RUNNER_ARGUMENTS_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		size_t len = strnlen(*at, (size_t)(end - *at));
		if (*at + len == end)
			return false;
		out[i] = *at;
		*at += len + 1;
	}
	out[count] = NULL;
	return true;
}

static int take_descriptor(struct msghdr *msg)
{
	int fd = -1;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h != NULL; h = CMSG_NXTHDR(msg, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof fd))
			memcpy(&fd, CMSG_DATA(h), sizeof fd);
	return fd;
}

static void obey(struct runner *r, struct order *order, char *strings, const char *end)
{
	const struct slot *slot;
	const struct runner_request *request = &order->request;
	switch (request->kind) {
	case RUNNER_START:
		if (request->argc > 0 && order->output >= 0 &&
		    take_strings(&strings, end, order->argv, request->argc) &&
		    take_strings(&strings, end, order->environment, request->envc))
			start_program(r, order);
		break;
	case RUNNER_KILL:
		slot = find_slot(r, false, request->id);
		if (slot != NULL) /* it is not reaped yet, so its number is still its own */
			(void)kill(-slot->pid, SIGKILL);
		break;
	case RUNNER_RELOAD:
		if (r->config->reload != NULL)
			(void)r->config->reload(r->config->ctx, r->dir);
		break;
	default:
		break;
	}
}

/* Take one order. False: the agent has ended. */
static bool take_order(struct runner *r)
{
	struct order order = {.output = -1};
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {r->message, MESSAGE_BYTES};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	ssize_t len = recvmsg(SOCKET_FD, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (len <= 0)
		return false;
	order.output = take_descriptor(&msg);
	if ((size_t)len >= sizeof order.request && (msg.msg_flags & MSG_TRUNC) == 0) {
		memcpy(&order.request, r->message, sizeof order.request);
		obey(r, &order, r->message + sizeof order.request, r->message + len);
	}
	if (order.output >= 0)
		(void)close(order.output);
	return true;
}

/* --- ends ------------------------------------------------------------------------------------------------------ */

/* Before a program is reaped, while its number is its own, kill what it left behind. */
static void reap_all(struct runner *r)
{
	struct signalfd_siginfo drained[8];
	(void)!read(r->children_fd, drained, sizeof drained);
	for (size_t i = 0; i < RUNNER_RUNNING_MAX; i++) {
		struct slot *slot = &r->slots[i];
		siginfo_t info = {0};
		if (slot->pid == 0 || waitid(P_PID, (id_t)slot->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid == 0)
			continue;
		(void)kill(-slot->pid, SIGKILL);
		(void)waitpid(slot->pid, NULL, 0);
		const struct runner_reply ended = {.kind = RUNNER_ENDED,
						   .id = slot->id,
						   .code = info.si_status,
						   .is_killed = info.si_code != CLD_EXITED};
		slot->pid = 0;
		reply(&ended);
	}
}

static void kill_all(const struct runner *r)
{
	for (size_t i = 0; i < RUNNER_RUNNING_MAX; i++)
		if (r->slots[i].pid != 0)
			(void)kill(-r->slots[i].pid, SIGKILL);
}

static bool open_children(struct runner *r)
{
	sigset_t set;
	(void)sigfillset(&set); /* all signals are blocked: the runner ends when the agent does, and not before */
	if (sigprocmask(SIG_SETMASK, &set, NULL) != 0)
		return false;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	r->children_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->children_fd >= 0;
}

/* Runs in the forked process. Nothing of the agent stays open in it except standard error. */
static void run(const struct runner_config *config, int fd)
{
	static const struct privilege_user nobody_else = {.is_set = false};
	struct runner_reply hello = {.kind = RUNNER_READY};
	struct veer_diag diag = {""};
	struct runner *r = calloc(1, sizeof *r);
	bool is_set = r != NULL &&
		      (fd == SOCKET_FD ? fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 : dup3(fd, SOCKET_FD, O_CLOEXEC) >= 0);
	if (!is_set || close_range(SOCKET_FD + 1, ~0u, 0) != 0 || !open_children(r))
		_exit(1);
	r->config = config;
	(void)snprintf(r->dir, sizeof r->dir, "%s", config->dir);
	enum veer_err err = privilege_drop(config->user != NULL ? config->user : &nobody_else, PRIVILEGE_NONE, &diag);
	if (err != VEER_OK) {
		hello = (struct runner_reply){.kind = RUNNER_FAILED, .code = (int32_t)err};
		(void)snprintf(hello.text, sizeof hello.text, "%.150s", diag.text);
	}
	reply(&hello);
	struct pollfd watched[] = {{.fd = SOCKET_FD, .events = POLLIN}, {.fd = r->children_fd, .events = POLLIN}};
	while (err == VEER_OK && (poll(watched, 2, -1) >= 0 || errno == EINTR)) {
		if (watched[1].revents != 0)
			reap_all(r);
		if (watched[0].revents != 0 && !take_order(r))
			break;
	}
	kill_all(r);
	_exit(err == VEER_OK ? 0 : 1);
}

/* --- in the agent ---------------------------------------------------------------------------------------------- */

/* Read the runner's only message about whether it can work. */
static enum veer_err hear(int fd, struct veer_diag *diag)
{
	struct runner_reply hello;
	ssize_t len;
	do
		len = recv(fd, &hello, sizeof hello, 0);
	while (len < 0 && errno == EINTR);
	if (len != (ssize_t)sizeof hello)
		return veer_fail(diag, VEER_EIO, "the process for programs ends at its start");
	hello.text[sizeof hello.text - 1] = '\0';
	if (hello.kind != RUNNER_READY)
		return veer_fail(diag, VEER_EAUTH, "the process for programs: %s", hello.text);
	return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 ? VEER_OK : VEER_EIO;
}

enum veer_err runner_start(const struct runner_config *config, int *fd, pid_t *pid, struct veer_diag *diag)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return veer_fail(diag, VEER_EIO, "no process for programs: %s", strerrordesc_np(errno));
	pid_t child = fork();
	if (child == 0)
		run(config, ends[1]);
	int error = errno;
	(void)close(ends[1]);
	enum veer_err err = child > 0
				    ? hear(ends[0], diag)
				    : veer_fail(diag, VEER_EIO, "no process for programs: %s", strerrordesc_np(error));
	if (err == VEER_OK) {
		*fd = ends[0];
		*pid = child;
		return VEER_OK;
	}
	(void)close(ends[0]);
	if (child > 0)
		(void)waitpid(child, NULL, 0);
	return err;
}
