/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts of the name server do not work at the moment. None of them is needed to answer, so the server answers
 * without them, and says so: in its log when it begins and ends, in its metrics, and in the uplink, which `veer status`
 * shows. `veer-dnsd --check-config` refuses a configuration for any of them.
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
	DEGRADED_GEOIP,         /* a location file cannot be read: clients have no location from it */
	DEGRADED_COOKIE_SECRET, /* its file cannot be read: the secret is random, or the one before */
	DEGRADED_QUERY_LOG,     /* it cannot be written: lines are lost */
	DEGRADED_METRICS,       /* their address cannot be listened on */
	DEGRADED_CONTROL,       /* there is no control socket: nobody can replace this process */
	DEGRADED_STATE,         /* the state directory cannot be used: the plan is not kept */
	DEGRADED_SAVED_PLAN,    /* what was kept is damaged */
	DEGRADED_FEED,          /* there is no identity and no token: the feed is not followed */
	DEGRADED_PARTS
};

/* Zero it. */
struct degraded {
	bool is[DEGRADED_PARTS];
	struct veer_diag why[DEGRADED_PARTS]; /* where it is so */
};

/* The part's name in metrics, the uplink and the log: `geoip`, `cookie_secret`, … Static storage. */
const char *degraded_text(enum degraded_part part);

/* The part does not work, because of `why`. Logged when that is new, or for another reason than before. */
void degraded_begin(struct degraded *degraded, struct logger *log, enum degraded_part part, const char *why);
/* The part works. Logged if it did not. */
void degraded_end(struct degraded *degraded, struct logger *log, enum degraded_part part);

/* The names of the parts that do not work; returns how many. */
size_t degraded_list(const struct degraded *degraded, const char *out[DEGRADED_PARTS]);

/* Append the metric `veer_degraded{part}`, 1 or 0 for each part. */
void degraded_write(const struct degraded *degraded, struct buf *out);

#endif
