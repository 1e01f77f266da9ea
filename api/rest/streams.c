/* SPDX-License-Identifier: Apache-2.0 */
/* The routes that name servers and agents use. They run in network threads: nothing here blocks. */
#include <stdio.h>
#include <string.h>

#include "api/rest/api.h"
#include "api/rest/handlers.h"
#include "base/text.h"
#include "probes/verdict/report_scan.h"

enum { REPORT_ARENA_BYTES = 16 << 20, REPORT_ITEM_MAX = 64, REPORT_REST_MAX = 1024 };

size_t api_body_limit(void *ctx, const struct api_request *request, const struct api_route *route)
{
	struct api *api = ctx;
	uint32_t items;
	if (route->handler != handle_reports ||
	    !assignment_hub_items(api->control.assignments, request->principal.id, &items))
		return route->body_limit_bytes;
	size_t limit = (size_t)items * REPORT_ITEM_MAX + REPORT_REST_MAX;
	return limit < route->body_limit_bytes ? limit : route->body_limit_bytes;
}

void handle_feed(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct feed_position position = {.is_by_token = request->principal.role == API_ROLE_TOKEN};
	const char *since = api_query(request, "since"), *seen = api_query(request, "seen");
	if ((since != NULL && !text_to_int(since, 0, INT64_MAX, &position.since)) ||
	    (seen != NULL && !text_to_int(seen, 0, INT64_MAX, &position.seen))) {
		api_problem(reply, 400, "malformed", "since and seen must be revisions");
		return;
	}
	if (since != NULL)
		position.lineage = api_query(request, "lineage");
	if (!feed_has_room(hub_feed(api->control.hub), &position)) {
		api_problem(reply, 503, "no-room",
			    "full states find no room, neither on the control plane's disk nor in the memory that they "
			    "may take: make room there; it is tried again");
		reply->retry_after_s = FEED_CROWDED_S;
		return;
	}
	reply->content_type = "application/x-ndjson";
	reply->source = feed_subscribe(hub_feed(api->control.hub), &position);
	if (reply->source == NULL)
		api_problem_err(reply, VEER_ENOMEM);
}

/* Tell a name server what to do, besides following the feed. */
static void tell(struct api *api, const struct uplink_answer *answer, struct api_reply *reply)
{
	char lineage[HISTORY_ID_SIZE];
	json_t *body = json_object();
	if (answer->adopts)
		(void)json_object_set_new(body, "adopt", json_string(store_lineage(api->control.store, lineage)));
	if (answer->needs_full_state)
		(void)json_object_set_new(body, "full_state", json_true());
	api_reply_json(reply, 200, body);
}

void handle_uplink(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct veer_diag diag = {""};
	struct uplink_answer answer;
	enum veer_err err = uplink_take(api->control.uplinks, request->principal.id, request->body, request->body_len,
					veer_clock_monotonic_ns(api->control.clock) / 1000, &answer, &diag);
	if (err == VEER_ELIMIT)
		api_problem_err(reply, err);
	else if (err != VEER_OK)
		api_problem_invalid(reply, &diag);
	else if (answer.adopts || answer.needs_full_state)
		tell(api, &answer, reply);
}

static bool copy_region(void *ctx, const struct directory_entry *entry)
{
	const char *region = json_string_value(json_object_get(entry->object, "region"));
	(void)snprintf(ctx, MODEL_NAME_MAX + 1, "%s", region != NULL ? region : "");
	return true;
}

void handle_assignments(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	char region[MODEL_NAME_MAX + 1] = "";
	(void)directory_get(api->control.directory, MODEL_KIND_AGENT, request->principal.id, copy_region, region);
	reply->content_type = "application/x-ndjson";
	reply->source = assignment_hub_subscribe(api->control.assignments, request->principal.id, region);
	if (reply->source == NULL)
		api_problem_err(reply, VEER_ELIMIT);
}

/*
 * Read a report. A network thread reads only the form that our agents write. False: the reply is made, or a worker must
 * make it.
 */
static bool read_report(const struct api_request *request, struct arena *arena, struct report *report,
			struct api_reply *reply)
{
	struct veer_diag diag = {""};
	if (!request->is_in_worker) {
		reply->wants_worker = !report_scan(request->body, request->body_len, arena, report);
		return !reply->wants_worker;
	}
	enum veer_err err = report_parse(request->body, request->body_len, arena, report, &diag);
	if (err == VEER_ENOMEM)
		api_problem_err(reply, err);
	else if (err != VEER_OK)
		api_problem_invalid(reply, &diag);
	return err == VEER_OK;
}

void handle_reports(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct report report;
	uint32_t items;
	enum veer_err err = VEER_ECONFLICT;
	struct arena *arena = arena_new(REPORT_ARENA_BYTES);
	if (arena == NULL) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	/* An agent without assignments cannot have a report for them. */
	if (assignment_hub_items(api->control.assignments, request->principal.id, &items)) {
		if (!read_report(request, arena, &report, reply)) {
			arena_free(&arena);
			return;
		}
		err = controller_report(api->control.controller, request->principal.id, &report,
					arena); /* takes the arena */
	} else {
		arena_free(&arena);
	}
	if (err == VEER_ECONFLICT)
		api_problem(reply, 409, "assignments", "the report is for other assignments than those in force");
	else if (err != VEER_OK)
		api_problem_err(reply, err);
}
