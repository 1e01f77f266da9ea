/* SPDX-License-Identifier: Apache-2.0 */
/* What administrators say over HTTP: overrides, settings, maintenance windows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/controller.h"
#include "api/handlers.h"
#include "api/overrides.h"

enum { TEXT_MAX = 256, TTL_MAX_S = 366 * 86400, FORCE_MAX = 16 };
#define NS_PER_S INT64_C(1000000000)

static const char settings_key[] = "settings";

static bool copy_name(void *ctx, const struct directory_entry *entry)
{
	const char *name = json_string_value(json_object_get(entry->object, "name"));
	(void)snprintf(ctx, TEXT_MAX, "%s", name != NULL ? name : entry->key);
	return true;
}

const char *api_principal_name(struct api *api, const struct api_request *request)
{
	char *name = arena_calloc(request->arena, TEXT_MAX, 1);
	if (name == NULL)
		return "";
	if (request->principal.role != API_ROLE_TOKEN)
		return "local";
	(void)snprintf(name, TEXT_MAX, "%s", request->principal.id);
	(void)directory_get(api->directory, MODEL_KIND_TOKEN, request->principal.id, copy_name, name);
	return name;
}

static const char *time_text(const struct api_request *request, int64_t wall_ns)
{
	char *text = arena_alloc(request->arena, VEER_RFC3339_SIZE);
	if (text != NULL)
		veer_rfc3339(wall_ns, text);
	return text;
}

/* When it ends: "expires_at" or "ttl_s", or NULL for never. */
static const char *read_expiry(struct api *api, const struct api_request *request, struct json_cursor *c)
{
	int64_t now_ns = veer_clock_wall_ns(api->clock), at_ns = 0;
	const char *text = veer_json_str_or(c, "expires_at", VEER_RFC3339_SIZE + 16, NULL);
	int64_t ttl_s = veer_json_int_or(c, "ttl_s", 1, TTL_MAX_S, 0);
	if (text == NULL)
		return ttl_s > 0 ? time_text(request, now_ns + ttl_s * NS_PER_S) : NULL;
	if (ttl_s > 0)
		veer_json_fail(c, "ttl_s", VEER_EINVAL, "goes not together with \"expires_at\"");
	else if (!veer_rfc3339_parse(text, &at_ns))
		veer_json_fail(c, "expires_at", VEER_EINVAL,
			       "\"%s\" is not a time like 2026-11-22T20:36:00Z (RFC 3339)", text);
	else if (at_ns <= now_ns)
		veer_json_fail(c, "expires_at", VEER_EINVAL, "lies in the past");
	return time_text(request, at_ns);
}

/* "force": the name of a pool, or several. */
static void read_force(struct json_cursor *c, const struct api_request *request, struct override_wish *wish)
{
	const json_t *value = veer_json_any(c, "force");
	const char **names = arena_calloc(request->arena, FORCE_MAX, sizeof *names);
	size_t count = json_is_array(value) ? json_array_size(value) : value != NULL ? 1 : 0;
	if (names == NULL || count > FORCE_MAX) {
		veer_json_fail(c, "force", VEER_ERANGE, "at most %d pools", FORCE_MAX);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		names[i] = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
		if (names[i] == NULL) {
			veer_json_fail(c, "force", VEER_EINVAL, "must be the name of a pool");
			return;
		}
	}
	wish->force = names;
	wish->force_count = count;
}

/* What PUT and POST have in common. The wish points into the body and the request's arena. */
static void read_wish(struct api *api, const struct api_request *request, struct json_cursor *c,
		      struct override_wish *wish)
{
	static const char *const actions[] = {"up", "down", "drain"};
	wish->action = (enum model_override_action)veer_json_enum_or(c, "action", actions, 3, -1);
	wish->owner = veer_json_str_or(c, "owner", TEXT_MAX, NULL);
	if (wish->owner == NULL || wish->owner[0] == '\0')
		wish->owner = api_principal_name(api, request);
	wish->reason = veer_json_str(c, "reason", TEXT_MAX);
	if (c->err == VEER_OK && wish->reason[0] == '\0')
		veer_json_fail(c, "reason", VEER_EINVAL, "must not be empty: others will ask");
	wish->expires_at = read_expiry(api, request, c);
	read_force(c, request, wish);
	wish->created_at = api_now_text(api, request->arena);
	wish->expect = STORE_ANY;
}

static void reply_refused(struct api_reply *reply, enum veer_err err, const struct veer_diag *diag)
{
	if (err == VEER_EBUSY)
		api_problem(
			reply, 409, "would-empty",
			"the pool \"%s\" would have no endpoint left that is not drained or forced down; to do it all "
			"the same, say \"force\": \"%s\"",
			diag->text, diag->text);
	else if (err == VEER_ENOTFOUND)
		api_problem(reply, 404, "not-found", "%s", diag->text);
	else
		api_problem_err(reply, err);
}

