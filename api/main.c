/* SPDX-License-Identifier: Apache-2.0 */
/* veer-api: the control plane. Wires its parts and waits for signals; the work is done by the parts' own threads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/control/delegations.h"
#include "api/control/followers.h"
#include "api/control/revocations.h"
#include "api/control/settle.h"
#include "api/control/token_chores.h"
#include "api/control/zone_keeper.h"
#include "api/rest/api.h"
#include "api/startup.h"
#include "api/store_tools.h"
#include "base/daemon.h"
#include "base/file.h"
#include "zones/plan/geo.h"

enum { TOKEN_CHORES_MS = 10000 };

struct options {
	struct args_list listen;
	const char *store;
	const char *tls_cert;
	const char *tls_key;
	struct args_list geoip;
	int64_t history;
	struct args_list resolver;
	bool create;
	struct privilege_names names;
	const char *feed_user;
	bool is_socket_open;
};

/* 2,000 subscribers and as many clients need many descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The directory of the store's file, where the feed's full states are written. */
static void directory_of(const char *store_url, char *out, size_t size)
{
	const char *path = strchr(store_url, ':');
	const char *slash = path != NULL ? strrchr(path + 1, '/') : NULL;
	if (slash == NULL)
		(void)snprintf(out, size, ".");
	else
		(void)snprintf(out, size, "%.*s", slash == path + 1 ? 1 : (int)(slash - path - 1), path + 1);
}

/*
 * Open the store and begin a lineage, before anything is written or fed. A store that is lost is not silently replaced
 * by an empty one. When the store has gone back, what follows from that is done first.
 */
static enum veer_err open_store(struct api *api, const struct options *o, struct veer_diag *diag)
{
	struct witness *w = &api->control.witness;
	enum veer_err err = witness_open(o->store, w, diag);
	if (err == VEER_OK && !o->create && witness_misses_store(w))
		return veer_fail(diag, VEER_ENOTFOUND,
				 "%s is not there, but %s remembers it: put it back, or restore a backup (veer "
				 "restore); --create begins an empty one",
				 w->database, w->store_id[0] != '\0' ? w->path : "its log");
	if (err == VEER_OK)
		err = store_open(o->store, &api->control.store, diag);
	if (err != VEER_OK)
		return err;
	enum history_cause cause = witness_judge(w, api->control.store);
	if (cause == HISTORY_REWIND)
		log_warn(api->control.log, "the store has gone back: it is older than what was remembered of it",
			 LOG_INT("revision", store_revision(api->control.store)), LOG_INT("remembered", w->revision));
	err = store_begin_lineage(api->control.store, cause);
	if (err != VEER_OK)
		return veer_fail(diag, err, "%s: no lineage can be begun: %s", o->store, veer_err_text(err));
	struct veer_diag why = {""};
	if (witness_write(w, api->control.store, &why) != VEER_OK)
		log_error(api->control.log, "the store cannot be remembered beside it", LOG_STR("why", why.text));
	const struct health_config health = {
		.store = api->control.store, .clock = api->control.clock, .loop = api->loop, .log = api->control.log};
	if (!health_start(&api->health, &health))
		return veer_fail(diag, VEER_ELIMIT, "no threads left");
	err = revocations_apply(&api->control);
	if (err != VEER_OK)
		return veer_fail(diag, err, "%s: what was revoked cannot be kept so: %s", o->store, veer_err_text(err));
	/* if it fails, the hub tries again */
	if (store_is_unsettled(api->control.store))
		(void)settle_store(&api->control);
	return VEER_OK;
}

static void on_rewound(void *ctx)
{
	struct api *api = ctx;
	atomic_store(&api->is_rewound, true);
	loop_stop(api->loop);
}

static void on_watch(void *ctx)
{
	struct api *api = ctx;
	char zone[UPLINK_ZONE_SIZE];
	uint32_t serial;
	if (store_is_unsettled(api->control.store))
		(void)settle_store(&api->control);
	while (uplink_next_serial(api->control.uplinks, zone, &serial))
		if (settle_serial(&api->control, zone, serial) == VEER_OK)
			log_notice(api->control.log,
				   "a name server has seen a higher serial: the zone's is raised above it",
				   LOG_STR("zone", zone), LOG_INT("serial", serial));
}

static bool digest_at(void *ctx, const char *lineage, int64_t revision, struct digest_pair *out)
{
	const struct api *api = ctx;
	return feed_digest_at(hub_feed(api->control.hub), lineage, revision, out);
}

static enum veer_err read_resolvers(const struct options *o, struct resolvers *out, struct veer_diag *diag)
{
	return resolvers_parse((const char *const *)o->resolver.items, o->resolver.count, out, diag);
}

