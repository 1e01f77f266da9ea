/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's part in the election. Once another controller was elected, this one writes nothing, but continues to
 * listen. After a pause it campaigns; when it has won, it reads what the other has written (verdicts, overrides, the
 * model), as after a start, and only then acts under the new number. Two controllers that can both write would take
 * turns for ever, so the pause doubles each time that this one is soon deposed again.
 */
#include <stdlib.h>
#include <string.h>

#include "api/control/controller_engine.h"

enum {
	CAMPAIGN_PAUSE_MS = 5000, /* unless configured otherwise */
	PAUSE_DOUBLINGS = 6,      /* at most 64 times that */
	CALM_PAUSES = 128, /* a controller that has acted for this many first pauses begins with the first one again */
};

static int64_t first_pause_ms(const struct controller_engine *engine)
{
	return engine->config->campaign_ms > 0 ? engine->config->campaign_ms : CAMPAIGN_PAUSE_MS;
}

/* Set when to campaign next, after a pause twice as long as the last one. */
static void lengthen_pause(struct controller_engine *engine)
{
	const int64_t first = first_pause_ms(engine), longest = first << PAUSE_DOUBLINGS;
	int64_t pause = engine->campaign_pause_ms * 2;
	pause = pause > longest ? longest : pause;
	engine->campaign_pause_ms = pause < first ? first : pause;
	engine->campaign_ms = controller_now_ms(engine) + engine->campaign_pause_ms;
}

static void step_down(struct controller_engine *engine)
{
	if (controller_now_ms(engine) - engine->acting_ms >= CALM_PAUSES * first_pause_ms(engine))
		engine->campaign_pause_ms = 0;
	lengthen_pause(engine);
	atomic_store(&engine->published.is_acting, false);
	log_error(engine->config->log,
		  "another controller was elected: this one writes nothing until it is elected again",
		  LOG_INT("election", engine->term.number), LOG_INT("campaign_in_ms", engine->campaign_pause_ms));
}

static void campaign(struct controller_engine *engine)
{
	struct commit_job *job = controller_job_new(engine);
	if (job == NULL)
		return; /* the next tick tries again */
	job->is_campaign = true;
	controller_job_give(engine, job);
}

void controller_campaign_done(struct controller_engine *engine, enum veer_err err)
{
	if (err == VEER_OK)
		return; /* the new term can be read from the election */
	lengthen_pause(engine);
	log_error(engine->config->log, "this controller could not be elected, yet", LOG_STR("why", veer_err_text(err)),
		  LOG_INT("campaign_in_ms", engine->campaign_pause_ms));
}

/*
 * Act in the term that was won. The previous engine has verdicts that are no longer the stored ones, so a new engine is
 * seeded with the stored ones; the agents report everything else within a second.
 */
static void take_over(struct controller_engine *engine, const struct election_term *term)
{
	struct verdict_engine *before = engine->verdicts, *verdicts = verdict_engine_new(NULL);
	const bool needed_seed = engine->needs_seed;
	if (verdicts != NULL)
		engine->verdicts = verdicts;
	engine->needs_seed = true;
	if (verdicts == NULL || !controller_read_model(engine)) { /* the previous engine continues to listen */
		verdict_engine_free(&verdicts);
		engine->verdicts = before;
		engine->needs_seed = needed_seed;
		engine->retry_ms = controller_now_ms(engine) + CONTROLLER_RETRY_MS;
		return;
	}
	verdict_engine_free(&before);
	controller_doubt_reset(engine);
	engine->term = *term;
	engine->sequence = 0;
	engine->retry_ms = 0;
	memset(engine->refused, 0, sizeof engine->refused);
	engine->committed_revision = term->revision;
	engine->needs_tidying = true;
	engine->acting_ms = controller_now_ms(engine);
	atomic_store(&engine->published.is_acting, true);
	log_notice(engine->config->log, "elected again: this controller acts", LOG_INT("election", term->number));
}

void controller_follow_election(struct controller_engine *engine)
{
	struct election_term term;
	if (engine->in_flight != NULL)
		return; /* the job may change the election */
	bool is_held = election_read(engine->election, &term);
	const bool is_acting = atomic_load(&engine->published.is_acting);
	const int64_t now_ms = controller_now_ms(engine);
	if (is_acting && !is_held)
		step_down(engine);
	else if (!is_acting && !is_held && now_ms >= engine->campaign_ms)
		campaign(engine);
	else if (!is_acting && is_held && now_ms >= engine->retry_ms &&
		 directory_revision(engine->config->directory) >= term.revision)
		take_over(engine, &term);
}
