/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket. See control.h. */
#include "dnsd/serve/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 8
#define SHORT_MS 200 /* until the next attempt to accept, after descriptors ran out */

/* How far the peer has got in taking over. Each step includes those before it. */
enum progress {
	PROGRESS_NONE,    /* there is no peer */
	PROGRESS_TAKEN,   /* the peer has our sockets */
	PROGRESS_LEFT,    /* the peer has the state directory */
	PROGRESS_YIELDED, /* the peer may serve; we no longer follow the feed */
	PROGRESS_DRAINING /* the peer serves */
};

struct control {
	struct control_host host;
	struct sockaddr_un address;
	int fd;
	bool is_ours; /* no other process serves at the path */
	int peer;     /* -1: nobody */
	enum progress progress;
	struct control_message channels; /* the packet that brought the channels; we own its descriptors */
	struct control_position ready;   /* the peer's position */
	bool is_waiting;                 /* the peer has asked for permission to serve, and we are not at its
					  * position yet */
	struct loop_timer limit;
	struct loop_timer advanced; /* set when our position has changed, and the peer's request must be judged again */
	struct loop_timer pause;    /* set: no connections are accepted until it fires */
};

/* --- the conversation ------------------------------------------------------------------------------------- */

static void drop_peer(struct control *c)
{
	enum progress reached = c->progress;
	if (c->peer < 0)
		return;
	loop_timer_cancel(c->host.loop, &c->limit);
	loop_timer_cancel(c->host.loop, &c->advanced);
	loop_unwatch(c->host.loop, c->peer);
	(void)close(c->peer);
	c->peer = -1;
	c->progress = PROGRESS_NONE;
	c->is_waiting = false;
	if (reached > PROGRESS_NONE)
		log_warn(c->host.log, "the server that was to take this one's place has gone; going on");
	if (reached > PROGRESS_TAKEN)
		c->host.resume(c->host.ctx);
	control_close_fds(&c->channels);
}

static void answer(struct control *c, const struct control_message *message)
{
	if (control_send(c->peer, message) != VEER_OK)
		drop_peer(c);
}

/*
 * Refuse with a reason, which must arrive: if data at our end were unread, the close would reach the peer as an error
 * before the reason.
 */
static void say_no(struct control *c, int fd, const char *reason)
{
	char unread[64];
	struct control_message m = {.kind = CONTROL_REFUSED};
	(void)snprintf(m.reason, sizeof m.reason, "%s", reason);
	log_warn(c->host.log, "refused to be replaced", LOG_STR("reason", reason));
	(void)shutdown(fd, SHUT_RD);
	while (recv(fd, unread, sizeof unread, MSG_DONTWAIT) > 0)
		;
	(void)control_send(fd, &m); /* the connection is closed in any case */
}

static void refuse(struct control *c, const char *reason)
{
	say_no(c, c->peer, reason);
	drop_peer(c);
}

