/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the whole: /healthz, /metrics, /v1/status. */
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "base/buf.h"
#include "base/metrics.h"
#include "probes/verdict.h"

enum { METRICS_MAX = 8 << 20, AGENT_SILENT_MS = 5000, WINDOWS_BYTES = 4 << 20 };

void handle_healthz(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	(void)request;
	api_reply_json(
		reply, 200,
		json_pack("{s:s, s:I}", "status", "ok", "revision", (json_int_t)directory_revision(api->directory)));
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	metrics_family(out, name, METRICS_COUNTER, help);
	metrics_sample_u64(out, name, NULL, value);
}

static void gauge(struct buf *out, const char *name, const char *help, double value)
{
	metrics_family(out, name, METRICS_GAUGE, help);
	metrics_sample(out, name, NULL, value);
}

static bool verdict_metric(void *ctx, const struct directory_entry *entry)
{
	const char *state = json_string_value(json_object_get(entry->object, "state"));
	metrics_sample(ctx, "veer_endpoint_up", METRICS_LABELS(METRICS_LABEL("endpoint", entry->key)),
		       state != NULL && strcmp(state, "up") == 0 ? 1 : 0);
	return true;
}

static void server_metrics(struct api *api, struct buf *out)
{
	static const char *const classes[] = {"", "1xx", "2xx", "3xx", "4xx", "5xx"};
	struct api_server_stats stats;
	api_server_stats_read(api->server, &stats);
	metrics_family(out, "veer_api_responses_total", METRICS_COUNTER, "Answered requests by class of status.");
	for (size_t i = 1; i < 6; i++)
		metrics_sample_u64(out, "veer_api_responses_total", METRICS_LABELS(METRICS_LABEL("class", classes[i])),
				   stats.by_class[i]);
	counter(out, "veer_api_busy_total", "Requests refused because a limit was reached.", stats.refused_busy);
	counter(out, "veer_api_cut_total", "Connections cut by an absolute deadline.", stats.cut_deadline);
	gauge(out, "veer_api_connections", "Open connections.", (double)stats.connections);
	gauge(out, "veer_api_streams", "Open streams: feeds and assignments.", (double)stats.streams);
}

static void feed_metrics(struct api *api, struct buf *out)
{
	struct feed_stats stats;
	feed_stats_read(hub_feed(api->hub), &stats);
	gauge(out, "veer_feed_subscribers", "Name servers on the feed.", (double)stats.subscribers);
	counter(out, "veer_feed_commits_total", "Commits sent.", stats.commits);
	counter(out, "veer_feed_cut_total", "Subscribers cut because they fell behind.", stats.cut);
	counter(out, "veer_feed_snapshots_total", "Full states written.", stats.snapshots);
	counter(out, "veer_feed_rewinds_total",
		"Lineages begun because a name server had seen more than the store has.", stats.rewinds);
	struct uplink_counts counts;
	uplink_counts_read(api->uplinks, &counts);
	gauge(out, "veer_nameservers_quarantined",
	      "Name servers that do not follow a store, as far as they were heard.", (double)counts.quarantined);
	gauge(out, "veer_nameservers_different", "Name servers whose content is not the store's.",
	      (double)counts.different);
}

static void controller_metrics(struct api *api, struct buf *out)
{
	struct controller_stats stats;
	controller_stats_read(api->controller, &stats);
	counter(out, "veer_reports_total", "Reports of agents that were counted.", stats.reports);
	counter(out, "veer_reports_refused_total", "Reports that were stale, unknown or too many.",
		stats.reports_refused);
	counter(out, "veer_transitions_total", "Verdicts committed.", stats.transitions);
	counter(out, "veer_verdict_commits_failed_total", "Commits of verdicts that failed.", stats.commits_failed);
	counter(out, "veer_confirms_total", "Second looks asked of agents.", stats.confirms);
	counter(out, "veer_pushes_total", "Words that applications pushed.", stats.pushes);
	gauge(out, "veer_election", "Number of the election.", (double)stats.election);
	gauge(out, "veer_controller_acting", "1 while this controller decides, 0 once another was elected.",
	      stats.is_acting);
}

