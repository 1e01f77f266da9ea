/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From proposals to transactions: what a transaction contains, always with the election as its condition, and what is
 * done when it has come back. controller_committer.c commits it.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/controller_chores.h"
#include "api/control/controller_engine.h"
#include "zones/model/eligible.h"

enum { JOB_ARENA_BYTES = 16 << 20 };

struct commit_job *controller_job_new(const struct controller_engine *engine)
{
	struct commit_job *job = calloc(1, sizeof *job);
	if (job == NULL || (job->arena = arena_new(JOB_ARENA_BYTES)) == NULL) {
		free(job);
		return NULL;
	}
	static_assert(1 + 3 * CONTROLLER_BATCH <= STORE_COMMIT_OPS_MAX,
		      "a condition, and for each verdict its transition and a last set");
	job->term = engine->term;
	job->ops[job->op_count++] = election_condition(&job->term);
	return job;
}

static void job_free(struct commit_job *job)
{
	arena_free(&job->arena);
	free(job);
}

/* Add a put (`value` not NULL, taken) or a delete to the job; both strings end up in its arena. */
static bool job_add(struct commit_job *job, enum model_kind kind, const char *key, json_t *value)
{
	char *text = value != NULL ? veer_json_dump(value) : NULL;
	struct store_op op = {.op = value != NULL ? STORE_PUT : STORE_DEL,
			      .kind = kind,
			      .expect = STORE_ANY,
			      .key = arena_strdup(job->arena, key)};
	if (text != NULL) {
		op.value = arena_strdup(job->arena, text);
		op.value_len = strlen(text);
	}
	bool ok = op.key != NULL && (value == NULL || op.value != NULL);
	free(text);
	json_decref(value);
	assert(job->op_count < STORE_COMMIT_OPS_MAX);
	if (ok)
		job->ops[job->op_count++] = op;
	return ok;
}

static json_t *votes_json(const struct verdict_transition *t)
{
	json_t *votes = json_array();
	for (uint32_t i = 0; i < t->vote_count; i++) {
		const struct verdict_vote *v = &t->votes[i];
		if (!controller_keeps_vote(t, i, json_array_size(votes)))
			continue;
		(void)json_array_append_new(votes,
					    json_pack("{s:s, s:s, s:s, s:s, s:I}", "agent", v->agent, "check", v->check,
						      "state", observation_state_text(v->state), "reason",
						      probe_reason_text(v->reason), "age_ms", (json_int_t)v->age_ms));
	}
	return votes;
}

static json_t *verdict_json(struct controller_engine *engine, const struct verdict_transition *t)
{
	char at[VEER_RFC3339_SIZE], decided_by[CONTROLLER_DECIDED_SIZE];
	veer_rfc3339(veer_clock_wall_ns(engine->config->clock), at);
	const char *boot = engine->boot_id;
	json_t *verdict =
		json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:i, s:o}", "endpoint", t->endpoint, "state",
			  model_state_text(t->to), "since_revision", (json_int_t)engine->model.revision, "election",
			  (json_int_t)engine->term.number, "at", at, "check", t->check != NULL ? t->check : "",
			  "reason", probe_reason_text(t->reason), "quorum", (int)t->quorum, "votes", votes_json(t));
	if (verdict != NULL && controller_decided_by(engine, t->endpoint, decided_by))
		(void)json_object_set_new(verdict, "decided_by", json_string(decided_by));
	/*
	 * From these a later process can compute the verdict's age; the clock only continues if the kernel was not
	 * restarted.
	 */
	if (verdict != NULL && boot[0] != '\0') {
		(void)json_object_set_new(verdict, "boot", json_string(boot));
		(void)json_object_set_new(verdict, "monotonic_ms", json_integer(controller_now_ms(engine)));
	}
	return verdict;
}

/* The engine's verdict on the endpoint; unknown also when the engine does not know the endpoint. */
static enum model_state committed_state(struct controller_engine *engine, const char *endpoint)
{
	struct verdict_endpoint_status status;
	uint32_t index = verdict_endpoint_index(engine->verdicts, endpoint);
	return verdict_endpoint_at(engine->verdicts, index, controller_now_ms(engine), &status) ? status.state
												: MODEL_STATE_UNKNOWN;
}

