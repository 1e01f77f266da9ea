/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of sites, checks, pools and policies, beside those of the model's readers: what they refer to must be
 * there, and what is written now is read without loss. For the table of kinds; see object_validate_fn in object_kind.h.
 */
#ifndef VEER_API_CONTROL_OBJECT_RULES_H
#define VEER_API_CONTROL_OBJECT_RULES_H

#include "api/control/object_kind.h"

object_validate_fn object_validate_site, object_validate_check, object_validate_pool, object_validate_policy;

#endif
