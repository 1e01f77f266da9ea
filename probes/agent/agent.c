/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/node/enrol.h"
#include "probes/agent/exec.h"
#include "probes/agent/list_disk.h"
#include "probes/agent/places.h"
#include "probes/agent/prober.h"
#include "probes/agent/reference.h"
#include "probes/agent/reporter.h"
#include "probes/agent/stream.h"
#include "probes/verdict/target.h"

#define PATH_SIZE 4096
#define TRIM_MS 10000
#define CROWD 64 /* connections by TLS: memory that fewer have used is not worth returning */

struct agent {
	struct loop *loop;
	struct logger *log;
	struct agent_events events;
	char state_dir[PATH_SIZE - 32];
	char token_file[PATH_SIZE]; /* "": there is none */
	char region[64];            /* the region that the operator asserts; "": none */
	int lock_fd;
	struct identity identity;
	struct link link;
	struct http_client *http; /* for the control plane: it shares no connections with the probes */
	struct list_disk *kept;   /* stores the assignments, for the next start */
	struct check_env env;
	struct references *references;
	bool has_references;
	struct prober *prober;
	struct reporter *reporter;
	struct stream *stream;
	struct enrol *enrol;
	struct loop_timer begin;
	struct loop_timer trim;
	char reason[1024]; /* why the agent has failed */
};

static void take_list(struct agent *agent, const struct assignments *list, struct arena *arena, const char *source)
{
	uint32_t report_ms = list->report_ms;
	int64_t revision = list->revision;
	uint32_t items = list->item_count;
	if (prober_assign(agent->prober, list, arena) != VEER_OK) {
		log_error(agent->log, "assignments refused", LOG_STR("reason", veer_err_text(VEER_ENOMEM)));
		return;
	}
	/* Reading a long list takes several times its memory for a moment: return that memory. */
	(void)malloc_trim(0);
	log_info(agent->log, "assignments in force", LOG_STR("from", source), LOG_INT("revision", revision),
		 LOG_INT("items", items));
	reporter_start(agent->reporter, report_ms);
}

/* Use the list of the last run until the stream brings another. */
static void load_list(struct agent *agent)
{
	struct arena *arena = NULL;
	struct assignments list;
	if (list_disk_load(agent->kept, &arena, &list))
		take_list(agent, &list, arena, "disk");
}

/* --- running --------------------------------------------------------------------------------------------------- */

static void fail(struct agent *agent, const char *reason)
{
	(void)snprintf(agent->reason, sizeof agent->reason, "%s", reason);
	agent->events.failed(agent->events.ctx, agent->reason);
}

static void on_hello(struct agent *agent, const struct assign_message *message)
{
	struct veer_diag diag = {""};
	log_info(agent->log, "connected", LOG_STR("store_id", message->store_id), LOG_STR("region", message->region));
	if (strcmp(message->agent, agent->identity.id) != 0)
		log_warn(agent->log, "the control plane takes us for another", LOG_STR("agent", message->agent));
	if (strcmp(message->store_id, agent->identity.store_id) == 0)
		return;
	if (agent->identity.store_id[0] != '\0')
		log_notice(agent->log, "another store", LOG_STR("before", agent->identity.store_id));
	(void)snprintf(agent->identity.store_id, sizeof agent->identity.store_id, "%s", message->store_id);
	if (identity_save(agent->state_dir, &agent->identity, &diag) != VEER_OK)
		log_warn(agent->log, "identity not kept", LOG_STR("reason", diag.text));
}

static void on_message(void *ctx, const struct assign_message *message, const char *line, size_t len,
		       struct arena *arena)
{
	struct agent *agent = ctx;
	switch (message->kind) {
	case ASSIGN_LINE_HELLO:
		on_hello(agent, message);
		break;
	case ASSIGN_LINE_ASSIGNMENTS:
		list_disk_save(agent->kept, line, len);
		take_list(agent, &message->list, arena, "stream");
		return; /* the prober has taken the arena */
	case ASSIGN_LINE_CONFIRM:
		prober_confirm(agent->prober, message->check, message->endpoint);
		break;
	case ASSIGN_LINE_HEARTBEAT:
	case ASSIGN_LINE_OTHER:
		break;
	}
	arena_free(&arena);
}

static void on_change(void *ctx)
{
	struct agent *agent = ctx;
	reporter_changed(agent->reporter);
}

