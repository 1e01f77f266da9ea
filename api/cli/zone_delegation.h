/* SPDX-License-Identifier: Apache-2.0 */
/* What `veer status` says about zones whose delegation at the parent differs. */
#ifndef VEER_API_CLI_ZONE_DELEGATION_H
#define VEER_API_CLI_ZONE_DELEGATION_H

#include <stdbool.h>

#include "base/json.h"

/* Print a line for each zone whose delegation differs or is missing, 20 at most; nothing if there is no such zone. */
void delegations_print(const json_t *delegations);
/* Is there such a zone, by /v1/status? */
bool delegations_are_wrong(const json_t *status);

#endif
