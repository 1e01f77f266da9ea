/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key schedule of TLS 1.3 (RFC 8446 7.1) for OpenSSL: HMAC (RFC 2104) and HKDF (RFC 5869) over SHA-256 and SHA-384,
 * which is all that TLS 1.3 uses. A handshake asks for some 20 of these; what OpenSSL 3.0 does for one costs ten times
 * as much as the hashing, for it looks each algorithm up by its name anew and allocates each part.
 *
 * Threads: no state but that of the caller's contexts.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* the hash functions themselves */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include "base/tls_provider.h"

#define HASH_MAX SHA384_DIGEST_LENGTH
#define BLOCK_MAX SHA512_CBLOCK
#define LABEL_MAX 255 /* of the whole label, with its prefix, and of the context */

enum hash_kind { HASH_NONE, HASH_SHA256, HASH_SHA384 };

struct hash {
	enum hash_kind kind;
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha384;
	};
};

struct bytes {
	const unsigned char *data;
	size_t len;
};

/* --- hash and HMAC ----------------------------------------------------------------------------------------------- */

static size_t hash_size(enum hash_kind kind)
{
	return kind == HASH_SHA256 ? SHA256_DIGEST_LENGTH : SHA384_DIGEST_LENGTH;
}

static size_t block_size(enum hash_kind kind)
{
	return kind == HASH_SHA256 ? SHA256_CBLOCK : SHA512_CBLOCK;
}

static void hash_begin(struct hash *hash, enum hash_kind kind)
{
	hash->kind = kind;
	if (kind == HASH_SHA256)
		(void)SHA256_Init(&hash->sha256);
	else
		(void)SHA384_Init(&hash->sha384);
}

static void hash_add(struct hash *hash, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (hash->kind == HASH_SHA256)
		(void)SHA256_Update(&hash->sha256, data, len);
	else
		(void)SHA384_Update(&hash->sha384, data, len);
}

static void hash_end(struct hash *hash, unsigned char *out)
{
	if (hash->kind == HASH_SHA256)
		(void)SHA256_Final(out, &hash->sha256);
	else
		(void)SHA384_Final(out, &hash->sha384);
}

struct hmac {
	struct hash inner;
	struct hash outer;
};

static void hmac_begin(struct hmac *hmac, enum hash_kind kind, struct bytes key)
{
	unsigned char pad[BLOCK_MAX];
	unsigned char hashed[HASH_MAX];
	size_t block = block_size(kind);
	if (key.len > block) {
		hash_begin(&hmac->inner, kind);
		hash_add(&hmac->inner, key.data, key.len);
		hash_end(&hmac->inner, hashed);
		key = (struct bytes){hashed, hash_size(kind)};
	}
	memset(pad, 0x36, block);
	for (size_t i = 0; i < key.len; i++)
		pad[i] ^= key.data[i];
	hash_begin(&hmac->inner, kind);
	hash_add(&hmac->inner, pad, block);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hash_begin(&hmac->outer, kind);
	hash_add(&hmac->outer, pad, block);
	OPENSSL_cleanse(pad, sizeof pad);
	OPENSSL_cleanse(hashed, sizeof hashed);
}

static void hmac_end(struct hmac *hmac, unsigned char *out)
{
	hash_end(&hmac->inner, out);
	hash_add(&hmac->outer, out, hash_size(hmac->inner.kind));
	hash_end(&hmac->outer, out);
}

/* --- HKDF -------------------------------------------------------------------------------------------------------- */

static void extract(enum hash_kind kind, struct bytes salt, struct bytes secret, unsigned char *out)
{
	struct hmac hmac;
	hmac_begin(&hmac, kind, salt);
	hash_add(&hmac.inner, secret.data, secret.len);
	hmac_end(&hmac, out);
	OPENSSL_cleanse(&hmac, sizeof hmac);
}

/* HKDF-Expand (RFC 5869 2.3). False: more is wanted than it can give. */
static bool expand(enum hash_kind kind, struct bytes secret, struct bytes info, unsigned char *out, size_t len)
{
	struct hmac keyed;
	unsigned char last[HASH_MAX];
	size_t size = hash_size(kind);
	if (len > 255 * size)
		return false;
	hmac_begin(&keyed, kind, secret);
	unsigned char number = 1;
	for (size_t at = 0; at < len; at += size, number++) {
		struct hmac hmac = keyed;
		if (at > 0)
			hash_add(&hmac.inner, last, size);
		hash_add(&hmac.inner, info.data, info.len);
		hash_add(&hmac.inner, &number, 1);
		hmac_end(&hmac, last);
		memcpy(out + at, last, len - at < size ? len - at : size);
		OPENSSL_cleanse(&hmac, sizeof hmac);
	}
	OPENSSL_cleanse(last, sizeof last);
	OPENSSL_cleanse(&keyed, sizeof keyed);
	return true;
}

