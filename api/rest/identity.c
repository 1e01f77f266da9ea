/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents and name servers: who may talk to us.
 * An agent or name server is first announced by an administrator (a one-use enrolment token), then enrols itself
 * (enrolment.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/revocations.h"
#include "api/rest/api.h"
#include "api/rest/enrolment.h"
#include "api/rest/handlers.h"
#include "api/rest/secrets.h"

enum { EXPIRED_AT_ONCE = 10, REVOKED_KEPT_S = 30 * 86400 };

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
	int64_t expires_ns = veer_clock_wall_ns(api->control.clock) + (int64_t)ENROLMENT_HOURS * 3600 * 1000000000;
	veer_rfc3339(expires_ns, expires);
	struct expired e = {
		.arena = request->arena, .count = 1, .now_s = veer_clock_wall_ns(api->control.clock) / 1000000000};
	int64_t revision;
	directory_list(api->control.directory, MODEL_KIND_ENROLMENT, NULL, add_expired, &e);
	if (e.count < 1 + EXPIRED_AT_ONCE)
		directory_list(api->control.directory, is_agent ? MODEL_KIND_AGENT : MODEL_KIND_NAMESERVER, NULL,
			       add_revoked, &e);
	if (err != VEER_OK) {
		api_problem_invalid(reply, &diag);
	} else if (!identity_has_room(api, reply, is_agent, name)) {
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

/* One identity as it is stored. */
struct found_identity {
	json_t *object;
	int64_t revision;
};

static bool copy_identity(void *ctx, const struct directory_entry *entry)
{
	struct found_identity *found = ctx;
	found->object = json_deep_copy(entry->object);
	found->revision = entry->revision;
	return true;
}

static const char *field(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

void handle_identity_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	enum model_kind kind = (enum model_kind)request->arg;
	struct found_identity found = {0};
	if (directory_get(api->control.directory, kind, request->params[0], copy_identity, &found) != VEER_OK) {
		api_problem_missing(reply, kind, request->params[0]);
		return;
	}
	(void)json_object_del(found.object, "credential_sha256");
	(void)json_object_set_new(found.object, "revision", json_integer(found.revision));
	api_reply_json(reply, 200, found.object);
}

/* A record of what was revoked is forgotten. */
static void remove_revoked(struct api *api, struct api_request *request, struct api_reply *reply, enum model_kind kind,
			   const struct found_identity *found)
{
	int64_t revision;
	struct store_op op = {.op = STORE_DEL, .kind = kind, .key = request->params[0], .expect = found->revision};
	if (api_commit(api, reply, &op, 1, &revision))
		log_notice(api->control.log, "removed", LOG_STR("id", request->params[0]),
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
	struct found_identity found = {0};
	struct store_op op;
	int64_t revision;
	if (directory_get(api->control.directory, kind, request->params[0], copy_identity, &found) != VEER_OK) {
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
	(void)json_object_set_new(found.object, "revoked_s",
				  json_integer(veer_clock_wall_ns(api->control.clock) / 1000000000));
	if (!secret_put_op(request, kind, request->params[0], found.object, found.revision, &op)) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	if (!api_commit(api, reply, &op, 1, &revision))
		return;
	revocations_note(&api->control, kind, request->params[0]);
	log_notice(api->control.log, "revoked", LOG_STR("id", request->params[0]),
		   LOG_STR("by", api_principal_name(api, request)));
}

void handle_identities_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, (enum model_kind)request->arg, "credential_sha256");
}
