/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes many probes in one process, as an agent does: connections that a check keeps are kept between its probes.
 *
 *   probe_many <LINES
 *
 * A line is "COUNT ADDRESS CHECK", with the check as JSON, and asks for COUNT probes, one after the other. For each
 * line it prints how many passed, how many did not, and how the first of the latter ended: "9 1 timeout: not done after
 * 500 ms, ...".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/loop.h"
#include "probes/agent/check.h"
#include "probes/verdict/target.h"
#include "zones/model/model.h"

#define LINE_BYTES ((size_t)1 << 20)
#define ARENA_BYTES ((size_t)4 << 20)

struct run {
	struct loop *loop;
	struct check_env env;
	const struct model_check *check;
	const char *address;
	uint32_t left;
	uint32_t good;
	uint32_t bad;
	char first[256]; /* how the first failed probe ended */
};

static void begin(struct run *run);

static void on_done(void *ctx, const struct check_outcome *outcome)
{
	struct run *run = ctx;
	if (outcome->is_success)
		run->good++;
	else if (run->bad++ == 0)
		(void)snprintf(run->first, sizeof run->first, "%s: %s", probe_reason_text(outcome->reason),
			       outcome->detail);
	if (--run->left > 0)
		begin(run);
	else
		loop_stop(run->loop);
}

static void begin(struct run *run)
{
	struct check_probe *probe = NULL;
	if (check_start(&run->env, run->check, run->address, false, on_done, run, &probe) != VEER_OK)
		exit(1);
}

/* Play one line; false when it cannot be read. */
static bool play(struct run *run, char *line)
{
	struct veer_diag diag = {""};
	struct model_check check;
	json_t *object = NULL;
	char *count = strtok_r(line, " ", &line);
	char *address = strtok_r(line, " ", &line);
	struct arena *arena = arena_new(ARENA_BYTES);
	enum veer_err err = arena != NULL && address != NULL
				    ? veer_json_parse(line, strcspn(line, "\n"), LINE_BYTES, &object, &diag)
				    : VEER_EINVAL;
	if (err == VEER_OK)
		err = model_check_parse(object, arena, &check, &diag);
	json_decref(object);
	if (err != VEER_OK) {
		(void)fprintf(stderr, "probe_many: %s\n", diag.text);
		arena_free(&arena);
		return false;
	}
	run->check = &check;
	run->address = address;
	run->left = (uint32_t)strtoul(count, NULL, 10);
	run->good = run->bad = 0;
	run->first[0] = '\0';
	begin(run);
	(void)loop_run(run->loop);
	(void)printf("%" PRIu32 " %" PRIu32 " %s\n", run->good, run->bad, run->first);
	(void)fflush(stdout);
	arena_free(&arena);
	return true;
}

int main(void)
{
	struct run run = {.loop = loop_new(veer_clock_system())};
	char *line = malloc(LINE_BYTES);
	bool is_good = true;
	if (run.loop == NULL || line == NULL || check_env_open(&run.env, run.loop) != VEER_OK)
		return 1;
	run.env.targets.classes = TARGET_LOOPBACK;
	while (is_good && fgets(line, (int)LINE_BYTES, stdin) != NULL)
		is_good = play(&run, line);
	check_env_close(&run.env);
	loop_free(&run.loop);
	free(line);
	return is_good ? 0 : 1;
}