/* What is asked for: the parameters of OpenSSL's TLS13-KDF. */
struct derivation {
	enum hash_kind kind;
	int mode;
	struct bytes key;
	struct bytes salt;
	struct bytes prefix;
	struct bytes label;
	struct bytes data;
	bool has_key;
	bool has_salt;
};

/* HKDF-Expand-Label (RFC 8446 7.1). False: it cannot be said. */
static bool expand_label(const struct derivation *d, struct bytes secret, struct bytes context, unsigned char *out,
			 size_t len)
{
	unsigned char info[2 + 1 + LABEL_MAX + 1 + LABEL_MAX];
	size_t at = 0;
	if (len > 0xffff || d->prefix.len + d->label.len > LABEL_MAX || context.len > LABEL_MAX)
		return false;
	info[at++] = (unsigned char)(len >> 8);
	info[at++] = (unsigned char)len;
	info[at++] = (unsigned char)(d->prefix.len + d->label.len);
	if (d->prefix.len > 0)
		memcpy(info + at, d->prefix.data, d->prefix.len);
	at += d->prefix.len;
	if (d->label.len > 0)
		memcpy(info + at, d->label.data, d->label.len);
	at += d->label.len;
	info[at++] = (unsigned char)context.len;
	if (context.len > 0)
		memcpy(info + at, context.data, context.len);
	at += context.len;
	return expand(d->kind, secret, (struct bytes){info, at}, out, len);
}

/* From the secret before (salt) and the new one (key) to the next: Derive-Secret(., "derived", ""), HKDF-Extract. */
static bool next_secret(const struct derivation *d, unsigned char *out, size_t len)
{
	static const unsigned char zeros[HASH_MAX] = {0};
	unsigned char empty[HASH_MAX];
	unsigned char derived[HASH_MAX];
	size_t size = hash_size(d->kind);
	struct bytes secret = d->has_key ? d->key : (struct bytes){zeros, size};
	struct bytes salt = {zeros, 0};
	struct hash hash;
	if (len != size)
		return false;
	if (d->has_salt) {
		hash_begin(&hash, d->kind);
		hash_end(&hash, empty);
		if (!expand_label(d, d->salt, (struct bytes){empty, size}, derived, size))
			return false;
		salt = (struct bytes){derived, size};
	}
	extract(d->kind, salt, secret, out);
	OPENSSL_cleanse(derived, sizeof derived);
	return true;
}

/* --- parameters -------------------------------------------------------------------------------------------------- */

static enum hash_kind kind_of(const OSSL_PARAM *param)
{
	static const struct {
		const char *name;
		enum hash_kind kind;
	} names[] = {{"SHA2-256", HASH_SHA256}, {"SHA256", HASH_SHA256}, {"SHA-256", HASH_SHA256},
		     {"SHA2-384", HASH_SHA384}, {"SHA384", HASH_SHA384}, {"SHA-384", HASH_SHA384}};
	const char *name = NULL;
	if (param == NULL || OSSL_PARAM_get_utf8_string_ptr(param, &name) != 1 || name == NULL)
		return HASH_NONE;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(name, names[i].name) == 0)
			return names[i].kind;
	return HASH_NONE;
}

static bool get_bytes(const OSSL_PARAM params[], const char *name, struct bytes *out)
{
	const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, name);
	const void *data = NULL;
	if (param == NULL || OSSL_PARAM_get_octet_string_ptr(param, &data, &out->len) != 1)
		return false;
	out->data = data;
	return true;
}

/* --- TLS13-KDF of OpenSSL ---------------------------------------------------------------------------------------- */

/* A context of a derivation holds nothing: all comes with the call. */
static void *kdf_new(void *provctx)
{
	(void)provctx;
	return malloc(1);
}

static void kdf_free(void *kdf)
{
	free(kdf);
}

static int kdf_derive(void *kdf, unsigned char *out, size_t len, const OSSL_PARAM params[])
{
	struct derivation d = {.kind = kind_of(OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_DIGEST))};
	const OSSL_PARAM *mode = OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_MODE);
	(void)kdf;
	if (d.kind == HASH_NONE || mode == NULL || OSSL_PARAM_get_int(mode, &d.mode) != 1)
		return 0;
	d.has_key = get_bytes(params, OSSL_KDF_PARAM_KEY, &d.key);
	d.has_salt = get_bytes(params, OSSL_KDF_PARAM_SALT, &d.salt);
	(void)get_bytes(params, OSSL_KDF_PARAM_PREFIX, &d.prefix);
	(void)get_bytes(params, OSSL_KDF_PARAM_LABEL, &d.label);
	(void)get_bytes(params, OSSL_KDF_PARAM_DATA, &d.data);
	if (d.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
		return next_secret(&d, out, len);
	return d.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && d.has_key && expand_label(&d, d.key, d.data, out, len);
}

