/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library context of OpenSSL with what a client of TLS needs and no more. OpenSSL 3.0 goes through all that a context
 * knows, several times, for each certificate that comes: of the default provider's 300 algorithms, to find the one that
 * reads its public key. Here a provider of ours hands on the default one's algorithms, but for those that TLS has no
 * use for; and another one offers what is ours: what derives the keys of TLS 1.3 (tls_schedule.c), and P-256
 * (tls_p256.c).
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "base/tls_provider.h"

#define ALGORITHMS_MAX 64
#define GROUP_SECP256R1 23 /* RFC 8446 4.2.7 */

struct tls_library {
	OSSL_LIB_CTX *ctx;
	OSSL_PROVIDER *whole; /* the default provider, of the process's own context */
	OSSL_PROVIDER *few;
	OSSL_PROVIDER *ours;
};

/* What is handed on, by the first of its names. */
static const char *const digests[] = {"SHA1",     "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512", "SHA3-224",
				      "SHA3-256", "SHA3-384", "SHA3-512", "MD5-SHA1", NULL};
static const char *const ciphers[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305",
				      "AES-128-CBC", "AES-256-CBC", NULL};
static const char *const derivations[] = {"TLS1-PRF", NULL};
static const char *const random_sources[] = {"CTR-DRBG", "SEED-SRC", NULL};
static const char *const keys[] = {"EC", "RSA", "RSA-PSS", "ED25519", "ED448", "X25519", "X448", "DH", "HMAC", NULL};
static const char *const exchanges[] = {"ECDH", "X25519", "X448", "DH", NULL};
static const char *const signatures[] = {"ECDSA", "RSA", "ED25519", "ED448", "HMAC", NULL};
static const char *const encryptions[] = {"RSA", NULL};
static const char *const decoders[] = {"EC", "RSA", "RSA-PSS", "ED25519", "ED448", NULL};

/* Of what kind, which are handed on. NULL: none. */
static const char *const *wanted(int operation)
{
	switch (operation) { /* not DSA, which nobody signs with any more (RFC 9155) */
	case OSSL_OP_DIGEST:
		return digests;
	case OSSL_OP_CIPHER:
		return ciphers;
	case OSSL_OP_KDF:
		return derivations;
	case OSSL_OP_RAND:
		return random_sources;
	case OSSL_OP_KEYMGMT:
		return keys;
	case OSSL_OP_KEYEXCH:
		return exchanges;
	case OSSL_OP_SIGNATURE:
		return signatures;
	case OSSL_OP_ASYM_CIPHER:
		return encryptions;
	case OSSL_OP_DECODER:
		return decoders;
	default:
		return NULL;
	}
}

static bool is_named(const OSSL_ALGORITHM *algorithm, const char *const *names)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		size_t len = strlen(names[i]);
		char after =
			strncmp(names[i], algorithm->algorithm_names, len) == 0 ? algorithm->algorithm_names[len] : 'x';
		if (after == ':' || after == '\0')
			return true;
	}
	return false;
}

static bool is_wanted(const OSSL_ALGORITHM *algorithm, int operation, const char *const *names)
{
	if (!is_named(algorithm, names))
		return false;
	/* Keys come in certificates alone. */
	return operation != OSSL_OP_DECODER ||
	       (strstr(algorithm->property_definition, "input=der") != NULL &&
		strstr(algorithm->property_definition, "=SubjectPublicKeyInfo") != NULL);
}

/* The default provider is loaded as long as a library is, so that this finds it. */
static OSSL_PROVIDER *borrow_whole(void)
{
	return OSSL_PROVIDER_try_load(NULL, "default", 1);
}

