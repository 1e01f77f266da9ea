/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of messages over TCP, cut anywhere and read at any pace. The replies must be the same as when each message
 * is asked alone: one for each, in order, framed by their length (RFC 1035 4.2.2, RFC 7766 8), up to the first message
 * that ends the connection. Tests the real table of connections over a Unix stream, because TCP's own timers would only
 * make the test slow. The connection may be handed over to another table in the middle, as in an upgrade of the binary.
 *
 * Input: octet 0: bit 0: this target frames the messages (in the input one octet of length precedes each), else the
 * stream is used as it is; bit 1: the client reads only at the end; bit 2: after each piece the connection is handed
 * over, if no message is under way on it. Octet 1: how many cuts follow; each cut: how many octets to send before the
 * server reads. The rest is the stream.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dnsd/serve/tcp.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

#define STREAM_MAX 8192
#define REPLIES_MAX ((size_t)4 << 20)
#define SMALL_BUFFER 4096 /* of the sockets, so small that replies soon fill them */
#define PATIENCE_MS 2000  /* a reply that takes longer counts as missing */
#define NOW_MS 1000000
#define TAGS 1024 /* the epoll tags of the connections of one table */

static const char zone_text[] =
	"$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.2\nwww A 192.0.2.3\n"
	"alias CNAME www\nsub NS ns.sub\nns.sub A 192.0.2.5\n*.w TXT \"x\"\nd DNAME www\n";

struct streams {
	struct served *served;       /* the server whose replies are tested */
	struct served *alone;        /* the server that gives the expected replies */
	struct tcp_table *tables[2]; /* both on one epoll */
	int channel[2];              /* between the tables */
	struct sockaddr_un address;
	socklen_t address_len;
	int epoll_fd;
	int listen_fd;
	uint8_t expected[REPLIES_MAX];
	size_t expected_len;
	bool is_closed; /* one of the messages ended the connection */
	uint8_t got[REPLIES_MAX];
	size_t got_len;
	bool is_ended; /* the client has seen the end */
};

/* Make a zone with an answer that is larger than the sockets' buffers together. */
static struct served *make_served(void)
{
	struct served *s = served_new();
	char *text = malloc(1 << 20);
	fuzz_check(text != NULL);
	size_t len = sizeof zone_text - 1;
	memcpy(text, zone_text, len + 1);
	for (unsigned i = 0; i < 120; i++) {
		int n = snprintf(text + len, 300, "big TXT \"%0200u\"\n", i);
		fuzz_check(n > 0);
		len += (size_t)n;
	}
	served_add_zone(s, (const uint8_t *)"\7example", text);
	served_commit(s);
	free(text);
	s->responder->config.secrets.count = 1;
	return s;
}

static struct streams *make(void)
{
	struct streams *t = calloc(1, sizeof *t);
	int small = SMALL_BUFFER;
	fuzz_check(t != NULL);
	t->served = make_served();
	t->alone = make_served();
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	t->address.sun_family = AF_UNIX;
	t->address_len = sizeof t->address;
	for (unsigned i = 0; i < 2; i++) {
		t->tables[i] = tcp_table_new(t->epoll_fd, i * TAGS, &(struct tcp_limits){.connections = 4, .share = 4},
					     t->served->responder);
		fuzz_check(t->tables[i] != NULL);
	}
	fuzz_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, t->channel) == 0);
	fuzz_check(t->epoll_fd >= 0 && t->listen_fd >= 0);
	fuzz_check(setsockopt(t->listen_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
	/* with only the family the kernel chooses an abstract name (unix(7)) */
	fuzz_check(bind(t->listen_fd, (const struct sockaddr *)&t->address, sizeof t->address.sun_family) == 0);
	fuzz_check(listen(t->listen_fd, 8) == 0);
	fuzz_check(getsockname(t->listen_fd, (struct sockaddr *)&t->address, &t->address_len) == 0);
	return t;
}

/* Compute what the client must get by asking each message alone. */
static void expect(struct streams *t, const uint8_t *stream, size_t len)
{
	static const struct client client = {.is_ipv6 = false};
	size_t at = 0;
	t->expected_len = 0;
	t->is_closed = false;
	while (!t->is_closed && len - at >= 2) {
		size_t message = (size_t)stream[at] << 8 | stream[at + 1];
		t->is_closed = message > TCP_QUERY_MAX;
		if (t->is_closed || len - at - 2 < message)
			return;
		size_t n = served_ask(t->alone, stream + at + 2, message, &client, true, 1);
		at += 2 + message;
		t->is_closed = n == 0;
		if (n == 0)
			return;
		served_check_reply(stream + at - message, message, t->alone->out, n, true);
		fuzz_check(t->expected_len + 2 + n <= sizeof t->expected);
		t->expected[t->expected_len++] = (uint8_t)(n >> 8);
		t->expected[t->expected_len++] = (uint8_t)n;
		memcpy(t->expected + t->expected_len, t->alone->out, n);
		t->expected_len += n;
	}
}

static unsigned count(const struct streams *t)
{
	return tcp_count(t->tables[0]) + tcp_count(t->tables[1]);
}

/* Hand the connection over to the other table, if that is possible now. */
static void hand_over(struct streams *t)
{
	unsigned from = tcp_count(t->tables[0]) > 0 ? 0 : 1, before = count(t);
	tcp_hand_over(t->tables[from], t->channel[0]);
	fuzz_check(tcp_adopt(t->tables[1 - from], t->channel[1], NOW_MS));
	fuzz_check(count(t) == before);
}

/* Let the server handle all events of epoll. */
static bool serve(struct streams *t)
{
	struct epoll_event events[4];
	int n = epoll_wait(t->epoll_fd, events, 4, 0);
	for (int i = 0; i < n; i++)
		tcp_event(t->tables[events[i].data.u64 / TAGS], events[i].data.u64, t->served->plan, NOW_MS);
	return n > 0;
}

/* Read whatever has arrived. */
static bool take(struct streams *t, int fd)
{
	bool any = false;
	while (!t->is_ended) {
		ssize_t n = recv(fd, t->got + t->got_len, sizeof t->got - t->got_len, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		t->is_ended = n <= 0;
		t->got_len += n > 0 ? (size_t)n : 0;
		any = true;
	}
	return any;
}

static int open_client(struct streams *t)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fuzz_check(fd >= 0 && connect(fd, (const struct sockaddr *)&t->address, t->address_len) == 0);
	fuzz_check(tcp_accept(t->tables[0], t->listen_fd, NOW_MS));
	fuzz_check(count(t) == 1);
	t->got_len = 0;
	t->is_ended = false;
	t->served->responder->random = 1;
	return fd;
}

/* Send all of it; the server runs whenever the kernel has no more room. */
static void send_all(struct streams *t, int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			return; /* the server has closed the connection; finish() checks whether it may */
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		bool worked = serve(t);
		/* a client that reads only at the end must read now too, because otherwise neither side can continue */
		worked = take(t, fd) || worked;
		if (!worked) {
			struct pollfd p = {.fd = fd, .events = POLLOUT | POLLIN};
			fuzz_check(poll(&p, 1, PATIENCE_MS) > 0 || count(t) == 0);
		}
	}
}