static void log_wish(struct api *api, const struct override_wish *wish)
{
	for (size_t i = 0; i < wish->count; i++)
		log_notice(api->log, "override", LOG_STR("endpoint", wish->endpoints[i]),
			   LOG_STR("action", model_override_text(wish->action)), LOG_STR("owner", wish->owner),
			   LOG_STR("reason", wish->reason),
			   LOG_STR("expires", wish->expires_at != NULL ? wish->expires_at : "never"));
}

struct stored {
	char *text;
	int64_t revision;
};

static bool copy_stored(void *ctx, const struct directory_entry *entry)
{
	struct stored *stored = ctx;
	stored->text = strdup(entry->text);
	stored->revision = entry->revision;
	return true;
}

static void reply_stored(struct api *api, struct api_reply *reply, int status, enum model_kind kind, const char *key)
{
	struct stored stored = {0};
	if (directory_get(api->directory, kind, key, copy_stored, &stored) != VEER_OK)
		api_problem_err(reply, VEER_ENOTFOUND);
	else if (stored.text == NULL)
		api_problem_err(reply, VEER_ENOMEM);
	else
		api_reply_object(reply, status, stored.text, strlen(stored.text), stored.revision);
	free(stored.text);
}

/* "POOL/NAME" of the path; "" when it is none. */
static const char *endpoint_of(const struct api_request *request)
{
	const char *key = arena_printf(request->arena, "%s/%s", request->params[0], request->params[1]);
	return key != NULL && model_is_endpoint_key(key) ? key : "";
}

void handle_override_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	reply_stored(ctx, reply, 200, MODEL_KIND_OVERRIDE, endpoint_of(request));
}

void handle_overrides_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, MODEL_KIND_OVERRIDE, NULL);
}

void handle_override_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *body = NULL;
	struct json_cursor c;
	struct veer_diag diag = {""};
	const char *endpoint = endpoint_of(request);
	struct override_wish wish = {.endpoints = &endpoint, .count = 1};
	int64_t revision, expect;
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	read_wish(api, request, &c, &wish);
	enum veer_err err = veer_json_end(&c);
	(void)pthread_mutex_lock(&api->write_lock);
	int64_t current = api_revision_of(api, MODEL_KIND_OVERRIDE, endpoint);
	if (err != VEER_OK) {
		api_problem_invalid(reply, &diag);
	} else if (api_precondition(request, reply, current, &expect)) {
		if (request->if_match != NULL || request->if_none_match != NULL)
			wish.expect = expect;
		err = overrides_put(api->store, api->directory, &wish, request->arena, &revision, &diag);
		if (err == VEER_OK) {
			api_wait_for(api, revision);
			log_wish(api, &wish);
			reply_stored(api, reply, current == 0 ? 201 : 200, MODEL_KIND_OVERRIDE, endpoint);
		} else {
			reply_refused(reply, err, &diag);
		}
	}
	(void)pthread_mutex_unlock(&api->write_lock);
	json_decref(body);
}

/* The endpoints of a POST, each once; NULL after an error. */
static const char **read_endpoints(struct json_cursor *c, const struct api_request *request, size_t *count)
{
	const json_t *array = veer_json_array(c, "endpoints", OVERRIDES_AT_ONCE, true);
	const char **names = arena_calloc(request->arena, OVERRIDES_AT_ONCE, sizeof *names);
	*count = json_array_size(array);
	for (size_t i = 0; names != NULL && c->err == VEER_OK && i < *count; i++) {
		names[i] = json_string_value(json_array_get(array, i));
		if (names[i] == NULL || !model_is_endpoint_key(names[i]))
			veer_json_fail(c, "endpoints", VEER_EINVAL, "element %zu is not POOL/NAME", i);
		for (size_t j = 0; c->err == VEER_OK && j < i; j++)
			if (strcmp(names[j], names[i]) == 0)
				veer_json_fail(c, "endpoints", VEER_EINVAL, "\"%s\" is there twice", names[i]);
	}
	if (c->err == VEER_OK && *count == 0)
		veer_json_fail(c, "endpoints", VEER_EINVAL, "must not be empty");
	return names;
}

