/* SPDX-License-Identifier: Apache-2.0 */
/* DNS cookies. See cookie.h. The layout (RFC 9018 4): version, three reserved octets, timestamp, hash. */
#include "dnsd/packet/cookie.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"

#define VERSION 1
#define TIME_AT 4
#define HASH_AT 8
#define HASH_LEN 8
#define FILE_MAX 4096

/*
 * Compute the hash over everything except the hash itself (RFC 9018 4.4): the octets of SipHash's result, the lowest
 * first.
 */
static void hash(const uint8_t key[CRYPTO_SIPHASH_KEY_BYTES], const struct cookie_client *client,
		 const uint8_t head[HASH_AT], uint8_t out[HASH_LEN])
{
	uint8_t input[COOKIE_CLIENT_LEN + HASH_AT + 16];
	memcpy(input, client->cookie, COOKIE_CLIENT_LEN);
	memcpy(input + COOKIE_CLIENT_LEN, head, HASH_AT);
	memcpy(input + COOKIE_CLIENT_LEN + HASH_AT, client->address, client->address_len);
	uint64_t value = crypto_siphash24(key, input, COOKIE_CLIENT_LEN + HASH_AT + client->address_len);
	for (int i = 0; i < HASH_LEN; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

void cookie_make(const uint8_t key[CRYPTO_SIPHASH_KEY_BYTES], const struct cookie_client *client, uint32_t now_s,
		 uint8_t out[COOKIE_SERVER_LEN])
{
	struct byte_writer w;
	byte_writer_init(&w, out, HASH_AT);
	byte_write_u32(&w, (uint32_t)VERSION << 24);
	byte_write_u32(&w, now_s);
	hash(key, client, out, out + HASH_AT);
}

/* Which secret made the cookie; -1: none. */
static int maker_of(const struct cookie_secrets *secrets, const struct cookie_client *client, const uint8_t *server)
{
	for (unsigned i = 0; i < secrets->count; i++) {
		uint8_t expected[HASH_LEN];
		hash(secrets->keys[i], client, server, expected);
		if (crypto_equal(expected, server + HASH_AT, HASH_LEN))
			return (int)i;
	}
	return -1;
}

bool cookie_check(const struct cookie_secrets *secrets, const struct cookie_client *client, const uint8_t *server,
		  size_t len, uint32_t now_s, uint8_t out[COOKIE_SERVER_LEN])
{
	struct byte_reader r;
	byte_reader_init(&r, server, len);
	int maker = -1;
	uint8_t version = byte_read_u8(&r);
	(void)byte_read_span(&r, 3);
	/* serial number arithmetic (RFC 1982): the clock may pass 2^32 */
	int32_t age_s = (int32_t)(now_s - byte_read_u32(&r));
	/* the reserved octets are hashed as they came, and otherwise ignored (RFC 9018 4.2) */
	if (len == COOKIE_SERVER_LEN && version == VERSION && age_s <= COOKIE_OLD_S && age_s >= -COOKIE_AHEAD_S)
		maker = maker_of(secrets, client, server);
	if (maker == 0 && age_s >= 0 && age_s <= COOKIE_RENEW_S)
		memcpy(out, server, COOKIE_SERVER_LEN);
	else
		cookie_make(secrets->keys[0], client, now_s, out);
	return maker >= 0;
}

static enum veer_err read_line(const char *path, char *line, unsigned number, struct cookie_secrets *out,
			       struct veer_diag *diag)
{
	size_t len = strcspn(line, " \t\r");
	if (len == 0 || line[0] == '#')
		return VEER_OK;
	if (out->count == COOKIE_SECRETS_MAX)
		return veer_fail(diag, VEER_EINVAL, "%s:%u: more than %d secrets", path, number, COOKIE_SECRETS_MAX);
	if (len != 2 * sizeof out->keys[0] ||
	    crypto_hex_decode(line, len, out->keys[out->count], sizeof out->keys[0]) != VEER_OK)
		return veer_fail(diag, VEER_EINVAL, "%s:%u: a cookie secret is 32 hex digits", path, number);
	out->count++;
	return VEER_OK;
}

enum veer_err cookie_secrets_load(const char *path, struct cookie_secrets *out, struct veer_diag *diag)
{
	struct cookie_secrets read = {.count = 0};
	char *text;
	size_t len;
	enum veer_err err = file_read(path, FILE_MAX, &text, &len, diag);
	if (err != VEER_OK)
		return err;
	char *line = text;
	for (unsigned number = 1; err == VEER_OK && line != NULL; number++) {
		char *end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		err = read_line(path, line, number, &read, diag);
		line = end;
	}
	if (err == VEER_OK && read.count == 0)
		err = veer_fail(diag, VEER_EINVAL, "%s: no cookie secret", path);
	if (err == VEER_OK)
		*out = read;
	explicit_bzero(text, len);
	free(text);
	explicit_bzero(&read, sizeof read);
	return err;
}
