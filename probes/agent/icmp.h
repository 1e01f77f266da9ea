/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP echo messages (RFC 792, RFC 4443 4), as bytes.
 *
 * Threads: pure functions. Replies are hostile: everything is bounded.
 */
#ifndef VEER_PROBES_AGENT_ICMP_H
#define VEER_PROBES_AGENT_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICMP_TOKEN_BYTES 16
#define ICMP_ECHO_BYTES (8 + ICMP_TOKEN_BYTES)

/* What makes one echo ours. */
struct icmp_echo {
	bool is_v6;
	bool is_raw; /* a raw socket: an IPv4 reply comes with its IP header, and `id` is ours to choose and check */
	uint16_t id; /* of an unprivileged socket the kernel's, not looked at */
	uint16_t sequence;
	uint8_t token[ICMP_TOKEN_BYTES]; /* random: nobody else can know it */
};

/* The request; ICMP_ECHO_BYTES bytes into `out`. The checksum of ICMPv6 is the kernel's. */
void icmp_echo_write(const struct icmp_echo *echo, uint8_t out[ICMP_ECHO_BYTES]);

/* Is that the reply to it? Type, code, id, sequence and the whole token must be right. */
bool icmp_echo_is_reply(const struct icmp_echo *echo, const uint8_t *data, size_t len);

#endif
