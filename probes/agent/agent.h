/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An agent: enrols once, follows its assignments, probes, reports. It continues to probe when no control plane answers,
 * and when it restarts without one it uses DIR/assignments.json.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_AGENT_H
#define VEER_PROBES_AGENT_AGENT_H

#include <stddef.h>

#include <sys/types.h>

#include "base/log.h"
#include "base/loop.h"

/* The settings from the command line and the configuration file. Strings are borrowed for the call only. */
struct agent_settings {
	const char *api;        /* URL[,URL…] */
	const char *api_ca;     /* PEM file for https:// URLs; NULL: the system's */
	const char *token_file; /* NULL: there must be an identity already */
	const char *state_dir;
	const char *region;            /* NULL: the region that enrolment assigns */
	const char *allow_targets;     /* NULL: no special targets */
	const char *deny_targets;      /* prefixes, or NULL */
	int runner_fd;                 /* socket of the runner that was started for this agent (runner.h); -1: none */
	pid_t runner;                  /* its process id */
	const char *allow_exec;        /* a directory of programs; NULL: none are run */
	const char *const *references; /* `reference_count` texts (reference.h) */
	size_t reference_count;
};

/* Callbacks to the owner. */
struct agent_events {
	void (*enrolled)(void *ctx, const char *id, const char *region); /* the agent serves from now on; called once */
	void (*failed)(void *ctx, const char *reason); /* the agent cannot go on; called at most once */
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
/* End everything that runs, and free the agent. `*agent_ptr` may be NULL. */
void agent_free(struct agent **agent_ptr);

/*
 * Take over URLs, CA file, allowed targets, programs and references from new settings, and connect anew. On failure
 * nothing changes. Errors (diag): VEER_EINVAL; also when the directory or the region differs, because that needs a
 * restart.
 */
VEER_MUST_CHECK enum veer_err agent_reload(struct agent *agent, const struct agent_settings *settings,
					   struct veer_diag *diag);

#endif
