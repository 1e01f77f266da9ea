/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks whether the control plane works. Looks ten times a second at how the store has been working and how much room
 * is on its disk, reserves room for urgent writes, and logs when the result changes. A look blocks on the disk, so it
 * is done in a thread of its own; when it does not return in time, the disk does not answer, which is logged.
 *
 * Threads: health_start() and health_stop() belong to the loop's thread; health_read() may be called from any.
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
#define HEALTH_DISK_MS 5000 /* a disk that takes longer is said not to answer */

/* Everything is borrowed until health_stop(). */
struct health_config {
	struct store *store;
	const struct veer_clock *clock;
	struct loop *loop;
	struct logger *log;
	int64_t disk_ms; /* 0: HEALTH_DISK_MS */
	/* Look once at the store and its disk; called in the thread, may block. NULL: health_look(). */
	void (*look)(struct store *store, struct store_room *room);
};

struct health {
	struct health_config config;
	struct loop_timer timer;
	struct ticker ticker;
	char said[HEALTH_TEXT_SIZE]; /* what was logged last; used by the loop's thread */
	pthread_mutex_t lock;        /* guards what follows */
	struct store_room room;
};

/* What /healthz and the metrics report. */
struct health_view {
	struct store_room room;
	struct store_health store;
	char reason[HEALTH_TEXT_SIZE]; /* why it does not work, for people; "": it does */
};

/* Reserve room, look how much there is, and write something if the last write failed. Blocks. */
void health_look(struct store *store, struct store_room *room);
/* Begin, with a first look, which blocks. False when there is no thread; then it need not be stopped. */
bool health_start(struct health *health, const struct health_config *config);
/* End; waits for a look in progress. Does nothing when it is zeroed or was stopped already. */
void health_stop(struct health *health);
/* Read the present state: a failure is known at once, the room on the disk is up to a second old. */
void health_read(struct health *health, struct health_view *out);

#endif
