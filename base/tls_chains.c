/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of certificates that were found good: see tls.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/tls_impl.h"

#define SETS 4096
#define WAYS 4       /* chains of one set */
#define CHAIN_MAX 16 /* certificates; a longer one is not remembered */
#define DIGEST_BYTES 32

/* One chain, and the store that it was verified against. */
struct remembered {
	uint8_t digest[DIGEST_BYTES]; /* of the digests of its certificates */
	X509_STORE *store;            /* referenced, so that no other store can get the same address; NULL: a free
				       * place */
	int64_t from_s;               /* all of its certificates are valid from this time (since 1970) */
	int64_t until_s;              /* until this time, both inclusive */
	uint64_t used;
};

struct tls_chains {
	uint64_t turn;
	struct remembered places[SETS * WAYS];
};

struct tls_chains *tls_chains_new(void)
{
	return calloc(1, sizeof(struct tls_chains)); /* calloc, because only those pages take memory that are used */
}

void tls_chains_free(struct tls_chains **chains)
{
	if (*chains == NULL)
		return;
	for (size_t i = 0; i < (size_t)SETS * WAYS; i++)
		X509_STORE_free((*chains)->places[i].store);
	free(*chains);
	*chains = NULL;
}

/* The digest of what the server has shown: its certificate, then the others in its order. */
static bool digest_of(X509_STORE_CTX *ctx, uint8_t out[DIGEST_BYTES])
{
	uint8_t all[(CHAIN_MAX + 1) * DIGEST_BYTES];
	size_t len = 0;
	const STACK_OF(X509) *others = X509_STORE_CTX_get0_untrusted(ctx);
	int count = others != NULL ? sk_X509_num(others) : 0;
	if (count > CHAIN_MAX || X509_STORE_CTX_get0_cert(ctx) == NULL)
		return false;
	for (int i = -1; i < count; i++) {
		const X509 *certificate = i < 0 ? X509_STORE_CTX_get0_cert(ctx) : sk_X509_value(others, i);
		unsigned size = 0;
		if (X509_digest(certificate, EVP_sha256(), all + len, &size) != 1 || size != DIGEST_BYTES)
			return false;
		len += size;
	}
	return EVP_Digest(all, len, out, NULL, EVP_sha256(), NULL) == 1;
}

static int64_t seconds_of(const ASN1_TIME *time, int64_t fallback)
{
	struct tm tm;
	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : fallback;
}

/* The place of the chain, or NULL. */
static struct remembered *find(struct tls_chains *chains, const uint8_t digest[DIGEST_BYTES], const X509_STORE *store)
{
	struct remembered *set = &chains->places[(size_t)(digest[0] | (digest[1] & 15) << 8) * WAYS];
	for (size_t i = 0; i < WAYS; i++)
		if (set[i].store == store && memcmp(set[i].digest, digest, DIGEST_BYTES) == 0)
			return &set[i];
	return NULL;
}

/* The chain that the verification has built is good: note it, with the time in which all of it is valid. */
static struct remembered *remember(struct tls_chains *chains, X509_STORE_CTX *ctx, const uint8_t digest[DIGEST_BYTES])
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	struct remembered *set = &chains->places[(size_t)(digest[0] | (digest[1] & 15) << 8) * WAYS];
	struct remembered *place = set;
	struct remembered made = {.store = X509_STORE_CTX_get0_store(ctx),
				  .from_s = INT64_MIN,
				  .until_s = INT64_MAX,
				  .used = ++chains->turn};
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *certificate = sk_X509_value(chain, i);
		int64_t from_s = seconds_of(X509_get0_notBefore(certificate), INT64_MAX);
		int64_t until_s = seconds_of(X509_get0_notAfter(certificate), INT64_MIN);
		made.from_s = from_s > made.from_s ? from_s : made.from_s;
		made.until_s = until_s < made.until_s ? until_s : made.until_s;
	}
	memcpy(made.digest, digest, DIGEST_BYTES);
	for (size_t i = 1; i < WAYS; i++)
		if (set[i].used < place->used)
			place = &set[i];
	if (made.store == NULL || X509_STORE_up_ref(made.store) != 1)
		return NULL;
	X509_STORE_free(place->store);
	*place = made;
	return place;
}

/* Check that the certificate is for the name that was asked for, as OpenSSL does. Returns the error, or X509_V_OK. */
static int judge_name(X509_STORE_CTX *ctx)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	X509 *certificate = X509_STORE_CTX_get0_cert(ctx);
	const char *host = X509_VERIFY_PARAM_get0_host(param, 0);
	char *address = X509_VERIFY_PARAM_get1_ip_asc(param);
	int error = X509_V_OK;
	if (host != NULL && X509_check_host(certificate, host, 0, X509_VERIFY_PARAM_get_hostflags(param), NULL) != 1)
		error = X509_V_ERR_HOSTNAME_MISMATCH;
	else if (address != NULL && X509_check_ip_asc(certificate, address, 0) != 1)
		error = X509_V_ERR_IP_ADDRESS_MISMATCH;
	OPENSSL_free(address);
	return error;
}

static void tell(struct tls_peer *peer, const struct remembered *chain)
{
	peer->valid_from_s = chain->from_s;
	peer->valid_until_s = chain->until_s;
}

int tls_chains_verify(struct tls_chains *chains, X509_STORE_CTX *ctx, struct tls_peer *peer)
{
	uint8_t digest[DIGEST_BYTES];
	int64_t now_s = (int64_t)time(NULL);
	if (!digest_of(ctx, digest))
		return X509_verify_cert(ctx);
	struct remembered *known = find(chains, digest, X509_STORE_CTX_get0_store(ctx));
	if (known != NULL && now_s >= known->from_s && now_s <= known->until_s) {
		int error = judge_name(ctx);
		known->used = ++chains->turn;
		peer->is_remembered = true;
		tell(peer, known);
		X509_STORE_CTX_set_error(ctx, error);
		return error == X509_V_OK;
	}
	int ok = X509_verify_cert(ctx);
	if (ok == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK && known == NULL)
		known = remember(chains, ctx, digest);
	if (ok == 1 && known != NULL)
		tell(peer, known);
	return ok;
}
