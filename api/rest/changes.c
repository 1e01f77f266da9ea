/* SPDX-License-Identifier: Apache-2.0 */
/* Between requests and changes: principals, preconditions, and the problems of changes that failed. */
#include <string.h>

#include "api/rest/api.h"
#include "base/text.h"

static const char *token_of(const struct api_request *request)
{
	return request->principal.role == API_ROLE_TOKEN ? request->principal.id : NULL;
}

bool api_may_touch_quietly(struct api *api, const struct api_request *request, enum token_limit limit, const char *name)
{
	return token_may_touch(api->control.directory, token_of(request), limit, name);
}

bool api_may_touch(struct api *api, const struct api_request *request, struct api_reply *reply, enum token_limit limit,
		   const char *name)
{
	struct veer_diag diag = {""};
	if (token_judge_touch(api->control.directory, token_of(request), limit, name, &diag) == VEER_OK)
		return true;
	api_problem(reply, 403, "object", "%s", diag.text);
	return false;
}

bool api_may_change_all(struct api *api, const struct api_request *request, struct api_reply *reply)
{
	struct veer_diag diag = {""};
	if (token_judge_change_all(api->control.directory, token_of(request), &diag) == VEER_OK)
		return true;
	api_problem(reply, 403, "object", "%s", diag.text);
	return false;
}

/* The revision in an entity tag "rN" as the API sends them; CHANGE_EXISTS for `*`, CHANGE_NEVER for anything else. */
static int64_t parse_tag(const char *text)
{
	int64_t revision;
	char digits[24];
	if (strcmp(text, "*") == 0)
		return CHANGE_EXISTS;
	size_t len = strlen(text);
	if (len < 4 || len - 3 >= sizeof digits || strncmp(text, "\"r", 2) != 0 || text[len - 1] != '"')
		return CHANGE_NEVER;
	memcpy(digits, text + 2, len - 3);
	digits[len - 3] = '\0';
	return text_to_int(digits, 0, INT64_MAX, &revision) ? revision : CHANGE_NEVER;
}

struct change_precondition api_precondition(const struct api_request *request)
{
	struct change_precondition p = {.revision = CHANGE_ANY};
	p.is_absent = request->if_none_match != NULL && parse_tag(request->if_none_match) == CHANGE_EXISTS;
	if (request->if_match != NULL)
		p.revision = parse_tag(request->if_match);
	return p;
}

struct change_principal api_principal(struct api *api, const struct api_request *request)
{
	return (struct change_principal){api_principal_name(api, request), token_of(request)};
}

static enum veer_err run(struct api *api, const struct api_request *request, const struct change_wish *wish,
			 struct change_precondition precondition, struct change_result *result)
{
	const struct change wished = {.principal = api_principal(api, request),
				      .wishes = wish,
				      .count = 1,
				      .precondition = precondition,
				      .arena = request->arena};
	return change(&api->control, &wished, result);
}

enum veer_err api_change(struct api *api, const struct api_request *request, struct change_wish wish,
			 struct change_result *result)
{
	return run(api, request, &wish, api_precondition(request), result);
}

enum veer_err api_change_always(struct api *api, const struct api_request *request, struct change_wish wish,
				struct change_result *result)
{
	return run(api, request, &wish, (struct change_precondition){.revision = CHANGE_ANY}, result);
}

void api_problem_change(struct api_reply *reply, enum veer_err err, const struct change_result *result)
{
	static const struct {
		int status;
		const char *slug;
	} problems[] = {
		[CHANGE_MISSING] = {404, "not-found"},         [CHANGE_IS_THERE] = {409, "exists"},
		[CHANGE_PRECONDITION] = {412, "precondition"}, [CHANGE_IN_USE] = {409, "in-use"},
		[CHANGE_WOULD_EMPTY] = {409, "would-empty"},   [CHANGE_REQUIRED] = {409, "required"},
		[CHANGE_UNREADABLE] = {500, "unreadable"},     [CHANGE_FORBIDDEN] = {403, "object"},
		[CHANGE_LACKS_SCOPE] = {403, "scope"},         [CHANGE_NO_ROOM] = {422, "no-room"},
	};
	_Static_assert(sizeof problems / sizeof problems[0] == CHANGE_PROBLEMS, "a status for each problem");
	if (err == VEER_ENOMEM || result->problem == CHANGE_FAILED)
		api_problem_err(reply, err);
	else if (result->problem == CHANGE_INVALID)
		api_problem_invalid(reply, &result->diag);
	else
		api_problem(reply, problems[result->problem].status, problems[result->problem].slug, "%s",
			    result->diag.text);
}
