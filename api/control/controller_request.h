/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question to the engine's thread. The asking thread waits for the answer, but not for ever, so the question belongs
 * to both threads.
 *
 * Threads: any.
 */
#ifndef VEER_API_CONTROL_CONTROLLER_REQUEST_H
#define VEER_API_CONTROL_CONTROLLER_REQUEST_H

#include <pthread.h>
#include <stdbool.h>

#include "api/control/controller.h"

struct controller_view;

enum controller_question { CONTROLLER_ASK_VIEW, CONTROLLER_ASK_COUNTS, CONTROLLER_ASK_PUSH };

struct controller_request {
	pthread_mutex_t lock; /* guards the answer and the references */
	pthread_cond_t done;
	enum controller_question question;
	char endpoint[MODEL_ENDPOINT_KEY_MAX + 1]; /* VIEW: only this one, "" for all. PUSH: its target */
	struct controller_push push;
	struct controller_view *view;
	struct controller_counts counts;
	enum veer_err err;
	bool is_answered;
	unsigned references; /* one for the asking thread and one for the inbox; whoever drops the last one frees it */
};

/* Drop one of the two references. */
void controller_request_release(struct controller_request *request);

#endif
