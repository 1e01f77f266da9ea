/* SPDX-License-Identifier: Apache-2.0 */
/* Overrides over HTTP; their rules are in api/control/override_change.c and overrides.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/override_change.h"
#include "api/rest/api.h"
#include "api/rest/handlers.h"

enum { TEXT_MAX = 256, TTL_MAX_S = 366 * 86400, FORCE_MAX = 16 };
#define NS_PER_S INT64_C(1000000000)

static const char *time_text(const struct api_request *request, int64_t wall_ns)
{
	char *text = arena_alloc(request->arena, VEER_RFC3339_SIZE);
	if (text != NULL)
		veer_rfc3339(wall_ns, text);
	return text;
}

/* When the override ends: from "expires_at" or "ttl_s", or NULL for never. */
static const char *read_expiry(struct api *api, const struct api_request *request, struct json_cursor *c)
{
	int64_t now_ns = veer_clock_wall_ns(api->control.clock), at_ns = 0;
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

/* Read what PUT and POST have in common. The wish points into the body and the request's arena. */
static void read_wish(struct api *api, const struct api_request *request, struct json_cursor *c,
		      struct override_wish *wish)
{
	wish->action = model_override_read_action(c);
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

static void reply_refused(struct api_reply *reply, enum veer_err err, const struct change_result *result)
{
	if (result->problem == CHANGE_WOULD_EMPTY)
		api_problem(reply, 409, "would-empty", "%s; to do it all the same, say \"force\": \"%s\"",
			    result->diag.text, result->loss.pool);
	else
		api_problem_change(reply, err, result);
}

/* "POOL/NAME" from the path; "" when the path cannot name an endpoint. */
static const char *endpoint_of(const struct api_request *request)
{
	const char *key = arena_printf(request->arena, "%s/%s", request->params[0], request->params[1]);
	return key != NULL && model_is_endpoint_key(key) ? key : "";
}

static void no_such_override(const struct api_request *request, struct api_reply *reply)
{
	api_problem(reply, 404, "not-found", "there is no such override: \"%.200s/%.200s\"", request->params[0],
		    request->params[1]);
}

void handle_override_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	const char *endpoint = endpoint_of(request);
	if (endpoint[0] == '\0')
		no_such_override(request, reply);
	else
		api_reply_stored(ctx, reply, 200, MODEL_KIND_OVERRIDE, endpoint);
}

void handle_overrides_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, MODEL_KIND_OVERRIDE);
}

static void put_override(struct api *api, struct api_request *request, struct api_reply *reply, const char *endpoint)
{
	json_t *body = NULL;
	struct json_cursor c;
	struct change_result result;
	struct veer_diag diag = {""};
	struct override_wish wish = {.endpoints = &endpoint, .count = 1};
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	read_wish(api, request, &c, &wish);
	enum veer_err err = veer_json_end(&c);
	if (err != VEER_OK) {
		api_problem_invalid(reply, &diag);
	} else if ((err = api_change(api, request, override_put_wish(&wish), &result)) == VEER_OK) {
		api_reply_stored(api, reply, result.before == 0 ? 201 : 200, MODEL_KIND_OVERRIDE, endpoint);
	} else {
		reply_refused(reply, err, &result);
	}
	json_decref(body);
}

void handle_override_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	const char *endpoint = endpoint_of(request);
	if (endpoint[0] == '\0') /* the same reply for every token */
		api_problem(reply, 404, "not-found", "there is no endpoint \"%.200s/%.200s\"", request->params[0],
			    request->params[1]);
	else
		put_override(ctx, request, reply, endpoint);
}

/* The endpoints of a POST, each once; NULL after an error. */
static const char **read_endpoints(struct json_cursor *c, const struct api_request *request, size_t *count)
{
	const json_t *array = veer_json_array(c, "endpoints", OVERRIDES_AT_ONCE, true);
	const char **names = arena_calloc(request->arena, OVERRIDES_AT_ONCE, sizeof *names);
	*count = names != NULL ? json_array_size(array) : 0;
	if (names == NULL)
		veer_json_fail(c, "endpoints", VEER_ENOMEM, "cannot be read: out of memory");
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

/* Override several endpoints in one transaction: all, or none. */
void handle_overrides_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *body = NULL;
	struct json_cursor c;
	struct change_result result;
	struct veer_diag diag = {""};
	struct override_wish wish = {0};
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	wish.endpoints = read_endpoints(&c, request, &wish.count);
	read_wish(api, request, &c, &wish);
	enum veer_err err = veer_json_end(&c);
	if (err != VEER_OK)
		api_problem_invalid(reply, &diag);
	else if ((err = api_change(api, request, override_put_wish(&wish), &result)) != VEER_OK)
		reply_refused(reply, err, &result);
	else
		api_reply_json(reply, 201,
			       json_pack("{s:I, s:I}", "count", (json_int_t)wish.count, "revision",
					 (json_int_t)result.revision));
	json_decref(body);
}

void handle_override_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct change_result result;
	const char *endpoint = endpoint_of(request);
	if (endpoint[0] == '\0') {
		no_such_override(request, reply);
		return;
	}
	enum veer_err err = api_change(ctx, request, override_release_wish(endpoint), &result);
	if (err != VEER_OK && result.problem == CHANGE_MISSING)
		no_such_override(request, reply);
	else if (err != VEER_OK)
		api_problem_change(reply, err, &result);
}
