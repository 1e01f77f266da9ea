/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of attackers and of bad clients, in one thread: the test is both client and worker. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsd/serve/tcp.h"
#include "tests/unit/zone_plan.h"

enum { TAG = 1000, SEATS = 8, SHARE = 4, STREAM_MAX = 1 << 20 };

struct net {
	struct zone_plan *zp;
	struct tcp_table *table;
	int epoll_fd;
	int listen_fd;
	struct sockaddr_in address;
	int64_t now_ms;
	uint8_t *stream; /* STREAM_MAX bytes for a test's use */
};

static int setup(void **state)
{
	struct net *n = calloc(1, sizeof *n);
	struct tcp_limits limits = {.connections = SEATS, .share = SHARE};
	socklen_t len = sizeof n->address;
	size_t size = 65536;
	char *zone = malloc(size);
	size_t at = (size_t)snprintf(
		zone, size, "$TTL 60\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.2\n");
	for (int i = 0; i < 250; i++) /* a reply of 60 kB */
		at += (size_t)snprintf(zone + at, size - at, "big TXT \"%d%0215d\"\n", i, 0);
	n->zp = zone_plan_new();
	zone_plan_add_zone(n->zp, "example.", zone);
	zone_plan_commit(n->zp);
	free(zone);
	n->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	n->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int bytes = 65536;
	int on = 1;
	assert_int_equal(setsockopt(n->listen_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
	assert_int_equal(setsockopt(n->listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
	n->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(n->listen_fd, (struct sockaddr *)&n->address, len), 0);
	assert_int_equal(getsockname(n->listen_fd, (struct sockaddr *)&n->address, &len), 0);
	assert_int_equal(listen(n->listen_fd, 128), 0);
	n->table = tcp_table_new(n->epoll_fd, TAG, &limits, n->zp->responder);
	assert_non_null(n->table);
	n->now_ms = 1000000;
	n->stream = malloc(STREAM_MAX);
	*state = n;
	return 0;
}

static uint64_t counted(const struct net *n, unsigned at)
{
	struct count_totals totals = {0};
	count_sum(&n->zp->responder->counters, &totals);
	return totals.values[at];
}

static uint64_t closed(const struct net *n, enum count_close why)
{
	return counted(n, COUNT_TCP_CLOSED + why);
}

static int teardown(void **state)
{
	struct net *n = *state;
	uint64_t ends = 0;
	tcp_table_free(&n->table);
	for (unsigned why = 0; why < COUNT_CLOSES; why++)
		ends += closed(n, why);
	assert_int_equal(ends, counted(n, COUNT_TCP_ACCEPTED)); /* each is counted once */
	(void)close(n->epoll_fd);
	(void)close(n->listen_fd);
	zone_plan_free(n->zp);
	free(n->stream);
	free(n);
	return 0;
}

/* Let the worker do its work, one turn at a time, at most `turns`. Returns the number of turns. */
static int work(struct net *n, int turns)
{
	struct epoll_event events[16];
	int done = 0;
	assert_true(tcp_accept(n->table, n->listen_fd, n->now_ms));
	for (; done < turns; done++) {
		int count = epoll_wait(n->epoll_fd, events, 16, 0);
		if (count <= 0)
			break;
		for (int i = 0; i < count; i++)
			tcp_event(n->table, events[i].data.u64, n->zp->plan, n->now_ms);
	}
	return done;
}

static void pass(struct net *n, int64_t ms)
{
	n->now_ms += ms;
	tcp_expire(n->table, n->now_ms);
}

/* A client at 127.0.<network>.1, non-blocking once it is connected. */
static int join(const struct net *n, unsigned network)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + (network << 8))};
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&n->address, sizeof n->address), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
	return fd;
}

