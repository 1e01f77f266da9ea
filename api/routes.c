/* SPDX-License-Identifier: Apache-2.0 */
/* Every path of the API in one table: who may call it, how it runs, what it takes. */
#include "api/api.h"
#include "api/handlers.h"
#include "probes/report.h"

enum {
	ANYBODY = 1 << API_ROLE_ANONYMOUS | 1 << API_ROLE_TOKEN | 1 << API_ROLE_AGENT | 1 << API_ROLE_NAMESERVER,
	TOKENS = 1 << API_ROLE_TOKEN,
	AGENTS = 1 << API_ROLE_AGENT,
	FEEDERS = 1 << API_ROLE_NAMESERVER | 1 << API_ROLE_TOKEN,
	SERVERS = 1 << API_ROLE_NAMESERVER,
	ZONE_TEXT_MAX = 256 << 20,
	UPLINK_MAX = 16384,
	ENROL_MAX = 4096,
};

static const struct api_route routes[] = {
	{"GET", "/healthz", API_CLASS_INLINE, ANYBODY, API_SCOPE_NONE, 0, handle_healthz},
	{"GET", "/metrics", API_CLASS_POOLED, ANYBODY, API_SCOPE_HEALTH_READ, 0, handle_metrics},
	{"GET", "/v1/status", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_status},

	{"GET", "/v1/feed", API_CLASS_STREAM, FEEDERS, API_SCOPE_FEED, 0, handle_feed},
	{"POST", "/v1/uplink", API_CLASS_INLINE, SERVERS, API_SCOPE_NONE, UPLINK_MAX, handle_uplink},
	{"POST", "/v1/enrol", API_CLASS_POOLED, ANYBODY, API_SCOPE_NONE, ENROL_MAX, handle_enrol},
	{"GET", "/v1/agents/self/assignments", API_CLASS_STREAM, AGENTS, API_SCOPE_NONE, 0, handle_assignments},
	{"POST", "/v1/agents/self/reports", API_CLASS_INLINE, AGENTS, API_SCOPE_NONE, REPORT_BYTES_MAX, handle_reports},

	{"GET", "/v1/agents", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_agents_list},
	{"POST", "/v1/agents", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, API_BODY_OBJECT, handle_agent_create},
	{"GET", "/v1/agents/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_agent_get},
	{"DELETE", "/v1/agents/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_agent_revoke},
	{"GET", "/v1/nameservers", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_nameservers_list},
	{"POST", "/v1/nameservers", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, API_BODY_OBJECT, handle_nameserver_create},
	{"GET", "/v1/nameservers/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_nameserver_get},
	{"DELETE", "/v1/nameservers/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_nameserver_revoke},
	{"GET", "/v1/tokens", API_CLASS_POOLED, TOKENS, API_SCOPE_TOKENS, 0, handle_tokens_list},
	{"POST", "/v1/tokens", API_CLASS_POOLED, TOKENS, API_SCOPE_TOKENS, API_BODY_OBJECT, handle_token_create},
	{"DELETE", "/v1/tokens/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_TOKENS, 0, handle_token_delete},

	{"GET", "/v1/sites", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_sites_list},
	{"POST", "/v1/sites", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_site_create},
	{"GET", "/v1/sites/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_site_get},
	{"PUT", "/v1/sites/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_site_put},
	{"DELETE", "/v1/sites/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0, handle_site_delete},
	{"GET", "/v1/checks", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_checks_list},
	{"POST", "/v1/checks", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_check_create},
	{"GET", "/v1/checks/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_check_get},
	{"PUT", "/v1/checks/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_check_put},
	{"DELETE", "/v1/checks/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0, handle_check_delete},
	{"GET", "/v1/pools", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_pools_list},
	{"POST", "/v1/pools", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_pool_create},
	{"GET", "/v1/pools/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_pool_get},
	{"PUT", "/v1/pools/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_pool_put},
	{"DELETE", "/v1/pools/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0, handle_pool_delete},
	{"GET", "/v1/policies", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_policies_list},
	{"POST", "/v1/policies", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_policy_create},
	{"GET", "/v1/policies/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_policy_get},
	{"PUT", "/v1/policies/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_policy_put},
	{"DELETE", "/v1/policies/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0, handle_policy_delete},

	{"GET", "/v1/zones", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0, handle_zones_list},
	{"POST", "/v1/zones", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, API_BODY_OBJECT, handle_zone_create},
	{"GET", "/v1/zones/{zone}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0, handle_zone_get},
	{"DELETE", "/v1/zones/{zone}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, 0, handle_zone_delete},
	{"GET", "/v1/zones/{zone}/export", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0, handle_zone_export},
	{"PUT", "/v1/zones/{zone}/import", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, ZONE_TEXT_MAX, handle_zone_import},
	{"GET", "/v1/zones/{zone}/rrsets", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0, handle_rrsets_list},
	{"POST", "/v1/zones/{zone}/rrsets", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, API_BODY_OBJECT, handle_rrset_create},
	{"GET", "/v1/zones/{zone}/rrsets/{name}/{type}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0, handle_rrset_get},
	{"PUT", "/v1/zones/{zone}/rrsets/{name}/{type}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, API_BODY_OBJECT,
	 handle_rrset_put},
	{"DELETE", "/v1/zones/{zone}/rrsets/{name}/{type}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, 0,
	 handle_rrset_delete},
};

const struct api_route *api_routes(size_t *count)
{
	*count = sizeof routes / sizeof routes[0];
	return routes;
}