/* What holds verdicts back, and whom the engine does not believe. */
static void engine_metrics(struct api *api, struct buf *out)
{
	struct controller_counts counts;
	if (!controller_counts_read(api->controller, &counts))
		return;
	metrics_family(out, "veer_endpoints_waiting", METRICS_GAUGE,
		       "Endpoints whose verdict does not change though it might, by what they wait for.");
	for (unsigned wait = VERDICT_WAIT_NONE + 1; wait <= VERDICT_WAIT_FROZEN; wait++)
		metrics_sample_u64(out, "veer_endpoints_waiting",
				   METRICS_LABELS(METRICS_LABEL("for", verdict_wait_text((enum verdict_wait)wait))),
				   counts.waits[wait]);
	gauge(out, "veer_endpoints_in_doubt", "Endpoints whose answers carry a short TTL.", (double)counts.doubts);
	metrics_family(out, "veer_agents_not_counted", METRICS_GAUGE, "Agents whose views do not count, by reason.");
	metrics_sample_u64(out, "veer_agents_not_counted", METRICS_LABELS(METRICS_LABEL("reason", "suspect")),
			   counts.agents_suspect);
	metrics_sample_u64(out, "veer_agents_not_counted", METRICS_LABELS(METRICS_LABEL("reason", "blind")),
			   counts.agents_blind);
	metrics_sample_u64(out, "veer_agents_not_counted", METRICS_LABELS(METRICS_LABEL("reason", "silent")),
			   counts.agents_silent);
	metrics_sample_u64(out, "veer_agents_not_counted", METRICS_LABELS(METRICS_LABEL("reason", "revoked")),
			   counts.agents_revoked);
}

/* Overrides by what they do. */
struct override_count {
	uint64_t up, down, drain;
};

static bool count_override(void *ctx, const struct directory_entry *entry)
{
	struct override_count *count = ctx;
	const char *action = json_string_value(json_object_get(entry->object, "action"));
	count->up += action != NULL && strcmp(action, "up") == 0;
	count->down += action != NULL && strcmp(action, "down") == 0;
	count->drain += action != NULL && strcmp(action, "drain") == 0;
	return true;
}

static void administrator_metrics(struct api *api, struct buf *out)
{
	struct override_count count = {0};
	json_t *settings = api_settings(api), *blocked = controller_blocked(api->controller);
	const char *brake = json_string_value(json_object_get(settings, "brake"));
	directory_list(api->directory, MODEL_KIND_OVERRIDE, NULL, count_override, &count);
	metrics_family(out, "veer_overrides", METRICS_GAUGE, "Endpoints under an administrator's word.");
	metrics_sample_u64(out, "veer_overrides", METRICS_LABELS(METRICS_LABEL("action", "up")), count.up);
	metrics_sample_u64(out, "veer_overrides", METRICS_LABELS(METRICS_LABEL("action", "down")), count.down);
	metrics_sample_u64(out, "veer_overrides", METRICS_LABELS(METRICS_LABEL("action", "drain")), count.drain);
	gauge(out, "veer_frozen", "1 while no verdict changes because an administrator froze all.",
	      json_is_true(json_object_get(json_object_get(settings, "freeze"), "on")));
	gauge(out, "veer_brake_off", "1 while the brake on mass removal is off.",
	      brake != NULL && strcmp(brake, "off") == 0);
	gauge(out, "veer_maintenance_blocked", "Pools that maintenance windows do not drain, for they would be empty.",
	      (double)json_array_size(blocked));
	json_decref(settings);
	json_decref(blocked);
}

void handle_metrics(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct buf out;
	buf_init(&out, METRICS_MAX);
	if (request->principal.role == API_ROLE_ANONYMOUS && !request->is_local) {
		api_problem(reply, 401, "credentials", "metrics are open to this host only; others send a token");
		return;
	}
	metrics_family(&out, "veer_build_info", METRICS_GAUGE, "The version that runs.");
	metrics_sample(&out, "veer_build_info", METRICS_LABELS(METRICS_LABEL("version", VEER_VERSION)), 1);
	gauge(&out, "veer_store_revision", "The newest revision.", (double)directory_revision(api->directory));
	server_metrics(api, &out);
	feed_metrics(api, &out);
	controller_metrics(api, &out);
	engine_metrics(api, &out);
	administrator_metrics(api, &out);
	metrics_family(&out, "veer_endpoint_up", METRICS_GAUGE,
		       "The committed verdict; endpoints without one are left out.");
	directory_list(api->directory, MODEL_KIND_VERDICT, NULL, verdict_metric, &out);
	size_t len = 0;
	char *text = out.failed ? NULL : buf_take(&out, &len);
	buf_deinit(&out);
	api_reply_text(reply, 200, METRICS_CONTENT_TYPE, text, len);
}

