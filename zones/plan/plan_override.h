/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's overrides and doubts, for the other files of the builder. */
#ifndef VEER_ZONES_PLAN_PLAN_OVERRIDE_H
#define VEER_ZONES_PLAN_PLAN_OVERRIDE_H

#include "zones/plan/plan_impl.h"

build_put_fn build_put_override;
build_del_fn build_del_override;
build_free_fn build_free_override; /* with all doubts */
/* The override of this endpoint, POOL/NAME; NULL: none. Borrowed. */
const enum model_override_action *build_override(const struct plan_builder *b, const char *key, size_t len);
/* Is the endpoint in doubt? */
bool build_is_in_doubt(const struct plan_builder *b, const char *key, size_t len);

#endif
