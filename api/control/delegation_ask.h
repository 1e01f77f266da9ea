/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks one question to one server, over sockets of our own: by UDP, and by TCP when the reply does not fit.
 *
 * A caller that waits here can be interrupted at once through a descriptor, and no try takes longer than
 * DELEGATION_TRY_MS, even while bytes arrive.
 *
 * Threads: any; each call has its own sockets. Blocks.
 */
#ifndef VEER_API_CONTROL_DELEGATION_ASK_H
#define VEER_API_CONTROL_DELEGATION_ASK_H

#include "api/control/delegation_message.h"
#include "base/resolvers.h"

#define DELEGATION_TRY_MS 1000
#define DELEGATION_TRIES 2 /* for each server */

struct delegation_asker {
	int interrupt_fd;    /* when readable, give up (an eventfd, which is not read here); -1: no interruption */
	int64_t deadline_ms; /* absolute, by the monotonic clock: for all questions together */
};

/*
 * Ask once. When the reply does not fit, the question is repeated by TCP within the same time, and when the server
 * refuses OPT, once more without it. Packets that are not a reply to the question, or cannot be read, are ignored.
 * Errors: VEER_ETIMEOUT, VEER_ECLOSED (interrupted), VEER_EIO (refused, or unreachable), VEER_ECORRUPT (a reply over
 * TCP that cannot be read), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err delegation_ask(const struct delegation_asker *asker, const struct veer_listen *server,
					     const struct delegation_question *question, struct delegation_reply *out);

/*
 * Ask resolvers, one after the other, until one says that the name exists, or that it does not; at most
 * DELEGATION_TRIES rounds. That resolver comes first from then on, so that the silence of the others is waited for only
 * once. Errors: those of delegation_ask(); VEER_EINVAL (none did, and some sent another reply: `out->rcode`).
 */
VEER_MUST_CHECK enum veer_err delegation_resolve(const struct delegation_asker *asker, struct resolvers *resolvers,
						 const uint8_t *name, uint16_t type, struct delegation_reply *out);

#endif
