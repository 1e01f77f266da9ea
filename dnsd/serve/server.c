/* SPDX-License-Identifier: Apache-2.0 */
/* The name server's control side. See server.h. */
#include "dnsd/serve/server.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/node/identity.h"
#include "dnsd/serve/server_impl.h"
#include "dnsd/tap/tap.h"

void server_options_default(struct server_options *options)
{
	cpu_set_t cpus;
	int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	*options = (struct server_options){
		.workers = count < WORKERS_MAX ? count : WORKERS_MAX, .query_log_sample = 1, .dnstap_sample = 1};
	admission_options_default(&options->admission);
}

/* --- options ---------------------------------------------------------------------------------------------- */

static enum veer_err make_publisher(struct server *s, struct veer_diag *diag)
{
	struct veer_listen addresses[SOCKETS_LISTEN_MAX];
	const struct args_list *list = &s->options->listen;
	assert(list->count <= SOCKETS_LISTEN_MAX); /* ensured by the table of options */
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

static enum veer_err check_sources(const struct server_options *o, struct veer_diag *diag)
{
	if ((o->zones.count > 0) == (o->feed != NULL))
		return veer_fail(diag, VEER_EINVAL,
				 o->feed != NULL ? "--zone and --feed exclude each other"
						 : "nothing to serve: give --zone or --feed");
	if (o->feed == NULL && (o->state != NULL || o->token_file != NULL || o->adopt_store))
		return veer_fail(diag, VEER_EINVAL, "--state, --token-file and --adopt-store belong to --feed");
	if (o->token_file != NULL && o->state == NULL)
		return veer_fail(diag, VEER_EINVAL, "--token-file needs --state, where the identity is kept");
	return VEER_OK;
}

/*
 * Note what the plan knows about locations. It also warns if policies use locations but there is no location table:
 * then no client has a location.
 */
static void note_locations(struct server *s, const struct plan *plan)
{
	bool was_missing = s->location_policies > 0 && s->location_networks == 0;
	s->location_networks = plan->geo != NULL ? geo_count(plan->geo) : 0;
	s->location_policies = plan->located;
	bool is_missing = s->location_policies > 0 && s->location_networks == 0;
	if (is_missing && !was_missing)
		log_warn(s->daemon->log, "location rules without a database", LOG_INT("policies", s->location_policies),
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

static void reload_files(struct server *s)
{
	struct veer_diag diag = {.text = ""};
	/* each refused file is logged by the function, and its zone stays as it is */
	(void)static_zones_load(s->zones, s->builder, s->daemon->log, NULL);
	if (publish_files(s, &diag) != VEER_OK)
		log_error(s->daemon->log, "reload failed", LOG_STR("reason", diag.text));
	else
		log_notice(s->daemon->log, "reloaded", LOG_INT("revision", s->revision));
}

/* --- from the feed ---------------------------------------------------------------------------------------- */

void server_fail(struct server *server, enum veer_err err, const char *reason)
{
	server->failed = veer_fail(&server->failed_diag, err, "%s", reason);
	loop_stop(server->daemon->loop);
}

static void on_plan(void *ctx, const struct plan *plan, struct retire_list *retired)
{
	struct server *s = ctx;
	/* the loop's present turn began when the commit's bytes were there */
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

/*
 * Are we answering from a saved plan, and is no other process serving in our place? Then no error with the control
 * plane may end the server.
 */
static bool is_alone(const struct server *s)
{
	return publisher_plan(s->publisher) != NULL && s->takeover == NULL;
}

static void on_refused(void *ctx, const char *reason)
{
	struct server *s = ctx;
	char text[VEER_DIAG_SIZE];
	if (is_alone(s)) {
		(void)snprintf(text, sizeof text, "enrolment was refused; what was saved is served: %s", reason);
		degraded_begin(&s->degraded, s->daemon->log, DEGRADED_FEED, text);
		return;
	}
	(void)snprintf(text, sizeof text, "enrolment was refused: %s", reason);
	server_fail(s, VEER_EAUTH, text);
}

/* Read the token, which is needed only as long as there is no identity. */
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

enum veer_err server_open_disk(struct server *server, struct plan_disk **out, struct veer_diag *diag)
{
	return plan_disk_open(server->options->state, server->daemon->log, out, diag);
}

/*
 * Open the plan on disk. The server that we replace has left the directory; if it died instead, the lock is released as
 * soon as the kernel has cleaned up the process.
 */
static enum veer_err open_disk(struct server *s, struct veer_diag *diag)
{
	enum veer_err err = server_open_disk(s, &s->disk, diag);
	for (int tries = 0; err == VEER_EBUSY && s->options->replace && tries < SERVER_TRIES; tries++) {
		server_pause();
		err = server_open_disk(s, &s->disk, diag);
	}
	if (err == VEER_OK && !plan_disk_is_kept(s->disk))
		degraded_begin(&s->degraded, s->daemon->log, DEGRADED_STATE, plan_disk_why(s->disk));
	return err;
}

static enum veer_err new_from_feed(struct server *s, struct veer_diag *diag)
{
	const struct server_options *o = s->options;
	read_token(s);
	enum veer_err err = o->state != NULL ? open_disk(s, diag) : VEER_OK;
	if (err != VEER_OK)
		return err;
	struct replica_config config = {.disk = s->disk,
					.geo = s->geo,
					.numbers = s->numbers,
					.log = s->daemon->log,
					.adopts_any = o->adopt_store,
					.doubts_saved = true,
					.publish = on_plan,
					.ctx = s};
	s->replica = replica_new(&config);
	if (s->replica == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	s->geo = NULL;
	publisher_on_applied(s->publisher, on_applied, s);
	return VEER_OK;
}

enum veer_err server_follow(struct server *server, struct veer_diag *diag)
{
	const struct server_options *o = server->options;
	struct feed_config config = {.loop = server->daemon->loop,
				     .log = server->daemon->log,
				     .replica = server->replica,
				     .urls = o->feed,
				     .state_dir = o->state,
				     .token = server->token[0] != '\0' ? server->token : NULL,
				     .token_file = o->token_file,
				     .ca_file = o->ca_file,
				     .count = server_count,
				     .failed = on_refused,
				     .heard = server_heard,
				     .missed = server_missed,
				     .ctx = server};
	return server->replica == NULL || server->feed != NULL ? VEER_OK
							       : feed_client_new(&config, &server->feed, diag);
}

void server_unfollow(struct server *server)
{
	if (server->feed == NULL)
		return;
	feed_client_free(&server->feed);
	replica_stream_ended(server->replica);
}

/*
 * Follow the feed. If that fails, a saved plan is served all the same; without one there is nothing to serve, so the
 * error is returned.
 */
static enum veer_err follow_or_serve(struct server *s, struct veer_diag *diag)
{
	if (s->no_token != VEER_OK && !is_alone(s))
		return veer_fail(diag, s->no_token, "%s", s->token_diag.text);
	struct veer_diag why = {.text = ""};
	enum veer_err err = s->no_token;
	if (err != VEER_OK)
		(void)veer_fail(&why, err, "no token to enrol with; what was saved is served: %.300s",
				s->token_diag.text);
	else if ((err = server_follow(s, diag)) != VEER_OK)
		(void)veer_fail(&why, err, "the feed cannot be followed; what was saved is served: %.300s", diag->text);
	/*
	 * other errors mean that the identity is damaged or cannot be read, or that there is neither an identity nor a
	 * token
	 */
	if (err == VEER_OK || err == VEER_EINVAL || err == VEER_ENOMEM || !is_alone(s))
		return err;
	degraded_begin(&s->degraded, s->daemon->log, DEGRADED_FEED, why.text);
	return VEER_OK;
}

static enum veer_err start_feed(struct server *s, struct veer_diag *diag)
{
	struct veer_diag saved = {.text = ""};
	/*
	 * the saved plan is served first, at once or after a moment, and goes on being served as long as no control
	 * plane answers
	 */
	server_hold_back(s);
	enum veer_err err = replica_load(s->replica, &saved);
	if (s->failed != VEER_OK)
		return veer_fail(diag, s->failed, "%s", s->failed_diag.text);
	if (saved.text[0] != '\0' && err != VEER_ENOTFOUND)
		degraded_begin(&s->degraded, s->daemon->log, DEGRADED_SAVED_PLAN, saved.text);
	err = follow_or_serve(s, diag);
	if (err == VEER_OK)
		server_wait_for_feed(s);
	if (err == VEER_OK && publisher_plan(s->publisher) == NULL)
		log_notice(s->daemon->log, "waiting for the first plan", LOG_STR("feed", s->options->feed));
	return err;
}

void server_use_geo(struct server *server, struct geo_table *geo)
{
	if (geo == NULL)
		return;
	struct veer_diag diag = {.text = ""};
	enum veer_err err = server->replica != NULL ? replica_set_geo(server->replica, geo)
						    : plan_builder_set_geo(server->builder, geo);
	if (err != VEER_OK) {
		geo_free(&geo);
		(void)veer_fail(&diag, err, "out of memory");
	} else if (server->replica == NULL) {
		err = publish_files(server, &diag);
	}
	if (err != VEER_OK)
		log_error(server->daemon->log, "locations stay as they were", LOG_STR("reason", diag.text));
}

/* --- interface -------------------------------------------------------------------------------------------- */

/* Read the options and files that may contain errors. */
static enum veer_err read_options(struct server *s, struct veer_diag *diag)
{
	enum veer_err err = check_sources(s->options, diag);
	if (err == VEER_OK)
		err = admission_new(s->daemon, &s->options->admission, (unsigned)s->options->workers, &s->admission,
				    diag);
	if (err == VEER_OK)
		err = make_publisher(s, diag);
	if (err == VEER_OK)
		err = server_load_config(s, diag);
	if (err == VEER_OK)
		err = server_make_tap(s, diag);
	if (err == VEER_OK)
		err = server_load_geo(s, true, &s->geo, diag);
	if (err == VEER_OK && s->options->feed == NULL)
		err = new_from_files(s, diag);
	return err;
}

static struct server *make(struct daemon *daemon, const struct server_options *options, struct veer_diag *diag)
{
	struct server *s = calloc(1, sizeof *s);
	if (s == NULL) {
		(void)veer_fail(diag, VEER_ENOMEM, "out of memory");
		return NULL;
	}
	s->daemon = daemon;
	s->options = options;
	return s;
}

enum veer_err server_new(struct daemon *daemon, const struct server_options *options, struct server **out,
			 struct veer_diag *diag)
{
	struct server *s = make(daemon, options, diag);
	if (s == NULL)
		return VEER_ENOMEM;
	enum veer_err err = read_options(s, diag);
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

enum veer_err server_check(struct daemon *daemon, const struct server_options *options, struct veer_diag *diag)
{
	struct veer_listen address;
	struct server *s = make(daemon, options, diag);
	if (s == NULL)
		return VEER_ENOMEM;
	enum veer_err err = read_options(s, diag);
	if (err == VEER_OK && options->metrics != NULL)
		err = server_check_metrics(s, &address, diag);
	read_token(s);
	if (err == VEER_OK && s->no_token != VEER_OK)
		err = veer_fail(diag, s->no_token, "%s", s->token_diag.text);
	server_look_at_parts(s);
	for (unsigned i = 0; i < DEGRADED_PARTS && err == VEER_OK; i++)
		if (s->degraded.is[i])
			err = veer_fail(diag, VEER_EINVAL, "%s: %s", degraded_text((enum degraded_part)i),
					s->degraded.why[i].text);
	server_free(&s);
	return err;
}

enum veer_err server_start(struct server *server, struct veer_diag *diag)
{
	enum veer_err err = server_start_metrics(server, diag);
	if (err != VEER_OK)
		return err;
	if (server->replica != NULL)
		err = start_feed(server, diag);
	else if ((err = publish_files(server, diag)) == VEER_OK)
		err = server_offer(server, diag);
	if (err == VEER_OK)
		server_watch_parts(server);
	return err;
}

void server_reload(struct server *server)
{
	struct geo_table *geo = NULL;
	struct veer_diag diag = {.text = ""};
	if (server->tap != NULL)
		tap_reopen(server->tap);
	if (server_load_geo(server, false, &geo, &diag) != VEER_OK)
		log_error(server->daemon->log, "locations stay as they were",
			  LOG_STR("reason", server->degraded.why[DEGRADED_GEOIP].text));
	if (server_load_config(server, &diag) != VEER_OK)
		log_error(server->daemon->log, "the configuration of replies stays as it was",
			  LOG_STR("reason", diag.text));
	else if (server->degraded.is[DEGRADED_COOKIE_SECRET])
		log_error(server->daemon->log, "cookie secrets stay as they were",
			  LOG_STR("reason", server->degraded.why[DEGRADED_COOKIE_SECRET].text));
	server_use_geo(server, geo);
	if (server->replica == NULL)
		reload_files(server);
}

bool server_is_alive(struct server *server)
{
	bool is_alive = publisher_is_alive(server->publisher);
	if (!is_alive)
		log_error(server->daemon->log, "a worker hangs");
	return is_alive;
}

enum veer_err server_failed(const struct server *server, struct veer_diag *diag)
{
	if (server->failed != VEER_OK)
		*diag = server->failed_diag;
	return server->failed;
}

void server_free(struct server **server)
{
	struct server *s = *server;
	if (s == NULL)
		return;
	loop_timer_cancel(s->daemon->loop, &s->parts);
	server_wait_stop(s);
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
