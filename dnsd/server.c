/* SPDX-License-Identifier: Apache-2.0 */
/* The name server's control side. See server.h. */
#include "dnsd/server.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/identity.h"
#include "dnsd/metrics.h"
#include "dnsd/server_impl.h"

void server_options_default(struct server_options *o)
{
	cpu_set_t cpus;
	int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	*o = (struct server_options){
		.workers = count < WORKERS_MAX ? count : WORKERS_MAX, .query_log_sample = 1, .dnstap_sample = 1};
	admission_options_default(&o->admission);
}

/* --- options ---------------------------------------------------------------------------------------------- */

static enum veer_err make_publisher(struct server *s, struct veer_diag *diag)
{
	struct veer_listen addresses[SOCKETS_LISTEN_MAX];
	const struct args_list *list = &s->options->listen;
	if (list->count > SOCKETS_LISTEN_MAX)
		return veer_fail(diag, VEER_ELIMIT, "at most %d addresses to listen on", SOCKETS_LISTEN_MAX);
	for (size_t i = 0; i < list->count; i++) {
		struct veer_diag detail;
		if (veer_listen_parse_dns(list->items[i], &addresses[i], &detail) != VEER_OK)
			return veer_fail(diag, VEER_EINVAL, "--listen %s: %s", list->items[i], detail.text);
	}
	s->publisher = publisher_new(s->daemon, addresses, list->count, (unsigned)s->options->workers,
				     admission_tcp(s->admission));
	if (s->options->zone_metrics > 0 && s->publisher != NULL) {
		s->numbers = zone_numbers_new((uint32_t)s->options->zone_metrics);
		publisher_count_zones(s->publisher, (uint32_t)s->options->zone_metrics);
	}
	return s->publisher != NULL && (s->numbers != NULL || s->options->zone_metrics == 0)
		       ? VEER_OK
		       : veer_fail(diag, VEER_ENOMEM, "out of memory");
}

/* The secrets of cookies and the server's name. Without a file the secret is random, once for the process. */
static enum veer_err load_config(struct server *s, struct veer_diag *diag)
{
	const struct server_options *o = s->options;
	struct cookie_secrets *secrets = &s->config.secrets;
	size_t nsid_len = o->nsid != NULL ? strlen(o->nsid) : 0;
	enum veer_err err = VEER_OK;
	if (o->nsid != NULL && (nsid_len == 0 || nsid_len > RESPOND_NSID_MAX))
		return veer_fail(diag, VEER_EINVAL, "--nsid: 1 to %d octets", RESPOND_NSID_MAX);
	if (o->nsid != NULL)
		memcpy(s->config.nsid, o->nsid, nsid_len);
	s->config.nsid_len = (uint8_t)nsid_len;
	s->config.limit = admission_limit(s->admission);
	if (o->cookie_secret_file != NULL)
		err = cookie_secrets_load(o->cookie_secret_file, secrets, diag);
	else if (secrets->count == 0 && (err = crypto_random(secrets->keys[0], sizeof secrets->keys[0])) == VEER_OK)
		secrets->count = 1;
	if (err == VEER_OK && publisher_set_config(s->publisher, &s->config) != VEER_OK)
		err = veer_fail(diag, VEER_ENOMEM, "out of memory");
	return err;
}

/* The query log and dnstap. */
static enum veer_err make_tap(struct server *s, struct veer_diag *diag)
{
	const struct server_options *o = s->options;
	char name[256] = "";
	if (o->query_log == NULL && o->dnstap == NULL)
		return VEER_OK;
	if (o->nsid != NULL || gethostname(name, sizeof name - 1) != 0)
		(void)snprintf(name, sizeof name, "%s", o->nsid != NULL ? o->nsid : "nameserver");
	const struct tap_options options = {
		.query_log = o->query_log,
		.format = (enum log_format)s->daemon->options.log_format,
		.dnstap = o->dnstap,
		.identity = name,
		.every = {[TAP_QUERY_LOG] = (uint32_t)o->query_log_sample, [TAP_DNSTAP] = (uint32_t)o->dnstap_sample},
	};
	enum veer_err err = tap_new(&options, (unsigned)o->workers, s->daemon->log, &s->tap, diag);
	if (err == VEER_OK)
		publisher_show(s->publisher, s->tap);
	return err;
}

static enum veer_err check_sources(const struct server_options *o, struct veer_diag *diag)
{
	if ((o->zones.count > 0) == (o->feed != NULL))
		return veer_fail(diag, VEER_EINVAL,
				 o->feed != NULL ? "--zone and --feed exclude each other"
						 : "nothing to serve: give --zone or --feed");
	if (o->feed == NULL && (o->state != NULL || o->token_file != NULL))
		return veer_fail(diag, VEER_EINVAL, "--state and --token-file belong to --feed");
	if (o->token_file != NULL && o->state == NULL)
		return veer_fail(diag, VEER_EINVAL, "--token-file needs --state, where the identity is kept");
	return VEER_OK;
}

