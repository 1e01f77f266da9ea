/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes, random bytes, and text forms of bytes.
 *
 * Threads: all functions may be called from any thread. Nothing but crypto_sha256() (inside OpenSSL) allocates.
 */
#ifndef VEER_BASE_CRYPTO_H
#define VEER_BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CRYPTO_SHA256_BYTES 32
#define CRYPTO_SIPHASH_KEY_BYTES 16

/* SHA-256 (FIPS 180-4) of `len` bytes. Errors: VEER_ENOMEM, VEER_EIO (OpenSSL refuses). */
VEER_MUST_CHECK enum veer_err crypto_sha256(const void *data, size_t len, uint8_t out[CRYPTO_SHA256_BYTES]);

#define CRYPTO_SHA256_HEX_SIZE (2 * CRYPTO_SHA256_BYTES + 1)
/* The same as lower-case hex text, NUL-terminated. */
VEER_MUST_CHECK enum veer_err crypto_sha256_hex(const void *data, size_t len, char out[CRYPTO_SHA256_HEX_SIZE]);

/* `len` bytes from the kernel's generator; waits for it at boot. Errors: VEER_EIO, never on a working system. */
VEER_MUST_CHECK enum veer_err crypto_random(void *out, size_t len) __attribute__((warn_unused_result));

/* Whether two secrets of the same length are equal, in a time that does not depend on where they differ. */
bool crypto_equal(const void *a, const void *b, size_t len);

#define CRYPTO_TOKEN_SIZE 44
/* A bearer token: 32 random bytes in base 62, always 43 characters of [0-9A-Za-z] and a NUL. Errors: VEER_EIO. */
VEER_MUST_CHECK enum veer_err crypto_token(char out[CRYPTO_TOKEN_SIZE]) __attribute__((warn_unused_result));

/* 32 bytes as one number in base 62, most significant digit first: always 43 characters of [0-9A-Za-z] and a NUL. */
void crypto_base62(const uint8_t data[CRYPTO_SHA256_BYTES], char out[CRYPTO_TOKEN_SIZE]);

/* Bytes of base64 text for `len` bytes of data, the NUL included. */
size_t crypto_base64_size(size_t len);
/* Base64 with padding (RFC 4648 section 4), NUL-terminated, into `out` of at least crypto_base64_size(len) bytes. */
void crypto_base64_encode(const void *data, size_t len, char *out);
/*
 * The strict inverse: padding required, no blanks, no bits set after the end (RFC 4648 section 3.5).
 * Errors: VEER_EINVAL; VEER_ERANGE when `size` is too small.
 */
VEER_MUST_CHECK enum veer_err crypto_base64_decode(const char *text, size_t text_len, void *out, size_t size,
						   size_t *out_len);

/* Lower-case hex, NUL-terminated, into `out` of at least 2 * len + 1 bytes. */
void crypto_hex_encode(const void *data, size_t len, char *out);
/* The strict inverse, either case; `text_len` must be 2 * len. Errors: VEER_EINVAL. */
enum veer_err crypto_hex_decode(const char *text, size_t text_len, void *out, size_t len);

/*
 * Keyed 64-bit hashes for tables and cookies whose input an attacker chooses. SipHash-2-4 is what DNS cookies use
 * (RFC 9018 section 4.4; take the result as little-endian bytes there); SipHash-1-3 is faster and enough for tables.
 */
uint64_t crypto_siphash24(const uint8_t key[CRYPTO_SIPHASH_KEY_BYTES], const void *data, size_t len);
uint64_t crypto_siphash13(const uint8_t key[CRYPTO_SIPHASH_KEY_BYTES], const void *data, size_t len);

#endif
