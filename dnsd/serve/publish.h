/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a new plan to serving it: publication to the workers, their start with the first plan, release of what only
 * earlier plans reach, and how long a plan took to reach all workers.
 *
 * Threads: the control thread.
 */
#ifndef VEER_DNSD_SERVE_PUBLISH_H
#define VEER_DNSD_SERVE_PUBLISH_H

#include "base/addr.h"
#include "base/daemon.h"
#include "dnsd/serve/worker.h"

struct publisher;

/* Called when all workers are on the newest plan: its revision, and the time from receipt of its commit. */
typedef void publisher_applied_fn(void *ctx, const struct plan *plan, int64_t applied_us);

/*
 * `daemon` is borrowed, the addresses are copied, `tcp` is for each worker. NULL when memory is out. Caller frees,
 * before the plans' builder.
 */
struct publisher *publisher_new(struct daemon *daemon, const struct veer_listen *addresses, size_t count,
				unsigned workers, const struct tcp_limits *tcp);
/* Stops the workers, closes the sockets, releases everything retired. */
void publisher_free(struct publisher **publisher);

/* Have `fn` called, in the main thread. Before the first plan. */
void publisher_on_applied(struct publisher *publisher, publisher_applied_fn *fn, void *ctx);

/*
 * What replies carry from now on; copied. Without a call: nothing. Errors: VEER_ENOMEM: what was stays.
 */
VEER_MUST_CHECK enum veer_err publisher_set_config(struct publisher *publisher, const struct responder_config *config);

/*
 * Publish `plan`, at once; with the first one, open the sockets, start the workers and say that we are ready. Takes the
 * content of `retired`. `received_ns`: monotonic time when the
 * plan's commit was received. Errors: only with the first plan: sockets or threads; diag.
 */
enum veer_err publisher_publish(struct publisher *publisher, const struct plan *plan, struct retire_list *retired,
				int64_t received_ns, struct veer_diag *diag);

/* Show queries to `tap` (borrowed until the workers have stopped; it has a port for each). Before the first plan. */
void publisher_show(struct publisher *publisher, struct tap *tap);
/* Count the queries of zones with numbers below `limit`. Before the first plan. */
void publisher_count_zones(struct publisher *publisher, uint32_t limit);

/*
 * Another server still has the addresses, or it is too early: the first plan starts nothing, publisher_start() does,
 * with the sockets in `given` (taken). Call before the first plan.
 */
void publisher_hold(struct publisher *publisher, struct sockets_given *given);
/* There is no plan yet, and the first one is to start the workers after all. */
void publisher_unhold(struct publisher *publisher);
/* Are the addresses free, or given? Errors: as publisher_start(), which may still find otherwise. */
VEER_MUST_CHECK enum veer_err publisher_check(const struct publisher *publisher, struct veer_diag *diag);
/* Open the sockets, start the workers and say that we are ready; there is a plan. Errors as publisher_publish(). */
VEER_MUST_CHECK enum veer_err publisher_start(struct publisher *publisher, struct veer_diag *diag);

/* Plans that come from now on wait, after the first one, until publisher_thaw() publishes the newest of them. */
void publisher_freeze(struct publisher *publisher);
/* Go on, with the newest plan that has come meanwhile. */
void publisher_thaw(struct publisher *publisher);

/* Has every worker ended a turn, or waited, since the last call? True before they are started. */
bool publisher_is_alive(struct publisher *publisher);

/* NULL before they are started. Borrowed. */
struct workers *publisher_workers(struct publisher *publisher);
/* None before the workers are started. Borrowed. */
const struct sockets *publisher_sockets(const struct publisher *publisher);

/* Packets and connections that the kernel dropped at our sockets, before they reached us. */
void publisher_kernel_drops(const struct publisher *publisher, struct kernel_drops *out);

/* Zero before the first plan. */
void publisher_totals(const struct publisher *publisher, struct count_totals *out);

/* When the newest plan's commit was received, monotonic; 0 before the first. */
int64_t publisher_received_ns(const struct publisher *publisher);

/* The newest plan, or NULL. */
const struct plan *publisher_plan(const struct publisher *publisher);

#endif
