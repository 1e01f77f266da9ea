/* SPDX-License-Identifier: Apache-2.0 */
/* The name server's control side: one process takes the place of another, seen from both. See server_impl.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/notify.h"
#include "dnsd/serve/server_impl.h"

#define QUIET_POLL_MS 1
#define DRAIN_POLL_MS 10
#define DRAIN_LIMIT_MS 3000 /* for queries in progress on TCP connections */
#define QUIET_LIMIT_MS 1000 /* a replaced server that hangs must not delay new plans longer than this */
#define DISK_POLL_MS 100
#define PATH_SIZE 4096

/* --- being replaced: the callbacks of control.h -------------------------------------------------------------- */

static bool is_serving(void *ctx)
{
	struct server *s = ctx;
	return publisher_workers(s->publisher) != NULL;
}

static size_t give_dns(const struct sockets *sockets, size_t from, int *fds, size_t max)
{
	size_t count = 0;
	for (size_t i = from; i < 2 * sockets->pair_count && count < max; i++) {
		const struct socket_pair *pair = &sockets->pairs[i / 2];
		fds[count++] = i % 2 == 0 ? pair->udp : pair->tcp;
	}
	return count;
}

static size_t give_sockets(void *ctx, enum control_role role, size_t from, int *fds, size_t max, size_t *total)
{
	struct server *s = ctx;
	switch (role) {
	case CONTROL_ROLE_DNS:
		*total = 2 * publisher_sockets(s->publisher)->pair_count;
		return give_dns(publisher_sockets(s->publisher), from, fds, max);
	case CONTROL_ROLE_METRICS:
		*total = s->scrape != NULL;
		if (s->scrape != NULL)
			fds[0] = scrape_fd(s->scrape);
		break;
	case CONTROL_ROLE_CONTROL:
		*total = s->control != NULL;
		if (s->control != NULL)
			fds[0] = control_fd(s->control);
		break;
	}
	return from < *total ? *total - from : 0;
}

static void leave(void *ctx)
{
	struct server *s = ctx;
	if (s->disk == NULL)
		return;
	replica_leave_disk(s->replica);
	plan_disk_close(&s->disk);
}

static void tell_position(void *ctx, struct control_position *out)
{
	struct server *s = ctx;
	const struct plan *plan = publisher_plan(s->publisher);
	*out = (struct control_position){.is_heard = s->feed != NULL && feed_client_heard_ms(s->feed) >= 0};
	if (plan == NULL)
		return;
	memcpy(out->store_id, plan->store_id, sizeof out->store_id);
	memcpy(out->lineage, plan->lineage, sizeof out->lineage);
	out->revision = plan->revision;
}

static bool is_behind(void *ctx, const struct control_position *other)
{
	struct server *s = ctx;
	struct control_position ours;
	tell_position(s, &ours);
	return s->replica != NULL && other->revision < ours.revision &&
	       replica_has_had(s->replica, other->lineage, other->revision);
}

static void tell_secrets(void *ctx, struct cookie_secrets *out)
{
	const struct server *s = ctx;
	*out = s->config.secrets;
}

static void yield(void *ctx)
{
	server_unfollow(ctx);
}

static void finish(void *ctx)
{
	struct server *s = ctx;
	log_info(s->daemon->log, "replaced; stopping");
	loop_stop(s->daemon->loop);
}

static void check_drained(void *ctx)
{
	struct server *s = ctx;
	if (!s->is_draining)
		return; /* the other process has just died */
	if (workers_are_drained(publisher_workers(s->publisher)) || loop_now_ms(s->daemon->loop) >= s->drain_end_ms ||
	    loop_timer_set(s->daemon->loop, &s->step, DRAIN_POLL_MS, check_drained, s) != VEER_OK)
		finish(s);
}

static void check_quiet(void *ctx)
{
	struct server *s = ctx;
	if (!workers_are_quiet(publisher_workers(s->publisher)) &&
	    loop_timer_set(s->daemon->loop, &s->step, QUIET_POLL_MS, check_quiet, s) == VEER_OK)
		return;
	control_quiet(s->control);
	check_drained(s);
}

static void drain(void *ctx, const int *channels, size_t count)
{
	struct server *s = ctx;
	if (s->scrape != NULL)
		(void)scrape_listen(s->scrape, false);
	workers_drain(publisher_workers(s->publisher), channels, count);
	s->is_draining = true;
	s->drain_end_ms = loop_now_ms(s->daemon->loop) + DRAIN_LIMIT_MS;
	check_quiet(s);
}

/*
 * Take the state directory back. The process that had it is dead, but its lock may remain for a moment, or a full state
 * may be coming in; then try again later.
 */
static void take_disk_back(void *ctx)
{
	struct server *s = ctx;
	struct veer_diag diag = {.text = ""};
	enum veer_err err = server_open_disk(s, &s->disk, &diag);
	if (err == VEER_OK) {
		err = replica_use_disk(s->replica, s->disk);
		if (err != VEER_OK)
			plan_disk_close(&s->disk);
	}
	if (err == VEER_OK)
		log_notice(s->daemon->log, "the plan is kept on disk again");
	else if (err != VEER_EBUSY)
		log_error(s->daemon->log, "the plan is not kept on disk", LOG_STR("reason", diag.text));
	if (err != VEER_OK)
		(void)loop_timer_set(s->daemon->loop, &s->step, DISK_POLL_MS, take_disk_back, s);
}

