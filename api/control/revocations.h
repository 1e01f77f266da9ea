/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was revoked, in a file beside the store: "revoked-NAME", a line each (docs/formats.md, section 10). A store that
 * is put back from before a revocation has the credential still; with the file it does not come to life again.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_REVOCATIONS_H
#define VEER_API_CONTROL_REVOCATIONS_H

#include "api/control/control.h"

/* An agent's or a name server's identity, or a token, was revoked: note it, durably. What stands in the way is said. */
void revocations_note(struct control *control, enum model_kind kind, const char *id);
/* Revoke in the store what was revoked before. Errors: those of a commit. Before anybody is served. */
VEER_MUST_CHECK enum veer_err revocations_apply(struct control *control);

#endif
