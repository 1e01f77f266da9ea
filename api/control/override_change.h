/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overrides as people write and release them, as wishes for change(). The safety rule is in overrides.h.
 *
 * Threads: any thread that may block on the store.
 */
#ifndef VEER_API_CONTROL_OVERRIDE_CHANGE_H
#define VEER_API_CONTROL_OVERRIDE_CHANGE_H

#include "api/control/change.h"
#include "api/control/overrides.h"

/*
 * Make the wish to put the overrides; `*w` must outlive the change. A precondition applies to the override of each
 * endpoint. Problems: CHANGE_FORBIDDEN, CHANGE_PRECONDITION, CHANGE_MISSING (an endpoint), CHANGE_WOULD_EMPTY.
 */
struct change_wish override_put_wish(struct override_wish *w);

/*
 * Make the wish to release the override of `endpoint` (POOL/NAME), which must outlive the change. Problems:
 * CHANGE_MISSING, CHANGE_IN_USE (it belongs to a maintenance window), CHANGE_FORBIDDEN, CHANGE_PRECONDITION.
 */
struct change_wish override_release_wish(const char *endpoint);

#endif
