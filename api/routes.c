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
	PUSH_MAX = 4096,
};

/* Either of them. */
#define PUSHERS ((enum api_scope)(API_SCOPE_HEALTH_PUSH | API_SCOPE_HEALTH_WRITE))

/* The query parameters of lists. */
#define PAGES "limit after"

static const struct api_route routes[] = {
	{"GET", "/healthz", API_CLASS_INLINE, ANYBODY, API_SCOPE_NONE, 0, handle_healthz, 0, NULL},
	{"GET", "/metrics", API_CLASS_POOLED, ANYBODY, API_SCOPE_HEALTH_READ, 0, handle_metrics, 0, NULL},
	{"GET", "/v1/status", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_status, 0, NULL},

	{"GET", "/v1/feed", API_CLASS_STREAM, FEEDERS, API_SCOPE_FEED, 0, handle_feed, 0, "since store_id"},
	{"POST", "/v1/uplink", API_CLASS_INLINE, SERVERS, API_SCOPE_NONE, UPLINK_MAX, handle_uplink, 0, NULL},
	{"POST", "/v1/enrol", API_CLASS_POOLED, ANYBODY, API_SCOPE_NONE, ENROL_MAX, handle_enrol, 0, NULL},
	{"GET", "/v1/agents/self/assignments", API_CLASS_STREAM, AGENTS, API_SCOPE_NONE, 0, handle_assignments, 0, NULL},
	{"POST", "/v1/agents/self/reports", API_CLASS_INLINE, AGENTS, API_SCOPE_NONE, REPORT_BYTES_MAX, handle_reports,
	 0, NULL},

	{"GET", "/v1/agents", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_identities_list, MODEL_KIND_AGENT, PAGES},
	{"POST", "/v1/agents", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, API_BODY_OBJECT, handle_identity_create,
	 MODEL_KIND_AGENT, NULL},
	{"GET", "/v1/agents/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_identity_get,
	 MODEL_KIND_AGENT, NULL},
	{"DELETE", "/v1/agents/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_identity_revoke,
	 MODEL_KIND_AGENT, NULL},
	{"GET", "/v1/nameservers", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_identities_list,
	 MODEL_KIND_NAMESERVER, PAGES},
	{"POST", "/v1/nameservers", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, API_BODY_OBJECT, handle_identity_create,
	 MODEL_KIND_NAMESERVER, NULL},
	{"GET", "/v1/nameservers/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_identity_get,
	 MODEL_KIND_NAMESERVER, NULL},
	{"DELETE", "/v1/nameservers/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_AGENTS, 0, handle_identity_revoke,
	 MODEL_KIND_NAMESERVER, NULL},
	{"GET", "/v1/tokens", API_CLASS_POOLED, TOKENS, API_SCOPE_TOKENS, 0, handle_tokens_list, 0, PAGES},
	{"POST", "/v1/tokens", API_CLASS_POOLED, TOKENS, API_SCOPE_TOKENS, API_BODY_OBJECT, handle_token_create, 0, NULL},
	{"DELETE", "/v1/tokens/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_TOKENS, 0, handle_token_delete, 0, NULL},

	{"GET", "/v1/sites", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_objects_list, MODEL_KIND_SITE, PAGES},
	{"POST", "/v1/sites", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_object_create,
	 MODEL_KIND_SITE, NULL},
	{"GET", "/v1/sites/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_object_get,
	 MODEL_KIND_SITE, NULL},
	{"PUT", "/v1/sites/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT,
	 handle_object_put, MODEL_KIND_SITE, NULL},
	{"DELETE", "/v1/sites/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0, handle_object_delete,
	 MODEL_KIND_SITE, NULL},
	{"GET", "/v1/checks", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_objects_list,
	 MODEL_KIND_CHECK, PAGES},
	{"POST", "/v1/checks", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_object_create,
	 MODEL_KIND_CHECK, NULL},
	{"GET", "/v1/checks/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_object_get,
	 MODEL_KIND_CHECK, NULL},
	{"PUT", "/v1/checks/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT,
	 handle_object_put, MODEL_KIND_CHECK, NULL},
	{"DELETE", "/v1/checks/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0, handle_object_delete,
	 MODEL_KIND_CHECK, NULL},
	{"GET", "/v1/pools", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_objects_list, MODEL_KIND_POOL, PAGES},
	{"POST", "/v1/pools", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_object_create,
	 MODEL_KIND_POOL, "force"},
	{"GET", "/v1/pools/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_object_get,
	 MODEL_KIND_POOL, NULL},
	{"PUT", "/v1/pools/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT,
	 handle_object_put, MODEL_KIND_POOL, "force"},
	{"DELETE", "/v1/pools/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0, handle_object_delete,
	 MODEL_KIND_POOL, NULL},
	{"GET", "/v1/policies", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_objects_list,
	 MODEL_KIND_POLICY, PAGES},
	{"POST", "/v1/policies", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT,
	 handle_object_create, MODEL_KIND_POLICY, NULL},
	{"GET", "/v1/policies/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_object_get,
	 MODEL_KIND_POLICY, NULL},
	{"PUT", "/v1/policies/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT,
	 handle_object_put, MODEL_KIND_POLICY, NULL},
	{"DELETE", "/v1/policies/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0, handle_object_delete,
	 MODEL_KIND_POLICY, NULL},

	{"GET", "/v1/overrides", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_overrides_list, 0, PAGES},
	{"POST", "/v1/overrides", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT,
	 handle_overrides_create, 0, NULL},
	{"GET", "/v1/overrides/{pool}/{endpoint}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0,
	 handle_override_get, 0, NULL},
	{"PUT", "/v1/overrides/{pool}/{endpoint}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT,
	 handle_override_put, 0, NULL},
	{"DELETE", "/v1/overrides/{pool}/{endpoint}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0,
	 handle_override_delete, 0, NULL},
	{"GET", "/v1/settings", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_settings_get, 0, NULL},
	{"PUT", "/v1/settings", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT, handle_settings_put,
	 0, NULL},
	{"GET", "/v1/maintenance", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_maintenance_list, 0, PAGES},
	{"GET", "/v1/maintenance/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_maintenance_get,
	 0, NULL},
	{"PUT", "/v1/maintenance/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, API_BODY_OBJECT,
	 handle_maintenance_put, 0, NULL},
	{"DELETE", "/v1/maintenance/{name}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_WRITE, 0,
	 handle_maintenance_delete, 0, NULL},
	{"GET", "/v1/transitions", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_transitions_list, 0, PAGES " endpoint"},
	{"GET", "/v1/transitions/{id}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0, handle_transition_get, 0, NULL},
	{"GET", "/v1/endpoints/{pool}/{endpoint}", API_CLASS_POOLED, TOKENS, API_SCOPE_HEALTH_READ, 0,
	 handle_endpoint_get, 0, NULL},
	{"POST", "/v1/checks/{name}/push", API_CLASS_POOLED, TOKENS, PUSHERS, PUSH_MAX, handle_push, 0, NULL},

	{"GET", "/v1/zones", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0, handle_zones_list, 0, PAGES},
	{"POST", "/v1/zones", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, API_BODY_OBJECT, handle_zone_create, 0, NULL},
	{"GET", "/v1/zones/{zone}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0, handle_zone_get, 0, NULL},
	{"DELETE", "/v1/zones/{zone}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, 0, handle_zone_delete, 0, NULL},
	{"GET", "/v1/zones/{zone}/export", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0, handle_zone_export, 0, NULL},
	{"PUT", "/v1/zones/{zone}/import", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, ZONE_TEXT_MAX,
	 handle_zone_import, 0, NULL},
	{"GET", "/v1/zones/{zone}/import", API_CLASS_INLINE, TOKENS, API_SCOPE_ZONES_READ, 0, handle_zone_import_state,
	 0, NULL},
	{"GET", "/v1/zones/{zone}/rrsets", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0, handle_rrsets_list, 0, PAGES},
	{"POST", "/v1/zones/{zone}/rrsets", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, API_BODY_OBJECT,
	 handle_rrset_create, 0, NULL},
	{"GET", "/v1/zones/{zone}/rrsets/{name}/{type}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_READ, 0,
	 handle_rrset_get, 0, NULL},
	{"PUT", "/v1/zones/{zone}/rrsets/{name}/{type}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE,
	 API_BODY_OBJECT, handle_rrset_put, 0, NULL},
	{"DELETE", "/v1/zones/{zone}/rrsets/{name}/{type}", API_CLASS_POOLED, TOKENS, API_SCOPE_ZONES_WRITE, 0,
	 handle_rrset_delete, 0, NULL},
};

const struct api_route *api_routes(size_t *count)
{
	*count = sizeof routes / sizeof routes[0];
	return routes;
}
