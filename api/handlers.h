/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers by module, for the table of routes in routes.c. Each takes the struct api as `ctx`. */
#ifndef VEER_API_HANDLERS_H
#define VEER_API_HANDLERS_H

#include "api/request.h"

/* system.c */
api_handler_fn handle_healthz, handle_metrics, handle_status;

/* streams.c: name servers and agents, all without blocking. */
api_handler_fn handle_feed, handle_uplink, handle_assignments, handle_reports;

/* identity.c: agents, name servers, enrolment, tokens. */
api_handler_fn handle_enrol;
api_handler_fn handle_agents_list, handle_agent_get, handle_agent_create, handle_agent_revoke;
api_handler_fn handle_nameservers_list, handle_nameserver_get, handle_nameserver_create, handle_nameserver_revoke;
api_handler_fn handle_tokens_list, handle_token_create, handle_token_delete;

/* objects.c: sites, checks, pools, policies. */
api_handler_fn handle_sites_list, handle_checks_list, handle_pools_list, handle_policies_list;
api_handler_fn handle_site_get, handle_check_get, handle_pool_get, handle_policy_get;
api_handler_fn handle_site_put, handle_check_put, handle_pool_put, handle_policy_put;
api_handler_fn handle_site_create, handle_check_create, handle_pool_create, handle_policy_create;
api_handler_fn handle_site_delete, handle_check_delete, handle_pool_delete, handle_policy_delete;

/* zones.c, rrsets.c, zone_transfer.c: zones, their RRsets, zone files in and out. */
api_handler_fn handle_zones_list, handle_zone_get, handle_zone_create, handle_zone_delete;
api_handler_fn handle_rrsets_list, handle_rrset_get, handle_rrset_put, handle_rrset_create, handle_rrset_delete;
api_handler_fn handle_zone_import, handle_zone_export;

#endif
