/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/controller_inbox.h"

#include <string.h>
#include <time.h>

#include "api/control/controller.h"
#include "base/clock.h"

void controller_inbox_init(struct controller_inbox *inbox)
{
	pthread_condattr_t monotonic;
	*inbox = (struct controller_inbox){.head = NULL};
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&inbox->filled, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&inbox->lock, NULL);
}

void controller_inbox_deinit(struct controller_inbox *inbox)
{
	(void)pthread_cond_destroy(&inbox->filled);
	(void)pthread_mutex_destroy(&inbox->lock);
}

static bool has_room(const struct controller_inbox *inbox, const struct controller_item *item)
{
	size_t waiting = 0;
	if (inbox->is_closing || item->kind == CONTROLLER_COMMITTED)
		return !inbox->is_closing;
	for (const struct controller_item *i = item->kind == CONTROLLER_REPORT ? inbox->head : NULL; i != NULL;
	     i = i->next)
		waiting += i->kind == CONTROLLER_REPORT && strcmp(i->agent, item->agent) == 0;
	return inbox->count < CONTROLLER_QUEUE_MAX && waiting < CONTROLLER_QUEUE_AGENT_MAX;
}

enum veer_err controller_inbox_push(struct controller_inbox *inbox, struct controller_item *item)
{
	(void)pthread_mutex_lock(&inbox->lock);
	bool fits = has_room(inbox, item);
	if (fits) {
		item->next = NULL;
		if (inbox->tail != NULL)
			inbox->tail->next = item;
		else
			inbox->head = item;
		inbox->tail = item;
		inbox->count++;
		(void)pthread_cond_signal(&inbox->filled);
	}
	(void)pthread_mutex_unlock(&inbox->lock);
	return fits ? VEER_OK : VEER_ELIMIT;
}

void controller_inbox_changed(struct controller_inbox *inbox, unsigned what)
{
	(void)pthread_mutex_lock(&inbox->lock);
	inbox->changes |= what;
	(void)pthread_cond_signal(&inbox->filled);
	(void)pthread_mutex_unlock(&inbox->lock);
}

bool controller_inbox_take(struct controller_inbox *inbox, int64_t wait_ms, struct controller_item **items,
			   unsigned *changes)
{
	const struct timespec until = veer_clock_deadline(wait_ms);
	int waited = 0;
	(void)pthread_mutex_lock(&inbox->lock);
	while (inbox->head == NULL && inbox->changes == 0 && !inbox->is_closing && waited == 0)
		waited = pthread_cond_timedwait(&inbox->filled, &inbox->lock, &until);
	*items = inbox->head;
	inbox->head = inbox->tail = NULL;
	inbox->count = 0;
	*changes = inbox->changes;
	inbox->changes = 0;
	bool goes_on = !inbox->is_closing;
	(void)pthread_mutex_unlock(&inbox->lock);
	return goes_on;
}

void controller_inbox_close(struct controller_inbox *inbox)
{
	(void)pthread_mutex_lock(&inbox->lock);
	inbox->is_closing = true;
	(void)pthread_cond_broadcast(&inbox->filled);
	(void)pthread_mutex_unlock(&inbox->lock);
}
