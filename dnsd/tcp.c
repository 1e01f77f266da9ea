/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TCP. See tcp.h. */
#include "dnsd/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LENGTH_LEN 2     /* the two octets before each message (RFC 1035 4.2.2) */
#define ACCEPT_ROUNDS 64 /* connections accepted at one event */
#define ANSWERS_ROUND 64 /* queries answered at one event, so that no connection starves the others */

struct connection {
	int fd;           /* -1: free */
	bool wants_write; /* epoll is asked for EPOLLOUT instead of EPOLLIN */
	bool is_ended;    /* the client sends no more */
	struct lookup_client client;
	int64_t deadline_ms;
	int64_t active_ms; /* last query or accept */
	size_t in_len;
	uint8_t in[LENGTH_LEN + TCP_QUERY_MAX];
	uint8_t *out; /* what the kernel did not take yet; NULL: nothing */
	size_t out_len;
	size_t out_at;
};

struct tcp_table {
	int epoll_fd;
	uint64_t tag_base;
	struct responder *responder;
	unsigned count;
	unsigned free_count;
	uint16_t free_slots[TCP_CONNECTIONS_MAX];
	uint8_t reply[LENGTH_LEN + ENCODE_MAX];
	struct connection connections[TCP_CONNECTIONS_MAX];
};

struct tcp_table *tcp_table_new(int epoll_fd, uint64_t tag_base, struct responder *responder)
{
	struct tcp_table *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->epoll_fd = epoll_fd;
	t->tag_base = tag_base;
	t->responder = responder;
	for (unsigned i = 0; i < TCP_CONNECTIONS_MAX; i++) {
		t->connections[i].fd = -1;
		t->free_slots[t->free_count++] = (uint16_t)(TCP_CONNECTIONS_MAX - 1 - i);
	}
	return t;
}

static void close_connection(struct tcp_table *t, struct connection *c)
{
	(void)close(c->fd); /* also takes it out of epoll */
	free(c->out);
	c->fd = -1;
	c->out = NULL;
	t->free_slots[t->free_count++] = (uint16_t)(c - t->connections);
	t->count--;
}

void tcp_table_free(struct tcp_table **table)
{
	if (*table == NULL)
		return;
	for (unsigned i = 0; i < TCP_CONNECTIONS_MAX; i++)
		if ((*table)->connections[i].fd >= 0)
			close_connection(*table, &(*table)->connections[i]);
	free(*table);
	*table = NULL;
}

static void evict_idle(struct tcp_table *t)
{
	struct connection *oldest = NULL;
	for (unsigned i = 0; i < TCP_CONNECTIONS_MAX; i++) {
		struct connection *c = &t->connections[i];
		if (c->fd >= 0 && (oldest == NULL || c->active_ms < oldest->active_ms))
			oldest = c;
	}
	if (oldest == NULL)
		return;
	count_add(&t->responder->counters, COUNT_TCP_EVICTED);
	close_connection(t, oldest);
}

static void add_connection(struct tcp_table *t, int fd, const struct sockaddr_storage *from, int64_t now_ms)
{
	if (t->free_count == 0)
		evict_idle(t);
	struct connection *c = &t->connections[t->free_slots[--t->free_count]];
	c->fd = fd;
	c->wants_write = false;
	c->is_ended = false;
	c->deadline_ms = now_ms + TCP_IDLE_MS;
	c->active_ms = now_ms;
	c->in_len = 0;
	c->out_len = 0;
	c->out_at = 0;
	c->client.is_ipv6 = from->ss_family == AF_INET6;
	if (c->client.is_ipv6)
		memcpy(c->client.address, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	else
		memcpy(c->client.address, &((const struct sockaddr_in *)from)->sin_addr, 4);
	t->count++;
	count_add(&t->responder->counters, COUNT_TCP_ACCEPTED);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = t->tag_base + (uint64_t)(c - t->connections)};
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		close_connection(t, c);
}

void tcp_accept(struct tcp_table *t, int listen_fd, int64_t now_ms)
{
	for (int i = 0; i < ACCEPT_ROUNDS; i++) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof from;
		int one = 1;
		int fd = accept4(listen_fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			/* without descriptors the oldest connection makes room, else we would be woken for ever */
			if ((errno == EMFILE || errno == ENFILE) && t->count > 0)
				evict_idle(t);
			else if (errno != EINTR && errno != ECONNABORTED)
				return;
			continue;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		add_connection(t, fd, &from, now_ms);
	}
}

static bool watch(struct tcp_table *t, struct connection *c, bool wants_write)
{
	if (c->wants_write == wants_write)
		return true;
	struct epoll_event event = {.events = wants_write ? EPOLLOUT : EPOLLIN,
				    .data.u64 = t->tag_base + (uint64_t)(c - t->connections)};
	c->wants_write = wants_write;
	return epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0;
}

