/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: threads that answer queries. Each has its own sockets, epoll, buffers and counters; it shares the published
 * plan with others, but no memory that it writes.
 *
 * Threads: started and stopped by the control thread.
 */
#ifndef VEER_DNSD_SERVE_WORKER_H
#define VEER_DNSD_SERVE_WORKER_H

#include "dnsd/packet/respond.h"
#include "dnsd/serve/rcu.h"
#include "dnsd/serve/sockets.h"
#include "dnsd/serve/tcp.h"

#define WORKERS_MAX 256

struct workers;

/* The configuration of workers beside plans. */
struct worker_config {
	/* published like a plan, and read by each worker right after its quiescent state */
	const struct responder_config *_Atomic newest;
	struct tcp_limits tcp; /* the limits of each worker; do not change */
	struct tap *tap;       /* where queries are offered, borrowed; NULL: nowhere */
	uint32_t zone_limit;   /* only zones with smaller numbers are counted; does not change */
};

/*
 * Start a worker for each set of sockets (borrowed). `rcu` and `config` are borrowed too; `rcu` must have a reader for
 * each worker and a plan, and `config` must not be NULL.
 * Errors: VEER_ENOMEM, VEER_EIO; nothing runs then.
 */
VEER_MUST_CHECK enum veer_err workers_start(const struct sockets *sockets, struct rcu *rcu,
					    const struct worker_config *config, struct workers **out);
/* Stop and join all. */
void workers_stop(struct workers **workers);

/*
 * Make a channel for each worker, at most `max`, for the connections of a server that we replace. The other ends of the
 * channels are written to `fds` and are the caller's to close. Each packet sent there brings a connection. Call this
 * only once. Returns how many channels there are.
 */
size_t workers_channels(struct workers *workers, int *fds, size_t max);

/*
 * Stop receiving and accepting. Open connections are sent to the channels `fds` (borrowed until workers_resume() or
 * workers_stop()) as soon as nothing is in progress on them; without channels they are served to their end.
 */
void workers_drain(struct workers *workers, const int *fds, size_t count);
/* Have all workers stopped receiving, and answered what they had received? */
bool workers_are_quiet(const struct workers *workers);
/* Have all workers no connections left, either? */
bool workers_are_drained(const struct workers *workers);
/* Receive and accept again. */
void workers_resume(struct workers *workers);

/* The sums of all workers' counters, approximately at this moment. */
void workers_totals(const struct workers *workers, struct count_totals *out);
/* The number of queries for the zone with this number. */
uint64_t workers_zone_total(const struct workers *workers, uint32_t number);

#endif
