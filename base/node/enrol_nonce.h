/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random nonce that shows the control plane that the same program asks again with the same one-use token. It is kept
 * in DIR/enrolment.json with mode 0600 before it is sent (docs/formats.md, section 4). Thanks to it, no new token is
 * needed when the reply was lost or the identity could not be stored.
 *
 * Threads: any; blocks on the disk.
 */
#ifndef VEER_BASE_NODE_ENROL_NONCE_H
#define VEER_BASE_NODE_ENROL_NONCE_H

#include "base/crypto.h"
#include "base/err.h"

/*
 * Get the nonce for the token with this hash: the stored one, or a new one, which is then stored. A nonce for another
 * token is overwritten. `dir` NULL: nothing is stored. Errors: VEER_EIO: there are no random bytes, and `nonce` is "".
 * All other errors come from the disk: `nonce` is usable but not stored, and the diag says why.
 */
VEER_MUST_CHECK enum veer_err enrol_nonce(const char *dir, const char *token_sha256, char nonce[CRYPTO_TOKEN_SIZE],
					  struct veer_diag *diag);

#endif
