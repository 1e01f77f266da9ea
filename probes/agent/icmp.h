/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP echo messages (RFC 792, RFC 4443 4), as bytes.
 *
 * Threads: pure functions. Replies may be hostile: everything is limited.
 */
#ifndef VEER_PROBES_AGENT_ICMP_H
#define VEER_PROBES_AGENT_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICMP_TOKEN_BYTES 16
#define ICMP_ECHO_BYTES (8 + ICMP_TOKEN_BYTES)

/* What identifies one of our echoes. */
struct icmp_echo {
	bool is_v6;
	bool is_raw; /* the socket is raw: an IPv4 reply comes with its IP header, and we choose and check `id` */
	uint16_t id; /* with an unprivileged socket the kernel chooses it, and it is not checked */
	uint16_t sequence;
	uint8_t token[ICMP_TOKEN_BYTES]; /* random, so that nobody else can know it */
};

/* Write the request, ICMP_ECHO_BYTES bytes, into `out`. The kernel computes the checksum of ICMPv6. */
void icmp_echo_write(const struct icmp_echo *echo, uint8_t out[ICMP_ECHO_BYTES]);

/* Is that the reply to this echo? Type, code, id, sequence and the whole token must be right. */
bool icmp_echo_is_reply(const struct icmp_echo *echo, const uint8_t *data, size_t len);

#endif
