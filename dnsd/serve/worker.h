/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: threads that answer queries. Each has its own sockets, epoll, buffers and counters; it shares the published
 * plan, and nothing that it writes.
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

/* What workers go by beside plans. */
struct worker_config {
	/* published like a plan, and read by each worker right after its quiescent state */
	const struct responder_config *_Atomic newest;
	struct tcp_limits tcp; /* of each worker; does not change */
	struct tap *tap;       /* where queries are shown, borrowed; NULL: nowhere */
	uint32_t zone_limit;   /* zones with smaller numbers are counted; does not change */
};

/*
 * Start a worker for each set of sockets (borrowed; as are `rcu`, which has a reader for each and a plan already, and
 * `config`, not NULL).
 * Errors: VEER_ENOMEM, VEER_EIO; nothing runs then.
 */
VEER_MUST_CHECK enum veer_err workers_start(const struct sockets *sockets, struct rcu *rcu,
					    const struct worker_config *config, struct workers **out);
/* Stop and join all. */
void workers_stop(struct workers **workers);

/*
 * For connections of a server whose place we take: make a channel for each worker, at most `max`, and write our ends of
 * them to `fds`, the caller's to close. Each packet sent there brings a connection. Call once. Returns how many.
 */
size_t workers_channels(struct workers *workers, int *fds, size_t max);

/*
 * Stop receiving and accepting. Open connections are sent to the channels `fds` (borrowed, until workers_resume() or
 * workers_stop()) whenever nothing of theirs is under way; without channels they are served to their end.
 */
void workers_drain(struct workers *workers, const int *fds, size_t count);
/* Whether all have stopped: what they received is answered. */
bool workers_are_quiet(const struct workers *workers);
/* Whether they have no connections any more, either. */
bool workers_are_drained(const struct workers *workers);
/* Receive and accept again. */
void workers_resume(struct workers *workers);

/* The sums, at about this moment. */
void workers_totals(const struct workers *workers, struct count_totals *out);
/* Queries of the zone with this number. */
uint64_t workers_zone_total(const struct workers *workers, uint32_t number);

#endif