/* Which algorithms there are. What is returned is freed by unquery(). */
static const OSSL_ALGORITHM *query(void *provctx, int operation, int *no_cache)
{
	const char *const *names = wanted(operation);
	OSSL_ALGORITHM *out = calloc(ALGORITHMS_MAX, sizeof *out);
	OSSL_PROVIDER *whole = borrow_whole();
	const OSSL_ALGORITHM *all = NULL;
	size_t count = 0;
	(void)provctx;
	if (out != NULL && whole != NULL && names != NULL)
		all = OSSL_PROVIDER_query_operation(whole, operation, no_cache);
	for (; all != NULL && all->algorithm_names != NULL; all++)
		if (is_wanted(all, operation, names) && count < ALGORITHMS_MAX - 1)
			out[count++] = *all;
	*no_cache = 0;
	(void)OSSL_PROVIDER_unload(whole);
	return out;
}

static void unquery(void *provctx, int operation, const OSSL_ALGORITHM *algorithms)
{
	(void)provctx;
	(void)operation;
	free((OSSL_ALGORITHM *)(uintptr_t)algorithms);
}

/* Who is told of the groups. */
struct listener {
	OSSL_CALLBACK *told;
	void *arg;
};

/* Hand on a group of the default provider, but for the one that is ours. */
static int hand_on_group(const OSSL_PARAM params[], void *arg)
{
	const struct listener *listener = arg;
	const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, OSSL_CAPABILITY_TLS_GROUP_ID);
	unsigned id = 0;
	if (param != NULL && OSSL_PARAM_get_uint(param, &id) == 1 && id == GROUP_SECP256R1)
		return 1;
	return listener->told(params, listener->arg);
}

/* Which groups there are for the exchange of keys. */
static int tell_groups(void *provctx, const char *capability, OSSL_CALLBACK *told, void *arg)
{
	struct listener listener = {.told = told, .arg = arg};
	OSSL_PROVIDER *whole = borrow_whole();
	(void)provctx;
	int ok = whole != NULL ? OSSL_PROVIDER_get_capabilities(whole, capability, hand_on_group, &listener) : 0;
	(void)OSSL_PROVIDER_unload(whole);
	return ok;
}

static void few_end(void *provctx)
{
	(void)provctx; /* it is the default provider's */
}

static const OSSL_DISPATCH few[] = {
	TLS_FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
	TLS_FUNCTION(OSSL_FUNC_PROVIDER_UNQUERY_OPERATION, unquery),
	TLS_FUNCTION(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, tell_groups),
	TLS_FUNCTION(OSSL_FUNC_PROVIDER_TEARDOWN, few_end),
	{0, NULL},
};

/* The algorithms of the default provider expect its own context, so that is this one's too. */
static int few_begin(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, const OSSL_DISPATCH **out,
		     void **provctx)
{
	OSSL_PROVIDER *whole = borrow_whole();
	(void)handle;
	(void)core;
	if (whole == NULL)
		return 0;
	*out = few;
	*provctx = OSSL_PROVIDER_get0_provider_ctx(whole);
	(void)OSSL_PROVIDER_unload(whole);
	return 1;
}

/* --- ours -------------------------------------------------------------------------------------------------------- */

#define EC_NAMES "EC:id-ecPublicKey:1.2.840.10045.2.1" /* as the default provider has them */
#define OURS "provider=veer"

static const OSSL_ALGORITHM *query_ours(void *provctx, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM kdfs[] = {{"TLS13-KDF", OURS, tls_schedule_kdf, NULL}, {NULL, NULL, NULL, NULL}};
	static const OSSL_ALGORITHM macs[] = {{"HMAC", OURS, tls_schedule_mac, NULL}, {NULL, NULL, NULL, NULL}};
	static const OSSL_ALGORITHM kinds[] = {{EC_NAMES, OURS, tls_p256_certified, NULL},
					       {TLS_P256_EXCHANGE, OURS, tls_p256_shares, NULL},
					       {NULL, NULL, NULL, NULL}};
	static const OSSL_ALGORITHM own_exchanges[] = {{TLS_P256_EXCHANGE, OURS, tls_p256_exchange, NULL},
						       {NULL, NULL, NULL, NULL}};
	static const OSSL_ALGORITHM own_signatures[] = {{TLS_P256_SIGNATURE, OURS, tls_p256_signature, NULL},
							{NULL, NULL, NULL, NULL}};
	static const OSSL_ALGORITHM own_decoders[] = {
		{EC_NAMES, OURS ",input=der,structure=SubjectPublicKeyInfo", tls_p256_decoder, NULL},
		{NULL, NULL, NULL, NULL}};
	(void)provctx;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KDF:
		return kdfs;
	case OSSL_OP_MAC:
		return macs;
	case OSSL_OP_KEYMGMT:
		return kinds;
	case OSSL_OP_KEYEXCH:
		return own_exchanges;
	case OSSL_OP_SIGNATURE:
		return own_signatures;
	case OSSL_OP_DECODER:
		return own_decoders;
	default:
		return NULL;
	}
}

