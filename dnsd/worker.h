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
#include "dnsd/tcp.h"

#define WORKERS_MAX 256

struct workers;

/* What workers go by beside plans. */
struct worker_config {
	/* published like a plan, and read by each worker right after its quiescent state */
	const struct responder_config *_Atomic newest;
	struct tcp_limits tcp; /* of each worker; does not change */
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
void workers_totals(const struct workers *workers, struct count_totals *out);

#endif
