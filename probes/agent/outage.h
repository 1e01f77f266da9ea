/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does it look as if the agent itself were cut off? For agents without reference targets, as a hint to people: all that
 * it probes has begun to fail within one interval, and that is enough to be no one site's doing.
 *
 * Threads: pure functions on the caller's memory.
 */
#ifndef VEER_PROBES_AGENT_OUTAGE_H
#define VEER_PROBES_AGENT_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#define OUTAGE_ENDPOINTS_MIN 4
#define OUTAGE_ADDRESSES_MIN 2

/* Zeroed, with `now_ms` set, is the beginning. Texts are borrowed until the end. */
struct outage {
	int64_t now_ms;
	bool is_partial; /* something does not fail, or has failed for long */
	uint32_t endpoint_count;
	uint32_t address_count; /* both: different ones, counted up to what is needed */
	const char *endpoints[OUTAGE_ENDPOINTS_MIN];
	const char *addresses[OUTAGE_ADDRESSES_MIN];
};

/* One thing that is probed, every `interval_ms`, and fails since `failing_ms` (the same clock as now_ms). */
struct outage_item {
	const char *endpoint;
	const char *address;
	bool is_failing;
	int64_t failing_ms;
	int64_t interval_ms;
};

/* One of the things that are probed; in any order. */
void outage_add(struct outage *outage, const struct outage_item *item);
/* After all of them were added. */
bool outage_is_likely(const struct outage *outage);

#endif
