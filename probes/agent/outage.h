/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does it look as if the agent itself were cut off? Used by agents without reference targets, as a hint to people:
 * everything that the agent probes has begun to fail within one interval, and that is too much to be caused by one
 * site.
 *
 * Threads: pure functions on the caller's memory.
 */
#ifndef VEER_PROBES_AGENT_OUTAGE_H
#define VEER_PROBES_AGENT_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#define OUTAGE_ENDPOINTS_MIN 4
#define OUTAGE_ADDRESSES_MIN 2

/* Begin with this struct zeroed and `now_ms` set. Texts are borrowed until the end. */
struct outage {
	int64_t now_ms;
	bool is_partial; /* some item does not fail, or has failed for a long time */
	uint32_t endpoint_count;
	uint32_t address_count; /* both count different ones, up to the number that is needed */
	const char *endpoints[OUTAGE_ENDPOINTS_MIN];
	const char *addresses[OUTAGE_ADDRESSES_MIN];
};

/* One item that is probed every `interval_ms`; if it fails, it does so since `failing_ms` (the clock of now_ms). */
struct outage_item {
	const char *endpoint;
	const char *address;
	bool is_failing;
	int64_t failing_ms;
	int64_t interval_ms;
};

/* Add one of the probed items; the order does not matter. */
void outage_add(struct outage *outage, const struct outage_item *item);
/* Judge, after all items were added. */
bool outage_is_likely(const struct outage *outage);

#endif
