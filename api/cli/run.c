/* SPDX-License-Identifier: Apache-2.0 */
/* veer run: the whole service on one host. */
#include <signal.h>
#include <stdio.h>

#include "api/cli/cli.h"
#include "api/cli/service.h"
#include "base/daemon.h"
#include "base/file.h"

struct running {
	struct daemon daemon;
	struct supervisor *supervisor;
	bool check_config; /* only check that the file, and the files that it names, can be used */
};

static void on_ready(void *ctx)
{
	struct running *r = ctx;
	daemon_ready(&r->daemon, LOG_FIELDS(LOG_STR("program", "veer run")));
}

static void on_reload(void *ctx)
{
	struct running *r = ctx;
	supervisor_signal(r->supervisor, SIGHUP);
}

static int supervise(struct running *r, const char *path)
{
	struct veer_diag diag = {""};
	struct service service;
	if (service_load(path, r->check_config, &service, &diag) != VEER_OK)
		return daemon_fail(&r->daemon, &diag);
	if (r->check_config) {
		service_deinit(&service);
		return DAEMON_EXIT_OK;
	}
	enum veer_err err = service_make_state(&service, &diag);
	if (err == VEER_OK)
		err = supervisor_new(r->daemon.loop, r->daemon.log, service.state, &r->supervisor, &diag);
	if (err == VEER_OK)
		err = service_add(&service, r->supervisor, &diag);
	int code;
	if (err == VEER_OK) {
		supervisor_start(r->supervisor, on_ready, r);
		code = daemon_run(&r->daemon, on_reload, r);
	} else {
		code = daemon_fail(&r->daemon, &diag);
	}
	supervisor_free(&r->supervisor);
	service_deinit(&service);
	return code;
}

int cli_run(int argc, char *argv[], int first)
{
	struct running r = {0};
	const struct args_option options[] = {
		{.name = "check-config",
		 .kind = ARGS_FLAG,
		 .target = &r.check_config,
		 .help = "check FILE and the files that it names, and end: 0, or 2 with the first reason",
		 .cli_only = true},
	};
	const struct args_spec spec = {
		.options = options,
		.option_count = 1,
		.usage = "veer run [--check-config] [FILE]",
		.summary = "Runs the control plane, a name server and probe agents on this host, restarts what fails, "
			   "and ends\n"
			   "all of it on SIGTERM. FILE: the configuration (default /etc/veer/veer.yaml).",
		.positional_max = 1};
	int code = daemon_init(&r.daemon, "veer", &spec, argc - first + 1, argv + first - 1);
	if (code >= 0)
		return code;
	const struct args_list *files = &r.daemon.options.args.positional;
	code = supervise(&r, files->count > 0 ? files->items[0] : "/etc/veer/veer.yaml");
	daemon_deinit(&r.daemon);
	return code;
}
