/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TCP. See tcp.h. */
#include "dnsd/serve/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dnsd/packet/prefix.h"

#define LENGTH_LEN 2 /* the two octets before each message (RFC 1035 4.2.2) */
#define BUFFER_SIZE (LENGTH_LEN + TCP_QUERY_MAX)
#define ACCEPT_ROUNDS 64 /* connections accepted at one event */
#define ANSWERS_TURN 64  /* queries answered at one event */

#define STAYS_OPEN COUNT_CLOSES /* no reason to close */

/*
 * A connection either reads or writes. It writes when a reply was not sent completely (`out`), and also when queries
 * are left over at the end of its turn: it can usually write at once, and that event begins its next turn.
 */
struct connection {
	int fd;               /* -1: free */
	bool is_writing;      /* epoll is asked for EPOLLOUT instead of EPOLLIN */
	enum count_close due; /* the reason for closing at the deadline, which depends on what it waits for */
	int64_t deadline_ms;
	struct client client;
	size_t in_len;
	uint8_t *in;  /* BUFFER_SIZE bytes of the table's memory */
	uint8_t *out; /* the unsent rest of a reply; NULL: nothing */
	size_t out_len;
	size_t out_at;
};

struct tcp_table {
	int epoll_fd;
	uint64_t tag_base;
	uint32_t size;
	struct responder *responder;
	struct seats *seats;
	struct connection *connections; /* indexed by the number of their seat */
	uint8_t *buffers;
	uint8_t reply[LENGTH_LEN + ENCODE_MAX];
};

struct tcp_table *tcp_table_new(int epoll_fd, uint64_t tag_base, const struct tcp_limits *limits,
				struct responder *responder)
{
	struct tcp_table *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->epoll_fd = epoll_fd;
	t->tag_base = tag_base;
	t->size = limits->connections;
	t->responder = responder;
	t->seats = seats_new(limits->connections, limits->share);
	t->connections = calloc(limits->connections, sizeof *t->connections);
	t->buffers = calloc(limits->connections, BUFFER_SIZE);
	for (uint32_t i = 0; t->connections != NULL && i < t->size; i++)
		t->connections[i].fd = -1;
	if (t->seats == NULL || t->connections == NULL || t->buffers == NULL) {
		tcp_table_free(&t);
		return NULL;
	}
	for (uint32_t i = 0; i < t->size; i++)
		t->connections[i].in = t->buffers + (size_t)i * BUFFER_SIZE;
	return t;
}

static uint32_t seat_of(const struct tcp_table *t, const struct connection *c)
{
	return (uint32_t)(c - t->connections);
}

static void close_connection(struct tcp_table *t, struct connection *c, enum count_close why)
{
	/* a client that does not read gets a reset, otherwise the kernel would keep the unsent data for minutes */
	static const struct linger at_once = {.l_onoff = 1};
	if (why == COUNT_CLOSE_REPLY || why == COUNT_CLOSE_FULL || why == COUNT_CLOSE_PREFIX)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	(void)close(c->fd); /* this also removes it from epoll */
	free(c->out);
	c->fd = -1;
	c->out = NULL;
	seats_leave(t->seats, seat_of(t, c));
	count_add(&t->responder->counters, COUNT_TCP_CLOSED + why);
}

void tcp_table_free(struct tcp_table **table)
{
	struct tcp_table *t = *table;
	if (t == NULL)
		return;
	for (uint32_t i = 0; t->connections != NULL && i < t->size; i++)
		if (t->connections[i].fd >= 0)
			close_connection(t, &t->connections[i], COUNT_CLOSE_STOP);
	seats_free(&t->seats);
	free(t->connections);
	free(t->buffers);
	free(t);
	*table = NULL;
}

/* --- accepting ----------------------------------------------------------------------------------------------- */

static void expect(struct connection *c, enum count_close due, int64_t deadline_ms)
{
	c->due = due;
	c->deadline_ms = deadline_ms;
}

static void add_connection(struct tcp_table *t, int fd, const struct client *client, int64_t now_ms)
{
	bool is_share;
	uint64_t prefix = prefix_of(client);
	uint32_t seat = seats_in_the_way(t->seats, prefix, &is_share);
	if (seat != SEATS_NONE)
		close_connection(t, &t->connections[seat], is_share ? COUNT_CLOSE_PREFIX : COUNT_CLOSE_FULL);
	seat = seats_take(t->seats, prefix);
	struct connection *c = &t->connections[seat];
	c->fd = fd;
	c->is_writing = false;
	c->client = *client;
	c->in_len = 0;
	expect(c, COUNT_CLOSE_IDLE, now_ms + RESPOND_TCP_IDLE_MS);
	count_add(&t->responder->counters, COUNT_TCP_ACCEPTED);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = t->tag_base + seat};
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		close_connection(t, c, COUNT_CLOSE_FAILED);
}