/* Several endpoints in one transaction: all, or none. */
void handle_overrides_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *body = NULL;
	struct json_cursor c;
	struct veer_diag diag = {""};
	struct override_wish wish = {0};
	int64_t revision;
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	wish.endpoints = read_endpoints(&c, request, &wish.count);
	read_wish(api, request, &c, &wish);
	enum veer_err err = veer_json_end(&c);
	if (err != VEER_OK) {
		api_problem_invalid(reply, &diag);
		json_decref(body);
		return;
	}
	(void)pthread_mutex_lock(&api->write_lock);
	err = overrides_put(api->store, api->directory, &wish, request->arena, &revision, &diag);
	(void)pthread_mutex_unlock(&api->write_lock);
	if (err == VEER_OK) {
		api_wait_for(api, revision);
		log_wish(api, &wish);
		api_reply_json(
			reply, 201,
			json_pack("{s:I, s:I}", "count", (json_int_t)wish.count, "revision", (json_int_t)revision));
	} else {
		reply_refused(reply, err, &diag);
	}
	json_decref(body);
}

static bool copy_source(void *ctx, const struct directory_entry *entry)
{
	const char *source = json_string_value(json_object_get(entry->object, "source"));
	(void)snprintf(ctx, TEXT_MAX, "%s", source != NULL ? source : "");
	return true;
}

void handle_override_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	const char *endpoint = endpoint_of(request);
	char source[TEXT_MAX] = "";
	int64_t expect, revision;
	(void)directory_get(api->directory, MODEL_KIND_OVERRIDE, endpoint, copy_source, source);
	int64_t current = api_revision_of(api, MODEL_KIND_OVERRIDE, endpoint);
	if (current == 0) {
		api_problem_err(reply, VEER_ENOTFOUND);
	} else if (source[0] != '\0') {
		api_problem(reply, 409, "in-use", "it belongs to %s: end that, or put another override in its place",
			    source);
	} else if (api_precondition(request, reply, current, &expect)) {
		struct store_op op = {.op = STORE_DEL, .kind = MODEL_KIND_OVERRIDE, .key = endpoint, .expect = expect};
		if (api_commit(api, reply, &op, 1, &revision))
			log_notice(api->log, "override released", LOG_STR("endpoint", endpoint),
				   LOG_STR("by", api_principal_name(api, request)));
	}
}

/* --- settings ----------------------------------------------------------------------------------------------- */

json_t *api_settings(struct api *api)
{
	struct stored stored = {0};
	json_t *object = NULL;
	(void)directory_get(api->directory, MODEL_KIND_SETTINGS, settings_key, copy_stored, &stored);
	if (stored.text == NULL ||
	    veer_json_parse(stored.text, strlen(stored.text), STORE_VALUE_MAX, &object, NULL) != VEER_OK)
		object = json_object();
	free(stored.text);
	if (json_object_get(object, "freeze") == NULL)
		(void)json_object_set_new(object, "freeze", json_pack("{s:b}", "on", 0));
	if (json_object_get(object, "brake") == NULL)
		(void)json_object_set_new(object, "brake", json_string("on"));
	if (json_object_get(object, "max_removal_percent") == NULL)
		(void)json_object_set_new(object, "max_removal_percent", json_integer(25));
	(void)json_object_set_new(object, "revision", json_integer(stored.revision));
	return object;
}

void handle_settings_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	json_t *settings = api_settings(ctx);
	(void)request;
	(void)snprintf(reply->etag, sizeof reply->etag, "r%lld",
		       (long long)json_integer_value(json_object_get(settings, "revision")));
	api_reply_json(reply, 200, settings);
}

/* A freeze gets its owner, unless it is given, and the time since when. */
static void dress_freeze(struct api *api, const struct api_request *request, json_t *object)
{
	json_t *freeze = json_object_get(object, "freeze");
	if (!json_is_object(freeze) || json_is_false(json_object_get(freeze, "on")))
		return;
	if (json_object_get(freeze, "owner") == NULL)
		(void)json_object_set_new(freeze, "owner", json_string(api_principal_name(api, request)));
	if (json_object_get(freeze, "since") == NULL)
		(void)json_object_set_new(freeze, "since", json_string(api_now_text(api, request->arena)));
}

/* Commit `object` (its JSON) as `key`; replies. */
static bool put_object(struct api *api, const struct api_request *request, struct api_reply *reply,
		       enum model_kind kind, const char *key, const json_t *object)
{
	int64_t current = api_revision_of(api, kind, key), expect, revision = 0;
	if (!api_precondition(request, reply, current, &expect))
		return false;
	char *text = veer_json_dump(object);
	struct store_op op = {STORE_PUT, kind, key, text, text != NULL ? strlen(text) : 0, expect, 0};
	if (text == NULL)
		api_problem_err(reply, VEER_ENOMEM);
	else if (api_commit(api, reply, &op, 1, &revision))
		api_reply_object(reply, current == 0 ? 201 : 200, text, strlen(text), revision);
	free(text);
	return revision != 0;
}

