/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the place of a running server. See takeover.h. */
#include "dnsd/serve/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MS 5 /* until the next offer after "wait" */
#define ROLES 3

struct takeover {
	struct loop *loop;
	struct takeover_events events;
	int fd; /* -1: the other process has gone */
	struct sockets_given given[ROLES];
	struct loop_timer retry;
	int64_t limit_ms;
	bool is_serving;
};

static void hang_up(struct takeover *t)
{
	loop_timer_cancel(t->loop, &t->retry);
	if (t->fd < 0)
		return;
	loop_unwatch(t->loop, t->fd);
	(void)close(t->fd);
	t->fd = -1;
}

/* --- in order, while starting ----------------------------------------------------------------------------- */

static enum veer_err connect_to(struct takeover *t, const char *path, struct veer_diag *diag)
{
	struct sockaddr_un address;
	const struct timeval patience = {.tv_sec = TAKEOVER_ANSWER_MS / 1000};
	enum veer_err err = control_address(path, &address, diag);
	if (err != VEER_OK)
		return err;
	t->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (t->fd < 0 || setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
	    setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
		return veer_fail(diag, VEER_EIO, "%s: %s", path, strerror(errno));
	if (connect(t->fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return control_check_peer(t->fd, diag);
	if (errno == ENOENT || errno == ECONNREFUSED)
		return veer_fail(diag, VEER_ENOTFOUND, "%s: no server runs here", path);
	return veer_fail(diag, veer_err_from_errno(errno), "%s: %s", path, strerror(errno));
}

/* Send one question and receive its answer, which must be of the right kind. */
static enum veer_err ask(struct takeover *t, const struct control_message *question, enum control_kind fitting,
			 struct control_message *answer, struct veer_diag *diag)
{
	enum veer_err err = control_send(t->fd, question);
	/* a server that refuses may have closed already, but its reason can still be read */
	if (err == VEER_OK || err == VEER_ECLOSED)
		err = control_receive(t->fd, answer, diag);
	if (err != VEER_OK)
		return err;
	if (answer->kind == fitting)
		return VEER_OK;
	control_close_fds(answer);
	if (answer->kind == CONTROL_REFUSED)
		return veer_fail(diag, VEER_EBUSY, "refused: %s", answer->reason);
	return veer_fail(diag, VEER_EINVAL, "an answer that does not fit");
}

static enum veer_err keep_fds(struct sockets_given *given, struct control_message *m)
{
	int *fds = realloc(given->fds, (given->count + m->fd_count + 1) * sizeof *fds);
	if (fds == NULL)
		return VEER_ENOMEM;
	memcpy(fds + given->count, m->fds, m->fd_count * sizeof *fds);
	given->fds = fds;
	given->count += m->fd_count;
	m->fd_count = 0;
	return VEER_OK;
}

static enum veer_err take_sockets(struct takeover *t, enum control_role role, struct veer_diag *diag)
{
	struct sockets_given *given = &t->given[role];
	struct control_message answer;
	do {
		struct control_message question = {.kind = CONTROL_TAKE, .role = role, .from = (uint32_t)given->count};
		enum veer_err err = ask(t, &question, CONTROL_SOCKETS, &answer, diag);
		if (err != VEER_OK)
			return err;
		bool is_empty = answer.fd_count == 0;
		err = keep_fds(given, &answer);
		control_close_fds(&answer);
		if (err != VEER_OK || is_empty)
			return err;
	} while (given->count < answer.total);
	return VEER_OK;
}

enum veer_err takeover_begin(struct loop *loop, const char *path, const struct takeover_events *events,
			     struct takeover **out, struct veer_diag *diag)
{
	struct veer_diag detail = {.text = ""};
	struct takeover *t = calloc(1, sizeof *t);
	if (t == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	t->loop = loop;
	t->events = *events;
	t->fd = -1;
	enum veer_err err = connect_to(t, path, diag);
	bool is_connected = err == VEER_OK;
	for (int role = 0; err == VEER_OK && role < ROLES; role++)
		err = take_sockets(t, (enum control_role)role, &detail);
	if (is_connected && err == VEER_ECLOSED) { /* the other process has died: what we have received is ours */
		hang_up(t);
		err = VEER_OK;
	}
	if (err == VEER_OK) {
		*out = t;
		return VEER_OK;
	}
	if (is_connected)
		(void)veer_fail(diag, err, "%s: the running server cannot be replaced: %s", path, detail.text);
	takeover_free(&t);
	return err;
}

struct sockets_given takeover_sockets(struct takeover *takeover, enum control_role role)
{
	struct sockets_given given = takeover->given[role];
	takeover->given[role] = (struct sockets_given){0};
	return given;
}

enum veer_err takeover_load(struct takeover *takeover, struct cookie_secrets *secrets, struct veer_diag *diag)
{
	struct control_message answer = {.kind = CONTROL_LEFT};
	const struct control_message question = {.kind = CONTROL_LOAD};
	struct veer_diag detail = {.text = ""};
	enum veer_err err = takeover->fd >= 0 ? ask(takeover, &question, CONTROL_LEFT, &answer, &detail) : VEER_ECLOSED;
	*secrets = answer.secrets;
	explicit_bzero(&answer.secrets, sizeof answer.secrets);
	if (err == VEER_OK) {
		control_close_fds(&answer);
	} else if (err == VEER_ECLOSED) {
		hang_up(takeover);
		err = VEER_OK;
	} else {
		(void)veer_fail(diag, err, "the running server cannot be replaced: %s", detail.text);
	}
	return err;
}

void takeover_free(struct takeover **takeover)
{
	struct takeover *t = *takeover;
	if (t == NULL)
		return;
	if (t->is_serving && t->fd >= 0)
		(void)control_send(t->fd, &(struct control_message){.kind = CONTROL_STOPPING});
	hang_up(t);
	for (int role = 0; role < ROLES; role++)
		sockets_given_close(&t->given[role]);
	free(t);
	*takeover = NULL;
}

bool takeover_is_gone(const struct takeover *takeover)
{
	return takeover->fd < 0;
}

/* --- on the loop ------------------------------------------------------------------------------------------ */

static void offer(void *ctx);

/*
 * The other process has gone. If that happens before we serve, it crashed, and we need not wait any longer. Afterwards,
 * it has ended normally.
 */
static void on_gone(struct takeover *t)
{
	hang_up(t);
	t->events.quiet(t->events.ctx);
	if (t->is_serving)
		t->events.done(t->events.ctx);
	else
		t->events.go(t->events.ctx);
}

static void give_up(struct takeover *t, const char *reason)
{
	hang_up(t);
	t->events.refused(t->events.ctx, reason);
}

static void on_message(struct takeover *t, const struct control_message *m)
{
	switch (m->kind) {
	case CONTROL_GO:
		loop_timer_cancel(t->loop, &t->retry);
		if (!t->is_serving)
			t->events.go(t->events.ctx);
		return;
	case CONTROL_QUIET:
		t->events.quiet(t->events.ctx);
		return;
	case CONTROL_WAIT:
		if (loop_timer_set(t->loop, &t->retry, RETRY_MS, offer, t) != VEER_OK)
			give_up(t, "out of memory");
		return;
	case CONTROL_REFUSED:
		give_up(t, m->reason);
		return;
	case CONTROL_TAKE:
	case CONTROL_SOCKETS:
	case CONTROL_LOAD:
	case CONTROL_LEFT:
	case CONTROL_READY:
	case CONTROL_SERVING:
	case CONTROL_STOPPING:
		break;
	}
	give_up(t, "an answer that does not fit");
}

static void on_packet(void *ctx, int fd, unsigned events)
{
	struct takeover *t = ctx;
	struct control_message m;
	struct veer_diag diag;
	(void)events;
	enum veer_err err = control_receive(fd, &m, &diag);
	if (err == VEER_ETIMEOUT)
		return;
	if (err == VEER_ECLOSED || err == VEER_EIO) {
		on_gone(t);
	} else if (err != VEER_OK) {
		give_up(t, diag.text);
	} else {
		control_close_fds(&m);
		on_message(t, &m);
	}
}

static void offer(void *ctx)
{
	struct takeover *t = ctx;
	struct control_message m = {.kind = CONTROL_READY};
	if (loop_now_ms(t->loop) >= t->limit_ms) {
		give_up(t, "what the running server serves did not come within a minute");
		return;
	}
	/* if there is no answer, this runs once more at the time limit */
	(void)loop_timer_set_at(t->loop, &t->retry, t->limit_ms, offer, t);
	t->events.position(t->events.ctx, &m.position);
	/* if it cannot be sent, the cause follows as an event on the socket */
	(void)control_send(t->fd, &m);
}

enum veer_err takeover_offer(struct takeover *takeover)
{
	takeover->limit_ms = veer_clock_monotonic_ms(loop_clock(takeover->loop)) + TAKEOVER_LIMIT_MS;
	if (takeover->fd < 0) {
		takeover->events.go(takeover->events.ctx);
		return VEER_OK;
	}
	int flags = fcntl(takeover->fd, F_GETFL);
	if (flags < 0 || fcntl(takeover->fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return VEER_EIO;
	enum veer_err err = loop_watch(takeover->loop, takeover->fd, LOOP_READ, on_packet, takeover);
	if (err == VEER_OK)
		offer(takeover);
	return err;
}

void takeover_serving(struct takeover *takeover, const int *channels, size_t count)
{
	struct control_message m = {.kind = CONTROL_SERVING};
	takeover->is_serving = true;
	for (; m.fd_count < count && m.fd_count < CONTROL_FDS_MAX; m.fd_count++)
		m.fds[m.fd_count] = channels[m.fd_count];
	if (takeover->fd < 0 || control_send(takeover->fd, &m) != VEER_OK)
		on_gone(takeover);
}
