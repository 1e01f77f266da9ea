/* SPDX-License-Identifier: Apache-2.0 */
/* From proposals to committed verdicts: transactions of a batch, each with the election as its condition. */
#include <stdlib.h>
#include <string.h>

#include "api/controller_impl.h"

enum { JOB_ARENA_BYTES = 16 << 20 };
static const char election_key[] = "election";

static struct commit_job *job_new(struct controller *c)
{
	struct commit_job *job = calloc(1, sizeof *job);
	if (job == NULL || (job->arena = arena_new(JOB_ARENA_BYTES)) == NULL) {
		free(job);
		return NULL;
	}
	job->ops[job->op_count++] = (struct store_op){.op = STORE_CHECK, .kind = MODEL_KIND_META, .key = election_key,
						      .expect = c->election_revision};
	return job;
}

static void job_free(struct commit_job *job)
{
	arena_free(&job->arena);
	free(job);
}

/* Add an operation; what it points to ends up in the job's arena. */
static bool job_add(struct commit_job *job, struct store_op op)
{
	op.expect = STORE_ANY;
	op.key = arena_strdup(job->arena, op.key);
	if (op.op == STORE_PUT)
		op.value = arena_strdup(job->arena, op.value);
	bool ok = op.key != NULL && (op.op != STORE_PUT || op.value != NULL);
	if (ok)
		job->ops[job->op_count++] = op;
	return ok;
}

/* Takes `value`; NULL (memory was out) fails. */
static bool job_put(struct commit_job *job, enum model_kind kind, const char *key, json_t *value)
{
	char *text = value != NULL ? veer_json_dump(value) : NULL;
	bool ok = text != NULL && job_add(job, (struct store_op){.op = STORE_PUT, .kind = kind, .key = key, .value = text,
								  .value_len = strlen(text)});
	free(text);
	json_decref(value);
	return ok;
}

static json_t *votes_json(const struct verdict_transition *t)
{
	json_t *votes = json_array();
	for (uint32_t i = 0; i < t->vote_count; i++) {
		const struct verdict_vote *v = &t->votes[i];
		(void)json_array_append_new(votes, json_pack("{s:s, s:s, s:s, s:s, s:I}", "agent", v->agent, "check", v->check,
							     "state", observation_state_text(v->state), "reason",
							     probe_reason_text(v->reason), "age_ms", (json_int_t)v->age_ms));
	}
	return votes;
}

static json_t *verdict_json(struct controller *c, const struct verdict_transition *t)
{
	char at[VEER_RFC3339_SIZE];
	veer_rfc3339(veer_clock_wall_ns(c->config.clock), at);
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:i, s:o}", "endpoint", t->endpoint, "state",
			 model_state_text(t->to), "since_revision", (json_int_t)directory_revision(c->config.directory),
			 "election", (json_int_t)c->election, "at", at, "check", t->check != NULL ? t->check : "", "reason",
			 probe_reason_text(t->reason), "quorum", (int)t->quorum, "votes", votes_json(t));
}

/* The state of an endpoint as it will be once the job is committed. */
static bool is_down_after(struct controller *c, const struct commit_job *job, const char *endpoint)
{
	struct verdict_endpoint_status status;
	for (size_t i = 0; i < job->verdict_count; i++)
		if (strcmp(job->verdicts[i].endpoint, endpoint) == 0)
			return job->verdicts[i].state == MODEL_STATE_DOWN;
	uint32_t index;
	return controller_find_endpoint(c, endpoint, &index) &&
	       verdict_endpoint_at(c->engine, index, controller_now_ms(c), &status) && status.state == MODEL_STATE_DOWN;
}

static bool is_site_in(const struct controller *c, const char *name)
{
	for (size_t i = 0; i < c->model.site_count; i++)
		if (strcmp(c->model.sites[i].name, name) == 0)
			return c->model.sites[i].is_in;
	return true;
}

