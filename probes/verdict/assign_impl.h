/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of assign.h. */
#ifndef VEER_PROBES_VERDICT_ASSIGN_IMPL_H
#define VEER_PROBES_VERDICT_ASSIGN_IMPL_H

#include <stdbool.h>

#include "base/json.h"
#include "zones/model/model.h"

/*
 * The object for a check, as in docs/formats.md, section 1. `*failed` is set when memory is out. Ownership: the
 * caller's.
 */
json_t *assign_check_json(const struct model_check *check, bool *failed);

#endif
