/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands of `veer` share: where the API is, how to call it, how to fail.
 *
 * Threads: one; a command is a process.
 */
#ifndef VEER_API_CLI_CLI_H
#define VEER_API_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/args.h"
#include "base/err.h"
#include "base/json.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* The options that every command which talks to the API takes. */
struct cli {
	const char *api;   /* URL or unix:PATH; NULL: found by cli_find_api() */
	const char *token; /* bearer; NULL: that of token_file, or $VEER_TOKEN */
	const char *token_file;
	const char *ca;     /* PEM bundle for https */
	bool as_json;       /* --json */
	char condition[64]; /* a header with the condition of the next calls (If-Match); "": none */
	bool is_misused;    /* by a command: what failed is wrong as it was typed, so the program ends with CLI_USAGE */
	char found[4096];
	char held[256]; /* what `token` points at */
};

#define CLI_OPTION_COUNT 5
/* `--api`, `--token`, `--token-file`, `--ca-file` and `--json` for a command's table of options. */
void cli_options(struct cli *cli, struct args_option out[CLI_OPTION_COUNT]);

/*
 * Where the API is when --api does not say: $VEER_API, the installed service's socket (/var/lib/veer/api.sock), the
 * demonstration's beside this program. NULL when there is none of them.
 */
const char *cli_find_api(struct cli *cli);

/* What came back. */
struct cli_reply {
	int status; /* HTTP */
	char *text; /* the body; heap */
	size_t len;
	json_t *json; /* the body parsed, when it is JSON; else NULL */
};
/* Free what it holds and zero it; one that is zeroed already is fine. */
void cli_reply_deinit(struct cli_reply *reply);

/*
 * Call the API and wait. `body` NULL: none. A status of 400 or more is VEER_EINVAL with the problem's detail in the
 * diag; the reply is filled all the same. Errors: VEER_EIO (nobody answers: the diag says what to do), VEER_ETIMEOUT.
 */
VEER_MUST_CHECK enum veer_err cli_call(struct cli *cli, const char *method, const char *path, const char *body,
				       size_t body_len, const char *content_type, struct cli_reply *reply,
				       struct veer_diag *diag);
/* The same with JSON; takes `body` (NULL: none). */
VEER_MUST_CHECK enum veer_err cli_call_json(struct cli *cli, const char *method, const char *path, json_t *body,
					    struct cli_reply *reply, struct veer_diag *diag);

/* Print "veer: DIAG" on stderr; returns CLI_FAILED. */
int cli_fail(const struct veer_diag *diag);

/* Print JSON, indented, on stdout. Returns CLI_OK. */
int cli_print_json(const json_t *value);

struct buf;
/* Append `text` percent-encoded for one segment of a path (RFC 3986 2.1). */
void cli_encode_segment(struct buf *out, const char *text);

/* A line for a terminal: what others wrote into it cannot move the cursor. At most 511 bytes. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Append `prefix` and the two segments of POOL/ENDPOINT. */
void cli_endpoint_path(struct buf *out, const char *prefix, const char *endpoint);

/* "90s", "30m", "2h", "7d", "1w" in seconds, at most 366 days. False for anything else. */
bool cli_duration_s(const char *text, int64_t *seconds);

/* The table of maintenance windows, as /v1/status has them. */
void cli_print_maintenance(const json_t *windows);

/* A command: argv[first…] are its arguments. Returns an exit code. */
typedef int cli_command_fn(int argc, char *argv[], int first);

cli_command_fn cli_why, cli_transitions, cli_drain, cli_force_up, cli_force_down, cli_release, cli_freeze;
cli_command_fn cli_nameserver_adopt, cli_nameserver_enrol, cli_nameserver_list, cli_nameserver_revoke;
cli_command_fn cli_token_list, cli_token_revoke, cli_agent_list, cli_agent_revoke, cli_backup, cli_restore;
cli_command_fn cli_store_check, cli_store_repair;
cli_command_fn cli_maintenance_add, cli_maintenance_list, cli_maintenance_end;
cli_command_fn cli_run, cli_status, cli_zone_import, cli_zone_export, cli_zone_list, cli_zone_delegation,
	cli_token_create, cli_agent_enrol, cli_demo_run, cli_demo_stop, cli_demo_start, cli_demo_seed, cli_demo_site;

/*
 * Parse a command's arguments with its own options and the shared ones. Returns -1 to go on, otherwise the exit code.
 * `table` must have room for CLI_OPTION_COUNT more. Release with args_deinit().
 */
int cli_parse(struct cli *cli, struct args *args, struct args_spec *spec, struct args_option *table, size_t own,
	      int argc, char *argv[], int first);

#endif
