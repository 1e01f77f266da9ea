/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses, prefixes, listen addresses, and what kind of place an address is.
 *
 * Threads: all functions are pure. Nothing here resolves names.
 */
#ifndef VEER_BASE_ADDR_H
#define VEER_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

enum veer_family { VEER_FAMILY_V4 = 4, VEER_FAMILY_V6 = 6 };

/* One address. Two are equal when family and bytes are: the rest of `bytes` of a v4 address is always zero. */
struct veer_addr {
	uint8_t bytes[16]; /* network order; v4 uses the first four */
	uint8_t family;    /* enum veer_family */
};

/* All addresses that share their first `bits` bits with `addr`. The other bits of `addr` are zero. */
struct veer_prefix {
	struct veer_addr addr;
	uint8_t bits; /* 0..32 or 0..128 */
};

#define VEER_ADDR_TEXT_SIZE 46
#define VEER_PREFIX_TEXT_SIZE 50

/* A strict literal ("192.0.2.1", "2001:db8::1"): no zone index, no leading zeros, no blanks. Errors: VEER_EINVAL. */
enum veer_err veer_addr_parse(const char *text, struct veer_addr *out);
/* The text form (RFC 5952 for v6), NUL-terminated. */
void veer_addr_print(const struct veer_addr *addr, char out[VEER_ADDR_TEXT_SIZE]);
/* Same family and bits: a v4 address is never equal to a v6 one. */
bool veer_addr_equal(const struct veer_addr *a, const struct veer_addr *b);
/* From a socket's address; false when it is neither IPv4 nor IPv6. A mapped v4 address (::ffff:0:0/96) becomes v4. */
bool veer_addr_from_sockaddr(const struct sockaddr *sa, struct veer_addr *out);

/*
 * "192.0.2.0/24", "2001:db8::/32", or an address alone (then all its bits count).
 * Errors: VEER_EINVAL, also when bits beyond the prefix are set, because then the prefix is probably a mistake.
 */
VEER_MUST_CHECK enum veer_err veer_prefix_parse(const char *text, struct veer_prefix *out);
/* Write the prefix as "192.0.2.0/24", always with its length; NUL-terminated. */
void veer_prefix_print(const struct veer_prefix *prefix, char out[VEER_PREFIX_TEXT_SIZE]);
/* Whether `addr` lies in the prefix; always false when the families differ. */
bool veer_prefix_contains(const struct veer_prefix *prefix, const struct veer_addr *addr);
/* Set all bits from `bits` on to zero. */
void veer_addr_mask(struct veer_addr *addr, unsigned bits);

/* What kind of place an address is (IANA special-purpose registries; RFC 6890 and its updates). */
enum veer_addr_class {
	VEER_ADDR_GLOBAL,        /* an ordinary public unicast address */
	VEER_ADDR_UNSPECIFIED,   /* 0.0.0.0/8 "this network", :: */
	VEER_ADDR_LOOPBACK,      /* 127.0.0.0/8, ::1 */
	VEER_ADDR_METADATA,      /* a cloud's instance metadata service, e.g. 169.254.169.254, which hands out
				  * credentials */
	VEER_ADDR_LINK_LOCAL,    /* 169.254.0.0/16, fe80::/10 */
	VEER_ADDR_PRIVATE,       /* RFC 1918; fc00::/7; fec0::/10 */
	VEER_ADDR_SHARED,        /* 100.64.0.0/10, carrier-grade NAT (RFC 6598) */
	VEER_ADDR_MULTICAST,     /* 224.0.0.0/4, ff00::/8 */
	VEER_ADDR_BROADCAST,     /* 255.255.255.255 */
	VEER_ADDR_DOCUMENTATION, /* 192.0.2.0/24 and others, 2001:db8::/32, 3fff::/20 */
	VEER_ADDR_BENCHMARK,     /* 198.18.0.0/15, 2001:2::/48 */
	VEER_ADDR_TRANSLATED,    /* carries a v4 address: ::ffff:0:0/96, ::/96, 64:ff9b::/96, 64:ff9b:1::/48 */
	VEER_ADDR_TUNNEL,        /* 2002::/16 (6to4), 192.88.99.0/24, 2001::/32 (Teredo) */
	VEER_ADDR_RESERVED,      /* 240.0.0.0/4, 192.0.0.0/24, 100::/64, v6 outside 2000::/3 and so on */
	VEER_ADDR_CLASS_COUNT,
};

enum veer_addr_class veer_addr_classify(const struct veer_addr *addr);
/* "loopback", "link-local" and so on; never NULL. Static storage. */
const char *veer_addr_class_text(enum veer_addr_class class);
/* 127.0.0.0/8 or ::1. */
bool veer_addr_is_loopback(const struct veer_addr *addr);

/* Where to listen or to connect: an IP socket address or a Unix socket's path. */
struct veer_listen {
	struct sockaddr_storage storage;
	socklen_t len;
	bool is_unix;
};

#define VEER_LISTEN_TEXT_SIZE 128

/* For DNS: "192.0.2.1@53", "2001:db8::1@53"; the port may be 0 (the kernel's choice). Errors: VEER_EINVAL + diag. */
VEER_MUST_CHECK enum veer_err veer_listen_parse_dns(const char *text, struct veer_listen *out, struct veer_diag *diag);
/* For HTTP: "192.0.2.1:443", "[2001:db8::1]:443", "unix:/path" (at most 107 bytes). Errors: VEER_EINVAL + diag. */
VEER_MUST_CHECK enum veer_err veer_listen_parse_http(const char *text, struct veer_listen *out, struct veer_diag *diag);
/*
 * Write the address in the form that veer_listen_parse_http() reads, or with `is_dns` that veer_listen_parse_dns()
 * reads. Works also for an address from getsockname().
 */
void veer_listen_print(const struct veer_listen *listen, bool is_dns, char out[VEER_LISTEN_TEXT_SIZE]);
/* A Unix socket or a loopback address: not reachable from other hosts. */
bool veer_listen_is_local(const struct veer_listen *listen);
/* The port in host order; 0 for a Unix socket. */
uint16_t veer_listen_port(const struct veer_listen *listen);
/* The path of a Unix socket, else NULL; borrowed. */
const char *veer_listen_path(const struct veer_listen *listen);
/* An IP socket address from its parts. */
void veer_listen_from_addr(const struct veer_addr *addr, uint16_t port, struct veer_listen *out);

#endif
