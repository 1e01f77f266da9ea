/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/delegation_ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { RCODE_NXDOMAIN = 3, RCODE_FORMERR = 1, RCODE_NOTIMP = 4, PREFIX_LEN = 2, ROOM = DELEGATION_MESSAGE_MAX + 1 };

/* One question in progress. */
struct exchange {
	const struct delegation_asker *asker;
	const struct veer_listen *server;
	const struct delegation_question *question;
	int64_t deadline_ms;
	uint16_t id;
	uint8_t message[PREFIX_LEN + DELEGATION_QUESTION_MAX]; /* after its length, as TCP needs it */
	size_t message_len;                                    /* without that length */
	uint8_t *room;                                         /* buffer of ROOM bytes for replies */
	struct delegation_reply *out;
};

static int64_t now_ms(void)
{
	return veer_clock_monotonic_ms(veer_clock_system());
}

/* Wait for `events` of the socket. Errors: VEER_ETIMEOUT, VEER_ECLOSED, VEER_EIO. */
static enum veer_err wait_for(const struct exchange *x, int fd, short events)
{
	struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = x->asker->interrupt_fd, .events = POLLIN}};
	for (;;) {
		int64_t left = x->deadline_ms - now_ms();
		int n = poll(fds, 2, left > 0 ? (int)left : 0);
		if (n < 0 && errno != EINTR)
			return VEER_EIO;
		if (n > 0 && fds[1].revents != 0)
			return VEER_ECLOSED;
		if (n > 0 && fds[0].revents != 0)
			return VEER_OK;
		if (n == 0 && left <= 0)
			return VEER_ETIMEOUT;
	}
}

/* Open a connected socket, so that the kernel drops packets from elsewhere; the kernel chooses a new port each time. */
static enum veer_err open_socket(const struct exchange *x, int type, int *out)
{
	int fd = socket(x->server->storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return VEER_EIO;
	if (connect(fd, (const struct sockaddr *)&x->server->storage, x->server->len) != 0 && errno != EINPROGRESS) {
		(void)close(fd);
		return VEER_EIO;
	}
	*out = fd;
	return VEER_OK;
}

/* --- UDP ---------------------------------------------------------------------------------------------------- */

static enum veer_err receive_udp(const struct exchange *x, int fd)
{
	for (;;) {
		enum veer_err err = wait_for(x, fd, POLLIN);
		if (err != VEER_OK)
			return err;
		ssize_t n = recv(fd, x->room, ROOM, 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return VEER_EIO;
		if (n < 0)
			continue;
		err = delegation_reply_read(x->question, x->id, x->room, (size_t)n, x->out);
		if (err == VEER_OK || err == VEER_ENOMEM)
			return err;
	}
}

static enum veer_err ask_udp(const struct exchange *x)
{
	int fd;
	enum veer_err err = open_socket(x, SOCK_DGRAM, &fd);
	if (err != VEER_OK)
		return err;
	ssize_t n = send(fd, x->message + PREFIX_LEN, x->message_len, MSG_NOSIGNAL);
	err = n == (ssize_t)x->message_len ? receive_udp(x, fd) : VEER_EIO;
	(void)close(fd);
	return err;
}

/* --- TCP (RFC 7766) ----------------------------------------------------------------------------------------- */

static enum veer_err send_all(const struct exchange *x, int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		enum veer_err err = wait_for(x, fd, POLLOUT);
		if (err != VEER_OK)
			return err;
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return VEER_EIO;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return VEER_OK;
}

static enum veer_err receive_all(const struct exchange *x, int fd, size_t len)
{
	for (size_t have = 0; have < len;) {
		enum veer_err err = wait_for(x, fd, POLLIN);
		if (err != VEER_OK)
			return err;
		ssize_t n = recv(fd, x->room + have, len - have, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return VEER_EIO;
		if (n > 0)
			have += (size_t)n;
	}
	return VEER_OK;
}

static enum veer_err ask_tcp(const struct exchange *x)
{
	int fd;
	size_t len = 0;
	enum veer_err err = open_socket(x, SOCK_STREAM, &fd);
	if (err != VEER_OK)
		return err;
	err = send_all(x, fd, x->message, PREFIX_LEN + x->message_len);
	if (err == VEER_OK)
		err = receive_all(x, fd, PREFIX_LEN);
	if (err == VEER_OK) {
		len = (size_t)x->room[0] << 8 | x->room[1];
		err = receive_all(x, fd, len);
	}
	(void)close(fd);
	if (err == VEER_OK &&
	    (delegation_reply_read(x->question, x->id, x->room, len, x->out) != VEER_OK || x->out->is_truncated))
		err = VEER_ECORRUPT;
	return err;
}

/* --- interface ---------------------------------------------------------------------------------------------- */

static enum veer_err exchange(struct exchange *x)
{
	if (getrandom(&x->id, sizeof x->id, 0) != sizeof x->id)
		return VEER_EIO;
	x->message_len = delegation_question_write(x->question, x->id, x->message + PREFIX_LEN);
	if (x->message_len == 0)
		return VEER_ENOMEM;
	x->message[0] = (uint8_t)(x->message_len >> 8);
	x->message[1] = (uint8_t)x->message_len;
	enum veer_err err = ask_udp(x);
	return err == VEER_OK && x->out->is_truncated ? ask_tcp(x) : err;
}

enum veer_err delegation_ask(const struct delegation_asker *asker, const struct veer_listen *server,
			     const struct delegation_question *question, struct delegation_reply *out)
{
	struct delegation_question plain = *question;
	struct exchange x = {.asker = asker, .server = server, .question = question, .out = out};
	x.deadline_ms = now_ms() + DELEGATION_TRY_MS;
	if (x.deadline_ms > asker->deadline_ms)
		x.deadline_ms = asker->deadline_ms;
	x.room = malloc(ROOM);
	if (x.room == NULL)
		return VEER_ENOMEM;
	enum veer_err err = exchange(&x);
	if (err == VEER_OK && !question->without_edns && (out->rcode == RCODE_FORMERR || out->rcode == RCODE_NOTIMP)) {
		plain.without_edns = true; /* RFC 6891 7 */
		x.question = &plain;
		err = exchange(&x);
	}
	free(x.room);
	return err;
}

enum veer_err delegation_resolve(const struct delegation_asker *asker, struct resolvers *resolvers, const uint8_t *name,
				 uint16_t type, struct delegation_reply *out)
{
	const struct delegation_question question = {.name = name, .type = type, .wants_recursion = true};
	enum veer_err result = VEER_ETIMEOUT;
	unsigned rcode = 0;
	for (size_t i = 0; i < DELEGATION_TRIES * resolvers->count; i++) {
		size_t which = i % resolvers->count;
		enum veer_err err = delegation_ask(asker, &resolvers->at[which], &question, out);
		if (err == VEER_ECLOSED || err == VEER_ENOMEM)
			return err;
		if (err == VEER_OK && (out->rcode == 0 || out->rcode == RCODE_NXDOMAIN)) {
			const struct veer_listen good = resolvers->at[which];
			resolvers->at[which] = resolvers->at[0];
			resolvers->at[0] = good;
			return VEER_OK;
		}
		if (err == VEER_OK) {
			result = VEER_EINVAL;
			rcode = out->rcode;
		}
	}
	out->rcode = rcode;
	return result;
}
