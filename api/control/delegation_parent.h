/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a zone's parent and its servers through a resolver, and asks these servers about the zone.
 *
 * Threads: any. Blocks, for DELEGATION_FIND_MS at most.
 */
#ifndef VEER_API_CONTROL_DELEGATION_PARENT_H
#define VEER_API_CONTROL_DELEGATION_PARENT_H

#include "api/control/delegation_ask.h"
#include "api/control/delegation_judge.h"

#define DELEGATION_FIND_MS 12000 /* for everything; half of it for the resolver */

/*
 * Ask. `zone` is in lower case and not the root; `interrupt_fd` as in struct delegation_asker; `out` is overwritten. It
 * is not an error when no server of the parent could be asked: then `out->why` says why.
 * Errors: VEER_ETIMEOUT (no resolver has answered at all, and `out->why` says so), VEER_ECLOSED (interrupted),
 * VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err delegation_parent_ask(const struct resolvers *resolvers, int interrupt_fd,
						    const uint8_t *zone, struct delegation_parent *out);

/* Read the reply of a parent's server to "NS of the zone": fills server->result, rcode and set. */
void delegation_server_take(const uint8_t *zone, const struct delegation_reply *reply,
			    struct delegation_server *server);

#endif
