/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work on tokens beside requests: storing when they were last used, and removing tokens that ended a week ago (until
 * then they are listed). The same is done for the one-use tokens of enrolment.
 *
 * Threads: one at a time; blocks on the store.
 */
#ifndef VEER_API_CONTROL_TOKEN_CHORES_H
#define VEER_API_CONTROL_TOKEN_CHORES_H

#include "api/control/control.h"

enum { TOKEN_KEPT_S = 7 * 86400 }; /* how long after its end */

/* Do one turn; what fails is due again in the next. */
void token_chores(struct control *control);

#endif
