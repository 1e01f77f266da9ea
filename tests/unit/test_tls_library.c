/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithms of our own that TLS uses, beside OpenSSL's, and handshakes of all kinds with a server of OpenSSL's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/tls_internal.h"

#define NAME "www.example.test"
#define TRIALS 300

static size_t draw(size_t below)
{
	uint32_t number = 0;
	assert_int_equal(RAND_bytes((unsigned char *)&number, sizeof number), 1);
	return number % below;
}

/* --- what derives keys ------------------------------------------------------------------------------------------- */

struct derivation {
	int mode;
	const char *digest;
	size_t digest_len;
	unsigned char key[64], salt[64], label[64], data[64];
	size_t label_len, data_len, out_len;
	bool has_key, has_salt, has_data;
};

static int derive(OSSL_LIB_CTX *ctx, struct derivation *d, unsigned char *out)
{
	static unsigned char prefix[] = "tls13 ";
	EVP_KDF *kdf = EVP_KDF_fetch(ctx, "TLS13-KDF", NULL);
	assert_non_null(kdf);
	EVP_KDF_CTX *kctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[8];
	size_t n = 0;
	params[n++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &d->mode);
	params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)d->digest, 0);
	if (d->has_key)
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, d->key, d->digest_len);
	if (d->has_salt)
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, d->salt, d->digest_len);
	params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix, sizeof prefix - 1);
	params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, d->label, d->label_len);
	if (d->has_data)
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_DATA, d->data, d->data_len);
	params[n] = OSSL_PARAM_construct_end();
	int ok = EVP_KDF_derive(kctx, out, d->out_len, params);
	EVP_KDF_CTX_free(kctx);
	EVP_KDF_free(kdf);
	return ok;
}

static void keys_are_derived_as_by_openssl(void **state)
{
	struct tls_library *library = tls_library_new();
	(void)state;
	assert_non_null(library);
	for (int i = 0; i < TRIALS; i++) {
		unsigned char ours[255] = {0}, theirs[255] = {0};
		struct derivation d = {.mode = draw(2) != 0 ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY
							    : EVP_KDF_HKDF_MODE_EXPAND_ONLY,
				       .digest = draw(2) != 0 ? "SHA256" : "SHA384"};
		bool is_expansion = d.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY;
		d.digest_len = strcmp(d.digest, "SHA256") == 0 ? 32 : 48;
		assert_int_equal(RAND_bytes(d.key, sizeof d.key), 1);
		assert_int_equal(RAND_bytes(d.salt, sizeof d.salt), 1);
		assert_int_equal(RAND_bytes(d.label, sizeof d.label), 1);
		assert_int_equal(RAND_bytes(d.data, sizeof d.data), 1);
		d.label_len = 1 + draw(sizeof d.label - 1);
		d.data_len = draw(sizeof d.data);
		d.has_key = is_expansion || draw(2) != 0;
		d.has_salt = !is_expansion && draw(2) != 0;
		d.has_data = is_expansion && draw(4) != 0 && d.data_len > 0;
		d.out_len = is_expansion ? 1 + draw(sizeof ours - 1) : d.digest_len;
		assert_int_equal(derive(NULL, &d, theirs), 1);
		assert_int_equal(derive(tls_library_context(library), &d, ours), 1);
		assert_memory_equal(ours, theirs, sizeof ours);
	}
	struct derivation unknown = {.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY, .digest = "SHA1", .out_len = 16};
	unsigned char out[16];
	assert_int_not_equal(derive(tls_library_context(library), &unknown, out), 1);
	tls_library_free(&library);
}

/* In pieces of any size. */
static size_t mac(OSSL_LIB_CTX *ctx, char *digest, const unsigned char *key, size_t key_len, const unsigned char *data,
		  size_t len, unsigned char *out, size_t size)
{
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
			       OSSL_PARAM_construct_end()};
	EVP_MAC *hmac = EVP_MAC_fetch(ctx, "HMAC", NULL);
	assert_non_null(hmac);
	EVP_MAC_CTX *mctx = EVP_MAC_CTX_new(hmac);
	size_t out_len = 0;
	assert_int_equal(EVP_MAC_init(mctx, key, key_len, params), 1);
	for (size_t at = 0; at < len;) {
		size_t piece = 1 + draw(len - at);
		assert_int_equal(EVP_MAC_update(mctx, data + at, piece), 1);
		at += piece;
	}
	assert_int_equal(EVP_MAC_final(mctx, out, &out_len, size), 1);
	EVP_MAC_CTX_free(mctx);
	EVP_MAC_free(hmac);
	return out_len;
}

