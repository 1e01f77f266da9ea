/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened (transitions), the state of one endpoint and its reasons, and an application's own report on it (push).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/controller.h"
#include "api/control/settings.h"
#include "api/control/trail.h"
#include "api/rest/api.h"
#include "api/rest/handlers.h"
#include "base/json_peek.h"
#include "zones/model/eligible.h"
#include "zones/store/store.h"

enum { TTL_MAX_S = 86400 };

/* One page of the history. */
struct page {
	struct api *api;
	json_t *items;
	const char *wanted; /* POOL/NAME; NULL: all */
	int64_t limit;
	bool has_more;
	char last[STORE_KEY_MAX + 1];
};

static json_t *transition_of(struct api *api, const struct store_object *object)
{
	json_t *transition = NULL;
	if (veer_json_parse(object->value, object->value_len, STORE_VALUE_MAX, &transition, NULL) != VEER_OK ||
	    !json_is_object(transition)) {
		json_decref(transition);
		return NULL;
	}
	trail_merge(api->control.trail, transition);
	(void)json_object_set_new(transition, "revision", json_integer(object->revision));
	return transition;
}

static bool is_of_endpoint(const struct store_object *object, const char *wanted)
{
	char endpoint[MODEL_ENDPOINT_KEY_MAX + 1];
	return veer_json_peek(object->value, object->value_len, "endpoint", endpoint, sizeof endpoint) == VEER_OK &&
	       strcmp(endpoint, wanted) == 0;
}

/* What the store holds is not trusted: an unreadable transition is left out. */
static bool add_transition(void *ctx, const struct store_object *object)
{
	struct page *page = ctx;
	if (page->wanted != NULL && !is_of_endpoint(object, page->wanted))
		return true;
	if ((int64_t)json_array_size(page->items) == page->limit) {
		page->has_more = true;
		return false;
	}
	json_t *transition = transition_of(page->api, object);
	if (transition != NULL)
		(void)json_array_append_new(page->items, transition);
	(void)snprintf(page->last, sizeof page->last, "%s", object->key);
	return true;
}

void handle_transitions_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	const char *endpoint = api_query(request, "endpoint"), *after = api_query(request, "after");
	struct page *page = arena_calloc(request->arena, 1, sizeof *page);
	if (page == NULL) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	page->api = ctx;
	if (!api_page_limit(request, reply, &page->limit))
		return;
	if (endpoint != NULL && !model_is_endpoint_key(endpoint)) {
		api_problem(reply, 400, "malformed", "endpoint must be POOL/NAME");
		return;
	}
	page->wanted = endpoint;
	page->items = json_array();
	enum veer_err err =
		store_list(page->api->control.store, MODEL_KIND_TRANSITION, "", after, add_transition, page, NULL);
	if (err != VEER_OK) {
		json_decref(page->items);
		api_problem_err(reply, err);
		return;
	}
	json_t *answer = json_pack("{s:o}", "items", page->items);
	if (page->has_more)
		(void)json_object_set_new(answer, "next", json_string(page->last));
	api_reply_json(reply, 200, answer);
}

void handle_transition_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct store_object object;
	enum veer_err err =
		store_get(api->control.store, MODEL_KIND_TRANSITION, request->params[0], request->arena, &object);
	json_t *transition = err == VEER_OK ? transition_of(api, &object) : NULL;
	if (transition != NULL)
		api_reply_json(reply, 200, transition);
	else if (err == VEER_ENOTFOUND)
		api_problem_missing(reply, MODEL_KIND_TRANSITION, request->params[0]);
	else
		api_problem_err(reply, err != VEER_OK ? err : VEER_ECORRUPT);
}

/* --- one endpoint ----------------------------------------------------------------------------------------------- */

static bool copy_object(void *ctx, const struct directory_entry *entry)
{
	*(json_t **)ctx = json_deep_copy(entry->object);
	return true;
}

static json_t *object_of(struct api *api, enum model_kind kind, const char *key)
{
	json_t *object = NULL;
	(void)directory_get(api->control.directory, kind, key, copy_object, &object);
	return object;
}

static json_t *agent_of(json_t *agents, const char *id)
{
	size_t i;
	json_t *agent;
	json_array_foreach(agents, i, agent)
	{
		const char *other = json_string_value(json_object_get(agent, "id"));
		if (other != NULL && strcmp(other, id) == 0)
			return agent;
	}
	return NULL;
}