static void put(int fd, const uint8_t *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Read what has arrived; -1 when the connection was reset. `*is_ended`: it ended, with a FIN or a reset. */
static size_t take(int fd, uint8_t *out, size_t size, bool *is_ended)
{
	size_t len = 0;
	*is_ended = false;
	while (len < size) {
		ssize_t got = recv(fd, out + len, size - len, MSG_DONTWAIT);
		if (got <= 0) {
			*is_ended = got == 0 || errno != EAGAIN;
			break;
		}
		len += (size_t)got;
	}
	return len;
}

static bool is_ended(int fd)
{
	uint8_t byte;
	bool ended;
	(void)take(fd, &byte, 1, &ended);
	return ended;
}

/* A query with its length before it. */
static size_t frame(const char *name, uint16_t type, uint16_t id, uint8_t *out)
{
	size_t len = zone_plan_query(name, type, 0, out + 2);
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	out[2] = (uint8_t)(id >> 8);
	out[3] = (uint8_t)id;
	return len + 2;
}

/* --- framing ---------------------------------------------------------------------------------------------- */

/* Three queries, cut into two segments at every byte. */
static void a_stream_may_be_cut_anywhere(void **state)
{
	struct net *n = *state;
	uint8_t queries[256];
	size_t len = frame("www.example.", RRTYPE_A, 1, queries);
	len += frame("nope.example.", RRTYPE_A, 2, queries + len);
	len += frame("ns1.example.", RRTYPE_A, 3, queries + len);
	uint8_t expected[1024];
	size_t expected_len = 0;
	for (size_t cut = 0; cut <= len; cut++) {
		int fd = join(n, 0);
		uint8_t got[1024];
		bool ended;
		if (cut > 0)
			put(fd, queries, cut);
		(void)work(n, 10);
		if (cut < len)
			put(fd, queries + cut, len - cut);
		(void)work(n, 10);
		size_t got_len = take(fd, got, sizeof got, &ended);
		if (cut == 0) {
			memcpy(expected, got, got_len);
			expected_len = got_len;
			assert_int_equal(expected[3], 1);
		}
		assert_int_equal(got_len, expected_len);
		assert_memory_equal(got, expected, got_len);
		(void)close(fd);
		(void)work(n, 10);
	}
	assert_int_equal(closed(n, COUNT_CLOSE_CLIENT), len + 1);
}

static void bytes_may_come_one_by_one(void **state)
{
	struct net *n = *state;
	uint8_t queries[256];
	bool ended;
	size_t len = frame("www.example.", RRTYPE_A, 1, queries);
	len += frame("www.example.", RRTYPE_A, 2, queries + len);
	int fd = join(n, 0);
	for (size_t i = 0; i < len; i++) {
		put(fd, queries + i, 1);
		(void)work(n, 10);
	}
	size_t got = take(fd, n->stream, STREAM_MAX, &ended);
	assert_int_equal(got, 2 * (len / 2 + 16));
	assert_int_equal(n->stream[3], 1);
	assert_int_equal(n->stream[got / 2 + 3], 2);
	(void)close(fd);
}

/* No client may occupy a worker for longer than a turn. */
static void a_thousand_queries_in_one_segment_are_answered_in_order_and_in_turns(void **state)
{
	struct net *n = *state;
	size_t len = 0;
	bool ended;
	for (uint16_t i = 0; i < 1000; i++)
		len += frame("www.example.", RRTYPE_A, i, n->stream + len);
	int fd = join(n, 0);
	put(fd, n->stream, len);
	uint64_t before = counted(n, COUNT_RESPONSES + DNS_NOERROR);
	for (int turn = 0; work(n, 1) > 0; turn++) {
		uint64_t after = counted(n, COUNT_RESPONSES + DNS_NOERROR);
		assert_in_range(after - before, turn < 1 ? 0 : 1, 64);
		before = after;
	}
	assert_int_equal(before, 1000);
	size_t got = take(fd, n->stream, STREAM_MAX, &ended);
	assert_int_equal(got, len + 1000 * 16);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(n->stream[i * (got / 1000) + 2] << 8 | n->stream[i * (got / 1000) + 3], i);
	assert_false(ended);
	(void)close(fd);
}

/* Replies far larger than the socket's buffer, read a little at a time: no byte may be lost or mixed up. */
static void partial_writes_are_kept(void **state)
{
	struct net *n = *state;
	size_t len = 0;
	size_t message = 0; /* bytes of the present message that have not come yet */
	unsigned replies = 0;
	uint8_t head[4];
	size_t head_len = 0;
	for (uint16_t i = 0; i < 40; i++)
		len += frame(i % 2 == 0 ? "big.example." : "www.example.", i % 2 == 0 ? RRTYPE_TXT : RRTYPE_A, i,
			     n->stream + len);
	int fd = join(n, 0);
	put(fd, n->stream, len);
	assert_int_equal(shutdown(fd, SHUT_WR), 0); /* the end of the queries does not end the replies */
	for (int round = 0; round < 100000; round++) {
		bool ended;
		(void)work(n, 3);
		size_t got = take(fd, n->stream, 777, &ended);
		for (size_t i = 0; i < got; i++) {
			if (message > 0) {
				message--;
				continue;
			}
			head[head_len++] = n->stream[i];
			if (head_len < 4)
				continue;
			assert_int_equal(head[2] << 8 | head[3], replies);
			message = (size_t)(head[0] << 8 | head[1]) - 2;
			assert_true(replies % 2 == 0 ? message > 50000 : message < 100);
			replies++;
			head_len = 0;
		}
		if (ended)
			break;
	}
	assert_int_equal(replies, 40);
	assert_int_equal(message, 0);
	assert_int_equal(closed(n, COUNT_CLOSE_CLIENT), 1);
	(void)close(fd);
}

/* --- what is wrong ---------------------------------------------------------------------------------------- */

static void messages_that_cannot_be_queries_end_the_connection(void **state)
{
	struct net *n = *state;
	static const struct {
		size_t len;
		uint8_t bytes[20];
	} cases[] = {
		{2, {0, 0}},                                       /* an empty message */
		{3, {0, 1, 7}},                                    /* shorter than a header */
		{2, {0x10, 0x01}},                                 /* longer than any query */
		{2, {0xff, 0xff}},                                 /* the same */
		{14, {0, 12, 1, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0}}, /* a response */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t query[256];
		uint8_t got[512];
		bool ended;
		size_t len = frame("www.example.", RRTYPE_A, 1, query);
		int fd = join(n, 0);
		put(fd, query, len);
		put(fd, cases[i].bytes, cases[i].len);
		(void)work(n, 10);
		assert_int_equal(take(fd, got, sizeof got, &ended), len + 16); /* the queries before it are answered */
		assert_true(ended);
		assert_int_equal(closed(n, COUNT_CLOSE_INVALID), i + 1);
		(void)close(fd);
	}
}

/* A reset at each stage of a connection. */
static void a_reset_at_any_point_ends_one_connection(void **state)
{
	struct net *n = *state;
	static const struct linger at_once = {.l_onoff = 1};
	uint8_t query[256];
	size_t len = frame("big.example.", RRTYPE_TXT, 1, query);
	for (int point = 0; point < 6; point++) {
		int fd = join(n, 0);
		if (point >= 1)
			(void)work(n, 10); /* accepted */
		if (point >= 2)
			put(fd, query, 1);
		if (point >= 3)
			(void)work(n, 10); /* waits for the rest of a query */
		if (point >= 4)
			for (int i = 0; i < 8; i++)
				put(fd, query + (i == 0), len - (i == 0));
		if (point >= 5)
			(void)work(n, 10); /* waits for the client to read */
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
		(void)close(fd);
		(void)work(n, 100);
		assert_int_equal(tcp_count(n->table), 0);
		assert_int_equal(closed(n, COUNT_CLOSE_RESET) + closed(n, COUNT_CLOSE_CLIENT), point + 1);
	}
	assert_in_range(closed(n, COUNT_CLOSE_RESET), 4, 6);
}

/* --- deadlines -------------------------------------------------------------------------------------------- */

static void who_says_nothing_is_closed_when_idle(void **state)
{
	struct net *n = *state;
	uint8_t query[256];
	size_t len = frame("www.example.", RRTYPE_A, 1, query);
	int silent = join(n, 0);
	int talks = join(n, 0);
	(void)work(n, 10);
	pass(n, RESPOND_TCP_IDLE_MS - 1);
	assert_int_equal(closed(n, COUNT_CLOSE_IDLE), 0);
	for (int i = 0; i < 5; i++) {
		put(talks, query, len);
		(void)work(n, 10);
		pass(n, RESPOND_TCP_IDLE_MS - 1);
		assert_int_equal(closed(n, COUNT_CLOSE_IDLE), 1);
	}
	assert_true(is_ended(silent));
	assert_int_equal(tcp_count(n->table), 1);
	pass(n, 1);
	assert_int_equal(closed(n, COUNT_CLOSE_IDLE), 2);
	(void)close(silent);
	(void)close(talks);
}

static void a_trickle_of_bytes_gets_no_more_time(void **state)
{
	struct net *n = *state;
	uint8_t query[256];
	size_t len = frame("www.example.", RRTYPE_A, 1, query);
	int fd = join(n, 0);
	pass(n, RESPOND_TCP_IDLE_MS / 2);
	for (size_t i = 0; i < len - 1 && closed(n, COUNT_CLOSE_QUERY) == 0; i++) {
		assert_true(i * 500 < TCP_QUERY_MS);
		put(fd, query + i, 1);
		(void)work(n, 10);
		pass(n, 500);
	}
	assert_int_equal(closed(n, COUNT_CLOSE_QUERY), 1);
	assert_true(is_ended(fd));
	(void)close(fd);
}

/*
 * After a complete query the deadline of the next begins anew. A length and then silence counts as a query that began.
 */
static void each_query_has_its_own_time(void **state)
{
	struct net *n = *state;
	uint8_t query[256];
	size_t len = frame("www.example.", RRTYPE_A, 1, query);
	int fd = join(n, 0);
	put(fd, query, 2);
	for (int i = 0; i < 5; i++) {
		(void)work(n, 10);
		pass(n, TCP_QUERY_MS - 1);
		put(fd, query + 2, len - 2);
		put(fd, query, 2);
	}
	(void)work(n, 10);
	assert_int_equal(counted(n, COUNT_RESPONSES + DNS_NOERROR), 5);
	pass(n, TCP_QUERY_MS - 1);
	assert_int_equal(tcp_count(n->table), 1);
	pass(n, 1);
	assert_int_equal(closed(n, COUNT_CLOSE_QUERY), 1);
	(void)close(fd);
}

/* Endless queries from a client that reads a few bytes now and then, or none. */
static void who_does_not_read_is_closed_in_time(void **state)
{
	struct net *n = *state;
	for (int reads = 0; reads < 2; reads++) {
		uint8_t query[256];
		bool ended;
		uint64_t before = counted(n, COUNT_RESPONSES + DNS_NOERROR);
		size_t len = frame("big.example.", RRTYPE_TXT, 1, query);
		int fd = join(n, 0);
		int bytes = 4096;
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
		(void)work(n, 10);
		while (send(fd, query, len, MSG_NOSIGNAL) > 0) {
			(void)work(n, 10);
			if (counted(n, COUNT_RESPONSES + DNS_NOERROR) >= before + 100)
				break;
		}
		(void)work(n, 100);
		uint64_t answered = counted(n, COUNT_RESPONSES + DNS_NOERROR) - before;
		assert_in_range(answered, 1, 20); /* no more than fit into the buffers, and one that waits */
		for (int i = 0; i < 10; i++) {
			assert_int_equal(tcp_count(n->table), 1);
			pass(n, TCP_REPLY_MS / 10);
			if (reads > 0)
				(void)take(fd, n->stream, 100, &ended);
			(void)work(n, 10);
		}
		assert_int_equal(closed(n, COUNT_CLOSE_REPLY), reads + 1);
		assert_int_equal(tcp_count(n->table), 0);
		(void)close(fd);
	}
}

/* --- room ------------------------------------------------------------------------------------------------- */

static void a_newcomer_takes_the_place_of_the_idlest(void **state)
{
	struct net *n = *state;
	uint8_t query[256];
	int fds[SEATS + 1];
	size_t len = frame("www.example.", RRTYPE_A, 1, query);
	for (unsigned i = 0; i < SEATS; i++)
		fds[i] = join(n, i);
	(void)work(n, 10);
	put(fds[1], query, 5); /* half a query does not count as activity */
	put(fds[0], query, len);
	(void)work(n, 10);
	fds[SEATS] = join(n, SEATS);
	(void)work(n, 10);
	assert_int_equal(closed(n, COUNT_CLOSE_FULL), 1);
	assert_true(is_ended(fds[1]));
	put(fds[SEATS], query, len);
	(void)work(n, 10);
	for (unsigned i = 0; i <= SEATS; i++) {
		assert_true(i == 1 || !is_ended(fds[i]));
		(void)close(fds[i]);
	}
	assert_int_equal(counted(n, COUNT_RESPONSES + DNS_NOERROR), 2);
}

static void a_crowd_from_one_network_pushes_out_itself_only(void **state)
{
	struct net *n = *state;
	int other = join(n, 9);
	int fds[50];
	(void)work(n, 10);
	for (int i = 0; i < 50; i++) {
		fds[i] = join(n, 0);
		(void)work(n, 10);
	}
	assert_int_equal(tcp_count(n->table), SHARE + 1);
	assert_int_equal(closed(n, COUNT_CLOSE_PREFIX), 50 - SHARE);
	assert_int_equal(closed(n, COUNT_CLOSE_FULL), 0);
	assert_false(is_ended(other));
	for (int i = 0; i < 50; i++) {
		assert_int_equal(is_ended(fds[i]), i < 50 - SHARE);
		(void)close(fds[i]);
	}
	(void)close(other);
}

/* Without descriptors one connection is closed to make room. If that does not help, tcp_accept() must not be repeated
 * at once. */
static void without_descriptors_there_is_no_spinning(void **state)
{
	struct net *n = *state;
	struct rlimit before;
	struct rlimit none;
	int old = join(n, 1);
	(void)work(n, 10);
	int waiting = join(n, 2);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_false(tcp_accept(n->table, n->listen_fd, n->now_ms)); /* the connections above the limit stay above it */
	assert_int_equal(closed(n, COUNT_CLOSE_FULL), 1);
	assert_int_equal(counted(n, COUNT_TCP_NO_DESCRIPTOR), 1);
	assert_false(tcp_accept(n->table, n->listen_fd, n->now_ms));
	assert_int_equal(counted(n, COUNT_TCP_NO_DESCRIPTOR), 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(tcp_accept(n->table, n->listen_fd, n->now_ms));
	assert_int_equal(tcp_count(n->table), 1);
	(void)close(old);
	(void)close(waiting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_stream_may_be_cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_may_come_one_by_one, setup, teardown),
		cmocka_unit_test_setup_teardown(a_thousand_queries_in_one_segment_are_answered_in_order_and_in_turns,
						setup, teardown),
		cmocka_unit_test_setup_teardown(partial_writes_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_that_cannot_be_queries_end_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reset_at_any_point_ends_one_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(who_says_nothing_is_closed_when_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(a_trickle_of_bytes_gets_no_more_time, setup, teardown),
		cmocka_unit_test_setup_teardown(each_query_has_its_own_time, setup, teardown),
		cmocka_unit_test_setup_teardown(who_does_not_read_is_closed_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_newcomer_takes_the_place_of_the_idlest, setup, teardown),
		cmocka_unit_test_setup_teardown(a_crowd_from_one_network_pushes_out_itself_only, setup, teardown),
		cmocka_unit_test_setup_teardown(without_descriptors_there_is_no_spinning, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
