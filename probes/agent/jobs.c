/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/jobs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct job {
	struct job *next;
	void (*work)(void *ctx);
	void (*done)(void *ctx);
	void *ctx;
};

struct job_list {
	struct job *first;
	struct job **last; /* where the next one is appended */
};

struct jobs {
	struct loop *loop;
	uint32_t threads_max;
	uint32_t waiting_max;
	pthread_t *threads;
	uint32_t thread_count;
	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t wake;
	struct job_list waiting;
	struct job_list finished; /* finished jobs whose `done` was not called yet */
	uint32_t waiting_count;
	uint32_t idle_count; /* threads that wait for work */
	bool is_posted;      /* the loop has been told to look at `finished` */
	bool is_stopping;
	bool is_abandoned;   /* stopping, without waiting for the threads */
	uint32_t references; /* of the owner and each thread: the last one frees */
};

static void list_add(struct job_list *list, struct job *job)
{
	job->next = NULL;
	*list->last = job;
	list->last = &job->next;
}

static struct job *list_take(struct job_list *list)
{
	struct job *job = list->first;
	if (job == NULL)
		return NULL;
	list->first = job->next;
	if (list->first == NULL)
		list->last = &list->first;
	return job;
}

struct jobs *jobs_new(struct loop *loop, uint32_t threads, uint32_t waiting)
{
	struct jobs *jobs = calloc(1, sizeof *jobs);
	pthread_t *ids = calloc(threads, sizeof *ids);
	if (jobs == NULL || ids == NULL) {
		free(jobs);
		free(ids);
		return NULL;
	}
	jobs->loop = loop;
	jobs->threads = ids;
	jobs->references = 1;
	jobs->threads_max = threads;
	jobs->waiting_max = waiting;
	jobs->waiting.last = &jobs->waiting.first;
	jobs->finished.last = &jobs->finished.first;
	(void)pthread_mutex_init(&jobs->lock, NULL); /* cannot fail with default attributes on Linux */
	(void)pthread_cond_init(&jobs->wake, NULL);
	return jobs;
}

static void run_done(struct job *job)
{
	job->done(job->ctx);
	free(job);
}

/* Called in the loop: call `done` of the finished jobs. It may add jobs. */
static void on_finished(void *ctx)
{
	struct jobs *jobs = ctx;
	struct job_list batch;
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->is_posted = false;
	batch.first = jobs->finished.first;
	jobs->finished = (struct job_list){.first = NULL};
	jobs->finished.last = &jobs->finished.first;
	(void)pthread_mutex_unlock(&jobs->lock);
	while (batch.first != NULL) {
		struct job *job = batch.first;
		batch.first = job->next;
		run_done(job);
	}
}

/* Drop one reference; the lock is held, and released here. */
static void release(struct jobs *jobs)
{
	bool is_last = --jobs->references == 0;
	(void)pthread_mutex_unlock(&jobs->lock);
	if (!is_last)
		return;
	(void)pthread_cond_destroy(&jobs->wake);
	(void)pthread_mutex_destroy(&jobs->lock);
	free(jobs->threads);
	free(jobs);
}

/* Hand back a job that was worked on; the lock is held. */
static void deliver(struct jobs *jobs, struct job *job)
{
	if (jobs->is_stopping && jobs->is_abandoned) {
		run_done(job);
		return;
	}
	list_add(&jobs->finished, job);
	/* If the loop's queue is full, the post for a later job delivers this one, too. */
	if (!jobs->is_posted && !jobs->is_stopping)
		jobs->is_posted = loop_post(jobs->loop, on_finished, jobs) == VEER_OK;
}

static void *thread_main(void *ctx)
{
	struct jobs *jobs = ctx;
	(void)pthread_mutex_lock(&jobs->lock);
	while (!jobs->is_stopping || (!jobs->is_abandoned && jobs->waiting.first != NULL)) {
		struct job *job = list_take(&jobs->waiting);
		if (job == NULL) {
			jobs->idle_count++;
			(void)pthread_cond_wait(&jobs->wake, &jobs->lock);
			jobs->idle_count--;
			continue;
		}
		jobs->waiting_count--;
		(void)pthread_mutex_unlock(&jobs->lock);
		job->work(job->ctx);
		(void)pthread_mutex_lock(&jobs->lock);
		deliver(jobs, job);
	}
	release(jobs);
	return NULL;
}

void jobs_free(struct jobs **jobs_ptr, bool wait)
{
	struct jobs *jobs = *jobs_ptr;
	if (jobs == NULL)
		return;
	*jobs_ptr = NULL;
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->is_stopping = true;
	jobs->is_abandoned = !wait;
	(void)pthread_cond_broadcast(&jobs->wake);
	(void)pthread_mutex_unlock(&jobs->lock);
	for (uint32_t i = 0; i < jobs->thread_count; i++)
		(void)(wait ? pthread_join(jobs->threads[i], NULL) : pthread_detach(jobs->threads[i]));
	(void)pthread_mutex_lock(&jobs->lock);
	for (struct job *job = list_take(&jobs->finished); job != NULL; job = list_take(&jobs->finished))
		run_done(job);
	for (struct job *job = list_take(&jobs->waiting); job != NULL; job = list_take(&jobs->waiting))
		run_done(job);
	release(jobs);
}

/* Start another thread if one is needed. The lock is held. */
static enum veer_err need_thread(struct jobs *jobs)
{
	if (jobs->idle_count > jobs->waiting_count || jobs->thread_count == jobs->threads_max)
		return VEER_OK;
	if (pthread_create(&jobs->threads[jobs->thread_count], NULL, thread_main, jobs) == 0)
		jobs->references = ++jobs->thread_count + 1;
	return jobs->thread_count > 0 ? VEER_OK : VEER_EIO;
}

enum veer_err jobs_add(struct jobs *jobs, void (*work)(void *ctx), void (*done)(void *ctx), void *ctx)
{
	struct job *job = calloc(1, sizeof *job);
	if (job == NULL)
		return VEER_ENOMEM;
	*job = (struct job){.work = work, .done = done, .ctx = ctx};
	(void)pthread_mutex_lock(&jobs->lock);
	enum veer_err err = jobs->waiting_count >= jobs->waiting_max ? VEER_ELIMIT : need_thread(jobs);
	if (err == VEER_OK) {
		list_add(&jobs->waiting, job);
		jobs->waiting_count++;
		(void)pthread_cond_signal(&jobs->wake);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	if (err != VEER_OK)
		free(job);
	return err;
}
