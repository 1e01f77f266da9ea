/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the whole service, for people: /v1/status. */
#include <stdio.h>
#include <string.h>

#include "api/control/delegations.h"
#include "api/control/settings.h"
#include "api/rest/api.h"
#include "api/rest/handlers.h"

enum {
	WINDOWS_BYTES = 4 << 20,
	CHECK_BYTES = 1 << 20,
	POLICIES_SHOWN = 100,
	DELEGATIONS_SHOWN = 100,
};

static bool add_site(void *ctx, const struct directory_entry *entry)
{
	json_t *site = json_deep_copy(entry->object);
	if (json_object_get(site, "state") == NULL)
		(void)json_object_set_new(site, "state", json_string("in"));
	(void)json_array_append_new(ctx, site);
	return true;
}

/* Index address and site of each endpoint by its key, from the pools. */
static bool index_pool(void *ctx, const struct directory_entry *entry)
{
	size_t i;
	json_t *endpoint;
	json_array_foreach(json_object_get(entry->object, "endpoints"), i, endpoint)
	{
		char key[MODEL_ENDPOINT_KEY_MAX + 1];
		const char *name = json_string_value(json_object_get(endpoint, "name"));
		(void)snprintf(key, sizeof key, "%s/%s", entry->key, name != NULL ? name : "");
		(void)json_object_set(ctx, key, endpoint);
	}
	return true;
}

static bool index_verdict(void *ctx, const struct directory_entry *entry)
{
	(void)json_object_set(ctx, entry->key, (json_t *)(uintptr_t)entry->object);
	return true;
}

static void copy_field(json_t *to, const json_t *from, const char *key)
{
	json_t *value = json_object_get(from, key);
	if (value != NULL)
		(void)json_object_set_new(to, key, json_deep_copy(value));
}

/* Index the time-outs of checks by name, in ms. A check that cannot be read is left out. */
static bool index_check(void *ctx, const struct directory_entry *entry)
{
	struct arena *arena = arena_new(CHECK_BYTES);
	struct model_check check;
	if (arena != NULL && model_check_parse(entry->object, arena, &check, NULL) == VEER_OK)
		(void)json_object_set_new(ctx, entry->key, json_integer(check.timeout_ms));
	arena_free(&arena);
	return true;
}

/*
 * Add "near_timeout" when successful probes of an agent take half of the check's time-out or more: the slowest agent
 * and both times.
 */
static void dress_time(json_t *item, const json_t *timeouts)
{
	size_t i;
	json_t *vote, *slowest = NULL;
	json_int_t worst = 0;
	json_array_foreach(json_object_get(item, "votes"), i, vote)
	{
		json_int_t rtt_us = json_integer_value(json_object_get(vote, "rtt_us"));
		const char *check = json_string_value(json_object_get(vote, "check"));
		json_int_t timeout_ms = check != NULL ? json_integer_value(json_object_get(timeouts, check)) : 0;
		if (timeout_ms == 0 || rtt_us * 2 < timeout_ms * 1000 || rtt_us / timeout_ms < worst)
			continue;
		worst = rtt_us / timeout_ms;
		json_decref(slowest);
		slowest = json_pack("{s:O, s:s, s:I, s:I}", "agent", json_object_get(vote, "agent"), "check", check,
				    "rtt_us", rtt_us, "timeout_ms", timeout_ms);
	}
	if (slowest != NULL)
		(void)json_object_set_new(item, "near_timeout", slowest);
}

/* Add to the controller's endpoints what the model and the committed verdict say, for people. */
static void dress_endpoints(json_t *endpoints, const json_t *pools, const json_t *verdicts, const json_t *timeouts)
{
	size_t i;
	json_t *item;
	json_array_foreach(endpoints, i, item)
	{
		const char *key = json_string_value(json_object_get(item, "endpoint"));
		const json_t *model = key != NULL ? json_object_get(pools, key) : NULL;
		const json_t *verdict = key != NULL ? json_object_get(verdicts, key) : NULL;
		copy_field(item, model, "address");
		copy_field(item, model, "site");
		copy_field(item, verdict, "reason");
		copy_field(item, verdict, "at");
		copy_field(item, verdict, "check");
		dress_time(item, timeouts);
	}
}