/* The pool's eligible endpoints after the job, as a `last` object; NULL when fewer than `min_up`. */
static json_t *last_json(struct controller *c, const struct commit_job *job, const struct model_pool *pool)
{
	json_t *names = json_array();
	for (uint32_t i = 0; i < pool->endpoint_count; i++) {
		char key[MODEL_ENDPOINT_KEY_MAX + 1];
		(void)snprintf(key, sizeof key, "%s/%s", pool->name, pool->endpoints[i].name);
		if (is_site_in(c, pool->endpoints[i].site) && !is_down_after(c, job, key))
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

/* Keep the last good set of those pools whose policies may need it, where it has changed. */
static void add_last_sets(struct controller *c, struct commit_job *job)
{
	for (size_t i = 0; i < c->model.pool_count && job->op_count < STORE_COMMIT_OPS_MAX; i++) {
		const struct model_pool *pool = &c->model.pools[i];
		bool is_wanted = false;
		for (size_t j = 0; j < c->model.last_pool_count && !is_wanted; j++)
			is_wanted = strcmp(c->model.last_pools[j], pool->name) == 0;
		json_t *value = is_wanted ? last_json(c, job, pool) : NULL;
		struct compare compare = {.value = value};
		if (value == NULL)
			continue;
		(void)directory_get(c->config.directory, MODEL_KIND_LAST, pool->name, compare_entry, &compare);
		if (compare.is_same)
			json_decref(value);
		else
			(void)job_put(job, MODEL_KIND_LAST, pool->name, value);
	}
	if (job->op_count >= STORE_COMMIT_OPS_MAX) /* the rest follows */
		c->clean_due_ms = controller_now_ms(c) + CONTROLLER_CLEAN_SOON_MS;
}

static void hand_over(struct controller *c, struct commit_job *job)
{
	c->in_flight = job;
	(void)pthread_mutex_lock(&c->lock);
	c->job = job;
	(void)pthread_cond_signal(&c->job_filled);
	(void)pthread_mutex_unlock(&c->lock);
}

void controller_propose(struct controller *c)
{
	struct verdict_transition t;
	if (c->in_flight != NULL || c->is_deposed)
		return;
	struct commit_job *job = NULL;
	while ((job == NULL || job->verdict_count < CONTROLLER_BATCH) && verdict_next(c->engine, &t)) {
		if (job == NULL)
			job = job_new(c);
		char *endpoint = job != NULL ? arena_strdup(job->arena, t.endpoint) : NULL;
		if (endpoint == NULL || !job_put(job, MODEL_KIND_VERDICT, t.endpoint, verdict_json(c, &t))) {
			verdict_commit_failed(c->engine, t.endpoint, controller_now_ms(c));
			break;
		}
		job->verdicts[job->verdict_count++] = (struct commit_verdict){endpoint, t.to};
		log_notice(c->config.log, "verdict", LOG_STR("endpoint", t.endpoint), LOG_STR("from", model_state_text(t.from)),
			   LOG_STR("to", model_state_text(t.to)), LOG_STR("check", t.check),
			   LOG_STR("reason", probe_reason_text(t.reason)));
	}
	if (job == NULL)
		return;
	add_last_sets(c, job);
	hand_over(c, job);
}

void controller_job_done(struct controller *c, struct commit_job *job)
{
	int64_t now = controller_now_ms(c);
	for (size_t i = 0; i < job->verdict_count; i++) {
		if (job->err == VEER_OK)
			verdict_committed(c->engine, job->verdicts[i].endpoint, job->verdicts[i].state, now);
		else
			verdict_commit_failed(c->engine, job->verdicts[i].endpoint, now);
	}
	if (job->err == VEER_OK) {
		atomic_fetch_add(&c->transitions, job->verdict_count);
	} else {
		atomic_fetch_add(&c->commits_failed, 1);
		log_error(c->config.log, "verdicts could not be committed", LOG_STR("why", veer_err_text(job->err)));
	}
	if (job->err == VEER_ECONFLICT) {
		c->is_deposed = true;
		log_error(c->config.log, "another controller was elected: this one writes no more");
	}
	if (job->is_cleaning && job->err != VEER_OK)
		c->clean_due_ms = now + CONTROLLER_CLEAN_AGAIN_MS;
	c->in_flight = NULL;
	job_free(job);
}

/* After an error that leaves it open whether the transaction happened: look (S15). */
static enum veer_err resolve(struct controller *c, const struct commit_job *job, enum veer_err err)
{
	const struct store_op *op = &job->ops[job->op_count - 1];
	struct store_object object;
	struct arena *arena = arena_new(JOB_ARENA_BYTES);
	if (arena == NULL)
		return err;
	enum veer_err found = store_get(c->config.store, op->kind, op->key, arena, &object);
	bool is_there = op->op == STORE_PUT && found == VEER_OK && object.value_len == op->value_len &&
			memcmp(object.value, op->value, op->value_len) == 0;
	bool is_gone = op->op == STORE_DEL && found == VEER_ENOTFOUND;
	arena_free(&arena);
	return is_there || is_gone ? VEER_OK : err;
}

static struct commit_job *next_job(struct controller *c)
{
	(void)pthread_mutex_lock(&c->lock);
	while (c->job == NULL && !c->is_closing)
		(void)pthread_cond_wait(&c->job_filled, &c->lock);
	struct commit_job *job = c->is_closing ? NULL : c->job;
	c->job = NULL;
	(void)pthread_mutex_unlock(&c->lock);
	return job;
}

void *controller_committer_main(void *ctx)
{
	struct controller *c = ctx;
	for (struct commit_job *job; (job = next_job(c)) != NULL;) {
		struct controller_item *item = calloc(1, sizeof *item);
		job->err = item != NULL ? store_commit(c->config.store, job->ops, job->op_count, STORE_URGENT, &job->revision, NULL)
					: VEER_ENOMEM;
		if (job->err == VEER_EIO || job->err == VEER_ETIMEOUT)
			job->err = resolve(c, job, job->err);
		while (item == NULL) { /* nothing was written; the controller must hear of it, so wait for memory */
			struct timespec pause = {.tv_nsec = 10000000};
			(void)nanosleep(&pause, NULL);
			item = calloc(1, sizeof *item);
		}
		item->kind = CONTROLLER_COMMITTED;
		item->job = job;
		if (controller_push(c, item) != VEER_OK)
			free(item); /* closing: controller_free() releases the job in flight */
	}
	return NULL;
}

struct orphans {
	struct controller *c;
	struct commit_job *job;
};

/* Does a check that counts watch it? */
static bool is_watched(const struct controller *c, const char *key)
{
	const struct verdict_config *config = &c->model.plan->config;
	uint32_t index;
	if (!controller_find_endpoint(c, key, &index))
		return false;
	const struct verdict_endpoint *e = &config->endpoints[index];
	for (uint32_t i = 0; i < e->check_count; i++)
		if (!config->checks[e->checks[i]].is_warning)
			return true;
	return false;
}

static bool find_orphan(void *ctx, const struct directory_entry *entry)
{
	struct orphans *o = ctx;
	if (is_watched(o->c, entry->key))
		return true;
	return job_add(o->job, (struct store_op){.op = STORE_DEL, .kind = MODEL_KIND_VERDICT, .key = entry->key}) &&
	       o->job->op_count < STORE_COMMIT_OPS_MAX;
}

void controller_remove_orphans(struct controller *c)
{
	int64_t now = controller_now_ms(c);
	c->clean_due_ms = 0;
	if (c->is_deposed || c->model.plan == NULL)
		return;
	struct orphans o = {c, c->in_flight == NULL ? job_new(c) : NULL};
	if (o.job == NULL) {
		c->clean_due_ms = now + CONTROLLER_CLEAN_SOON_MS;
		return;
	}
	o.job->is_cleaning = true;
	directory_list(c->config.directory, MODEL_KIND_VERDICT, NULL, find_orphan, &o);
	add_last_sets(c, o.job);
	if (o.job->op_count > 1)
		hand_over(c, o.job);
	else
		job_free(o.job);
}

enum veer_err controller_elect(struct controller *c, struct veer_diag *diag)
{
	struct store_object object;
	struct arena *arena = arena_new(65536);
	if (arena == NULL)
		return VEER_ENOMEM;
	int64_t expect = STORE_ABSENT, last = 0;
	enum veer_err err = store_get(c->config.store, MODEL_KIND_META, election_key, arena, &object);
	json_t *before = NULL;
	if (err == VEER_OK) {
		expect = object.revision;
		if (veer_json_parse(object.value, object.value_len, 65536, &before, NULL) == VEER_OK)
			last = json_integer_value(json_object_get(before, "election"));
	}
	json_decref(before);
	if (err == VEER_OK || err == VEER_ENOTFOUND) {
		c->election = (last > 0 ? last : 0) + 1;
		const char *text = arena_printf(arena, "{\"election\":%lld}", (long long)c->election);
		struct store_op op = {STORE_PUT, MODEL_KIND_META, election_key, text, text != NULL ? strlen(text) : 0, expect, 0};
		err = text != NULL ? store_commit(c->config.store, &op, 1, STORE_URGENT, &c->election_revision, NULL) : VEER_ENOMEM;
	}
	arena_free(&arena);
	return err == VEER_OK ? err : veer_fail(diag, err, "controller: election: %s", veer_err_text(err));
}
