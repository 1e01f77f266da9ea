/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An agent: enrols once, follows its assignments, probes, reports. It goes on probing when no control plane answers,
 * and starts again from DIR/assignments.json when it restarts alone.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_AGENT_H
#define VEER_PROBES_AGENT_AGENT_H

#include <stddef.h>

#include <sys/types.h>

#include "base/log.h"
#include "base/loop.h"

/* What the command line and the configuration file say. Strings are borrowed for the call only. */
struct agent_settings {
	const char *api;        /* URL[,URL…] */
	const char *api_ca;     /* PEM file for https:// URLs; NULL: the system's */
	const char *token_file; /* NULL: an identity must be there */
	const char *state_dir;
	const char *region;            /* NULL: whatever enrolment says */
	const char *allow_targets;     /* NULL: none of the special ones */
	const char *deny_targets;      /* prefixes, or NULL */
	int runner_fd;                 /* of the runner that was started for us (runner.h); -1: none */
	pid_t runner;                  /* its number */
	const char *allow_exec;        /* a directory of programs; NULL: none are run */
	const char *const *references; /* texts (reference.h); `reference_count` of them */
	size_t reference_count;
};

/* What the owner is told. */
struct agent_events {
	void (*enrolled)(void *ctx, const char *id, const char *region); /* from now on it serves. Called once */
	void (*failed)(void *ctx, const char *reason);                   /* it cannot go on; called at most once */
	void *ctx;
};

struct agent;

/*
 * Check the settings, open the state, and start: the callbacks come from the loop. `loop` and `log` are borrowed.
 * Errors (diag): VEER_EINVAL (a URL, a target class, a region that is not the enrolled one), VEER_EBUSY (another agent
 * uses the directory), VEER_ENOTFOUND (no identity and no token), those of reading files; VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err agent_new(const struct agent_settings *settings, const struct agent_events *events,
					struct loop *loop, struct logger *log, struct agent **out,
					struct veer_diag *diag);
/* Ends everything that runs. `*agent_ptr` may be NULL. */
void agent_free(struct agent **agent_ptr);

/*
 * Take over URLs, CA file, allowed targets, programs and references from new settings, and connect anew. On failure
 * nothing changes. Errors (diag): VEER_EINVAL; also when the directory or the region is another one: that needs a
 * restart.
 */
VEER_MUST_CHECK enum veer_err agent_reload(struct agent *agent, const struct agent_settings *settings,
					   struct veer_diag *diag);

#endif