/* The verdict on an endpoint once the job is committed. */
static enum model_state state_after(struct controller_engine *engine, const struct commit_job *job,
				    const char *endpoint)
{
	for (size_t i = 0; i < job->verdict_count; i++)
		if (strcmp(job->verdicts[i].endpoint, endpoint) == 0)
			return job->verdicts[i].state;
	return committed_state(engine, endpoint);
}

static bool is_site_in(const struct controller_engine *engine, const char *name)
{
	size_t i = controller_site_index(&engine->model, name);
	return i == SIZE_MAX || engine->model.sites[i].is_in;
}

static bool is_eligible_after(struct controller_engine *engine, const struct commit_job *job, const char *pool,
			      const struct model_endpoint *endpoint)
{
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
	(void)snprintf(key, sizeof key, "%s/%s", pool, endpoint->name);
	const struct model_standing standing = {.verdict = state_after(engine, job, key),
						.override = controller_override(engine, key),
						.is_site_in = is_site_in(engine, endpoint->site)};
	return model_is_eligible(&standing);
}

/* The pool's eligible endpoints after the job, as a `last` object; NULL when fewer than `min_up`. */
static json_t *last_json(struct controller_engine *engine, const struct commit_job *job, const struct model_pool *pool)
{
	json_t *names = json_array();
	for (uint32_t i = 0; i < pool->endpoint_count; i++) {
		if (is_eligible_after(engine, job, pool->name, &pool->endpoints[i]))
			(void)json_array_append_new(names, json_string(pool->endpoints[i].name));
	}
	if (json_array_size(names) < pool->min_up) {
		json_decref(names);
		return NULL;
	}
	return json_pack("{s:s, s:o}", "pool", pool->name, "endpoints", names);
}

struct compare {
	const json_t *value;
	bool is_same;
};

static bool compare_entry(void *ctx, const struct directory_entry *entry)
{
	struct compare *compare = ctx;
	compare->is_same = json_equal(entry->object, compare->value) != 0;
	return true;
}

static bool is_full(const struct commit_job *job)
{
	return job->op_count == STORE_COMMIT_OPS_MAX;
}

/* Store the last good set of each pool whose policies may need it, if it has changed. */
static void add_last_sets(struct controller_engine *engine, struct commit_job *job)
{
	for (size_t i = 0; i < engine->model.pool_count && !is_full(job); i++) {
		const struct model_pool *pool = &engine->model.pools[i];
		bool is_known = engine->model.keeps_last[i] && !engine->model.is_excess[i];
		json_t *value = is_known ? last_json(engine, job, pool) : NULL;
		struct compare compare = {.value = value};
		if (value == NULL)
			continue;
		(void)directory_get(engine->config->directory, MODEL_KIND_LAST, pool->name, compare_entry, &compare);
		if (compare.is_same)
			json_decref(value);
		else
			(void)job_add(job, MODEL_KIND_LAST, pool->name, value);
	}
}

void controller_job_give(struct controller_engine *engine, struct commit_job *job)
{
	if (controller_committer_give(engine->committer, job) == VEER_OK) {
		engine->in_flight = job;
		return;
	}
	job->err = VEER_ECLOSED; /* the controller is ending */
	for (size_t i = 0; i < job->verdict_count; i++)
		job->verdicts[i].err = job->err;
	controller_job_done(engine, job);
}

/* Is the endpoint's pool one that the engine has no room for? Then only what is stored is known about it. */
static bool is_of_excess(const struct controller_engine *engine, const char *endpoint)
{
	char name[MODEL_NAME_MAX + 1];
	(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(endpoint, "/"), endpoint);
	size_t pool = controller_pool_index(&engine->model, name);
	return pool != SIZE_MAX && engine->model.is_excess[pool];
}

