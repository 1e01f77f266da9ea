/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses an agent may connect to. Whoever can change a pool could otherwise make agents knock at what only
 * they can reach: their own host, a cloud's metadata service, the network they stand in. So those are refused unless
 * the agent's own operator allows them, by `--allow-targets` or its configuration file; the control plane cannot.
 *
 * Threads: pure functions.
 */
#ifndef VEER_PROBES_TARGET_H
#define VEER_PROBES_TARGET_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"

/* What may be allowed, as bits. Ordinary public addresses always are; multicast, broadcast and the like never. */
enum target_class {
	TARGET_LOOPBACK = 1 << 0,   /* "loopback" */
	TARGET_PRIVATE = 1 << 1,    /* "private": RFC 1918, fc00::/7, and carriers' NAT (100.64.0.0/10) */
	TARGET_LINK_LOCAL = 1 << 2, /* "link-local" */
	TARGET_METADATA = 1 << 3,   /* "metadata" */
};

/*
 * Read "loopback,private" into a mask. Errors: VEER_EINVAL with the word that is none in the diag.
 */
enum veer_err target_allow_parse(const char *text, unsigned *out, struct veer_diag *diag);

/*
 * May an agent that allows `allowed` (a mask) connect to `addr`? Addresses that carry another inside (translated,
 * tunnelled) never: they would lead around the rule.
 */
bool target_is_allowed(const struct veer_addr *addr, unsigned allowed);

#endif
