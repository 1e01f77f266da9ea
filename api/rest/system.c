/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the whole service, for programs: /healthz and /metrics. */
#include <string.h>

#include "api/control/delegations.h"
#include "api/control/settings.h"
#include "api/rest/api.h"
#include "api/rest/handlers.h"
#include "base/buf.h"
#include "base/metrics.h"
#include "probes/verdict/verdict.h"

enum { METRICS_MAX = 8 << 20 };

void handle_healthz(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct health_view view;
	(void)request;
	health_read(&api->health, &view);
	bool works = view.reason[0] == '\0';
	api_reply_json(reply, works ? 200 : 503,
		       json_pack("{s:s, s:I, s:s*}", "status", works ? "ok" : "failing", "revision",
				 (json_int_t)directory_revision(api->control.directory), "reason",
				 works ? NULL : view.reason));
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
	counter(out, "veer_api_cut_total", "Connections cut by an absolute deadline, or to make room for others.",
		stats.cut_deadline);
	metrics_family(out, "veer_api_refused_total", METRICS_COUNTER,
		       "What was refused because a principal, or all together, had its share already, by share.");
	for (unsigned i = 0; i < API_SHARES; i++)
		metrics_sample_u64(out, "veer_api_refused_total",
				   METRICS_LABELS(METRICS_LABEL("share", shares_text((enum api_share)i))),
				   stats.refused[i]);
	gauge(out, "veer_api_connections", "Open connections.", (double)stats.connections);
	gauge(out, "veer_api_streams", "Open streams: feeds and assignments.", (double)stats.streams);
}

static void certificate_metrics(struct api *api, struct buf *out)
{
	double days;
	struct api_server_stats stats;
	if (api->certificate.cert_path == NULL)
		return;
	if (certificate_days_left(&api->certificate, &days))
		gauge(out, "veer_api_certificate_days_left", "Until the certificate ends.", days);
	api_server_stats_read(api->server, &stats);
	gauge(out, "veer_api_certificates_old", "Certificates of before that open connections have, of all addresses.",
	      (double)stats.old_certificates);
	gauge(out, "veer_api_certificate_waiting",
	      "1 while a new certificate waits, because connections have as many old ones as there may be.",
	      certificate_is_waiting(&api->certificate));
}

static void store_metrics(struct api *api, struct buf *out)
{
	struct health_view view;
	health_read(&api->health, &view);
	gauge(out, "veer_store_working", "1 while the store can be read and written by all.", view.reason[0] == '\0');
	gauge(out, "veer_store_free_bytes", "Room on the store's disk.", (double)view.room.free_bytes);
	gauge(out, "veer_store_ballast", "1 while room is kept for what is urgent.", view.room.has_ballast);
	metrics_family(out, "veer_store_errors_total", METRICS_COUNTER, "Reads and commits that the store failed.");
	metrics_sample_u64(out, "veer_store_errors_total", METRICS_LABELS(METRICS_LABEL("of", "read")),
			   view.store.read_errors);
	metrics_sample_u64(out, "veer_store_errors_total", METRICS_LABELS(METRICS_LABEL("of", "commit")),
			   view.store.write_errors);
}

static void feed_metrics(struct api *api, struct buf *out)
{
	struct feed_stats stats;
	feed_stats_read(hub_feed(api->control.hub), &stats);
	gauge(out, "veer_feed_subscribers", "Name servers on the feed.", (double)stats.subscribers);
	counter(out, "veer_feed_commits_total", "Commits sent.", stats.commits);
	counter(out, "veer_feed_cut_total", "Subscribers cut because they fell behind.", stats.cut);
	counter(out, "veer_feed_snapshots_total", "Full states written.", stats.snapshots);
	counter(out, "veer_feed_rewinds_total",
		"Lineages begun because a name server had seen more than the store has.", stats.rewinds);
	gauge(out, "veer_feed_memory_bytes", "Full states that are in memory, because the disk has no room.",
	      (double)stats.memory_bytes);
	counter(out, "veer_feed_no_room_total", "Name servers told to wait, because full states find no room.",
		stats.crowded);
	struct uplink_counts counts;
	uplink_counts_read(api->control.uplinks, &counts);
	gauge(out, "veer_nameservers_quarantined",
	      "Name servers that do not follow a store, as far as they were heard.", (double)counts.quarantined);
	gauge(out, "veer_nameservers_different", "Name servers whose content is not the store's.",
	      (double)counts.different);
}

static void controller_metrics(struct api *api, struct buf *out)
{
	struct controller_stats stats;
	controller_stats_read(api->control.controller, &stats);
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

/* What holds verdicts back, and which agents the engine does not believe. */
static void engine_metrics(struct api *api, struct buf *out)
{
	struct controller_counts counts;
	if (!controller_counts_read(api->control.controller, &counts))
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
	gauge(out, "veer_agents_runner_lost",
	      "Agents that run no programs any more until they are restarted: their runner has ended.",
	      (double)counts.agents_runner_lost);
}

/* How many overrides there are, by action. */
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
	json_t *settings = settings_now(api->control.directory), *blocked = controller_blocked(api->control.controller);
	const char *brake = json_string_value(json_object_get(settings, "brake"));
	directory_list(api->control.directory, MODEL_KIND_OVERRIDE, NULL, count_override, &count);
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

/* How policies answer, which verdicts alone do not show. */
static void answer_metrics(struct api *api, struct buf *out)
{
	static const char name[] = "veer_policies";
	uint64_t counts[ANSWERS_STATES];
	answers_count(api->control.answers, counts);
	metrics_family(out, name, METRICS_GAUGE,
		       "Policies by how they answer: fail_open hands out what is down, for want of anything else.");
	for (unsigned i = 0; i < ANSWERS_STATES; i++)
		metrics_sample_u64(out, name,
				   METRICS_LABELS(METRICS_LABEL("state", answers_state_text((enum answers_state)i))),
				   counts[i]);
}

static void delegation_metrics(struct api *api, struct buf *out)
{
	static const char name[] = "veer_zones_delegation";
	uint64_t counts[DELEGATION_STATES];
	delegations_count(api->control.delegations, counts);
	metrics_family(out, name, METRICS_GAUGE, "Zones by how what their parents say compares with what they say.");
	for (unsigned i = 0; i < DELEGATION_STATES; i++)
		metrics_sample_u64(
			out, name,
			METRICS_LABELS(METRICS_LABEL("state", delegation_state_text((enum delegation_state)i))),
			counts[i]);
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
	gauge(&out, "veer_store_revision", "The newest revision.", (double)directory_revision(api->control.directory));
	server_metrics(api, &out);
	store_metrics(api, &out);
	certificate_metrics(api, &out);
	feed_metrics(api, &out);
	controller_metrics(api, &out);
	engine_metrics(api, &out);
	administrator_metrics(api, &out);
	answer_metrics(api, &out);
	delegation_metrics(api, &out);
	metrics_family(&out, "veer_endpoint_up", METRICS_GAUGE,
		       "The committed verdict; endpoints without one are left out.");
	directory_list(api->control.directory, MODEL_KIND_VERDICT, NULL, verdict_metric, &out);
	size_t len = 0;
	char *text = out.failed ? NULL : buf_take(&out, &len);
	buf_deinit(&out);
	api_reply_text(reply, 200, METRICS_CONTENT_TYPE, text, len);
}