static bool add_site(void *ctx, const struct directory_entry *entry)
{
	json_t *site = json_deep_copy(entry->object);
	if (json_object_get(site, "state") == NULL)
		(void)json_object_set_new(site, "state", json_string("in"));
	(void)json_array_append_new(ctx, site);
	return true;
}

/* Address and site of each endpoint, by its key, from the pools. */
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

/* The controller's endpoints, with what the model and the committed verdict add for people. */
static void dress_endpoints(json_t *endpoints, const json_t *pools, const json_t *verdicts)
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
				    : heard > AGENT_SILENT_MS                        ? "silent"
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

/* Which pools the window does not drain, because nothing would be left. */
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

/* Each window, with whether it is on. Takes `windows`. */
static json_t *maintenance_json(struct api *api, json_t *windows)
{
	size_t i;
	json_t *window, *blocked = controller_blocked(api->controller);
	struct arena *arena = arena_new(WINDOWS_BYTES);
	json_array_foreach(windows, i, window)
	{
		struct model_maintenance m;
		int64_t starts_ns = INT64_MAX, ends_ns = 0;
		if (arena == NULL || model_maintenance_parse(window, arena, &m, NULL) != VEER_OK)
			continue;
		bool is_on = model_maintenance_is_on(&m, veer_clock_wall_ns(api->clock), &starts_ns, &ends_ns);
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

void handle_status(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	char lineage[HISTORY_ID_SIZE];
	(void)request;
	json_t *engine = controller_status(api->controller, NULL);
	json_t *sites = json_array(), *pools = json_object(), *verdicts = json_object(), *identities = json_object();
	json_t *status = json_object(), *overrides = json_array(), *windows = json_array();
	/* The indexes share the entries' JSON instead of copying it: nobody may change it meanwhile. */
	directory_read_begin(api->directory);
	directory_list_locked(api->directory, MODEL_KIND_SITE, NULL, add_site, sites);
	directory_list_locked(api->directory, MODEL_KIND_POOL, NULL, index_pool, pools);
	directory_list_locked(api->directory, MODEL_KIND_VERDICT, NULL, index_verdict, verdicts);
	directory_list_locked(api->directory, MODEL_KIND_AGENT, NULL, index_agent, identities);
	directory_list_locked(api->directory, MODEL_KIND_OVERRIDE, NULL, add_copy, overrides);
	directory_list_locked(api->directory, MODEL_KIND_MAINTENANCE, NULL, add_copy, windows);
	dress_endpoints(json_object_get(engine, "endpoints"), pools, verdicts);
	dress_agents(json_object_get(engine, "agents"), identities);
	json_decref(pools);
	json_decref(verdicts);
	json_decref(identities);
	directory_read_end(api->directory);
	(void)json_object_set_new(status, "revision", json_integer(directory_revision(api->directory)));
	(void)json_object_set_new(status, "feed_revision", json_integer(feed_revision(hub_feed(api->hub))));
	(void)json_object_set_new(status, "store_id", json_string(store_id(api->store)));
	(void)json_object_set_new(status, "lineage", json_string(store_lineage(api->store, lineage)));
	(void)json_object_set_new(status, "controller",
				  json_string(engine == NULL                                    ? "not answering"
					      : json_is_true(json_object_get(engine, "acting")) ? "acting"
												: "deposed"));
	copy_field(status, engine, "election");
	(void)json_object_set_new(status, "sites", sites);
	copy_field(status, engine, "endpoints");
	copy_field(status, engine, "agents");
	copy_field(status, engine, "brake");
	(void)json_object_set_new(status, "settings", api_settings(api));
	(void)json_object_set_new(status, "overrides", overrides);
	(void)json_object_set_new(status, "maintenance", maintenance_json(api, windows));
	(void)json_object_set_new(status, "nameservers",
				  uplink_list(api->uplinks, veer_clock_monotonic_ms(api->clock)));
	json_decref(engine);
	api_reply_json(reply, 200, status);
}
