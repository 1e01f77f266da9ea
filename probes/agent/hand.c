/* SPDX-License-Identifier: Apache-2.0 */
/* `veer-probe check`: runs checks one after the other, each with a report on standard output. */
#include "probes/agent/hand.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/file.h"
#include "base/loop.h"
#include "probes/agent/check.h"
#include "probes/agent/exec.h"
#include "probes/agent/hand_fields.h"
#include "probes/verdict/target.h"

#define ARENA_BYTES ((size_t)4 << 20)
#define FILE_BYTES ((size_t)256 * 1024)

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_USAGE = 2 };

struct options {
	const char *file;
	const char *allow_targets;
	const char *deny_targets;
	const char *allow_exec;
	struct hand_fields fields;
	int64_t timeout_ms;
	bool is_insecure;
};

struct hand {
	struct options options;
	struct loop *loop;
	struct check_env env;
	bool has_passed;
};

/* The options that say where the check comes from, and how long it may take. */
static void add_check(struct args_table *t, struct options *o)
{
	const struct args_option options[] = {
		{.name = "file",
		 .kind = ARGS_STRING,
		 .target = &o->file,
		 .value = "CHECK.json",
		 .help = "a check object; what to probe then is an ADDRESS, no URL"},
		{.name = "timeout-ms",
		 .kind = ARGS_INT,
		 .target = &o->timeout_ms,
		 .value = "N",
		 .min = 10,
		 .max = 60000,
		 .help = "for all steps together (5000)"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

/* The options that say what is trusted, and what is allowed. */
static void add_limits(struct args_table *t, struct options *o)
{
	const struct args_option options[] = {
		{.name = "insecure",
		 .kind = ARGS_FLAG,
		 .target = &o->is_insecure,
		 .help = "do not verify certificates"},
		{.name = "allow-targets",
		 .kind = ARGS_STRING,
		 .target = &o->allow_targets,
		 .value = "CLASS|PREFIX[,...]",
		 .help = "what the agent is run with: says whether it would probe this"},
		{.name = "deny-targets",
		 .kind = ARGS_STRING,
		 .target = &o->deny_targets,
		 .value = "PREFIX[,...]",
		 .help = "likewise"},
		{.name = "allow-exec",
		 .kind = ARGS_STRING,
		 .target = &o->allow_exec,
		 .value = "DIR",
		 .help = "let a check of kind exec run programs below this directory"},
	};
	args_table_add(t, options, sizeof options / sizeof options[0]);
}

static struct args_spec spec_for(struct options *o, struct args_table *t)
{
	add_check(t, o);
	hand_fields_add(&o->fields, t);
	add_limits(t, o);
	return (struct args_spec){
		.usage = "veer-probe check [options] URL...\n       veer-probe check --file CHECK.json ADDRESS",
		.summary = "Runs health checks by hand and explains each step. Exit status: 0 all pass, 1 one fails, 2 "
			   "bad\n"
			   "arguments.\n"
			   "URLs: http://HOST/PATH https://HOST/PATH tcp://HOST:PORT tls://HOST:PORT icmp://HOST\n"
			   "dns://SERVER/NAME?type=TYPE grpc://HOST:PORT/SERVICE grpcs://HOST:PORT "
			   "udp://HOST:PORT?send=TEXT",
		.options = t->options,
		.option_count = t->count,
		.positional_min = 0,
		.positional_max = 64};
}

/* --- the report ------------------------------------------------------------------------------------------------ */

static void print_step(const char *step, const char *text)
{
	(void)printf("  %-12s ", step);
	/* Replace control characters, because text from outside must not control the terminal. */
	for (; *text != '\0'; text++)
		(void)putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
	(void)putchar('\n');
}

static void on_note(void *ctx, const char *step, const char *text)
{
	(void)ctx;
	print_step(step, text);
}

static void print_stage(const char *step, int64_t us)
{
	if (us >= 0)
		(void)printf("  %-12s after %.2f ms\n", step, (double)us / 1000);
}

static void on_done(void *ctx, const struct check_outcome *outcome)
{
	struct hand *hand = ctx;
	hand->has_passed = outcome->is_success;
	print_stage("resolved", outcome->timing.resolve_us);
	print_stage("connected", outcome->timing.connect_us);
	print_stage("handshake", outcome->timing.tls_us);
	print_stage("first byte", outcome->timing.first_byte_us);
	print_stage("total", outcome->timing.total_us);
	char text[400];
	(void)snprintf(text, sizeof text, "%s%s%s%s%s",
		       outcome->is_success                  ? "PASS"
		       : check_is_definite(outcome->reason) ? "FAIL"
							    : "UNKNOWN",
		       outcome->reason != PROBE_REASON_OK ? ", " : "",
		       outcome->reason != PROBE_REASON_OK ? probe_reason_text(outcome->reason) : "",
		       outcome->detail[0] != '\0' ? ": " : "", outcome->detail);
	print_step("result", text);
	loop_stop(hand->loop);
}

static void print_expectation(const struct model_check *check)
{
	const struct model_check_http *http = &check->http;
	if (check->kind == MODEL_CHECK_HTTP || check->kind == MODEL_CHECK_HTTPS) {
		(void)printf("  %-12s status", "expected");
		for (uint32_t i = 0; i < http->expect_status_count; i++)
			(void)printf("%s %u-%u", i > 0 ? "," : "", http->expect_status[i].first,
				     http->expect_status[i].last);
		(void)printf("%s%s\n", http->body_contains != NULL ? ", a text in the body" : "",
			     http->body_regex != NULL ? ", a body that matches" : "");
	}
	if (check->kind == MODEL_CHECK_GRPC)
		(void)printf("  %-12s grpc-status 0 and SERVING\n", "expected");
	if (check->kind == MODEL_CHECK_DNS)
		(void)printf("  %-12s an answer to the question for %s%s\n", "expected", check->dns.name_text,
			     check->dns.answer_count > 0 ? ", with records" : "");
	(void)printf("  %-12s %s%u ms\n", "deadline", check->max_latency_ms > 0 ? "slow is a failure; " : "",
		     check->timeout_ms);
}

/* --- running --------------------------------------------------------------------------------------------------- */

static bool run(struct hand *hand, const struct model_check *check, const char *address, const char *title)
{
	struct check_probe *probe = NULL;
	(void)printf("%s\n", title);
	print_step("check", model_check_kind_text(check->kind));
	print_expectation(check);
	if (check_start(&hand->env, check, address, false, on_done, hand, &probe) != VEER_OK) {
		print_step("result", "UNKNOWN, internal: out of memory");
		return false;
	}
	(void)loop_run(hand->loop);
	(void)fflush(stdout);
	return hand->has_passed;
}

/* The fields of the check object that the options set. NULL when memory is out. */
static json_t *fields_of(const struct options *o)
{
	json_t *fields = json_object();
	hand_fields_put(&o->fields, fields);
	if (o->is_insecure)
		(void)json_object_set_new(fields, "tls_verify", json_false());
	(void)json_object_set_new(fields, "timeout_ms", json_integer(o->timeout_ms));
	(void)json_object_set_new(fields, "interval_ms", json_integer(60000));
	return fields;
}

static enum veer_err read_file(const char *path, struct arena *arena, struct model_check *check, struct veer_diag *diag)
{
	struct veer_diag inner = {""};
	char *text = NULL;
	size_t len = 0;
	json_t *object = NULL;
	enum veer_err err = file_read_given(path, FILE_BYTES, &text, &len, diag);
	if (err != VEER_OK)
		return err;
	err = veer_json_parse(text, len, FILE_BYTES, &object, &inner);
	free(text);
	if (err == VEER_OK)
		err = model_check_parse(object, arena, check, &inner);
	json_decref(object);
	return err == VEER_OK ? VEER_OK : veer_fail(diag, err, "%.200s: %.200s", path, inner.text);
}

static enum veer_err read_one(const struct hand *hand, const char *target, struct arena *arena,
			      struct model_check *check, const char **address, struct veer_diag *diag)
{
	if (hand->options.file != NULL) {
		*address = target;
		return read_file(hand->options.file, arena, check, diag);
	}
	json_t *more = fields_of(&hand->options);
	enum veer_err err = hand_url_parse(target, more, arena, check, address, diag);
	json_decref(more);
	return err;
}

/* All targets are read before the first one is probed. */
static int run_all(struct hand *hand, const struct args_list *targets, struct arena *arena, struct veer_diag *diag)
{
	struct model_check *checks = arena_calloc(arena, targets->count, sizeof *checks);
	const char **addresses = arena_calloc(arena, targets->count, sizeof *addresses);
	bool all_pass = true;
	if (checks == NULL || addresses == NULL)
		return EXIT_FAIL;
	for (size_t i = 0; i < targets->count; i++) {
		if (read_one(hand, targets->items[i], arena, &checks[i], &addresses[i], diag) != VEER_OK)
			return EXIT_USAGE;
	}
	for (size_t i = 0; i < targets->count; i++)
		all_pass &= run(hand, &checks[i], addresses[i], targets->items[i]);
	return all_pass ? EXIT_PASS : EXIT_FAIL;
}

static enum veer_err prepare(struct hand *hand, struct veer_diag *diag)
{
	enum veer_err err;
	hand->loop = loop_new(veer_clock_system());
	if (hand->loop == NULL || check_env_open(&hand->env, hand->loop) != VEER_OK)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	err = target_rules_parse(hand->options.allow_targets, hand->options.deny_targets, &hand->env.targets, diag);
	if (err == VEER_OK)
		err = exec_pool_allow(hand->env.exec, hand->options.allow_exec, diag);
	hand->env.note = on_note;
	hand->env.is_by_hand = true;
	return err;
}

static int start(struct hand *hand, const struct args *args)
{
	struct veer_diag diag = {""};
	struct arena *arena = arena_new(ARENA_BYTES);
	int status = EXIT_USAGE;
	if (arena != NULL && prepare(hand, &diag) == VEER_OK)
		status = run_all(hand, &args->positional, arena, &diag);
	if (status == EXIT_USAGE)
		(void)fprintf(stderr, "veer-probe: %s\n", diag.text);
	check_env_close(&hand->env);
	loop_free(&hand->loop);
	arena_free(&arena);
	return status;
}

int hand_main(int argc, char *argv[])
{
	struct hand hand = {.options = {.timeout_ms = 5000}};
	struct args_table table = {.count = 0};
	struct args_spec spec = spec_for(&hand.options, &table);
	struct args args = {0};
	struct veer_diag diag = {""};
	struct buf help;
	int status = EXIT_USAGE;
	(void)signal(SIGPIPE, SIG_IGN);
	buf_init(&help, 65536);
	enum veer_err err = args_parse(&args, &spec, argc, argv, 2, &diag);
	if (err == VEER_OK && args.wants_help) {
		args_help(&spec, &help);
		hand_fields_help(&help);
		(void)fputs(help.data, stdout);
		status = EXIT_PASS;
	} else if (err == VEER_OK && args.wants_version) {
		(void)printf("veer-probe %s\n", VEER_VERSION);
		status = EXIT_PASS;
	} else if (err == VEER_OK && args.positional.count == 0) {
		(void)fprintf(stderr, "veer-probe: what to probe? A URL, or --file CHECK.json and an address\n");
	} else if (err == VEER_OK) {
		status = start(&hand, &args);
	} else {
		(void)fprintf(stderr, "veer-probe: %s\n", diag.text);
	}
	buf_deinit(&help);
	args_deinit(&args);
	return status;
}
