/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/controller_committer.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "api/control/change.h"

bool controller_is_refused(enum veer_err err)
{
	return err == VEER_EINVAL || err == VEER_ERANGE;
}

static enum veer_err commit_ops(const struct controller_committer *committer, const struct store_op *ops, size_t count,
				int64_t *revision)
{
	return change_commit(committer->store, ops, count, CHANGE_URGENT, revision);
}

/* Commit each verdict in a transaction of its own, so that one that is refused does not hold up the others. */
static void commit_singly(const struct controller_committer *committer, struct commit_job *job)
{
	for (size_t i = 0; i < job->verdict_count; i++) {
		struct commit_verdict *v = &job->verdicts[i];
		assert(2 + 2 * i < job->op_count && job->ops[1 + 2 * i].kind == MODEL_KIND_VERDICT &&
		       job->ops[2 + 2 * i].kind == MODEL_KIND_TRANSITION);
		const struct store_op ops[] = {job->ops[0], job->ops[1 + 2 * i], job->ops[2 + 2 * i]};
		v->err = commit_ops(committer, ops, 3, &v->revision);
		if (v->err == VEER_OK)
			job->revision = v->revision;
		else if (!controller_is_refused(v->err))
			job->err = v->err;
	}
}

static void commit(const struct controller_committer *committer, struct commit_job *job)
{
	job->err = commit_ops(committer, job->ops, job->op_count, &job->revision);
	for (size_t i = 0; i < job->verdict_count; i++) {
		job->verdicts[i].err = job->err;
		job->verdicts[i].revision = job->revision;
	}
	if (controller_is_refused(job->err) && job->verdict_count > 0 && job->op_count > 3)
		commit_singly(committer, job);
	job->committed_us = veer_clock_monotonic_ns(committer->clock) / 1000;
	if (job->err == VEER_ECONFLICT) /* the election is the only condition */
		election_lose(committer->election, &job->term);
}

/* Carry out a job and send it back. Without memory for the way back, nothing is written. */
static void work(struct controller_committer *committer, struct commit_job *job)
{
	struct controller_item *item = calloc(1, sizeof *item);
	if (item == NULL)
		job->err = VEER_ENOMEM;
	else if (job->is_campaign)
		job->err = election_campaign(committer->election, NULL);
	else
		commit(committer, job);
	for (size_t i = 0; item == NULL && i < job->verdict_count; i++)
		job->verdicts[i].err = job->err;
	while (item == NULL) { /* nothing was written; the engine must be told, so wait for memory */
		struct timespec pause = {.tv_nsec = 10000000};
		(void)nanosleep(&pause, NULL);
		item = calloc(1, sizeof *item);
	}
	item->kind = CONTROLLER_COMMITTED;
	item->job = job;
	if (controller_inbox_push(committer->inbox, item) != VEER_OK)
		free(item); /* closing: the engine releases the job in flight */
}

static void *committer_main(void *ctx)
{
	struct controller_committer *committer = ctx;
	void *job;
	while (queue_pop(committer->jobs, -1, &job) == VEER_OK)
		work(committer, job);
	return NULL;
}

bool controller_committer_init(struct controller_committer *committer, struct store *store,
			       const struct veer_clock *clock, struct election *election,
			       struct controller_inbox *inbox)
{
	*committer = (struct controller_committer){
		.store = store, .clock = clock, .election = election, .inbox = inbox, .jobs = queue_new(1)};
	return committer->jobs != NULL;
}

bool controller_committer_start(struct controller_committer *committer)
{
	committer->has_thread = pthread_create(&committer->thread, NULL, committer_main, committer) == 0;
	return committer->has_thread;
}

void controller_committer_stop(struct controller_committer *committer)
{
	if (committer->jobs != NULL)
		queue_close(committer->jobs);
	if (committer->has_thread)
		(void)pthread_join(committer->thread, NULL);
	committer->has_thread = false;
}

void controller_committer_deinit(struct controller_committer *committer)
{
	queue_free(&committer->jobs, NULL); /* a job that is left in it is the engine's job in flight */
}

enum veer_err controller_committer_give(struct controller_committer *committer, struct commit_job *job)
{
	return queue_push(committer->jobs, job);
}
