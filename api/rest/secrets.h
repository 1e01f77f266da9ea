/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets that are shown once and kept as SHA-256 (256 random bits need no slow hash), and the ids that go with them.
 *
 * Threads: any.
 */
#ifndef VEER_API_REST_SECRETS_H
#define VEER_API_REST_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"

#define SECRET_SIZE 64 /* a prefix and 43 characters of base62 */

/*
 * Draw a secret that begins with `prefix`, and its hash (CRYPTO_SHA256_HEX_SIZE). False: there are no random numbers.
 */
bool secret_draw(const char *prefix, char *secret, char *hash);
/* Draw an id: `prefix` and eight lower-case characters. It is a name, not a secret. False as above. */
bool secret_draw_id(const char *prefix, char *id, size_t size);
#endif