static void resume(void *ctx)
{
	struct server *s = ctx;
	struct veer_diag diag = {.text = ""};
	loop_timer_cancel(s->daemon->loop, &s->step);
	s->is_draining = false;
	workers_resume(publisher_workers(s->publisher));
	if (s->scrape != NULL)
		(void)scrape_listen(s->scrape, true);
	if (s->replica != NULL && s->options->state != NULL && s->disk == NULL)
		take_disk_back(s);
	if (server_follow(s, &diag) != VEER_OK) {
		log_error(s->daemon->log, "the feed cannot be followed again", LOG_STR("reason", diag.text));
		server_fail(s, VEER_EIO, diag.text);
	}
}

/* --- replacing: events of a takeover ------------------------------------------------------------------- */

static void stay_there(void *ctx, struct control_position *out)
{
	struct server *s = ctx;
	publisher_thaw(s->publisher);
	publisher_freeze(s->publisher);
	tell_position(s, out);
}

static void on_quiet(void *ctx)
{
	struct server *s = ctx;
	publisher_thaw(s->publisher);
}

static void on_go(void *ctx)
{
	struct server *s = ctx;
	struct veer_diag diag = {.text = ""};
	int channels[CONTROL_FDS_MAX];
	if (publisher_workers(s->publisher) != NULL)
		return;
	if (publisher_start(s->publisher, &diag) != VEER_OK) {
		server_fail(s, VEER_EIO, diag.text);
		return;
	}
	(void)notify_main_pid();
	size_t count = workers_channels(publisher_workers(s->publisher), channels, CONTROL_FDS_MAX);
	if (loop_timer_set(s->daemon->loop, &s->step, QUIET_LIMIT_MS, on_quiet, s) != VEER_OK)
		on_quiet(s);
	takeover_serving(s->takeover, channels, count);
	for (size_t i = 0; i < count; i++)
		(void)close(channels[i]);
	if (s->scrape != NULL)
		(void)scrape_listen(s->scrape, true);
}

static void on_refused(void *ctx, const char *reason)
{
	char text[VEER_DIAG_SIZE];
	(void)snprintf(text, sizeof text, "the running server cannot be replaced: %s", reason);
	server_fail(ctx, VEER_EBUSY, text);
}

/* The takeover is complete: now another process may replace us. */
static void on_done(void *ctx)
{
	struct server *s = ctx;
	loop_timer_cancel(s->daemon->loop, &s->step);
	log_notice(s->daemon->log, "the server that was replaced has ended");
	if (s->control != NULL && control_listen(s->control) != VEER_OK)
		log_error(s->daemon->log, "this server cannot be replaced", LOG_STR("reason", "out of memory"));
}

/* --- interface -------------------------------------------------------------------------------------------- */

/* Find the path of the control socket; "" when there is to be none. */
static enum veer_err find_path(const struct server *s, char out[PATH_SIZE], struct veer_diag *diag)
{
	const struct server_options *o = s->options;
	struct sockaddr_un unused;
	struct veer_diag detail = {.text = ""};
	out[0] = '\0';
	if (o->control == NULL && o->state == NULL)
		return o->replace ? veer_fail(diag, VEER_EINVAL, "--replace needs --control or --state") : VEER_OK;
	int n = o->control != NULL ? snprintf(out, PATH_SIZE, "%s", o->control)
				   : snprintf(out, PATH_SIZE, "%s/control.sock", o->state);
	enum veer_err err = n < PATH_SIZE ? control_address(out, &unused, &detail) : VEER_ERANGE;
	if (err == VEER_OK)
		return VEER_OK;
	out[0] = '\0';
	if (o->control != NULL || o->replace)
		return veer_fail(diag, err, "--control: %s", detail.text);
	log_warn(s->daemon->log, "no control socket", LOG_STR("reason", detail.text));
	return VEER_OK;
}

/* Check that the addresses are free or inherited. Those of a server that has just died become free in a moment. */
static enum veer_err check_addresses(struct server *s, struct veer_diag *diag)
{
	enum veer_err err = publisher_check(s->publisher, diag);
	bool is_gone = s->takeover == NULL || takeover_is_gone(s->takeover);
	for (int tries = 0; err == VEER_EBUSY && is_gone && tries < SERVER_TRIES; tries++) {
		server_pause();
		err = publisher_check(s->publisher, diag);
	}
	return err;
}

/*
 * Take the old server's sockets, its metrics socket, and `*control_fd`. With its cookie secrets, cookies that clients
 * hold stay valid.
 */