/* Add to each vote its agent's name, and, if the agent is not believed, why. */
static void dress_votes(struct api *api, json_t *votes, json_t *agents)
{
	size_t i;
	json_t *vote;
	json_array_foreach(votes, i, vote)
	{
		const char *id = json_string_value(json_object_get(vote, "agent"));
		json_t *identity = id != NULL ? object_of(api, MODEL_KIND_AGENT, id) : NULL;
		const json_t *agent = id != NULL ? agent_of(agents, id) : NULL;
		const char *name = json_string_value(json_object_get(identity, "name"));
		if (name != NULL)
			(void)json_object_set_new(vote, "name", json_string(name));
		if (json_object_get(agent, "heard_ms_ago") != NULL)
			(void)json_object_set(vote, "heard_ms_ago", json_object_get(agent, "heard_ms_ago"));
		if (json_object_get(agent, "suspicion") != NULL)
			(void)json_object_set(vote, "suspicion", json_object_get(agent, "suspicion"));
		json_decref(identity);
	}
}

/* Find the endpoint within its pool. A new reference, or NULL. */
static json_t *model_of(struct api *api, const char *pool_name, const char *name)
{
	size_t i;
	json_t *pool = object_of(api, MODEL_KIND_POOL, pool_name), *endpoint, *found = NULL;
	json_array_foreach(json_object_get(pool, "endpoints"), i, endpoint)
	{
		const char *other = json_string_value(json_object_get(endpoint, "name"));
		if (other != NULL && strcmp(other, name) == 0)
			found = json_deep_copy(endpoint);
	}
	json_decref(pool);
	return found;
}

/*
 * When the engine does not know the endpoint (it has no model, or no room for it), name servers use the stored verdict.
 */
static bool is_eligible(const json_t *site, const json_t *override, const char *state, const json_t *verdict)
{
	static const enum model_override_action up = MODEL_OVERRIDE_UP, out = MODEL_OVERRIDE_DRAIN;
	const char *stored = json_string_value(json_object_get(verdict, "state"));
	const char *site_state = json_string_value(json_object_get(site, "state"));
	const char *action = json_string_value(json_object_get(override, "action"));
	bool is_down = strcmp(strcmp(state, "unknown") == 0 && stored != NULL ? stored : state, "down") == 0;
	const struct model_standing standing = {.verdict = is_down ? MODEL_STATE_DOWN : MODEL_STATE_UP,
						.override = action == NULL              ? NULL
							    : strcmp(action, "up") == 0 ? &up
											: &out,
						.is_site_in = site_state == NULL || strcmp(site_state, "out") != 0};
	return model_is_eligible(&standing);
}

/* The engine's view of the endpoint, with everything that the model and administrators add. Takes `model`. */
static json_t *endpoint_json(struct api *api, const char *key, json_t *model)
{
	json_t *engine = controller_status(api->control.controller, key);
	json_t *answer = json_array_get(json_object_get(engine, "endpoints"), 0);
	const char *site_name = json_string_value(json_object_get(model, "site"));
	json_t *site = object_of(api, MODEL_KIND_SITE, site_name != NULL ? site_name : "");
	json_t *override = object_of(api, MODEL_KIND_OVERRIDE, key), *settings = settings_now(api->control.directory);
	json_t *verdict = object_of(api, MODEL_KIND_VERDICT, key);
	answer = answer != NULL ? json_incref(answer) : json_pack("{s:s, s:s}", "endpoint", key, "state", "unknown");
	dress_votes(api, json_object_get(answer, "votes"), json_object_get(engine, "agents"));
	const char *state = json_string_value(json_object_get(answer, "state"));
	(void)json_object_set_new(answer, "eligible", json_boolean(is_eligible(site, override, state, verdict)));
	(void)json_object_set(answer, "address", json_object_get(model, "address"));
	(void)json_object_set(answer, "site", json_object_get(model, "site"));
	(void)json_object_set_new(answer, "site_state",
				  json_string(json_string_value(json_object_get(site, "state")) != NULL
						      ? json_string_value(json_object_get(site, "state"))
						      : "in"));
	(void)json_object_set_new(answer, "override", override != NULL ? override : json_null());
	(void)json_object_set_new(answer, "verdict", verdict != NULL ? verdict : json_null());
	(void)json_object_set(answer, "freeze", json_object_get(settings, "freeze"));
	if (json_object_get(engine, "brake") != NULL)
		(void)json_object_set(answer, "brake", json_object_get(engine, "brake"));
	(void)json_object_set_new(answer, "controller",
				  json_string(engine == NULL                                    ? "not answering"
					      : json_is_true(json_object_get(engine, "acting")) ? "acting"
												: "deposed"));
	(void)json_object_set_new(answer, "answered_by", answers_with(api->control.answers, key));
	json_decref(engine);
	json_decref(site);
	json_decref(settings);
	json_decref(model);
	return answer;
}

