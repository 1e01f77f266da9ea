/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/token_rules.h"

#include <string.h>

#include "api/control/token_limits.h"

struct found {
	json_t *token; /* NULL: there is no such token */
	int64_t revision;
};

static bool copy_token(void *ctx, const struct directory_entry *entry)
{
	struct found *found = ctx;
	found->token = json_deep_copy(entry->object);
	found->revision = entry->revision;
	return true;
}

static struct found find_token(struct directory *directory, const char *id)
{
	struct found found = {0};
	(void)directory_get(directory, MODEL_KIND_TOKEN, id, copy_token, &found);
	return found;
}

static bool has_scope(const json_t *token, const char *wanted)
{
	size_t i;
	json_t *scope;
	json_array_foreach(json_object_get(token, "scopes"), i, scope)
	{
		if (json_is_string(scope) && strcmp(json_string_value(scope), wanted) == 0)
			return true;
	}
	return false;
}

/* A scope of the token that `asking` may not give; NULL: it may give all of them. */
static const char *scope_beyond(const json_t *asking, const json_t *token)
{
	size_t i;
	json_t *scope;
	json_array_foreach(json_object_get(token, "scopes"), i, scope)
	{
		const char *text = json_string_value(scope);
		if (text != NULL && !has_scope(asking, text) && !has_scope(asking, "admin"))
			return text;
	}
	return NULL;
}

static bool has_limits(const json_t *token)
{
	bool has = false;
	for (size_t i = 0; i < TOKEN_LIMITS; i++)
		has = has || json_object_get(token, token_limit_names[i]) != NULL;
	return has;
}

/* Does the token have a scope for things that lists do not limit? */
static bool has_unbounded_scope(const json_t *token)
{
	return has_scope(token, "admin") || has_scope(token, "tokens") || has_scope(token, "agents") ||
	       has_scope(token, "feed:read");
}

static int64_t end_s(const json_t *token)
{
	return json_integer_value(json_object_get(token, "expires_s"));
}

static enum veer_err judge_against(const json_t *asking, const json_t *token, struct veer_diag *diag)
{
	const char *beyond = scope_beyond(asking, token);
	if (beyond != NULL)
		return veer_fail(diag, VEER_EAUTH, "/scopes: a token cannot give the scope %s that it lacks", beyond);
	if (end_s(asking) != 0 && (end_s(token) == 0 || end_s(token) > end_s(asking)))
		return veer_fail(diag, VEER_EAUTH, "/ttl_s: must end before the token does that makes it");
	if (has_limits(asking))
		return veer_fail(diag, VEER_EAUTH,
				 "/scopes: a token that is limited to some objects cannot make others");
	return VEER_OK;
}

enum veer_err token_rules_make(struct directory *directory, const char *asking, const json_t *token,
			       struct veer_diag *diag)
{
	if (has_unbounded_scope(token) && has_limits(token))
		return veer_fail(diag, VEER_EINVAL,
				 "/scopes: admin, tokens, agents and feed:read cannot be limited to some objects");
	if (asking == NULL)
		return VEER_OK;
	struct found found = find_token(directory, asking); /* a token that was deleted has no scopes, and gives none */
	enum veer_err err = judge_against(found.token, token, diag);
	json_decref(found.token);
	return err;
}

enum veer_err token_rules_remove(struct directory *directory, const char *asking, const char *id, int64_t *revision,
				 struct veer_diag *diag)
{
	struct found doomed = find_token(directory, id);
	if (doomed.token == NULL)
		return VEER_ENOTFOUND;
	*revision = doomed.revision;
	bool may = asking == NULL || strcmp(asking, id) == 0;
	if (!may) {
		struct found found = find_token(directory, asking);
		may = !has_limits(found.token) && scope_beyond(found.token, doomed.token) == NULL;
		json_decref(found.token);
	}
	json_decref(doomed.token);
	return may ? VEER_OK
		   : veer_fail(diag, VEER_EAUTH,
			       "the token has scopes that the one that asks lacks: it cannot remove it");
}
