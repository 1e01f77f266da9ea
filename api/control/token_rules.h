/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tokens a token may make and remove: only those that have no more rights than itself. In both functions, an
 * asking token of NULL means a principal without limits.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_TOKEN_RULES_H
#define VEER_API_CONTROL_TOKEN_RULES_H

#include "api/control/directory.h"

/*
 * May the asking token make `token` (as it is stored)? The new one must have no scope that the asking one lacks, and
 * end no later. An asking token with lists may make no tokens, because patterns are not compared; some scopes cannot be
 * combined with lists. Errors: VEER_EAUTH, VEER_EINVAL, with the place in the diag.
 */
VEER_MUST_CHECK enum veer_err token_rules_make(struct directory *directory, const char *asking, const json_t *token,
					       struct veer_diag *diag);

/*
 * May the asking token remove the token `id`, which is itself, or one that has no scope that it lacks? It does not
 * matter which ends first, because ending a credential must never have to wait. `*revision` is the one at which it was
 * judged. Errors: VEER_ENOTFOUND; VEER_EAUTH, with the reason in the diag.
 */
VEER_MUST_CHECK enum veer_err token_rules_remove(struct directory *directory, const char *asking, const char *id,
						 int64_t *revision, struct veer_diag *diag);

#endif
