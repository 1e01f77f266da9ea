/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/streak.h"

static enum observation_state state_after(const struct streak *streak, uint32_t fall, uint32_t rise)
{
	if (streak->was_ok)
		return streak->count >= rise || streak->state == OBSERVATION_FAILING ? OBSERVATION_UP : streak->state;
	if (streak->count >= fall)
		return OBSERVATION_DOWN;
	return streak->state == OBSERVATION_UP ? OBSERVATION_FAILING : streak->state;
}

bool streak_add(struct streak *streak, uint32_t fall, uint32_t rise, const struct streak_probe *probe, int64_t now_ms)
{
	enum observation_state before = streak->state;
	bool is_ok = probe->reason == PROBE_REASON_OK || probe->is_success;
	bool is_turn = streak->count == 0 || streak->was_ok != is_ok;
	streak->reason = probe->reason;
	if (probe->reason == PROBE_REASON_INTERNAL)
		return false;
	streak->rtt_us = probe->rtt_us;
	if (probe_reason_is_refusal(probe->reason)) {
		streak->state = OBSERVATION_UNKNOWN;
		streak->count = 0;
		return before != OBSERVATION_UNKNOWN;
	}
	streak->was_ok = is_ok;
	streak->count = is_turn ? 1 : streak->count + (streak->count < UINT32_MAX);
	streak->state = state_after(streak, fall, rise);
	/*
	 * A success confirms the state up, a failure the states down and failing; otherwise only a change of state is
	 * confirmed.
	 */
	if (streak->state != before || is_ok == (streak->state == OBSERVATION_UP))
		streak->confirmed_ms = now_ms;
	return is_turn || streak->state != before;
}

struct observation streak_observation(const struct streak *streak, int64_t now_ms)
{
	int64_t age_ms = streak->state == OBSERVATION_UNKNOWN ? 0 : now_ms - streak->confirmed_ms;
	if (age_ms > REPORT_AGE_MS_MAX)
		age_ms = REPORT_AGE_MS_MAX;
	return (struct observation){.state = streak->state,
				    .reason = streak->reason,
				    .age_ms = age_ms > 0 ? (uint32_t)age_ms : 0,
				    .rtt_us = streak->rtt_us};
}
