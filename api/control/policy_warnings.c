/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/policy_warnings.h"

#include "zones/model/model.h"

/* Add the name servers that do not know clients' locations, if the policy needs them; an empty array when all do. */
static void add_location(struct control *control, json_t *warnings)
{
	json_t *servers = uplink_list(control->uplinks, veer_clock_monotonic_ms(control->clock));
	size_t i;
	json_t *server;
	json_array_foreach(servers, i, server)
	{
		const json_t *networks = json_object_get(server, "location_networks");
		bool is_gone = json_integer_value(json_object_get(server, "heard_ms_ago")) > UPLINK_GONE_MS;
		if (networks != NULL && json_integer_value(networks) == 0 && !is_gone)
			(void)json_array_append_new(
				warnings,
				json_sprintf(
					"the name server \"%s\" has no location database (--geoip): no rule matches "
					"there, its clients are given \"else\"",
					json_string_value(json_object_get(server, "name"))));
	}
	if (json_array_size(servers) == 0)
		(void)json_array_append_new(
			warnings, json_string("no name server has said yet whether it has a location database "
					      "(--geoip): without one no rule matches"));
	json_decref(servers);
}

json_t *policy_warnings(struct control *control, const struct model_policy *policy)
{
	json_t *warnings = json_array();
	if (model_node_uses_location(policy->tree))
		add_location(control, warnings);
	if (policy->when_all_down == MODEL_ALL_DOWN_SERVFAIL)
		(void)json_array_append_new(
			warnings,
			json_string(
				"with \"when_all_down\": \"servfail\" a resolver is told that the name servers fail: "
				"it asks all of them again and again, and some remember the failure for minutes "
				"after an endpoint is back; \"all\", \"last\" or a pool with an error page is kinder"));
	return warnings;
}
