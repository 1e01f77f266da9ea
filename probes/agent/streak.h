/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent says of one item: `fall` failures in a row make it say down, `rise` successes up; before either it says
 * that it does not know.
 *
 * Threads: pure functions on the caller's memory.
 */
#ifndef VEER_PROBES_AGENT_STREAK_H
#define VEER_PROBES_AGENT_STREAK_H

#include <stdbool.h>
#include <stdint.h>

#include "probes/verdict/report.h"

/* Zeroed is the beginning. */
struct streak {
	enum observation_state state;
	enum probe_reason reason; /* of the last probe */
	uint32_t rtt_us;          /* of the last probe */
	bool was_ok;              /* the last probe that counted */
	uint32_t count;           /* probes in a row that ended like it */
	int64_t confirmed_ms;     /* when a probe last confirmed the state */
};

/* How one probe ended. */
struct streak_probe {
	enum probe_reason reason;
	bool is_success; /* with PROBE_REASON_OK always; with another reason: a success that carries a warning */
	uint32_t rtt_us;
};

/*
 * Take in one probe at `now_ms`. True when the control plane should hear of it at once: the state changed, or this is
 * the first failure or success after the opposite. A refused target or program is neither: the agent does not know,
 * whatever it said before. An error of the agent's own (PROBE_REASON_INTERNAL) changes nothing but the reason.
 */
bool streak_add(struct streak *streak, uint32_t fall, uint32_t rise, const struct streak_probe *probe, int64_t now_ms);

/* What goes into the report. */
struct observation streak_observation(const struct streak *streak, int64_t now_ms);

#endif
