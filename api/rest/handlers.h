/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers by module, for the table of routes in routes.c. Each takes the struct api as `ctx`. */
#ifndef VEER_API_REST_HANDLERS_H
#define VEER_API_REST_HANDLERS_H

#include "api/http/request.h"

/* system.c */
api_handler_fn handle_healthz, handle_metrics, handle_status;

/* openapi.c: the description of this API. */
api_handler_fn handle_openapi, handle_openapi_page;

/* streams.c: for name servers and agents; none of them blocks. */
api_handler_fn handle_feed, handle_uplink, handle_assignments, handle_reports;

/* backup.c */
api_handler_fn handle_backup;

/* nameservers.c */
api_handler_fn handle_nameserver_adopt;

/* enrolment.c: the exchange of a token. identity.c: agents and name servers (request->arg: MODEL_KIND_AGENT or
 * _NAMESERVER). tokens.c: tokens. */
api_handler_fn handle_enrol;
api_handler_fn handle_identities_list, handle_identity_get, handle_identity_create, handle_identity_revoke;
api_handler_fn handle_tokens_list, handle_token_create, handle_token_delete;

/* objects.c: sites, checks, pools, policies; request->arg is the enum model_kind. */
api_handler_fn handle_objects_list, handle_object_get, handle_object_put, handle_object_create, handle_object_delete;

/* override_api.c, settings.c: overrides; settings and maintenance windows. */
api_handler_fn handle_overrides_list, handle_overrides_create;
api_handler_fn handle_override_get, handle_override_put, handle_override_delete;
api_handler_fn handle_settings_get, handle_settings_put;
api_handler_fn handle_maintenance_list, handle_maintenance_get, handle_maintenance_put, handle_maintenance_delete;

/* transitions.c: what happened, the state of an endpoint, and an application's own report on it. */
api_handler_fn handle_transitions_list, handle_transition_get, handle_endpoint_get, handle_push;

/* zone_delegation.c: what the parent says about a zone. */
api_handler_fn handle_delegation_get, handle_delegation_compare;

/* zones.c, rrsets.c, zone_transfer.c: zones, their RRsets, zone files in and out. */
api_handler_fn handle_zones_list, handle_zone_get, handle_zone_create, handle_zone_delete;
api_handler_fn handle_rrsets_list, handle_rrset_get, handle_rrset_put, handle_rrset_create, handle_rrset_delete;
api_handler_fn handle_zone_import, handle_zone_import_state, handle_zone_export;

#endif
