/* SPDX-License-Identifier: Apache-2.0 */
/* The group secp256r1 of TLS's key exchange: keys that are made, and what two of them give (see tls_p256.c). */
#define OPENSSL_SUPPRESS_DEPRECATED /* EC_KEY, and ECDH with it */

#include <stdlib.h>
#include <strings.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdh.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>

#include "base/tls_p256_internal.h"

#define SECRET_BYTES 32

/* --- the other side's share -------------------------------------------------------------------------------------- */

static int key_set(void *ctx, const OSSL_PARAM params[])
{
	const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);
	struct tls_p256_key *key = ctx;
	const void *data = NULL;
	size_t len = 0;
	if (param == NULL)
		return 1;
	return key->own == NULL && OSSL_PARAM_get_octet_string_ptr(param, &data, &len) == 1 &&
	       tls_p256_set_point(key, data, len);
}

static const OSSL_PARAM *key_settable(void *provctx)
{
	static const OSSL_PARAM known[] = {OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
					   OSSL_PARAM_END};
	(void)provctx;
	return known;
}

/* --- the key exchange -------------------------------------------------------------------------------------------- */

/* A key that is about to be made. */
struct making {
	void *provctx;
	bool wants_pair;
};

static void *making_new(void *provctx, int selection, const OSSL_PARAM params[])
{
	struct making *making = calloc(1, sizeof *making);
	(void)params;
	if (making != NULL)
		*making = (struct making){.provctx = provctx,
					  .wants_pair = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0};
	return making;
}

static void making_free(void *making)
{
	free(making);
}

/* The group's name is the only thing that can be said, and there is one group. */
static int making_set(void *making, const OSSL_PARAM params[])
{
	const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
	const char *name = NULL;
	(void)making;
	return param == NULL ||
	       (OSSL_PARAM_get_utf8_string_ptr(param, &name) == 1 && strcasecmp(name, TLS_P256_CURVE) == 0);
}

static const OSSL_PARAM *making_settable(void *making, void *provctx)
{
	static const OSSL_PARAM known[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0), OSSL_PARAM_END};
	(void)making;
	(void)provctx;
	return known;
}

static int making_like(void *making, void *pattern)
{
	(void)making;
	return pattern != NULL;
}

static void *make(void *ctx, OSSL_CALLBACK *progress, void *arg)
{
	const struct making *making = ctx;
	struct tls_p256_key *key = tls_p256_key_new(making->provctx);
	(void)progress;
	(void)arg;
	if (key == NULL || !making->wants_pair)
		return key;
	key->own = key->of->spare_count > 0 ? key->of->spares[--key->of->spare_count]
					    : EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	if (key->own == NULL || EC_KEY_generate_key(key->own) != 1) {
		tls_p256_key_free(key);
		return NULL;
	}
	return key;
}

static const char *exchange_name(int operation)
{
	return operation == OSSL_OP_KEYEXCH ? TLS_P256_EXCHANGE : NULL;
}

struct exchange {
	const struct tls_p256_key *own; /* both outlive it */
	const struct tls_p256_key *other;
};

static void *exchange_new(void *provctx)
{
	(void)provctx;
	return calloc(1, sizeof(struct exchange));
}

static void exchange_free(void *exchange)
{
	free(exchange);
}

static int exchange_begin(void *ctx, void *own, const OSSL_PARAM params[])
{
	struct exchange *exchange = ctx;
	(void)params;
	exchange->own = own;
	return exchange->own != NULL && exchange->own->own != NULL;
}

static int exchange_set_other(void *ctx, void *other)
{
	struct exchange *exchange = ctx;
	exchange->other = other;
	return exchange->other != NULL && tls_p256_point(exchange->other) != NULL;
}

static int derive(void *ctx, unsigned char *out, size_t *len, size_t size)
{
	const struct exchange *exchange = ctx;
	*len = SECRET_BYTES;
	if (out == NULL)
		return 1;
	if (size < SECRET_BYTES || exchange->own == NULL || exchange->other == NULL)
		return 0;
	return ECDH_compute_key(out, SECRET_BYTES, tls_p256_point(exchange->other), exchange->own->own, NULL) ==
	       SECRET_BYTES;
}

const OSSL_DISPATCH tls_p256_shares[] = {
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_NEW, tls_p256_key_new),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_FREE, tls_p256_key_free),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_HAS, tls_p256_key_has),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, tls_p256_key_match),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_VALIDATE, tls_p256_key_validate),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_DUP, tls_p256_key_dup),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, tls_p256_key_get),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, tls_p256_key_gettable),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_SET_PARAMS, key_set),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, key_settable),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GEN_INIT, making_new),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GEN_SET_TEMPLATE, making_like),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, making_set),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, making_settable),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GEN, make),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GEN_CLEANUP, making_free),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, exchange_name),
	{0, NULL},
};

const OSSL_DISPATCH tls_p256_exchange[] = {
	TLS_FUNCTION(OSSL_FUNC_KEYEXCH_NEWCTX, exchange_new),
	TLS_FUNCTION(OSSL_FUNC_KEYEXCH_FREECTX, exchange_free),
	TLS_FUNCTION(OSSL_FUNC_KEYEXCH_INIT, exchange_begin),
	TLS_FUNCTION(OSSL_FUNC_KEYEXCH_SET_PEER, exchange_set_other),
	TLS_FUNCTION(OSSL_FUNC_KEYEXCH_DERIVE, derive),
	{0, NULL},
};
