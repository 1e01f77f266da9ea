/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs as checks: an argument vector without a shell, only from below one directory that the agent's operator
 * names, with limits on time, output and number. Each runs in a process group of its own, with nothing open except its
 * output, a minimal environment and default signals, in "/", and the whole group is killed at its end.
 *
 * Another process starts and ends them (runner.h), because the agent itself may not execute anything. The loop sends
 * orders to that process and never waits for it, so no program can hold up the loop.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_EXEC_H
#define VEER_PROBES_AGENT_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "probes/agent/runner.h"

#define EXEC_RUNNING_MAX RUNNER_RUNNING_MAX /* programs at the same time; others wait for a place */
#define EXEC_OUTPUT_BYTES 65536             /* of output and errors together; a program that writes more is killed */
#define EXEC_OUTPUT_KEPT 256                /* bytes of the output that are kept, for people */

struct exec_pool;
struct exec_run;

/* How a program ended. Borrowed for the callback. */
struct exec_result {
	enum veer_err err;  /* VEER_OK: it ran. VEER_EAUTH: not below the directory. VEER_EIO: it cannot be started */
	const char *error;  /* why it did not run, for people; "": it ran */
	bool is_killed;     /* by a signal */
	bool is_cut;        /* it wrote too much, and was killed for it */
	int code;           /* the exit code, or the signal's number */
	const char *output; /* the beginning of its output */
	size_t output_len;
};

typedef void exec_done_fn(void *ctx, const struct exec_result *result);

/* Make a pool that allows nothing yet. `loop` is borrowed. NULL when memory is out. */
struct exec_pool *exec_pool_new(struct loop *loop);
/* Free the pool; ends the runner, which kills what runs. All runs must have ended or been cancelled. */
void exec_pool_free(struct exec_pool **pool);

/*
 * Use a runner that was started before privileges were given up; fd -1: there is none, and programs can never be run.
 * Without this call the pool starts one of its own, as the present user. Call it before exec_pool_allow(). When the
 * runner ends, `on_lost` is called, and each program that runs or is started from then on ends with VEER_EIO.
 * Ownership: takes `fd`, unless it fails. Errors: VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err exec_pool_use(struct exec_pool *pool, int fd, pid_t runner, void (*on_lost)(void *ctx),
					    void *ctx);
/* Why no program can be run although that is allowed: the runner has ended. Otherwise NULL. Static storage. */
const char *exec_pool_lost(const struct exec_pool *pool);

/* Can programs below `dir` be allowed? Writes its path without final slashes. Errors (diag): as exec_pool_allow(). */
VEER_MUST_CHECK enum veer_err exec_dir_check(const char *dir, char out[RUNNER_DIR_SIZE], struct veer_diag *diag);

/*
 * From now on allow programs below `dir`, and nowhere else; NULL: none. If the runner was given, running programs go
 * on, and the runner is told to find the directory itself (runner.h). Errors (diag): VEER_EINVAL (not absolute),
 * VEER_ENOTFOUND, VEER_ERANGE, VEER_EAUTH (there is no runner), VEER_EIO, VEER_ENOMEM: nothing changes.
 */
VEER_MUST_CHECK enum veer_err exec_pool_allow(struct exec_pool *pool, const char *dir, struct veer_diag *diag);
/* Are any programs allowed? */
bool exec_pool_is_open(const struct exec_pool *pool);

/*
 * Run a program; strings are copied. `environment` has strings "NAME=VALUE", ended by NULL. `done` is called once, from
 * the loop, never before this returns, unless cancelled. Errors: VEER_EAUTH (nothing is allowed), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err exec_start(struct exec_pool *pool, const char *const *argv,
					 const char *const *environment, exec_done_fn *done, void *ctx,
					 struct exec_run **out);
/* How long the program has run; 0 while it waits for a place. */
int64_t exec_ran_ms(const struct exec_run *run);
/* Kill the program; `done` is not called. */
void exec_cancel(struct exec_run *run);

#endif
