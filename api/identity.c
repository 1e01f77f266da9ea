/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents, name servers and API tokens: who may talk to us. Secrets are drawn here, shown once, and kept as hashes.
 * An agent or name server is first announced by an administrator (a one-use enrolment token), then enrols itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/revocations.h"
#include "base/crypto.h"
#include "probes/verdict.h"

enum { SECRET_SIZE = 64, ENROLMENT_HOURS = 24, TOKEN_NAME_MAX = 63, SCOPES_MAX = 9, EXPIRED_AT_ONCE = 10 };

/* PREFIX and 43 characters of base62, and its hash. */
static bool draw_secret(const char *prefix, char *secret, char *hash)
{
	char random[CRYPTO_TOKEN_SIZE];
	if (crypto_token(random) != VEER_OK)
		return false;
	(void)snprintf(secret, SECRET_SIZE, "%s%s", prefix, random);
	return crypto_sha256_hex(secret, strlen(secret), hash) == VEER_OK;
}

/* PREFIX and six lower-case characters: ids are names, not secrets. */
static bool draw_id(const char *prefix, char *id, size_t size)
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

/* A put of `value` (taken) as `key`; the text lives in the request's arena. */
static bool make_put(struct api_request *request, enum model_kind kind, const char *key, json_t *value, int64_t expect,
		     struct store_op *op)
{
	char *text = value != NULL ? veer_json_dump(value) : NULL;
	json_decref(value);
	*op = (struct store_op){.op = STORE_PUT, .kind = kind, .key = key, .expect = expect};
	if (text != NULL) {
		op->value = arena_strdup(request->arena, text);
		op->value_len = strlen(text);
	}
	free(text);
	return op->value != NULL;
}

/* Announcements whose time is over: each new one takes some of them away, so that they do not pile up. */
struct expired {
	struct arena *arena;
	struct store_op ops[1 + EXPIRED_AT_ONCE]; /* the first is the caller's */
	size_t count;
	int64_t now_s;
};

static bool add_expired(void *ctx, const struct directory_entry *entry)
{
	struct expired *e = ctx;
	if (json_integer_value(json_object_get(entry->object, "expires_s")) >= e->now_s)
		return true;
	char *key = arena_strdup(e->arena, entry->key);
	if (key != NULL)
		e->ops[e->count++] = (struct store_op){
			.op = STORE_DEL, .kind = MODEL_KIND_ENROLMENT, .key = key, .expect = STORE_ANY};
	return key != NULL && e->count < 1 + EXPIRED_AT_ONCE;
}

static bool count_enrolled(void *ctx, const struct directory_entry *entry)
{
	const char *state = json_string_value(json_object_get(entry->object, "state"));
	*(size_t *)ctx += state != NULL && strcmp(state, "enrolled") == 0;
	return true;
}

/* More agents than the verdict engine takes would only be left out. Answers the request when there is no room. */
static bool has_room(struct api *api, struct api_reply *reply, bool is_agent)
{
	size_t count = 0;
	if (is_agent)
		directory_list(api->directory, MODEL_KIND_AGENT, NULL, count_enrolled, &count);
	if (count >= VERDICT_AGENTS_MAX)
		api_problem(reply, 422, "invalid", "there are %d agents already: revoke one first", VERDICT_AGENTS_MAX);
	return count < VERDICT_AGENTS_MAX;
}

/* The announcement of an agent or name server: makes an enrolment token. */
void handle_identity_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	bool is_agent = request->arg == MODEL_KIND_AGENT;
	json_t *body = NULL;
	struct json_cursor c;
	struct veer_diag diag = {""};
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	const char *name = veer_json_str(&c, "name", MODEL_NAME_MAX);
	const char *region = is_agent ? veer_json_str(&c, "region", MODEL_NAME_MAX) : NULL;
	const char *site = veer_json_str_or(&c, "site", MODEL_NAME_MAX, NULL);
	if (c.err == VEER_OK && !model_is_name(name))
		veer_json_fail(&c, "name", VEER_EINVAL, "\"%s\" is not a name (1 to 63 of a-z 0-9 -)", name);
	if (c.err == VEER_OK && region != NULL && !model_is_name(region))
		veer_json_fail(&c, "region", VEER_EINVAL, "\"%s\" is not a name (1 to 63 of a-z 0-9 -)", region);
	enum veer_err err = veer_json_end(&c);
	char secret[SECRET_SIZE], hash[CRYPTO_SHA256_HEX_SIZE], expires[VEER_RFC3339_SIZE];
	int64_t expires_ns = veer_clock_wall_ns(api->clock) + (int64_t)ENROLMENT_HOURS * 3600 * 1000000000;
	veer_rfc3339(expires_ns, expires);
	struct expired e = {.arena = request->arena, .count = 1, .now_s = veer_clock_wall_ns(api->clock) / 1000000000};
	int64_t revision;
	directory_list(api->directory, MODEL_KIND_ENROLMENT, NULL, add_expired, &e);
	if (err != VEER_OK) {
		api_problem_invalid(reply, &diag);
	} else if (!has_room(api, reply, is_agent)) {
		json_decref(body);
		return;
	} else if (!draw_secret("vre_", secret, hash) ||
		   !make_put(request, MODEL_KIND_ENROLMENT, hash,
			     json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:I}", "kind", is_agent ? "agent" : "nameserver",
				       "name", name, "region", region, "site", site, "expires_at", expires, "expires_s",
				       (json_int_t)(expires_ns / 1000000000)),
			     STORE_ABSENT, &e.ops[0])) {
		api_problem_err(reply, VEER_ENOMEM);
	} else if (api_commit(api, reply, e.ops, e.count, &revision)) {
		api_reply_json(reply, 201,
			       json_pack("{s:s, s:s, s:s?, s:s}", "token", secret, "name", name, "region", region,
					 "expires_at", expires));
	}
	json_decref(body);
}

