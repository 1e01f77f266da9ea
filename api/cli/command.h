/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of the commands that ask the API for one thing: parse the arguments, ask, and report the result.
 *
 *   static enum veer_err call(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
 *                             struct veer_diag *diag);
 *   int cli_zone_list(int argc, char *argv[], int first)
 *   {
 *     return cli_command_run(&(const struct cli_command){.usage = "veer zone list [--json]", .call = call, ...},
 *                            argc, argv, first);
 *   }
 */
#ifndef VEER_API_CLI_COMMAND_H
#define VEER_API_CLI_COMMAND_H

#include "api/cli/cli.h"
#include "base/buf.h"

/* A command; all of it is borrowed. `ctx` is handed to both functions: mostly the targets of its options. */
struct cli_command {
	const char *usage;
	const char *summary;
	const struct args_option *options; /* its own; the shared ones are added after them */
	size_t option_count;
	size_t positional_min;
	size_t positional_max;
	void *ctx;
	/*
	 * Make the calls. `words` are the positional arguments, `*reply` is empty before and released by the frame; its
	 * `json` is what --json prints. After an error the command prints the diag and exits with CLI_FAILED.
	 */
	enum veer_err (*call)(void *ctx, struct cli *cli, const struct args_list *words, struct cli_reply *reply,
			      struct veer_diag *diag);
	/*
	 * Report the result to people, without --json or when there is no JSON; returns the exit code. NULL: success is
	 * silent.
	 */
	int (*report)(void *ctx, const struct args_list *words, const struct cli_reply *reply);
	int (*json_code)(void *ctx, const struct cli_reply *reply); /* the exit code with --json; NULL: CLI_OK */
};

/* Run it; argv[first…] are its arguments. Returns the exit code. */
int cli_command_run(const struct cli_command *command, int argc, char *argv[], int first);

/* As cli_call_json(), for a path that was built in a buffer; takes `path` and `body`. */
VEER_MUST_CHECK enum veer_err cli_call_path(struct cli *cli, const char *method, struct buf *path, json_t *body,
					    struct cli_reply *reply, struct veer_diag *diag);
/* Write "/v1/zones/ZONE/WHAT" into `out`, which must be initialized; ZONE gets its final dot. */
void cli_zone_path(struct buf *out, const char *zone, const char *what);
/* GET all pages of a list: the reply's JSON becomes one array of their items. `path` is without a query. */
VEER_MUST_CHECK enum veer_err cli_call_pages(struct cli *cli, const char *path, struct cli_reply *reply,
					     struct veer_diag *diag);
/* Replace the reply's JSON by this member of it; NULL when there is no such member. */
void cli_reply_pick(struct cli_reply *reply, const char *key);
/* The values of a repeatable option as an array of strings, which the caller owns. */
json_t *cli_names_json(const struct args_list *names);

#endif
