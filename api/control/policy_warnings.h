/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the author of a policy should know although it is not an error: the `warnings` of the reply.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_POLICY_WARNINGS_H
#define VEER_API_CONTROL_POLICY_WARNINGS_H

#include "api/control/control.h"

struct model_policy;

/* An array of sentences, empty when there are no warnings. Ownership: the caller's. NULL when memory is out. */
json_t *policy_warnings(struct control *control, const struct model_policy *policy);

#endif
