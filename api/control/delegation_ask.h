/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to one server, over sockets of our own: UDP, and TCP where the reply does not fit.
 *
 * Who waits here can be interrupted at once by a descriptor, and no try takes longer than DELEGATION_TRY_MS, whatever
 * trickles in.
 *
 * Threads: any; each call has its own sockets. Blocks.
 */
#ifndef VEER_API_CONTROL_DELEGATION_ASK_H
#define VEER_API_CONTROL_DELEGATION_ASK_H

#include "api/control/delegation_message.h"
#include "base/resolvers.h"

#define DELEGATION_TRY_MS 1000
#define DELEGATION_TRIES 2 /* of each server */

struct delegation_asker {
	int interrupt_fd;    /* readable: give up (an eventfd, which is not read here); -1: nobody interrupts */
	int64_t deadline_ms; /* absolute, of the monotonic clock: for all questions together */
};

/*
 * Ask once. A reply that does not fit is asked for by TCP within the same time, and a server that refuses OPT once more
 * without it. What is no reply to the question, or cannot be read, is passed over.
 * Errors: VEER_ETIMEOUT, VEER_ECLOSED (interrupted), VEER_EIO (refused, or unreachable), VEER_ECORRUPT (a reply over
 * TCP that cannot be read), VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err delegation_ask(const struct delegation_asker *asker, const struct veer_listen *server,
					     const struct delegation_question *question, struct delegation_reply *out);

/*
 * Ask resolvers, one after the other, until one says that there is such a name, or that there is none; at most
 * DELEGATION_TRIES rounds. That one comes first from then on, so that the others' silence is waited for once. Errors:
 * those of delegation_ask(); VEER_EINVAL (none did, and some answered otherwise: `out->rcode`).
 */
VEER_MUST_CHECK enum veer_err delegation_resolve(const struct delegation_asker *asker, struct resolvers *resolvers,
						 const uint8_t *name, uint16_t type, struct delegation_reply *out);

#endif
