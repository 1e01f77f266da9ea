/* SPDX-License-Identifier: Apache-2.0 */
#include "base/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/heap.h"
#include "base/notify.h"

/* The names of the log levels, from LOG_LEVEL_ERROR on. */
static const char *const level_names[] = {
	[LOG_LEVEL_ERROR - LOG_LEVEL_ERROR] = "error",   [LOG_LEVEL_WARNING - LOG_LEVEL_ERROR] = "warning",
	[LOG_LEVEL_NOTICE - LOG_LEVEL_ERROR] = "notice", [LOG_LEVEL_INFO - LOG_LEVEL_ERROR] = "info",
	[LOG_LEVEL_DEBUG - LOG_LEVEL_ERROR] = "debug",   NULL,
};
static const char *const format_names[] = {[LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL};

enum { DEFAULT_LEVEL_INDEX = LOG_LEVEL_INFO - LOG_LEVEL_ERROR, STANDARD_COUNT = 4 };

/* The program's options, then ours. */
static enum veer_err join_tables(struct daemon_options *o, const struct args_spec *spec, struct veer_diag *diag)
{
	const struct args_option standard[STANDARD_COUNT] = {
		{.name = "config",
		 .kind = ARGS_STRING,
		 .target = &o->config_path,
		 .value = "FILE",
		 .help = "read options from a YAML file; the command line wins",
		 .cli_only = true,
		 .is_file = true},
		{.name = "log-level",
		 .kind = ARGS_ENUM,
		 .target = &o->log_level,
		 .value = "LEVEL",
		 .help = "how much to log",
		 .names = level_names},
		{.name = "log-format",
		 .kind = ARGS_ENUM,
		 .target = &o->log_format,
		 .value = "FORMAT",
		 .help = "how to log",
		 .names = format_names},
		{.name = "describe-options",
		 .kind = ARGS_FLAG,
		 .target = &o->wants_table,
		 .help = "print the table of options as JSON and exit",
		 .cli_only = true},
	};
	if (spec->option_count > ARGS_OPTIONS_MAX - STANDARD_COUNT)
		return veer_fail(diag, VEER_ELIMIT, "a table of more than %d options",
				 ARGS_OPTIONS_MAX - STANDARD_COUNT);
	if (spec->option_count > 0)
		memcpy(o->table, spec->options, spec->option_count * sizeof o->table[0]);
	memcpy(o->table + spec->option_count, standard, sizeof standard);
	o->spec = *spec;
	o->spec.options = o->table;
	o->spec.option_count = spec->option_count + STANDARD_COUNT;
	return VEER_OK;
}

static enum veer_err read_config(struct daemon_options *o, struct veer_diag *diag)
{
	struct config *config = NULL;
	if (o->config_path == NULL)
		return VEER_OK;
	enum veer_err err = config_load(o->config_path, &config, diag);
	if (err == VEER_OK)
		err = config_fill_options(config, &o->args, diag);
	config_free(&config);
	return err;
}

enum veer_err daemon_options_parse(struct daemon_options *o, const struct args_spec *spec, int argc, char *const argv[],
				   struct veer_diag *diag)
{
	*o = (struct daemon_options){.log_level = DEFAULT_LEVEL_INDEX};
	enum veer_err err = join_tables(o, spec, diag);
	if (err == VEER_OK)
		err = args_parse(&o->args, &o->spec, argc, argv, 1, diag);
	if (err != VEER_OK || o->args.wants_help || o->args.wants_version || o->wants_table)
		return err;
	err = read_config(o, diag);
	if (err == VEER_OK)
		err = args_check_required(&o->args, diag);
	return err;
}

void daemon_options_deinit(struct daemon_options *o)
{
	args_deinit(&o->args);
}

static json_t *describe_option(const struct args_option *option)
{
	static const char *const kinds[] = {[ARGS_FLAG] = "flag",
					    [ARGS_STRING] = "string",
					    [ARGS_INT] = "int",
					    [ARGS_ENUM] = "enum",
					    [ARGS_LIST] = "list"};
	json_t *row = json_pack("{s:s, s:s, s:b}", "name", option->name, "kind", kinds[option->kind], "required",
				option->required);
	if (option->kind == ARGS_INT)
		(void)json_object_set_new(row, "min", json_integer(option->min));
	if (option->kind == ARGS_INT || option->kind == ARGS_LIST)
		(void)json_object_set_new(row, "max", json_integer(option->max));
	if (option->kind != ARGS_ENUM)
		return row;
	json_t *names = json_array();
	for (size_t i = 0; option->names[i] != NULL; i++)
		(void)json_array_append_new(names, json_string(option->names[i]));
	(void)json_object_set_new(row, "names", names);
	return row;
}

json_t *daemon_describe(const struct args_spec *spec)
{
	json_t *table = json_array();
	for (size_t i = 0; i < spec->option_count; i++)
		if (!spec->options[i].cli_only)
			(void)json_array_append_new(table, describe_option(&spec->options[i]));
	return table;
}

static void print_table(const struct args_spec *spec)
{
	json_t *table = daemon_describe(spec);
	char *text = veer_json_dump(table);
	(void)puts(text != NULL ? text : "[]");
	(void)fflush(stdout);
	free(text);
	json_decref(table);
}

static void print_help(const struct args_spec *spec)
{
	struct buf help;
	buf_init(&help, 65536);
	args_help(spec, &help);
	(void)fputs(help.data, stdout);
	(void)fflush(stdout);
	buf_deinit(&help);
}

int daemon_fail(const struct daemon *d, const struct veer_diag *diag)
{
	/* The message must be one line, even if a file name or a value contains line breaks. */
	char line[VEER_DIAG_SIZE];
	size_t len = 0;
	for (; diag->text[len] != '\0' && len + 1 < sizeof line; len++) {
		unsigned char c = (unsigned char)diag->text[len];
		line[len] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	line[len] = '\0';
	(void)fprintf(stderr, "%s: %s\n", d->program, line);
	return DAEMON_EXIT_USAGE;
}

static void check_file(const struct daemon *d, const char *option, const char *value, const char *user)
{
	const char *equals = strchr(value, '='); /* "ORIGIN=FILE" */
	const char *path = equals != NULL && value[0] != '/' ? equals + 1 : value;
	/*
	 * AT_EACCESS: with the rights that we have now, not those that we were started with. A missing file is reported
	 * by the code that reads it.
	 */
	if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 && (errno == EACCES || errno == EPERM))
		log_warn(d->log,
			 "the user cannot read a file of the options: the next reload, or start as this user, will "
			 "fail on it; change its owner or its mode, and those of its directories",
			 LOG_STR("file", path), LOG_STR("user", user), LOG_STR("option", option));
}

void daemon_check_files(const struct daemon *d, const char *user)
{
	const struct args_spec *spec = &d->options.spec;
	for (size_t i = 0; i < spec->option_count && user != NULL; i++) {
		const struct args_option *option = &spec->options[i];
		if (!option->is_file)
			continue;
		const char *one = option->kind == ARGS_STRING ? *(const char **)option->target : NULL;
		const struct args_list *list = option->kind == ARGS_LIST ? option->target : NULL;
		if (one != NULL)
			check_file(d, option->name, one, user);
		for (size_t k = 0; list != NULL && k < list->count; k++)
			check_file(d, option->name, list->items[k], user);
	}
}

static void on_stop(void *ctx)
{
	struct daemon *d = ctx;
	log_info(d->log, "stopping");
	(void)notify_stopping();
	loop_stop(d->loop);
}

static void on_hup(void *ctx)
{
	struct daemon *d = ctx;
	if (d->on_reload == NULL) {
		log_notice(d->log, "nothing to reload");
		return;
	}
	log_info(d->log, "reloading");
	(void)notify_reloading();
	d->on_reload(d->reload_ctx);
	if (d->is_ready)
		(void)notify_ready();
}

/* SIGPIPE is ignored, so that a reader that has gone away is an error of write() and does not end the process. */
static enum veer_err start(struct daemon *d, struct veer_diag *diag)
{
	(void)signal(SIGPIPE, SIG_IGN);
	d->log = logger_new(d->program, STDERR_FILENO, (enum log_level)(d->options.log_level + LOG_LEVEL_ERROR),
			    (enum log_format)d->options.log_format);
	d->loop = loop_new(veer_clock_system());
	if (d->log == NULL || d->loop == NULL)
		return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
	enum veer_err err = loop_signals(d->loop, on_stop, on_hup, NULL, d);
	return err == VEER_OK ? VEER_OK : veer_fail(diag, err, "cannot handle signals: %s", veer_err_text(err));
}

/*
 * glibc gives the top of the heap back to the kernel as soon as 128 KiB of it are free, and ldns frees more than that
 * after each record. Loading a zone file of a million records therefore made a million such system calls and took eight
 * times as long. So some freed memory is kept instead.
 */
static void keep_freed_memory(void)
{
	(void)mallopt(M_TRIM_THRESHOLD, 16 << 20);
	(void)mallopt(M_TOP_PAD, HEAP_TOP_PAD);
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

int daemon_init(struct daemon *d, const char *program, const struct args_spec *spec, int argc, char *const argv[])
{
	struct veer_diag diag = {.text = ""};
	keep_freed_memory();
	int status = -1;
	*d = (struct daemon){.program = program};
	enum veer_err err = daemon_options_parse(&d->options, spec, argc, argv, &diag);
	if (err != VEER_OK) {
		status = daemon_fail(d, &diag);
	} else if (d->options.args.wants_help) {
		print_help(&d->options.spec);
		status = DAEMON_EXIT_OK;
	} else if (d->options.args.wants_version) {
		(void)printf("%s %s\n", program, VEER_VERSION);
		(void)fflush(stdout);
		status = DAEMON_EXIT_OK;
	} else if (d->options.wants_table) {
		print_table(&d->options.spec);
		status = DAEMON_EXIT_OK;
	} else if (start(d, &diag) != VEER_OK) {
		(void)daemon_fail(d, &diag);
		status = DAEMON_EXIT_FAILED;
	}
	if (status >= 0)
		daemon_deinit(d);
	return status;
}

void daemon_watch(struct daemon *d, bool (*is_alive)(void *ctx), void *ctx)
{
	d->is_alive = is_alive;
	d->alive_ctx = ctx;
}

/* Send three times within the period that the manager allows, so that one message may be late. */
static void feed_watchdog(void *ctx)
{
	struct daemon *d = ctx;
	int64_t every_ms = notify_watchdog_ms() / 3;
	if (notify_watchdog_ms() == 0)
		return;
	if (d->is_alive == NULL || d->is_alive(d->alive_ctx))
		(void)notify_watchdog();
	if (loop_timer_set(d->loop, &d->watchdog, every_ms > 0 ? every_ms : 1, feed_watchdog, d) != VEER_OK)
		log_error(d->log, "memory is out: the watchdog is not fed");
}

void daemon_ready(struct daemon *d, const struct log_field *fields)
{
	if (d->is_ready)
		return;
	d->is_ready = true;
	/* Scripts and service managers wait for this line, so it is written at any log level. */
	struct logger *log =
		logger_new(d->program, STDERR_FILENO, LOG_LEVEL_DEBUG, (enum log_format)d->options.log_format);
	log_write(log != NULL ? log : d->log, LOG_LEVEL_NOTICE, "ready", fields);
	logger_free(&log);
	(void)notify_ready();
	feed_watchdog(d);
}

int daemon_run(struct daemon *d, void (*on_reload)(void *ctx), void *ctx)
{
	d->on_reload = on_reload;
	d->reload_ctx = ctx;
	enum veer_err err = loop_run(d->loop);
	if (err != VEER_OK)
		log_error(d->log, "event loop failed", LOG_STR("reason", veer_err_text(err)));
	return err == VEER_OK ? DAEMON_EXIT_OK : DAEMON_EXIT_FAILED;
}

void daemon_deinit(struct daemon *d)
{
	if (d->loop != NULL)
		loop_timer_cancel(d->loop, &d->watchdog);
	loop_free(&d->loop);
	logger_free(&d->log);
	daemon_options_deinit(&d->options);
}
