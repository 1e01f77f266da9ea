/* SPDX-License-Identifier: Apache-2.0 */
/*
 * P-256 for OpenSSL's TLS, without the detours: OpenSSL 3.0 makes the curve anew for each key (15 us each, up to six
 * times a handshake), and multiplies the other side's share by the order of the curve, which says nothing of a curve
 * whose cofactor is 1 (SP 800-56A 5.6.2.3.4). Here the curve is made once; the arithmetic is OpenSSL's own: ECDSA and
 * ECDH of its EC_KEY. These are:
 *
 * - the public keys of certificates, read from their usual form (RFC 5480, named curve, uncompressed), and the
 *   verification of signatures by them; what is in any other form is left to the default provider;
 * - the group secp256r1 of the key exchange.
 *
 * Threads: all that is made of one tls_p256 belongs to one.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* EC_KEY, and what works on it */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>

#include "base/tls_p256_internal.h"

#define POINT_BYTES 65 /* 4, x, y */
#define SIGNATURE_BYTES_MAX 72

/* --- keys -------------------------------------------------------------------------------------------------------- */

struct tls_p256 *tls_p256_new(const OSSL_DISPATCH *core)
{
	struct tls_p256 *p256 = calloc(1, sizeof *p256);
	if (p256 == NULL)
		return NULL;
	for (; core->function_id != 0; core++)
		if (core->function_id == OSSL_FUNC_BIO_READ_EX)
			p256->read = OSSL_FUNC_BIO_read_ex(core);
	p256->verifier = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	if (p256->verifier == NULL || p256->read == NULL)
		tls_p256_free(&p256);
	return p256;
}

void tls_p256_free(struct tls_p256 **p256_ptr)
{
	struct tls_p256 *p256 = *p256_ptr;
	*p256_ptr = NULL;
	if (p256 == NULL)
		return;
	while (p256->spare_count > 0)
		EC_KEY_free(p256->spares[--p256->spare_count]);
	EC_KEY_free(p256->verifier);
	free(p256);
}

static const EC_GROUP *group_of(const struct tls_p256 *p256)
{
	return EC_KEY_get0_group(p256->verifier);
}

void *tls_p256_key_new(void *provctx)
{
	struct tls_p256_key *key = calloc(1, sizeof *key);
	if (key != NULL)
		key->of = tls_provider_p256(provctx);
	return key;
}

static void give_back(struct tls_p256 *p256, EC_KEY *own)
{
	if (own == NULL)
		return;
	(void)EC_KEY_set_private_key(own, NULL); /* which clears it */
	if (p256->spare_count < TLS_P256_SPARES_MAX)
		p256->spares[p256->spare_count++] = own;
	else
		EC_KEY_free(own);
}

void tls_p256_key_free(void *ctx)
{
	struct tls_p256_key *key = ctx;
	if (key == NULL)
		return;
	give_back(key->of, key->own);
	EC_POINT_free(key->point);
	free(key);
}

const EC_POINT *tls_p256_point(const struct tls_p256_key *key)
{
	return key->own != NULL ? EC_KEY_get0_public_key(key->own) : key->point;
}

/* The point of an uncompressed encoding, which is on the curve and not at infinity. */
bool tls_p256_set_point(struct tls_p256_key *key, const unsigned char *data, size_t len)
{
	const EC_GROUP *group = group_of(key->of);
	EC_POINT *point = EC_POINT_new(group);
	if (point == NULL || len != POINT_BYTES || data[0] != POINT_CONVERSION_UNCOMPRESSED ||
	    EC_POINT_oct2point(group, point, data, len, NULL) != 1) {
		EC_POINT_free(point);
		return false;
	}
	EC_POINT_free(key->point);
	key->point = point;
	return true;
}

int tls_p256_key_has(const void *ctx, int selection)
{
	const struct tls_p256_key *key = ctx;
	if (key == NULL)
		return 0;
	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && key->own == NULL)
		return 0;
	return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 || tls_p256_point(key) != NULL;
}

int tls_p256_key_match(const void *a_ctx, const void *b_ctx, int selection)
{
	const struct tls_p256_key *a = a_ctx;
	const struct tls_p256_key *b = b_ctx;
	if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
		return 1;
	return tls_p256_point(a) != NULL && tls_p256_point(b) != NULL &&
	       EC_POINT_cmp(group_of(a->of), tls_p256_point(a), tls_p256_point(b), NULL) == 0;
}

