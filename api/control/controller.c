/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and ending the controller, and what other threads tell it. */
#include "api/control/controller.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/control/controller_impl.h"

/* Start the controller after it has won the election: make the threads' structs, and start the threads. */
static enum veer_err start(struct controller *c, struct veer_diag *diag)
{
	if (!controller_committer_init(&c->committer, c->config.store, c->config.clock, &c->election, &c->inbox) ||
	    !controller_chores_init(&c->chores, &c->config, &c->election) || !controller_engine_init(&c->engine))
		return VEER_ENOMEM;
	if (!controller_engine_start(&c->engine) || !controller_committer_start(&c->committer) ||
	    !controller_chores_start(&c->chores))
		return veer_fail(diag, VEER_ELIMIT, "controller: no threads left");
	return VEER_OK;
}

enum veer_err controller_new(const struct controller_config *config, struct controller **out, struct veer_diag *diag)
{
	struct controller *c = calloc(1, sizeof *c);
	if (c == NULL)
		return VEER_ENOMEM;
	c->config = *config;
	election_init(&c->election, config->store);
	controller_inbox_init(&c->inbox);
	c->engine.config = &c->config;
	c->engine.election = &c->election;
	c->engine.inbox = &c->inbox;
	c->engine.committer = &c->committer;
	c->engine.chores = &c->chores;
	enum veer_err err = election_campaign(&c->election, diag);
	if (err == VEER_OK)
		err = start(c, diag);
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
	controller_chores_stop(&c->chores);
	controller_inbox_close(&c->inbox);
	controller_committer_stop(&c->committer);
	controller_engine_stop(&c->engine);
	controller_chores_deinit(&c->chores);
	controller_committer_deinit(&c->committer);
	controller_engine_deinit(&c->engine);
	controller_inbox_deinit(&c->inbox);
	election_deinit(&c->election);
	free(c);
	*controller = NULL;
}

void controller_model_changed(struct controller *controller)
{
	controller_inbox_changed(&controller->inbox, CONTROLLER_MODEL_CHANGED);
	controller_chores_changed(&controller->chores);
}

void controller_overrides_changed(struct controller *controller)
{
	controller_inbox_changed(&controller->inbox, CONTROLLER_OVERRIDES_CHANGED);
	controller_chores_changed(&controller->chores);
}

enum veer_err controller_report(struct controller *controller, const char *agent, struct report *report,
				struct arena *arena)
{
	struct controller_item *item = NULL;
	enum veer_err err = VEER_OK;
	if (report->assignment_revision != atomic_load(&controller->engine.published.assignment_revision))
		err = VEER_ECONFLICT;
	else if ((item = calloc(1, sizeof *item)) == NULL)
		err = VEER_ENOMEM;
	if (err == VEER_OK) {
		item->kind = CONTROLLER_REPORT;
		(void)snprintf(item->agent, sizeof item->agent, "%s", agent);
		item->report = *report;
		item->arena = arena;
		err = controller_inbox_push(&controller->inbox, item);
	}
	if (err != VEER_OK) {
		free(item);
		arena_free(&arena);
		atomic_fetch_add(&controller->reports_refused, 1);
	}
	return err;
}

json_t *controller_blocked(struct controller *controller)
{
	struct controller_chores *chores = &controller->chores;
	json_t *list = json_array();
	(void)pthread_mutex_lock(&chores->lock);
	for (size_t i = 0; i < chores->block_count; i++)
		(void)json_array_append_new(list, json_pack("{s:s, s:s}", "maintenance", chores->blocks[i].maintenance,
							    "pool", chores->blocks[i].pool));
	(void)pthread_mutex_unlock(&chores->lock);
	return list;
}

void controller_stats_read(struct controller *controller, struct controller_stats *out)
{
	struct election_term term;
	struct controller_published *published = &controller->engine.published;
	(void)election_read(&controller->election, &term);
	out->reports = atomic_load(&published->reports);
	out->reports_refused = atomic_load(&published->reports_refused) + atomic_load(&controller->reports_refused);
	out->transitions = atomic_load(&published->transitions);
	out->commits_failed = atomic_load(&published->commits_failed);
	out->confirms = atomic_load(&published->confirms);
	out->pushes = atomic_load(&published->pushes);
	out->election = term.number;
	out->is_acting = atomic_load(&published->is_acting);
}
