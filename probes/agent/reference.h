/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference targets: targets that the agent's operator has named, because they are nearly always reachable. When none
 * of them can be reached, the agent itself is cut off, and its observations say nothing about endpoints: the agent is
 * blind.
 *
 * All references are probed once a second, and at once when a probe of an endpoint begins to fail. After a round in
 * which none answered, the next follows in 100 ms. The agent becomes blind when each reference has failed twice in a
 * row, and stops being blind as soon as one answers. The agent's own failures (no descriptors) do not count. Each probe
 * is a TCP connect or an ICMP echo with a deadline of 500 ms, so an agent that is cut off knows it within 2.2 s, and
 * sooner when it probes often.
 *
 * References come only from the agent's own options; the operator allows them, whatever their addresses.
 *
 * Threads: the loop's thread.
 */
#ifndef VEER_PROBES_AGENT_REFERENCE_H
#define VEER_PROBES_AGENT_REFERENCE_H

#include <stddef.h>

#include "base/log.h"
#include "probes/agent/check.h"
#include "probes/verdict/reference_address.h"

struct references;

/*
 * Make an empty set. `env` is copied, its parts and `log` are borrowed; `changed` is called when the agent becomes
 * blind or stops being blind. NULL when memory is out.
 */
struct references *references_new(const struct check_env *env, struct logger *log, void (*changed)(void *ctx),
				  void *ctx);
/* Free the references, before `env` is closed. `*references` may be NULL. */
void references_free(struct references **references);

/*
 * Probe these references from now on: "HOST:PORT", "[V6]:PORT" or "icmp:HOST" (copied). An equal list changes nothing;
 * another one begins anew, and a blind agent stays blind until one answers. Without references the agent is never
 * blind. Errors (diag; nothing changes): VEER_EINVAL, VEER_ELIMIT (over REFERENCES_MAX), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err references_set(struct references *references, const char *const *texts, size_t count,
					     struct veer_diag *diag);

/* A probe has begun to fail: probe the references soon. */
void references_hurry(struct references *references);

/* Is the agent cut off, according to the references? */
bool references_are_blind(const struct references *references);

#endif
