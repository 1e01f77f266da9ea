/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: threads that answer queries. Each has its own sockets, epoll, buffers and counters; it shares the published
 * plan, and nothing that it writes.
 *
 * Threads: started and stopped by the control thread.
 */
#ifndef VEER_DNSD_WORKER_H
#define VEER_DNSD_WORKER_H

#include "dnsd/rcu.h"
#include "dnsd/respond.h"
#include "dnsd/sockets.h"

#define WORKERS_MAX 256

struct workers;

/* What all workers counted since their start. */
struct worker_totals {
	uint64_t queries;
	uint64_t udp;
	uint64_t tcp;
	uint64_t noerror;
	uint64_t nxdomain;
	uint64_t servfail;
	uint64_t refused;
	uint64_t formerr;
	uint64_t notimp;
	uint64_t badvers;
	uint64_t truncated;
	uint64_t dropped_packet;
	uint64_t dropped_send;
	uint64_t tcp_accepted;
	uint64_t tcp_evicted;
	uint64_t tcp_expired;
};

/* What replies carry, for all workers: published like a plan, and read by each worker right after its quiescent state.
 */
struct worker_config {
	const struct responder_config *_Atomic newest;
};

/*
 * Start a worker for each set of sockets (borrowed; as are `rcu`, which has a reader for each and a plan already, and
 * `config`, not NULL).
 * Errors: VEER_ENOMEM, VEER_EIO; nothing runs then.
 */
enum veer_err workers_start(const struct sockets *sockets, struct rcu *rcu, const struct worker_config *config,
			    struct workers **out);
/* Stop and join all. */
void workers_stop(struct workers **workers);

/* The sums, at about this moment. */
void workers_totals(const struct workers *workers, struct worker_totals *out);

#endif
