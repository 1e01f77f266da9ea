/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Find the smallest form of a failing history: first fewer faults, then a shorter history, then without some events, in
 * chunks before single events.
 */
#include <assert.h>
#include <string.h>

#include "tests/sim/sim.h"

#define PLAYS_MAX 4000

struct shrinker {
	sim_play_fn *play;
	void *ctx;
	struct sim_history *history;
	bool *is_left_out;
	uint32_t plays;
};

static bool still_fails(struct shrinker *s)
{
	return s->plays++ < PLAYS_MAX && !s->play(s->ctx, s->history);
}

static void fewer_faults(struct shrinker *s)
{
	for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
		uint32_t before = s->history->faults;
		s->history->faults &= ~(1u << i);
		if (s->history->faults != before && !still_fails(s))
			s->history->faults = before;
	}
}

static void fewer_events(struct shrinker *s)
{
	uint32_t low = 0; /* passes with this length */
	uint32_t high = s->history->events;
	while (high - low > 1) {
		s->history->events = low + (high - low) / 2;
		if (still_fails(s))
			high = s->history->events;
		else
			low = s->history->events;
	}
	s->history->events = high;
}

/* Try the history without [from, to). True when it still fails. */
static bool leave_out(struct shrinker *s, uint32_t from, uint32_t to)
{
	static_assert(sizeof(bool) == 1, "marks are bytes");
	bool before[SIM_EVENTS_MAX];
	if (memchr(s->is_left_out + from, 0, to - from) == NULL)
		return true;
	memcpy(before, s->is_left_out + from, to - from);
	memset(s->is_left_out + from, 1, to - from);
	if (still_fails(s))
		return true;
	memcpy(s->is_left_out + from, before, to - from);
	return false;
}

static void sparser_events(struct shrinker *s)
{
	for (uint32_t chunk = (s->history->events + 1) / 2; chunk >= 1; chunk /= 2) {
		for (uint32_t from = 0; from < s->history->events; from += chunk) {
			uint32_t to = from + chunk < s->history->events ? from + chunk : s->history->events;
			(void)leave_out(s, from, to);
		}
	}
}

void sim_shrink(sim_play_fn *play, void *ctx, struct sim_history *history, bool *is_left_out)
{
	struct shrinker s = {.play = play, .ctx = ctx, .history = history, .is_left_out = is_left_out};
	memset(is_left_out, 0, history->events);
	history->is_left_out = is_left_out;
	fewer_faults(&s);
	fewer_events(&s);
	sparser_events(&s);
	fewer_faults(&s);
	while (history->events > 1 && is_left_out[history->events - 1])
		history->events--;
	(void)play(ctx, history); /* the player keeps the text of the failure */
}
