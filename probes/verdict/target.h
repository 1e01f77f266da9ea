/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses an agent may connect to. Otherwise anybody who can change a pool could make agents connect to what
 * only they can reach: their own host, a cloud's metadata service, the network where they are. So such addresses are
 * refused unless the agent's own operator allows them, by `--allow-targets` or its configuration file; the control
 * plane cannot allow them.
 *
 * An address of the agent's own host counts as loopback, whatever kind it is: packets to it go over the interface lo,
 * where no external firewall sees them, and reach programs that listen on all addresses but are not reachable from
 * outside.
 *
 * Threads: pure functions, except target_own_*(), which belong to the loop's thread.
 */
#ifndef VEER_PROBES_VERDICT_TARGET_H
#define VEER_PROBES_VERDICT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define TARGET_PREFIXES_MAX 64

/*
 * Classes of addresses that may be allowed, as bits. Ordinary public addresses always are; multicast, broadcast and the
 * like never.
 */
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

/* The operator's rules. All zero: only ordinary public addresses of other hosts are allowed. */
struct target_rules {
	unsigned classes;               /* a mask of enum target_class */
	struct target_prefixes allowed; /* of addresses that a class would allow */
	struct target_prefixes denied;  /* has precedence over everything that is allowed, also over what always is */
};

/*
 * Read --allow-targets ("loopback,10.0.0.0/8,2001:db8::/32") and --deny-targets (prefixes alone); NULL: not given.
 * Errors: VEER_EINVAL with the invalid word in the diag, VEER_ELIMIT; `out` is then untouched.
 */
VEER_MUST_CHECK enum veer_err target_rules_parse(const char *allow, const char *deny, struct target_rules *out,
						 struct veer_diag *diag);

/*
 * May an agent with these rules connect to `addr`? `is_own`: it is an address of the agent's own host, which needs
 * "loopback", or a prefix of exactly this address. Addresses that contain another one (translated, tunnelled) are never
 * allowed, because they could be used to evade the rules.
 */
bool target_is_allowed(const struct veer_addr *addr, const struct target_rules *rules, bool is_own);

/*
 * The addresses of this host's interfaces; for loopback interfaces their whole networks, which the kernel treats as
 * local.
 */
struct target_own;

/* Make an empty list. Nothing is read yet. NULL when memory is out. */
struct target_own *target_own_new(void);
void target_own_free(struct target_own **own);
/*
 * Is it one of this host's addresses? They are read again when that was more than 5 s before `now_ms`; if that fails,
 * the last ones are used.
 */
bool target_own_has(struct target_own *own, const struct veer_addr *addr, int64_t now_ms);

#endif
