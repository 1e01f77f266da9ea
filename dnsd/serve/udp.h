/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS over UDP, in batches: one system call receives up to UDP_BATCH packets, and one sends their replies.
 *
 * Threads: a batch belongs to one worker.
 */
#ifndef VEER_DNSD_SERVE_UDP_H
#define VEER_DNSD_SERVE_UDP_H

#include "dnsd/packet/respond.h"
#include "dnsd/serve/rcu.h"

#define UDP_BATCH 32

struct udp_batch;

/* Make the buffers for one worker. NULL when memory is out. Caller frees. */
struct udp_batch *udp_batch_new(void);
void udp_batch_free(struct udp_batch **batch);

/*
 * Answer the packets that wait at `fd`, at most `max` of them. Before each batch the worker (reader `reader` of `rcu`)
 * shows a quiescent state and takes the newest plan. `has_pktinfo`: the socket is bound to the wildcard address.
 */
void udp_serve(struct udp_batch *batch, struct responder *responder, struct rcu *rcu, unsigned reader, int fd,
	       bool has_pktinfo, unsigned max);

#endif