static bool index_agent(void *ctx, const struct directory_entry *entry)
{
	(void)json_object_set(ctx, entry->key, (json_t *)(uintptr_t)entry->object);
	return true;
}

static void dress_agents(json_t *agents, const json_t *identities)
{
	size_t i;
	json_t *item;
	json_array_foreach(agents, i, item)
	{
		const char *id = json_string_value(json_object_get(item, "id"));
		const json_t *identity = id != NULL ? json_object_get(identities, id) : NULL;
		copy_field(item, identity, "name");
		copy_field(item, identity, "region");
		json_int_t heard = json_integer_value(json_object_get(item, "heard_ms_ago"));
		const char *state = json_is_true(json_object_get(item, "revoked"))   ? "revoked"
				    : heard < 0                                      ? "never heard"
				    : json_is_true(json_object_get(item, "silent"))  ? "silent"
				    : json_is_true(json_object_get(item, "blind"))   ? "blind"
				    : json_is_true(json_object_get(item, "suspect")) ? "suspect"
										     : "reporting";
		(void)json_object_set_new(item, "state", json_string(state));
	}
}

static bool add_copy(void *ctx, const struct directory_entry *entry)
{
	(void)json_array_append_new(ctx, json_deep_copy(entry->object));
	return true;
}

/* The pools that the window does not drain, because no endpoint would be left. */
static json_t *blocked_pools(const json_t *blocked, const char *name)
{
	size_t i;
	json_t *block, *pools = json_array();
	json_array_foreach((json_t *)(uintptr_t)blocked, i, block)
	{
		const char *other = json_string_value(json_object_get(block, "maintenance"));
		if (other != NULL && strcmp(other, name) == 0)
			(void)json_array_append(pools, json_object_get(block, "pool"));
	}
	return pools;
}

/* Each window, with whether it is active. Takes `windows`. */
static json_t *maintenance_json(struct api *api, json_t *windows)
{
	size_t i;
	json_t *window, *blocked = controller_blocked(api->control.controller);
	struct arena *arena = arena_new(WINDOWS_BYTES);
	json_array_foreach(windows, i, window)
	{
		struct model_maintenance m;
		int64_t starts_ns = INT64_MAX, ends_ns = 0;
		if (arena == NULL || model_maintenance_parse(window, arena, &m, NULL) != VEER_OK)
			continue;
		bool is_on = model_maintenance_is_on(&m, veer_clock_wall_ns(api->control.clock), &starts_ns, &ends_ns);
		(void)json_object_set_new(window, "state",
					  json_string(is_on                    ? "on"
						      : starts_ns == INT64_MAX ? "over"
									       : "scheduled"));
		(void)json_object_set_new(window, "blocked_pools", blocked_pools(blocked, m.name));
		arena_reset(arena);
	}
	arena_free(&arena);
	json_decref(blocked);
	return windows;
}

/* How many policies answer in which way, and the policies that do not answer normally. */
static json_t *policies_json(struct api *api)
{
	uint64_t counts[ANSWERS_STATES];
	json_t *policies = json_object();
	answers_count(api->control.answers, counts);
	for (unsigned i = 0; i < ANSWERS_STATES; i++)
		(void)json_object_set_new(policies, answers_state_text((enum answers_state)i),
					  json_integer((json_int_t)counts[i]));
	(void)json_object_set_new(policies, "items", answers_abnormal(api->control.answers, POLICIES_SHOWN));
	return policies;
}

/* How zones compare with their parents, and the zones whose delegation has to be corrected. */
static json_t *delegations_json(struct api *api)
{
	uint64_t counts[DELEGATION_STATES];
	json_t *delegations = json_object();
	delegations_count(api->control.delegations, counts);
	for (unsigned i = 0; i < DELEGATION_STATES; i++)
		(void)json_object_set_new(delegations, delegation_state_text((enum delegation_state)i),
					  json_integer((json_int_t)counts[i]));
	(void)json_object_set_new(delegations, "items", delegations_items(api->control.delegations, DELEGATIONS_SHOWN));
	return delegations;
}

static bool has_id(const json_t *list, const char *id)
{
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)(uintptr_t)list, i, item)
	{
		const char *other = json_string_value(json_object_get(item, "id"));
		if (other != NULL && strcmp(other, id) == 0)
			return true;
	}
	return false;
}

