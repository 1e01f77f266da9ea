/* SPDX-License-Identifier: Apache-2.0 */
/* Suspect agents: which agents are contradicted, on how many items, and for how long. The reasoning is in verdict.h. */
#include "probes/verdict/verdict_impl.h"

/* The time in seconds for view.against_s, never 0. Differences are computed modulo 2^32. */
static uint32_t clock_s(int64_t now_ms)
{
	uint32_t now_s = (uint32_t)(now_ms / 1000);
	return now_s != 0 ? now_s : 1;
}

void trust_begin(struct table *table)
{
	for (uint32_t c = 0; c < table->check_count; c++) {
		struct check_state *check = &table->checks[c];
		for (uint32_t i = 0; i < check->agent_count; i++) {
			check->trust[i].compared = 0;
			check->trust[i].against = 0;
			check->trust[i].settled = 0;
		}
	}
}

/* Do q trusted agents from R regions report up, while fewer than q agents are left, whatever these report? */
static bool is_up_beyond_doubt(const struct check_state *check, const struct judged *judged)
{
	return !judged->counts_suspects && judged->up >= check->quorum &&
	       region_count(judged->up_regions) >= check->regions && check->agent_count - judged->up < check->quorum;
}

void trust_item(struct table *table, const struct item_state *item, const struct judged *judged, int64_t now_ms)
{
	const struct check_state *check = &table->checks[item->check];
	bool is_compared = is_up_beyond_doubt(check, judged);
	uint32_t now_s = clock_s(now_ms);
	for (uint32_t i = 0; i < check->agent_count; i++) {
		struct view *view = &table->views[item->view_first + i];
		struct trust *trust = &check->trust[i];
		bool is_heard = is_compared && view->state != OBSERVATION_UNKNOWN &&
				view_mark(table, check, i, view, now_ms) == VERDICT_MARK_NONE;
		bool is_against = is_heard && view->state == OBSERVATION_DOWN;
		if (!is_against)
			view->against_s = 0;
		else if (view->against_s == 0)
			view->against_s = now_s;
		trust->compared += is_heard;
		trust->against += is_against;
		trust->settled += is_against && (int64_t)(now_s - view->against_s) * 1000 > check->settle_ms;
	}
}

static void trust_conclude(struct check_state *check, struct trust *trust, int64_t now_ms)
{
	if (!trust->is_suspect) {
		if (trust->settled < VERDICT_SUSPECT_ENDPOINTS ||
		    (uint64_t)trust->settled * 100 < (uint64_t)trust->compared * VERDICT_SUSPECT_PERCENT)
			return;
		trust->is_suspect = true;
		trust->calm_ms = VERDICT_NEVER;
		check->suspect_count++;
		return;
	}
	bool is_calm = trust->compared < VERDICT_SUSPECT_ENDPOINTS ||
		       (uint64_t)trust->against * 100 < (uint64_t)trust->compared * VERDICT_RELEASE_PERCENT;
	if (!is_calm) {
		trust->calm_ms = VERDICT_NEVER;
	} else if (trust->calm_ms == VERDICT_NEVER) {
		trust->calm_ms = now_ms;
	} else if (now_ms - trust->calm_ms >= VERDICT_RELEASE_MS) {
		trust->is_suspect = false;
		check->suspect_count--;
	}
}

void trust_end(struct table *table, int64_t now_ms)
{
	for (uint32_t c = 0; c < table->check_count; c++) {
		struct check_state *check = &table->checks[c];
		for (uint32_t i = 0; i < check->agent_count; i++)
			trust_conclude(check, &check->trust[i], now_ms);
	}
}