/* A public key is on the curve since it was set, and the cofactor is 1. */
int tls_p256_key_validate(const void *ctx, int selection, int how)
{
	(void)how;
	return tls_p256_key_has(ctx, selection);
}

void *tls_p256_key_dup(const void *ctx, int selection)
{
	const struct tls_p256_key *from = ctx;
	struct tls_p256_key *to = calloc(1, sizeof *to);
	if (to == NULL)
		return NULL;
	to->of = from->of;
	bool is_good = true;
	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && from->own != NULL) {
		to->own = EC_KEY_dup(from->own);
		is_good = to->own != NULL;
	} else if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && tls_p256_point(from) != NULL) {
		to->point = EC_POINT_dup(tls_p256_point(from), group_of(from->of));
		is_good = to->point != NULL;
	}
	if (is_good)
		return to;
	tls_p256_key_free(to);
	return NULL;
}

/* --- what a key says --------------------------------------------------------------------------------------------- */

static bool say_text(OSSL_PARAM params[], const char *name, const char *text)
{
	OSSL_PARAM *param = OSSL_PARAM_locate(params, name);
	return param == NULL || OSSL_PARAM_set_utf8_string(param, text) == 1;
}

static bool say_number(OSSL_PARAM params[], const char *name, int number)
{
	OSSL_PARAM *param = OSSL_PARAM_locate(params, name);
	return param == NULL || OSSL_PARAM_set_int(param, number) == 1;
}

static bool say_point(OSSL_PARAM params[], const char *name, const struct tls_p256_key *key)
{
	unsigned char text[POINT_BYTES];
	OSSL_PARAM *param = OSSL_PARAM_locate(params, name);
	if (param == NULL)
		return true;
	if (param->data == NULL) { /* how long it is */
		param->return_size = sizeof text;
		return tls_p256_point(key) != NULL;
	}
	return tls_p256_point(key) != NULL &&
	       EC_POINT_point2oct(group_of(key->of), tls_p256_point(key), POINT_CONVERSION_UNCOMPRESSED, text,
				  sizeof text, NULL) == sizeof text &&
	       OSSL_PARAM_set_octet_string(param, text, sizeof text) == 1;
}

int tls_p256_key_get(void *ctx, OSSL_PARAM params[])
{
	return say_number(params, OSSL_PKEY_PARAM_BITS, 256) &&
	       say_number(params, OSSL_PKEY_PARAM_SECURITY_BITS, 128) &&
	       say_number(params, OSSL_PKEY_PARAM_MAX_SIZE, SIGNATURE_BYTES_MAX) &&
	       say_number(params, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, 0) &&
	       say_text(params, OSSL_PKEY_PARAM_GROUP_NAME, TLS_P256_CURVE) &&
	       say_text(params, OSSL_PKEY_PARAM_EC_FIELD_TYPE, SN_X9_62_prime_field) &&
	       say_text(params, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
			OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) &&
	       say_text(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST, "SHA256") &&
	       say_point(params, OSSL_PKEY_PARAM_PUB_KEY, ctx) &&
	       say_point(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, ctx);
}

const OSSL_PARAM *tls_p256_key_gettable(void *provctx)
{
	static const OSSL_PARAM known[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_FIELD_TYPE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
		OSSL_PARAM_END,
	};
	(void)provctx;
	return known;
}

/* --- public keys of certificates --------------------------------------------------------------------------------- */

static void *key_load(const void *reference, size_t size)
{
	struct tls_p256_key **from = (struct tls_p256_key **)(uintptr_t)reference;
	struct tls_p256_key *key = NULL;
	if (size != sizeof key)
		return NULL;
	key = *from;
	*from = NULL;
	return key;
}

/* So that the default provider can do with it what is not done here. */
static int key_export(void *ctx, int selection, OSSL_CALLBACK *told, void *arg)
{
	const struct tls_p256_key *key = ctx;
	unsigned char point[POINT_BYTES];
	static char group[] = TLS_P256_CURVE;
	OSSL_PARAM params[3];
	size_t count = 0;
	params[count++] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
		return 0;
	if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0) {
		if (tls_p256_point(key) == NULL ||
		    EC_POINT_point2oct(group_of(key->of), tls_p256_point(key), POINT_CONVERSION_UNCOMPRESSED, point,
				       sizeof point, NULL) != sizeof point)
			return 0;
		params[count++] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point);
	}
	params[count] = OSSL_PARAM_construct_end();
	return told(params, arg);
}

