/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/enrolment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/credentials.h"
#include "api/rest/handlers.h"
#include "api/rest/secrets.h"

enum { NONCE_MIN = 32, NONCE_MAX = 64 };

static const char *field(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool is_enrolled(const json_t *identity)
{
	const char *state = field(identity, "state");
	return state != NULL && strcmp(state, "enrolled") == 0;
}

/* What is known about an enrolment token, and what was sent with it. */
struct enrolment {
	json_t *object;
	int64_t revision;
	char hash[CRYPTO_SHA256_HEX_SIZE];       /* SHA-256 of the token, which is its key in the store */
	char nonce_hash[CRYPTO_SHA256_HEX_SIZE]; /* "": none was sent */
	char credential[SECRET_SIZE];            /* the credential that is or was given for the token; "": none yet */
};

static bool copy_object(void *ctx, const struct directory_entry *entry)
{
	struct enrolment *enrolment = ctx;
	enrolment->object = json_deep_copy(entry->object);
	enrolment->revision = entry->revision;
	return true;
}

static void reply_identity(struct api_reply *reply, const struct enrolment *enrolment, const char *id)
{
	api_reply_json(reply, 201,
		       json_pack("{s:s, s:s, s:s, s:s?}", "id", id, "credential", enrolment->credential, "name",
				 field(enrolment->object, "name"), "region", field(enrolment->object, "region")));
}

static void refuse(struct api_reply *reply)
{
	api_problem(reply, 401, "enrolment",
		    "the enrolment token is not known, was used, or is older than %d h: make another", ENROLMENT_HOURS);
}

static bool is_nonce(const char *text)
{
	size_t len = strlen(text);
	return len >= NONCE_MIN && len <= NONCE_MAX &&
	       strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == len;
}

/*
 * The credential for a token and a nonce is always the same, base62 of SHA-256 of both, so that only hashes have to be
 * kept to give it twice. Both have 256 random bits, and only the enrolling program has the nonce. Without a nonce the
 * credential is random.
 */
static bool make_credential(struct enrolment *enrolment, const char *token, const char *nonce)
{
	static const char prefix[] = "vrc_";
	char text[2 * SECRET_SIZE + 32], base62[CRYPTO_TOKEN_SIZE], hash[CRYPTO_SHA256_HEX_SIZE];
	uint8_t digest[CRYPTO_SHA256_BYTES];
	if (nonce == NULL)
		return secret_draw(prefix, enrolment->credential, hash);
	int len = snprintf(text, sizeof text, "veer credential\n%s\n%s", token, nonce);
	if (len < 0 || (size_t)len >= sizeof text || crypto_sha256(text, (size_t)len, digest) != VEER_OK)
		return false;
	crypto_base62(digest, base62);
	(void)snprintf(enrolment->credential, sizeof enrolment->credential, "%s%s", prefix, base62);
	return crypto_sha256_hex(nonce, strlen(nonce), enrolment->nonce_hash) == VEER_OK;
}

/* Exchange the announcement for an identity. */
static void exchange(struct api *api, struct api_request *request, struct api_reply *reply,
		     const struct enrolment *enrolment)
{
	bool is_agent = strcmp(field(enrolment->object, "kind"), "agent") == 0;
	char id[API_ID_SIZE], hash[CRYPTO_SHA256_HEX_SIZE];
	struct change_result result;
	if (crypto_sha256_hex(enrolment->credential, strlen(enrolment->credential), hash) != VEER_OK ||
	    !secret_draw_id(is_agent ? "ag-" : "ns-", id, sizeof id)) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	struct enrolment_wish w = {.announcement = enrolment->object,
				   .revision = enrolment->revision,
				   .hash = enrolment->hash,
				   .nonce_hash = enrolment->nonce_hash[0] != '\0' ? enrolment->nonce_hash : NULL,
				   .id = id,
				   .credential_hash = hash};
	enum veer_err err = api_change_always(api, request, enrolment_wish(&w), &result);
	if (err != VEER_OK)
		api_problem_change(reply, err, &result);
	else
		reply_identity(reply, enrolment, id);
}

static bool copy_hash(void *ctx, const struct directory_entry *entry)
{
	const char *hash = field(entry->object, model_kind_row(entry->kind)->secret);
	if (is_enrolled(entry->object) && hash != NULL)
		(void)snprintf(ctx, CRYPTO_SHA256_HEX_SIZE, "%s", hash);
	return true;
}

/*
 * The token was used. A client that sends the nonce that it was used with has not received the reply, or has lost it:
 * it gets the same reply again, as long as that identity is good.
 */
static void answer_again(struct api *api, struct api_reply *reply, const struct enrolment *enrolment,
			 enum model_kind kind)
{
	const char *nonce_hash = field(enrolment->object, "nonce_sha256"), *id = field(enrolment->object, "used_by");
	char hash[CRYPTO_SHA256_HEX_SIZE] = "", stored[CRYPTO_SHA256_HEX_SIZE] = "";
	bool is_same = nonce_hash != NULL && strlen(nonce_hash) == CRYPTO_SHA256_HEX_SIZE - 1 && id != NULL &&
		       crypto_equal(nonce_hash, enrolment->nonce_hash, CRYPTO_SHA256_HEX_SIZE) &&
		       crypto_sha256_hex(enrolment->credential, strlen(enrolment->credential), hash) == VEER_OK &&
		       directory_get(api->control.directory, kind, id, copy_hash, stored) == VEER_OK &&
		       crypto_equal(hash, stored, sizeof hash);
	if (!is_same) {
		refuse(reply);
		return;
	}
	log_notice(api->control.log, "enrolled before; the reply is given again", LOG_STR("id", id),
		   LOG_STR("name", field(enrolment->object, "name")));
	reply_identity(reply, enrolment, id);
}

/* Does the token exist, is it for this kind, and is it not too old? */
static bool is_good(const struct enrolment *enrolment, const char *kind, int64_t now_s)
{
	const char *is_for = field(enrolment->object, "kind");
	return is_for != NULL && strcmp(is_for, kind) == 0 &&
	       now_s <= json_integer_value(json_object_get(enrolment->object, "expires_s"));
}

/* Look up what is known about the token. False: memory is out. */
static bool look_up(struct api *api, const char *token, const char *nonce, struct enrolment *enrolment)
{
	if (crypto_sha256_hex(token, strlen(token), enrolment->hash) != VEER_OK ||
	    !make_credential(enrolment, token, nonce))
		return false;
	(void)directory_get(api->control.directory, MODEL_KIND_ENROLMENT, enrolment->hash, copy_object, enrolment);
	return true;
}

void handle_enrol(void *ctx, struct api_request *request, struct api_reply *reply)
{
	static const char *const kinds[] = {"agent", "nameserver"};
	struct api *api = ctx;
	json_t *body = NULL;
	struct json_cursor c;
	struct veer_diag diag = {""};
	struct enrolment enrolment = {0};
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	const char *token = veer_json_str(&c, "token", SECRET_SIZE);
	int kind = veer_json_enum_or(&c, "kind", kinds, 2, -1);
	const char *region = veer_json_str_or(&c, "region", MODEL_NAME_MAX, NULL);
	const char *nonce = veer_json_str_or(&c, "nonce", SECRET_SIZE, NULL);
	if (c.err == VEER_OK && nonce != NULL && !is_nonce(nonce))
		veer_json_fail(&c, "nonce", VEER_EINVAL, "is not 32 to 64 of a-z A-Z 0-9");
	enum veer_err err = veer_json_end(&c);
	bool is_looked_up = err == VEER_OK && look_up(api, token, nonce, &enrolment);
	const char *enrolled_region = field(enrolment.object, "region");
	if (err != VEER_OK)
		api_problem_invalid(reply, &diag);
	else if (!is_looked_up)
		api_problem_err(reply, VEER_ENOMEM);
	else if (!is_good(&enrolment, kinds[kind], veer_clock_wall_ns(api->control.clock) / 1000000000))
		refuse(reply);
	else if (region != NULL && enrolled_region != NULL && strcmp(region, enrolled_region) != 0)
		api_problem(reply, 409, "region", "the token is for region \"%s\", not \"%s\"", enrolled_region,
			    region);
	else if (json_object_get(enrolment.object, "used_by") != NULL)
		answer_again(api, reply, &enrolment, kind == 0 ? MODEL_KIND_AGENT : MODEL_KIND_NAMESERVER);
	else
		exchange(api, request, reply, &enrolment);
	json_decref(enrolment.object);
	json_decref(body);
}