/* Is it a stored verdict or last set that says nothing, or that belongs to nothing in the model? */
static bool is_orphan(struct controller_engine *engine, const struct directory_entry *entry)
{
	if (entry->kind == MODEL_KIND_LAST) {
		size_t pool = controller_pool_index(&engine->model, entry->key);
		return pool == SIZE_MAX || !engine->model.keeps_last[pool];
	}
	if (is_of_excess(engine, entry->key))
		return false;
	/* The engine never goes back to unknown: an unknown endpoint is new, or no check that votes watches it. */
	const char *endpoint = json_string_value(json_object_get(entry->object, "endpoint"));
	return endpoint == NULL || strcmp(endpoint, entry->key) != 0 ||
	       committed_state(engine, entry->key) == MODEL_STATE_UNKNOWN;
}

struct orphans {
	struct controller_engine *engine;
	struct commit_job *job;
};

/*
 * The verdict without `decided_by`, when what decided it is no longer configured; NULL when it still is, or
 * `decided_by` is missing. It must be removed, because a check that is removed and added again is new and has not
 * reported yet.
 */
static json_t *unmarked(struct controller_engine *engine, const struct directory_entry *entry)
{
	if (entry->kind != MODEL_KIND_VERDICT || json_object_get(entry->object, "decided_by") == NULL ||
	    is_of_excess(engine, entry->key) || controller_is_current(engine, entry))
		return NULL;
	json_t *verdict = json_deep_copy(entry->object);
	(void)json_object_del(verdict, "decided_by");
	return verdict;
}

static bool add_orphan(void *ctx, const struct directory_entry *entry)
{
	struct orphans *o = ctx;
	bool is = is_orphan(o->engine, entry);
	json_t *verdict = is ? NULL : unmarked(o->engine, entry);
	if ((is || verdict != NULL) && !job_add(o->job, entry->kind, entry->key, verdict))
		return false;
	return !is_full(o->job);
}

/* Make a job that brings the store in line with the model; NULL when they agree or that cannot be judged yet. */
static struct commit_job *tidy(struct controller_engine *engine)
{
	/* Without a model nothing is known about any object, so none can be called an orphan. */
	if (engine->model.plan == NULL || directory_revision(engine->config->directory) < engine->committed_revision)
		return NULL;
	struct orphans o = {engine, controller_job_new(engine)};
	if (o.job == NULL)
		return NULL;
	engine->needs_tidying = false;
	directory_list(engine->config->directory, MODEL_KIND_VERDICT, NULL, add_orphan, &o);
	if (!is_full(o.job))
		directory_list(engine->config->directory, MODEL_KIND_LAST, NULL, add_orphan, &o);
	add_last_sets(engine, o.job);
	if (o.job->op_count > 1)
		return o.job;
	job_free(o.job);
	return NULL;
}

/* Add one verdict with its transition to the job. False when memory is out. */
static bool add_transition(struct controller_engine *engine, struct commit_job *job, const struct verdict_transition *t)
{
	char id[TRAIL_ID_SIZE];
	struct commit_verdict verdict = {arena_strdup(job->arena, t->endpoint),
					 t->from,
					 t->to,
					 arena_strdup(job->arena, t->check),
					 probe_reason_text(t->reason),
					 NULL,
					 0,
					 VEER_OK,
					 0};
	size_t before = job->op_count;
	json_t *transition = controller_transition_json(engine, t, id, &verdict.base_us);
	verdict.id = arena_strdup(job->arena, id);
	if (verdict.endpoint == NULL || verdict.check == NULL || verdict.id == NULL || transition == NULL ||
	    !job_add(job, MODEL_KIND_VERDICT, t->endpoint, verdict_json(engine, t))) {
		json_decref(transition);
		job->op_count = before;
		return false;
	}
	if (!job_add(job, MODEL_KIND_TRANSITION, id, transition)) {
		job->op_count = before;
		return false;
	}
	assert(job->verdict_count < CONTROLLER_BATCH);
	job->verdicts[job->verdict_count++] = verdict;
	return true;
}

static bool is_held_back(const struct controller_engine *engine, const char *endpoint)
{
	for (size_t i = 0; i < CONTROLLER_REFUSED; i++)
		if (strcmp(engine->refused[i].endpoint, endpoint) == 0)
			return controller_now_ms(engine) < engine->refused[i].until_ms;
	return false;
}

