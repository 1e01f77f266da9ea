/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server's metrics as Prometheus text, from counters and a few facts.
 *
 * Threads: pure.
 */
#ifndef VEER_DNSD_TAP_METRICS_H
#define VEER_DNSD_TAP_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "dnsd/packet/count.h"
#include "dnsd/tap/tap.h"

#define METRICS_ZONES_MAX 1000
#define METRICS_TEXT_MAX (2 << 20) /* bytes; enough, because the families and the number of zones are fixed */

/* Why the store of a control plane is not followed. */
enum metrics_quarantine { METRICS_UNKNOWN, METRICS_ABANDONED, METRICS_ZONE_LOST, METRICS_QUARANTINES };

/* Facts that workers do not count. Zero before the first plan. */
struct metrics_facts {
	int64_t revision;                      /* of the plan */
	double age_s;                          /* since its commit was received */
	uint64_t zones;                        /* served */
	uint64_t rrsets;                       /* held, all versions */
	uint64_t workers;                      /* threads */
	struct kernel_drops drops;             /* by the kernel */
	bool has_feed;                         /* the fields below are for a server with a feed */
	bool quarantined[METRICS_QUARANTINES]; /* for each reason: a store is not followed because of it */
	uint64_t location_networks;            /* in the location table; 0: there is none */
	uint64_t location_policies;            /* policies that depend on clients' locations */
	double feed_age_s;                     /* since the feed was heard; negative: no feed, or never */
};

/* Begin the family of queries by zone: call once, before metrics_zone(). */
void metrics_zones(struct buf *out);
/* Append one zone's sample. `name`: wire format. */
void metrics_zone(const uint8_t *name, uint64_t queries, struct buf *out);

/* Append what became of sampled queries. */
void metrics_taps(const struct tap_stats *taps, struct buf *out);

/* Append everything else to `out`. */
void metrics_write(const struct count_totals *totals, const struct metrics_facts *facts, struct buf *out);

#endif