void handle_endpoint_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	const char *key = arena_printf(request->arena, "%s/%s", request->params[0], request->params[1]);
	json_t *model = key != NULL ? model_of(ctx, request->params[0], request->params[1]) : NULL;
	if (model == NULL)
		api_problem(reply, 404, "not-found", "there is no endpoint \"%s/%s\"", request->params[0],
			    request->params[1]);
	else
		api_reply_json(reply, 200, endpoint_json(ctx, key, model));
}

/* --- push ------------------------------------------------------------------------------------------------------- */

static void reply_push(struct api_reply *reply, enum veer_err err, const char *check, const char *endpoint)
{
	if (err == VEER_ENOTFOUND)
		api_problem(reply, 422, "invalid",
			    "the check \"%s\" is not of kind push, or does not watch an endpoint \"%s\"", check,
			    endpoint);
	else if (err == VEER_ETIMEOUT || err == VEER_ELIMIT)
		api_problem_err(reply, VEER_EBUSY);
	else if (err != VEER_OK)
		api_problem_err(reply, err);
}

/*
 * The time to live of a push is not stored: after a restart only the check's is known, and with `on_expiry: down` a
 * push with a longer one would end too early, which removes the endpoint.
 */
static bool outlives_check(struct api *api, struct api_request *request, const struct controller_push *push)
{
	struct model_check check;
	json_t *object = object_of(api, MODEL_KIND_CHECK, push->check);
	bool outlives = object != NULL && model_check_parse(object, request->arena, &check, NULL) == VEER_OK &&
			check.kind == MODEL_CHECK_PUSH && check.is_down_on_expiry && push->ttl_ms / 1000 > check.ttl_s;
	json_decref(object);
	return outlives;
}

void handle_push(void *ctx, struct api_request *request, struct api_reply *reply)
{
	static const char *const states[] = {"up", "down"};
	struct api *api = ctx;
	json_t *body = NULL;
	struct json_cursor c;
	struct veer_diag diag = {""};
	struct controller_push push = {.state = MODEL_STATE_UP};
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	veer_json_begin(&c, body, "", &diag);
	const char *endpoint = veer_json_str(&c, "endpoint", MODEL_ENDPOINT_KEY_MAX);
	if (c.err == VEER_OK && !model_is_endpoint_key(endpoint))
		veer_json_fail(&c, "endpoint", VEER_EINVAL, "\"%s\" is not POOL/NAME", endpoint);
	push.state = veer_json_enum_or(&c, "state", states, 2, -1) == 0 ? MODEL_STATE_UP : MODEL_STATE_DOWN;
	push.ttl_ms = (uint32_t)veer_json_int_or(&c, "ttl_s", 1, TTL_MAX_S, 0) * 1000;
	const char *reason = veer_json_str_or(&c, "reason", CONTROLLER_PUSH_TEXT - 1, "");
	(void)snprintf(push.reason, sizeof push.reason, "%s", reason);
	(void)snprintf(push.by, sizeof push.by, "%s", api_principal_name(api, request));
	(void)snprintf(push.check, sizeof push.check, "%s", request->params[0]);
	if (veer_json_end(&c) != VEER_OK)
		api_problem_invalid(reply, &diag);
	else if (!api_may_touch(api, request, reply, TOKEN_LIMIT_CHECKS, request->params[0]) ||
		 !api_may_touch(api, request, reply, TOKEN_LIMIT_ENDPOINTS, endpoint))
		; /* the reply is made already */
	else if (directory_revision_of(api->control.directory, MODEL_KIND_CHECK, request->params[0]) == 0)
		api_problem(reply, 404, "not-found", "there is no check \"%s\"", request->params[0]);
	else if (outlives_check(api, request, &push))
		api_problem(reply, 422, "invalid",
			    "ttl_s must not be more than that of the check \"%s\", which goes down on expiry: it is "
			    "all that "
			    "is known after a restart",
			    push.check);
	else
		reply_push(reply, controller_push_state(api->control.controller, endpoint, &push), push.check,
			   endpoint);
	json_decref(body);
}
