/* SPDX-License-Identifier: Apache-2.0 */
/* Compares one zone with its parent: what the store has, what the parent's servers say, and the result as JSON. */
#ifndef VEER_API_CONTROL_DELEGATION_COMPARE_H
#define VEER_API_CONTROL_DELEGATION_COMPARE_H

#include "api/control/control.h"
#include "api/control/delegation_judge.h"
#include "base/resolvers.h"

struct delegation_outcome {
	enum delegation_state state;
	char *result; /* JSON text (docs/formats.md), which the caller frees; NULL: there is none */
	char summary[DELEGATION_REASON_SIZE];
};

/*
 * Compare. `text` is absolute, as in keys; `interrupt_fd` as in struct delegation_asker; `out` is overwritten. Blocks
 * on the store, and on the network for DELEGATION_FIND_MS at most. Errors: VEER_ETIMEOUT (no resolver answers; there is
 * a result nevertheless), VEER_ECLOSED (interrupted), VEER_ENOTFOUND (there is no such zone), those of the store,
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err delegation_compare(struct control *control, const struct resolvers *resolvers,
						 int interrupt_fd, const char *text, struct delegation_outcome *out);

#endif
