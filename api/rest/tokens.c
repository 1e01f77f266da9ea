/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API tokens: making, listing, removing. A token has scopes, which name verbs; it may also have lists of endpoints,
 * checks and zones, and then may touch no others. The rules on what one token may give to another are in
 * api/control/token_rules.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/credentials.h"
#include "api/rest/api.h"
#include "api/rest/handlers.h"
#include "api/rest/secrets.h"
#include "base/text.h"

enum {
	TOKEN_NAME_MAX = 63,
	SCOPES_MAX = 9,
	PATTERNS_MAX = 64,
	PATTERN_MAX = 1024,
	TTL_MAX_S = 10 * 366 * 86400,
};
#define NS_PER_S INT64_C(1000000000)

/* --- making ------------------------------------------------------------------------------------------------ */

/* The requested scopes; each must be known. */
static json_t *read_scopes(struct json_cursor *c)
{
	const json_t *wanted = veer_json_array(c, "scopes", SCOPES_MAX, true);
	json_t *scopes = json_array();
	unsigned given = 0;
	size_t i;
	json_t *element;
	json_array_foreach((json_t *)(uintptr_t)wanted, i, element)
	{
		const char *text = json_string_value(element);
		enum api_scope scope = text != NULL ? api_scope_from_text(text) : API_SCOPE_NONE;
		if (scope == API_SCOPE_NONE)
			veer_json_fail(c, "scopes", VEER_EINVAL, "\"%s\" is not a scope", text != NULL ? text : "?");
		else if ((given & (unsigned)scope) != 0)
			veer_json_fail(c, "scopes", VEER_EINVAL, "\"%s\" is there twice", text);
		else
			(void)json_array_append_new(scopes, json_string(text));
		given |= (unsigned)scope;
	}
	if (c->err == VEER_OK && json_array_size(scopes) == 0)
		veer_json_fail(c, "scopes", VEER_EINVAL, "must not be empty");
	return scopes;
}

/* Read the lists of patterns into the token. */
static void read_limits(struct json_cursor *c, json_t *token)
{
	for (size_t k = 0; k < TOKEN_LIMITS; k++) {
		const json_t *patterns = veer_json_array(c, token_limit_names[k], PATTERNS_MAX, false);
		size_t i;
		json_t *pattern;
		json_array_foreach((json_t *)(uintptr_t)patterns, i, pattern)
		{
			const char *text = json_string_value(pattern);
			if (text == NULL || text[0] == '\0' || strlen(text) > PATTERN_MAX)
				veer_json_fail(c, token_limit_names[k], VEER_EINVAL,
					       "element %zu must be a pattern of names", i);
		}
		if (patterns != NULL && c->err == VEER_OK && json_array_size(patterns) == 0)
			veer_json_fail(c, token_limit_names[k], VEER_EINVAL, "must not be empty: leave it out for all");
		if (patterns != NULL)
			(void)json_object_set(token, token_limit_names[k], (json_t *)(uintptr_t)patterns);
	}
}

/* Read "expires_at" or "ttl_s"; with neither, the token does not expire. */
static void read_expiry(struct api *api, struct json_cursor *c, json_t *token)
{
	char text[VEER_RFC3339_SIZE];
	int64_t now_ns = veer_clock_wall_ns(api->control.clock), at_ns = 0;
	const char *at = veer_json_str_or(c, "expires_at", VEER_RFC3339_SIZE + 16, NULL);
	int64_t ttl_s = veer_json_int_or(c, "ttl_s", 1, TTL_MAX_S, 0);
	if (at != NULL && ttl_s > 0)
		veer_json_fail(c, "ttl_s", VEER_EINVAL, "goes not together with \"expires_at\"");
	else if (at != NULL && (!veer_rfc3339_parse(at, &at_ns) || at_ns <= now_ns))
		veer_json_fail(c, "expires_at", VEER_EINVAL,
			       "must be a time to come, as 2027-01-31T00:00:00Z (RFC 3339)");
	if (at == NULL && ttl_s > 0)
		at_ns = now_ns + ttl_s * NS_PER_S;
	if (c->err != VEER_OK || at_ns == 0)
		return;
	veer_rfc3339(at_ns, text);
	(void)json_object_set_new(token, "expires_at", json_string(text));
	(void)json_object_set_new(token, "expires_s", json_integer(at_ns / NS_PER_S));
}