static enum veer_err open_delegations(struct api *api, const struct options *o, struct veer_diag *diag)
{
	struct resolvers resolvers;
	enum veer_err err = read_resolvers(o, &resolvers, diag);
	if (err != VEER_OK)
		return err;
	api->control.delegations = delegations_new(&api->control, &resolvers);
	if (api->control.delegations == NULL)
		return veer_fail(diag, VEER_ELIMIT, "no threads left");
	followers_add_delegations(api->control.hub, api->control.delegations);
	return VEER_OK;
}

static enum veer_err open_parts(struct api *api, const struct options *o, struct veer_diag *diag)
{
	char dir[4096];
	directory_of(o->store, dir, sizeof dir);
	enum veer_err err = file_make_dirs(dir, diag);
	if (err == VEER_OK)
		err = open_store(api, o, diag);
	if (err != VEER_OK)
		return err;
	api->control.directory = directory_new();
	api->control.uplinks = uplink_table_new();
	api->control.assignments = assignment_hub_new(store_id(api->control.store));
	api->control.trail = trail_new();
	api->control.token_uses = token_uses_new();
	if (api->control.token_uses == NULL || api->control.directory == NULL || api->control.uplinks == NULL ||
	    api->control.assignments == NULL || api->control.trail == NULL)
		return veer_fail(diag, VEER_ENOMEM, "out of memory");
	uplink_table_follow(api->control.uplinks, api->control.trail, store_id(api->control.store));
	err = hub_new(api->control.store, api->control.directory, dir, api->control.log, &api->control.hub, diag);
	if (err == VEER_OK && (api->control.answers = answers_new(api->control.directory, api->control.log)) == NULL)
		err = veer_fail(diag, VEER_ELIMIT, "no threads left");
	struct controller_config config = {.clock = api->control.clock,
					   .store = api->control.store,
					   .directory = api->control.directory,
					   .assignments = api->control.assignments,
					   .log = api->control.log,
					   .trail = api->control.trail,
					   .history = (size_t)o->history};
	if (err == VEER_OK) {
		const struct hub_history history = {
			.witness = &api->control.witness, .on_rewound = on_rewound, .on_watch = on_watch, .ctx = api};
		config.feed = hub_feed(api->control.hub);
		uplink_table_compare(api->control.uplinks, api->control.log, digest_at, api);
		hub_watch_over(api->control.hub, &history);
		followers_add_trail(api->control.hub, api->control.trail);
		followers_add_assignments(api->control.hub, api->control.assignments);
	}
	if (err == VEER_OK)
		err = controller_new(&config, &api->control.controller, diag);
	if (err == VEER_OK)
		followers_add_controller(api->control.hub, api->control.controller);
	if (err == VEER_OK)
		err = open_delegations(api, o, diag);
	if (err == VEER_OK && hub_start(api->control.hub) != VEER_OK)
		err = veer_fail(diag, VEER_ELIMIT, "no threads left");
	if (err == VEER_OK && (api->control.zones = zone_keeper_new(api->control.store, api->control.log)) == NULL)
		err = veer_fail(diag, VEER_ELIMIT, "no threads left");
	return err;
}

static enum veer_err open_server(struct api *api, const struct options *o, const struct startup *startup,
				 struct veer_diag *diag)
{
	struct api_server_config config = {.ctx = api,
					   .authenticate = api_authenticate,
					   .revalidate = api_revalidate,
					   .body_limit = api_body_limit,
					   .done = api_audit_done,
					   .refused = api_audit_refused,
					   .tls_cert_pem = startup->pair.cert,
					   .tls_key_pem = startup->pair.key,
					   .wants_tls = o->tls_cert != NULL,
					   .has_feed_user = startup->feed_user.is_set,
					   .feed_uid = startup->feed_user.uid,
					   .is_socket_open = o->is_socket_open,
					   .log = api->control.log};
	enum veer_err err = VEER_OK;
	config.routes = api_routes(&config.route_count);
	api->server = api_server_new(&config);
	if (api->server == NULL)
		return veer_fail(diag, VEER_ENOMEM, "the HTTP server does not start: memory or threads are out");
	for (size_t i = 0; i < o->listen.count && err == VEER_OK; i++)
		err = api_server_listen(api->server, o->listen.items[i], i < startup->count ? startup->fds[i] : -1,
					diag);
	return err;
}

/*
 * Close the parts in the reverse order of what they need: no new requests, no followers, no store. Comparisons of
 * delegations are interrupted first, because requests wait for them; the hub stops after the requests, because a write
 * waits until the hub has read it back.
 */
