/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's thread, its queue, and who puts what into it. */
#include "api/control/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/control/controller_impl.h"

enum { STRETCH_MS = 20 };

int64_t controller_now_ms(const struct controller *c)
{
	return veer_clock_monotonic_ms(c->config.clock);
}

int64_t controller_now_us(const struct controller *c)
{
	return veer_clock_monotonic_ns(c->config.clock) / 1000;
}

/* Is there room for the item? Each agent has a share of the queue; what the controller itself waits for always fits. */
static bool has_room(const struct controller *c, const struct controller_item *item)
{
	size_t waiting = 0;
	if (c->is_closing || item->kind == CONTROLLER_COMMITTED)
		return !c->is_closing;
	for (const struct controller_item *i = item->kind == CONTROLLER_REPORT ? c->head : NULL; i != NULL; i = i->next)
		waiting += i->kind == CONTROLLER_REPORT && strcmp(i->agent, item->agent) == 0;
	return c->queue_len < CONTROLLER_QUEUE_MAX && waiting < CONTROLLER_QUEUE_AGENT_MAX;
}

enum veer_err controller_push(struct controller *c, struct controller_item *item)
{
	(void)pthread_mutex_lock(&c->lock);
	bool fits = has_room(c, item);
	if (fits) {
		item->next = NULL;
		if (c->tail != NULL)
			c->tail->next = item;
		else
			c->head = item;
		c->tail = item;
		c->queue_len++;
		(void)pthread_cond_signal(&c->filled);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return fits ? VEER_OK : VEER_ELIMIT;
}

static void deadline_after(struct timespec *until, int64_t ms)
{
	(void)clock_gettime(CLOCK_MONOTONIC, until);
	until->tv_sec += ms / 1000;
	until->tv_nsec += ms % 1000 * 1000000;
	if (until->tv_nsec >= 1000000000) {
		until->tv_sec++;
		until->tv_nsec -= 1000000000;
	}
}

/* Everything that waits, at most until the next tick is due. False when closing. */
static bool take_all(struct controller *c, struct controller_item **items, unsigned *changes, int64_t wait_ms)
{
	struct timespec until;
	int waited = 0;
	deadline_after(&until, wait_ms);
	(void)pthread_mutex_lock(&c->lock);
	while (c->head == NULL && c->changes == 0 && !c->is_closing && waited == 0)
		waited = pthread_cond_timedwait(&c->filled, &c->lock, &until);
	*items = c->head;
	c->head = c->tail = NULL;
	c->queue_len = 0;
	*changes = c->changes;
	c->changes = 0;
	bool goes_on = !c->is_closing;
	(void)pthread_mutex_unlock(&c->lock);
	return goes_on;
}

static void send_confirms(struct controller *c)
{
	struct verdict_suspicion suspicion;
	while (verdict_suspicion_next(c->engine, &suspicion)) {
		char *line = assign_confirm_write(suspicion.check, suspicion.endpoint);
		controller_note_confirm(c, suspicion.endpoint);
		for (uint32_t i = 0; line != NULL && i < suspicion.agent_count; i++) {
			assignment_hub_confirm(c->config.assignments, suspicion.agents[i], line);
			atomic_fetch_add(&c->confirms, 1);
		}
		free(line);
	}
}

static void take_report(struct controller *c, const struct controller_item *item)
{
	enum veer_err err = verdict_report(c->engine, item->agent, &item->report, controller_now_ms(c));
	if (err == VEER_OK) {
		atomic_fetch_add(&c->reports, 1);
		send_confirms(c);
	} else {
		atomic_fetch_add(&c->reports_refused, 1);
		log_debug(c->config.log, "report not counted", LOG_STR("agent", item->agent),
			  LOG_STR("why", veer_err_text(err)));
	}
}

/* Carry out one item (unless the thread is ending) and free it. */
static void take_item(struct controller *c, struct controller_item *item, bool is_ending)
{
	switch (item->kind) {
	case CONTROLLER_REPORT:
		if (!is_ending)
			take_report(c, item);
		arena_free(&item->arena);
		break;
	case CONTROLLER_REQUEST:
		controller_answer(c, item->request, is_ending);
		break;
	case CONTROLLER_COMMITTED:
		controller_job_done(c, item->job);
		break;
	}
	free(item);
}

static void decide(struct controller *c)
{
	verdict_tick(c->engine, controller_now_ms(c));
	controller_take_doubts(c); /* before proposals: when it began is part of them */
	controller_propose(c);
	controller_tell_doubts(c);
}

/* Carry out all items; of very many, decide now and then in between. */
static void take_items(struct controller *c, struct controller_item *items, bool is_ending)
{
	int64_t since = controller_now_ms(c);
	while (items != NULL) {
		struct controller_item *next = items->next;
		take_item(c, items, is_ending);
		items = next;
		if (is_ending || controller_now_ms(c) - since < STRETCH_MS)
			continue;
		decide(c);
		since = controller_now_ms(c);
	}
}

static void *controller_main(void *ctx)
{
	struct controller *c = ctx;
	int64_t tick_ms = controller_now_ms(c);
	bool goes_on = true;
	while (goes_on) {
		struct controller_item *items;
		unsigned changes;
		int64_t wait_ms = tick_ms - controller_now_ms(c);
		goes_on = take_all(c, &items, &changes, wait_ms > 0 ? wait_ms : 0);
		if ((changes & CONTROLLER_MODEL_CHANGED) != 0 && goes_on)
			controller_read_model(c);
		else if (changes != 0 && goes_on)
			controller_read_overrides(c);
		bool has_items = items != NULL;
		take_items(c, items, !goes_on);
		int64_t now = controller_now_ms(c);
		if (goes_on && (has_items || changes != 0 || now >= tick_ms))
			decide(c);
		if (now >= tick_ms)
			tick_ms = now + CONTROLLER_TICK_MS;
	}
	return NULL;
}

enum veer_err controller_new(const struct controller_config *config, struct controller **out, struct veer_diag *diag)
{
	struct controller *c = calloc(1, sizeof *c);
	if (c == NULL)
		return VEER_ENOMEM;
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->filled, &monotonic);
	(void)pthread_cond_init(&c->job_filled, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&c->lock, NULL);
	c->config = *config;
	veer_clock_boot_id(config->clock, c->boot_id);
	c->history = config->history > 0 ? config->history : CONTROLLER_HISTORY;
	controller_chores_init(c);
	c->engine = verdict_engine_new(NULL);
	enum veer_err err = c->engine != NULL ? controller_elect(c, diag) : VEER_ENOMEM;
	if (err == VEER_OK) {
		controller_history_load(c);
		controller_read_model(c);
		c->has_thread = pthread_create(&c->thread, NULL, controller_main, c) == 0;
		c->has_committer = pthread_create(&c->committer, NULL, controller_committer_main, c) == 0;
		if (!c->has_thread || !c->has_committer || !controller_chores_start(c))
			err = veer_fail(diag, VEER_ELIMIT, "controller: no threads left");
	}
	if (err != VEER_OK) {
		controller_free(&c);
		return err;
	}
	*out = c;
	return VEER_OK;
}

