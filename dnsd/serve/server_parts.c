/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server's control side: the parts that are not needed for answers. They are made here, and tried again later;
 * if one cannot be made, the server goes on without it. See server_impl.h.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dnsd/serve/server_impl.h"
#include "dnsd/tap/metrics.h"

enum {
	PARTS_MS = 5000, /* between two attempts */
	GEO_EVERY = 12,  /* location files are tried once in so many attempts, because they may be large */
};

static void begin(struct server *s, enum degraded_part part, const char *why)
{
	degraded_begin(&s->degraded, s->daemon->log, part, why);
}

static void end(struct server *s, enum degraded_part part)
{
	degraded_end(&s->degraded, s->daemon->log, part);
}

/* --- the configuration of replies ------------------------------------------------------------------------- */

/*
 * Load the cookie secrets from their file. If it cannot be read, the previous secrets stay in use, or random ones are
 * made: a problem with cookies must not cost an answer.
 */
static enum veer_err load_secrets(struct server *s, struct veer_diag *diag)
{
	struct cookie_secrets *secrets = &s->config.secrets;
	const char *path = s->options->cookie_secret_file;
	struct veer_diag why = {.text = ""};
	if (path != NULL && cookie_secrets_load(path, secrets, &why) == VEER_OK) {
		end(s, DEGRADED_COOKIE_SECRET);
		return VEER_OK;
	}
	if (path != NULL)
		begin(s, DEGRADED_COOKIE_SECRET, why.text);
	if (secrets->count > 0)
		return VEER_OK;
	enum veer_err err = crypto_random(secrets->keys[0], sizeof secrets->keys[0]);
	if (err != VEER_OK)
		return veer_fail(diag, err, "there are no random numbers: %s", veer_err_text(err));
	secrets->count = 1;
	return VEER_OK;
}

enum veer_err server_load_config(struct server *server, struct veer_diag *diag)
{
	const char *nsid = server->options->nsid;
	size_t nsid_len = nsid != NULL ? strlen(nsid) : 0;
	if (nsid != NULL && (nsid_len == 0 || nsid_len > RESPOND_NSID_MAX))
		return veer_fail(diag, VEER_EINVAL, "--nsid: 1 to %d octets", RESPOND_NSID_MAX);
	if (nsid != NULL)
		memcpy(server->config.nsid, nsid, nsid_len);
	server->config.nsid_len = (uint8_t)nsid_len;
	server->config.limit = admission_limit(server->admission);
	enum veer_err err = load_secrets(server, diag);
	if (err == VEER_OK && publisher_set_config(server->publisher, &server->config) != VEER_OK)
		err = veer_fail(diag, VEER_ENOMEM, "out of memory");
	return err;
}

/* --- locations, query log and dnstap ---------------------------------------------------------------------- */

/* At the start, the files that can be read are better than none; later, the table in use is better. */
enum veer_err server_load_geo(struct server *server, bool is_start, struct geo_table **out, struct veer_diag *diag)
{
	const struct args_list *list = &server->options->geoip;
	struct veer_diag why = {.text = ""};
	*out = NULL;
	if (list->count == 0)
		return VEER_OK;
	enum veer_err err = is_start ? geo_load_readable(list->items, list->count, out, &why, diag)
				     : geo_load(list->items, list->count, out, &why);
	if (why.text[0] != '\0')
		begin(server, DEGRADED_GEOIP, why.text);
	else if (err == VEER_OK)
		end(server, DEGRADED_GEOIP);
	if (err == VEER_OK)
		log_info(server->daemon->log, "locations loaded", LOG_INT("networks", geo_count(*out)),
			 LOG_INT("bytes", geo_bytes(*out)));
	return err;
}

