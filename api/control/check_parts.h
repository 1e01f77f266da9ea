/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The references between checks: the parts from which a calculated check is calculated, and how many items that makes.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_CHECK_PARTS_H
#define VEER_API_CONTROL_CHECK_PARTS_H

#include "api/control/directory.h"

/*
 * Do the parts of a calculated check exist, without loops or too many levels, and would no pool have more checks and
 * parts than VERDICT_ITEMS_MAX? Errors: VEER_EINVAL with the place in the diag, VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err check_parts_judge(struct directory *directory, const struct model_check *check,
						struct veer_diag *diag);
/* Are the pool's checks, with the parts of calculated ones, no more than VERDICT_ITEMS_MAX? Errors: the same. */
VEER_MUST_CHECK enum veer_err check_parts_judge_pool(struct directory *directory, const struct model_pool *pool,
						     struct veer_diag *diag);

#endif
