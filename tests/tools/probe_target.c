/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cheap target for probes on all addresses of the loopback at once. It accepts connections and notes when each came
 * and to which address. At the end of its standard input it writes its notes, one line "ADDRESS MICROSECONDS" for each
 * (the last two octets as a number; wall clock), and ends.
 *
 *   probe_target tcp|http|silent|https CERT.pem KEY.pem [DELAY_MS]
 *
 * `silent` accepts connections and sends nothing. `https` answers one request per connection, DELAY_MS after the
 * request came.
 *
 * Its first line is the port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum { EVENTS = 256, SEEN_MAX = 4 << 20, BACKLOG = 4096 };

struct seen {
	uint32_t address;
	int64_t at_us;
};

static const char reply[] =
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

static int64_t now_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int open_listener(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
		perror("probe_target");
		exit(1);
	}
	(void)printf("%u\n", ntohs(at.sin_port));
	(void)fflush(stdout);
	return fd;
}

/* What the target does with a connection. */
enum kind { KIND_TCP, KIND_HTTP, KIND_SILENT, KIND_HTTPS };

struct target {
	enum kind kind;
	int listener;
	int epoll_fd;
	SSL_CTX *tls;
	int64_t delay_us;
	struct connection *waiting; /* connections that wait for their answer, the oldest first */
	struct connection *last;
	struct seen *seen;
	size_t count;
};

/* An accepted connection. The data of its epoll event is its address. */
struct connection {
	int fd;
	SSL *ssl;
	int64_t due_us;
	struct connection *next; /* the next one, which has to wait longer */
};

static void end(struct connection *connection)
{
	SSL_free(connection->ssl);
	(void)close(connection->fd);
	free(connection);
}

/* Begin a connection. In the kind that only accepts, close it at once. */
static void begin(struct target *target, int fd)
{
	struct connection *connection = calloc(1, sizeof *connection);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	if (connection == NULL) {
		(void)close(fd);
		return;
	}
	connection->fd = fd;
	if (target->kind == KIND_HTTPS) {
		connection->ssl = SSL_new(target->tls);
		SSL_set_fd(connection->ssl, fd);
		SSL_set_accept_state(connection->ssl);
	}
	if (target->kind == KIND_TCP || epoll_ctl(target->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		end(connection);
}

/* Accept all connections that wait. */
static void take(struct target *target)
{
	for (;;) {
		struct sockaddr_in at = {0};
		socklen_t len = sizeof at;
		int fd = accept4(target->listener, NULL, NULL, SOCK_NONBLOCK);
		if (fd < 0)
			return;
		int64_t at_us = now_us();
		if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 && target->count < SEEN_MAX)
			target->seen[target->count++] = (struct seen){ntohl(at.sin_addr.s_addr) & 0xffff, at_us};
		begin(target, fd);
	}
}

static void reply_tls(struct connection *connection)
{
	(void)SSL_write(connection->ssl, reply, sizeof reply - 1);
	(void)SSL_shutdown(connection->ssl);
	end(connection);
}

/* Do not look at the connection any more until its time has come. */
static void put_off(struct target *target, struct connection *connection)
{
	(void)epoll_ctl(target->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
	connection->due_us = now_us() + target->delay_us;
	if (target->waiting != NULL)
		target->last->next = connection;
	else
		target->waiting = connection;
	target->last = connection;
}

/* Answer the connections whose time has come. Returns the milliseconds until the next one's, or -1 when none waits. */
static int answer_due(struct target *target)
{
	while (target->waiting != NULL) {
		struct connection *connection = target->waiting;
		int64_t left_us = connection->due_us - now_us();
		if (left_us > 0)
			return (int)(left_us / 1000) + 1;
		target->waiting = connection->next;
		reply_tls(connection);
	}
	return -1;
}

static void answer_tls(struct target *target, struct connection *connection)
{
	char request[4096];
	int got = SSL_read(connection->ssl, request, sizeof request);
	if (got <= 0 && SSL_get_error(connection->ssl, got) == SSL_ERROR_WANT_READ)
		return;
	if (got <= 0)
		end(connection);
	else if (target->delay_us > 0)
		put_off(target, connection);
	else
		reply_tls(connection);
}

/* Answer a request, which fits into one segment on the loopback. */
static void answer(struct target *target, struct connection *connection)
{
	char request[4096];
	if (target->kind == KIND_HTTPS) {
		answer_tls(target, connection);
		return;
	}
	ssize_t got = recv(connection->fd, request, sizeof request, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0 && target->kind == KIND_SILENT)
		return;
	if (got > 0)
		(void)send(connection->fd, reply, sizeof reply - 1, MSG_NOSIGNAL);
	end(connection);
}

static bool read_arguments(struct target *target, int argc, char *argv[])
{
	static const char *const kinds[] = {"tcp", "http", "silent", "https"};
	for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(argv[1], kinds[i]) != 0)
			continue;
		target->kind = (enum kind)i;
		if (target->kind != KIND_HTTPS)
			return argc == 2;
		target->tls = SSL_CTX_new(TLS_server_method());
		target->delay_us = argc == 5 ? strtol(argv[4], NULL, 10) * 1000 : 0;
		return (argc == 4 || argc == 5) && target->tls != NULL &&
		       SSL_CTX_use_certificate_chain_file(target->tls, argv[2]) == 1 &&
		       SSL_CTX_use_PrivateKey_file(target->tls, argv[3], SSL_FILETYPE_PEM) == 1;
	}
	return false;
}

int main(int argc, char *argv[])
{
	struct epoll_event events[EVENTS];
	struct target target = {.seen = calloc(SEEN_MAX, sizeof(struct seen))};
	if (target.seen == NULL || !read_arguments(&target, argc, argv))
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	target.listener = open_listener();
	target.epoll_fd = epoll_create1(0);
	struct epoll_event on_listener = {.events = EPOLLIN, .data.ptr = &target.listener};
	struct epoll_event on_input = {.events = EPOLLIN, .data.ptr = NULL};
	if (epoll_ctl(target.epoll_fd, EPOLL_CTL_ADD, target.listener, &on_listener) != 0 ||
	    epoll_ctl(target.epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &on_input) != 0)
		return 1;
	for (bool is_over = false; !is_over;) {
		int ready = epoll_wait(target.epoll_fd, events, EVENTS, answer_due(&target));
		for (int i = 0; i < ready; i++) {
			if (events[i].data.ptr == &target.listener)
				take(&target);
			else if (events[i].data.ptr == NULL)
				is_over = true;
			else
				answer(&target, events[i].data.ptr);
		}
	}
	for (size_t i = 0; i < target.count; i++)
		(void)printf("%" PRIu32 " %" PRId64 "\n", target.seen[i].address, target.seen[i].at_us);
	SSL_CTX_free(target.tls);
	free(target.seen);
	return 0;
}