static enum veer_err load_geo(struct server *s, struct geo_table **out, struct veer_diag *diag)
{
	const struct args_list *list = &s->options->geoip;
	*out = NULL;
	if (list->count == 0)
		return VEER_OK;
	enum veer_err err = geo_load(list->items, list->count, out, diag);
	if (err == VEER_OK)
		log_info(s->daemon->log, "locations loaded", LOG_INT("networks", geo_count(*out)),
			 LOG_INT("bytes", geo_bytes(*out)));
	return err;
}

/* What the plan knows of locations, and whether rules ask for what nobody knows: each client then has no place. */
static void note_locations(struct server *s, const struct plan *plan)
{
	bool was_missing = s->location_policies > 0 && s->location_networks == 0;
	s->location_networks = plan->geo != NULL ? geo_count(plan->geo) : 0;
	s->location_policies = plan->located;
	bool is_missing = s->location_policies > 0 && s->location_networks == 0;
	if (is_missing && !was_missing)
		log_warn(s->daemon->log, "location rules without a database",
			 LOG_INT("policies", s->location_policies),
			 LOG_STR("effect", "no rule matches, clients are given \"else\"; give --geoip"));
	else if (was_missing && !is_missing)
		log_notice(s->daemon->log, "location rules have a database, or are gone");
}

/* --- from zone files -------------------------------------------------------------------------------------- */

static enum veer_err new_from_files(struct server *s, struct veer_diag *diag)
{
	const struct args_list *list = &s->options->zones;
	enum veer_err err = static_zones_new(list->items, list->count, &s->zones, diag);
	if (err != VEER_OK)
		return err;
	s->builder = plan_builder_new();
	if (s->builder != NULL)
		plan_builder_set_numbers(s->builder, s->numbers);
	if (s->builder == NULL || plan_builder_set_geo(s->builder, s->geo) != VEER_OK)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	s->geo = NULL;
	return static_zones_load(s->zones, s->builder, s->daemon->log, diag);
}

static enum veer_err publish_files(struct server *s, struct veer_diag *diag)
{
	const struct plan *plan;
	int64_t now_ns = veer_clock_monotonic_ns(loop_clock(s->daemon->loop));
	enum veer_err err = plan_builder_commit(s->builder, s->revision + 1, &plan, &s->retired);
	if (err != VEER_OK)
		return veer_fail(diag, err, "no plan can be made: %s", veer_err_text(err));
	s->revision++;
	note_locations(s, plan);
	return publisher_publish(s->publisher, plan, &s->retired, now_ns, diag);
}

static void reload_files(struct server *s, struct geo_table *geo)
{
	struct veer_diag diag = {.text = ""};
	if (geo != NULL && plan_builder_set_geo(s->builder, geo) != VEER_OK)
		geo_free(&geo);
	/* each refused file is logged there, and its zone stays as it is */
	(void)static_zones_load(s->zones, s->builder, s->daemon->log, NULL);
	if (publish_files(s, &diag) != VEER_OK)
		log_error(s->daemon->log, "reload failed", LOG_STR("reason", diag.text));
	else
		log_notice(s->daemon->log, "reloaded", LOG_INT("revision", s->revision));
}

/* --- from the feed ---------------------------------------------------------------------------------------- */

void server_fail(struct server *s, enum veer_err err, const char *reason)
{
	s->failed = veer_fail(&s->failed_diag, err, "%s", reason);
	loop_stop(s->daemon->loop);
}

static void on_plan(void *ctx, const struct plan *plan, struct retire_list *retired)
{
	struct server *s = ctx;
	/* the turn of the loop that brought the commit began when its bytes were there */
	int64_t received_ns = loop_now_ms(s->daemon->loop) * 1000000;
	note_locations(s, plan);
	enum veer_err err = publisher_publish(s->publisher, plan, retired, received_ns, &s->failed_diag);
	if (err == VEER_OK)
		err = server_offer(s, &s->failed_diag);
	if (err == VEER_OK && s->control != NULL)
		control_advanced(s->control);
	if (err == VEER_OK)
		return;
	s->failed = err;
	log_error(s->daemon->log, "cannot serve", LOG_STR("reason", s->failed_diag.text));
	loop_stop(s->daemon->loop);
}

static void on_applied(void *ctx, const struct plan *plan, int64_t applied_us)
{
	struct server *s = ctx;
	if (s->feed != NULL)
		feed_client_applied(s->feed, plan->revision, applied_us);
}

static void on_count(void *ctx, struct feed_counters *out)
{
	const struct server *s = ctx;
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
}

