/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of our provider for OpenSSL share: tls_library.c, tls_schedule.c, tls_p256.c; nobody else includes
 * this. */
#ifndef VEER_BASE_TLS_PROVIDER_H
#define VEER_BASE_TLS_PROVIDER_H

#include <openssl/core.h>

#include "base/tls_internal.h"

#define TLS_P256_EXCHANGE "VEER-P256"
#define TLS_P256_SIGNATURE "VEER-ECDSA-P256"

/* An entry of a table of functions. */
#define TLS_FUNCTION(id, fn)                                                                                           \
	{                                                                                                              \
		id, (void (*)(void))(fn)                                                                               \
	}

struct tls_p256;

/* `core`: what OpenSSL offers to a provider. NULL when memory is out. */
struct tls_p256 *tls_p256_new(const OSSL_DISPATCH *core);
/* All its keys are gone. `*p256` may be NULL. */
void tls_p256_free(struct tls_p256 **p256);
/* That of our provider. */
struct tls_p256 *tls_provider_p256(void *provctx);

extern const OSSL_DISPATCH tls_schedule_kdf[];   /* TLS13-KDF */
extern const OSSL_DISPATCH tls_schedule_mac[];   /* HMAC with SHA-256 and SHA-384 */
extern const OSSL_DISPATCH tls_p256_certified[]; /* keys of certificates */
extern const OSSL_DISPATCH tls_p256_decoder[];   /* from SubjectPublicKeyInfo */
extern const OSSL_DISPATCH tls_p256_signature[]; /* verification by them */
extern const OSSL_DISPATCH tls_p256_shares[];    /* keys of the key exchange */
extern const OSSL_DISPATCH tls_p256_exchange[];

#endif