/* What an enrolment token stands for. */
struct enrolment {
	json_t *object;
	int64_t revision;
};

static bool copy_object(void *ctx, const struct directory_entry *entry)
{
	struct enrolment *enrolment = ctx;
	enrolment->object = json_deep_copy(entry->object);
	enrolment->revision = entry->revision;
	return true;
}

static const char *field(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Exchange the announcement for an identity, in one transaction: the token works once. */
static void exchange(struct api *api, struct api_request *request, struct api_reply *reply,
		     const struct enrolment *enrolment, const char *hash)
{
	bool is_agent = strcmp(field(enrolment->object, "kind"), "agent") == 0;
	char id[API_ID_SIZE], secret[SECRET_SIZE], secret_hash[CRYPTO_SHA256_HEX_SIZE];
	struct store_op ops[2] = {
		{.op = STORE_DEL, .kind = MODEL_KIND_ENROLMENT, .key = hash, .expect = enrolment->revision}};
	if (!draw_id(is_agent ? "ag-" : "ns-", id, sizeof id) || !draw_secret("vrc_", secret, secret_hash) ||
	    !make_put(request, is_agent ? MODEL_KIND_AGENT : MODEL_KIND_NAMESERVER, id,
		      json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:s}", "id", id, "name",
				field(enrolment->object, "name"), "region", field(enrolment->object, "region"), "site",
				field(enrolment->object, "site"), "credential_sha256", secret_hash, "state", "enrolled",
				"created_at", api_now_text(api, request->arena)),
		      STORE_ABSENT, &ops[1])) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	int64_t revision;
	if (!api_commit(api, reply, ops, 2, &revision))
		return;
	log_notice(api->log, "enrolled", LOG_STR("id", id), LOG_STR("name", field(enrolment->object, "name")));
	api_reply_json(reply, 201,
		       json_pack("{s:s, s:s, s:s, s:s?}", "id", id, "credential", secret, "name",
				 field(enrolment->object, "name"), "region", field(enrolment->object, "region")));
}

/* Is it there, for this kind, and not too old? */
static bool is_good(const struct enrolment *enrolment, const char *kind, int64_t now_s)
{
	const char *is_for = field(enrolment->object, "kind");
	return is_for != NULL && strcmp(is_for, kind) == 0 &&
	       now_s <= json_integer_value(json_object_get(enrolment->object, "expires_s"));
}

void handle_enrol(void *ctx, struct api_request *request, struct api_reply *reply)
{
	static const char *const kinds[] = {"agent", "nameserver"};
	struct api *api = ctx;
	json_t *body = NULL;
	struct json_cursor c;
	struct veer_diag diag = {""};
	struct enrolment enrolment = {0};
	char hash[CRYPTO_SHA256_HEX_SIZE] = "";
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	const char *token = veer_json_str(&c, "token", SECRET_SIZE);
	int kind = veer_json_enum_or(&c, "kind", kinds, 2, -1);
	const char *region = veer_json_str_or(&c, "region", MODEL_NAME_MAX, NULL);
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK && crypto_sha256_hex(token, strlen(token), hash) == VEER_OK)
		(void)directory_get(api->directory, MODEL_KIND_ENROLMENT, hash, copy_object, &enrolment);
	const char *enrolled_region = field(enrolment.object, "region");
	int64_t now_s = veer_clock_wall_ns(api->clock) / 1000000000;
	if (err != VEER_OK)
		api_problem_invalid(reply, &diag);
	else if (!is_good(&enrolment, kinds[kind], now_s))
		api_problem(reply, 401, "enrolment",
			    "the enrolment token is not known, was used, or is older than %d h: make another",
			    ENROLMENT_HOURS);
	else if (region != NULL && enrolled_region != NULL && strcmp(region, enrolled_region) != 0)
		api_problem(reply, 409, "region", "the token is for region \"%s\", not \"%s\"", enrolled_region,
			    region);
	else if (has_room(api, reply, strcmp(kinds[kind], "agent") == 0))
		exchange(api, request, reply, &enrolment, hash);
	json_decref(enrolment.object);
	json_decref(body);
}