static int tell_own_group(void *provctx, const char *capability, OSSL_CALLBACK *told, void *arg)
{
	static char names[][10] = {"secp256r1", "P-256"};
	static char curve[] = "prime256v1";
	static char algorithm[] = TLS_P256_EXCHANGE;
	unsigned id = GROUP_SECP256R1, bits = 128;
	int first = TLS1_VERSION, last = 0, none = -1;
	(void)provctx;
	if (strcasecmp(capability, "TLS-GROUP") != 0)
		return 0;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME, names[i], 0),
			OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, curve, 0),
			OSSL_PARAM_construct_utf8_string(OSSL_CAPABILITY_TLS_GROUP_ALG, algorithm, 0),
			OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_ID, &id),
			OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, &bits),
			OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, &first),
			OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, &last),
			OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, &none),
			OSSL_PARAM_construct_int(OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, &none),
			OSSL_PARAM_construct_end(),
		};
		if (!told(params, arg))
			return 0;
	}
	return 1;
}

struct tls_p256 *tls_provider_p256(void *provctx)
{
	return provctx;
}

static void ours_end(void *provctx)
{
	struct tls_p256 *p256 = provctx;
	tls_p256_free(&p256);
}

static const OSSL_DISPATCH ours[] = {
	TLS_FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query_ours),
	TLS_FUNCTION(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, tell_own_group),
	TLS_FUNCTION(OSSL_FUNC_PROVIDER_TEARDOWN, ours_end),
	{0, NULL},
};

static int ours_begin(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, const OSSL_DISPATCH **out,
		      void **provctx)
{
	(void)handle;
	*out = ours;
	*provctx = tls_p256_new(core);
	return *provctx != NULL;
}

/* --- the context ------------------------------------------------------------------------------------------------- */

struct tls_library *tls_library_new(void)
{
	struct tls_library *library = calloc(1, sizeof *library);
	if (library == NULL)
		return NULL;
	library->whole = borrow_whole();
	library->ctx = OSSL_LIB_CTX_new();
	if (library->whole != NULL && library->ctx != NULL &&
	    OSSL_PROVIDER_add_builtin(library->ctx, "veer-few", few_begin) == 1 &&
	    OSSL_PROVIDER_add_builtin(library->ctx, "veer-own", ours_begin) == 1) {
		library->few = OSSL_PROVIDER_load(library->ctx, "veer-few");
		library->ours = OSSL_PROVIDER_load(library->ctx, "veer-own");
	}
	if (library->few == NULL || library->ours == NULL)
		tls_library_free(&library);
	return library;
}

void tls_library_free(struct tls_library **library_ptr)
{
	struct tls_library *library = *library_ptr;
	*library_ptr = NULL;
	if (library == NULL)
		return;
	if (library->ours != NULL)
		(void)OSSL_PROVIDER_unload(library->ours);
	if (library->few != NULL)
		(void)OSSL_PROVIDER_unload(library->few);
	OSSL_LIB_CTX_free(library->ctx);
	if (library->whole != NULL)
		(void)OSSL_PROVIDER_unload(library->whole);
	free(library);
}

bool tls_library_is_wanted(void)
{
	return OSSL_PROVIDER_available(NULL, "default") == 1 && OSSL_PROVIDER_available(NULL, "fips") == 0;
}

OSSL_LIB_CTX *tls_library_context(const struct tls_library *library)
{
	return library->ctx;
}
