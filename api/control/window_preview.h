/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a maintenance window would not drain, computed before it begins: the safety rule is applied to one pool after
 * the other, in the order of their names, as the controller will do when the window begins, but with today's overrides.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_WINDOW_PREVIEW_H
#define VEER_API_CONTROL_WINDOW_PREVIEW_H

#include "api/control/directory.h"
#include "zones/model/model.h"

/*
 * An array of {"pool", "reason"}, empty if everything would be drained; Ownership: the caller's. NULL when memory is
 * out.
 */
json_t *window_preview(struct directory *directory, const struct model_maintenance *window, struct arena *arena);

/* Does the window cover this endpoint of this pool, whether it is active or not? */
bool window_covers(const struct model_maintenance *window, const char *pool, const struct model_endpoint *endpoint);

#endif
