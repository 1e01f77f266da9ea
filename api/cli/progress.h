/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a long import is, on a terminal: asks the API now and then, from a thread of its own, and draws one line on
 * stderr.
 */
#ifndef VEER_API_CLI_PROGRESS_H
#define VEER_API_CLI_PROGRESS_H

#include "api/cli/cli.h"

struct progress;

/* Start drawing what GET `path` says: {"state", "done", "total"}. NULL when it cannot; nothing else fails then. */
struct progress *progress_start(const struct cli *cli, const char *path);
/* Stop and clear the line. `*progress` may be NULL. */
void progress_stop(struct progress **progress);

#endif
