/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The digest of a set of objects: the sum, modulo 2^128, of the first 16 octets of SHA-256(kind NUL key NUL bytes),
 * taken as a little-endian number, over all of them. It does not depend on the order, so that updating it for a change
 * of one object needs only the object's old and new value. It protects against mistakes, not against an attacker.
 *
 * Threads: pure.
 */
#ifndef VEER_ZONES_MODEL_DIGEST_H
#define VEER_ZONES_MODEL_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 16
#define DIGEST_HEX_SIZE (2 * DIGEST_BYTES + 1)

/* A number modulo 2^128. */
struct digest {
	uint64_t low;
	uint64_t high;
};

/*
 * The fed objects have two parts: content, which people and tools write, and state: verdicts, last sets and overrides.
 */
struct digest_pair {
	struct digest content;
	struct digest state;
};

/* Compute one object's summand. False when the crypto library fails. */
bool digest_of(const char *kind, const char *key, const void *bytes, size_t len, struct digest *out);

/* Add modulo 2^128. */
void digest_add(struct digest *sum, const struct digest *summand);
/* Subtract, modulo 2^128, what digest_add() has added. */
void digest_subtract(struct digest *sum, const struct digest *summand);
/* Are they the same? */
bool digest_equal(const struct digest *a, const struct digest *b);
/* Add both parts. */
void digest_pair_add(struct digest_pair *sum, const struct digest_pair *summand);
/* Subtract both parts. */
void digest_pair_subtract(struct digest_pair *sum, const struct digest_pair *summand);
/* Are both parts the same? */
bool digest_pair_equal(const struct digest_pair *a, const struct digest_pair *b);

/* Write the number in little endian. */
void digest_store(const struct digest *digest, uint8_t out[DIGEST_BYTES]);
/* The inverse of digest_store(). */
void digest_load(const uint8_t bytes[DIGEST_BYTES], struct digest *out);
/* Write the same octets in hex. */
void digest_print(const struct digest *digest, char out[DIGEST_HEX_SIZE]);
/* False when `text` (may be NULL) is not DIGEST_BYTES octets in hex. */
bool digest_parse(const char *text, struct digest *out);

#endif
