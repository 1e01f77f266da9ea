/* SPDX-License-Identifier: Apache-2.0 */
/* veer-dnsd: answers DNS, from zone files or from the feed of a control plane. */
#include <string.h>

#include "base/daemon.h"
#include "dnsd/serve/server.h"
#include "dnsd/serve/worker.h"
#include "dnsd/tap/metrics.h"
#include "zones/plan/geo.h"

static void on_reload(void *ctx)
{
	server_reload(ctx);
}

static bool is_alive(void *ctx)
{
	return server_is_alive(ctx);
}

/*
 * Called before any file is read, because a file that only root may read could not be read again on SIGHUP. Ports below
 * 1024 are bound later, when there is a plan, and also by a process that replaces this one, so that capability is kept.
 */
static enum veer_err give_up_privileges(const struct daemon *daemon, const struct server_options *options,
					struct veer_diag *diag)
{
	struct privilege_user user;
	enum veer_err err = privilege_find(&options->names, &user, diag);
	if (err == VEER_OK && !options->check_config)
		err = privilege_give_dir(options->state, &user, diag);
	if (err == VEER_OK)
		err = privilege_drop(&user, PRIVILEGE_BIND, diag);
	if (err == VEER_OK) {
		privilege_seal(daemon->log);
		daemon_check_files(daemon, options->names.user);
	}
	return err;
}

static int serve(struct daemon *daemon, const struct server_options *options)
{
	struct server *server = NULL;
	struct veer_diag diag = {.text = ""};
	int status = DAEMON_EXIT_USAGE;
	if (give_up_privileges(daemon, options, &diag) != VEER_OK)
		return daemon_fail(daemon, &diag);
	if (options->check_config)
		return server_check(daemon, options, &diag) == VEER_OK ? DAEMON_EXIT_OK : daemon_fail(daemon, &diag);
	enum veer_err err = server_new(daemon, options, &server, &diag);
	if (err == VEER_OK) {
		daemon_watch(daemon, is_alive, server);
		err = server_start(server, &diag);
	}
	if (err == VEER_OK) {
		status = daemon_run(daemon, on_reload, server);
		err = server_failed(server, &diag);
	}
	if (err != VEER_OK)
		status = daemon_fail(daemon, &diag);
	server_free(&server);
	return status;
}

