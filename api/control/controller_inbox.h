/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for the engine's thread: reports, questions, commits that have come back, and the note that the model has
 * changed. Each agent has a share of it, so that none can crowd out the others.
 *
 * Threads: any, except for init, deinit and controller_inbox_take().
 */
#ifndef VEER_API_CONTROL_CONTROLLER_INBOX_H
#define VEER_API_CONTROL_CONTROLLER_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "probes/verdict/report.h"

struct controller_request;
struct commit_job;

/* What has changed since the engine's thread last looked. */
enum { CONTROLLER_MODEL_CHANGED = 1, CONTROLLER_OVERRIDES_CHANGED = 2 };

enum controller_message { CONTROLLER_REPORT, CONTROLLER_REQUEST, CONTROLLER_COMMITTED };

struct controller_item {
	struct controller_item *next;
	enum controller_message kind;
	char agent[64];
	struct report report;
	struct arena *arena; /* of the report */
	struct controller_request *request;
	struct commit_job *job;
};

/* Embedded in the owner's memory. */
struct controller_inbox {
	pthread_mutex_t lock;  /* guards everything here */
	pthread_cond_t filled; /* waits by CLOCK_MONOTONIC */
	struct controller_item *head, *tail;
	size_t count;
	unsigned changes; /* CONTROLLER_MODEL_CHANGED, CONTROLLER_OVERRIDES_CHANGED */
	bool is_closing;
};

void controller_inbox_init(struct controller_inbox *inbox);
/* Release the inbox; items that are still in it belong to the caller. */
void controller_inbox_deinit(struct controller_inbox *inbox);

/*
 * Add an item at the end; an item for which the engine itself waits (CONTROLLER_COMMITTED) always fits. Takes `item`
 * only on success. Errors: VEER_ELIMIT (the inbox or the agent's share is full, or it is closing).
 */
enum veer_err controller_inbox_push(struct controller_inbox *inbox, struct controller_item *item);
/* Note what has changed. */
void controller_inbox_changed(struct controller_inbox *inbox, unsigned what);
/*
 * Take everything that waits, first to last, after at most `wait_ms`; the caller frees the items. False when closing:
 * then these are the last items.
 */
bool controller_inbox_take(struct controller_inbox *inbox, int64_t wait_ms, struct controller_item **items,
			   unsigned *changes);
/* Close it: nothing more is accepted, and the thread that waits in controller_inbox_take() is woken. */
void controller_inbox_close(struct controller_inbox *inbox);

#endif