enum veer_err server_make_tap(struct server *server, struct veer_diag *diag)
{
	const struct server_options *o = server->options;
	char name[256] = "";
	if (o->query_log == NULL && o->dnstap == NULL)
		return VEER_OK;
	if (o->nsid != NULL || gethostname(name, sizeof name - 1) != 0)
		(void)snprintf(name, sizeof name, "%s", o->nsid != NULL ? o->nsid : "nameserver");
	const struct tap_options options = {
		.query_log = o->query_log,
		.format = (enum log_format)server->daemon->options.log_format,
		.dnstap = o->dnstap,
		.identity = name,
		.every = {[TAP_QUERY_LOG] = (uint32_t)o->query_log_sample, [TAP_DNSTAP] = (uint32_t)o->dnstap_sample},
	};
	enum veer_err err = tap_new(&options, (unsigned)o->workers, server->daemon->log, &server->tap, diag);
	if (err == VEER_OK)
		publisher_show(server->publisher, server->tap);
	return err;
}

/* The query log belongs to the tap's thread, so its state is read from the tap's counters. */
void server_look_at_parts(struct server *server)
{
	struct tap_stats stats;
	if (server->tap == NULL)
		return;
	tap_stats_read(server->tap, &stats);
	if (stats.is_query_log_broken)
		begin(server, DEGRADED_QUERY_LOG, server->options->query_log);
	else
		end(server, DEGRADED_QUERY_LOG);
}

/* --- metrics ---------------------------------------------------------------------------------------------- */

static void write_zones(const struct server *s, struct buf *out)
{
	const struct workers *workers = publisher_workers(s->publisher);
	metrics_zones(out);
	for (uint32_t i = 0; workers != NULL && i < zone_numbers_count(s->numbers); i++)
		metrics_zone(zone_numbers_name(s->numbers, i), workers_zone_total(workers, i), out);
}

static void on_scrape(void *ctx, struct buf *out)
{
	struct server *s = ctx;
	struct count_totals totals;
	struct tap_stats taps;
	const struct plan *plan = publisher_plan(s->publisher);
	int64_t now_ns = veer_clock_monotonic_ns(loop_clock(s->daemon->loop));
	int64_t heard_ms = s->feed != NULL ? feed_client_heard_ms(s->feed) : -1;
	struct metrics_facts facts = {.workers = (uint64_t)s->options->workers, .feed_age_s = -1};
	if (plan != NULL) {
		facts.revision = plan->revision;
		facts.age_s = (double)(now_ns - publisher_received_ns(s->publisher)) / 1e9;
		facts.zones = plan->zones.count;
		facts.rrsets = plan->rrset_count;
		facts.location_networks = s->location_networks;
		facts.location_policies = s->location_policies;
	}
	facts.has_feed = s->replica != NULL;
	static_assert(REPLICA_UNKNOWN + METRICS_ABANDONED == REPLICA_ABANDONED &&
			      REPLICA_UNKNOWN + METRICS_ZONE_LOST == REPLICA_ZONE_LOST &&
			      METRICS_QUARANTINES == METRICS_ZONE_LOST + 1,
		      "reasons are in the same order");
	for (int why = REPLICA_UNKNOWN; s->replica != NULL && why <= REPLICA_ZONE_LOST; why++)
		facts.quarantined[why - REPLICA_UNKNOWN] = (int)replica_quarantine(s->replica)->why == why;
	if (heard_ms >= 0)
		facts.feed_age_s = (double)now_ns / 1e9 - (double)heard_ms / 1e3;
	publisher_totals(s->publisher, &totals);
	publisher_kernel_drops(s->publisher, &facts.drops);
	metrics_write(&totals, &facts, out);
	server_look_at_parts(s);
	degraded_write(&s->degraded, out);
	if (s->numbers != NULL)
		write_zones(s, out);
	if (s->tap != NULL) {
		tap_stats_read(s->tap, &taps);
		metrics_taps(&taps, out);
	}
}