const OSSL_DISPATCH tls_schedule_kdf[] = {
	TLS_FUNCTION(OSSL_FUNC_KDF_NEWCTX, kdf_new),
	TLS_FUNCTION(OSSL_FUNC_KDF_FREECTX, kdf_free),
	TLS_FUNCTION(OSSL_FUNC_KDF_DERIVE, kdf_derive),
	{0, NULL},
};

/* --- HMAC of OpenSSL --------------------------------------------------------------------------------------------- */

struct mac {
	enum hash_kind kind; /* to be used from the next key on */
	struct hmac hmac;
};

static void *mac_new(void *provctx)
{
	(void)provctx;
	return calloc(1, sizeof(struct mac));
}

static void mac_free(void *mac)
{
	if (mac != NULL)
		OPENSSL_cleanse(mac, sizeof(struct mac));
	free(mac);
}

static int mac_set(void *ctx, const OSSL_PARAM params[])
{
	struct mac *mac = ctx;
	const OSSL_PARAM *digest = params != NULL ? OSSL_PARAM_locate_const(params, OSSL_MAC_PARAM_DIGEST) : NULL;
	if (digest != NULL)
		mac->kind = kind_of(digest);
	return digest == NULL || mac->kind != HASH_NONE;
}

static int mac_begin(void *ctx, const unsigned char *key, size_t len, const OSSL_PARAM params[])
{
	struct mac *mac = ctx;
	if (!mac_set(mac, params) || mac->kind == HASH_NONE || key == NULL)
		return 0;
	hmac_begin(&mac->hmac, mac->kind, (struct bytes){key, len});
	return 1;
}

static int mac_add(void *ctx, const unsigned char *data, size_t len)
{
	struct mac *mac = ctx;
	if (mac->hmac.inner.kind == HASH_NONE)
		return 0;
	hash_add(&mac->hmac.inner, data, len);
	return 1;
}

static int mac_end(void *ctx, unsigned char *out, size_t *len, size_t size)
{
	struct mac *mac = ctx;
	if (mac->hmac.inner.kind == HASH_NONE || size < hash_size(mac->hmac.inner.kind))
		return 0;
	*len = hash_size(mac->hmac.inner.kind);
	hmac_end(&mac->hmac, out);
	return 1;
}

static int mac_get(void *ctx, OSSL_PARAM params[])
{
	const struct mac *mac = ctx;
	OSSL_PARAM *size = OSSL_PARAM_locate(params, OSSL_MAC_PARAM_SIZE);
	return size == NULL || (mac->kind != HASH_NONE && OSSL_PARAM_set_size_t(size, hash_size(mac->kind)));
}

static const OSSL_PARAM *mac_gettable(void *ctx, void *provctx)
{
	static const OSSL_PARAM known[] = {OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, NULL), OSSL_PARAM_END};
	(void)ctx;
	(void)provctx;
	return known;
}

static const OSSL_PARAM *mac_settable(void *ctx, void *provctx)
{
	static const OSSL_PARAM known[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, NULL, 0), OSSL_PARAM_END};
	(void)ctx;
	(void)provctx;
	return known;
}

const OSSL_DISPATCH tls_schedule_mac[] = {
	TLS_FUNCTION(OSSL_FUNC_MAC_NEWCTX, mac_new),
	TLS_FUNCTION(OSSL_FUNC_MAC_FREECTX, mac_free),
	TLS_FUNCTION(OSSL_FUNC_MAC_INIT, mac_begin),
	TLS_FUNCTION(OSSL_FUNC_MAC_UPDATE, mac_add),
	TLS_FUNCTION(OSSL_FUNC_MAC_FINAL, mac_end),
	TLS_FUNCTION(OSSL_FUNC_MAC_GET_CTX_PARAMS, mac_get),
	TLS_FUNCTION(OSSL_FUNC_MAC_GETTABLE_CTX_PARAMS, mac_gettable),
	TLS_FUNCTION(OSSL_FUNC_MAC_SET_CTX_PARAMS, mac_set),
	TLS_FUNCTION(OSSL_FUNC_MAC_SETTABLE_CTX_PARAMS, mac_settable),
	{0, NULL},
};
