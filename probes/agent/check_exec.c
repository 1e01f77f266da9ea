/* SPDX-License-Identifier: Apache-2.0 */
/* Programs as checks: exit code 0 is success. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "probes/agent/check_impl.h"
#include "probes/agent/exec.h"

#define EXPANDED_MAX 4096

static const char placeholder[] = "{address}";

struct exec_probe {
	struct exec_run *run; /* while it runs */
};

static void exec_free(struct check_probe *probe)
{
	struct exec_probe *own = probe->own;
	if (own->run != NULL)
		exec_cancel(own->run);
	free(own);
}

/* Describe the result with the first line of the program's output. */
static void describe(struct check_probe *probe, const char *how, const struct exec_result *result)
{
	char line[100];
	const char *end = memchr(result->output, '\n', result->output_len);
	probe_print_bytes(result->output, end != NULL ? (size_t)(end - result->output) : result->output_len, line,
			  sizeof line);
	(void)probe_detail(probe, "%s%s%s%s", how, line[0] != '\0' ? ": \"" : "", line, line[0] != '\0' ? "\"" : "");
}

static enum probe_reason why_not_run(const struct check_probe *probe, enum veer_err err)
{
	if (err == VEER_EAUTH)
		return PROBE_REASON_EXEC_REFUSED;
	return exec_pool_lost(probe->env->exec) != NULL ? PROBE_REASON_EXEC_LOST : PROBE_REASON_INTERNAL;
}

static void on_done(void *ctx, const struct exec_result *result)
{
	struct check_probe *probe = ctx;
	struct exec_probe *own = probe->own;
	char how[40];
	own->run = NULL;
	if (result->err != VEER_OK) {
		(void)probe_detail(probe, "%.180s",
				   result->error[0] != '\0' ? result->error : veer_err_text(result->err));
		probe_finish(probe, why_not_run(probe, result->err), probe->detail);
		return;
	}
	if (result->is_cut)
		(void)snprintf(how, sizeof how, "wrote more than %d bytes", EXEC_OUTPUT_BYTES);
	else
		(void)snprintf(how, sizeof how, result->is_killed ? "killed by signal %d" : "exit code %d",
			       result->code);
	describe(probe, how, result);
	probe_note(probe, "program", "%s", probe->detail);
	bool is_good = !result->is_cut && !result->is_killed && result->code == 0;
	probe_finish(probe, is_good ? PROBE_REASON_OK : PROBE_REASON_EXEC_FAILED, is_good ? "" : probe->detail);
}

/* The argument, with each placeholder replaced by the vetted address. */
static char *expand(const char *argument, const char *address)
{
	struct buf out;
	buf_init(&out, EXPANDED_MAX);
	for (const char *at = strstr(argument, placeholder); at != NULL; at = strstr(argument, placeholder)) {
		buf_append(&out, argument, (size_t)(at - argument));
		buf_puts(&out, address);
		argument = at + sizeof placeholder - 1;
	}
	buf_puts(&out, argument);
	char *text = buf_take(&out, NULL);
	buf_deinit(&out);
	return text;
}

static enum veer_err start(struct check_probe *probe, struct exec_probe *own, const char *const *argv,
			   const char *address)
{
	char variables[3][160];
	(void)snprintf(variables[0], sizeof variables[0], "VEER_ADDRESS=%s", address);
	(void)snprintf(variables[1], sizeof variables[1], "VEER_CHECK=%s", probe->check->name);
	(void)snprintf(variables[2], sizeof variables[2], "VEER_TIMEOUT_MS=%u", probe->check->timeout_ms);
	const char *const environment[] = {
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", variables[0], variables[1], variables[2], NULL};
	return exec_start(probe->env->exec, argv, environment, on_done, probe, &own->run);
}

/* A program that waited for its place most of the time was not slow itself. */
static void on_deadline(void *ctx)
{
	struct check_probe *probe = ctx;
	const struct exec_probe *own = probe->own;
	if (own->run != NULL && exec_ran_ms(own->run) * 2 < (int64_t)probe->check->timeout_ms)
		probe_finish(probe, PROBE_REASON_INTERNAL, "other programs take all places");
	else
		probe_finish(probe, PROBE_REASON_TIMEOUT, "the program did not end in time, and was killed");
}

void probe_exec(struct check_probe *probe)
{
	const struct model_check_exec *exec = &probe->check->exec;
	char *argv[MODEL_ARGUMENTS_MAX + 1] = {NULL};
	char address[VEER_ADDR_TEXT_SIZE];
	enum veer_err err = VEER_OK;
	if (!exec_pool_is_open(probe->env->exec)) {
		probe_finish_later(probe, PROBE_REASON_EXEC_REFUSED, "this agent runs no programs (--allow-exec)");
		return;
	}
	if (exec_pool_lost(probe->env->exec) != NULL) {
		probe_finish_later(probe, PROBE_REASON_EXEC_LOST, exec_pool_lost(probe->env->exec));
		return;
	}
	struct exec_probe *own = calloc(1, sizeof *own);
	probe->own = own;
	probe->free_own = exec_free;
	veer_addr_print(&probe->target, address);
	for (uint32_t i = 0; i < exec->argc && err == VEER_OK; i++) {
		argv[i] = expand(exec->argv[i], address);
		err = argv[i] != NULL ? VEER_OK : VEER_ENOMEM;
	}
	if (own == NULL)
		err = VEER_ENOMEM;
	if (err == VEER_OK)
		err = start(probe, own, (const char *const *)argv, address);
	if (err == VEER_OK)
		err = loop_timer_set_at(probe->env->loop, &probe->deadline, probe->deadline.due_ms, on_deadline, probe);
	for (uint32_t i = 0; i < exec->argc; i++)
		free(argv[i]);
	if (err != VEER_OK)
		probe_finish_later(probe, PROBE_REASON_INTERNAL, veer_err_text(err));
}