static void on_limit(void *ctx)
{
	struct control *c = ctx;
	struct ucred peer = {.pid = 0};
	socklen_t len = sizeof peer;
	(void)getsockopt(c->peer, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	/* as long as the peer's process lives, it may hold the lock of the state directory */
	log_error(c->host.log, "the server that was to take this one's place hangs", LOG_INT("pid", peer.pid));
	refuse(c, "it took too long to serve");
}

/* Begin the next step, with a time limit of its own that does not depend on earlier waits. */
static bool begin_step(struct control *c)
{
	if (loop_timer_set(c->host.loop, &c->limit, CONTROL_STEP_MS, on_limit, c) == VEER_OK)
		return true;
	refuse(c, "out of memory");
	return false;
}

static void give_sockets(struct control *c, const struct control_message *asked)
{
	struct control_message m = {.kind = CONTROL_SOCKETS, .role = asked->role, .from = asked->from};
	size_t total = 0;
	m.fd_count = c->host.sockets(c->host.ctx, asked->role, asked->from, m.fds, CONTROL_FDS_MAX, &total);
	m.total = (uint32_t)total;
	if (!begin_step(c))
		return;
	if (c->progress < PROGRESS_TAKEN)
		c->progress = PROGRESS_TAKEN;
	answer(c, &m);
}

static void leave(struct control *c)
{
	struct control_message m = {.kind = CONTROL_LEFT};
	if (!begin_step(c))
		return;
	if (c->progress < PROGRESS_LEFT) {
		c->progress = PROGRESS_LEFT;
		log_notice(c->host.log, "another server loads, to take this one's place");
		c->host.leave(c->host.ctx);
	}
	c->host.position(c->host.ctx, &m.position);
	c->host.secrets(c->host.ctx, &m.secrets);
	answer(c, &m);
	explicit_bzero(&m.secrets, sizeof m.secrets);
}

/* Give the peer permission to serve; from now on nothing changes here. */
static void let_go(void *ctx)
{
	struct control *c = ctx;
	c->is_waiting = false;
	c->progress = PROGRESS_YIELDED;
	c->host.yield(c->host.ctx);
	if (loop_timer_set(c->host.loop, &c->limit, CONTROL_GO_MS, on_limit, c) != VEER_OK)
		return refuse(c, "out of memory");
	answer(c, &(struct control_message){.kind = CONTROL_GO});
}

/*
 * Decide whether the peer may serve. Answers must not go back in time, not even while both processes answer. The peer
 * stays at the position that it reports until we stop receiving, and we stop at that position too. If the peer is
 * behind, it has to catch up; if it is ahead, we either reach its position in a moment, or never. For a history that we
 * do not know, only the store can say what is newest, so the peer must have heard the control plane.
 */
static void judge(struct control *c)
{
	const struct control_position *other = &c->ready;
	struct control_message wait = {.kind = CONTROL_WAIT};
	struct control_position *ours = &wait.position;
	c->host.position(c->host.ctx, ours);
	bool is_comparable = other->store_id[0] != '\0' && ours->store_id[0] != '\0';
	bool has_lineages = other->lineage[0] != '\0' && ours->lineage[0] != '\0';
	bool is_same = has_lineages ? strcmp(other->lineage, ours->lineage) == 0
				    : strcmp(other->store_id, ours->store_id) == 0;
	bool is_behind =
		is_same ? other->revision < ours->revision : !other->is_heard || c->host.is_behind(c->host.ctx, other);
	if (is_comparable && is_behind) {
		c->is_waiting = false;
		if (begin_step(c))
			answer(c, &wait);
	} else if (!is_comparable || !is_same || other->revision == ours->revision) {
		let_go(c);
	} else if (!c->is_waiting) {
		c->is_waiting = true;
		if (loop_timer_set(c->host.loop, &c->limit, CONTROL_LEVEL_MS, let_go, c) != VEER_OK)
			refuse(c, "out of memory");
	}
}

static void drain(struct control *c, struct control_message *serving)
{
	loop_timer_cancel(c->host.loop, &c->limit);
	log_notice(c->host.log, "another server has taken this one's place");
	c->progress = PROGRESS_DRAINING;
	c->channels = *serving;
	serving->fd_count = 0;
	c->host.drain(c->host.ctx, c->channels.fds, c->channels.fd_count);
}

static void on_message(struct control *c, struct control_message *m)
{
	switch (m->kind) {
	case CONTROL_TAKE:
		if (c->progress <= PROGRESS_TAKEN)
			return give_sockets(c, m);
		break;
	case CONTROL_LOAD:
		if (c->progress <= PROGRESS_LEFT)
			return leave(c);
		break;
	case CONTROL_READY:
		c->ready = m->position;
		if (c->progress == PROGRESS_LEFT)
			return judge(c);
		break;
	case CONTROL_SERVING:
		if (c->progress == PROGRESS_YIELDED)
			return drain(c, m);
		break;
	case CONTROL_STOPPING:
		if (c->progress == PROGRESS_DRAINING) {
			c->progress = PROGRESS_NONE; /* no other process goes on, so we must remove the path */
			return c->host.finish(c->host.ctx);
		}
		break;
	case CONTROL_SOCKETS:
	case CONTROL_LEFT:
	case CONTROL_WAIT:
	case CONTROL_GO:
	case CONTROL_QUIET:
	case CONTROL_REFUSED:
		break;
	}
	refuse(c, "this is not the order of things");
}

static void on_peer(void *ctx, int fd, unsigned events)
{
	struct control *c = ctx;
	struct control_message m;
	(void)events;
	enum veer_err err = control_receive(fd, &m, NULL);
	if (err == VEER_ETIMEOUT)
		return;
	if (err == VEER_EINVAL)
		return refuse(c, "a packet that cannot be understood");
	if (err != VEER_OK)
		return drop_peer(c);
	on_message(c, &m);
	control_close_fds(&m);
}

/* --- connections ------------------------------------------------------------------------------------------ */

static void turn_away(struct control *c, int fd, const char *reason)
{
	say_no(c, fd, reason);
	(void)close(fd);
}

static void listen_again(void *ctx)
{
	(void)control_listen(ctx);
}

/*
 * Stop accepting for a while when descriptors run out: the waiting connection would otherwise wake us again and again.
 */
static void pause_if_short(struct control *c, int error)
{
	bool is_short = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
	if (is_short && loop_timer_set(c->host.loop, &c->pause, SHORT_MS, listen_again, c) == VEER_OK)
		loop_unwatch(c->host.loop, c->fd);
}

static void on_accept(void *ctx, int listen_fd, unsigned events)
{
	struct control *c = ctx;
	struct veer_diag diag = {.text = ""};
	(void)events;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return pause_if_short(c, errno);
	if (control_check_peer(fd, &diag) != VEER_OK)
		return turn_away(c, fd, diag.text);
	if (c->peer >= 0)
		return turn_away(c, fd, "another server is taking this one's place");
	if (!c->host.is_serving(c->host.ctx))
		return turn_away(c, fd, "this server does not serve yet");
	if (loop_watch(c->host.loop, fd, LOOP_READ, on_peer, c) != VEER_OK)
		return turn_away(c, fd, "out of memory");
	c->peer = fd;
	(void)begin_step(c);
}

/* Is a process listening at this address? */
static bool is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served =
		fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);
	if (fd >= 0)
		(void)close(fd);
	return served;
}