static void hold_back(struct controller_engine *engine, const char *endpoint)
{
	size_t i = 0;
	while (i < CONTROLLER_REFUSED && strcmp(engine->refused[i].endpoint, endpoint) != 0)
		i++;
	if (i == CONTROLLER_REFUSED)
		i = engine->refused_next++ % CONTROLLER_REFUSED;
	(void)snprintf(engine->refused[i].endpoint, sizeof engine->refused[i].endpoint, "%s", endpoint);
	engine->refused[i].until_ms = controller_now_ms(engine) + CONTROLLER_RETRY_MS;
}

void controller_propose(struct controller_engine *engine)
{
	struct verdict_transition t;
	struct commit_job *job = NULL;
	if (engine->in_flight != NULL || !atomic_load(&engine->published.is_acting) || engine->needs_seed ||
	    controller_now_ms(engine) < engine->retry_ms)
		return;
	while ((job == NULL || job->verdict_count < CONTROLLER_BATCH) && verdict_next(engine->verdicts, &t)) {
		if (is_held_back(engine, t.endpoint)) {
			verdict_commit_failed(engine->verdicts, t.endpoint, controller_now_ms(engine));
			continue;
		}
		if (job == NULL)
			job = controller_job_new(engine);
		if (job == NULL || !add_transition(engine, job, &t)) {
			verdict_commit_failed(engine->verdicts, t.endpoint, controller_now_ms(engine));
			break;
		}
	}
	if (job != NULL)
		add_last_sets(engine, job);
	else if (engine->needs_tidying)
		job = tidy(engine);
	if (job == NULL)
		return;
	engine->needs_tidying = engine->needs_tidying || is_full(job); /* there may be more to tidy */
	controller_job_give(engine, job);
}

static void verdict_done(struct controller_engine *engine, const struct commit_verdict *v, int64_t committed_us)
{
	if (v->err != VEER_OK) {
		verdict_commit_failed(engine->verdicts, v->endpoint, controller_now_ms(engine));
		if (controller_is_refused(v->err)) {
			hold_back(engine, v->endpoint);
			log_error(engine->config->log, "the store refuses a verdict", LOG_STR("endpoint", v->endpoint),
				  LOG_STR("why", veer_err_text(v->err)));
		}
		return;
	}
	verdict_committed(engine->verdicts, v->endpoint, v->state, controller_now_ms(engine));
	if (engine->config->trail != NULL)
		trail_committed(engine->config->trail, v->id, v->base_us, v->revision, committed_us);
	/* The endpoint may have been removed from the model meanwhile. */
	engine->needs_tidying = engine->needs_tidying || committed_state(engine, v->endpoint) == MODEL_STATE_UNKNOWN;
	log_notice(engine->config->log, "verdict", LOG_STR("endpoint", v->endpoint),
		   LOG_STR("from", model_state_text(v->from)), LOG_STR("to", model_state_text(v->state)),
		   LOG_STR("check", v->check), LOG_STR("reason", v->reason));
	atomic_fetch_add(&engine->published.transitions, 1);
}

/* Handle a transaction that has come back. */
static void transaction_done(struct controller_engine *engine, struct commit_job *job)
{
	for (size_t i = 0; i < job->verdict_count; i++)
		verdict_done(engine, &job->verdicts[i], job->committed_us);
	controller_chores_stored(engine->chores, job);
	if (job->revision > engine->committed_revision)
		engine->committed_revision = job->revision;
	if (job->err == VEER_OK)
		return;
	engine->needs_tidying = true;
	/* A refused verdict is held back by itself; it does not delay the others. */
	if (!controller_is_refused(job->err) || job->verdict_count == 0)
		engine->retry_ms = controller_now_ms(engine) + CONTROLLER_RETRY_MS;
	atomic_fetch_add(&engine->published.commits_failed, 1);
	log_error(engine->config->log, "verdicts could not be committed", LOG_STR("why", veer_err_text(job->err)));
}

void controller_job_done(struct controller_engine *engine, struct commit_job *job)
{
	engine->in_flight = NULL;
	if (job->is_campaign)
		controller_campaign_done(engine, job->err);
	else
		transaction_done(engine, job);
	job_free(job);
}
