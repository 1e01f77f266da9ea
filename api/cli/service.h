/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole service on one host as a list of children: the control plane, a name server, probe agents, from one
 * configuration file (docs/configuration.md).
 */
#ifndef VEER_API_CLI_SERVICE_H
#define VEER_API_CLI_SERVICE_H

#include <stddef.h>

#include "api/cli/service_options.h"
#include "api/cli/supervise.h"
#include "base/json.h"

#define SERVICE_PATH_SIZE 1024

/* A configuration that was read and checked. */
struct service {
	json_t *config;                        /* owned */
	struct arena *arena;                   /* of the tables; owned */
	struct config_schema api, dnsd, probe; /* which keys the sections may have */
	char state[SERVICE_PATH_SIZE];         /* the directory of all state, absolute */
	char programs[SERVICE_PATH_SIZE]; /* the directory of the other programs: that of this one, or the sbin beside
					     its bin */
	char socket[SERVICE_PATH_SIZE + 16]; /* "unix:STATE/api.sock" */
	const char *log_dir; /* directory for children's standard error; NULL: they use ours. Borrowed */
};

/*
 * Read the file; `with_files`: the files that it names must be readable, too. The diag says FILE:LINE. Errors:
 * VEER_EINVAL, VEER_ENOTFOUND and the like.
 */
VEER_MUST_CHECK enum veer_err service_load(const char *path, bool with_files, struct service *out,
					   struct veer_diag *diag);
/*
 * Make the directory of the state. When programs have users of their own, it belongs to the control plane's user, and
 * others may pass through it. Errors (diag): as file_make_dirs() and privilege_give_dir().
 */
VEER_MUST_CHECK enum veer_err service_make_state(const struct service *s, struct veer_diag *diag);
/* Release everything; may also be called after service_load() has failed. */
void service_deinit(struct service *service);

/*
 * Make the state's directories and add all children to the supervisor. Errors: those of service_make_state() and
 * supervisor_add().
 */
VEER_MUST_CHECK enum veer_err service_add(const struct service *s, struct supervisor *supervisor,
					  struct veer_diag *diag);

/* Fill in `programs` only: the directory of this program, or the sbin beside it when the others are installed there.
 * Errors: VEER_ENOTFOUND, VEER_EIO; diag. */
VEER_MUST_CHECK enum veer_err service_find_programs(struct service *s, struct veer_diag *diag);

#endif
