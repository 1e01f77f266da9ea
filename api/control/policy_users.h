/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the RRsets that are bound to a policy before it is deleted. There may be millions of RRsets, and while the gate
 * (change.h) is held for the deletion, nobody can bind one or drain an endpoint. So all RRsets are searched before the
 * gate is taken, and under it only those that were written since.
 *
 * Threads: any thread that may block on the store.
 */
#ifndef VEER_API_CONTROL_POLICY_USERS_H
#define VEER_API_CONTROL_POLICY_USERS_H

#include "api/control/control.h"

#define POLICY_USERS_MAX 64 /* noted at most; one is enough to refuse, unless its version is not visible */

struct policy_users;

/*
 * Search all RRsets of the store, at one revision, for those bound to the policy `name` (borrowed). `*out` and what
 * policy_users_judge() needs live in the arena. The time is proportional to the number of RRsets. Errors: VEER_ENOMEM,
 * VEER_EIO.
 */
VEER_MUST_CHECK enum veer_err policy_users_look(struct control *control, const char *name, struct arena *arena,
						struct policy_users **out);
/*
 * Judge by the present state, under the gate: RRsets that were written since are read from the store's history (or all
 * RRsets again, if that does not reach back so far). May be called again. Errors: VEER_EBUSY, with a bound RRset in the
 * diag; VEER_ENOMEM, VEER_EIO.
 */
VEER_MUST_CHECK enum veer_err policy_users_judge(struct policy_users *users, struct veer_diag *diag);

#endif
