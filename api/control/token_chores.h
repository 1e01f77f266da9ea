/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done for tokens beside any request: when they were used is stored, and those that ended a week ago are
 * removed; until then a list shows them. The same for the one-use tokens of enrolment.
 *
 * Threads: one at a time; blocks on the store.
 */
#ifndef VEER_API_CONTROL_TOKEN_CHORES_H
#define VEER_API_CONTROL_TOKEN_CHORES_H

#include "api/control/control.h"

enum { TOKEN_KEPT_S = 7 * 86400 }; /* after its end */

/* One turn; what does not succeed is due again with the next. */
void token_chores(struct control *control);

#endif