/* Read until all expected replies have come and, if it must end, the connection has ended. */
static void finish(struct streams *t, int fd)
{
	while (t->got_len < t->expected_len || (t->is_closed && !t->is_ended)) {
		bool worked = serve(t);
		worked = take(t, fd) || worked;
		if (t->is_ended)
			break;
		if (!worked) {
			struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = t->epoll_fd, .events = POLLIN}};
			fuzz_check(poll(p, 2, PATIENCE_MS) > 0);
		}
	}
	(void)serve(t);
	(void)take(t, fd);
	fuzz_check(t->got_len == t->expected_len && memcmp(t->got, t->expected, t->got_len) == 0);
	fuzz_check(t->is_ended == t->is_closed);
	fuzz_check(count(t) == (t->is_closed ? 0U : 1U));
}

/* Whatever state the client leaves the connection in, its deadline ends it. */
static void leave(struct streams *t, int fd)
{
	for (unsigned i = 0; i < 2; i++)
		tcp_expire(t->tables[i], NOW_MS + RESPOND_TCP_IDLE_MS + TCP_REPLY_MS + TCP_QUERY_MS);
	fuzz_check(count(t) == 0);
	(void)close(fd);
}

/* Make the stream: as it is, or each message with its length in two octets instead of one. */
static size_t make_stream(const uint8_t *data, size_t size, bool is_framed, uint8_t *out)
{
	size_t len = 0;
	if (!is_framed) {
		len = size < STREAM_MAX ? size : STREAM_MAX;
		memcpy(out, data, len);
		return len;
	}
	while (size > 0) {
		size_t message = data[0] < size ? data[0] : size - 1;
		if (len + 2 + message > STREAM_MAX)
			break;
		out[len++] = 0;
		out[len++] = (uint8_t)message;
		memcpy(out + len, data + 1, message);
		len += message;
		data += 1 + message;
		size -= 1 + message;
	}
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct streams *t; /* made once per process */
	static uint8_t stream[STREAM_MAX];
	if (size < 2 || size < 2U + data[1] || size > STREAM_MAX)
		return 0;
	if (t == NULL)
		t = make();
	bool is_reading = (data[0] & 2) == 0;
	const uint8_t *cuts = data + 2, *cuts_end = cuts + data[1];
	size_t len = make_stream(cuts_end, size - 2 - data[1], (data[0] & 1) != 0, stream);
	expect(t, stream, len);
	int fd = open_client(t);
	for (size_t at = 0; at < len;) {
		size_t piece = cuts < cuts_end ? *cuts++ + 1U : len - at;
		if (piece > len - at)
			piece = len - at;
		send_all(t, fd, stream + at, piece);
		at += piece;
		(void)serve(t);
		if (is_reading)
			(void)take(t, fd);
		if ((data[0] & 4) != 0)
			hand_over(t);
	}
	finish(t, fd);
	leave(t, fd);
	return 0;
}
