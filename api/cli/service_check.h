/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks what the schema of the service's configuration cannot express. The programs would refuse the same mistakes,
 * but one at a time and without the line.
 */
#ifndef VEER_API_CLI_SERVICE_CHECK_H
#define VEER_API_CLI_SERVICE_CHECK_H

#include <stdbool.h>

#include "base/config.h"
#include "base/err.h"
#include "base/json.h"

/*
 * Judge `service`, which was read from `config` by its schema. `with_files`: the files that it names must be readable,
 * too. Errors: VEER_EINVAL; the diag says FILE:LINE and what is wrong first.
 */
enum veer_err service_check(const struct config *config, const json_t *service, bool with_files,
			    struct veer_diag *diag);

#endif
