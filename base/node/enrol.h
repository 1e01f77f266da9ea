/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanging a one-use token for an identity: POST /v1/enrol at one control plane after the other, until one answers.
 *
 * Threads: the loop's.
 */
#ifndef VEER_BASE_NODE_ENROL_H
#define VEER_BASE_NODE_ENROL_H

#include "base/log.h"
#include "base/loop.h"
#include "base/node/link.h"

struct enrol;

/*
 * Called once. `identity` is borrowed for the call, with `api` filled in; or NULL when a control plane refused finally;
 * then `reason` says why, for people.
 */
typedef void enrol_done_fn(void *ctx, const struct identity *identity, const char *reason);

/*
 * Start. `loop`, `link` and `log` are borrowed; `token`, `kind` ("agent", "nameserver") and `region` (may be NULL) are
 * copied, `state_dir` (may be NULL) is where the nonce is kept (enrol_nonce.h), read and written before this returns.
 * After failures that may go away (no connection, 408, 429, 5xx, a 409 because two enrolled at once, a 422 because
 * there is no room) it tries again for ever, and logs them. Errors: NULL when memory is out.
 */
struct enrol *enrol_start(struct loop *loop, const struct link *link, struct logger *log, const char *token,
			  const char *kind, const char *region, const char *state_dir, enrol_done_fn *done, void *ctx);
/* The SHA-256 of the token that is being exchanged, in hex; lives as long as the enrolment. */
const char *enrol_token_sha256(const struct enrol *enrol);

#define ENROL_TOKEN_SIZE 256
/*
 * Does `token_file` (NULL: no) hold a token that was neither exchanged for this identity nor refused since? Then it is
 * copied to `token`, and the node must enrol again under a new identity. Reads the disk; a file that cannot be read
 * counts as holding no token.
 */
bool enrol_token_is_new(const char *token_file, const struct identity *identity, char token[ENROL_TOKEN_SIZE]);

/* Free the enrolment; an attempt that is running is cancelled. May be called from `done`. */
void enrol_free(struct enrol **enrol_ptr);

#endif
