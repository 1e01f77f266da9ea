/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct queue {
	pthread_mutex_t lock;     /* guards everything below */
	pthread_cond_t not_empty; /* on CLOCK_MONOTONIC */
	bool is_closed;
	size_t first; /* place of the first item */
	size_t count;
	size_t limit;
	void *items[]; /* a ring of `limit` */
};

struct queue *queue_new(size_t limit)
{
	size_t size = 0;
	pthread_condattr_t attr;
	if (limit == 0 || __builtin_mul_overflow(limit, sizeof(void *), &size) ||
	    __builtin_add_overflow(size, sizeof(struct queue), &size))
		return NULL;
	struct queue *queue = calloc(1, size);
	if (queue == NULL)
		return NULL;
	queue->limit = limit;
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&queue->not_empty, &attr);
	(void)pthread_condattr_destroy(&attr);
	return queue;
}

/* Take the first item. The lock is held, and there is an item. */
static void *take_first(struct queue *queue)
{
	void *item = queue->items[queue->first];
	queue->first = (queue->first + 1) % queue->limit;
	queue->count--;
	return item;
}

void queue_free(struct queue **queue_ptr, void (*drop)(void *item))
{
	struct queue *queue = *queue_ptr;
	if (queue == NULL)
		return;
	while (queue->count > 0) {
		void *item = take_first(queue);
		if (drop != NULL)
			drop(item);
	}
	(void)pthread_cond_destroy(&queue->not_empty);
	(void)pthread_mutex_destroy(&queue->lock);
	free(queue);
	*queue_ptr = NULL;
}

enum veer_err queue_push(struct queue *queue, void *item)
{
	enum veer_err err = VEER_OK;
	(void)pthread_mutex_lock(&queue->lock);
	if (queue->is_closed) {
		err = VEER_ECLOSED;
	} else if (queue->count == queue->limit) {
		err = VEER_ELIMIT;
	} else {
		queue->items[(queue->first + queue->count) % queue->limit] = item;
		queue->count++;
		(void)pthread_cond_signal(&queue->not_empty);
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return err;
}

enum veer_err queue_pop(struct queue *queue, int64_t timeout_ms, void **item)
{
	enum veer_err err = VEER_OK;
	const struct timespec deadline = veer_clock_deadline(timeout_ms > 0 ? timeout_ms : 0);
	(void)pthread_mutex_lock(&queue->lock);
	while (queue->count == 0 && err == VEER_OK) {
		if (queue->is_closed)
			err = VEER_ECLOSED;
		else if (timeout_ms < 0)
			(void)pthread_cond_wait(&queue->not_empty, &queue->lock);
		else if (timeout_ms == 0 ||
			 pthread_cond_timedwait(&queue->not_empty, &queue->lock, &deadline) == ETIMEDOUT)
			err = queue->count == 0 ? VEER_ETIMEOUT : VEER_OK;
	}
	if (err == VEER_OK)
		*item = take_first(queue);
	(void)pthread_mutex_unlock(&queue->lock);
	return err;
}

void queue_close(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->lock);
	queue->is_closed = true;
	(void)pthread_cond_broadcast(&queue->not_empty);
	(void)pthread_mutex_unlock(&queue->lock);
}
