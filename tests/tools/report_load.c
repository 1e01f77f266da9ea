/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents that report as the real ones do, once a second each, evenly spread, each over its own connection to a control
 * plane on the loopback. They report either that all of their items are well or that all fail.
 *
 *   report_load PORT ITEMS REVISION SECONDS up|down < BEARERS     (one bearer token a line)
 *
 * Prints one line of JSON at the end: reports sent, bytes of requests and of replies, refused (not answered 204), and
 * the time in microseconds from a request to its reply: mean and longest.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "probes/verdict/report.h"

enum { AGENTS_MAX = 64, LINE = 512, REPLY = 4096, AGE_MS = 5000, UP_RTT_US = 30000, DOWN_RTT_US = 2000000 };

/* One agent's connection. */
struct sender {
	int fd;
	uint64_t seq;
	char bearer[LINE];
};

/* The whole run. */
struct load {
	struct sender senders[AGENTS_MAX];
	unsigned count;
	uint32_t items;
	int64_t revision;
	bool is_down;
	uint64_t boot, reports, sent, received, refused, longest_us, total_us;
};

static int64_t now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sleep_until(int64_t at_us)
{
	struct timespec t = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static bool connect_to(struct sender *s, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return s->fd >= 0 && connect(s->fd, (struct sockaddr *)&to, sizeof to) == 0 &&
	       setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0;
}

static bool send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Read the head of the reply. A 204 has nothing else, and any other reply ends the run. */
static bool take_reply(struct load *l, int fd)
{
	char reply[REPLY + 1];
	size_t len = 0;
	while (len < REPLY) {
		ssize_t n = recv(fd, reply + len, REPLY - len, 0);
		if (n <= 0)
			return false;
		len += (size_t)n;
		reply[len] = '\0';
		if (strstr(reply, "\r\n\r\n") == NULL)
			continue;
		l->received += len;
		if (strncmp(reply, "HTTP/1.1 204", 12) == 0)
			return true;
		(void)fprintf(stderr, "%s\n", reply);
		l->refused++;
		return false;
	}
	return false;
}

static struct observation observation_of(const struct load *l)
{
	uint32_t age = (uint32_t)(random() % AGE_MS);
	if (!l->is_down)
		return (struct observation){OBSERVATION_UP, PROBE_REASON_OK, age, (uint32_t)(random() % UP_RTT_US)};
	if (random() % 2 == 0)
		return (struct observation){OBSERVATION_DOWN, PROBE_REASON_CONNECT_REFUSED, age,
					    (uint32_t)(random() % UP_RTT_US)};
	return (struct observation){OBSERVATION_DOWN, PROBE_REASON_CONNECT_TIMEOUT, age, DOWN_RTT_US};
}

/* Send the next report of this agent and read the reply. */
static bool report_once(struct load *l, struct sender *s, struct observation *items)
{
	struct report report = {.assignment_revision = l->revision,
				.boot = l->boot,
				.seq = ++s->seq,
				.items = items,
				.item_count = l->items};
	char *text;
	char head[2 * LINE];
	size_t len;
	for (uint32_t i = 0; i < l->items; i++)
		items[i] = observation_of(l);
	if (report_write(&report, &text, &len) != VEER_OK)
		return false;
	int head_len =
		snprintf(head, sizeof head,
			 "POST /v1/agents/self/reports HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
			 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			 s->bearer, len);
	int64_t began = now_us();
	bool good = send_all(s->fd, head, (size_t)head_len) && send_all(s->fd, text, len) && take_reply(l, s->fd);
	uint64_t took = (uint64_t)(now_us() - began);
	l->sent += (size_t)head_len + len;
	l->reports++;
	l->total_us += took;
	l->longest_us = took > l->longest_us ? took : l->longest_us;
	free(text);
	return good;
}

static bool run(struct load *l, uint16_t port, unsigned seconds)
{
	struct observation *items = calloc(l->items + 1u, sizeof *items);
	int64_t due = now_us();
	bool good = items != NULL;
	for (unsigned i = 0; i < l->count && good; i++)
		good = connect_to(&l->senders[i], port);
	for (unsigned n = 0; n < seconds * l->count && good; n++) {
		sleep_until(due);
		due += 1000000 / l->count;
		good = report_once(l, &l->senders[n % l->count], items);
	}
	free(items);
	return good;
}

int main(int argc, char **argv)
{
	static struct load l;
	if (argc != 6) {
		(void)fprintf(stderr, "usage: report_load PORT ITEMS REVISION SECONDS up|down < BEARERS\n");
		return 2;
	}
	while (l.count < AGENTS_MAX && fgets(l.senders[l.count].bearer, LINE, stdin) != NULL) {
		l.senders[l.count].bearer[strcspn(l.senders[l.count].bearer, "\n")] = '\0';
		l.senders[l.count].seq = (uint64_t)now_us(); /* above the numbers of the run before */
		l.count++;
	}
	l.items = (uint32_t)strtoul(argv[2], NULL, 10);
	l.revision = strtoll(argv[3], NULL, 10);
	l.is_down = strcmp(argv[5], "down") == 0;
	l.boot = (uint64_t)getppid(); /* the same agent in all runs: an agent may start only 16 times in 10 minutes */
	bool good = l.count > 0 && run(&l, (uint16_t)strtoul(argv[1], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10));
	(void)printf("{\"reports\": %" PRIu64 ", \"sent\": %" PRIu64 ", \"received\": %" PRIu64
		     ", \"refused\": %" PRIu64 ", \"mean_us\": %" PRIu64 ", \"longest_us\": %" PRIu64 "}\n",
		     l.reports, l.sent, l.received, l.refused, l.reports > 0 ? l.total_us / l.reports : 0,
		     l.longest_us);
	return good ? 0 : 1;
}
