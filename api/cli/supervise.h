/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps child processes running: starts them when what they need is ready, restarts them with growing pauses when they
 * end, and ends them together. Children report that they are ready, and then that they are alive, as to a service
 * manager (sd_notify, over an abstract socket); a child that is silent for 10 s is killed and started again.
 *
 * A child has a process group of its own (Ctrl-C reaches only the supervisor). It ends when the supervisor dies, unless
 * its `outlives` is set.
 * Threads: only the loop's thread.
 */
#ifndef VEER_API_CLI_SUPERVISE_H
#define VEER_API_CLI_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"

#define SUPERVISE_CHILDREN_MAX 128
#define SUPERVISE_NEEDS_MAX 16

struct supervisor;

/* What to run. Strings and arrays are copied. */
struct supervise_spec {
	const char *name;
	const char *const *argv; /* ended by NULL; argv[0] is the path */
	const char *log_path;    /* standard error is appended to this file; NULL: it goes to ours */
	bool is_once;            /* a step: it is done when it ends with 0, and tried again when it fails */
	bool outlives; /* keeps running when the supervisor is killed, until the next supervisor's child replaces it */
	const char *const
		*needs; /* names of children that must be ready (steps: done) first, ended by NULL; may be NULL */
};

/*
 * Make a supervisor that has locked the directory `dir`, if that can be locked. Errors: VEER_EBUSY (another supervisor
 * has locked it), VEER_EIO and the like.
 */
VEER_MUST_CHECK enum veer_err supervisor_new(struct loop *loop, struct logger *log, const char *dir,
					     struct supervisor **out, struct veer_diag *diag);

/*
 * Add a child, which the loop starts. Errors: VEER_ELIMIT, VEER_ENOMEM, VEER_ENOTFOUND (it needs a child that was not
 * added before).
 */
VEER_MUST_CHECK enum veer_err supervisor_add(struct supervisor *supervisor, const struct supervise_spec *spec);

/* Start the children; `on_ready` is called once, when all children are ready and all steps are done. */
void supervisor_start(struct supervisor *supervisor, void (*on_ready)(void *ctx), void *ctx);

/* Send a signal to all children that are running. */
void supervisor_signal(struct supervisor *supervisor, int signal_number);

/* End all children (SIGTERM, after 10 s SIGKILL), wait for them, free. Blocks. Sets the caller's pointer to NULL. */
void supervisor_free(struct supervisor **supervisor);

#endif
