/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines by table. A program describes its options once; parsing, --help, configuration files
 * (base/config.h) and error messages all come from the table, and values land in the caller's own struct:
 *
 *   struct opts { struct args_list zones; int64_t workers; } o = {.workers = 2};
 *   const struct args_option options[] = {
 *     {.name = "zone", .kind = ARGS_LIST, .target = &o.zones, .value = "ORIGIN=FILE", .help = "serve a zone file"},
 *     {.name = "workers", .kind = ARGS_INT, .target = &o.workers, .min = 1, .max = 64, .value = "N", .help = "..."},
 *   };
 *
 * Options are long only: `--name VALUE`, `--name=VALUE`, flags `--name`. `--` ends the options. `--help` and
 * `--version` are always there. All errors are one line in the diag; callers print it and exit 2.
 *
 * Threads: one thread, at start-up.
 */
#ifndef VEER_BASE_ARGS_H
#define VEER_BASE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define ARGS_OPTIONS_MAX 64
#define ARGS_LIST_MAX 4096

enum args_kind {
	ARGS_FLAG,   /* target: bool *, set to true; "true" or "false" in a configuration file */
	ARGS_STRING, /* target: const char ** */
	ARGS_INT,    /* target: int64_t *, within [min, max] */
	ARGS_ENUM,   /* target: int *, the index into `names` */
	ARGS_LIST,   /* target: struct args_list *; the option may repeat */
};

/* The values of a repeatable option, in order. Zero it before parsing. Owned by struct args. */
struct args_list {
	const char **items;
	size_t count;
	size_t size; /* allocated */
};

/*
 * One option. A target that the command line does not mention keeps its value, so the caller stores defaults there
 * first.
 */
struct args_option {
	const char *name; /* without the dashes: "log-level" */
	enum args_kind kind;
	void *target;             /* of the kind's type; borrowed */
	const char *value;        /* what --help calls the value: "FILE"; unused for flags */
	const char *help;         /* one line */
	int64_t min;              /* ARGS_INT */
	int64_t max;              /* ARGS_INT; ARGS_LIST: the most values it may have (0: ARGS_LIST_MAX) */
	const char *const *names; /* ARGS_ENUM; ended by NULL */
	bool required;            /* ARGS_STRING and ARGS_LIST: args_check_required() complains when it was not given */
	bool cli_only;            /* not allowed in a configuration file */
	bool is_file; /* ARGS_STRING and ARGS_LIST: the value is a file ("…=FILE": the part after =) that a reload
		       * reads again */
};

/* A table of options that grows. Zero its count first. */
struct args_table {
	struct args_option options[ARGS_OPTIONS_MAX];
	size_t count;
};

/* Append rows. A total above ARGS_OPTIONS_MAX is a bug. */
void args_table_add(struct args_table *table, const struct args_option *options, size_t count);

/* The options and arguments of a program or of one of its commands. Borrowed while struct args lives. */
struct args_spec {
	const char *usage;   /* "veer-dnsd [options]", "veer zone import [options] FILE" */
	const char *summary; /* one or more lines below the usage */
	const struct args_option *options;
	size_t option_count; /* at most ARGS_OPTIONS_MAX */
	size_t positional_min;
	size_t positional_max;
};

/* A parsed command line. Zero it, args_parse() it, args_deinit() it; strings in targets live until then. */
struct args {
	const struct args_spec *spec;
	struct args_list positional;
	uint64_t given;  /* a bit for each option that was set, by its place in the table */
	bool wants_help; /* --help: print args_help() and exit 0 */
	bool wants_version;
	struct args_copy *copies; /* strings that args_set() copied */
};

/*
 * Parse `argv[first..argc)`; argv is borrowed until args_deinit(). With --help or --version parsing stops,
 * successfully. Errors (diag): VEER_EINVAL: unknown option (with a suggestion), missing or unwanted value, an option
 * given twice, too few or too many positional arguments; VEER_ERANGE: a number out of its limits; VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err args_parse(struct args *args, const struct args_spec *spec, int argc, char *const argv[],
					 int first, struct veer_diag *diag);
/* Free copies and lists; strings in targets become invalid. May be called after an error of args_parse(). */
void args_deinit(struct args *args);

/* Fail when a required option was neither on the command line nor in the configuration file. Errors: VEER_EINVAL. */
VEER_MUST_CHECK enum veer_err args_check_required(const struct args *args, struct veer_diag *diag);

/* The option called `name` (with '-' between words), or NULL. */
const struct args_option *args_find(const struct args_spec *spec, const char *name);

/*
 * Set an option from text that need not outlive the call, because it is copied. A list grows by one value; any other
 * option is replaced. The diag says what is wrong with the value, without naming the option ("must be from 1 to 64").
 */
VEER_MUST_CHECK enum veer_err args_set(struct args *args, const struct args_option *option, const char *text,
				       struct veer_diag *diag);
/* Mark the option as given, so that args_check_required() accepts it. */
void args_mark_given(struct args *args, const struct args_option *option);

/* The help text, ending in a newline. */
void args_help(const struct args_spec *spec, struct buf *out);

/* One command of a program with subcommands. */
struct args_command {
	const char *words; /* "zone import": one to three words */
	const char *help;  /* one line for the list of commands */
	/* What carries it out, for the program to call: `first` is the first argument after the words. Returns the exit
	 * status. */
	int (*run)(int argc, char *argv[], int first);
};

/*
 * Find the command that argv[first...] starts with; the longest one wins. `*index` is its place in the table and
 * `*next` the first argument after its words. Errors (diag, with a suggestion): VEER_EINVAL.
 */
VEER_MUST_CHECK enum veer_err args_select(const struct args_command *commands, size_t count, int argc,
					  char *const argv[], int first, size_t *index, int *next,
					  struct veer_diag *diag);
/* The list of commands, a line each, indented. */
void args_commands_help(const struct args_command *commands, size_t count, struct buf *out);

#endif
