/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends a flood of queries over loopback at a steady rate from PREFIXES /24 networks. It does not read the replies.
 *
 *   flood PORT KIND RATE SECONDS PREFIXES ORIGIN
 *
 * KIND: subdomain   names below ORIGIN (dotted, without the last dot) that do not exist, each once
 *       malformed   broken, cut and random packets, and queries with random client subnets and cookies
 * Prints how many packets were sent. Source n is 127.100.n.1.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, PACKET_MAX = 512, PREFIXES_MAX = 250 };

struct flood {
	uint64_t random;
	uint8_t origin[256]; /* in wire format */
	size_t origin_len;
	int fds[PREFIXES_MAX];
	unsigned fd_count;
	struct mmsghdr messages[BATCH];
	struct iovec vecs[BATCH];
	uint8_t packets[BATCH][PACKET_MAX];
};

static uint64_t next(struct flood *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random >> 16;
}

static size_t fill(struct flood *f, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)next(f);
	return len;
}

/* A question for a name of 8 to 15 random letters below the origin. */
static size_t question(struct flood *f, uint8_t *out)
{
	static const uint8_t counts[10] = {0, 0, 0, 1};
	size_t len = fill(f, out, 2);
	memcpy(out + len, counts, sizeof counts);
	len += sizeof counts;
	uint8_t label = (uint8_t)(8 + next(f) % 8);
	out[len++] = label;
	for (uint8_t i = 0; i < label; i++)
		out[len++] = (uint8_t)('a' + next(f) % 26);
	memcpy(out + len, f->origin, f->origin_len);
	len += f->origin_len;
	memcpy(out + len, "\0\1\0\1", 4);
	return len + 4;
}

/* The same with an OPT record whose option has this code and `option_len` random octets. */
static size_t with_option(struct flood *f, uint8_t *out, uint8_t code, uint8_t option_len)
{
	const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, (uint8_t)(option_len + 4), 0, code, 0, option_len};
	size_t len = question(f, out);
	out[11] = 1;
	memcpy(out + len, opt, sizeof opt);
	len += sizeof opt;
	return len + fill(f, out + len, option_len);
}

/* A client subnet option that is valid except for bits beyond the prefix. */
static size_t with_subnet(struct flood *f, uint8_t *out)
{
	uint8_t octets = (uint8_t)(next(f) % 5);
	size_t len = with_option(f, out, 8, (uint8_t)(4 + octets));
	out[len - octets - 4] = 0;
	out[len - octets - 3] = 1;
	out[len - octets - 2] = (uint8_t)(8 * octets);
	out[len - octets - 1] = 0;
	return len;
}

static size_t malformed(struct flood *f, uint8_t *out)
{
	size_t len;
	switch (next(f) % 7) {
	case 0: /* noise */
		return fill(f, out, next(f) % PACKET_MAX);
	case 1: /* cut short */
		return next(f) % question(f, out);
	case 2: /* one octet is changed */
		len = question(f, out);
		out[next(f) % len] = (uint8_t)next(f);
		return len;
	case 3: /* a wrong header */
		len = question(f, out);
		(void)fill(f, out + 2, 10);
		return len;
	case 4:
		return with_subnet(f, out);
	case 5: /* a cookie that no server made */
		return with_option(f, out, 10, (uint8_t)(8 + next(f) % 33));
	default: /* any option */
		return with_option(f, out, (uint8_t)next(f), (uint8_t)(next(f) % 64));
	}
}

static int source(unsigned n, const struct sockaddr_in *server)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int small = 1;
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f640001 + (n << 8))};
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (bind(fd, (const struct sockaddr *)&own, sizeof own) != 0 ||
	    connect(fd, (const struct sockaddr *)server, sizeof *server) != 0)
		return -1;
	return fd;
}

static void encode_origin(struct flood *f, const char *dotted)
{
	while (*dotted != '\0' && f->origin_len < 200) {
		size_t len = strcspn(dotted, ".");
		f->origin[f->origin_len++] = (uint8_t)len;
		memcpy(f->origin + f->origin_len, dotted, len);
		f->origin_len += len;
		dotted += len + (dotted[len] == '.');
	}
	f->origin[f->origin_len++] = 0;
}

static double now(void)
{
	struct timespec ts;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t send_batch(struct flood *f, unsigned n, size_t (*make)(struct flood *, uint8_t *))
{
	for (unsigned i = 0; i < BATCH; i++)
		f->vecs[i].iov_len = make(f, f->packets[i]);
	int sent = sendmmsg(f->fds[n % f->fd_count], f->messages, BATCH, 0);
	return sent > 0 ? (uint64_t)sent : 0;
}

int main(int argc, char *argv[])
{
	static struct flood f = {.random = 88172645463325252};
	if (argc != 7 || strlen(argv[6]) > 100)
		return 2;
	struct sockaddr_in server = {.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				     .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10))};
	size_t (*make)(struct flood *, uint8_t *) = strcmp(argv[2], "subdomain") == 0 ? question : malformed;
	double rate = strtod(argv[3], NULL);
	double seconds = strtod(argv[4], NULL);
	unsigned prefixes = (unsigned)strtoul(argv[5], NULL, 10);
	uint64_t sent = 0;
	encode_origin(&f, argv[6]);
	while (f.fd_count < prefixes && f.fd_count < PREFIXES_MAX) {
		f.fds[f.fd_count] = source(f.fd_count, &server);
		if (f.fds[f.fd_count++] < 0)
			return 1;
	}
	for (unsigned i = 0; i < BATCH; i++) {
		f.vecs[i].iov_base = f.packets[i];
		f.messages[i].msg_hdr = (struct msghdr){.msg_iov = &f.vecs[i], .msg_iovlen = 1};
	}
	double start = now();
	for (double at = 0; at < seconds && f.fd_count > 0; at = now() - start) {
		if ((double)sent >= at * rate)
			(void)usleep(500);
		else
			sent += send_batch(&f, (unsigned)(sent / BATCH), make);
	}
	printf("%llu\n", (unsigned long long)sent);
	return 0;
}