static void macs_are_those_of_openssl(void **state)
{
	struct tls_library *library = tls_library_new();
	(void)state;
	for (int i = 0; i < TRIALS; i++) {
		unsigned char key[300], data[600], ours[64] = {0}, theirs[64] = {0};
		char digest[] = "SHA256";
		if (draw(2) != 0)
			memcpy(digest, "SHA384", sizeof digest);
		size_t key_len = 1 + draw(sizeof key - 1), len = draw(sizeof data);
		assert_int_equal(RAND_bytes(key, sizeof key), 1);
		assert_int_equal(RAND_bytes(data, sizeof data), 1);
		size_t size = mac(NULL, digest, key, key_len, data, len, theirs, sizeof theirs);
		assert_int_equal(mac(tls_library_context(library), digest, key, key_len, data, len, ours, sizeof ours),
				 size);
		assert_memory_equal(ours, theirs, sizeof ours);
	}
	tls_library_free(&library);
}

/* --- P-256 ------------------------------------------------------------------------------------------------------- */

/* The public key as a certificate has it. */
static int print_public(EVP_PKEY *key, unsigned char *out, size_t size)
{
	unsigned char *at = out;
	int len = i2d_PUBKEY(key, NULL);
	assert_true(len > 0 && (size_t)len <= size);
	return i2d_PUBKEY(key, &at);
}

static EVP_PKEY *read_public(const struct tls_library *library, const unsigned char *text, int len)
{
	return d2i_PUBKEY_ex(NULL, &text, len, tls_library_context(library), TLS_LIBRARY_PROPERTIES);
}

static int verify(const struct tls_library *library, EVP_PKEY *key, const char *digest, const unsigned char *signature,
		  size_t signature_len, const unsigned char *data, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestVerifyInit_ex(ctx, NULL, digest, tls_library_context(library),
						 TLS_LIBRARY_PROPERTIES, key, NULL),
			 1);
	int ok = EVP_DigestVerify(ctx, signature, signature_len, data, len);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static void a_signature_is_good_or_not(void **state)
{
	static const char *const hashes[] = {"SHA256", "SHA384", "SHA512", "SHA1"};
	struct tls_library *library = tls_library_new();
	(void)state;
	for (size_t i = 0; i < 40; i++) {
		EVP_PKEY *key = EVP_EC_gen("P-256");
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		unsigned char text[128], data[200], signature[80];
		size_t signature_len = sizeof signature;
		const char *digest = hashes[i % 4];
		assert_int_equal(RAND_bytes(data, sizeof data), 1);
		assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL), 1);
		assert_int_equal(EVP_DigestSign(ctx, signature, &signature_len, data, sizeof data), 1);
		EVP_PKEY *ours = read_public(library, text, print_public(key, text, sizeof text));
		assert_non_null(ours);
		assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(ours)), "veer-own");
		assert_int_equal(verify(library, ours, digest, signature, signature_len, data, sizeof data), 1);
		for (size_t at = 0; at < signature_len; at++) {
			unsigned char bit = (unsigned char)(1 << draw(8));
			signature[at] ^= bit;
			assert_int_not_equal(verify(library, ours, digest, signature, signature_len, data, sizeof data),
					     1);
			signature[at] ^= bit;
			assert_int_not_equal(verify(library, ours, digest, signature, at, data, sizeof data), 1);
		}
		data[draw(sizeof data)] ^= 1;
		assert_int_not_equal(verify(library, ours, digest, signature, signature_len, data, sizeof data), 1);
		EVP_PKEY_free(ours);
		EVP_PKEY_free(key);
		EVP_MD_CTX_free(ctx);
	}
	tls_library_free(&library);
}

