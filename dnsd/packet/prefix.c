/* SPDX-License-Identifier: Apache-2.0 */
/* Clients' networks. See prefix.h. */
#include "dnsd/packet/prefix.h"

void prefix_print(uint64_t prefix, char out[VEER_PREFIX_TEXT_SIZE])
{
	struct veer_prefix p = {.addr.family = (uint8_t)(prefix >> PREFIX_FAMILY_SHIFT)};
	p.bits = p.addr.family == VEER_FAMILY_V6 ? PREFIX_IPV6_BITS : PREFIX_IPV4_BITS;
	uint64_t bits = htobe64(prefix << (64 - p.bits));
	memcpy(p.addr.bytes, &bits, sizeof bits);
	veer_prefix_print(&p, out);
}