static void close_parts(struct api *api)
{
	if (api->control.zones != NULL)
		zone_keeper_stop(api->control.zones);
	if (api->control.delegations != NULL)
		delegations_stop(api->control.delegations);
	if (api->server != NULL)
		api_server_drain(api->server);
	if (api->control.hub != NULL)
		hub_stop(api->control.hub);
	api_server_free(&api->server);
	delegations_free(&api->control.delegations);
	zone_keeper_free(&api->control.zones);
	controller_free(&api->control.controller);
	answers_free(&api->control.answers);
	hub_free(&api->control.hub);
	assignment_hub_free(&api->control.assignments);
	uplink_table_free(&api->control.uplinks);
	trail_free(&api->control.trail);
	token_uses_free(&api->control.token_uses);
	directory_free(&api->control.directory);
	health_stop(&api->health);
	store_close(&api->control.store);
	witness_close(&api->control.witness);
}

/* Refuse files that name servers could not use, before anything starts. */
static enum veer_err check_geoip(const struct args_list *files, struct veer_diag *diag)
{
	struct geo_table *table = NULL;
	if (files->count == 0)
		return VEER_OK;
	enum veer_err err = geo_load((const char *const *)files->items, files->count, &table, diag);
	geo_free(&table);
	return err;
}

static enum certificate_use use_certificate(void *ctx, const struct certificate_pair *pair)
{
	static const enum certificate_use uses[] = {[API_CERTIFICATE_SHOWN] = CERTIFICATE_USED,
						    [API_CERTIFICATE_REFUSED] = CERTIFICATE_REFUSED,
						    [API_CERTIFICATE_WAITS] = CERTIFICATE_WAITS};
	struct api *api = ctx;
	return uses[api_server_set_certificate(api->server, pair->cert, pair->key)];
}

static void on_reload(void *ctx)
{
	struct api *api = ctx;
	certificate_watch_reload(&api->certificate);
}

static void watch_certificate(struct api *api, const struct options *o, const struct startup *startup)
{
	api->certificate = (struct certificate_watch){.cert_path = o->tls_cert,
						      .key_path = o->tls_key,
						      .loop = api->loop,
						      .log = api->control.log,
						      .use = use_certificate,
						      .ctx = api};
	certificate_watch_start(&api->certificate, startup->pair.cert != NULL ? &startup->pair : NULL);
}

static void on_token_chores(void *ctx)
{
	token_chores(ctx);
}

static int serve(struct daemon *d, const struct options *o, struct startup *startup, bool *starts_anew)
{
	struct veer_diag diag = {""};
	struct api api = {.control = {.clock = veer_clock_system(), .log = d->log, .witness = {.fd = -1}},
			  .loop = d->loop};
	write_gate_init(&api.control.write_gate);
	audit_init(&api.audit);
	zone_turns_init(&api.control.zone_turns);
	api.started_ms = veer_clock_monotonic_ms(api.control.clock);
	raise_descriptor_limit();
	char dir[4096];
	directory_of(o->store, dir, sizeof dir);
	const struct startup_wishes wishes = {.listen = &o->listen,
					      .tls_cert = o->tls_cert,
					      .tls_key = o->tls_key,
					      .dir = dir,
					      .names = &o->names,
					      .feed_user = o->feed_user};
	enum veer_err err = startup_open(startup, &wishes, d->log, &diag);
	if (err == VEER_OK)
		daemon_check_files(d, o->names.user);
	if (err == VEER_OK)
		err = check_geoip(&o->geoip, &diag);
	if (err == VEER_OK) /* mistakes are reported before the store is touched */
		err = read_resolvers(o, &(struct resolvers){.count = 0}, &diag);
	if (err == VEER_OK)
		err = open_parts(&api, o, &diag);
	if (err == VEER_OK) /* before a client can ask how long it lasts */
		watch_certificate(&api, o, startup);
	if (err == VEER_OK)
		err = open_server(&api, o, startup, &diag);
	int status;
	if (err == VEER_OK) {
		char port[16];
		(void)snprintf(port, sizeof port, "%u", api_server_port(api.server));
		daemon_ready(d, LOG_FIELDS(LOG_STR("store", o->store), LOG_STR("port", port),
					   LOG_INT("revision", directory_revision(api.control.directory))));
		if (!ticker_start(&api.token_chores, api.control.clock, TOKEN_CHORES_MS, on_token_chores, &api))
			log_error(d->log, "no thread left: tokens that have ended stay, and their uses are not stored");
		status = daemon_run(d, o->tls_cert != NULL ? on_reload : NULL, &api);
		ticker_stop(&api.token_chores);
	} else {
		status = daemon_fail(d, &diag);
	}
	certificate_watch_stop(&api.certificate);
	*starts_anew = atomic_load(&api.is_rewound);
	close_parts(&api);
	zone_turns_deinit(&api.control.zone_turns);
	audit_deinit(&api.audit);
	write_gate_deinit(&api.control.write_gate);
	return status;
}