/* Does a saved plan answer, and nobody else in our place? Then no trouble with the control plane may end that. */
static bool is_alone(const struct server *s)
{
	return publisher_plan(s->publisher) != NULL && s->takeover == NULL;
}

static void on_refused(void *ctx, const char *reason)
{
	struct server *s = ctx;
	char text[VEER_DIAG_SIZE];
	if (is_alone(s)) {
		log_error(s->daemon->log, "enrolment was refused; what was saved is served, and no feed followed",
			  LOG_STR("reason", reason));
		return;
	}
	(void)snprintf(text, sizeof text, "enrolment was refused: %s", reason);
	server_fail(s, VEER_EAUTH, text);
}

/* A token is needed only as long as there is no identity. */
static void read_token(struct server *s)
{
	struct identity identity;
	const struct server_options *o = s->options;
	if (o->token_file != NULL && identity_load(o->state, &identity, NULL) != VEER_OK)
		s->no_token = file_read_line(o->token_file, s->token, sizeof s->token, &s->token_diag);
}

void server_pause(void)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000000};
	(void)nanosleep(&pause, NULL);
}

enum veer_err server_open_disk(struct server *s, struct plan_disk **out, struct veer_diag *diag)
{
	return plan_disk_open(s->options->state, s->daemon->log, out, diag);
}

/* The server that we replace has left the directory; one that died over it leaves it when the kernel gets to that. */
static enum veer_err open_disk(struct server *s, struct veer_diag *diag)
{
	enum veer_err err = server_open_disk(s, &s->disk, diag);
	for (int tries = 0; err == VEER_EBUSY && s->options->replace && tries < SERVER_TRIES; tries++) {
		server_pause();
		err = server_open_disk(s, &s->disk, diag);
	}
	return err;
}