static void on_failing(void *ctx)
{
	struct agent *agent = ctx;
	references_hurry(agent->references);
}

/* With references the agent knows whether it is cut off, so no hint is needed. */
static void on_outage(void *ctx, uint32_t failing)
{
	struct agent *agent = ctx;
	if (!agent->has_references)
		log_warn(agent->log, "everything fails at once: is this agent cut off? --reference would tell",
			 LOG_INT("items", (int64_t)failing));
}

static void on_runner_lost(void *ctx)
{
	struct agent *agent = ctx;
	log_error(agent->log,
		  "the process that runs programs has ended, and cannot be started again without the privileges that "
		  "were given up: checks of kind exec are unknown (exec_lost) until this agent is restarted");
}

/* There is an identity: start serving. */
static void run(struct agent *agent)
{
	identity_bearer(&agent->identity, agent->link.bearer);
	load_list(agent);
	stream_start(agent->stream);
	agent->events.enrolled(agent->events.ctx, agent->identity.id, agent->identity.region);
}

/*
 * A token was refused. If there is an earlier identity, the agent goes on with that, and the token is not tried again.
 */
static void on_enrolment_refused(struct agent *agent, const char *reason)
{
	struct veer_diag diag = {""};
	if (agent->identity.id[0] == '\0') {
		fail(agent, reason);
		return;
	}
	log_warn(agent->log, "the token is refused; the identity of before stays", LOG_STR("id", agent->identity.id),
		 LOG_STR("reason", reason));
	(void)snprintf(agent->identity.token_sha256, sizeof agent->identity.token_sha256, "%s",
		       enrol_token_sha256(agent->enrol));
	if (identity_save(agent->state_dir, &agent->identity, &diag) != VEER_OK)
		log_warn(agent->log, "identity not kept", LOG_STR("reason", diag.text));
}

static void on_enrolled(void *ctx, const struct identity *identity, const char *reason)
{
	struct agent *agent = ctx;
	struct veer_diag diag = {""};
	bool is_first = agent->identity.id[0] == '\0';
	if (identity != NULL)
		agent->identity = *identity; /* copied before the enrolment, to which it may belong, is freed */
	else
		on_enrolment_refused(agent, reason);
	enrol_free(&agent->enrol);
	if (identity == NULL)
		return;
	if (identity_save(agent->state_dir, &agent->identity, &diag) != VEER_OK) {
		fail(agent, diag.text);
		return;
	}
	log_info(agent->log, "enrolled", LOG_STR("id", agent->identity.id), LOG_STR("name", agent->identity.name),
		 LOG_STR("api", agent->identity.api));
	identity_bearer(&agent->identity, agent->link.bearer);
	if (is_first)
		run(agent);
	else
		stream_start(agent->stream);
}

static struct enrol *start_enrolment(struct agent *agent, const char *token)
{
	return enrol_start(agent->loop, &agent->link, agent->log, token, "agent",
			   agent->region[0] != '\0' ? agent->region : NULL, agent->state_dir, on_enrolled, agent);
}

/* There is an identity. If the token's file has another token, another identity is wanted. */
static void enrol_again(void *ctx)
{
	struct agent *agent = ctx;
	char token[ENROL_TOKEN_SIZE];
	if (agent->enrol != NULL || agent->token_file[0] == '\0' ||
	    !enrol_token_is_new(agent->token_file, &agent->identity, token))
		return;
	log_notice(agent->log, "enrolling with the new token", LOG_STR("file", agent->token_file),
		   LOG_STR("id", agent->identity.id));
	agent->enrol = start_enrolment(agent, token);
}

static void on_begin(void *ctx)
{
	run(ctx);
	enrol_again(ctx);
}

/* --- starting -------------------------------------------------------------------------------------------------- */

static enum veer_err read_settings(const struct agent_settings *settings, struct link *link,
				   struct target_rules *targets, struct veer_diag *diag)
{
	enum veer_err err = link_urls_parse(settings->api, link, diag);
	if (err == VEER_OK && settings->api_ca != NULL && strlen(settings->api_ca) >= sizeof link->ca_file)
		err = veer_fail(diag, VEER_ERANGE, "the path of the CA file is too long");
	if (err == VEER_OK)
		err = target_rules_parse(settings->allow_targets, settings->deny_targets, targets, diag);
	if (err == VEER_OK)
		(void)snprintf(link->ca_file, sizeof link->ca_file, "%s",
			       settings->api_ca != NULL ? settings->api_ca : "");
	return err;
}