static void a_key_says_what_openssl_says_of_it(void **state)
{
	struct tls_library *library = tls_library_new();
	unsigned char text[128], again[128];
	char group[32];
	int is_explicit = 1;
	(void)state;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	int len = print_public(key, text, sizeof text);
	EVP_PKEY *ours = read_public(library, text, len);
	EVP_PKEY *other = EVP_EC_gen("P-256");
	assert_int_equal(EVP_PKEY_get_bits(ours), EVP_PKEY_get_bits(key));
	assert_int_equal(EVP_PKEY_get_security_bits(ours), EVP_PKEY_get_security_bits(key));
	assert_int_equal(EVP_PKEY_get_size(ours), EVP_PKEY_get_size(key));
	assert_int_equal(EVP_PKEY_get_id(ours), EVP_PKEY_EC);
	assert_int_equal(EVP_PKEY_get_group_name(ours, group, sizeof group, NULL), 1);
	assert_string_equal(group, "prime256v1");
	assert_int_equal(EVP_PKEY_get_int_param(ours, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit),
			 1);
	assert_int_equal(is_explicit, 0);
	assert_int_equal(EVP_PKEY_eq(ours, key), 1);
	assert_int_not_equal(EVP_PKEY_eq(ours, other), 1);
	/* A point that is not on the curve is no key. */
	memcpy(again, text, sizeof again);
	again[len - 1] ^= 1;
	assert_null(read_public(library, again, len));
	/* What is in another form, or on another curve, is a key of OpenSSL's. */
	EVP_PKEY *large = EVP_EC_gen("P-384");
	EVP_PKEY *theirs = read_public(library, again, print_public(large, again, sizeof again));
	assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(theirs)), "veer-few");
	EVP_PKEY_free(theirs);
	EVP_PKEY_free(large);
	EVP_PKEY_free(other);
	EVP_PKEY_free(ours);
	EVP_PKEY_free(key);
	tls_library_free(&library);
}

/* --- handshakes -------------------------------------------------------------------------------------------------- */

static X509 *certify(EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -60));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)NAME, -1, -1, 0),
			 1);
	assert_int_equal(X509_set_issuer_name(certificate, name), 1);
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" NAME);
	assert_int_equal(X509_add_ext(certificate, names, -1), 1);
	X509_EXTENSION_free(names);
	bool is_eddsa = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
	assert_true(X509_sign(certificate, key, is_eddsa ? NULL : EVP_sha256()) > 0);
	return certificate;
}

struct handshake {
	const char *key; /* "P-256", "RSA", ... */
	int version;
	const char *suites; /* of TLS 1.3 or 1.2; NULL: any */
	const char *groups; /* NULL: any */
};

