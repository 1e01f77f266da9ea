/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents and name servers: who may talk to us.
 * An agent or name server is first announced by an administrator (a one-use enrolment token), then enrols itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/revocations.h"
#include "api/secrets.h"
#include "probes/verdict/verdict.h"

enum { ENROLMENT_HOURS = 24, EXPIRED_AT_ONCE = 10, REPLACED_MAX = 8, REVOKED_KEPT_S = 30 * 86400 };

/* What nobody needs any more: each new announcement takes some of it away, so that it does not pile up. */
struct expired {
	struct arena *arena;
	struct store_op ops[1 + EXPIRED_AT_ONCE]; /* the first is the caller's */
	size_t count;
	int64_t now_s;
};

static bool add_deletion(struct expired *e, const struct directory_entry *entry)
{
	char *key = arena_strdup(e->arena, entry->key);
	if (key != NULL)
		e->ops[e->count++] =
			(struct store_op){.op = STORE_DEL, .kind = entry->kind, .key = key, .expect = STORE_ANY};
	return key != NULL && e->count < 1 + EXPIRED_AT_ONCE;
}

/* An announcement whose time is over. */
static bool add_expired(void *ctx, const struct directory_entry *entry)
{
	struct expired *e = ctx;
	return json_integer_value(json_object_get(entry->object, "expires_s")) >= e->now_s || add_deletion(e, entry);
}

/* An identity that was revoked a month ago. */
static bool add_revoked(void *ctx, const struct directory_entry *entry)
{
	struct expired *e = ctx;
	int64_t revoked_s = json_integer_value(json_object_get(entry->object, "revoked_s"));
	return revoked_s == 0 || revoked_s + REVOKED_KEPT_S > e->now_s || add_deletion(e, entry);
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
	if (e.count < 1 + EXPIRED_AT_ONCE)
		directory_list(api->directory, is_agent ? MODEL_KIND_AGENT : MODEL_KIND_NAMESERVER, NULL, add_revoked,
			       &e);
	if (err != VEER_OK) {
		api_problem_invalid(reply, &diag);
	} else if (!has_room(api, reply, is_agent)) {
		json_decref(body);
		return;
	} else if (!secret_draw("vre_", secret, hash) ||
		   !secret_put_op(request, MODEL_KIND_ENROLMENT, hash,
				  json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:I}", "kind",
					    is_agent ? "agent" : "nameserver", "name", name, "region", region, "site",
					    site, "expires_at", expires, "expires_s",
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

/* Say what has ended, also beside the store: one that is put back must not bring a credential to life again. */
static void note_replaced(struct api *api, const struct replaced *r, const char *id)
{
	for (size_t i = 2; i < r->count; i++) {
		revocations_note(api, r->ops[i].kind, r->ops[i].key);
		log_notice(api->log, "replaced", LOG_STR("id", r->ops[i].key), LOG_STR("name", r->name),
			   LOG_STR("by", id));
	}
}

/*
 * Exchange the announcement for an identity, in one transaction: the token works once. Whoever had the name before is
 * gone, with its credential: two of a name would be one agent too many to ask.
 */
static void exchange(struct api *api, struct api_request *request, struct api_reply *reply,
		     const struct enrolment *enrolment, const char *hash)
{
	bool is_agent = strcmp(field(enrolment->object, "kind"), "agent") == 0;
	enum model_kind kind = is_agent ? MODEL_KIND_AGENT : MODEL_KIND_NAMESERVER;
	char id[API_ID_SIZE], secret[SECRET_SIZE], secret_hash[CRYPTO_SHA256_HEX_SIZE];
	struct replaced r = {.name = field(enrolment->object, "name"), .arena = request->arena, .count = 2};
	r.ops[0] = (struct store_op){
		.op = STORE_DEL, .kind = MODEL_KIND_ENROLMENT, .key = hash, .expect = enrolment->revision};
	if (!secret_draw_id(is_agent ? "ag-" : "ns-", id, sizeof id) || !secret_draw("vrc_", secret, secret_hash) ||
	    !secret_put_op(request, kind, id, identity_json(api, request, enrolment, id, secret_hash), STORE_ABSENT,
			   &r.ops[1])) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	int64_t revision;
	/* one after the other: two that enrol with one name at once must see each other */
	write_gate_enter(&api->write_gate, true);
	directory_list(api->directory, kind, NULL, add_replaced, &r);
	bool is_committed = api_commit(api, reply, r.ops, r.count, &revision);
	write_gate_leave(&api->write_gate);
	if (!is_committed)
		return;
	log_notice(api->log, "enrolled", LOG_STR("id", id), LOG_STR("name", r.name));
	note_replaced(api, &r, id);
	api_reply_json(reply, 201,
		       json_pack("{s:s, s:s, s:s, s:s?}", "id", id, "credential", secret, "name", r.name, "region",
				 field(enrolment->object, "region")));
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

/* A record of what was revoked is forgotten. */
static void remove_revoked(struct api *api, struct api_request *request, struct api_reply *reply, enum model_kind kind,
			   const struct enrolment *found)
{
	int64_t revision;
	struct store_op op = {.op = STORE_DEL, .kind = kind, .key = request->params[0], .expect = found->revision};
	if (api_commit(api, reply, &op, 1, &revision))
		log_notice(api->log, "removed", LOG_STR("id", request->params[0]),
			   LOG_STR("by", api_principal_name(api, request)));
}

/*
 * The credential stops working with the commit; a record stays, until it is deleted in turn, or for 30 days. Whatever
 * was revoked is also noted beside the store.
 */
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
	const char *state = field(found.object, "state");
	if (state != NULL && strcmp(state, "revoked") == 0) {
		remove_revoked(api, request, reply, kind, &found);
		json_decref(found.object);
		return;
	}
	(void)json_object_set_new(found.object, "state", json_string("revoked"));
	(void)json_object_set_new(found.object, "revoked_s", json_integer(veer_clock_wall_ns(api->clock) / 1000000000));
	if (!secret_put_op(request, kind, request->params[0], found.object, found.revision, &op)) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	if (!api_commit(api, reply, &op, 1, &revision))
		return;
	revocations_note(api, kind, request->params[0]);
	log_notice(api->log, "revoked", LOG_STR("id", request->params[0]),
		   LOG_STR("by", api_principal_name(api, request)));
}

void handle_identities_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, (enum model_kind)request->arg, "credential_sha256");
}
