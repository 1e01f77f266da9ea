/* SPDX-License-Identifier: Apache-2.0 */
/* veer-probe: options, and the agent on the daemon's loop. */
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>

#include "base/daemon.h"
#include "base/privilege.h"
#include "probes/agent/agent.h"
#include "probes/agent/exec.h"
#include "probes/agent/hand.h"
#include "probes/agent/runner.h"
#include "probes/verdict/reference_address.h"

struct options {
	struct agent_settings settings;
	struct args_list references;
	struct privilege_names names;
	const char *exec_user;
};

/* Everything that the callbacks need. */
struct program {
	struct daemon daemon;
	struct options options;
	struct agent *agent;
	int argc;
	char **argv;
	int status; /* the exit code when the agent failed, else -1 */
	struct veer_diag reason;
};

/* The options that name the control planes, and identify this agent to them. */
static void add_sources(struct args_table *t, struct options *o)
{
	const struct args_option options[] = {
		{.name = "api",
		 .kind = ARGS_STRING,
		 .target = &o->settings.api,
		 .value = "URL[,URL...]",
		 .help = "control planes: https://HOST:PORT or unix:/PATH",
		 .required = true},
		{.name = "token-file",
		 .kind = ARGS_STRING,
		 .target = &o->settings.token_file,
		 .value = "FILE",
		 .help = "a one-use enrolment token; needed at the first start only",
		 .is_file = true},
		{.name = "state",
		 .kind = ARGS_STRING,
		 .target = &o->settings.state_dir,
		 .value = "DIR",
		 .help = "where identity and assignments are kept",
		 .required = true},
		{.name = "region",
		 .kind = ARGS_STRING,
		 .target = &o->settings.region,
		 .value = "NAME",
		 .help = "the region that this agent must be enrolled for"},
		{.name = "ca-file",
		 .kind = ARGS_STRING,
		 .target = &o->settings.api_ca,
		 .value = "FILE",
		 .help = "PEM certificates that vouch for the control planes",
		 .is_file = true},
		{.name = "reference",
		 .kind = ARGS_LIST,
		 .target = &o->references,
		 .value = "HOST:PORT|icmp:HOST",
		 .max = REFERENCES_MAX,
		 .help = "a place that is nearly always there: with none in reach this agent is blind"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* The options that say what the agent may do. */
static void add_limits(struct args_table *t, struct options *o)
{
	const struct args_option options[] = {
		{.name = "allow-targets",
		 .kind = ARGS_STRING,
		 .target = &o->settings.allow_targets,
		 .value = "CLASS|PREFIX[,...]",
		 .help = "also probe loopback, private, link-local or metadata addresses, or those of a prefix"},
		{.name = "deny-targets",
		 .kind = ARGS_STRING,
		 .target = &o->settings.deny_targets,
		 .value = "PREFIX[,...]",
		 .help = "never probe these addresses, whatever is allowed"},
		{.name = "allow-exec",
		 .kind = ARGS_STRING,
		 .target = &o->settings.allow_exec,
		 .value = "DIR",
		 .help = "let checks run programs below this directory"},
		{.name = "exec-user",
		 .kind = ARGS_STRING,
		 .target = &o->exec_user,
		 .value = "NAME",
		 .help = "run them as this user (default: that of --user)"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
	privilege_options_add(t, &o->names);
}

/* `o` and `t` must live as long as the result. */
static struct args_spec spec_for(struct options *o, struct args_table *t)
{
	*o = (struct options){.exec_user = NULL};
	t->count = 0;
	add_sources(t, o);
	add_limits(t, o);
	return (struct args_spec){.usage = "veer-probe --api URL[,URL...] --state DIR [options]",
				  .summary = "Runs health checks for a Veer control plane and reports what it sees.\n"
					     "'veer-probe check URL...' runs one by hand: see veer-probe check --help.",
				  .options = t->options,
				  .option_count = t->count};
}

static void on_enrolled(void *ctx, const char *id, const char *region)
{
	struct program *p = ctx;
	daemon_ready(&p->daemon, LOG_FIELDS(LOG_STR("agent", id), LOG_STR("region", region)));
}

static void on_failed(void *ctx, const char *reason)
{
	struct program *p = ctx;
	(void)veer_fail(&p->reason, VEER_EINVAL, "%s", reason);
	p->status = DAEMON_EXIT_USAGE;
	loop_stop(p->daemon.loop);
}

static void on_reload(void *ctx)
{
	struct program *p = ctx;
	struct daemon_options fresh;
	struct options o;
	struct args_table table;
	struct args_spec spec = spec_for(&o, &table);
	struct veer_diag diag = {""};
	enum veer_err err = daemon_options_parse(&fresh, &spec, p->argc, p->argv, &diag);
	o.settings.references = o.references.items;
	o.settings.reference_count = o.references.count;
	if (err == VEER_OK)
		err = agent_reload(p->agent, &o.settings, &diag);
	/* The agent keeps no string of its settings. */
	daemon_options_deinit(&fresh);
	if (err != VEER_OK)
		log_error(p->daemon.log, "not reloaded", LOG_STR("reason", diag.text));
}

#define TRIM_BYTES (8 << 20)

/*
 * Each running probe needs a descriptor. Probes also allocate and free often: the heap must not be trimmed each time.
 */
static void raise_limits(void)
{
	struct rlimit limit;
	(void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Runs in the runner: the operator decides where programs may be, not the agent. */
static bool reload_exec_dir(void *ctx, char dir[RUNNER_DIR_SIZE])
{
	struct program *p = ctx;
	struct daemon_options fresh;
	struct options o;
	struct args_table table;
	struct args_spec spec = spec_for(&o, &table);
	enum veer_err err = daemon_options_parse(&fresh, &spec, p->argc, p->argv, NULL);
	if (err == VEER_OK && o.settings.allow_exec == NULL)
		dir[0] = '\0';
	else if (err == VEER_OK)
		err = exec_dir_check(o.settings.allow_exec, dir, NULL);
	daemon_options_deinit(&fresh);
	return err == VEER_OK;
}

/* Start the runner only if programs are allowed, or might be after a reload of the configuration file. */
static enum veer_err start_runner(struct program *p, const struct privilege_user *user, struct veer_diag *diag)
{
	char dir[RUNNER_DIR_SIZE] = "";
	struct agent_settings *settings = &p->options.settings;
	const struct privilege_names names = {.user = p->options.exec_user, .option = "--exec-user"};
	struct privilege_user own;
	settings->runner_fd = -1;
	if (settings->allow_exec == NULL && p->daemon.options.config_path == NULL)
		return VEER_OK;
	enum veer_err err = privilege_find(&names, &own, diag);
	if (err == VEER_OK && settings->allow_exec != NULL)
		err = exec_dir_check(settings->allow_exec, dir, diag);
	const struct runner_config config = {
		.dir = dir, .reload = reload_exec_dir, .ctx = p, .user = own.is_set ? &own : user};
	return err == VEER_OK ? runner_start(&config, &settings->runner_fd, &settings->runner, diag) : err;
}

/* Everything that needs root comes before this, and everything that reads input from other hosts after it. */
static enum veer_err give_up_privileges(struct program *p, struct veer_diag *diag)
{
	struct privilege_user user;
	enum veer_err err = privilege_find(&p->options.names, &user, diag);
	if (err == VEER_OK)
		err = privilege_give_dir(p->options.settings.state_dir, &user, diag);
	if (err == VEER_OK)
		err = start_runner(p, &user, diag);
	if (err == VEER_OK)
		err = privilege_drop(&user, PRIVILEGE_PING, diag);
	if (err == VEER_OK) {
		privilege_seal(p->daemon.log);
		daemon_check_files(&p->daemon, p->options.names.user);
	}
	return err;
}

static int serve(struct program *p)
{
	const struct agent_events events = {.enrolled = on_enrolled, .failed = on_failed, .ctx = p};
	struct agent_settings *settings = &p->options.settings;
	struct veer_diag diag = {""};
	raise_limits();
	settings->references = p->options.references.items;
	settings->reference_count = p->options.references.count;
	enum veer_err err = give_up_privileges(p, &diag);
	if (err == VEER_OK)
		err = agent_new(settings, &events, p->daemon.loop, p->daemon.log, &p->agent, &diag);
	if (err != VEER_OK)
		return daemon_fail(&p->daemon, &diag);
	int status = daemon_run(&p->daemon, on_reload, p);
	agent_free(&p->agent);
	return p->status >= 0 ? daemon_fail(&p->daemon, &p->reason) : status;
}

int main(int argc, char *argv[])
{
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		return hand_main(argc, argv);
	struct program p = {.argc = argc, .argv = argv, .status = -1};
	struct args_table table;
	struct args_spec spec = spec_for(&p.options, &table);
	int status = daemon_init(&p.daemon, "veer-probe", &spec, argc, argv);
	if (status >= 0)
		return status;
	status = serve(&p);
	daemon_deinit(&p.daemon);
	return status;
}