/* Read everything of a token except its id and its secret. */
static enum veer_err read_token(struct api *api, const json_t *body, json_t *token, struct veer_diag *diag)
{
	struct json_cursor c;
	veer_json_begin(&c, body, "", diag);
	const char *name = veer_json_str(&c, "name", TOKEN_NAME_MAX);
	if (c.err == VEER_OK && text_has_control(name))
		veer_json_fail(&c, "name", VEER_EINVAL, "must not hold control characters");
	json_t *scopes = read_scopes(&c);
	(void)json_object_set_new(token, "name", json_string(name != NULL ? name : ""));
	(void)json_object_set_new(token, "scopes", scopes);
	read_limits(&c, token);
	read_expiry(api, &c, token);
	return veer_json_end(&c);
}

/* Make the token, and show its secret once. */
static void make_token(struct api *api, struct api_request *request, struct api_reply *reply, json_t *token)
{
	char id[API_ID_SIZE], secret[SECRET_SIZE], hash[CRYPTO_SHA256_HEX_SIZE];
	struct change_result result;
	if (!secret_draw_id("t-", id, sizeof id) || !secret_draw("vrt_", secret, hash)) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	json_t *shown = json_pack("{s:s, s:O}", "id", id, "name", json_object_get(token, "name"));
	(void)json_object_set_new(shown, "token", json_sprintf("%s.%s", id, secret));
	if (json_object_get(token, "expires_at") != NULL)
		(void)json_object_set(shown, "expires_at", json_object_get(token, "expires_at"));
	(void)json_object_set_new(token, "id", json_string(id));
	(void)json_object_set_new(token, model_kind_row(MODEL_KIND_TOKEN)->secret, json_string(hash));
	(void)json_object_set_new(token, "created_at", json_string(api_now_text(api, request->arena)));
	struct token_wish w = {.id = id, .token = token};
	enum veer_err err = api_change_always(api, request, token_wish(&w), &result);
	if (err != VEER_OK)
		api_problem_change(reply, err, &result);
	else
		api_reply_json(reply, 201, json_incref(shown));
	json_decref(shown);
}

void handle_token_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	json_t *body = NULL, *token = json_object();
	struct veer_diag diag = {""};
	if (token == NULL || api_body_json(request, reply, &body) != VEER_OK) {
		json_decref(token);
		return;
	}
	if (read_token(ctx, body, token, &diag) != VEER_OK)
		api_problem_invalid(reply, &diag);
	else
		make_token(ctx, request, reply, token);
	json_decref(body);
	json_decref(token);
}

/* --- listing and removing ---------------------------------------------------------------------------------- */

/* Add to each token when it was last used, and whether it has expired. */
static void add_uses(struct api *api, json_t *list)
{
	size_t i;
	json_t *token;
	int64_t now_s = veer_clock_wall_ns(api->control.clock) / NS_PER_S;
	json_array_foreach(json_object_get(list, "items"), i, token)
	{
		char text[VEER_RFC3339_SIZE];
		const char *id = json_string_value(json_object_get(token, "id"));
		int64_t at_s = id != NULL ? token_use_last_s(api->control.token_uses, id) : 0;
		int64_t stored_s = json_integer_value(json_object_get(token, "used_s"));
		at_s = at_s > stored_s ? at_s : stored_s;
		int64_t expires_s = json_integer_value(json_object_get(token, "expires_s"));
		if (expires_s != 0 && now_s >= expires_s)
			(void)json_object_set_new(token, "expired", json_true());
		(void)json_object_del(token, "used_s");
		(void)json_object_del(token, "expires_s");
		if (at_s == 0)
			continue;
		veer_rfc3339(at_s * NS_PER_S, text);
		(void)json_object_set_new(token, "last_used_at", json_string(text));
	}
}

void handle_tokens_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *list = NULL;
	api_list_directory(ctx, request, reply, MODEL_KIND_TOKEN);
	if (reply->status != 200 || reply->body == NULL ||
	    veer_json_parse(reply->body, reply->body_len, reply->body_len + 1, &list, NULL) != VEER_OK)
		return;
	add_uses(api, list);
	api_reply_json(reply, 200, list);
}

void handle_token_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct change_result result;
	struct token_wish w = {.id = request->params[0]};
	enum veer_err err = api_change(ctx, request, token_wish(&w), &result);
	if (err != VEER_OK)
		api_problem_change(reply, err, &result);
}