/* Make the responder; false when the server cannot listen on the address now. */
static bool open_metrics(struct server *s, struct veer_listen *address)
{
	struct veer_diag why = {.text = ""};
	char text[VEER_LISTEN_TEXT_SIZE];
	int fd = sockets_given_take(&s->metrics_fd, address, SOCK_STREAM);
	enum veer_err err = scrape_new(s->daemon->loop, address, fd, on_scrape, s, &s->scrape, &why);
	if (err == VEER_OK && (s->takeover == NULL || publisher_workers(s->publisher) != NULL))
		err = scrape_listen(s->scrape, true);
	if (err != VEER_OK) {
		scrape_free(&s->scrape);
		begin(s, DEGRADED_METRICS, why.text[0] != '\0' ? why.text : veer_err_text(err));
		return false;
	}
	end(s, DEGRADED_METRICS);
	veer_listen_print(scrape_address(s->scrape), false, text);
	log_info(s->daemon->log, "metrics served", LOG_STR("address", text));
	return true;
}

enum veer_err server_check_metrics(const struct server *server, struct veer_listen *address, struct veer_diag *diag)
{
	struct veer_diag detail = {.text = ""};
	const char *text = server->options->metrics;
	enum veer_err err = veer_listen_parse_http(text, address, &detail);
	if (err == VEER_OK && address->is_unix)
		err = veer_fail(&detail, VEER_EINVAL, "metrics are served at an IP address");
	return err == VEER_OK ? VEER_OK : veer_fail(diag, err, "--metrics %s: %s", text, detail.text);
}

enum veer_err server_start_metrics(struct server *server, struct veer_diag *diag)
{
	struct veer_listen address;
	if (server->options->metrics == NULL)
		return VEER_OK;
	enum veer_err err = server_check_metrics(server, &address, diag);
	if (err == VEER_OK)
		(void)open_metrics(server, &address);
	return err;
}

/* --- counters for the uplink ------------------------------------------------------------------------------ */

void server_count(void *ctx, struct feed_counters *out)
{
	struct server *s = ctx;
	struct count_totals totals;
	publisher_totals(s->publisher, &totals);
	const uint64_t *responses = totals.values + COUNT_RESPONSES;
	*out = (struct feed_counters){.queries = count_requests(&totals),
				      .noerror = responses[DNS_NOERROR],
				      .nxdomain = responses[DNS_NXDOMAIN],
				      .servfail = responses[DNS_SERVFAIL],
				      .refused = responses[DNS_REFUSED],
				      .location_networks = s->location_networks,
				      .location_policies = s->location_policies};
	server_look_at_parts(s);
	out->degraded_count = degraded_list(&s->degraded, out->degraded);
}

/* --- trying again ----------------------------------------------------------------------------------------- */

static void retry_geo(struct server *s)
{
	struct geo_table *geo = NULL;
	struct veer_diag diag = {.text = ""};
	if (s->degraded.is[DEGRADED_GEOIP] && s->tries % GEO_EVERY == 0 &&
	    server_load_geo(s, false, &geo, &diag) == VEER_OK)
		server_use_geo(s, geo);
}

static void retry_feed(struct server *s)
{
	struct veer_diag diag = {.text = ""};
	if (!s->degraded.is[DEGRADED_FEED] || s->feed != NULL)
		return;
	enum veer_err err = server_follow(s, &diag);
	if (err == VEER_OK)
		end(s, DEGRADED_FEED);
}

static void retry(void *ctx)
{
	struct server *s = ctx;
	struct veer_listen address;
	struct veer_diag diag = {.text = ""};
	s->tries++;
	server_look_at_parts(s);
	if (s->options->metrics != NULL && s->scrape == NULL && server_check_metrics(s, &address, &diag) == VEER_OK)
		(void)open_metrics(s, &address);
	if (s->degraded.is[DEGRADED_CONTROL])
		server_retry_control(s);
	retry_geo(s);
	retry_feed(s);
	if (s->disk != NULL) {
		plan_disk_try_again(s->disk);
		if (plan_disk_is_kept(s->disk))
			end(s, DEGRADED_STATE);
		if (!plan_disk_needs_base(s->disk))
			end(s, DEGRADED_SAVED_PLAN);
	}
	server_watch_parts(s);
}

void server_watch_parts(struct server *server)
{
	if (loop_timer_set(server->daemon->loop, &server->parts, PARTS_MS, retry, server) != VEER_OK)
		log_error(server->daemon->log, "memory is out: what does not work is not tried again");
}
