/* SPDX-License-Identifier: Apache-2.0 */
#include "zones/model/digest.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

enum { STACK_BYTES = 1024 };

void digest_load(const uint8_t bytes[DIGEST_BYTES], struct digest *out)
{
	*out = (struct digest){0};
	for (unsigned i = 8; i > 0; i--) {
		out->low = out->low << 8 | bytes[i - 1];
		out->high = out->high << 8 | bytes[i + 7];
	}
}

void digest_store(const struct digest *digest, uint8_t out[DIGEST_BYTES])
{
	for (unsigned i = 0; i < 8; i++) {
		out[i] = (uint8_t)(digest->low >> (8 * i));
		out[i + 8] = (uint8_t)(digest->high >> (8 * i));
	}
}

bool digest_of(const char *kind, const char *key, const void *bytes, size_t len, struct digest *out)
{
	uint8_t hash[CRYPTO_SHA256_BYTES], small[STACK_BYTES];
	size_t kind_size = strlen(kind) + 1, key_size = strlen(key) + 1, size = kind_size + key_size + len;
	uint8_t *text = size <= sizeof small ? small : malloc(size);
	if (text == NULL)
		return false;
	memcpy(text, kind, kind_size);
	memcpy(text + kind_size, key, key_size);
	memcpy(text + kind_size + key_size, bytes, len);
	bool ok = crypto_sha256(text, size, hash) == VEER_OK;
	if (text != small)
		free(text);
	if (ok)
		digest_load(hash, out);
	return ok;
}

void digest_add(struct digest *sum, const struct digest *summand)
{
	sum->low += summand->low;
	sum->high += summand->high + (sum->low < summand->low);
}

void digest_subtract(struct digest *sum, const struct digest *summand)
{
	sum->high -= summand->high + (sum->low < summand->low);
	sum->low -= summand->low;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->low == b->low && a->high == b->high;
}

void digest_pair_add(struct digest_pair *sum, const struct digest_pair *summand)
{
	digest_add(&sum->content, &summand->content);
	digest_add(&sum->state, &summand->state);
}

void digest_pair_subtract(struct digest_pair *sum, const struct digest_pair *summand)
{
	digest_subtract(&sum->content, &summand->content);
	digest_subtract(&sum->state, &summand->state);
}

bool digest_pair_equal(const struct digest_pair *a, const struct digest_pair *b)
{
	return digest_equal(&a->content, &b->content) && digest_equal(&a->state, &b->state);
}

void digest_print(const struct digest *digest, char out[DIGEST_HEX_SIZE])
{
	uint8_t bytes[DIGEST_BYTES];
	digest_store(digest, bytes);
	crypto_hex_encode(bytes, sizeof bytes, out);
}

bool digest_parse(const char *text, struct digest *out)
{
	uint8_t bytes[DIGEST_BYTES];
	if (text == NULL || strlen(text) != 2 * DIGEST_BYTES ||
	    crypto_hex_decode(text, 2 * DIGEST_BYTES, bytes, sizeof bytes) != VEER_OK)
		return false;
	digest_load(bytes, out);
	return true;
}
