/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load of queries whose answers are all checked. It keeps a window of queries under way at a name server on the
 * loopback. It is meant for changes under load: the answer for hN.ORIGIN must be 10.x.y.z made of N, that for cN.ORIGIN
 * (which another process changes meanwhile) an address of 192.0.2.0/24 or 198.51.100.0/24.
 *
 *   query_load PORT ORIGIN H_NAMES C_NAMES WINDOW SECONDS
 *
 * It prints one line of JSON at the end (also on SIGTERM): sent, answered, lost (no reply within LOST_MS), wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "zones/dns/name.h"

enum { BATCH = 64, PACKET = 512, IDS = 65536, LOST_MS = 2000, HEADER = 12, CHANGING_ONE_IN = 8 };

/* A query that is under way, by its id. */
struct slot {
	bool is_used;
	bool is_changing;
	uint32_t number;
	int64_t sent_ms;
};

/* The whole run. */
struct load {
	int fd;
	uint32_t names;
	uint32_t changing;
	unsigned window;
	unsigned under_way;
	uint16_t next_id;
	uint32_t next;
	uint8_t origin[NAME_WIRE_MAX];
	size_t origin_len;
	uint64_t sent, answered, lost, wrong;
	struct slot slots[IDS];
};

static volatile sig_atomic_t is_stopped;

static void on_signal(int number)
{
	(void)number;
	is_stopped = 1;
}

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Write the question for a slot: name, type A, class IN. */
static size_t question(const struct load *l, const struct slot *s, uint8_t *out)
{
	int len = snprintf((char *)out + 1, NAME_LABEL_MAX, "%c%" PRIu32, s->is_changing ? 'c' : 'h', s->number);
	size_t at = (size_t)len + 1;
	out[0] = (uint8_t)len;
	memcpy(out + at, l->origin, l->origin_len);
	at += l->origin_len;
	memcpy(out + at, "\0\1\0\1", 4);
	return at + 4;
}

static size_t make(struct load *l, uint8_t *packet, int64_t at_ms)
{
	uint16_t id = l->next_id++;
	struct slot *s = &l->slots[id];
	if (s->is_used) { /* all other ids were used since, and still no reply */
		l->lost++;
		l->under_way--;
	}
	l->next = (l->next * 1103515245U + 12345U);
	*s = (struct slot){.is_used = true, .sent_ms = at_ms};
	s->is_changing = l->changing > 0 && l->next_id % CHANGING_ONE_IN == 0;
	s->number = (l->next >> 4) % (s->is_changing ? l->changing : l->names);
	l->under_way++;
	l->sent++;
	memcpy(packet, (uint8_t[HEADER]){(uint8_t)(id >> 8), (uint8_t)id, 0, 0, 0, 1}, HEADER);
	return HEADER + question(l, s, packet + HEADER);
}

static void send_some(struct load *l)
{
	static uint8_t packets[BATCH][PACKET];
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH];
	unsigned count = 0;
	int64_t at_ms = now_ms();
	for (; count < BATCH && l->under_way < l->window; count++) {
		vectors[count] = (struct iovec){packets[count], make(l, packets[count], at_ms)};
		messages[count].msg_hdr = (struct msghdr){.msg_iov = &vectors[count], .msg_iovlen = 1};
	}
	for (unsigned sent = 0; sent < count;) {
		int n = sendmmsg(l->fd, messages + sent, count - sent, 0);
		if (n < 0 && errno != EINTR) {
			perror("query_load: sendmmsg");
			exit(1);
		}
		sent += n > 0 ? (unsigned)n : 0;
	}
}

static bool is_right(const struct load *l, const struct slot *s, const uint8_t *reply, size_t len)
{
	uint8_t expected[PACKET];
	size_t question_len = question(l, s, expected);
	size_t at = HEADER + question_len + 12; /* the address, after pointer, type, class, TTL and length */
	if (len < at + 4 || (reply[2] & 0x86) != 0x84 || (reply[3] & 0xf) != 0 || reply[7] != 1 ||
	    memcmp(reply + HEADER, expected, question_len) != 0)
		return false;
	const uint8_t *a = reply + at;
	if (s->is_changing)
		return (a[0] == 192 && a[1] == 0 && a[2] == 2) || (a[0] == 198 && a[1] == 51 && a[2] == 100);
	return a[0] == 10 && a[1] == (s->number >> 16 & 255) && a[2] == (s->number >> 8 & 255) &&
	       a[3] == (s->number & 255);
}

static void receive_some(struct load *l)
{
	static uint8_t packets[BATCH][PACKET];
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH];
	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){packets[i], PACKET};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
	int count = recvmmsg(l->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		struct slot *s = &l->slots[packets[i][0] << 8 | packets[i][1]];
		if (messages[i].msg_len < HEADER || !s->is_used) {
			l->wrong++; /* a reply without a query, or a second reply */
			continue;
		}
		s->is_used = false;
		l->under_way--;
		l->answered++;
		if (!is_right(l, s, packets[i], messages[i].msg_len))
			l->wrong++;
	}
}

/* Give up on queries that are too old. */
static void expire(struct load *l)
{
	int64_t at_ms = now_ms();
	for (unsigned i = 0; i < IDS; i++)
		if (l->slots[i].is_used && at_ms - l->slots[i].sent_ms > LOST_MS) {
			l->slots[i].is_used = false;
			l->under_way--;
			l->lost++;
		}
}

static void run(struct load *l, int64_t seconds)
{
	int64_t end_ms = now_ms() + seconds * 1000;
	int64_t swept_ms = now_ms();
	for (bool is_asking = true; is_asking || l->under_way > 0;) {
		is_asking = is_stopped == 0 && now_ms() < end_ms;
		if (is_asking)
			send_some(l);
		struct pollfd waiting = {.fd = l->fd, .events = POLLIN};
		if (poll(&waiting, 1, 100) > 0)
			receive_some(l);
		if (now_ms() - swept_ms > LOST_MS / 2) {
			expire(l);
			swept_ms = now_ms();
		}
	}
}

int main(int argc, char *argv[])
{
	static struct load l;
	if (argc != 7 || name_parse(argv[2], strlen(argv[2]), NULL, l.origin, &l.origin_len, NULL) != VEER_OK)
		return 2;
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sigaction action = {.sa_handler = on_signal};
	int buffer = 4 << 20; /* the replies of a whole window fit while this process waits for its core */
	l.names = (uint32_t)strtoul(argv[3], NULL, 10);
	l.changing = (uint32_t)strtoul(argv[4], NULL, 10);
	l.window = (unsigned)strtoul(argv[5], NULL, 10);
	l.fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (l.fd < 0 || setsockopt(l.fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) != 0 ||
	    connect(l.fd, (const struct sockaddr *)&to, sizeof to) != 0 || sigaction(SIGTERM, &action, NULL) != 0) {
		perror("query_load");
		return 1;
	}
	run(&l, strtoll(argv[6], NULL, 10));
	printf("{\"sent\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"wrong\": %" PRIu64 "}\n",
	       l.sent, l.answered, l.lost, l.wrong);
	(void)close(l.fd);
	return 0;
}
