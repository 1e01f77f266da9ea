/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's thread: what it takes from its inbox, and when it decides. */
#include "api/control/controller_engine.h"

#include <stdlib.h>

enum { STRETCH_MS = 20 };

int64_t controller_now_ms(const struct controller_engine *engine)
{
	return veer_clock_monotonic_ms(engine->config->clock);
}

int64_t controller_now_us(const struct controller_engine *engine)
{
	return veer_clock_monotonic_ns(engine->config->clock) / 1000;
}

static void send_confirms(struct controller_engine *engine)
{
	struct verdict_suspicion suspicion;
	while (verdict_suspicion_next(engine->verdicts, &suspicion)) {
		char *line = assign_confirm_write(suspicion.check, suspicion.endpoint);
		controller_note_confirm(engine, suspicion.endpoint);
		for (uint32_t i = 0; line != NULL && i < suspicion.agent_count; i++) {
			assignment_hub_confirm(engine->config->assignments, suspicion.agents[i], line);
			atomic_fetch_add(&engine->published.confirms, 1);
		}
		free(line);
	}
}

static void take_report(struct controller_engine *engine, const struct controller_item *item)
{
	enum veer_err err = verdict_report(engine->verdicts, item->agent, &item->report, controller_now_ms(engine));
	if (err == VEER_OK) {
		atomic_fetch_add(&engine->published.reports, 1);
		send_confirms(engine);
	} else {
		atomic_fetch_add(&engine->published.reports_refused, 1);
		log_debug(engine->config->log, "report not counted", LOG_STR("agent", item->agent),
			  LOG_STR("why", veer_err_text(err)));
	}
}

/* Carry out one item (unless the thread is ending) and free it. */
static void take_item(struct controller_engine *engine, struct controller_item *item, bool is_ending)
{
	switch (item->kind) {
	case CONTROLLER_REPORT:
		if (!is_ending)
			take_report(engine, item);
		arena_free(&item->arena);
		break;
	case CONTROLLER_REQUEST:
		controller_answer(engine, item->request, is_ending);
		break;
	case CONTROLLER_COMMITTED:
		controller_job_done(engine, item->job);
		break;
	}
	free(item);
}

static void decide(struct controller_engine *engine)
{
	controller_follow_election(engine);
	verdict_tick(engine->verdicts, controller_now_ms(engine));
	controller_take_doubts(engine); /* before proposals, because these contain when the doubt began */
	controller_propose(engine);
	controller_tell_doubts(engine);
}

/* Carry out all items; if that takes long, decide now and then in between. */
static void take_items(struct controller_engine *engine, struct controller_item *items, bool is_ending)
{
	int64_t since = controller_now_ms(engine);
	while (items != NULL) {
		struct controller_item *next = items->next;
		take_item(engine, items, is_ending);
		items = next;
		if (is_ending || controller_now_ms(engine) - since < STRETCH_MS)
			continue;
		decide(engine);
		since = controller_now_ms(engine);
	}
}

static void *engine_main(void *ctx)
{
	struct controller_engine *engine = ctx;
	int64_t tick_ms = controller_now_ms(engine);
	bool goes_on = true;
	while (goes_on) {
		struct controller_item *items;
		unsigned changes;
		int64_t wait_ms = tick_ms - controller_now_ms(engine);
		goes_on = controller_inbox_take(engine->inbox, wait_ms > 0 ? wait_ms : 0, &items, &changes);
		if ((changes & CONTROLLER_MODEL_CHANGED) != 0 && goes_on)
			(void)controller_read_model(engine);
		else if (changes != 0 && goes_on)
			controller_read_overrides(engine);
		bool has_items = items != NULL;
		take_items(engine, items, !goes_on);
		int64_t now = controller_now_ms(engine);
		if (goes_on && (has_items || changes != 0 || now >= tick_ms))
			decide(engine);
		if (now >= tick_ms)
			tick_ms = now + CONTROLLER_TICK_MS;
	}
	return NULL;
}

bool controller_engine_init(struct controller_engine *engine)
{
	veer_clock_boot_id(engine->config->clock, engine->boot_id);
	engine->verdicts = verdict_engine_new(NULL);
	engine->needs_seed = true;
	if (engine->verdicts == NULL)
		return false;
	(void)election_read(engine->election, &engine->term);
	engine->acting_ms = controller_now_ms(engine);
	(void)controller_read_model(engine); /* if it is unusable, a later change of the model is tried again */
	atomic_store(&engine->published.is_acting, true);
	return true;
}

bool controller_engine_start(struct controller_engine *engine)
{
	engine->has_thread = pthread_create(&engine->thread, NULL, engine_main, engine) == 0;
	return engine->has_thread;
}

void controller_engine_stop(struct controller_engine *engine)
{
	struct controller_item *items;
	unsigned changes;
	if (engine->has_thread)
		(void)pthread_join(engine->thread, NULL);
	engine->has_thread = false;
	(void)controller_inbox_take(engine->inbox, 0, &items, &changes); /* came while the thread was ending */
	take_items(engine, items, true);
}

void controller_engine_deinit(struct controller_engine *engine)
{
	if (engine->in_flight != NULL) {
		arena_free(&engine->in_flight->arena);
		free(engine->in_flight);
	}
	controller_model_deinit(&engine->model);
	controller_doubt_deinit(engine);
	verdict_engine_free(&engine->verdicts);
}
