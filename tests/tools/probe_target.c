/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something cheap to be probed, on all addresses of the loopback at once: takes connections and notes when each came
 * and to which address. Ends at the end of its standard input, and writes what it noted: "ADDRESS MICROSECONDS" a line
 * (the last two octets as a number; wall clock).
 *
 *   probe_target tcp|http
 *
 * Its first line is the port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

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

/* All that wait. Those of a mere connect are closed at once. */
static size_t take(int listener, int epoll_fd, bool is_http, struct seen *seen, size_t count)
{
	for (;;) {
		struct sockaddr_in at = {0};
		socklen_t len = sizeof at;
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		if (fd < 0)
			return count;
		int64_t at_us = now_us();
		if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 && count < SEEN_MAX)
			seen[count++] = (struct seen){ntohl(at.sin_addr.s_addr) & 0xffff, at_us};
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
		if (!is_http || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
			(void)close(fd);
	}
}

/* A request fits into one segment on the loopback. */
static void answer(int fd)
{
	char request[4096];
	ssize_t got = recv(fd, request, sizeof request, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0)
		(void)send(fd, reply, sizeof reply - 1, MSG_NOSIGNAL);
	(void)close(fd);
}

int main(int argc, char *argv[])
{
	struct epoll_event events[EVENTS];
	struct seen *seen = calloc(SEEN_MAX, sizeof *seen);
	size_t count = 0;
	if (argc != 2 || seen == NULL)
		return 2;
	bool is_http = strcmp(argv[1], "http") == 0;
	int listener = open_listener(), epoll_fd = epoll_create1(0);
	struct epoll_event on_listener = {.events = EPOLLIN, .data.fd = listener};
	struct epoll_event on_input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &on_listener) != 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &on_input) != 0)
		return 1;
	for (bool is_over = false; !is_over;) {
		int ready = epoll_wait(epoll_fd, events, EVENTS, -1);
		for (int i = 0; i < ready; i++) {
			if (events[i].data.fd == listener)
				count = take(listener, epoll_fd, is_http, seen, count);
			else if (events[i].data.fd == STDIN_FILENO)
				is_over = true;
			else
				answer(events[i].data.fd);
		}
	}
	for (size_t i = 0; i < count; i++)
		(void)printf("%" PRIu32 " %" PRId64 "\n", seen[i].address, seen[i].at_us);
	free(seen);
	return 0;
}
