/* SPDX-License-Identifier: Apache-2.0 */
/* What tls_p256.c (keys, certificates) and tls_p256_exchange.c (the key exchange) share; nobody else includes this. */
#ifndef VEER_BASE_TLS_P256_INTERNAL_H
#define VEER_BASE_TLS_P256_INTERNAL_H

#include <openssl/core_dispatch.h>
#include <openssl/ec.h>

#include "base/tls_provider.h"

#define TLS_P256_CURVE "prime256v1"
#define TLS_P256_SPARES_MAX 64

struct tls_p256 {
	EC_KEY *verifier; /* gets the public key of whoever is verified */
	EC_KEY *spares[TLS_P256_SPARES_MAX];
	uint32_t spare_count;
	OSSL_FUNC_BIO_read_ex_fn *read;
};

/* A key: public, and private when it was made here; of the group alone it has neither. */
struct tls_p256_key {
	struct tls_p256 *of;
	EC_POINT *point;
	EC_KEY *own; /* with both */
};

/* NULL when memory is out. */
void *tls_p256_key_new(void *provctx);
/* `key` may be NULL. */
void tls_p256_key_free(void *key);
/* The public key; NULL: there is none. */
const EC_POINT *tls_p256_point(const struct tls_p256_key *key);
/* Make the point of an uncompressed encoding the public key: one on the curve, and not at infinity. */
bool tls_p256_set_point(struct tls_p256_key *key, const unsigned char *data, size_t len);

/* As OpenSSL's provider-keymgmt(7) describes them. */
int tls_p256_key_has(const void *key, int selection);
int tls_p256_key_match(const void *a, const void *b, int selection);
int tls_p256_key_validate(const void *key, int selection, int how);
void *tls_p256_key_dup(const void *key, int selection);
int tls_p256_key_get(void *key, OSSL_PARAM params[]);
const OSSL_PARAM *tls_p256_key_gettable(void *provctx);

#endif
