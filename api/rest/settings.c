/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of all verdicts (freeze, brake) and maintenance windows, over HTTP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/controller.h"
#include "api/control/window_preview.h"
#include "api/rest/api.h"
#include "api/rest/handlers.h"

static const char settings_key[] = "settings";

struct found {
	json_t *object;
	int64_t revision;
};

static bool copy_found(void *ctx, const struct directory_entry *entry)
{
	struct found *found = ctx;
	found->object = json_deep_copy(entry->object);
	found->revision = entry->revision;
	return true;
}

json_t *api_settings(struct api *api)
{
	struct found found = {0};
	(void)directory_get(api->control.directory, MODEL_KIND_SETTINGS, settings_key, copy_found, &found);
	json_t *object = found.object != NULL ? found.object : json_object();
	if (json_object_get(object, "freeze") == NULL)
		(void)json_object_set_new(object, "freeze", json_pack("{s:b}", "on", 0));
	if (json_object_get(object, "brake") == NULL)
		(void)json_object_set_new(object, "brake", json_string("on"));
	if (json_object_get(object, "max_removal_percent") == NULL)
		(void)json_object_set_new(object, "max_removal_percent", json_integer(25));
	(void)json_object_set_new(object, "revision", json_integer(found.revision));
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
	int64_t current = directory_revision_of(api->control.directory, kind, key), expect, revision = 0;
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
	if (!api_may_change_all(api, request, reply))
		; /* the reply is made */
	else if (model_settings_parse(body, request->arena, &settings, &diag) != VEER_OK)
		api_problem_invalid(reply, &diag);
	else if (put_object(api, request, reply, MODEL_KIND_SETTINGS, settings_key, body))
		log_notice(api->control.log, "settings", LOG_STR("freeze", settings.is_frozen ? "on" : "off"),
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
		if (directory_revision_of(api->control.directory, MODEL_KIND_POOL, m->pools[i]) == 0)
			return veer_fail(diag, VEER_EINVAL, "/pools/%u: there is no pool \"%s\"", i, m->pools[i]);
	for (uint32_t i = 0; i < m->site_count; i++)
		if (directory_revision_of(api->control.directory, MODEL_KIND_SITE, m->sites[i]) == 0)
			return veer_fail(diag, VEER_EINVAL, "/sites/%u: there is no site \"%s\"", i, m->sites[i]);
	for (uint32_t i = 0; i < m->endpoint_count; i++) {
		char pool[MODEL_NAME_MAX + 1];
		(void)snprintf(pool, sizeof pool, "%.*s", (int)strcspn(m->endpoints[i], "/"), m->endpoints[i]);
		if (directory_revision_of(api->control.directory, MODEL_KIND_POOL, pool) == 0)
			return veer_fail(diag, VEER_EINVAL, "/endpoints/%u: there is no pool \"%s\"", i, pool);
	}
	return VEER_OK;
}

/* Say beforehand, in the reply, which pools the window would not drain, and why. */
static void say_not_drained(struct api *api, const struct api_request *request, struct api_reply *reply,
			    const struct model_maintenance *m, json_t *object)
{
	json_t *blocked = window_preview(api->control.directory, m, request->arena);
	int64_t revision = directory_revision_of(api->control.directory, MODEL_KIND_MAINTENANCE, m->name);
	if (json_array_size(blocked) == 0 || json_object_set(object, "not_drained", blocked) != 0) {
		json_decref(blocked);
		return;
	}
	json_decref(blocked);
	char *text = veer_json_dump(object);
	int status = reply->status;
	if (text != NULL)
		api_reply_object(reply, status, text, strlen(text), revision);
	free(text);
}

void handle_maintenance_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *body = NULL;
	struct veer_diag diag = {""};
	struct model_maintenance m;
	if (!api_may_change_all(api, request, reply) || api_body_json(request, reply, &body) != VEER_OK)
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
		 put_object(api, request, reply, MODEL_KIND_MAINTENANCE, m.name, body)) {
		log_notice(api->control.log, "maintenance", LOG_STR("name", m.name), LOG_STR("owner", m.owner),
			   LOG_STR("reason", m.reason));
		say_not_drained(api, request, reply, &m, body);
	}
	if (diag.text[0] != '\0')
		api_problem_invalid(reply, &diag);
	json_decref(body);
}

void handle_maintenance_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_reply_stored(ctx, reply, 200, MODEL_KIND_MAINTENANCE, request->params[0]);
}

void handle_maintenance_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, MODEL_KIND_MAINTENANCE, NULL);
}

void handle_maintenance_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	int64_t expect, revision;
	int64_t current = directory_revision_of(api->control.directory, MODEL_KIND_MAINTENANCE, request->params[0]);
	if (current == 0) {
		api_problem_missing(reply, MODEL_KIND_MAINTENANCE, request->params[0]);
	} else if (api_may_change_all(api, request, reply) && api_precondition(request, reply, current, &expect)) {
		struct store_op op = {
			.op = STORE_DEL, .kind = MODEL_KIND_MAINTENANCE, .key = request->params[0], .expect = expect};
		if (api_commit(api, reply, &op, 1, &revision))
			log_notice(api->control.log, "maintenance ended", LOG_STR("name", request->params[0]),
				   LOG_STR("by", api_principal_name(api, request)));
	}
}
