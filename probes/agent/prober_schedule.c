/* SPDX-License-Identifier: Apache-2.0 */
/* When an item is probed: the schedule of prober.h, the first round, and second looks. */
#include "probes/agent/prober_impl.h"

#define CONFIRM_SPACING_MS 100
#define FIRST_ROUND_MS 1000   /* how often an unknown item is probed when its interval is longer */
#define FIRST_ROUND_RATE 1000 /* such probes a second, of all items: with many the round takes longer */

static void schedule(struct prober_item *item);

static void on_due(void *ctx)
{
	struct prober_item *item = ctx;
	schedule(item);
	prober_probe_now(item);
}

/* The time from now to the item's offset in the interval, at least 1 ms. */
static int64_t until_place_ms(const struct prober_item *item)
{
	int64_t interval_ms = item->check->interval_ms;
	int64_t wall_ms = veer_clock_wall_ns(loop_clock(item->prober->env->loop)) / 1000000;
	int64_t place_ms = (int64_t)((item->place + item->assigned->phase_ms) % (uint64_t)interval_ms);
	int64_t left_ms = (place_ms - wall_ms % interval_ms) % interval_ms;
	return left_ms > 0 ? left_ms : left_ms + interval_ms;
}

/* How often an unknown item is probed: a round of all items must not be more work than the agent can do. */
static int64_t first_round_ms(const struct prober_item *item)
{
	int64_t all_ms = (int64_t)item->prober->pace_count * 1000 / FIRST_ROUND_RATE;
	return all_ms > FIRST_ROUND_MS ? all_ms : FIRST_ROUND_MS;
}

/* Schedule the next probe: one interval after the last on the monotonic clock, or, in the first round, sooner. */
static void schedule(struct prober_item *item)
{
	struct loop *loop = item->prober->env->loop;
	int64_t now_ms = loop_now_ms(loop);
	int64_t interval_ms = item->check->interval_ms;
	int64_t due_ms = item->timer.due_ms + interval_ms;
	if (item->streak.state == OBSERVATION_UNKNOWN && item->first_left > 0 && interval_ms > first_round_ms(item)) {
		item->first_left--;
		due_ms = now_ms + first_round_ms(item);
	} else if (item->first_left > 0) {
		item->first_left = 0;
		due_ms = now_ms + until_place_ms(item);
	} else if (due_ms <= now_ms) {
		due_ms = now_ms + until_place_ms(item); /* this process was held up for longer than an interval */
	}
	(void)loop_timer_set_at(loop, &item->timer, due_ms, on_due, item);
}

/* Schedule a new item, or one whose timing may have changed. */
static void schedule_first(struct prober_item *item)
{
	int64_t after_ms = until_place_ms(item);
	int64_t first_ms = first_round_ms(item);
	if (item->streak.state == OBSERVATION_UNKNOWN && after_ms > first_ms)
		after_ms = (int64_t)(item->place % (uint64_t)first_ms);
	(void)loop_timer_set(item->prober->env->loop, &item->timer, after_ms, on_due, item);
}

static void on_confirm(void *ctx)
{
	struct prober_item *item = ctx;
	if (item->check == NULL || item->confirm_left == 0)
		return;
	if (--item->confirm_left > 0)
		(void)loop_timer_set(item->prober->env->loop, &item->confirm_timer, CONFIRM_SPACING_MS, on_confirm,
				     item);
	prober_probe_now(item);
}

static bool has_same_timing(const struct prober_item *a, const struct prober_item *b)
{
	return a->check->interval_ms == b->check->interval_ms && a->assigned->phase_ms == b->assigned->phase_ms;
}

void prober_schedule_begin(struct prober_item *item, const struct prober_item *old)
{
	struct loop *loop = item->prober->env->loop;
	if (old != NULL && has_same_timing(item, old) && old->timer.heap_index != 0)
		(void)loop_timer_set_at(loop, &item->timer, old->timer.due_ms, on_due, item);
	else
		schedule_first(item);
	if (item->confirm_left > 0)
		(void)loop_timer_set(loop, &item->confirm_timer, CONFIRM_SPACING_MS, on_confirm, item);
}

void prober_schedule_confirm(struct prober_item *item)
{
	if (item->confirm_left > 0)
		return;
	item->confirm_left = item->check->fall;
	on_confirm(item);
}

void prober_schedule_cancel(struct prober_item *item)
{
	loop_timer_cancel(item->prober->env->loop, &item->timer);
	loop_timer_cancel(item->prober->env->loop, &item->confirm_timer);
}
