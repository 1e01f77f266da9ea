/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets and ids that the API gives out. See secrets.h. */
#include "api/rest/secrets.h"

#include <stdio.h>
#include <string.h>

bool secret_draw(const char *prefix, char *secret, char *hash)
{
	char random[CRYPTO_TOKEN_SIZE];
	if (crypto_token(random) != VEER_OK)
		return false;
	(void)snprintf(secret, SECRET_SIZE, "%s%s", prefix, random);
	return crypto_sha256_hex(secret, strlen(secret), hash) == VEER_OK;
}

bool secret_draw_id(const char *prefix, char *id, size_t size)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz012345";
	uint8_t random[8];
	char text[sizeof random + 1];
	if (crypto_random(random, sizeof random) != VEER_OK)
		return false;
	for (size_t i = 0; i < sizeof random; i++)
		text[i] = alphabet[random[i] % 32];
	text[sizeof random] = '\0';
	(void)snprintf(id, size, "%s%s", prefix, text);
	return true;
}
