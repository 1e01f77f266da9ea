/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which keys the sections of `veer run`'s file may have: the options that the programs accept by their own tables
 * (`PROGRAM --describe-options`), except those that `veer run` sets itself.
 *
 * Threads: one, at the start.
 */
#ifndef VEER_API_CLI_SERVICE_OPTIONS_H
#define VEER_API_CLI_SERVICE_OPTIONS_H

#include "base/arena.h"
#include "base/config.h"

struct service_section {
	const char *program;         /* "veer-dnsd" */
	const char *const *own;      /* options that `veer run` sets itself; ended by NULL */
	const char *const *required; /* keys that its file must hold; ended by NULL */
	const char *const *more;     /* keys (texts) that are not options of the program; ended by NULL */
};

/*
 * The schema for a program that cannot be asked: what is required must be there, anything else is accepted. Errors:
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err service_options_open(const struct service_section *section, struct arena *arena,
						   struct config_schema *out);

/*
 * Ask the program in `directory` for its table. `*out` and what it points to live in `arena`. A program has 10 s to
 * answer, with at most 256 KiB. Errors (diag): VEER_EIO, VEER_ETIMEOUT, VEER_EINVAL (it is another program),
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err service_options_ask(const char *directory, const struct service_section *section,
						  struct arena *arena, struct config_schema *out,
						  struct veer_diag *diag);

#endif
