/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference targets: places that the agent's own operator named, because they are nearly always there. When not even
 * one of them can be reached it is the agent that is cut off, and what it sees of endpoints says nothing: it is blind.
 *
 * All are looked at once a second, and at once when a probe begins to fail. After a look at which none answered the
 * next follows in 100 ms. Blind: each has failed twice in a row; no longer, at once, when one answers. What is the
 * agent's own trouble (no descriptors) counts neither way. Each look is a TCP connect or an ICMP echo with a deadline
 * of 500 ms, so that an agent that is cut off knows within 2.2 s, and sooner when it probes often.
 *
 * They come from the agent's own options only; whatever their addresses, the operator allows them.
 *
 * Threads: the loop's.
 */
#ifndef VEER_PROBES_AGENT_REFERENCE_H
#define VEER_PROBES_AGENT_REFERENCE_H

#include <stddef.h>

#include "base/log.h"
#include "probes/agent/check.h"
#include "probes/verdict/reference_address.h"

struct references;

/*
 * None yet. `env` is copied, its parts and `log` are borrowed; `changed` is called when the agent becomes blind or sees
 * again. NULL when memory is out.
 */
struct references *references_new(const struct check_env *env, struct logger *log, void (*changed)(void *ctx),
				  void *ctx);
/* Before the env is closed. `*references` may be NULL. */
void references_free(struct references **references);

/*
 * Look at these from now on: "HOST:PORT", "[V6]:PORT" or "icmp:HOST" (copied). A list that is the same changes nothing;
 * another one begins anew, and an agent that was blind stays so until one answers. Without any it is never blind.
 * Errors (diag; nothing changes): VEER_EINVAL, VEER_ELIMIT (over REFERENCES_MAX), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err references_set(struct references *references, const char *const *texts, size_t count,
					     struct veer_diag *diag);

/* A probe has begun to fail: look soon. */
void references_hurry(struct references *references);

/* Is the agent cut off, as far as the references tell? */
bool references_are_blind(const struct references *references);

#endif
