/* SPDX-License-Identifier: Apache-2.0 */
/* What an administrator tells a name server through its uplink. */
#include "api/rest/api.h"
#include "api/rest/handlers.h"

void handle_nameserver_adopt(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	const char *who = request->params[0];
	switch (uplink_adopt(api->control.uplinks, who)) {
	case UPLINK_ADOPTS:
		log_notice(api->control.log, "a name server is told to follow this store", LOG_STR("nameserver", who),
			   LOG_STR("by", api_principal_name(api, request)));
		api_reply_json(reply, 202,
			       json_pack("{s:s, s:s}", "nameserver", who, "store_id", store_id(api->control.store)));
		break;
	case UPLINK_FOLLOWS:
		api_problem(reply, 409, "not-quarantined",
			    "the name server \"%s\" keeps no store in quarantine: there is nothing to adopt", who);
		break;
	case UPLINK_UNHEARD:
		api_problem(reply, 404, "not-found", "no name server \"%s\" was heard here", who);
		break;
	}
}
