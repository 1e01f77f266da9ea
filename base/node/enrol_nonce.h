/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What shows a control plane that the same program asks again with the same one-use token: a random nonce, kept in
 * DIR/enrolment.json with mode 0600 before it is sent (docs/formats.md, section 4). With it a reply that was lost, or
 * an identity that could not be kept, costs no new token.
 *
 * Threads: any; blocks on the disk.
 */
#ifndef VEER_BASE_NODE_ENROL_NONCE_H
#define VEER_BASE_NODE_ENROL_NONCE_H

#include "base/crypto.h"
#include "base/err.h"

/*
 * The nonce for the token of this hash: the kept one, or a new one, kept from now on; one for another token is
 * overwritten. `dir` NULL: it is not kept. Errors: VEER_EIO: there are no random bytes, and `nonce` is "". Others are
 * of the disk: `nonce` is good, but lives no longer than the caller, and the diag says why.
 */
VEER_MUST_CHECK enum veer_err enrol_nonce(const char *dir, const char *token_sha256, char nonce[CRYPTO_TOKEN_SIZE],
					  struct veer_diag *diag);

#endif
