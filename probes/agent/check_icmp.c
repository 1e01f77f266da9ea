/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP echo: with an unprivileged socket if the kernel allows one, otherwise with a raw one. */
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/crypto.h"
#include "probes/agent/check_impl.h"
#include "probes/agent/icmp.h"

#define READS_A_TURN 16
#define REPLY_BYTES 2048

static void icmp_free(struct check_probe *probe)
{
	free(probe->own);
}

/* A raw socket receives all of the host's ICMP: make the kernel drop everything except echo replies. */
static void set_filter(int fd, bool is_v6)
{
	const struct icmp_filter v4 = {.data = ~(1u << ICMP_ECHOREPLY)};
	struct icmp6_filter v6;
	ICMP6_FILTER_SETBLOCKALL(&v6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &v6);
	/* If this fails, more messages are dropped here instead. */
	if (is_v6)
		(void)setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &v6, sizeof v6);
	else
		(void)setsockopt(fd, SOL_RAW, ICMP_FILTER, &v4, sizeof v4);
}

/* Open a socket for echoes as probe->fd; false: the probe ends later. */
static bool open_socket(struct check_probe *probe, struct icmp_echo *echo)
{
	int family = echo->is_v6 ? AF_INET6 : AF_INET;
	int protocol = echo->is_v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;
	probe->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int ping_error = errno;
	if (probe->fd >= 0)
		return true;
	probe->fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	echo->is_raw = probe->fd >= 0;
	if (echo->is_raw) {
		set_filter(probe->fd, echo->is_v6);
		return true;
	}
	int raw_error = errno;
	probe_finish_later(probe, PROBE_REASON_INTERNAL,
			   probe_detail(probe,
					"no socket for ICMP: unprivileged (net.ipv4.ping_group_range): %s; raw "
					"(CAP_NET_RAW): %s",
					strerrordesc_np(ping_error), strerrordesc_np(raw_error)));
	return false;
}

static void on_reply(void *ctx, int fd, unsigned events)
{
	struct check_probe *probe = ctx;
	const struct icmp_echo *echo = probe->own;
	uint8_t reply[REPLY_BYTES];
	(void)events;
	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t len = recv(fd, reply, sizeof reply, 0);
		int error = errno;
		if (len < 0 && (error == EAGAIN || error == EINTR))
			return;
		if (len < 0) { /* a router or host on the way says that it is unreachable */
			probe_finish(probe, reason_of_errno(error), strerrordesc_np(error));
			return;
		}
		if (icmp_echo_is_reply(echo, reply, (size_t)len)) {
			probe->timing.first_byte_us = probe_now_us(probe);
			probe_note(probe, "reply", "an echo with our id, sequence and token");
			probe_finish(probe, PROBE_REASON_OK, "");
			return;
		}
	}
}

static void ask(struct check_probe *probe, const struct icmp_echo *echo)
{
	static const int on = 1;
	struct veer_listen to;
	uint8_t request[ICMP_ECHO_BYTES];
	int level = echo->is_v6 ? (int)IPPROTO_IPV6 : (int)IPPROTO_IP;
	veer_listen_from_addr(&probe->target, 0, &to);
	icmp_echo_write(echo, request);
	/*
	 * Without this option, "host unreachable" would not be reported, and the probe would wait until its deadline.
	 */
	(void)setsockopt(probe->fd, level, echo->is_v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof on);
	if (connect(probe->fd, (const struct sockaddr *)&to.storage, to.len) != 0 ||
	    send(probe->fd, request, sizeof request, MSG_NOSIGNAL) < 0) {
		int error = errno;
		probe_finish_later(probe, reason_of_errno(error), strerrordesc_np(error));
		return;
	}
	probe_note(probe, "echo", "sent %d bytes by %s socket", ICMP_ECHO_BYTES,
		   echo->is_raw ? "a raw" : "an unprivileged");
	(void)probe_watch(probe, LOOP_READ, on_reply);
}

void probe_icmp(struct check_probe *probe)
{
	struct icmp_echo *echo = calloc(1, sizeof *echo);
	probe->own = echo;
	probe->free_own = icmp_free;
	probe->is_connected = true; /* silence is not a failed connection */
	if (echo == NULL || crypto_random(echo->token, sizeof echo->token) != VEER_OK) {
		probe_finish_later(probe, PROBE_REASON_INTERNAL, "no random number");
		return;
	}
	echo->is_v6 = probe->target.family == VEER_FAMILY_V6;
	echo->sequence = 1;
	memcpy(&echo->id, echo->token, sizeof echo->id);
	if (open_socket(probe, echo))
		ask(probe, echo);
}
