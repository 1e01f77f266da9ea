/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/enrolment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/revocations.h"
#include "api/rest/handlers.h"
#include "api/rest/secrets.h"
#include "probes/verdict/verdict.h"

enum { REPLACED_MAX = 8, NONCE_MIN = 32, NONCE_MAX = 64 };

/* The enrolled, but for those of one name. */
struct others {
	const char *name;
	size_t count;
};

static const char *field(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool is_enrolled(const json_t *identity)
{
	const char *state = field(identity, "state");
	return state != NULL && strcmp(state, "enrolled") == 0;
}

static bool count_other(void *ctx, const struct directory_entry *entry)
{
	struct others *others = ctx;
	const char *name = field(entry->object, "name");
	others->count += is_enrolled(entry->object) && (name == NULL || strcmp(name, others->name) != 0);
	return true;
}

bool identity_has_room(struct api *api, struct api_reply *reply, bool is_agent, const char *name)
{
	struct others others = {.name = name};
	if (is_agent)
		directory_list(api->control.directory, MODEL_KIND_AGENT, NULL, count_other, &others);
	if (others.count >= VERDICT_AGENTS_MAX)
		api_problem(reply, 422, "no-room", "there are %d agents already: revoke one first", VERDICT_AGENTS_MAX);
	return others.count < VERDICT_AGENTS_MAX;
}

/* What an enrolment token stands for, and what came with it. */
struct enrolment {
	json_t *object;
	int64_t revision;
	char hash[CRYPTO_SHA256_HEX_SIZE];       /* of the token: its key */
	char nonce_hash[CRYPTO_SHA256_HEX_SIZE]; /* "": none was sent */
	char credential[SECRET_SIZE];            /* what is or was given for it; "": drawn anew */
};

static bool copy_object(void *ctx, const struct directory_entry *entry)
{
	struct enrolment *enrolment = ctx;
	enrolment->object = json_deep_copy(entry->object);
	enrolment->revision = entry->revision;
	return true;
}

/* Earlier identities of the same name: they end with the one that takes their place. */
struct replaced {
	const char *name;
	struct arena *arena;
	struct store_op ops[2 + REPLACED_MAX]; /* the first two are the caller's */
	size_t count;
};

static bool add_replaced(void *ctx, const struct directory_entry *entry)
{
	struct replaced *r = ctx;
	const char *name = field(entry->object, "name");
	if (name == NULL || strcmp(name, r->name) != 0)
		return true;
	char *key = arena_strdup(r->arena, entry->key);
	if (key != NULL)
		r->ops[r->count++] =
			(struct store_op){.op = STORE_DEL, .kind = entry->kind, .key = key, .expect = entry->revision};
	return key != NULL && r->count < 2 + REPLACED_MAX;
}

static json_t *identity_json(struct api *api, struct api_request *request, const struct enrolment *enrolment,
			     const char *id, const char *hash)
{
	return json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:s}", "id", id, "name", field(enrolment->object, "name"),
			 "region", field(enrolment->object, "region"), "site", field(enrolment->object, "site"),
			 "credential_sha256", hash, "state", "enrolled", "created_at",
			 api_now_text(api, request->arena));
}

/* The announcement goes; with a nonce it stays, and says for whom it was used. */
static bool end_announcement(struct api_request *request, const struct enrolment *enrolment, const char *id,
			     struct store_op *op)
{
	*op = (struct store_op){
		.op = STORE_DEL, .kind = MODEL_KIND_ENROLMENT, .key = enrolment->hash, .expect = enrolment->revision};
	if (enrolment->nonce_hash[0] == '\0')
		return true;
	json_t *used = json_deep_copy(enrolment->object);
	(void)json_object_set_new(used, "nonce_sha256", json_string(enrolment->nonce_hash));
	(void)json_object_set_new(used, "used_by", json_string(id));
	return secret_put_op(request, MODEL_KIND_ENROLMENT, enrolment->hash, used, enrolment->revision, op);
}

static void reply_identity(struct api_reply *reply, const struct enrolment *enrolment, const char *id)
{
	api_reply_json(reply, 201,
		       json_pack("{s:s, s:s, s:s, s:s?}", "id", id, "credential", enrolment->credential, "name",
				 field(enrolment->object, "name"), "region", field(enrolment->object, "region")));
}

/* Say what has ended, also beside the store: one that is put back must not bring a credential to life again. */
static void note_replaced(struct api *api, const struct replaced *r, const char *id)
{
	for (size_t i = 2; i < r->count; i++) {
		revocations_note(&api->control, r->ops[i].kind, r->ops[i].key);
		log_notice(api->control.log, "replaced", LOG_STR("id", r->ops[i].key), LOG_STR("name", r->name),
			   LOG_STR("by", id));
	}
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
 * The credential for a token and a nonce is always the same, so that nothing but hashes has to be kept to give it
 * twice: base62 of SHA-256 of both. Both have 256 random bits, and only who enrols has the nonce. Without a nonce it is
 * drawn.
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

/*
 * Exchange the announcement for an identity, in one transaction: the token works once. Whoever had the name before is
 * gone, with its credential: two of a name would be one agent too many to ask.
 */
static void exchange(struct api *api, struct api_request *request, struct api_reply *reply,
		     const struct enrolment *enrolment)
{
	bool is_agent = strcmp(field(enrolment->object, "kind"), "agent") == 0;
	enum model_kind kind = is_agent ? MODEL_KIND_AGENT : MODEL_KIND_NAMESERVER;
	char id[API_ID_SIZE], hash[CRYPTO_SHA256_HEX_SIZE];
	struct replaced r = {.name = field(enrolment->object, "name"), .arena = request->arena, .count = 2};
	if (crypto_sha256_hex(enrolment->credential, strlen(enrolment->credential), hash) != VEER_OK ||
	    !secret_draw_id(is_agent ? "ag-" : "ns-", id, sizeof id) ||
	    !end_announcement(request, enrolment, id, &r.ops[0]) ||
	    !secret_put_op(request, kind, id, identity_json(api, request, enrolment, id, hash), STORE_ABSENT,
			   &r.ops[1])) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	int64_t revision;
	/* one after the other: two that enrol with one name, or for the last place, at once must see each other */
	write_gate_enter(&api->control.write_gate, true);
	bool is_committed = identity_has_room(api, reply, is_agent, r.name);
	if (is_committed) {
		directory_list(api->control.directory, kind, NULL, add_replaced, &r);
		is_committed = api_commit(api, reply, r.ops, r.count, &revision);
	}
	write_gate_leave(&api->control.write_gate);
	if (!is_committed)
		return;
	log_notice(api->control.log, "enrolled", LOG_STR("id", id), LOG_STR("name", r.name));
	note_replaced(api, &r, id);
	reply_identity(reply, enrolment, id);
}

static bool copy_hash(void *ctx, const struct directory_entry *entry)
{
	const char *hash = field(entry->object, "credential_sha256");
	if (is_enrolled(entry->object) && hash != NULL)
		(void)snprintf(ctx, CRYPTO_SHA256_HEX_SIZE, "%s", hash);
	return true;
}

/*
 * The token was used. Whoever shows the nonce that it was used with has not had the reply, or has lost it: it is the
 * same again, while that identity is good.
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

/* Is it there, for this kind, and not too old? */
static bool is_good(const struct enrolment *enrolment, const char *kind, int64_t now_s)
{
	const char *is_for = field(enrolment->object, "kind");
	return is_for != NULL && strcmp(is_for, kind) == 0 &&
	       now_s <= json_integer_value(json_object_get(enrolment->object, "expires_s"));
}

/* What is known of the token. False: memory is out. */
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
