/* SPDX-License-Identifier: Apache-2.0 */
/* The zone that a request names. */
#include "api/rest/zone_need.h"

bool zone_need(struct api *api, struct api_request *request, struct api_reply *reply, struct zone_ref *out)
{
	const char *text = request->params[0];
	enum veer_err err = zone_find(&api->control, text, request->arena, out);
	if (err == VEER_OK)
		return api_may_touch(api, request, reply, TOKEN_LIMIT_ZONES, out->text);
	if (err == VEER_ENOTFOUND || err == VEER_EINVAL || err == VEER_ERANGE)
		api_problem(reply, 404, "not-found", "there is no zone \"%s\"", text);
	else
		api_problem_err(reply, err);
	return false;
}