static enum veer_err new_from_feed(struct server *s, struct veer_diag *diag)
{
	const struct server_options *o = s->options;
	enum veer_err err = o->state != NULL ? file_make_dirs(o->state, diag) : VEER_OK;
	read_token(s);
	if (err == VEER_OK && o->state != NULL)
		err = open_disk(s, diag);
	if (err != VEER_OK)
		return err;
	struct replica_config config = {.disk = s->disk,
					.geo = s->geo,
					.numbers = s->numbers,
					.log = s->daemon->log,
					.publish = on_plan,
					.ctx = s};
	s->replica = replica_new(&config);
	if (s->replica == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	s->geo = NULL;
	publisher_on_applied(s->publisher, on_applied, s);
	return VEER_OK;
}

enum veer_err server_follow(struct server *s, struct veer_diag *diag)
{
	const struct server_options *o = s->options;
	struct feed_config config = {.loop = s->daemon->loop,
				     .log = s->daemon->log,
				     .replica = s->replica,
				     .urls = o->feed,
				     .state_dir = o->state,
				     .token = s->token[0] != '\0' ? s->token : NULL,
				     .ca_file = o->ca_file,
				     .count = on_count,
				     .failed = on_refused,
				     .ctx = s};
	return s->replica == NULL || s->feed != NULL ? VEER_OK : feed_client_new(&config, &s->feed, diag);
}

void server_unfollow(struct server *s)
{
	if (s->feed == NULL)
		return;
	feed_client_free(&s->feed);
	replica_stream_ended(s->replica);
}

static enum veer_err start_feed(struct server *s, struct veer_diag *diag)
{
	struct veer_diag saved = {.text = ""};
	/* what was kept is served first, and alone as long as no control plane answers */
	enum veer_err err = replica_load(s->replica, &saved);
	if (s->failed != VEER_OK)
		return veer_fail(diag, s->failed, "%s", s->failed_diag.text);
	if (err != VEER_OK && err != VEER_ENOTFOUND)
		log_error(s->daemon->log, "the saved plan is refused", LOG_STR("reason", saved.text));
	if (s->no_token != VEER_OK && !is_alone(s))
		return veer_fail(diag, s->no_token, "%s", s->token_diag.text);
	if (s->no_token != VEER_OK)
		log_error(s->daemon->log, "there is no token to enrol with; what was saved is served",
			  LOG_STR("reason", s->token_diag.text));
	err = server_follow(s, diag);
	/* the identity is damaged, or there is none, and no token */
	if ((err == VEER_ECORRUPT || err == VEER_EIO || (err == VEER_EAUTH && s->no_token != VEER_OK)) && is_alone(s)) {
		log_error(s->daemon->log, "the feed cannot be followed; what was saved is served",
			  LOG_STR("reason", diag->text));
		err = VEER_OK;
	}
	if (err == VEER_OK && publisher_plan(s->publisher) == NULL)
		log_notice(s->daemon->log, "waiting for the first plan", LOG_STR("feed", s->options->feed));
	return err;
}

static void reload_feed(struct server *s, struct geo_table *geo)
{
	if (geo != NULL && replica_set_geo(s->replica, geo) != VEER_OK) {
		geo_free(&geo);
		log_error(s->daemon->log, "locations stay as they were", LOG_STR("reason", "out of memory"));
	}
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
	const struct server *s = ctx;
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
	if (heard_ms >= 0)
		facts.feed_age_s = (double)now_ns / 1e9 - (double)heard_ms / 1e3;
	publisher_totals(s->publisher, &totals);
	publisher_kernel_drops(s->publisher, &facts.drops);
	metrics_write(&totals, &facts, out);
	if (s->numbers != NULL)
		write_zones(s, out);
	if (s->tap != NULL) {
		tap_stats_read(s->tap, &taps);
		metrics_taps(&taps, out);
	}
}

static enum veer_err start_metrics(struct server *s, struct veer_diag *diag)
{
	struct veer_listen address;
	struct veer_diag detail = {.text = ""};
	char text[VEER_LISTEN_TEXT_SIZE];
	if (s->options->metrics == NULL)
		return VEER_OK;
	enum veer_err err = veer_listen_parse_http(s->options->metrics, &address, &detail);
	int fd = err == VEER_OK ? sockets_given_take(&s->metrics_fd, &address, SOCK_STREAM) : -1;
	if (err == VEER_OK)
		err = scrape_new(s->daemon->loop, &address, fd, on_scrape, s, &s->scrape, &detail);
	if (err == VEER_OK && s->takeover == NULL)
		err = scrape_listen(s->scrape, true);
	if (err != VEER_OK)
		return veer_fail(diag, err, "--metrics %s: %s", s->options->metrics, detail.text);
	veer_listen_print(scrape_address(s->scrape), false, text);
	log_info(s->daemon->log, "metrics served", LOG_STR("address", text));
	return VEER_OK;
}

/* --- interface -------------------------------------------------------------------------------------------- */

enum veer_err server_new(struct daemon *daemon, const struct server_options *options, struct server **out,
			 struct veer_diag *diag)
{
	struct server *s = calloc(1, sizeof *s);
	if (s == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	s->daemon = daemon;
	s->options = options;
	enum veer_err err = check_sources(options, diag);
	if (err == VEER_OK)
		err = admission_new(daemon, &options->admission, (unsigned)options->workers, &s->admission, diag);
	if (err == VEER_OK)
		err = make_publisher(s, diag);
	if (err == VEER_OK)
		err = load_config(s, diag);
	if (err == VEER_OK)
		err = make_tap(s, diag);
	if (err == VEER_OK)
		err = load_geo(s, &s->geo, diag);
	if (err == VEER_OK && options->feed == NULL)
		err = new_from_files(s, diag);
	if (err == VEER_OK)
		err = server_join(s, diag);
	if (err == VEER_OK && options->feed != NULL)
		err = new_from_feed(s, diag);
	if (err == VEER_OK)
		*out = s;
	else
		server_free(&s);
	return err;
}

enum veer_err server_start(struct server *s, struct veer_diag *diag)
{
	enum veer_err err = start_metrics(s, diag);
	if (err != VEER_OK)
		return err;
	if (s->replica != NULL)
		return start_feed(s, diag);
	err = publish_files(s, diag);
	return err == VEER_OK ? server_offer(s, diag) : err;
}

void server_reload(struct server *s)
{
	struct geo_table *geo = NULL;
	struct veer_diag diag = {.text = ""};
	if (s->tap != NULL)
		tap_reopen(s->tap);
	if (load_geo(s, &geo, &diag) != VEER_OK)
		log_error(s->daemon->log, "locations stay as they were", LOG_STR("reason", diag.text));
	if (load_config(s, &diag) != VEER_OK)
		log_error(s->daemon->log, "cookie secrets stay as they were", LOG_STR("reason", diag.text));
	if (s->replica != NULL)
		reload_feed(s, geo);
	else
		reload_files(s, geo);
}

enum veer_err server_failed(const struct server *s, struct veer_diag *diag)
{
	if (s->failed != VEER_OK)
		*diag = s->failed_diag;
	return s->failed;
}

void server_free(struct server **server)
{
	struct server *s = *server;
	if (s == NULL)
		return;
	scrape_free(&s->scrape);
	feed_client_free(&s->feed);
	publisher_free(&s->publisher); /* no worker runs from here on */
	tap_free(&s->tap);
	admission_free(&s->admission);
	retire_release(&s->retired);
	replica_free(&s->replica);
	plan_disk_close(&s->disk);
	server_part(s);
	plan_builder_free(&s->builder);
	static_zones_free(&s->zones);
	zone_numbers_free(&s->numbers);
	geo_free(&s->geo);
	explicit_bzero(&s->config, sizeof s->config);
	free(s);
	*server = NULL;
}
