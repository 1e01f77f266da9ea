/* SPDX-License-Identifier: Apache-2.0 */
/* What a token with lists of endpoints, checks and zones may touch. */
#include <string.h>

#include "api/rest/api.h"

const char *const api_limit_names[API_LIMITS] = {"endpoints", "checks", "zones"};

/* Does the text match the pattern, in which each * stands for any octets? Letters of either case are the same. */
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
	enum api_limit limit;
	const char *name;
	bool may;
};

static bool look_at_limits(void *ctx, const struct directory_entry *entry)
{
	struct touching *t = ctx;
	const json_t *patterns = json_object_get(entry->object, api_limit_names[t->limit]);
	size_t i;
	json_t *pattern;
	t->may = patterns == NULL;
	json_array_foreach((json_t *)(uintptr_t)patterns, i, pattern) t->may =
		t->may || (json_is_string(pattern) && matches(json_string_value(pattern), t->name));
	return true;
}

bool api_may_touch_quietly(struct api *api, const struct api_request *request, enum api_limit limit, const char *name)
{
	struct touching t = {.limit = limit, .name = name, .may = false};
	if (request->principal.role != API_ROLE_TOKEN)
		return true;
	(void)directory_get(api->control.directory, MODEL_KIND_TOKEN, request->principal.id, look_at_limits, &t);
	return t.may;
}

bool api_may_touch(struct api *api, const struct api_request *request, struct api_reply *reply, enum api_limit limit,
		   const char *name)
{
	if (api_may_touch_quietly(api, request, limit, name))
		return true;
	api_problem(reply, 403, "object", "the token is for other %s than \"%s\"", api_limit_names[limit], name);
	return false;
}

/* Whether the token that asks has a list of this kind. */
struct list_of {
	enum api_limit limit;
	bool is_there;
};

static bool look_for_list(void *ctx, const struct directory_entry *entry)
{
	struct list_of *l = ctx;
	l->is_there = json_object_get(entry->object, api_limit_names[l->limit]) != NULL;
	return true;
}

static bool has_list(struct api *api, const struct api_request *request, enum api_limit limit)
{
	struct list_of l = {.limit = limit, .is_there = false};
	if (request->principal.role == API_ROLE_TOKEN)
		(void)directory_get(api->control.directory, MODEL_KIND_TOKEN, request->principal.id, look_for_list, &l);
	return l.is_there;
}

bool api_may_change(struct api *api, const struct api_request *request, struct api_reply *reply, enum api_limit limit,
		    const char *name)
{
	enum api_limit other = limit == API_LIMIT_ENDPOINTS ? API_LIMIT_CHECKS : API_LIMIT_ENDPOINTS;
	if (has_list(api, request, limit) || !has_list(api, request, other))
		return api_may_touch(api, request, reply, limit, name);
	api_problem(reply, 403, "object", "the token is limited to some %s, and has no list of %s",
		    api_limit_names[other], api_limit_names[limit]);
	return false;
}

bool api_may_change_all(struct api *api, const struct api_request *request, struct api_reply *reply)
{
	/* no name holds a blank: only the pattern of all matches it */
	static const char of_all[] = "all of them";
	if (api_may_touch_quietly(api, request, API_LIMIT_ENDPOINTS, of_all) &&
	    api_may_touch_quietly(api, request, API_LIMIT_CHECKS, of_all))
		return true;
	api_problem(reply, 403, "object", "the token is limited to some endpoints or checks, and this concerns others");
	return false;
}
