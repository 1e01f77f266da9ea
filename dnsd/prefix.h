/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a client is for limits: its network, an IPv4 /24 or an IPv6 /56, as one number. Whoever has one address of such
 * a network can mostly use them all, and what floods one of its hosts fills the line of all of them.
 *
 * Threads: pure.
 */
#ifndef VEER_DNSD_PREFIX_H
#define VEER_DNSD_PREFIX_H

#include <stdint.h>

#include "base/addr.h"
#include "dnsd/lookup.h"

#define PREFIX_IPV4_BITS 24
#define PREFIX_IPV6_BITS 56

/* Family and network of a client; never 0. Equal for two clients of the same prefix, and for no others. */
uint64_t prefix_of(const struct lookup_client *client);

/* The same as text: "192.0.2.0/24". `prefix` is of prefix_of(). */
void prefix_print(uint64_t prefix, char out[VEER_PREFIX_TEXT_SIZE]);

#endif
