/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which RRsets are bound to a policy that is to be deleted. There may be millions of RRsets, and nobody may bind one,
 * nor drain an endpoint, while the deletion is judged: so all are looked at first, without the gate (change.h), and
 * under it only what was written since.
 *
 * Threads: any that may block on the store.
 */
#ifndef VEER_API_CONTROL_POLICY_USERS_H
#define VEER_API_CONTROL_POLICY_USERS_H

#include "api/control/control.h"

#define POLICY_USERS_MAX                                                                                               \
	64 /* as many are noted; one is enough to refuse, unless it is of a version that is not shown */

struct policy_users;

/*
 * Look at all RRsets of the store, at one revision, for those bound to the policy `name` (borrowed). `*out` is in the
 * arena, as is what policy_users_judge() needs. Takes as long as there are RRsets. Errors: VEER_ENOMEM, VEER_EIO.
 */
VEER_MUST_CHECK enum veer_err policy_users_look(struct control *control, const char *name, struct arena *arena,
						struct policy_users **out);
/*
 * The same, as of now, under the gate: what has been written since is read from the store's history (all RRsets again,
 * if that does not reach back so far). May be called again. Errors: VEER_EBUSY, and the diag names a bound RRset;
 * VEER_ENOMEM, VEER_EIO.
 */
VEER_MUST_CHECK enum veer_err policy_users_judge(struct policy_users *users, struct veer_diag *diag);

#endif
