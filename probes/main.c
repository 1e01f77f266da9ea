/* SPDX-License-Identifier: Apache-2.0 */
/* veer-probe: options, and the agent on the daemon's loop. */
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>

#include "base/daemon.h"
#include "probes/agent.h"
#include "probes/hand.h"

/* Everything that the callbacks need. */
struct program {
	struct daemon daemon;
	struct agent_settings settings;
	struct args_list references;
	struct agent *agent;
	int argc;
	char **argv;
	int status; /* the exit code when the agent failed, else -1 */
	struct veer_diag reason;
};

#define OPTION_COUNT 8

static struct args_spec spec_for(struct agent_settings *settings, struct args_list *references,
				 struct args_option options[OPTION_COUNT])
{
	options[0] = (struct args_option){.name = "api",
					  .kind = ARGS_STRING,
					  .target = &settings->api,
					  .value = "URL[,URL...]",
					  .help = "control planes: https://HOST:PORT or unix:/PATH",
					  .required = true};
	options[1] = (struct args_option){.name = "token-file",
					  .kind = ARGS_STRING,
					  .target = &settings->token_file,
					  .value = "FILE",
					  .help = "a one-use enrolment token; needed at the first start only"};
	options[2] = (struct args_option){.name = "state",
					  .kind = ARGS_STRING,
					  .target = &settings->state_dir,
					  .value = "DIR",
					  .help = "where identity and assignments are kept",
					  .required = true};
	options[3] = (struct args_option){.name = "region",
					  .kind = ARGS_STRING,
					  .target = &settings->region,
					  .value = "NAME",
					  .help = "the region that this agent must be enrolled for"};
	options[4] = (struct args_option){.name = "api-ca",
					  .kind = ARGS_STRING,
					  .target = &settings->api_ca,
					  .value = "FILE",
					  .help = "PEM certificates that vouch for the control planes"};
	options[5] = (struct args_option){.name = "allow-targets",
					  .kind = ARGS_STRING,
					  .target = &settings->allow_targets,
					  .value = "CLASS[,CLASS...]",
					  .help = "also probe loopback, private, link-local or metadata addresses"};
	options[6] = (struct args_option){.name = "allow-exec",
					  .kind = ARGS_STRING,
					  .target = &settings->allow_exec,
					  .value = "DIR",
					  .help = "let checks run programs below this directory"};
	options[7] = (struct args_option){
		.name = "reference",
		.kind = ARGS_LIST,
		.target = references,
		.value = "HOST:PORT|icmp:HOST",
		.help = "a place that is nearly always there: with none in reach this agent is blind"};
	return (struct args_spec){.usage = "veer-probe --api URL[,URL...] --state DIR [options]",
				  .summary = "Runs health checks for a Veer control plane and reports what it sees.\n"
					     "'veer-probe check URL...' runs one by hand: see veer-probe check --help.",
				  .options = options,
				  .option_count = OPTION_COUNT};
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
	struct agent_settings settings = {0};
	struct args_list references = {0};
	struct args_option options[OPTION_COUNT];
	struct args_spec spec = spec_for(&settings, &references, options);
	struct veer_diag diag = {""};
	enum veer_err err = daemon_options_parse(&fresh, &spec, p->argc, p->argv, &diag);
	settings.references = references.items;
	settings.reference_count = references.count;
	if (err == VEER_OK)
		err = agent_reload(p->agent, &settings, &diag);
	/* The agent keeps no string of its settings. */
	daemon_options_deinit(&fresh);
	if (err != VEER_OK)
		log_error(p->daemon.log, "not reloaded", LOG_STR("reason", diag.text));
}

#define TRIM_BYTES (8 << 20)

/* Each running probe is a descriptor. And its memory comes and goes: the heap's end must not follow each time. */
static void raise_limits(void)
{
	struct rlimit limit;
	(void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(struct program *p)
{
	const struct agent_events events = {.enrolled = on_enrolled, .failed = on_failed, .ctx = p};
	struct veer_diag diag = {""};
	raise_limits();
	p->settings.references = p->references.items;
	p->settings.reference_count = p->references.count;
	if (agent_new(&p->settings, &events, p->daemon.loop, p->daemon.log, &p->agent, &diag) != VEER_OK)
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
	struct args_option options[OPTION_COUNT];
	struct args_spec spec = spec_for(&p.settings, &p.references, options);
	int status = daemon_init(&p.daemon, "veer-probe", &spec, argc, argv);
	if (status >= 0)
		return status;
	status = serve(&p);
	daemon_deinit(&p.daemon);
	return status;
}
