/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publication of plans: handing a new plan to the workers, starting them with the first plan, releasing what only
 * earlier plans reach, and measuring how long a plan took to reach all workers.
 *
 * Threads: the control thread.
 */
#ifndef VEER_DNSD_SERVE_PUBLISH_H
#define VEER_DNSD_SERVE_PUBLISH_H

#include "base/addr.h"
#include "base/daemon.h"
#include "dnsd/serve/worker.h"

struct publisher;

/* Called when all workers use the newest plan; `applied_us` is the time since its commit was received. */
typedef void publisher_applied_fn(void *ctx, const struct plan *plan, int64_t applied_us);

/*
 * Make a publisher. `daemon` is borrowed, the addresses are copied, `tcp` is for each worker. NULL when memory is out.
 * The caller frees it before the plans' builder.
 */
struct publisher *publisher_new(struct daemon *daemon, const struct veer_listen *addresses, size_t count,
				unsigned workers, const struct tcp_limits *tcp);
/* Stop the workers, close the sockets, and release everything that was retired. */
void publisher_free(struct publisher **publisher);

/* Set `fn`, which is called in the main thread. Call this before the first plan. */
void publisher_on_applied(struct publisher *publisher, publisher_applied_fn *fn, void *ctx);

/*
 * Set what replies contain beside answers from now on; copied. Without a call: nothing. Errors: VEER_ENOMEM; the old
 * configuration stays then.
 */
VEER_MUST_CHECK enum veer_err publisher_set_config(struct publisher *publisher, const struct responder_config *config);

/*
 * Publish `plan` at once. With the first plan, open the sockets, start the workers and report readiness. Takes the
 * content of `retired`. `received_ns`: monotonic time when the
 * plan's commit was received. Errors: only with the first plan: sockets or threads; diag.
 */
enum veer_err publisher_publish(struct publisher *publisher, const struct plan *plan, struct retire_list *retired,
				int64_t received_ns, struct veer_diag *diag);

/*
 * Offer queries to `tap` (borrowed until the workers have stopped; it has a port for each worker). Call this before the
 * first plan.
 */
void publisher_show(struct publisher *publisher, struct tap *tap);
/* Count the queries of zones with numbers below `limit`. Call this before the first plan. */
void publisher_count_zones(struct publisher *publisher, uint32_t limit);

/*
 * Hold back the start, because another server still has the addresses or it is too early: the first plan does not start
 * the workers, but publisher_start() does, with the sockets in `given` (taken). Call this before the first plan.
 */
void publisher_hold(struct publisher *publisher, struct sockets_given *given);
/* Undo publisher_hold(): there is no plan yet, and the first one is to start the workers after all. */
void publisher_unhold(struct publisher *publisher);
/*
 * Check that the addresses are free or were given. Errors: as publisher_start(), which may still have another result.
 */
VEER_MUST_CHECK enum veer_err publisher_check(const struct publisher *publisher, struct veer_diag *diag);
/* Open the sockets, start the workers and report readiness; there must be a plan. Errors as publisher_publish(). */
VEER_MUST_CHECK enum veer_err publisher_start(struct publisher *publisher, struct veer_diag *diag);

/*
 * Hold back plans that come from now on, except the first plan of all, until publisher_thaw() publishes the newest of
 * them.
 */
void publisher_freeze(struct publisher *publisher);
/* End the freeze, and publish the newest plan that has come meanwhile. */
void publisher_thaw(struct publisher *publisher);

/* Has every worker ended a turn, or been waiting, since the last call? True before they are started. */
bool publisher_is_alive(struct publisher *publisher);

/* The workers; NULL before they are started. Borrowed. */
struct workers *publisher_workers(struct publisher *publisher);
/* The sockets; none before the workers are started. Borrowed. */
const struct sockets *publisher_sockets(const struct publisher *publisher);

/* Count packets and connections that the kernel dropped at our sockets. */
void publisher_kernel_drops(const struct publisher *publisher, struct kernel_drops *out);

/* The sums of all workers' counters; zero before the first plan. */
void publisher_totals(const struct publisher *publisher, struct count_totals *out);

/* When the newest plan's commit was received, monotonic; 0 before the first. */
int64_t publisher_received_ns(const struct publisher *publisher);

/* The newest plan, or NULL. */
const struct plan *publisher_plan(const struct publisher *publisher);

#endif
