/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who names a site, check, pool or policy that is to be deleted. For the table of kinds; see object_find_users_fn in
 * object_kind.h.
 */
#ifndef VEER_API_CONTROL_OBJECT_USERS_H
#define VEER_API_CONTROL_OBJECT_USERS_H

#include "api/control/object_kind.h"

object_find_users_fn object_find_site, object_find_check, object_find_pool, object_find_policy;

#endif