/* The options that say what is served, and where. */
static void add_sources(struct args_table *t, struct server_options *o)
{
	const struct args_option options[] = {
		{.name = "listen",
		 .kind = ARGS_LIST,
		 .target = &o->listen,
		 .value = "ADDR@PORT",
		 .max = SOCKETS_LISTEN_MAX,
		 .required = true,
		 .help = "answer DNS here, UDP and TCP; may repeat"},
		{.name = "zone",
		 .kind = ARGS_LIST,
		 .target = &o->zones,
		 .value = "ORIGIN=FILE",
		 .help = "serve this zone from a zone file; may repeat",
		 .is_file = true},
		{.name = "feed",
		 .kind = ARGS_STRING,
		 .target = &o->feed,
		 .value = "URL[,URL...]",
		 .help = "serve what a control plane says: unix:PATH or https://HOST:PORT"},
		{.name = "state",
		 .kind = ARGS_STRING,
		 .target = &o->state,
		 .value = "DIR",
		 .help = "keep the plan and the identity here, to serve alone after a restart"},
		{.name = "token-file",
		 .kind = ARGS_STRING,
		 .target = &o->token_file,
		 .value = "FILE",
		 .help = "one-use enrolment token, for the first start",
		 .is_file = true},
		{.name = "ca-file",
		 .kind = ARGS_STRING,
		 .target = &o->ca_file,
		 .value = "FILE",
		 .help = "certificates to trust for the feed, instead of the system's",
		 .is_file = true},
		{.name = "geoip",
		 .kind = ARGS_LIST,
		 .target = &o->geoip,
		 .value = "FILE.mmdb",
		 .max = GEO_FILES_MAX,
		 .help = "where clients are; may repeat, the first that knows decides",
		 .is_file = true},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* The options that say how it is served. */
static void add_service(struct args_table *t, struct server_options *o)
{
	const struct args_option options[] = {
		{.name = "nsid",
		 .kind = ARGS_STRING,
		 .target = &o->nsid,
		 .value = "TEXT",
		 .help = "tell those who ask which server this is (RFC 5001; default: do not)"},
		{.name = "cookie-secret-file",
		 .kind = ARGS_STRING,
		 .target = &o->cookie_secret_file,
		 .value = "FILE",
		 .help = "one or two secrets for DNS cookies, 32 hex digits each (default: random)",
		 .is_file = true},
		{.name = "workers",
		 .kind = ARGS_INT,
		 .target = &o->workers,
		 .value = "N",
		 .min = 1,
		 .max = WORKERS_MAX,
		 .help = "threads that answer (default: one a CPU)"},
		{.name = "control",
		 .kind = ARGS_STRING,
		 .target = &o->control,
		 .value = "PATH",
		 .help = "control socket, for --replace (default: control.sock in --state)"},
		{.name = "adopt-store",
		 .kind = ARGS_FLAG,
		 .target = &o->adopt_store,
		 .help = "follow the store of the first control plane that answers, even if it is another than before",
		 .cli_only = true},
		{.name = "replace",
		 .kind = ARGS_FLAG,
		 .target = &o->replace,
		 .help = "take the place of the server at the control socket, if there is one",
		 .cli_only = true},
		{.name = "check-config",
		 .kind = ARGS_FLAG,
		 .target = &o->check_config,
		 .help = "check the options and the files that they name, and end: 0, or 2 with the first reason",
		 .cli_only = true},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* The options that limit what one client may ask for. */
static void add_admission(struct args_table *t, struct server_options *o)
{
	const struct args_option options[] = {
		{.name = "rrl-rate",
		 .kind = ARGS_INT,
		 .target = &o->admission.rrl_rate,
		 .value = "N",
		 .max = LIMIT_RATE_MAX,
		 .help = "replies over UDP a second for a client's /24 or /56; 0: any number (default: 2000)"},
		{.name = "rrl-slip",
		 .kind = ARGS_INT,
		 .target = &o->admission.rrl_slip,
		 .value = "N",
		 .max = LIMIT_SLIP_MAX,
		 .help = "truncate every N-th reply beyond that, drop the others; 0: drop all (default: 2)"},
		{.name = "rrl-exempt",
		 .kind = ARGS_LIST,
		 .target = &o->admission.rrl_exempt,
		 .value = "PREFIX",
		 .max = LIMIT_EXEMPT_MAX,
		 .help = "clients that are not limited; may repeat; \"none\" (default: 127.0.0.0/8 and ::1)"},
		{.name = "tcp-max",
		 .kind = ARGS_INT,
		 .target = &o->admission.tcp_max,
		 .value = "N",
		 .max = ADMISSION_TCP_MAX,
		 .help = "connections at a time, over all workers (default: 512 a worker)"},
		{.name = "tcp-max-prefix",
		 .kind = ARGS_INT,
		 .target = &o->admission.tcp_max_prefix,
		 .value = "N",
		 .max = ADMISSION_TCP_MAX,
		 .help = "of those, for a client's /24 or /56 (default: a quarter)"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* The options that make queries and counters visible. */
static void add_views(struct args_table *t, struct server_options *o)
{
	const struct args_option options[] = {
		{.name = "metrics",
		 .kind = ARGS_STRING,
		 .target = &o->metrics,
		 .value = "ADDR:PORT",
		 .help = "serve GET /metrics for Prometheus here"},
		{.name = "zone-metrics",
		 .kind = ARGS_INT,
		 .target = &o->zone_metrics,
		 .value = "N",
		 .max = METRICS_ZONES_MAX,
		 .help = "count the queries of each of the first N zones (default: 0)"},
		{.name = "query-log",
		 .kind = ARGS_STRING,
		 .target = &o->query_log,
		 .value = "FILE",
		 .help = "write queries to this file, \"-\" for standard output"},
		{.name = "query-log-sample",
		 .kind = ARGS_INT,
		 .target = &o->query_log_sample,
		 .value = "N",
		 .min = 1,
		 .max = UINT32_MAX,
		 .help = "of so many queries one, on average (default: 1)"},
		{.name = "dnstap",
		 .kind = ARGS_STRING,
		 .target = &o->dnstap,
		 .value = "unix:PATH",
		 .help = "send queries and replies to a dnstap collector"},
		{.name = "dnstap-sample",
		 .kind = ARGS_INT,
		 .target = &o->dnstap_sample,
		 .value = "N",
		 .min = 1,
		 .max = UINT32_MAX,
		 .help = "of so many queries one, on average (default: 1)"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

int main(int argc, char *argv[])
{
	struct server_options o;
	server_options_default(&o);
	struct args_table table = {.count = 0};
	add_sources(&table, &o);
	add_service(&table, &o);
	add_admission(&table, &o);
	add_views(&table, &o);
	privilege_options_add(&table, &o.names);
	const struct args_spec spec = {
		.usage = "veer-dnsd --listen ADDR@PORT (--zone ORIGIN=FILE ... | --feed URL --state DIR) [options]",
		.summary = "Answers DNS authoritatively, and hands out only what works.",
		.options = table.options,
		.option_count = table.count,
	};
	struct daemon daemon;
	int status = daemon_init(&daemon, "veer-dnsd", &spec, argc, argv);
	if (status >= 0)
		return status;
	status = serve(&daemon, &o);
	daemon_deinit(&daemon);
	return status;
}
