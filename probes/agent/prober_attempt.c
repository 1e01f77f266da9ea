/* SPDX-License-Identifier: Apache-2.0 */
/* The running probes of an item, and what is done when they end. */
#include <stdlib.h>

#include "probes/agent/outage.h"
#include "probes/agent/prober_impl.h"

#define ATTEMPTS_MAX 32 /* probes of one item at the same time, because timeouts may be longer than intervals */

/* A running probe. */
struct prober_attempt {
	struct prober_item *item;
	struct prober_work *work;
	struct check_probe *probe;
	struct prober_attempt *next;
	struct prober_attempt **link; /* the pointer that points here */
	uint64_t number;              /* counts the item's probes in the order of their start */
};

static void attempt_remove(struct prober_attempt *attempt)
{
	*attempt->link = attempt->next;
	if (attempt->next != NULL)
		attempt->next->link = attempt->link;
	attempt->item->attempt_count--;
	attempt->item->prober->attempt_count--;
	prober_work_release(&attempt->work);
	free(attempt);
}

static void log_turn(const struct prober_item *item, const struct check_outcome *outcome)
{
	log_info(item->prober->log, outcome->is_success ? "probe succeeds" : "probe fails",
		 LOG_STR("check", item->check->name), LOG_STR("endpoint", item->assigned->endpoint),
		 LOG_STR("reason", probe_reason_text(outcome->reason)), LOG_STR("detail", outcome->detail),
		 LOG_STR("state", observation_state_text(item->streak.state)));
}

static void log_probe(const struct prober_item *item, const struct check_outcome *outcome)
{
	log_debug(item->prober->log, "probe", LOG_STR("check", item->check->name),
		  LOG_STR("endpoint", item->assigned->endpoint), LOG_STR("reason", probe_reason_text(outcome->reason)),
		  LOG_STR("detail", outcome->detail), LOG_INT("resolve_us", outcome->timing.resolve_us),
		  LOG_INT("connect_us", outcome->timing.connect_us), LOG_INT("tls_us", outcome->timing.tls_us),
		  LOG_INT("first_byte_us", outcome->timing.first_byte_us),
		  LOG_INT("total_us", outcome->timing.total_us));
}

/* Do all items fail, and did they all begin within one interval? */
static bool is_outage(const struct prober *prober)
{
	struct outage outage = {.now_ms = loop_now_ms(prober->env->loop)};
	for (uint32_t i = 0; i < prober->item_count && !outage.is_partial; i++) {
		const struct prober_item *item = prober->items[i];
		if (item->check == NULL)
			continue;
		const struct outage_item seen = {.endpoint = item->assigned->endpoint,
						 .address = item->assigned->address,
						 .is_failing = item->is_failing,
						 .failing_ms = item->failing_ms,
						 .interval_ms = item->check->interval_ms};
		outage_add(&outage, &seen);
	}
	return outage_is_likely(&outage);
}

/* Keep count of the failing items. */
static void note_failing(struct prober_item *item)
{
	struct prober *prober = item->prober;
	bool is_failing = item->streak.count > 0 && !item->streak.was_ok;
	if (is_failing == item->is_failing)
		return;
	item->is_failing = is_failing;
	if (!is_failing) {
		prober->failing_count--;
		return;
	}
	item->failing_ms = loop_now_ms(prober->env->loop);
	prober->failing_count++;
	prober->events.failing(prober->events.ctx);
	if (prober->failing_count == prober->probed_count && is_outage(prober))
		prober->events.outage(prober->events.ctx, prober->failing_count);
}

static void on_probe(void *ctx, const struct check_outcome *outcome)
{
	struct prober_attempt *attempt = ctx;
	struct prober_item *item = attempt->item;
	struct prober *prober = item->prober;
	log_probe(item, outcome);
	/* A probe that was started before another one that has already ended is outdated. */
	bool is_old = attempt->number < item->ended;
	const struct streak_probe probe = {
		.reason = outcome->reason, .is_success = outcome->is_success, .rtt_us = outcome->rtt_us};
	if (!is_old) {
		/*
		 * An `internal` result says nothing, so it does not make earlier probes outdated, which may have waited
		 * for a place.
		 */
		if (outcome->reason != PROBE_REASON_INTERNAL)
			item->ended = attempt->number;
		bool is_news = streak_add(&item->streak, item->check->fall, item->check->rise, &probe,
					  loop_now_ms(prober->env->loop));
		if (is_news) {
			log_turn(item, outcome);
			prober->events.changed(prober->events.ctx);
		}
		note_failing(item);
	}
	attempt_remove(attempt);
}

void prober_probe_now(struct prober_item *item)
{
	struct prober *prober = item->prober;
	if (item->attempt_count >= ATTEMPTS_MAX || prober->attempt_count >= prober->attempt_max)
		return; /* missed, as below */
	struct prober_attempt *attempt = calloc(1, sizeof *attempt);
	if (attempt == NULL)
		return; /* this probe is missed; the state's age grows, which the control plane sees */
	*attempt = (struct prober_attempt){.item = item, .work = prober->work, .number = ++item->started};
	attempt->work->references++;
	attempt->next = item->attempts;
	attempt->link = &item->attempts;
	if (attempt->next != NULL)
		attempt->next->link = &attempt->next;
	item->attempts = attempt;
	item->attempt_count++;
	prober->attempt_count++;
	if (check_start(prober->env, item->check, item->assigned->address, item->is_failing, on_probe, attempt,
			&attempt->probe) != VEER_OK)
		attempt_remove(attempt);
}

void prober_attempts_cancel(struct prober_item *item)
{
	while (item->attempts != NULL) {
		check_cancel(item->attempts->probe);
		attempt_remove(item->attempts);
	}
}

void prober_attempts_move(struct prober_item *to, struct prober_item *from)
{
	to->attempts = from->attempts;
	to->attempt_count = from->attempt_count;
	for (struct prober_attempt *attempt = to->attempts; attempt != NULL; attempt = attempt->next)
		attempt->item = to;
	if (to->attempts != NULL)
		to->attempts->link = &to->attempts;
	from->attempts = NULL;
	from->attempt_count = 0;
}
