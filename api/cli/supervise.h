/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes that are kept running: started when what they need is ready, restarted with growing pauses when they
 * end, ended together. Children say that they are ready, and then that they are alive, as to a service manager
 * (sd_notify, over an abstract socket); one that is silent for 10 s is killed and started again.
 *
 * A child has a process group of its own (Ctrl-C reaches only the supervisor). It ends when the supervisor dies, unless
 * it is one that outlives it.
 * Threads: one, the loop's.
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
	const char *log_path;    /* standard error goes here (appended); NULL: to ours */
	bool is_once;            /* a step: done when it ends with 0, tried again when it fails */
	bool outlives;           /* goes on when the supervisor is killed: the next one's child takes its place */
	const char *const
		*needs; /* names of children that must be ready (steps: done) first, ended by NULL; may be NULL */
};

/*
 * A supervisor that has locked the directory `dir`, if that can be locked. Errors: VEER_EBUSY (another one has it),
 * VEER_EIO and the like.
 */
VEER_MUST_CHECK enum veer_err supervisor_new(struct loop *loop, struct logger *log, const char *dir,
					     struct supervisor **out, struct veer_diag *diag);

/* Add a child; it is started by the loop. Errors: VEER_ELIMIT, VEER_ENOMEM, VEER_ENOTFOUND (a need that was not added
 * before). */
VEER_MUST_CHECK enum veer_err supervisor_add(struct supervisor *supervisor, const struct supervise_spec *spec);

/* Start; `on_ready` is called once, when all children are ready and all steps done. */
void supervisor_start(struct supervisor *supervisor, void (*on_ready)(void *ctx), void *ctx);

/* Send a signal to all children that run. */
void supervisor_signal(struct supervisor *supervisor, int signal_number);

/* End all children (SIGTERM, after 10 s SIGKILL), wait for them, free. Blocks. Sets the caller's pointer to NULL. */
void supervisor_free(struct supervisor **supervisor);

#endif