/* The options that say where it listens, and what it reads. */
static void add_sources(struct args_table *t, struct options *o)
{
	const struct args_option options[] = {
		{.name = "listen",
		 .kind = ARGS_LIST,
		 .target = &o->listen,
		 .value = "ADDR:PORT|unix:PATH",
		 .max = API_LISTENERS_MAX,
		 .required = true,
		 .help = "serve HTTP here; may repeat; beyond loopback only with --tls-cert"},
		{.name = "store",
		 .kind = ARGS_STRING,
		 .target = &o->store,
		 .value = "sqlite:PATH",
		 .required = true,
		 .help = "where everything is kept"},
		{.name = "create",
		 .kind = ARGS_FLAG,
		 .target = &o->create,
		 .help = "begin an empty store where one is remembered that is not there",
		 .cli_only = true},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* The options that say how it serves. */
static void add_service(struct args_table *t, struct options *o)
{
	const struct args_option options[] = {
		{.name = "tls-cert",
		 .kind = ARGS_STRING,
		 .target = &o->tls_cert,
		 .value = "FILE",
		 .help = "PEM certificate chain",
		 .is_file = true},
		{.name = "tls-key",
		 .kind = ARGS_STRING,
		 .target = &o->tls_key,
		 .value = "FILE",
		 .help = "PEM private key",
		 .is_file = true},
		{.name = "geoip",
		 .kind = ARGS_LIST,
		 .target = &o->geoip,
		 .value = "FILE.mmdb",
		 .max = GEO_FILES_MAX,
		 .help = "the name servers' geo data, for explaining answers; may repeat",
		 .is_file = true},
		{.name = "history",
		 .kind = ARGS_INT,
		 .target = &o->history,
		 .value = "N",
		 .min = 100,
		 .max = 1000000,
		 .help = "transitions that are kept (10000)"},
		{.name = "resolver",
		 .kind = ARGS_LIST,
		 .target = &o->resolver,
		 .value = "ADDR[@PORT]|none",
		 .max = RESOLVERS_MAX,
		 .help = "whom to ask for parent zones, to compare delegations; up to 3 (those of /etc/resolv.conf)"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* The commands that do not serve. */
static const struct {
	const char *name;
	int (*run)(int argc, char *argv[], int first);
} tools[] = {
	{"restore", store_tool_restore},
	{"store-check", store_tool_check},
	{"store-repair", store_tool_repair},
};

/* The options that say who may use the Unix sockets, besides the owner and root. */
static void add_peers(struct args_table *t, struct options *o)
{
	const struct args_option options[] = {
		{.name = "feed-user",
		 .kind = ARGS_STRING,
		 .target = &o->feed_user,
		 .value = "NAME",
		 .help = "over a Unix socket this user is a name server, and needs no token"},
		{.name = "open-socket",
		 .kind = ARGS_FLAG,
		 .target = &o->is_socket_open,
		 .help = "let every user of this host connect to Unix sockets; they need tokens, as over TCP"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* Run the service once, as long as the store's history is the one that it has read. */
static int live(int argc, char *argv[], struct startup *startup, bool *starts_anew)
{
	struct options o = {.history = 10000};
	struct args_table table = {.count = 0};
	*starts_anew = false;
	add_sources(&table, &o);
	add_service(&table, &o);
	add_peers(&table, &o);
	privilege_options_add(&table, &o.names);
	const struct args_spec spec = {
		.usage = "veer-api [options] | veer-api restore FILE --store sqlite:PATH [--copy] | veer-api "
			 "store-check|store-repair --store sqlite:PATH",
		.summary = "The control plane: REST, the feed of the name servers, and the controller that decides.",
		.options = table.options,
		.option_count = table.count,
	};
	struct daemon d;
	int status = daemon_init(&d, "veer-api", &spec, argc, argv);
	if (status >= 0)
		return status;
	status = serve(&d, &o, startup, starts_anew);
	daemon_deinit(&d);
	return status;
}

int main(int argc, char *argv[])
{
	struct startup startup = {.is_done = false};
	bool starts_anew;
	int status;
	for (size_t i = 0; argc > 1 && i < sizeof tools / sizeof tools[0]; i++)
		if (strcmp(argv[1], tools[i].name) == 0)
			return tools[i].run(argc, argv, 2);
	do /* again, when its history has ended; in this process, because it can no longer execute a program */
		status = live(argc, argv, &startup, &starts_anew);
	while (starts_anew);
	startup_close(&startup);
	return status;
}
