/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS cookies (RFC 7873) that all servers with the same secret understand (RFC 9018): version 1, a timestamp,
 * SipHash-2-4 over the client's cookie and address. A client that sends a good cookie receives packets at its source
 * address, so the address is not forged.
 *
 * Threads: pure functions, except cookie_secrets_load(), which reads a file. Making and checking do not allocate.
 */
#ifndef VEER_DNSD_PACKET_COOKIE_H
#define VEER_DNSD_PACKET_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"

#define COOKIE_CLIENT_LEN 8  /* octets (RFC 7873 4) */
#define COOKIE_SERVER_LEN 16 /* octets of our server cookies (RFC 9018 4) */
#define COOKIE_SERVER_MIN 8  /* the fewest octets of any server cookie (RFC 7873 4) */
#define COOKIE_SERVER_MAX 32
#define COOKIE_SECRETS_MAX 2
#define COOKIE_OLD_S 3600   /* older cookies are not good (RFC 9018 4.3) */
#define COOKIE_RENEW_S 1800 /* older cookies are replaced (RFC 9018 4.3) */
#define COOKIE_AHEAD_S 300  /* how far another server's clock may be ahead (RFC 9018 4.3) */

/* The first secret makes cookies; all of them check cookies. */
struct cookie_secrets {
	unsigned count; /* 0: no cookies */
	uint8_t keys[COOKIE_SECRETS_MAX][CRYPTO_SIPHASH_KEY_BYTES];
};

/* The client's properties that a cookie is bound to. */
struct cookie_client {
	const uint8_t *cookie;  /* COOKIE_CLIENT_LEN octets */
	const uint8_t *address; /* network order */
	size_t address_len;     /* 4 or 16 */
};

/* Make a server cookie for `client` with one secret, at `now_s` (seconds since 1970, modulo 2^32). */
void cookie_make(const uint8_t key[CRYPTO_SIPHASH_KEY_BYTES], const struct cookie_client *client, uint32_t now_s,
		 uint8_t out[COOKIE_SERVER_LEN]);

/*
 * Is `server` (`len` octets) a cookie that one of the secrets made for this client, and not too old? Always writes the
 * cookie to send: the same one if the first secret made it and it is young, otherwise a new one. `secrets->count` > 0.
 */
bool cookie_check(const struct cookie_secrets *secrets, const struct cookie_client *client, const uint8_t *server,
		  size_t len, uint32_t now_s, uint8_t out[COOKIE_SERVER_LEN]);

/*
 * Read secrets from a file: one or two lines of 32 hex digits, the first one for making; empty lines and lines that
 * begin with "#" are ignored. Errors: as file_read(); VEER_EINVAL with the line in the diag. `out` is then untouched.
 */
VEER_MUST_CHECK enum veer_err cookie_secrets_load(const char *path, struct cookie_secrets *out, struct veer_diag *diag);

#endif
