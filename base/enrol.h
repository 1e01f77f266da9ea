/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanging a one-use token for an identity: POST /v1/enrol at one control plane after the other, until one answers.
 *
 * Threads: the loop's.
 */
#ifndef VEER_BASE_ENROL_H
#define VEER_BASE_ENROL_H

#include "base/link.h"
#include "base/log.h"
#include "base/loop.h"

struct enrol;

/*
 * Called once. `identity` is borrowed for the call, with `api` filled in; or NULL when a control plane refused for
 * good: then `reason` says why, for people.
 */
typedef void enrol_done_fn(void *ctx, const struct identity *identity, const char *reason);

/*
 * Start. `loop`, `link` and `log` are borrowed; `token`, `kind` ("agent", "nameserver") and `region` (may be NULL) are
 * copied. Answers that more tries may change (no connection, 408, 429, 5xx) are tried again for ever. Errors: NULL when
 * memory is out.
 */
struct enrol *enrol_start(struct loop *loop, const struct link *link, struct logger *log, const char *token,
			  const char *kind, const char *region, enrol_done_fn *done, void *ctx);
/* Also ends a try that runs. May be called from `done`. */
void enrol_free(struct enrol **enrol);

#endif
