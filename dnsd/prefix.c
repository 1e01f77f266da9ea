/* SPDX-License-Identifier: Apache-2.0 */
/* Clients' networks. See prefix.h. The number: the family in the uppermost octet, then the network's octets. */
#include "dnsd/prefix.h"

#define FAMILY_SHIFT 56
#define NETWORK_OCTETS 7

uint64_t prefix_of(const struct lookup_client *client)
{
	unsigned octets = (client->is_ipv6 ? PREFIX_IPV6_BITS : PREFIX_IPV4_BITS) / 8;
	uint64_t prefix = client->is_ipv6 ? VEER_FAMILY_V6 : VEER_FAMILY_V4;
	for (unsigned i = 0; i < NETWORK_OCTETS; i++)
		prefix = prefix << 8 | (i < octets ? client->address[i] : 0);
	return prefix;
}

void prefix_print(uint64_t prefix, char out[VEER_PREFIX_TEXT_SIZE])
{
	struct veer_prefix p = {.addr.family = (uint8_t)(prefix >> FAMILY_SHIFT)};
	p.bits = p.addr.family == VEER_FAMILY_V6 ? PREFIX_IPV6_BITS : PREFIX_IPV4_BITS;
	for (unsigned i = 0; i < NETWORK_OCTETS; i++)
		p.addr.bytes[i] = (uint8_t)(prefix >> (8 * (NETWORK_OCTETS - 1 - i)));
	veer_prefix_print(&p, out);
}
