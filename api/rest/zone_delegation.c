/* SPDX-License-Identifier: Apache-2.0 */
/* Delegations over REST: the last comparison of a zone with its parent, and starting a new one. */
#include <string.h>

#include "api/control/delegations.h"
#include "api/control/zone_data.h"
#include "api/rest/handlers.h"
#include "api/rest/zone_need.h"

enum { RETRY_S = 5 };

void handle_delegation_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct zone_ref zone;
	if (!zone_need(api, request, reply, &zone))
		return;
	char *text = delegations_last(api->control.delegations, zone.text);
	api_reply_text(reply, 200, "application/json", text, text != NULL ? strlen(text) : 0);
}

void handle_delegation_compare(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct zone_ref zone;
	char *text = NULL;
	if (!zone_need(api, request, reply, &zone))
		return;
	enum veer_err err = delegations_compare(api->control.delegations, zone.text, &text);
	if (err == VEER_OK) {
		api_reply_text(reply, 200, "application/json", text, strlen(text));
	} else if (err == VEER_ENOTFOUND) {
		api_problem(reply, 404, "not-found", "there is no zone \"%s\"", zone.text);
	} else if (err == VEER_EBUSY || err == VEER_ETIMEOUT || err == VEER_ECLOSED) {
		api_problem(reply, 503, "busy",
			    err == VEER_EBUSY ? "a delegation is being compared already: one at a time"
					      : "the comparison was not finished");
		reply->retry_after_s = RETRY_S;
	} else {
		api_problem_err(reply, err);
	}
}
