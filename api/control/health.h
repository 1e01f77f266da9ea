/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the control plane work? Looks ten times a second at how the store has been working and how much room is on its
 * disk, keeps room for what is urgent, and says in the log when that changes. The looking blocks on the disk, and so
 * has a thread of its own: when it does not come back in time, the disk does not answer, and that is said.
 *
 * Threads: health_start() and health_stop() belong to the loop's thread; health_read() is for any.
 */
#ifndef VEER_API_CONTROL_HEALTH_H
#define VEER_API_CONTROL_HEALTH_H

#include <pthread.h>
#include <stdbool.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/ticker.h"
#include "zones/store/store.h"

#define HEALTH_TEXT_SIZE 256
#define HEALTH_DISK_MS 5000 /* a disk that takes longer does not answer */

/* All is borrowed until health_stop(). */
struct health_config {
	struct store *store;
	const struct veer_clock *clock;
	struct loop *loop;
	struct logger *log;
	int64_t disk_ms; /* 0: HEALTH_DISK_MS */
	/* One look at the store and its disk, in the thread; it may block. NULL: health_look(). */
	void (*look)(struct store *store, struct store_room *room);
};

struct health {
	struct health_config config;
	struct loop_timer timer;
	struct ticker ticker;
	char said[HEALTH_TEXT_SIZE]; /* the loop's: what the log has been told last */
	pthread_mutex_t lock;        /* guards what follows */
	struct store_room room;
};

/* What /healthz and the metrics say. */
struct health_view {
	struct store_room room;
	struct store_health store;
	char reason[HEALTH_TEXT_SIZE]; /* why it does not work, for people; "": it does */
};

/* Keep room, look how much there is, and write something if the last write failed. Blocks. */
void health_look(struct store *store, struct store_room *room);
/* Begin, with a first look, which blocks. False when there is no thread; then nothing is to be stopped. */
bool health_start(struct health *health, const struct health_config *config);
/* End; waits for a look that is under way. One that is zeroed, or was stopped, is left alone. */
void health_stop(struct health *health);
/* How it is now: a failure is known at once, how much room there is to a second. */
void health_read(struct health *health, struct health_view *out);

#endif
