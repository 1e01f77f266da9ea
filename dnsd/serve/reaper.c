/* SPDX-License-Identifier: Apache-2.0 */
/* Releasing memory in a thread. See reaper.h. */
#include "dnsd/serve/reaper.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct batch {
	struct batch *next;
	struct retire_list list;
};

struct reaper {
	pthread_t thread;
	bool is_running;      /* the thread runs; used by the control thread only */
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t wake;
	struct batch *first; /* oldest */
	struct batch **last; /* where the next batch is linked */
	bool is_stopping;
};

struct reaper *reaper_new(void)
{
	struct reaper *r = calloc(1, sizeof *r);
	if (r == NULL)
		return NULL;
	r->last = &r->first;
	(void)pthread_mutex_init(&r->lock, NULL); /* cannot fail with default attributes on Linux */
	(void)pthread_cond_init(&r->wake, NULL);
	return r;
}

static struct batch *take(struct reaper *r)
{
	struct batch *batch = r->first;
	if (batch == NULL)
		return NULL;
	r->first = batch->next;
	if (r->first == NULL)
		r->last = &r->first;
	return batch;
}

static void *run(void *ctx)
{
	struct reaper *r = ctx;
	(void)pthread_mutex_lock(&r->lock);
	for (;;) {
		struct batch *batch = take(r);
		if (batch == NULL && r->is_stopping)
			break;
		if (batch == NULL) {
			(void)pthread_cond_wait(&r->wake, &r->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&r->lock);
		retire_release(&batch->list);
		free(batch);
		(void)pthread_mutex_lock(&r->lock);
	}
	(void)pthread_mutex_unlock(&r->lock);
	return NULL;
}

void reaper_free(struct reaper **reaper)
{
	struct reaper *r = *reaper;
	if (r == NULL)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->is_stopping = true;
	(void)pthread_cond_signal(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
	if (r->is_running)
		(void)pthread_join(r->thread, NULL);
	(void)pthread_cond_destroy(&r->wake);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
	*reaper = NULL;
}

/* Can the list be released quickly? An item with a function of its own may be large. */
static bool is_quick(const struct retire_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].fn != NULL)
			return false;
	return list->count <= REAPER_INLINE_MAX;
}

void reaper_release(struct reaper *reaper, struct retire_list *list)
{
	struct batch *batch = is_quick(list) ? NULL : malloc(sizeof *batch);
	if (batch != NULL && !reaper->is_running)
		reaper->is_running = pthread_create(&reaper->thread, NULL, run, reaper) == 0;
	if (batch == NULL || !reaper->is_running) {
		free(batch);
		retire_release(list);
		return;
	}
	*batch = (struct batch){.list = *list};
	*list = (struct retire_list){0};
	(void)pthread_mutex_lock(&reaper->lock);
	*reaper->last = batch;
	reaper->last = &batch->next;
	(void)pthread_cond_signal(&reaper->wake);
	(void)pthread_mutex_unlock(&reaper->lock);
}