/*
 * When descriptors run out, close the longest idle connection, but only once: another thread may take the freed
 * descriptor.
 */
static bool make_room(struct tcp_table *t, bool *made_room)
{
	uint32_t idlest = seats_idlest(t->seats);
	if (idlest == SEATS_NONE || *made_room) {
		count_add(&t->responder->counters, COUNT_TCP_NO_DESCRIPTOR);
		return false;
	}
	close_connection(t, &t->connections[idlest], COUNT_CLOSE_FULL);
	*made_room = true;
	return true;
}

bool tcp_accept(struct tcp_table *table, int listen_fd, int64_t now_ms)
{
	bool made_room = false;
	for (int i = 0; i < ACCEPT_ROUNDS; i++) {
		struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
		socklen_t from_len = sizeof from;
		int fd = accept4(listen_fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			struct client client;
			(void)client_from_sockaddr(&from, &client); /* the result does not matter: the peer is
								     * connected */
			add_connection(table, fd, &client, now_ms);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return true;
		bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
		if (is_short && !make_room(table, &made_room))
			return false;
		/* other errors belong to a connection that broke while it waited (accept(2)) */
	}
	return true;
}

/* --- answering -------------------------------------------------------------------------------------------- */

static bool watch(struct tcp_table *t, struct connection *c, bool is_writing)
{
	if (c->is_writing == is_writing)
		return true;
	struct epoll_event event = {.events = is_writing ? EPOLLOUT : EPOLLIN, .data.u64 = t->tag_base + seat_of(t, c)};
	c->is_writing = is_writing;
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

/* Answer one query. */
static enum count_close answer(struct tcp_table *t, struct connection *c, const uint8_t *query, size_t len,
			       const struct plan *plan, int64_t now_ms)
{
	size_t reply = respond(t->responder, plan, query, len, &c->client, true, t->reply + LENGTH_LEN, ENCODE_MAX);
	if (reply == 0)
		return COUNT_CLOSE_INVALID;
	t->reply[0] = (uint8_t)(reply >> 8);
	t->reply[1] = (uint8_t)reply;
	size_t all = reply + LENGTH_LEN;
	ssize_t sent = send_some(c->fd, t->reply, all);
	if (sent < 0)
		return COUNT_CLOSE_RESET;
	seats_touch(t->seats, seat_of(t, c));
	if ((size_t)sent == all)
		return STAYS_OPEN;
	c->out_len = all - (size_t)sent;
	c->out_at = 0;
	c->out = malloc(c->out_len);
	if (c->out == NULL)
		return COUNT_CLOSE_FAILED;
	memcpy(c->out, t->reply + sent, c->out_len);
	expect(c, COUNT_CLOSE_REPLY, now_ms + TCP_REPLY_MS);
	return STAYS_OPEN;
}

/* Is there a complete message at `at` in the buffer, or one that can never be complete? Then `*len` is its length. */
static bool has_message(const struct connection *c, size_t at, size_t *len)
{
	if (c->in_len - at < LENGTH_LEN)
		return false;
	*len = (size_t)c->in[at] << 8 | c->in[at + 1];
	return *len > TCP_QUERY_MAX || c->in_len - at - LENGTH_LEN >= *len;
}

/* Decide what to wait for now. `has_answered`: something was answered just now. */
static enum count_close wait_for_more(struct tcp_table *t, struct connection *c, bool has_answered, int64_t now_ms)
{
	size_t len;
	bool is_writing = c->out != NULL || has_message(c, 0, &len);
	if (c->out == NULL) {
		if (is_writing)
			expect(c, COUNT_CLOSE_REPLY, now_ms + TCP_REPLY_MS);
		else if (c->in_len == 0)
			expect(c, COUNT_CLOSE_IDLE, now_ms + RESPOND_TCP_IDLE_MS);
		else if (has_answered || c->due != COUNT_CLOSE_QUERY)
			expect(c, COUNT_CLOSE_QUERY, now_ms + TCP_QUERY_MS);
		/* otherwise more bytes of the same query came, and its deadline stays */
	}
	return watch(t, c, is_writing) ? STAYS_OPEN : COUNT_CLOSE_FAILED;
}

/* Answer the complete queries in the buffer, for one turn and as long as replies can be sent at once. */
static enum count_close answer_turn(struct tcp_table *t, struct connection *c, const struct plan *plan, int64_t now_ms)
{
	size_t at = 0;
	size_t len;
	enum count_close why = STAYS_OPEN;
	for (int i = 0; i < ANSWERS_TURN && why == STAYS_OPEN && c->out == NULL && has_message(c, at, &len); i++) {
		if (len > TCP_QUERY_MAX)
			return COUNT_CLOSE_INVALID;
		why = answer(t, c, c->in + at + LENGTH_LEN, len, plan, now_ms);
		at += LENGTH_LEN + len;
	}
	if (why != STAYS_OPEN)
		return why;
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
	return wait_for_more(t, c, at > 0, now_ms);
}

static enum count_close on_readable(struct tcp_table *t, struct connection *c, const struct plan *plan, int64_t now_ms)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, BUFFER_SIZE - c->in_len, MSG_DONTWAIT);
	if (n == 0)
		return COUNT_CLOSE_CLIENT;
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? STAYS_OPEN : COUNT_CLOSE_RESET;
	c->in_len += (size_t)n;
	return answer_turn(t, c, plan, now_ms);
}

