/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in checks: what a probe sends may give access (an Authorization header, a login). A principal that may not
 * change a check is shown that such a value exists, but not the value.
 *
 * Threads: any.
 */
#ifndef VEER_API_REST_MASK_H
#define VEER_API_REST_MASK_H

#include <stdbool.h>

#include "api/control/directory.h"
#include "api/http/request.h"
#include "base/err.h"
#include "base/json.h"

/*
 * Must what this check sends be hidden from this principal? Not from owners, nor from tokens that may change the check.
 */
bool mask_is_needed(struct directory *directory, const struct api_principal *who, const json_t *check);
/*
 * Replace by "***" the values of headers (except headers that only negotiate), `body`, `send`, and arguments of
 * `command`.
 */
void mask_check(json_t *check);
/* Check an object as a client sent it: VEER_EINVAL and the place when a mask would be stored as a value. */
VEER_MUST_CHECK enum veer_err mask_refuse(const json_t *check, struct veer_diag *diag);

#endif
