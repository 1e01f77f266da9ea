/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts of the name server do not work at the moment. None of them is needed to answer, so the server answers
 * without them. It reports them in its log when the condition begins and ends, in its metrics, and in the uplink, which
 * `veer status` shows. `veer-dnsd --check-config` refuses a configuration with any of them.
 *
 * Threads: the control thread.
 */
#ifndef VEER_DNSD_REPLICA_DEGRADED_H
#define VEER_DNSD_REPLICA_DEGRADED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

enum degraded_part {
	DEGRADED_GEOIP,         /* a location file cannot be read: locations from it are unknown */
	DEGRADED_COOKIE_SECRET, /* its file cannot be read: the secret is random, or the previous one */
	DEGRADED_QUERY_LOG,     /* the query log cannot be written: lines are lost */
	DEGRADED_METRICS,       /* the server cannot listen on the address for metrics */
	DEGRADED_CONTROL,       /* there is no control socket: nobody can replace this process */
	DEGRADED_STATE,         /* the state directory cannot be used: the plan is not saved */
	DEGRADED_SAVED_PLAN,    /* the saved plan is damaged */
	DEGRADED_FEED,          /* there is no identity and no token: the feed is not followed */
	DEGRADED_PARTS
};

/* Zero it. */
struct degraded {
	bool is[DEGRADED_PARTS];
	struct veer_diag why[DEGRADED_PARTS]; /* the reasons, for the parts that do not work */
};

/* The part's name in metrics, the uplink and the log: `geoip`, `cookie_secret`, … Static storage. */
const char *degraded_text(enum degraded_part part);

/* The part does not work, because of `why`. Logged when this is new or the reason is another one than before. */
void degraded_begin(struct degraded *degraded, struct logger *log, enum degraded_part part, const char *why);
/* The part works. Logged if it did not work before. */
void degraded_end(struct degraded *degraded, struct logger *log, enum degraded_part part);

/* The names of the parts that do not work; returns how many. */
size_t degraded_list(const struct degraded *degraded, const char *out[DEGRADED_PARTS]);

/* Append the metric `veer_degraded{part}`, 1 or 0 for each part. */
void degraded_write(const struct degraded *degraded, struct buf *out);

#endif
