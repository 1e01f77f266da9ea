/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows on a terminal how far a long import is: asks the API now and then, in a thread of its own, and draws one line
 * on stderr.
 */
#ifndef VEER_API_CLI_PROGRESS_H
#define VEER_API_CLI_PROGRESS_H

#include "api/cli/cli.h"

struct progress;

/*
 * Start drawing the reply of GET `path`: {"state", "done", "total"}. NULL when that is impossible; nothing else fails
 * then.
 */
struct progress *progress_start(const struct cli *cli, const char *path);
/* Stop and clear the line. `*progress` may be NULL. */
void progress_stop(struct progress **progress);

#endif
