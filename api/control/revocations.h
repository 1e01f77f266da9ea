/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records revoked credentials in a file beside the store: "revoked-NAME", with a line for each (docs/formats.md,
 * section 10). A store that is restored from before a revocation still has the credential; because of the file, it does
 * not become valid again.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_REVOCATIONS_H
#define VEER_API_CONTROL_REVOCATIONS_H

#include "api/control/control.h"

/* Note durably that an agent's or a name server's identity, or a token, was revoked. A failure is logged. */
void revocations_note(struct control *control, enum model_kind kind, const char *id);
/* Revoke in the store what was revoked before. Call it before anybody is served. Errors: those of a commit. */
VEER_MUST_CHECK enum veer_err revocations_apply(struct control *control);

#endif