void handle_identity_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	enum model_kind kind = (enum model_kind)request->arg;
	struct enrolment found = {0};
	if (directory_get(api->directory, kind, request->params[0], copy_object, &found) != VEER_OK) {
		api_problem_missing(reply, kind, request->params[0]);
		return;
	}
	(void)json_object_del(found.object, "credential_sha256");
	(void)json_object_set_new(found.object, "revision", json_integer(found.revision));
	api_reply_json(reply, 200, found.object);
}

/* Revoked identities stay as a record; their credential stops working with the commit. */
void handle_identity_revoke(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	enum model_kind kind = (enum model_kind)request->arg;
	struct enrolment found = {0};
	struct store_op op;
	int64_t revision;
	if (directory_get(api->directory, kind, request->params[0], copy_object, &found) != VEER_OK) {
		api_problem_missing(reply, kind, request->params[0]);
		return;
	}
	(void)json_object_set_new(found.object, "state", json_string("revoked"));
	if (!make_put(request, kind, request->params[0], found.object, found.revision, &op)) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	if (!api_commit(api, reply, &op, 1, &revision))
		return;
	revocations_note(api, kind, request->params[0]);
	log_notice(api->log, "revoked", LOG_STR("id", request->params[0]));
}

void handle_identities_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, (enum model_kind)request->arg, "credential_sha256");
}

void handle_tokens_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, MODEL_KIND_TOKEN, "secret_sha256");
}

/* The wanted scopes, each known and none that the asking token lacks itself. */
static json_t *read_scopes(struct json_cursor *c, const struct api_principal *who)
{
	const json_t *wanted = veer_json_array(c, "scopes", SCOPES_MAX, true);
	json_t *scopes = json_array();
	size_t i;
	json_t *element;
	json_array_foreach((json_t *)(uintptr_t)wanted, i, element)
	{
		const char *text = json_string_value(element);
		enum api_scope scope = text != NULL ? api_scope_from_text(text) : API_SCOPE_NONE;
		if (scope == API_SCOPE_NONE)
			veer_json_fail(c, "scopes", VEER_EINVAL, "\"%s\" is not a scope", text != NULL ? text : "?");
		else if (who->role == API_ROLE_TOKEN && (who->scopes & ((unsigned)scope | API_SCOPE_ADMIN)) == 0)
			veer_json_fail(c, "scopes", VEER_EAUTH, "a token cannot give the scope %s that it lacks", text);
		else
			(void)json_array_append_new(scopes, json_string(text));
	}
	if (c->err == VEER_OK && json_array_size(scopes) == 0)
		veer_json_fail(c, "scopes", VEER_EINVAL, "must not be empty");
	return scopes;
}

void handle_token_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *body = NULL;
	struct json_cursor c;
	struct veer_diag diag = {""};
	char id[API_ID_SIZE], secret[SECRET_SIZE], hash[CRYPTO_SHA256_HEX_SIZE];
	struct store_op op;
	int64_t revision;
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	const char *name = veer_json_str(&c, "name", TOKEN_NAME_MAX);
	json_t *scopes = read_scopes(&c, &request->principal);
	if (veer_json_end(&c) != VEER_OK) {
		api_problem_invalid(reply, &diag);
	} else if (!draw_id("t-", id, sizeof id) || !draw_secret("vrt_", secret, hash) ||
		   !make_put(request, MODEL_KIND_TOKEN, id,
			     json_pack("{s:s, s:s, s:O, s:s, s:s}", "id", id, "name", name, "scopes", scopes,
				       "secret_sha256", hash, "created_at", api_now_text(api, request->arena)),
			     STORE_ABSENT, &op)) {
		api_problem_err(reply, VEER_ENOMEM);
	} else if (api_commit(api, reply, &op, 1, &revision)) {
		char token[API_ID_SIZE + SECRET_SIZE];
		(void)snprintf(token, sizeof token, "%s.%s", id, secret);
		api_reply_json(reply, 201, json_pack("{s:s, s:s, s:s}", "id", id, "name", name, "token", token));
	}
	json_decref(scopes);
	json_decref(body);
}

void handle_token_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	int64_t revision = api_revision_of(api, MODEL_KIND_TOKEN, request->params[0]);
	if (revision == 0) {
		api_problem_missing(reply, MODEL_KIND_TOKEN, request->params[0]);
		return;
	}
	struct store_op op = {.op = STORE_DEL, .kind = MODEL_KIND_TOKEN, .key = request->params[0], .expect = revision};
	if (api_commit(api, reply, &op, 1, &revision))
		revocations_note(api, MODEL_KIND_TOKEN, request->params[0]);
}
