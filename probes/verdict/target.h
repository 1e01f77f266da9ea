/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses an agent may connect to. Whoever can change a pool could otherwise make agents knock at what only
 * they can reach: their own host, a cloud's metadata service, the network they stand in. So those are refused unless
 * the agent's own operator allows them, by `--allow-targets` or its configuration file; the control plane cannot.
 *
 * An address of the agent's own host counts as loopback, whatever kind it is: packets to it go over the interface lo,
 * where no firewall for the outside sees them, and reach what listens on all addresses and is closed outside.
 *
 * Threads: pure functions, but for target_own_*(), which are the loop's.
 */
#ifndef VEER_PROBES_VERDICT_TARGET_H
#define VEER_PROBES_VERDICT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define TARGET_PREFIXES_MAX 64

/* What may be allowed, as bits. Ordinary public addresses always are; multicast, broadcast and the like never. */
enum target_class {
	TARGET_LOOPBACK = 1 << 0,   /* "loopback" */
	TARGET_PRIVATE = 1 << 1,    /* "private": RFC 1918, fc00::/7, and carriers' NAT (100.64.0.0/10) */
	TARGET_LINK_LOCAL = 1 << 2, /* "link-local" */
	TARGET_METADATA = 1 << 3,   /* "metadata" */
};

struct target_prefixes {
	struct veer_prefix items[TARGET_PREFIXES_MAX];
	uint32_t count;
};

/* What the operator says. All zero: nothing but ordinary public addresses of others. */
struct target_rules {
	unsigned classes;               /* a mask of enum target_class */
	struct target_prefixes allowed; /* of what a class would allow */
	struct target_prefixes denied;  /* wins over all that is allowed, and over what always is */
};

/*
 * Read --allow-targets ("loopback,10.0.0.0/8,2001:db8::/32") and --deny-targets (prefixes alone); NULL: not given.
 * Errors: VEER_EINVAL with the word that is none in the diag, VEER_ELIMIT: `out` is as it was.
 */
VEER_MUST_CHECK enum veer_err target_rules_parse(const char *allow, const char *deny, struct target_rules *out,
						 struct veer_diag *diag);

/*
 * May an agent with such rules connect to `addr`, which is its own host's or not? An own address needs "loopback", or
 * to be allowed alone, as a prefix of all its bits. Addresses that carry another inside (translated, tunnelled) are
 * never allowed: they would lead around the rule.
 */
bool target_is_allowed(const struct veer_addr *addr, const struct target_rules *rules, bool is_own);

/* The addresses of this host's interfaces; of loopback interfaces the whole networks, which the kernel takes for local.
 */
struct target_own;

/* NULL when memory is out. Nothing is read yet. */
struct target_own *target_own_new(void);
void target_own_free(struct target_own **own);
/* Is it one of them? They are read again when that was more than 5 s before `now_ms`; if that fails, the last count. */
bool target_own_has(struct target_own *own, const struct veer_addr *addr, int64_t now_ms);

#endif
