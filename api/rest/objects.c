/* SPDX-License-Identifier: Apache-2.0 */
/* Sites, checks, pools and policies over HTTP; their rules are in api/control/objects.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/objects.h"
#include "api/control/policy_warnings.h"
#include "api/rest/api.h"
#include "api/rest/handlers.h"
#include "api/rest/mask.h"

struct found {
	char *text;
	int64_t revision;
};

static bool copy_text(void *ctx, const struct directory_entry *entry)
{
	struct found *found = ctx;
	found->text = strdup(entry->text);
	found->revision = entry->revision;
	return true;
}

/* Hide what checks send in a reply to a principal that may not see it. */
static void mask_reply(struct api *api, const struct api_request *request, struct api_reply *reply,
		       enum model_kind kind)
{
	struct directory *directory = api->control.directory;
	json_t *value = NULL, *items;
	size_t i;
	json_t *check;
	if (kind != MODEL_KIND_CHECK || reply->status != 200 || request->principal.role != API_ROLE_TOKEN)
		return;
	if (veer_json_parse(reply->body, reply->body_len, reply->body_len + 1, &value, NULL) != VEER_OK) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	items = json_object_get(value, "items");
	json_array_foreach(items, i, check) if (mask_is_needed(directory, &request->principal, check))
		mask_check(check);
	if (items == NULL && mask_is_needed(directory, &request->principal, value))
		mask_check(value);
	api_reply_json(reply, 200, value);
}

void handle_object_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	enum model_kind kind = (enum model_kind)request->arg;
	struct found found = {0};
	enum veer_err err = directory_get(api->control.directory, kind, request->params[0], copy_text, &found);
	if (err == VEER_ENOTFOUND)
		api_problem_missing(reply, kind, request->params[0]);
	else if (err != VEER_OK || found.text == NULL)
		api_problem_err(reply, err != VEER_OK ? err : VEER_ENOMEM);
	else
		api_reply_object(reply, 200, found.text, strlen(found.text), found.revision);
	free(found.text);
	mask_reply(ctx, request, reply, kind);
}

/* Reply with the object as it is stored now, and its warnings. */
static void reply_committed(struct api *api, struct api_request *request, struct api_reply *reply, enum model_kind kind,
			    const json_t *object, const char *text, int status, int64_t revision)
{
	struct model_policy policy;
	api_reply_object(reply, status, text, strlen(text), revision);
	if (kind != MODEL_KIND_POLICY || reply->body == NULL ||
	    model_policy_parse(object, request->arena, &policy, NULL) != VEER_OK)
		return;
	json_t *shown = NULL, *warnings = policy_warnings(&api->control, &policy);
	if (json_array_size(warnings) > 0 &&
	    veer_json_parse(reply->body, reply->body_len, STORE_VALUE_MAX, &shown, NULL) == VEER_OK) {
		(void)json_object_set(shown, "warnings", warnings);
		api_reply_json(reply, status, shown);
	}
	json_decref(warnings);
}

static void refuse(const struct object_wish *w, struct api_reply *reply, enum veer_err err,
		   const struct change_result *result)
{
	if (result->problem == CHANGE_WOULD_EMPTY)
		api_problem(reply, 409, "would-empty", "%s; to do it all the same, say ?force=%s", result->diag.text,
			    w->kind == MODEL_KIND_POOL ? result->loss.pool : w->name);
	else if (result->problem == CHANGE_IN_USE)
		api_problem(reply, 409, "in-use", "%s: change that first", result->diag.text);
	else
		api_problem_change(reply, err, result);
}

static void put_object(struct api *api, struct api_request *request, struct api_reply *reply, enum model_kind kind,
		       const json_t *object, bool is_create)
{
	struct change_result result;
	struct object_wish w = {
		.kind = kind, .object = object, .must_be_new = is_create, .force = api_query(request, "force")};
	enum veer_err err = api_change(api, request, object_wish(&w), &result);
	if (err != VEER_OK) {
		refuse(&w, reply, err, &result);
		return;
	}
	(void)snprintf(reply->location, sizeof reply->location, "%s%s%s", request->path, is_create ? "/" : "",
		       is_create ? w.name : "");
	reply_committed(api, request, reply, kind, object, w.text, result.before == 0 ? 201 : 200, result.revision);
}

/* Handle PUT (the name is in the path) and POST (it is in the body). */
static void write_object(struct api *api, struct api_request *request, struct api_reply *reply, enum model_kind kind,
			 bool is_create)
{
	json_t *object = NULL;
	struct veer_diag diag = {""};
	if (api_body_json(request, reply, &object) != VEER_OK)
		return;
	const char *name = json_string_value(json_object_get(object, "name"));
	if (!is_create && json_is_object(object) && json_object_get(object, "name") == NULL)
		(void)json_object_set_new(object, "name", json_string(request->params[0]));
	if (json_is_object(object)) {
		(void)json_object_del(object, "revision"); /* added by a read; not part of the object */
		if (kind == MODEL_KIND_POLICY)
			(void)json_object_del(object, "warnings"); /* likewise, added by the reply to a write */
	}
	if (!is_create && name != NULL && strcmp(name, request->params[0]) != 0)
		api_problem(reply, 422, "invalid", "/name: is \"%s\", but the path says \"%s\": names do not change",
			    name, request->params[0]);
	else if (kind == MODEL_KIND_CHECK && mask_refuse(object, &diag) != VEER_OK)
		api_problem_invalid(reply, &diag);
	else
		put_object(api, request, reply, kind, object, is_create);
	json_decref(object);
}

void handle_object_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct change_result result;
	struct object_wish w = {.kind = (enum model_kind)request->arg, .name = request->params[0]};
	enum veer_err err = api_change(ctx, request, object_wish(&w), &result);
	if (err != VEER_OK)
		refuse(&w, reply, err, &result);
}

void handle_objects_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, (enum model_kind)request->arg);
	mask_reply(ctx, request, reply, (enum model_kind)request->arg);
}

void handle_object_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	write_object(ctx, request, reply, (enum model_kind)request->arg, true);
}

void handle_object_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	write_object(ctx, request, reply, (enum model_kind)request->arg, false);
}