/* Send as much as the kernel takes; -1 when the connection is dead. */
static ssize_t send_some(int fd, const uint8_t *data, size_t len)
{
	for (;;) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			return n;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

/* Keep what was not sent, and ask to be told when more can be. */
static bool keep_rest(struct tcp_table *t, struct connection *c, const uint8_t *data, size_t len, int64_t now_ms)
{
	c->out = malloc(len);
	if (c->out == NULL)
		return false;
	memcpy(c->out, data, len);
	c->out_len = len;
	c->out_at = 0;
	c->deadline_ms = now_ms + TCP_WRITE_MS;
	return watch(t, c, true);
}

/* Answer one query; false when the connection is to be closed. */
static bool answer(struct tcp_table *t, struct connection *c, const uint8_t *query, size_t len, const struct plan *plan,
		   int64_t now_ms)
{
	size_t reply = respond(t->responder, plan, query, len, &c->client, true, t->reply + LENGTH_LEN, ENCODE_MAX);
	if (reply == 0)
		return false; /* what UDP drops silently ends a connection */
	t->reply[0] = (uint8_t)(reply >> 8);
	t->reply[1] = (uint8_t)reply;
	ssize_t sent = send_some(c->fd, t->reply, reply + LENGTH_LEN);
	if (sent < 0)
		return false;
	c->active_ms = now_ms;
	c->deadline_ms = now_ms + TCP_IDLE_MS;
	if ((size_t)sent == reply + LENGTH_LEN)
		return true;
	return keep_rest(t, c, t->reply + sent, reply + LENGTH_LEN - (size_t)sent, now_ms);
}

/* Answer the whole queries in the buffer, as long as replies leave at once. */
static bool answer_all(struct tcp_table *t, struct connection *c, const struct plan *plan, int64_t now_ms)
{
	size_t at = 0;
	bool ok = true;
	while (ok && c->out == NULL && c->in_len - at >= LENGTH_LEN) {
		size_t len = (size_t)c->in[at] << 8 | c->in[at + 1];
		if (len > TCP_QUERY_MAX)
			return false;
		if (c->in_len - at - LENGTH_LEN < len)
			break;
		ok = answer(t, c, c->in + at + LENGTH_LEN, len, plan, now_ms);
		at += LENGTH_LEN + len;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	/* the clock of a query that is not whole runs from its first byte, or from the reply before it */
	if (ok && at > 0 && c->in_len > 0 && c->out == NULL)
		c->deadline_ms = now_ms + TCP_QUERY_MS;
	return ok;
}

static bool on_readable(struct tcp_table *t, struct connection *c, const struct plan *plan, int64_t now_ms)
{
	for (int round = 0; round < ANSWERS_ROUND && c->out == NULL; round++) {
		ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		if (n == 0) {
			c->is_ended = true;
			return c->out != NULL;
		}
		if (c->in_len == 0)
			c->deadline_ms = now_ms + TCP_QUERY_MS;
		c->in_len += (size_t)n;
		if (!answer_all(t, c, plan, now_ms))
			return false;
		if ((size_t)n < sizeof c->in - c->in_len && c->in_len == 0)
			return true; /* most likely drained: epoll tells if not */
	}
	return true;
}

static bool on_writable(struct tcp_table *t, struct connection *c, const struct plan *plan, int64_t now_ms)
{
	ssize_t sent = send_some(c->fd, c->out + c->out_at, c->out_len - c->out_at);
	if (sent < 0)
		return false;
	c->out_at += (size_t)sent;
	if (c->out_at < c->out_len)
		return true; /* the deadline stays: slow readers do not get more time */
	free(c->out);
	c->out = NULL;
	c->active_ms = now_ms;
	c->deadline_ms = now_ms + TCP_IDLE_MS;
	if (!answer_all(t, c, plan, now_ms))
		return false;
	if (c->out != NULL)
		return true;
	return !c->is_ended && watch(t, c, false);
}

void tcp_event(struct tcp_table *t, uint64_t tag, uint32_t events, const struct plan *plan, int64_t now_ms)
{
	struct connection *c = &t->connections[tag - t->tag_base];
	bool ok = true;
	if (c->fd < 0)
		return; /* closed by an earlier event of the same round */
	if (c->out != NULL)
		ok = (events & (EPOLLERR | EPOLLHUP)) == 0 && on_writable(t, c, plan, now_ms);
	else
		ok = on_readable(t, c, plan, now_ms);
	if (!ok)
		close_connection(t, c);
}

void tcp_expire(struct tcp_table *t, int64_t now_ms)
{
	for (unsigned i = 0; i < TCP_CONNECTIONS_MAX && t->count > 0; i++) {
		struct connection *c = &t->connections[i];
		if (c->fd < 0 || now_ms < c->deadline_ms)
			continue;
		count_add(&t->responder->counters, COUNT_TCP_EXPIRED);
		close_connection(t, c);
	}
}

/* --- from one process to another -------------------------------------------------------------------------- */

static bool send_fd(int channel, int fd)
{
	alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec data = {.iov_base = "c", .iov_len = 1}; /* a packet without data would be an end */
	struct msghdr msg = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return sendmsg(channel, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

void tcp_hand_over(struct tcp_table *t, int channel)
{
	for (unsigned i = 0; i < TCP_CONNECTIONS_MAX && t->count > 0; i++) {
		struct connection *c = &t->connections[i];
		if (c->fd < 0 || c->in_len > 0 || c->out != NULL || c->is_ended)
			continue;
		if (!send_fd(channel, c->fd))
			return;
		/* closing alone would not do: the socket lives on elsewhere, and our epoll would go on reporting it */
		(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
		close_connection(t, c);
	}
}

/* The next descriptor; -1 with EAGAIN: none now; -1 with 0: no more will come. */
static int receive_fd(int channel)
{
	alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
	char byte;
	int fd = -1;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(channel, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	else if (n >= 0)
		errno = 0;
	return fd;
}

bool tcp_adopt(struct tcp_table *t, int channel, int64_t now_ms)
{
	for (;;) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof from;
		int fd = receive_fd(channel);
		if (fd < 0)
			return errno == EAGAIN || errno == EINTR;
		if (getpeername(fd, (struct sockaddr *)&from, &from_len) == 0)
			add_connection(t, fd, &from, now_ms);
		else
			(void)close(fd); /* its client has gone */
	}
}

unsigned tcp_count(const struct tcp_table *t)
{
	return t->count;
}