/* With data both ways. `trusts`: the client knows the certificate. */
static bool shake(const struct handshake *h, bool trusts)
{
	EVP_PKEY *key = NULL;
	if (strcmp(h->key, "RSA") == 0)
		key = EVP_RSA_gen(2048);
	else if (strncmp(h->key, "ED", 2) == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, h->key);
	else
		key = EVP_EC_gen(h->key);
	X509 *certificate = certify(key);
	X509_STORE *store = X509_STORE_new();
	SSL_CTX *client = tls_context_new(), *server = SSL_CTX_new(TLS_server_method());
	struct tls_chains *chains = tls_chains_new();
	struct tls_peer peer = {.chains = chains};
	BIO *near = NULL, *far = NULL;
	char text[8] = "", reply[8] = "";
	if (trusts)
		assert_int_equal(X509_STORE_add_cert(store, certificate), 1);
	assert_int_equal(SSL_CTX_use_certificate(server, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server, key), 1);
	assert_int_equal(SSL_CTX_set_min_proto_version(server, h->version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(server, h->version), 1);
	if (h->suites != NULL)
		assert_int_equal(h->version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(server, h->suites)
							      : SSL_CTX_set_cipher_list(server, h->suites),
				 1);
	if (h->groups != NULL)
		assert_int_equal(SSL_CTX_set1_groups_list(server, h->groups), 1);
	(void)SSL_CTX_set_dh_auto(server, 1);
	SSL *ours = SSL_new(client), *theirs = SSL_new(server);
	assert_int_equal(BIO_new_bio_pair(&near, 65536, &far, 65536), 1);
	SSL_set_bio(ours, near, near);
	SSL_set_bio(theirs, far, far);
	assert_int_equal(SSL_set1_host(ours, NAME), 1);
	tls_connection_use(ours, store, &peer);
	SSL_set_verify(ours, SSL_VERIFY_PEER, NULL);
	SSL_set_connect_state(ours);
	SSL_set_accept_state(theirs);
	int done = 0, other = 0;
	for (int i = 0; i < 10 && (done != 1 || other != 1); i++) {
		done = SSL_do_handshake(ours);
		other = SSL_do_handshake(theirs);
	}
	bool is_good = done == 1 && other == 1 && SSL_write(ours, "hello", 5) == 5 &&
		       SSL_read(theirs, text, sizeof text) == 5 && memcmp(text, "hello", 5) == 0 &&
		       SSL_write(theirs, "world", 5) == 5 && SSL_read(ours, reply, sizeof reply) == 5 &&
		       memcmp(reply, "world", 5) == 0 && peer.verify == X509_V_OK;
	SSL_free(ours);
	SSL_free(theirs);
	SSL_CTX_free(server);
	tls_context_free(&client);
	tls_chains_free(&chains);
	X509_STORE_free(store);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return is_good;
}

static const struct handshake handshakes[] = {
	{"P-256", TLS1_3_VERSION, NULL, NULL},
	{"P-256", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", NULL},
	{"P-256", TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", NULL},
	{"P-256", TLS1_3_VERSION, NULL, "X25519"},
	{"P-256", TLS1_3_VERSION, NULL, "P-384"},
	{"P-256", TLS1_3_VERSION, NULL, "P-521"},
	{"P-256", TLS1_3_VERSION, NULL, "X448"},
	{"P-256", TLS1_3_VERSION, NULL, "ffdhe2048"},
	{"P-384", TLS1_3_VERSION, NULL, NULL},
	{"P-521", TLS1_3_VERSION, NULL, NULL},
	{"RSA", TLS1_3_VERSION, NULL, NULL},
	{"ED25519", TLS1_3_VERSION, NULL, NULL},
	{"ED448", TLS1_3_VERSION, NULL, NULL},
	{"P-256", TLS1_2_VERSION, NULL, NULL},
	{"P-256", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "P-256"},
	{"P-256", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", "X25519:P-256"},
	{"P-256", TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", "P-384:P-256"},
	{"P-256", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", NULL},
	{"P-256", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384", NULL},
	{"P-256", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", NULL},
	{"RSA", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "P-256"},
	{"RSA", TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA", "P-256"},
	{"RSA", TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", NULL},
	{"RSA", TLS1_2_VERSION, "AES128-GCM-SHA256", NULL},
	{"RSA", TLS1_2_VERSION, "AES256-SHA256", NULL},
	{"P-384", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", "P-384:P-256"},
	{"ED25519", TLS1_2_VERSION, NULL, NULL},
};

static void every_kind_of_server_is_understood(void **state)
{
	int failures = 0;
	(void)state;
	for (size_t i = 0; i < sizeof handshakes / sizeof handshakes[0]; i++) {
		const struct handshake *h = &handshakes[i];
		if (!shake(h, true)) {
			print_error("not understood: %s %s %s %s\n", h->key,
				    h->version == TLS1_3_VERSION ? "1.3" : "1.2", h->suites != NULL ? h->suites : "",
				    h->groups != NULL ? h->groups : "");
			failures++;
		}
		if (shake(h, false)) {
			print_error("trusted: %s\n", h->key);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_derived_as_by_openssl),
		cmocka_unit_test(macs_are_those_of_openssl),
		cmocka_unit_test(a_signature_is_good_or_not),
		cmocka_unit_test(a_key_says_what_openssl_says_of_it),
		cmocka_unit_test(every_kind_of_server_is_understood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