static enum veer_err open_socket(struct control *c, struct veer_diag *diag)
{
	const char *path = c->address.sun_path;
	if (is_served(&c->address))
		return veer_fail(diag, VEER_EBUSY, "%s: a veer-dnsd runs here; --replace takes its place", path);
	(void)unlink(path); /* left by a server that crashed */
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd >= 0)
		(void)fchmod(c->fd, 0600); /* on Linux the socket's file gets these permissions, less the umask */
	if (c->fd < 0 || bind(c->fd, (const struct sockaddr *)&c->address, sizeof c->address) != 0 ||
	    listen(c->fd, BACKLOG) != 0)
		return veer_fail(diag, VEER_EIO, "%s: %s", path,
				 errno == EADDRINUSE ? "something else is in its place" : strerror(errno));
	return VEER_OK;
}

/* --- interface -------------------------------------------------------------------------------------------- */

enum veer_err control_new(const struct control_host *host, const char *path, int fd, struct control **out,
			  struct veer_diag *diag)
{
	struct control *c = calloc(1, sizeof *c);
	if (c == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	c->host = *host;
	c->fd = fd;
	c->is_ours = fd < 0;
	c->peer = -1;
	enum veer_err err = control_address(path, &c->address, diag);
	if (err == VEER_OK && fd < 0)
		err = open_socket(c, diag);
	if (err == VEER_OK) {
		*out = c;
		return VEER_OK;
	}
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
	return err;
}

void control_free(struct control **control)
{
	struct control *c = *control;
	if (c == NULL)
		return;
	loop_timer_cancel(c->host.loop, &c->limit);
	loop_timer_cancel(c->host.loop, &c->advanced);
	loop_timer_cancel(c->host.loop, &c->pause);
	loop_unwatch(c->host.loop, c->fd);
	/* a process that has taken our sockets has this one too, and will serve at this path */
	if (c->is_ours && c->progress == PROGRESS_NONE)
		(void)unlink(c->address.sun_path);
	if (c->peer >= 0) {
		loop_unwatch(c->host.loop, c->peer);
		(void)close(c->peer);
	}
	control_close_fds(&c->channels);
	(void)close(c->fd);
	free(c);
	*control = NULL;
}

enum veer_err control_listen(struct control *control)
{
	control->is_ours = true;
	return loop_watch(control->host.loop, control->fd, LOOP_READ, on_accept, control);
}

static void on_advanced(void *ctx)
{
	struct control *c = ctx;
	if (c->is_waiting)
		judge(c);
}

void control_advanced(struct control *control)
{
	/*
	 * not at once, because the caller is in the middle of processing the feed, which permission to serve would end.
	 * If there is no memory for the timer, the time limit ends the wait.
	 */
	if (control->is_waiting)
		(void)loop_timer_set(control->host.loop, &control->advanced, 0, on_advanced, control);
}

void control_quiet(struct control *control)
{
	/*
	 * if the peer has gone, its last message may still be unread; the end of the connection then comes as an event
	 */
	if (control->progress == PROGRESS_DRAINING)
		(void)control_send(control->peer, &(struct control_message){.kind = CONTROL_QUIET});
}

int control_fd(const struct control *control)
{
	return control->fd;
}
