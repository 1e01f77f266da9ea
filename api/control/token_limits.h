/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a token with lists of endpoints, checks and zones may touch. In all functions, a token of NULL means a principal
 * that is not limited by lists.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_TOKEN_LIMITS_H
#define VEER_API_CONTROL_TOKEN_LIMITS_H

#include "api/control/directory.h"

/* The kinds of lists that may limit a token, beside its scopes. */
enum token_limit { TOKEN_LIMIT_ENDPOINTS, TOKEN_LIMIT_CHECKS, TOKEN_LIMIT_ZONES, TOKEN_LIMITS };
extern const char *const token_limit_names[TOKEN_LIMITS]; /* the fields' names in a token */

/* May the token touch the object of this name (POOL/NAME, a check, an absolute zone name)? */
bool token_may_touch(struct directory *directory, const char *token, enum token_limit limit, const char *name);
/* The same, with a diag. Errors: VEER_EAUTH. */
VEER_MUST_CHECK enum veer_err token_judge_touch(struct directory *directory, const char *token, enum token_limit limit,
						const char *name, struct veer_diag *diag);
/* The same for changing the object itself: a token that has a list only for other kinds of objects may not. */
VEER_MUST_CHECK enum veer_err token_judge_change(struct directory *directory, const char *token, enum token_limit limit,
						 const char *name, struct veer_diag *diag);
/* May the token change what concerns all objects (sites, policies, settings)? Errors: VEER_EAUTH. */
VEER_MUST_CHECK enum veer_err token_judge_change_all(struct directory *directory, const char *token,
						     struct veer_diag *diag);

#endif
