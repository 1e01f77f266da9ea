/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of all verdicts, and maintenance windows, over HTTP; their rules are in api/control/settings.c. */
#include "api/control/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/window_preview.h"
#include "api/rest/api.h"
#include "api/rest/handlers.h"

void handle_settings_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *settings = settings_now(api->control.directory);
	(void)request;
	(void)snprintf(reply->etag, sizeof reply->etag, "r%lld",
		       (long long)json_integer_value(json_object_get(settings, "revision")));
	api_reply_json(reply, 200, settings);
}

static void reply_put(struct api_reply *reply, enum veer_err err, const struct change_result *result, const char *text)
{
	if (err != VEER_OK)
		api_problem_change(reply, err, result);
	else
		api_reply_object(reply, result->before == 0 ? 201 : 200, text, strlen(text), result->revision);
}

void handle_settings_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	json_t *body = NULL;
	struct change_result result;
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	if (json_is_object(body))
		(void)json_object_del(body, "revision"); /* added by a read; not part of the object */
	struct settings_wish w = {.object = body};
	enum veer_err err = api_change(ctx, request, settings_wish(&w), &result);
	reply_put(reply, err, &result, w.text);
	json_decref(body);
}

/* --- maintenance windows ------------------------------------------------------------------------------------------ */

/* List beforehand, in the reply, the pools that the window would not drain, and why. */
static void say_not_drained(struct api *api, const struct api_request *request, struct api_reply *reply,
			    const struct maintenance_wish *w)
{
	json_t *blocked = window_preview(api->control.directory, &w->window, request->arena);
	int64_t revision = directory_revision_of(api->control.directory, MODEL_KIND_MAINTENANCE, w->name);
	if (json_array_size(blocked) == 0 || json_object_set(w->object, "not_drained", blocked) != 0) {
		json_decref(blocked);
		return;
	}
	json_decref(blocked);
	char *text = veer_json_dump(w->object);
	int status = reply->status;
	if (text != NULL)
		api_reply_object(reply, status, text, strlen(text), revision);
	free(text);
}

static void put_window(struct api *api, struct api_request *request, struct api_reply *reply, json_t *body)
{
	struct change_result result;
	struct maintenance_wish w = {.name = request->params[0], .object = body};
	enum veer_err err = api_change(api, request, maintenance_wish(&w), &result);
	reply_put(reply, err, &result, w.text);
	if (err == VEER_OK)
		say_not_drained(api, request, reply, &w);
}

void handle_maintenance_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	json_t *body = NULL;
	struct veer_diag diag = {""};
	if (!api_may_change_all(ctx, request, reply) || api_body_json(request, reply, &body) != VEER_OK)
		return;
	const char *name = json_string_value(json_object_get(body, "name"));
	if (json_is_object(body)) {
		(void)json_object_del(body, "revision");
		if (json_object_get(body, "name") == NULL)
			(void)json_object_set_new(body, "name", json_string(request->params[0]));
	}
	if (name != NULL && strcmp(name, request->params[0]) != 0) {
		(void)veer_fail(&diag, VEER_EINVAL, "/name: is \"%s\", but the path says \"%s\"", name,
				request->params[0]);
		api_problem_invalid(reply, &diag);
	} else {
		put_window(ctx, request, reply, body);
	}
	json_decref(body);
}

void handle_maintenance_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_reply_stored(ctx, reply, 200, MODEL_KIND_MAINTENANCE, request->params[0]);
}

void handle_maintenance_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, MODEL_KIND_MAINTENANCE);
}

void handle_maintenance_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct change_result result;
	struct maintenance_wish w = {.name = request->params[0]};
	enum veer_err err = api_change(ctx, request, maintenance_wish(&w), &result);
	if (err != VEER_OK)
		api_problem_change(reply, err, &result);
}
