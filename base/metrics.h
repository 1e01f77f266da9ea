/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus text exposition (format 0.0.4), written into a struct buf: a family, then its samples.
 *
 *   metrics_family(&out, "veer_dns_requests_total", METRICS_COUNTER, "Queries received.");
 *   metrics_sample_u64(&out, "veer_dns_requests_total", METRICS_LABELS(METRICS_LABEL("proto", "udp")), count);
 *
 * Names are literals in our code. An invalid name makes the buffer fail, which the caller's unit test detects. Label
 * values may come from outside: they are escaped, and bytes that are not UTF-8 become '?'. Threads: as for the buffer.
 */
#ifndef VEER_BASE_METRICS_H
#define VEER_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

/* One label; a list of them ends with a NULL name. */
struct metrics_label {
	const char *name;  /* [a-zA-Z_][a-zA-Z0-9_]* */
	const char *value; /* any text; NULL counts as "" */
};

#define METRICS_LABEL(name_, value_) ((struct metrics_label){.name = (name_), .value = (value_)})
#define METRICS_LABELS(...)                                                                                            \
	((const struct metrics_label[]){__VA_ARGS__ __VA_OPT__(, )(struct metrics_label){.name = NULL}})

/* Write the HELP and TYPE lines, once per family and before its samples, which must follow each other directly. */
void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help);

/* One sample. `labels` may be NULL: none. */
void metrics_sample(struct buf *out, const char *name, const struct metrics_label *labels, double value);
/* The same for counters, exact also above 2^53. */
void metrics_sample_u64(struct buf *out, const char *name, const struct metrics_label *labels, uint64_t value);

/* A histogram as its owner keeps it. All fields are borrowed. */
struct metrics_histogram {
	const double *bounds; /* upper bounds, rising, without +Inf */
	size_t bound_count;
	const uint64_t *counts; /* bound_count + 1 of them, one per bucket (not cumulative); the last one is for +Inf */
	double sum;             /* of all observed values */
};

/* The _bucket, _sum and _count lines of one histogram. */
void metrics_sample_histogram(struct buf *out, const char *name, const struct metrics_label *labels,
			      const struct metrics_histogram *histogram);

#endif
