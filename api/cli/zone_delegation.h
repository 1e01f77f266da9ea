/* SPDX-License-Identifier: Apache-2.0 */
/* What `veer status` says of zones whose parents say something else. */
#ifndef VEER_API_CLI_ZONE_DELEGATION_H
#define VEER_API_CLI_ZONE_DELEGATION_H

#include <stdbool.h>

#include "base/json.h"

/* A line for each zone whose delegation differs or is missing, 20 at most; nothing without. */
void delegations_print(const json_t *delegations);
/* Is there one, by /v1/status? */
bool delegations_are_wrong(const json_t *status);

#endif
