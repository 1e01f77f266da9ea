/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in checks: what a probe sends may open doors (an Authorization header, a login). Whoever may not change a
 * check is shown that something is there, not what.
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

/* Must what this check sends be hidden from whoever asks? Not from owners, nor from tokens that may change the check.
 */
bool mask_is_needed(struct directory *directory, const struct api_principal *who, const json_t *check);
/* Put "***" for the values of headers (those that only negotiate apart), `body`, `send`, and arguments of `command`. */
void mask_check(json_t *check);
/* A check as a client sent it: VEER_EINVAL and the place when a mask would be stored as a value. */
VEER_MUST_CHECK enum veer_err mask_refuse(const json_t *check, struct veer_diag *diag);

#endif
