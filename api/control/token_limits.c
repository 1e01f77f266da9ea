/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/token_limits.h"

#include <string.h>

const char *const token_limit_names[TOKEN_LIMITS] = {"endpoints", "checks", "zones"};

/* Does the text match the pattern, in which each * matches any octets? Case is ignored. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *back = text;
	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			back = text;
		} else if (strncasecmp(pattern, text, 1) == 0) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++back;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

struct touching {
	enum token_limit limit;
	const char *name;
	bool may;
};

static bool look_at_limits(void *ctx, const struct directory_entry *entry)
{
	struct touching *t = ctx;
	const json_t *patterns = json_object_get(entry->object, token_limit_names[t->limit]);
	size_t i;
	json_t *pattern;
	t->may = patterns == NULL;
	json_array_foreach((json_t *)(uintptr_t)patterns, i, pattern) t->may =
		t->may || (json_is_string(pattern) && matches(json_string_value(pattern), t->name));
	return true;
}

bool token_may_touch(struct directory *directory, const char *token, enum token_limit limit, const char *name)
{
	struct touching t = {.limit = limit, .name = name, .may = false};
	if (token == NULL)
		return true;
	(void)directory_get(directory, MODEL_KIND_TOKEN, token, look_at_limits, &t);
	return t.may;
}

enum veer_err token_judge_touch(struct directory *directory, const char *token, enum token_limit limit,
				const char *name, struct veer_diag *diag)
{
	if (token_may_touch(directory, token, limit, name))
		return VEER_OK;
	return veer_fail(diag, VEER_EAUTH, "the token is for other %s than \"%s\"", token_limit_names[limit], name);
}

/* Whether the token that sent the request has a list of this kind. */
struct list_of {
	enum token_limit limit;
	bool is_there;
};

static bool look_for_list(void *ctx, const struct directory_entry *entry)
{
	struct list_of *l = ctx;
	l->is_there = json_object_get(entry->object, token_limit_names[l->limit]) != NULL;
	return true;
}

static bool has_list(struct directory *directory, const char *token, enum token_limit limit)
{
	struct list_of l = {.limit = limit, .is_there = false};
	if (token != NULL)
		(void)directory_get(directory, MODEL_KIND_TOKEN, token, look_for_list, &l);
	return l.is_there;
}

enum veer_err token_judge_change(struct directory *directory, const char *token, enum token_limit limit,
				 const char *name, struct veer_diag *diag)
{
	enum token_limit other = limit == TOKEN_LIMIT_ENDPOINTS ? TOKEN_LIMIT_CHECKS : TOKEN_LIMIT_ENDPOINTS;
	if (has_list(directory, token, limit) || !has_list(directory, token, other))
		return token_judge_touch(directory, token, limit, name, diag);
	return veer_fail(diag, VEER_EAUTH, "the token is limited to some %s, and has no list of %s",
			 token_limit_names[other], token_limit_names[limit]);
}

enum veer_err token_judge_change_all(struct directory *directory, const char *token, struct veer_diag *diag)
{
	/* names have no blanks, so only a pattern that matches everything matches this */
	static const char of_all[] = "all of them";
	if (token_may_touch(directory, token, TOKEN_LIMIT_ENDPOINTS, of_all) &&
	    token_may_touch(directory, token, TOKEN_LIMIT_CHECKS, of_all))
		return VEER_OK;
	return veer_fail(diag, VEER_EAUTH,
			 "the token is limited to some endpoints or checks, and this concerns others");
}