void handle_settings_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *body = NULL;
	struct veer_diag diag = {""};
	struct model_settings settings;
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	if (json_is_object(body))
		(void)json_object_del(body, "revision"); /* as it was read: not part of the object */
	dress_freeze(api, request, body);
	if (model_settings_parse(body, request->arena, &settings, &diag) != VEER_OK)
		api_problem_invalid(reply, &diag);
	else if (put_object(api, request, reply, MODEL_KIND_SETTINGS, settings_key, body))
		log_notice(api->log, "settings", LOG_STR("freeze", settings.is_frozen ? "on" : "off"),
			   LOG_STR("owner", settings.freeze_owner), LOG_STR("reason", settings.freeze_reason),
			   LOG_STR("brake", settings.is_brake_off ? "off" : "on"),
			   LOG_INT("max_removal_percent", settings.max_removal_percent),
			   LOG_STR("by", api_principal_name(api, request)));
	json_decref(body);
}

/* --- maintenance windows ------------------------------------------------------------------------------------ */

/* What it names must be there; later it may go, and then means nothing. */
static enum veer_err check_scope(struct api *api, const struct model_maintenance *m, struct veer_diag *diag)
{
	for (uint32_t i = 0; i < m->pool_count; i++)
		if (api_revision_of(api, MODEL_KIND_POOL, m->pools[i]) == 0)
			return veer_fail(diag, VEER_EINVAL, "/pools/%u: there is no pool \"%s\"", i, m->pools[i]);
	for (uint32_t i = 0; i < m->site_count; i++)
		if (api_revision_of(api, MODEL_KIND_SITE, m->sites[i]) == 0)
			return veer_fail(diag, VEER_EINVAL, "/sites/%u: there is no site \"%s\"", i, m->sites[i]);
	for (uint32_t i = 0; i < m->endpoint_count; i++) {
		char pool[MODEL_NAME_MAX + 1];
		(void)snprintf(pool, sizeof pool, "%.*s", (int)strcspn(m->endpoints[i], "/"), m->endpoints[i]);
		if (api_revision_of(api, MODEL_KIND_POOL, pool) == 0)
			return veer_fail(diag, VEER_EINVAL, "/endpoints/%u: there is no pool \"%s\"", i, pool);
	}
	return VEER_OK;
}

void handle_maintenance_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *body = NULL;
	struct veer_diag diag = {""};
	struct model_maintenance m;
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	const char *name = json_string_value(json_object_get(body, "name"));
	if (json_is_object(body)) {
		(void)json_object_del(body, "revision");
		if (name == NULL)
			(void)json_object_set_new(body, "name", json_string(request->params[0]));
		if (json_object_get(body, "owner") == NULL)
			(void)json_object_set_new(body, "owner", json_string(api_principal_name(api, request)));
		(void)json_object_set_new(body, "created_at", json_string(api_now_text(api, request->arena)));
	}
	if (name != NULL && strcmp(name, request->params[0]) != 0)
		(void)veer_fail(&diag, VEER_EINVAL, "/name: is \"%s\", but the path says \"%s\"", name,
				request->params[0]);
	else if (model_maintenance_parse(body, request->arena, &m, &diag) == VEER_OK &&
		 check_scope(api, &m, &diag) == VEER_OK &&
		 put_object(api, request, reply, MODEL_KIND_MAINTENANCE, m.name, body))
		log_notice(api->log, "maintenance", LOG_STR("name", m.name), LOG_STR("owner", m.owner),
			   LOG_STR("reason", m.reason));
	if (diag.text[0] != '\0')
		api_problem_invalid(reply, &diag);
	json_decref(body);
}

void handle_maintenance_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	reply_stored(ctx, reply, 200, MODEL_KIND_MAINTENANCE, request->params[0]);
}

void handle_maintenance_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, MODEL_KIND_MAINTENANCE, NULL);
}

void handle_maintenance_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	int64_t expect, revision;
	int64_t current = api_revision_of(api, MODEL_KIND_MAINTENANCE, request->params[0]);
	if (current == 0) {
		api_problem_err(reply, VEER_ENOTFOUND);
	} else if (api_precondition(request, reply, current, &expect)) {
		struct store_op op = {
			.op = STORE_DEL, .kind = MODEL_KIND_MAINTENANCE, .key = request->params[0], .expect = expect};
		if (api_commit(api, reply, &op, 1, &revision))
			log_notice(api->log, "maintenance ended", LOG_STR("name", request->params[0]),
				   LOG_STR("by", api_principal_name(api, request)));
	}
}
