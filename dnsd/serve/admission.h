/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits on clients: from options to the limit of replies over UDP (dnsd/packet/limit.h) and the limits of connections
 * (dnsd/serve/tcp.h), and a log line for each prefix that is over its limit. Workers only use the limits that are made
 * here.
 *
 * Threads: the control thread.
 */
#ifndef VEER_DNSD_SERVE_ADMISSION_H
#define VEER_DNSD_SERVE_ADMISSION_H

#include "base/daemon.h"
#include "dnsd/packet/limit.h"
#include "dnsd/serve/tcp.h"

#define ADMISSION_TCP_WORKER 512 /* connections per worker, without --tcp-max */
#define ADMISSION_TCP_SHARE 4    /* a prefix may have one in so many of them, without --tcp-max-prefix */
#define ADMISSION_TCP_MAX 1000000

/*
 * The options from the command line and the configuration file. Zero it, then set the defaults with
 * admission_options_default().
 */
struct admission_options {
	int64_t rrl_rate;            /* units of replies per second and prefix; 0: no limit */
	int64_t rrl_slip;            /* every so many-th query over the limit gets a truncated reply; 0: none does */
	struct args_list rrl_exempt; /* prefixes, or "none"; empty: loopback */
	int64_t tcp_max;             /* connections, over all workers; 0: ADMISSION_TCP_WORKER each */
	int64_t tcp_max_prefix;      /* connections for one prefix; 0: 1/ADMISSION_TCP_SHARE of all */
};

/* LIMIT_RATE_DEFAULT and LIMIT_SLIP_DEFAULT; the others 0 and empty, as above. */
void admission_options_default(struct admission_options *options);

struct admission;

/*
 * Make the limits for `workers` workers, and make sure that there are enough descriptors. Ownership: `*out` is the
 * caller's; `daemon` is borrowed. Errors: VEER_EINVAL (a prefix), VEER_ELIMIT (too many), VEER_ENOMEM, VEER_EIO; diag.
 */
VEER_MUST_CHECK enum veer_err admission_new(struct daemon *daemon, const struct admission_options *options,
					    unsigned workers, struct admission **out, struct veer_diag *diag);
/* Free the limits, after the workers have stopped. */
void admission_free(struct admission **admission);

/* The limit of replies, NULL for none; borrowed. */
struct limit *admission_limit(const struct admission *admission);
/* The limits of each worker; borrowed. */
const struct tcp_limits *admission_tcp(const struct admission *admission);

#endif
