/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that runs programs for an agent, and the only one that may. It is forked before the agent gives up its
 * privileges and before there are threads, has a user of its own if one is named, and gets its orders over a socket. It
 * does not trust the agent: it knows the directory of programs itself, and checks sizes and numbers.
 *
 * When the agent ends, the runner kills everything that runs, and ends. A program's whole process group is killed when
 * the program ends, when the agent orders it, and when the runner ends.
 *
 * Messages are packets of a SOCK_SEQPACKET socket, both ends of which are this program: structs in host order.
 *   START (with the descriptor for its output; argc + envc strings follow, each with its NUL), KILL, RELOAD ->
 *   <- READY or FAILED, once; REFUSED, always followed by ENDED; ENDED, once for each START
 */
#ifndef VEER_PROBES_AGENT_RUNNER_H
#define VEER_PROBES_AGENT_RUNNER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/privilege.h"

enum {
	RUNNER_RUNNING_MAX = 64,
	RUNNER_ARGUMENTS_MAX = 64, /* of a program, and also of its environment */
	RUNNER_STRINGS_BYTES = 65536,
	RUNNER_TEXT_SIZE = 160,
	RUNNER_DIR_SIZE = 4096,
};

enum runner_kind {
	RUNNER_START = 1,
	RUNNER_KILL,
	RUNNER_RELOAD,
	RUNNER_READY,
	RUNNER_FAILED,
	RUNNER_REFUSED,
	RUNNER_ENDED,
};

struct runner_request {
	uint32_t kind;
	uint32_t id; /* chosen by the agent */
	uint32_t argc;
	uint32_t envc;
};

struct runner_reply {
	uint32_t kind;
	uint32_t id;
	int32_t code;                /* ENDED: the exit code or the signal; REFUSED, FAILED: an enum veer_err */
	uint32_t is_killed;          /* ENDED: by a signal */
	char text[RUNNER_TEXT_SIZE]; /* REFUSED, FAILED: why */
};

struct runner_config {
	const char *dir; /* where programs may be; without final slashes; "": none are allowed */
	/*
	 * Called in the runner when the agent reads its configuration again: write the directory that is allowed from
	 * now on. False: it stays. NULL: RELOAD does nothing.
	 */
	bool (*reload)(void *ctx, char dir[RUNNER_DIR_SIZE]);
	void *ctx;
	const struct privilege_user *user; /* the user to run as; NULL: the present user, with all its rights */
};

/*
 * Fork the runner. `*fd` is our end of its socket, non-blocking, and owned by the caller; closing it ends the runner.
 * `*pid` is its process id. The configuration is borrowed for the call. Errors (diag): VEER_EIO, and as
 * privilege_drop().
 */
VEER_MUST_CHECK enum veer_err runner_start(const struct runner_config *config, int *fd, pid_t *pid,
					   struct veer_diag *diag);

#endif
