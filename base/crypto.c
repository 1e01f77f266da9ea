/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum veer_err crypto_sha256(const void *data, size_t len, uint8_t out[CRYPTO_SHA256_BYTES])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;
	if (EVP_Digest(len > 0 ? data : "", len, digest, &digest_len, EVP_sha256(), NULL) != 1 ||
	    digest_len != CRYPTO_SHA256_BYTES)
		return VEER_EIO;
	memcpy(out, digest, CRYPTO_SHA256_BYTES);
	return VEER_OK;
}

enum veer_err crypto_sha256_hex(const void *data, size_t len, char out[CRYPTO_SHA256_HEX_SIZE])
{
	uint8_t digest[CRYPTO_SHA256_BYTES];
	enum veer_err err = crypto_sha256(data, len, digest);
	if (err == VEER_OK)
		crypto_hex_encode(digest, sizeof digest, out);
	return err;
}

enum veer_err crypto_random(void *out, size_t len)
{
	uint8_t *at = out;
	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return VEER_EIO;
		at += n;
		len -= (size_t)n;
	}
	return VEER_OK;
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void crypto_base62(const uint8_t data[CRYPTO_SHA256_BYTES], char out[CRYPTO_TOKEN_SIZE])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint8_t number[CRYPTO_SHA256_BYTES];
	memcpy(number, data, sizeof number);
	/* 62^43 > 2^256, so the whole number fits. The digits come from long division, the last digit first. */
	for (size_t i = CRYPTO_TOKEN_SIZE - 1; i-- > 0;) {
		unsigned rest = 0;
		for (size_t j = 0; j < sizeof number; j++) {
			unsigned value = rest << 8 | number[j];
			number[j] = (uint8_t)(value / 62);
			rest = value % 62;
		}
		out[i] = digits[rest];
	}
	out[CRYPTO_TOKEN_SIZE - 1] = '\0';
}

enum veer_err crypto_token(char out[CRYPTO_TOKEN_SIZE])
{
	uint8_t number[CRYPTO_SHA256_BYTES];
	enum veer_err err = crypto_random(number, sizeof number);
	if (err == VEER_OK)
		crypto_base62(number, out);
	return err;
}

/* --- text forms ------------------------------------------------------------------------------------------- */

size_t crypto_base64_size(size_t len)
{
	return (len + 2) / 3 * 4 + 1;
}

void crypto_base64_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *in = data;
	for (; len > 0; out += 4) {
		size_t take = len < 3 ? len : 3;
		uint32_t bits = (uint32_t)in[0] << 16;
		if (take > 1)
			bits |= (uint32_t)in[1] << 8;
		if (take > 2)
			bits |= in[2];
		out[0] = digits[bits >> 18];
		out[1] = digits[bits >> 12 & 63];
		out[2] = take > 1 ? digits[bits >> 6 & 63] : '=';
		out[3] = take > 2 ? digits[bits & 63] : '=';
		in += take;
		len -= take;
	}
	*out = '\0';
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Decode one group of four digits, of which the last `padding` are '='. Returns its bytes, or a negative number. */
static int32_t base64_group(const char *text, size_t padding)
{
	int32_t bits = 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? base64_value(text[i]) : 0;
		if (value < 0)
			return -1;
		bits = bits << 6 | value;
	}
	/* Bits after the last byte must be zero, so that each content has only one valid text. */
	if ((padding == 1 && (bits & 0xff) != 0) || (padding == 2 && (bits & 0xffff) != 0))
		return -1;
	return bits;
}

enum veer_err crypto_base64_decode(const char *text, size_t text_len, void *out, size_t size, size_t *out_len)
{
	if (text_len % 4 != 0)
		return VEER_EINVAL;
	size_t padding = 0;
	while (padding < 2 && padding < text_len && text[text_len - 1 - padding] == '=')
		padding++;
	size_t len = text_len / 4 * 3 - padding;
	if (len > size)
		return VEER_ERANGE;
	uint8_t *to = out;
	size_t done = 0;
	for (size_t i = 0; i < text_len; i += 4) {
		int32_t bits = base64_group(text + i, i + 4 == text_len ? padding : 0);
		if (bits < 0)
			return VEER_EINVAL;
		for (int shift = 16; shift >= 0 && done < len; shift -= 8)
			to[done++] = (uint8_t)(bits >> shift);
	}
	*out_len = len;
	return VEER_OK;
}

void crypto_hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = data;
	for (size_t i = 0; i < len; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum veer_err crypto_hex_decode(const char *text, size_t text_len, void *out, size_t len)
{
	uint8_t *to = out;
	if (text_len % 2 != 0 || text_len / 2 != len)
		return VEER_EINVAL;
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(text[2 * i]);
		int low = hex_value(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return VEER_EINVAL;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return VEER_OK;
}

/* --- SipHash (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) -------------------------------- */

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

/* The first `len` octets, at most 8; the lowest comes first. */
static inline uint64_t load_le(const uint8_t *in, size_t len)
{
	uint64_t value = 0;
	memcpy(&value, in, len);
	return le64toh(value);
}

/* Inline, so that the numbers of rounds are compile-time constants: the packet path uses these hashes. */
static inline __attribute__((always_inline)) void sip_rounds(struct sip_state *s, unsigned count)
{
	while (count-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static inline __attribute__((always_inline)) void sip_absorb(struct sip_state *s, uint64_t word, unsigned rounds)
{
	s->v3 ^= word;
	sip_rounds(s, rounds);
	s->v0 ^= word;
}

static inline __attribute__((always_inline)) uint64_t siphash(const uint8_t *key, const uint8_t *in, size_t len,
							      unsigned c_rounds, unsigned d_rounds)
{
	uint64_t k0 = load_le(key, 8);
	uint64_t k1 = load_le(key + 8, 8);
	struct sip_state s = {
		.v0 = k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = k1 ^ UINT64_C(0x7465646279746573),
	};
	size_t whole = len / 8 * 8;
	for (size_t i = 0; i < whole; i += 8)
		sip_absorb(&s, load_le(in + i, 8), c_rounds);
	uint64_t last = len > whole ? load_le(in + whole, len - whole) : 0;
	sip_absorb(&s, last | (uint64_t)len << 56, c_rounds);
	s.v2 ^= 0xff;
	sip_rounds(&s, d_rounds);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t crypto_siphash24(const uint8_t key[CRYPTO_SIPHASH_KEY_BYTES], const void *data, size_t len)
{
	return siphash(key, data, len, 2, 4);
}

uint64_t crypto_siphash13(const uint8_t key[CRYPTO_SIPHASH_KEY_BYTES], const void *data, size_t len)
{
	return siphash(key, data, len, 1, 3);
}
