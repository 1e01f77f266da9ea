/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a token may give to others, and take from them: a token makes and removes only what is not more than itself. In
 * both functions an asking token of NULL stands for whoever is bounded by nothing.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_TOKEN_RULES_H
#define VEER_API_CONTROL_TOKEN_RULES_H

#include "api/control/directory.h"

/*
 * May `token` (as it is to be stored) be made by the one that asks? It has no scope that this one lacks, and ends
 * before it does; one that has lists makes no others, for patterns are not compared; some scopes go with no lists.
 * Errors: VEER_EAUTH, VEER_EINVAL, with the place in the diag.
 */
VEER_MUST_CHECK enum veer_err token_rules_make(struct directory *directory, const char *asking, const json_t *token,
					       struct veer_diag *diag);

/*
 * May the token `id` be removed by the one that asks: itself, or one that has no scope that it lacks? Whichever ends
 * first: to take a credential away must never have to wait. `*revision` is the one at which it was judged. Errors:
 * VEER_ENOTFOUND; VEER_EAUTH, with the reason in the diag.
 */
VEER_MUST_CHECK enum veer_err token_rules_remove(struct directory *directory, const char *asking, const char *id,
						 int64_t *revision, struct veer_diag *diag);

#endif
