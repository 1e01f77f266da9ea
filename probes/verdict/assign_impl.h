/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of assign.h share. */
#ifndef VEER_PROBES_VERDICT_ASSIGN_IMPL_H
#define VEER_PROBES_VERDICT_ASSIGN_IMPL_H

#include <stdbool.h>

#include "base/json.h"
#include "zones/model/model.h"

/* The object of docs/formats.md, section 1, of a check. `*failed` is set when memory is out. Ownership: the caller's.
 */
json_t *assign_check_json(const struct model_check *check, bool *failed);

#endif