static const OSSL_PARAM *key_exported(int selection)
{
	static const OSSL_PARAM known[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
					   OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0), OSSL_PARAM_END};
	return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? known : NULL;
}

static const char *signature_name(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? TLS_P256_SIGNATURE : NULL;
}

static int decodes(void *provctx, int selection)
{
	(void)provctx;
	return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0;
}

static void *decoder_new(void *provctx)
{
	return provctx;
}

static void decoder_free(void *ctx)
{
	(void)ctx;
}

/* SubjectPublicKeyInfo, up to the point. */
static const unsigned char spki[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
				     0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

/* A key that is none of ours is no error: another decoder is asked then. */
static int decode(void *ctx, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *told, void *told_arg,
		  OSSL_PASSPHRASE_CALLBACK *password, void *password_arg)
{
	unsigned char text[sizeof spki + POINT_BYTES + 1];
	static char data_type[] = "EC";
	struct tls_p256 *p256 = tls_provider_p256(ctx);
	int kind = OSSL_OBJECT_PKEY;
	size_t got = 0;
	(void)selection;
	(void)password;
	(void)password_arg;
	if (p256->read(in, text, sizeof text, &got) != 1 || got != sizeof text - 1 ||
	    memcmp(text, spki, sizeof spki) != 0)
		return 1;
	struct tls_p256_key *key = tls_p256_key_new(ctx);
	if (key == NULL || !tls_p256_set_point(key, text + sizeof spki, POINT_BYTES)) {
		tls_p256_key_free(key);
		return 1;
	}
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &kind),
		OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, data_type, 0),
		OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof(struct tls_p256_key *)),
		OSSL_PARAM_construct_end(),
	};
	int ok = told(params, told_arg);
	tls_p256_key_free(key); /* if it was not taken */
	return ok;
}

/* --- signatures -------------------------------------------------------------------------------------------------- */

struct verification {
	EVP_MD *digest;
	const struct tls_p256_key *key; /* outlives it */
};

static void *verification_new(void *provctx, const char *properties)
{
	(void)provctx;
	(void)properties;
	return calloc(1, sizeof(struct verification));
}

static void verification_free(void *ctx)
{
	struct verification *verification = ctx;
	if (verification != NULL)
		EVP_MD_free(verification->digest);
	free(verification);
}

static int verification_begin(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct verification *verification = ctx;
	(void)params;
	EVP_MD_free(verification->digest);
	verification->digest = EVP_MD_fetch(NULL, digest != NULL ? digest : "SHA256", NULL);
	if (key != NULL)
		verification->key = key;
	return verification->digest != NULL && verification->key != NULL && tls_p256_point(verification->key) != NULL;
}

static int verify(void *ctx, const unsigned char *signature, size_t signature_len, const unsigned char *data,
		  size_t len)
{
	const struct verification *verification = ctx;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	if (verification->key == NULL || signature_len > SIGNATURE_BYTES_MAX)
		return 0;
	EC_KEY *verifier = verification->key->of->verifier;
	if (EVP_Digest(data, len, digest, &size, verification->digest, NULL) != 1 ||
	    EC_KEY_set_public_key(verifier, tls_p256_point(verification->key)) != 1)
		return 0;
	return ECDSA_verify(0, digest, (int)size, signature, (int)signature_len, verifier) == 1;
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

const OSSL_DISPATCH tls_p256_certified[] = {
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_NEW, tls_p256_key_new),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_FREE, tls_p256_key_free),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_LOAD, key_load),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_HAS, tls_p256_key_has),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, tls_p256_key_match),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_VALIDATE, tls_p256_key_validate),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_DUP, tls_p256_key_dup),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, tls_p256_key_get),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, tls_p256_key_gettable),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, key_export),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_exported),
	TLS_FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, signature_name),
	{0, NULL},
};

const OSSL_DISPATCH tls_p256_decoder[] = {
	TLS_FUNCTION(OSSL_FUNC_DECODER_NEWCTX, decoder_new),
	TLS_FUNCTION(OSSL_FUNC_DECODER_FREECTX, decoder_free),
	TLS_FUNCTION(OSSL_FUNC_DECODER_DOES_SELECTION, decodes),
	TLS_FUNCTION(OSSL_FUNC_DECODER_DECODE, decode),
	{0, NULL},
};

const OSSL_DISPATCH tls_p256_signature[] = {
	TLS_FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, verification_new),
	TLS_FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, verification_free),
	TLS_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, verification_begin),
	TLS_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, verify),
	{0, NULL},
};
