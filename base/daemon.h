/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the main() of every daemon shares: options with --config, logging, the loop with its signals, the readiness
 * message, and exit codes.
 *
 *   int main(int argc, char *argv[])
 *   {
 *     struct opts o = OPTS_DEFAULT;
 *     struct daemon d;
 *     int status = daemon_init(&d, "veer-dnsd", &spec, argc, argv);   (spec's options point into `o`)
 *     if (status >= 0)
 *       return status;                                  (--help, --version, or bad arguments: nothing to release)
 *     status = serve(&d, &o);                           (sets up, daemon_ready(), daemon_run(), tears down)
 *     daemon_deinit(&d);
 *     return status;
 *   }
 *
 * Threads: the main thread; the logger may be used by all.
 */
#ifndef VEER_BASE_DAEMON_H
#define VEER_BASE_DAEMON_H

#include <stdbool.h>

#include "base/args.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"

enum { DAEMON_EXIT_OK = 0, DAEMON_EXIT_FAILED = 1, DAEMON_EXIT_USAGE = 2 };

/* --config, --log-level, --log-format, --describe-options: their values, and the table that joins them with a program's
 * own. */
struct daemon_options {
	const char *config_path; /* NULL: none */
	int log_level;           /* index into daemon_log_levels */
	int log_format;          /* index into "text", "json" */
	bool wants_table;        /* --describe-options */
	struct args args;        /* owns the strings in all targets */
	struct args_spec spec;   /* the program's, with the joined table */
	struct args_option table[ARGS_OPTIONS_MAX];
};

/*
 * Parse a command line and the configuration file that it names into the targets of `spec`, and check that required
 * options are there. To reload, call it again with a spec that points into a fresh struct. Release with
 * daemon_options_deinit() (also after an error). After --help, --version or --describe-options `o->args.wants_help`,
 * `.wants_version` or `o->wants_table` is set and nothing else is checked. Errors (diag): VEER_EINVAL and the rest of
 * args_parse(), config_load(), config_fill_options().
 */
VEER_MUST_CHECK enum veer_err daemon_options_parse(struct daemon_options *o, const struct args_spec *spec, int argc,
						   char *const argv[], struct veer_diag *diag);
void daemon_options_deinit(struct daemon_options *o);

/* A running daemon. The fields are for reading. */
struct daemon {
	const char *program;
	struct daemon_options options;
	struct logger *log; /* on stderr */
	struct loop *loop;  /* the main thread's, with signals attached */
	void (*on_reload)(void *ctx);
	void *reload_ctx;
	bool (*is_alive)(void *ctx); /* NULL: a loop that runs is sign of life enough */
	void *alive_ctx;
	struct loop_timer watchdog;
	bool is_ready;
};

/*
 * Parse options, ignore SIGPIPE, block the signals that the loop handles (so call it before any thread is started),
 * make the logger and the loop. Returns -1 if the program is to go on. Otherwise it has printed the help, the version
 * or `PROGRAM: reason`, nothing has to be released, and the result is the exit code.
 */
int daemon_init(struct daemon *d, const char *program, const struct args_spec *spec, int argc, char *const argv[]);

/*
 * The table of options as JSON, for `veer run`, which accepts the options of all programs: [{"name": "workers", "kind":
 * "int", "min": 1, "max": 256, "required": false}, …]; kinds are flag, string, int, enum (with "names") and list
 * ("max": the most values). Options that only a command line may have are left out. NULL when memory is out. Ownership:
 * the result is the caller's (json_decref).
 */
json_t *daemon_describe(const struct args_spec *spec);

/* Print `PROGRAM: reason` in one line on stderr and return DAEMON_EXIT_USAGE: for bad arguments and configuration. */
int daemon_fail(const struct daemon *d, const struct veer_diag *diag);

/*
 * Call after privileges were given up: warn of each file that a reload reads again (args_option.is_file) but that the
 * process's present user cannot read. `user` is that user's name (NULL: the user has not changed, and nothing is
 * checked). Blocks on the disk.
 */
void daemon_check_files(const struct daemon *d, const char *user);

/*
 * Say, once, that the service answers: a log line (level notice) with the event "ready", which no --log-level hides,
 * and READY=1 to the service manager. `fields` as log_write().
 */
void daemon_ready(struct daemon *d, const struct log_field *fields);

/*
 * Once ready, tell the service manager regularly (WATCHDOG_USEC) that the program works, as long as the loop runs and
 * `is_alive(ctx)`, called in the loop's thread, returns true. Without a call of daemon_watch() it is enough that the
 * loop runs.
 */
void daemon_watch(struct daemon *d, bool (*is_alive)(void *ctx), void *ctx);

/*
 * Run the loop until SIGTERM, SIGINT or loop_stop(). SIGHUP calls `on_reload(ctx)` (NULL: it is logged and ignored)
 * between RELOADING=1 and READY=1. Returns the exit code: 0, or 1 when the loop fails.
 */
int daemon_run(struct daemon *d, void (*on_reload)(void *ctx), void *ctx);

/* Release everything that daemon_init() made. The strings of option targets become invalid. */
void daemon_deinit(struct daemon *d);

#endif
