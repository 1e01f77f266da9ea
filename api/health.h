/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the control plane work? Looks once a second at how the store has been working and how much room is on its disk,
 * keeps room for what is urgent, and says in the log when that changes.
 *
 * Threads: health_start(), health_stop() and the looking belong to the loop's thread; health_read() is for any.
 */
#ifndef VEER_API_HEALTH_H
#define VEER_API_HEALTH_H

#include <pthread.h>
#include <stdbool.h>

#include "base/log.h"
#include "base/loop.h"
#include "zones/store/store.h"

#define HEALTH_TEXT_SIZE 256

struct health {
	struct store *store; /* borrowed, like these two */
	struct loop *loop;
	struct logger *log;
	struct loop_timer timer;
	pthread_mutex_t lock; /* guards what follows */
	struct store_room room;
	char reason[HEALTH_TEXT_SIZE]; /* "": it works */
};

/* What /healthz and the metrics say. */
struct health_view {
	struct store_room room;
	struct store_health store;
	char reason[HEALTH_TEXT_SIZE]; /* why it does not work, for people; "": it does */
};

/* Begin, with a first look. All is borrowed until health_stop(). */
void health_start(struct health *health, struct store *store, struct loop *loop, struct logger *log);
/* End; only after health_start(). */
void health_stop(struct health *health);
/* How it is now: a failure is known at once, how much room there is to a second. */
void health_read(struct health *health, struct health_view *out);

#endif
