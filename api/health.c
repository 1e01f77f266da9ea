/* SPDX-License-Identifier: Apache-2.0 */
#include "api/health.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 1000 };

static void explain(const struct store_health *h, const struct store_room *room, char out[HEALTH_TEXT_SIZE])
{
	out[0] = '\0';
	if (h->read_err == VEER_ECORRUPT || h->write_err == VEER_ECORRUPT)
		(void)snprintf(
			out, HEALTH_TEXT_SIZE,
			"the store is damaged: see what with veer store check; veer store repair or veer restore "
			"mends it");
	else if (h->write_err == VEER_ESPACE)
		(void)snprintf(out, HEALTH_TEXT_SIZE, "the store's disk is full: nothing can be written");
	else if (h->write_err != VEER_OK)
		(void)snprintf(out, HEALTH_TEXT_SIZE, "the store cannot be written: %s", veer_err_text(h->write_err));
	else if (h->read_err != VEER_OK)
		(void)snprintf(out, HEALTH_TEXT_SIZE, "the store cannot be read: %s", veer_err_text(h->read_err));
	else if (room->is_short)
		(void)snprintf(
			out, HEALTH_TEXT_SIZE,
			"the store's disk is nearly full: only verdicts and an administrator's word are written");
}

static void look(void *ctx)
{
	struct health *health = ctx;
	struct store_health h;
	struct store_room room;
	char reason[HEALTH_TEXT_SIZE];
	store_keep_room(health->store, &room);
	store_health(health->store, &h);
	if (h.write_err != VEER_OK) { /* nobody else may write for long */
		(void)store_probe(health->store);
		store_health(health->store, &h);
	}
	explain(&h, &room, reason);
	(void)pthread_mutex_lock(&health->lock);
	bool is_other = strcmp(reason, health->reason) != 0;
	memcpy(health->reason, reason, sizeof reason);
	health->room = room;
	(void)pthread_mutex_unlock(&health->lock);
	if (is_other && reason[0] != '\0')
		log_error(health->log, "the store does not work as it should", LOG_STR("why", reason),
			  LOG_INT("free_bytes", (int64_t)room.free_bytes));
	else if (is_other)
		log_notice(health->log, "the store works again", LOG_INT("free_bytes", (int64_t)room.free_bytes));
	(void)loop_timer_set(health->loop, &health->timer, LOOK_MS, look, health);
}

void health_start(struct health *health, struct store *store, struct loop *loop, struct logger *log)
{
	*health = (struct health){.store = store, .loop = loop, .log = log};
	(void)pthread_mutex_init(&health->lock, NULL);
	look(health);
}

void health_stop(struct health *health)
{
	loop_timer_cancel(health->loop, &health->timer);
	(void)pthread_mutex_destroy(&health->lock);
}

void health_read(struct health *health, struct health_view *out)
{
	store_health(health->store, &out->store);
	(void)pthread_mutex_lock(&health->lock);
	out->room = health->room;
	(void)pthread_mutex_unlock(&health->lock);
	explain(&out->store, &out->room, out->reason);
}
