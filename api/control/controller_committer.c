/* SPDX-License-Identifier: Apache-2.0 */
/* The committing thread: one transaction at a time, and the election that all of them depend on. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/control/controller_impl.h"

#define ELECTION_MAX (INT64_C(1) << 53)

bool controller_is_refused(enum veer_err err)
{
	return err == VEER_EINVAL || err == VEER_ERANGE;
}

static enum veer_err commit_ops(struct controller *c, const struct store_op *ops, size_t count, int64_t *revision)
{
	return store_commit(c->config.store, ops, count, STORE_URGENT, revision, NULL);
}

/* Each verdict in a transaction of its own, so that one that is refused does not hold up the others. */
static void commit_singly(struct controller *c, struct commit_job *job)
{
	for (size_t i = 0; i < job->verdict_count; i++) {
		struct commit_verdict *v = &job->verdicts[i];
		assert(2 + 2 * i < job->op_count && job->ops[1 + 2 * i].kind == MODEL_KIND_VERDICT &&
		       job->ops[2 + 2 * i].kind == MODEL_KIND_TRANSITION);
		const struct store_op ops[] = {job->ops[0], job->ops[1 + 2 * i], job->ops[2 + 2 * i]};
		v->err = commit_ops(c, ops, 3, &v->revision);
		if (v->err == VEER_OK)
			job->revision = v->revision;
		else if (!controller_is_refused(v->err))
			job->err = v->err;
	}
}

static void commit(struct controller *c, struct commit_job *job)
{
	job->err = commit_ops(c, job->ops, job->op_count, &job->revision);
	for (size_t i = 0; i < job->verdict_count; i++) {
		job->verdicts[i].err = job->err;
		job->verdicts[i].revision = job->revision;
	}
	if (controller_is_refused(job->err) && job->verdict_count > 0 && job->op_count > 3)
		commit_singly(c, job);
	job->committed_us = controller_now_us(c);
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
		if (item != NULL)
			commit(c, job);
		else
			job->err = VEER_ENOMEM;
		for (size_t i = 0; item == NULL && i < job->verdict_count; i++)
			job->verdicts[i].err = job->err;
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

/* The number of the last election; what is not a sound number is older than the revision that carries it. */
static int64_t election_before(const struct store_object *object)
{
	json_t *before = NULL;
	int64_t last = 0;
	if (veer_json_parse(object->value, object->value_len, 65536, &before, NULL) == VEER_OK)
		last = json_integer_value(json_object_get(before, "election"));
	json_decref(before);
	return last > 0 && last < ELECTION_MAX ? last : object->revision;
}

enum veer_err controller_elect(struct controller *c, struct veer_diag *diag)
{
	struct store_object object;
	struct arena *arena = arena_new(65536);
	if (arena == NULL)
		return VEER_ENOMEM;
	int64_t expect = STORE_ABSENT, last = store_revision(c->config.store);
	enum veer_err err = store_get(c->config.store, MODEL_KIND_META, CONTROLLER_ELECTION_KEY, arena, &object);
	if (err == VEER_OK) {
		expect = object.revision;
		last = election_before(&object);
	}
	if (err == VEER_OK || err == VEER_ENOTFOUND) {
		c->election = last + 1;
		const char *text = arena_printf(arena, "{\"election\":%lld}", (long long)c->election);
		struct store_op op = {STORE_PUT,
				      MODEL_KIND_META,
				      CONTROLLER_ELECTION_KEY,
				      text,
				      text != NULL ? strlen(text) : 0,
				      expect,
				      0};
		err = text != NULL ? store_commit(c->config.store, &op, 1, STORE_URGENT, &c->election_revision, NULL)
				   : VEER_ENOMEM;
	}
	arena_free(&arena);
	return err == VEER_OK ? err : veer_fail(diag, err, "controller: election: %s", veer_err_text(err));
}