/*
 * The name servers that have a session, and those that were enrolled but have not connected since this program started.
 * Takes `enrolled`.
 */
static json_t *nameservers_json(struct api *api, json_t *enrolled)
{
	size_t i;
	json_t *item, *list = uplink_list(api->control.uplinks, veer_clock_monotonic_ms(api->control.clock));
	json_array_foreach(list, i, item)
	{
		json_int_t heard = json_integer_value(json_object_get(item, "heard_ms_ago"));
		(void)json_object_set_new(item, "state", json_string(heard > UPLINK_SILENT_MS ? "silent" : "serving"));
	}
	json_array_foreach(enrolled, i, item)
	{
		const char *id = json_string_value(json_object_get(item, "id"));
		const char *state = json_string_value(json_object_get(item, "state"));
		if (id == NULL || has_id(list, id) || (state != NULL && strcmp(state, "revoked") == 0))
			continue;
		(void)json_array_append_new(list, json_pack("{s:s, s:O, s:s, s:i}", "id", id, "name",
							    json_object_get(item, "name"), "state", "never heard",
							    "heard_ms_ago", -1));
	}
	json_decref(enrolled);
	return list;
}

void handle_status(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	char lineage[HISTORY_ID_SIZE];
	(void)request;
	json_t *engine = controller_status(api->control.controller, NULL);
	json_t *sites = json_array(), *pools = json_object(), *verdicts = json_object(), *identities = json_object();
	json_t *timeouts = json_object(), *servers = json_array();
	json_t *status = json_object(), *overrides = json_array(), *windows = json_array();
	/* The indexes share the entries' JSON instead of copying it, so it must not change meanwhile. */
	directory_read_begin(api->control.directory);
	directory_list_locked(api->control.directory, MODEL_KIND_SITE, NULL, add_site, sites);
	directory_list_locked(api->control.directory, MODEL_KIND_POOL, NULL, index_pool, pools);
	directory_list_locked(api->control.directory, MODEL_KIND_VERDICT, NULL, index_verdict, verdicts);
	directory_list_locked(api->control.directory, MODEL_KIND_AGENT, NULL, index_agent, identities);
	directory_list_locked(api->control.directory, MODEL_KIND_CHECK, NULL, index_check, timeouts);
	directory_list_locked(api->control.directory, MODEL_KIND_NAMESERVER, NULL, add_copy, servers);
	directory_list_locked(api->control.directory, MODEL_KIND_OVERRIDE, NULL, add_copy, overrides);
	directory_list_locked(api->control.directory, MODEL_KIND_MAINTENANCE, NULL, add_copy, windows);
	dress_endpoints(json_object_get(engine, "endpoints"), pools, verdicts, timeouts);
	dress_agents(json_object_get(engine, "agents"), identities);
	json_decref(pools);
	json_decref(verdicts);
	json_decref(identities);
	json_decref(timeouts);
	directory_read_end(api->control.directory);
	(void)json_object_set_new(status, "revision", json_integer(directory_revision(api->control.directory)));
	(void)json_object_set_new(status, "feed_revision", json_integer(feed_revision(hub_feed(api->control.hub))));
	(void)json_object_set_new(status, "store_id", json_string(store_id(api->control.store)));
	(void)json_object_set_new(status, "lineage", json_string(store_lineage(api->control.store, lineage)));
	(void)json_object_set_new(status, "controller",
				  json_string(engine == NULL                                    ? "not answering"
					      : json_is_true(json_object_get(engine, "acting")) ? "acting"
												: "deposed"));
	copy_field(status, engine, "election");
	(void)json_object_set_new(status, "sites", sites);
	copy_field(status, engine, "endpoints");
	copy_field(status, engine, "agents");
	copy_field(status, engine, "brake");
	(void)json_object_set_new(status, "settings", settings_now(api->control.directory));
	(void)json_object_set_new(status, "overrides", overrides);
	(void)json_object_set_new(status, "maintenance", maintenance_json(api, windows));
	(void)json_object_set_new(status, "policies", policies_json(api));
	(void)json_object_set_new(status, "delegations", delegations_json(api));
	(void)json_object_set_new(status, "nameservers", nameservers_json(api, servers));
	json_decref(engine);
	api_reply_json(reply, 200, status);
}