/* Only one agent may use a directory: two with one identity would contradict each other. */
static enum veer_err lock_state(struct agent *agent, struct veer_diag *diag)
{
	enum veer_err err = file_make_dirs(agent->state_dir, diag);
	if (err != VEER_OK)
		return err;
	/*
	 * The lock is on the directory itself, so that an enrolled agent can start even if nothing can be written any
	 * more.
	 */
	agent->lock_fd = open(agent->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (agent->lock_fd < 0)
		return veer_fail(diag, veer_err_from_errno(errno), "%.300s: %s", agent->state_dir,
				 strerrordesc_np(errno));
	if (flock(agent->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return veer_fail(diag, VEER_EBUSY, "%.300s: another veer-probe uses this directory", agent->state_dir);
	return VEER_OK;
}

/* --- memory ---------------------------------------------------------------------------------------------------- */

static void on_crowded(void *ctx, uint32_t taken, uint32_t waiting)
{
	const struct agent *agent = ctx;
	log_warn(agent->log, "probes wait: too many connections by TLS are under way", LOG_INT("taken", taken),
		 LOG_INT("waiting", waiting));
}

/* Return the memory that many connections have used to the system, once there are fewer. */
static void on_trim(void *ctx)
{
	struct agent *agent = ctx;
	struct places *places = agent->env.places;
	if (places->peak > CROWD && places->peak > 2 * places->taken)
		(void)malloc_trim(0);
	places->peak = places->taken;
	/* The timer has been set before, so this needs no memory. */
	(void)loop_timer_set(agent->loop, &agent->trim, TRIM_MS, on_trim, agent);
}

/* --- life ------------------------------------------------------------------------------------------------------ */

static enum veer_err make_parts(struct agent *agent, const struct agent_settings *settings, struct veer_diag *diag)
{
	const struct prober_events events = {
		.changed = on_change, .failing = on_failing, .outage = on_outage, .ctx = agent};
	agent->http = http_client_new(agent->loop);
	agent->kept = list_disk_new(agent->loop, agent->log, agent->state_dir);
	const struct target_rules targets = agent->env.targets;
	bool is_open = check_env_open(&agent->env, agent->loop) == VEER_OK;
	agent->env.targets = targets;
	if (!is_open || agent->http == NULL || agent->kept == NULL)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	agent->env.places->crowded = on_crowded;
	agent->env.places->crowded_ctx = agent;
	if (loop_timer_set(agent->loop, &agent->trim, TRIM_MS, on_trim, agent) != VEER_OK)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	agent->link.http = agent->http;
	if (exec_pool_use(agent->env.exec, settings->runner_fd, settings->runner, on_runner_lost, agent) != VEER_OK)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	if (exec_pool_allow(agent->env.exec, settings->allow_exec, diag) != VEER_OK)
		return VEER_EINVAL;
	agent->references = references_new(&agent->env, agent->log, on_change, agent);
	if (agent->references != NULL)
		agent->prober = prober_new(&agent->env, agent->log, &events);
	if (agent->prober != NULL)
		agent->reporter = reporter_new(agent->loop, &agent->link, agent->log, agent->prober, agent->references);
	agent->stream = stream_new(agent->loop, &agent->link, agent->log, on_message, enrol_again, agent);
	if (agent->reporter == NULL || agent->stream == NULL)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	return VEER_OK;
}

static enum veer_err begin_enrolment(struct agent *agent, struct veer_diag *diag)
{
	char token[ENROL_TOKEN_SIZE];
	if (agent->token_file[0] == '\0')
		return veer_fail(diag, VEER_ENOTFOUND,
				 "%.200s holds no identity yet: --token-file with an enrolment token is needed",
				 agent->state_dir);
	enum veer_err err = file_read_line(agent->token_file, token, sizeof token, diag);
	if (err != VEER_OK)
		return err;
	agent->enrol = start_enrolment(agent, token);
	return agent->enrol != NULL ? VEER_OK : veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
}

static enum veer_err begin(struct agent *agent, struct veer_diag *diag)
{
	enum veer_err err = identity_load(agent->state_dir, &agent->identity, diag);
	if (err == VEER_ENOTFOUND)
		return begin_enrolment(agent, diag);
	if (err != VEER_OK)
		return err;
	if (agent->region[0] != '\0' && strcmp(agent->region, agent->identity.region) != 0)
		return veer_fail(diag, VEER_EINVAL, "--region is %s, but this agent was enrolled for region %s",
				 agent->region, agent->identity.region);
	return loop_timer_set(agent->loop, &agent->begin, 0, on_begin, agent);
}

static enum veer_err set_references(struct agent *agent, const struct agent_settings *settings, struct veer_diag *diag)
{
	enum veer_err err = references_set(agent->references, settings->references, settings->reference_count, diag);
	if (err == VEER_OK)
		agent->has_references = settings->reference_count > 0;
	return err;
}

enum veer_err agent_new(const struct agent_settings *settings, const struct agent_events *events, struct loop *loop,
			struct logger *log, struct agent **out, struct veer_diag *diag)
{
	struct agent *agent = calloc(1, sizeof *agent);
	if (agent == NULL)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	agent->loop = loop;
	agent->log = log;
	agent->events = *events;
	agent->lock_fd = -1;
	enum veer_err err = read_settings(settings, &agent->link, &agent->env.targets, diag);
	if (err == VEER_OK && strlen(settings->state_dir) >= sizeof agent->state_dir)
		err = veer_fail(diag, VEER_ERANGE, "the path of the state directory is too long");
	if (err == VEER_OK && settings->token_file != NULL && strlen(settings->token_file) >= sizeof agent->token_file)
		err = veer_fail(diag, VEER_ERANGE, "the path of the token's file is too long");
	if (err == VEER_OK && settings->region != NULL && !model_is_name(settings->region))
		err = veer_fail(diag, VEER_EINVAL, "'%.80s' is not a region: 1 to 63 of a-z 0-9 -", settings->region);
	if (err == VEER_OK) {
		(void)snprintf(agent->state_dir, sizeof agent->state_dir, "%s", settings->state_dir);
		(void)snprintf(agent->token_file, sizeof agent->token_file, "%s",
			       settings->token_file != NULL ? settings->token_file : "");
		(void)snprintf(agent->region, sizeof agent->region, "%s",
			       settings->region != NULL ? settings->region : "");
		err = lock_state(agent, diag);
	}
	if (err == VEER_OK)
		err = make_parts(agent, settings, diag);
	if (err == VEER_OK)
		err = set_references(agent, settings, diag);
	if (err == VEER_OK)
		err = begin(agent, diag);
	if (err != VEER_OK)
		agent_free(&agent);
	else
		*out = agent;
	return err;
}

void agent_free(struct agent **agent_ptr)
{
	struct agent *agent = *agent_ptr;
	if (agent == NULL)
		return;
	loop_timer_cancel(agent->loop, &agent->begin);
	loop_timer_cancel(agent->loop, &agent->trim);
	enrol_free(&agent->enrol);
	stream_free(&agent->stream);
	reporter_free(&agent->reporter);
	prober_free(&agent->prober);
	references_free(&agent->references);
	check_env_close(&agent->env);
	http_client_free(&agent->http);
	list_disk_free(&agent->kept);
	if (agent->lock_fd >= 0)
		(void)close(agent->lock_fd);
	free(agent);
	*agent_ptr = NULL;
}

enum veer_err agent_reload(struct agent *agent, const struct agent_settings *settings, struct veer_diag *diag)
{
	struct link link = agent->link;
	struct target_rules targets;
	enum veer_err err = read_settings(settings, &link, &targets, diag);
	if (err != VEER_OK)
		return err;
	if (strcmp(settings->state_dir, agent->state_dir) != 0 ||
	    strcmp(settings->region != NULL ? settings->region : "", agent->region) != 0)
		return veer_fail(diag, VEER_EINVAL, "another state directory or region needs a restart");
	err = reference_addresses_check(settings->references, settings->reference_count, diag);
	if (err == VEER_OK)
		err = exec_pool_allow(agent->env.exec, settings->allow_exec, diag);
	if (err == VEER_OK)
		err = set_references(agent, settings, diag);
	if (err != VEER_OK)
		return VEER_EINVAL;
	agent->link = link;
	agent->env.targets = targets;
	if (agent->enrol == NULL)
		stream_start(agent->stream);
	return VEER_OK;
}
