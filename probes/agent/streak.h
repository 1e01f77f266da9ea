/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent reports about one item: down after `fall` failures in a row, up after `rise` successes in a row; before
 * either, unknown.
 *
 * Threads: pure functions on the caller's memory.
 */
#ifndef VEER_PROBES_AGENT_STREAK_H
#define VEER_PROBES_AGENT_STREAK_H

#include <stdbool.h>
#include <stdint.h>

#include "probes/verdict/report.h"

/* All zero at the beginning. */
struct streak {
	enum observation_state state;
	enum probe_reason reason; /* of the last probe */
	uint32_t rtt_us;          /* of the last probe */
	bool was_ok;              /* the last probe that counted */
	uint32_t count;           /* probes in a row that ended in the same way */
	int64_t confirmed_ms;     /* when a probe last confirmed the state */
};

/* How one probe ended. */
struct streak_probe {
	enum probe_reason reason;
	bool is_success; /* always with PROBE_REASON_OK; with another reason: a success with a warning */
	uint32_t rtt_us;
};

/*
 * Add the result of one probe at `now_ms`. True when the control plane should be told at once: the state changed, or
 * this is the first failure or success after the opposite. A refused target or program is neither: the state becomes
 * unknown, whatever it was. A failure of the agent itself (PROBE_REASON_INTERNAL) changes only the reason.
 */
bool streak_add(struct streak *streak, uint32_t fall, uint32_t rise, const struct streak_probe *probe, int64_t now_ms);

/* The observation for the report. */
struct observation streak_observation(const struct streak *streak, int64_t now_ms);

#endif
