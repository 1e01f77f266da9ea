/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unit that limits apply to: a client's network, an IPv4 /24 or an IPv6 /56, as one number. Whoever has one address
 * of such a network can usually use all of them, and a flood to one of its hosts fills the link that all of them share.
 *
 * Threads: pure.
 */
#ifndef VEER_DNSD_PACKET_PREFIX_H
#define VEER_DNSD_PACKET_PREFIX_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "dnsd/packet/client.h"

#define PREFIX_IPV4_BITS 24
#define PREFIX_IPV6_BITS 56
#define PREFIX_FAMILY_SHIFT 56 /* the number: the family, and below it the network's bits, the last one lowest */

/* The first 64 bits of a client's address as a number; an IPv4 address in the upper half. */
static inline uint64_t prefix_upper(const struct client *client)
{
	uint64_t upper;
	uint32_t whole;
	if (client->is_ipv6) {
		memcpy(&upper, client->address, sizeof upper);
		return be64toh(upper);
	}
	memcpy(&whole, client->address, sizeof whole);
	return (uint64_t)be32toh(whole) << 32;
}

/* The family and network of a client; never 0. Two clients have the same number only if they have the same prefix. */
static inline uint64_t prefix_of(const struct client *client)
{
	uint64_t family = client->is_ipv6 ? VEER_FAMILY_V6 : VEER_FAMILY_V4;
	unsigned bits = client->is_ipv6 ? PREFIX_IPV6_BITS : PREFIX_IPV4_BITS;
	return family << PREFIX_FAMILY_SHIFT | prefix_upper(client) >> (64 - bits);
}

/* The same as text: "192.0.2.0/24". `prefix` comes from prefix_of(). */
void prefix_print(uint64_t prefix, char out[VEER_PREFIX_TEXT_SIZE]);

#endif