static enum count_close on_writable(struct tcp_table *t, struct connection *c, const struct plan *plan, int64_t now_ms)
{
	if (c->out != NULL) {
		ssize_t sent = send_some(c->fd, c->out + c->out_at, c->out_len - c->out_at);
		if (sent < 0)
			return COUNT_CLOSE_RESET;
		c->out_at += (size_t)sent;
		if (c->out_at < c->out_len)
			return STAYS_OPEN; /* the deadline stays, too: slow readers do not get more time */
		free(c->out);
		c->out = NULL;
		seats_touch(t->seats, seat_of(t, c));
	}
	return answer_turn(t, c, plan, now_ms);
}

void tcp_event(struct tcp_table *table, uint64_t tag, const struct plan *plan, int64_t now_ms)
{
	struct connection *c = &table->connections[tag - table->tag_base];
	if (c->fd < 0)
		return; /* the connection was closed by an earlier event of the same round */
	/* error events need no special treatment: reading or writing will report them */
	enum count_close why =
		c->is_writing ? on_writable(table, c, plan, now_ms) : on_readable(table, c, plan, now_ms);
	if (why != STAYS_OPEN)
		close_connection(table, c, why);
}

void tcp_expire(struct tcp_table *table, int64_t now_ms)
{
	for (uint32_t i = 0; i < table->size && seats_taken(table->seats) > 0; i++) {
		struct connection *c = &table->connections[i];
		if (c->fd >= 0 && now_ms >= c->deadline_ms)
			close_connection(table, c, c->due);
	}
}

/* --- from one process to another -------------------------------------------------------------------------- */

static bool send_fd(int channel, int fd)
{
	alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec data = {.iov_base = "c", .iov_len = 1}; /* a packet without data would look like the end */
	struct msghdr msg = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return sendmsg(channel, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

void tcp_hand_over(struct tcp_table *table, int channel)
{
	for (uint32_t i = 0; i < table->size && seats_taken(table->seats) > 0; i++) {
		struct connection *c = &table->connections[i];
		if (c->fd < 0 || c->in_len > 0 || c->is_writing)
			continue;
		if (!send_fd(channel, c->fd))
			return;
		/*
		 * closing alone is not enough: the socket stays open in the other process, and our epoll would go on
		 * reporting it
		 */
		(void)epoll_ctl(table->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
		close_connection(table, c, COUNT_CLOSE_HANDED);
	}
}

/* Receive the next descriptor. -1 with errno EAGAIN: none now; -1 with errno 0: no more will come. */
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

bool tcp_adopt(struct tcp_table *table, int channel, int64_t now_ms)
{
	for (;;) {
		struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
		socklen_t from_len = sizeof from;
		int fd = receive_fd(channel);
		if (fd < 0)
			return errno == EAGAIN || errno == EINTR;
		struct client client;
		if (getpeername(fd, (struct sockaddr *)&from, &from_len) == 0) {
			(void)client_from_sockaddr(&from, &client);
			add_connection(table, fd, &client, now_ms);
		} else {
			(void)close(fd); /* the client has gone */
		}
	}
}

unsigned tcp_count(const struct tcp_table *table)
{
	return seats_taken(table->seats);
}