static enum veer_err take_over(struct server *s, const char *path, int *control_fd, struct veer_diag *diag)
{
	const struct takeover_events events = {.position = stay_there,
					       .go = on_go,
					       .quiet = on_quiet,
					       .refused = on_refused,
					       .done = on_done,
					       .ctx = s};
	struct cookie_secrets secrets = {.count = 0};
	enum veer_err err = takeover_begin(s->daemon->loop, path, &events, &s->takeover, diag);
	if (err == VEER_ENOTFOUND) {
		log_notice(s->daemon->log, "no server to replace", LOG_STR("control", path));
		return check_addresses(s, diag);
	}
	if (err != VEER_OK)
		return err;
	struct sockets_given control = takeover_sockets(s->takeover, CONTROL_ROLE_CONTROL);
	if (control.count > 0) {
		*control_fd = control.fds[0];
		control.fds[0] = -1;
	}
	sockets_given_close(&control);
	s->metrics_fd = takeover_sockets(s->takeover, CONTROL_ROLE_METRICS);
	struct sockets_given given = takeover_sockets(s->takeover, CONTROL_ROLE_DNS);
	publisher_hold(s->publisher, &given);
	err = check_addresses(s, diag);
	if (err == VEER_OK)
		err = takeover_load(s->takeover, &secrets, diag);
	if (err == VEER_OK && secrets.count > 0 && s->options->cookie_secret_file == NULL) {
		s->config.secrets = secrets;
		err = publisher_set_config(s->publisher, &s->config);
	}
	explicit_bzero(&secrets, sizeof secrets);
	return err;
}

/*
 * Make the control socket from the inherited one, or a new one, waiting if necessary until a server that has just died
 * has released the path.
 */
static enum veer_err open_control(struct server *s, const struct control_host *host, const char *path, int fd,
				  struct veer_diag *diag)
{
	enum veer_err err = control_new(host, path, fd, &s->control, diag);
	for (int tries = 0; err == VEER_EBUSY && s->options->replace && tries < SERVER_TRIES; tries++) {
		server_pause();
		err = control_new(host, path, -1, &s->control, diag);
	}
	return err;
}

/*
 * Make the control socket. A problem with the path is no reason not to answer, but another server that runs there is.
 */
static enum veer_err make_control(struct server *s, const char *path, int fd, struct veer_diag *diag)
{
	const struct control_host host = {.loop = s->daemon->loop,
					  .log = s->daemon->log,
					  .is_serving = is_serving,
					  .sockets = give_sockets,
					  .leave = leave,
					  .position = tell_position,
					  .is_behind = is_behind,
					  .secrets = tell_secrets,
					  .yield = yield,
					  .drain = drain,
					  .resume = resume,
					  .finish = finish,
					  .ctx = s};
	struct veer_diag why = {.text = ""};
	enum veer_err err = open_control(s, &host, path, fd, &why);
	if (err == VEER_OK && s->takeover == NULL && (err = control_listen(s->control)) != VEER_OK)
		control_free(&s->control);
	if (err == VEER_OK)
		degraded_end(&s->degraded, s->daemon->log, DEGRADED_CONTROL);
	else if (err == VEER_EBUSY || err == VEER_ENOMEM)
		return veer_fail(diag, err, "%s", why.text[0] != '\0' ? why.text : veer_err_text(err));
	else
		degraded_begin(&s->degraded, s->daemon->log, DEGRADED_CONTROL, why.text);
	return VEER_OK;
}

enum veer_err server_join(struct server *server, struct veer_diag *diag)
{
	char path[PATH_SIZE];
	struct veer_diag unused = {.text = ""};
	int fd = -1;
	enum veer_err err = find_path(server, path, diag);
	if (err != VEER_OK || path[0] == '\0')
		return err;
	if (server->options->control == NULL)
		(void)file_make_dirs(server->options->state, &unused); /* without the directory the socket cannot be
									* made, and that error is reported */
	if (server->options->replace)
		err = take_over(server, path, &fd, diag);
	if (err == VEER_OK)
		return make_control(server, path, fd, diag);
	if (fd >= 0)
		(void)close(fd);
	return err;
}

void server_retry_control(struct server *server)
{
	char path[PATH_SIZE];
	struct veer_diag diag = {.text = ""};
	if (server->control != NULL || find_path(server, path, &diag) != VEER_OK || path[0] == '\0')
		return;
	/* another server may have taken the path meanwhile: the part then stays degraded */
	if (make_control(server, path, -1, &diag) != VEER_OK)
		degraded_begin(&server->degraded, server->daemon->log, DEGRADED_CONTROL, diag.text);
}

enum veer_err server_offer(struct server *server, struct veer_diag *diag)
{
	if (server->takeover == NULL || server->is_offered)
		return VEER_OK;
	server->is_offered = true;
	enum veer_err err = takeover_offer(server->takeover);
	return err == VEER_OK ? VEER_OK : veer_fail(diag, err, "%s", veer_err_text(err));
}

void server_part(struct server *server)
{
	loop_timer_cancel(server->daemon->loop, &server->step);
	sockets_given_close(&server->metrics_fd);
	control_free(&server->control);
	takeover_free(&server->takeover);
}
