/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/health.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 100 }; /* often, so that room that becomes free is reserved at once, before others use it */

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

void health_look(struct store *store, struct store_room *room)
{
	struct store_health h;
	store_keep_room(store, room);
	store_health(store, &h);
	if (h.write_err != VEER_OK) /* other writes may not happen for a long time */
		(void)store_probe(store);
}

/* Runs in health's own thread. */
static void take_turn(void *ctx)
{
	struct health *health = ctx;
	struct store_room room;
	health->config.look(health->config.store, &room);
	(void)pthread_mutex_lock(&health->lock);
	health->room = room;
	(void)pthread_mutex_unlock(&health->lock);
}

/* Runs in the loop's thread; never touches the disk. */
static void tell(void *ctx)
{
	struct health *health = ctx;
	const struct health_config *config = &health->config;
	struct health_view view;
	health_read(health, &view);
	bool is_other = strcmp(view.reason, health->said) != 0;
	memcpy(health->said, view.reason, sizeof health->said);
	if (is_other && view.reason[0] != '\0')
		log_error(config->log, "the store does not work as it should", LOG_STR("why", view.reason),
			  LOG_INT("free_bytes", (int64_t)view.room.free_bytes));
	else if (is_other)
		log_notice(config->log, "the store works again", LOG_INT("free_bytes", (int64_t)view.room.free_bytes));
	(void)loop_timer_set(config->loop, &health->timer, LOOK_MS, tell, health);
}

bool health_start(struct health *health, const struct health_config *config)
{
	*health = (struct health){.config = *config};
	if (config->disk_ms == 0)
		health->config.disk_ms = HEALTH_DISK_MS;
	if (config->look == NULL)
		health->config.look = health_look;
	(void)pthread_mutex_init(&health->lock, NULL);
	take_turn(health);
	if (!ticker_start(&health->ticker, config->clock, LOOK_MS, take_turn, health)) {
		(void)pthread_mutex_destroy(&health->lock);
		return false;
	}
	tell(health);
	return true;
}

void health_stop(struct health *health)
{
	if (!health->ticker.is_running)
		return;
	loop_timer_cancel(health->config.loop, &health->timer);
	ticker_stop(&health->ticker);
	(void)pthread_mutex_destroy(&health->lock);
}

void health_read(struct health *health, struct health_view *out)
{
	store_health(health->config.store, &out->store);
	(void)pthread_mutex_lock(&health->lock);
	out->room = health->room;
	(void)pthread_mutex_unlock(&health->lock);
	explain(&out->store, &out->room, out->reason);
	/* the last look is outdated, and writers wait */
	if (ticker_busy_ms(&health->ticker) >= health->config.disk_ms)
		(void)snprintf(out->reason, HEALTH_TEXT_SIZE, "the store's disk does not answer: writes wait for it");
}