void controller_free(struct controller **controller)
{
	struct controller *c = *controller;
	if (c == NULL)
		return;
	controller_chores_stop(c);
	(void)pthread_mutex_lock(&c->lock);
	c->is_closing = true;
	(void)pthread_cond_broadcast(&c->filled);
	(void)pthread_cond_broadcast(&c->job_filled);
	(void)pthread_mutex_unlock(&c->lock);
	if (c->has_committer)
		(void)pthread_join(c->committer, NULL);
	if (c->has_thread)
		(void)pthread_join(c->thread, NULL);
	while (c->head != NULL) { /* came in while the thread was ending */
		struct controller_item *next = c->head->next;
		take_item(c, c->head, true);
		c->head = next;
	}
	if (c->in_flight != NULL) {
		arena_free(&c->in_flight->arena);
		free(c->in_flight);
	}
	controller_chores_deinit(c);
	controller_model_deinit(&c->model);
	controller_doubt_deinit(c);
	verdict_engine_free(&c->engine);
	(void)pthread_cond_destroy(&c->filled);
	(void)pthread_cond_destroy(&c->job_filled);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
	*controller = NULL;
}

static void say_changed(struct controller *c, unsigned what)
{
	(void)pthread_mutex_lock(&c->lock);
	c->changes |= what;
	(void)pthread_cond_signal(&c->filled);
	(void)pthread_mutex_unlock(&c->lock);
	controller_chores_changed(c);
}

void controller_model_changed(struct controller *c)
{
	say_changed(c, CONTROLLER_MODEL_CHANGED);
}

void controller_overrides_changed(struct controller *c)
{
	say_changed(c, CONTROLLER_OVERRIDES_CHANGED);
}

enum veer_err controller_report(struct controller *c, const char *agent, struct report *report, struct arena *arena)
{
	struct controller_item *item = NULL;
	enum veer_err err = VEER_OK;
	if (report->assignment_revision != atomic_load(&c->assignment_revision))
		err = VEER_ECONFLICT;
	else if ((item = calloc(1, sizeof *item)) == NULL)
		err = VEER_ENOMEM;
	if (err == VEER_OK) {
		item->kind = CONTROLLER_REPORT;
		(void)snprintf(item->agent, sizeof item->agent, "%s", agent);
		item->report = *report;
		item->arena = arena;
		err = controller_push(c, item);
	}
	if (err != VEER_OK) {
		free(item);
		arena_free(&arena);
		atomic_fetch_add(&c->reports_refused, 1);
	}
	return err;
}

void controller_stats_read(struct controller *c, struct controller_stats *out)
{
	out->reports = atomic_load(&c->reports);
	out->reports_refused = atomic_load(&c->reports_refused);
	out->transitions = atomic_load(&c->transitions);
	out->commits_failed = atomic_load(&c->commits_failed);
	out->confirms = atomic_load(&c->confirms);
	out->pushes = atomic_load(&c->pushes_taken);
	out->election = c->election; /* written once, before the threads */
	out->is_acting = !atomic_load(&c->is_deposed);
}
