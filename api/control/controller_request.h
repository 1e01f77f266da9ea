/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question to the engine's thread. Who asks waits for the answer, but not for ever; so the question belongs to both.
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
	char endpoint[MODEL_ENDPOINT_KEY_MAX + 1]; /* VIEW: only this one, "" for all. PUSH: of which */
	struct controller_push push;
	struct controller_view *view;
	struct controller_counts counts;
	enum veer_err err;
	bool is_answered;
	unsigned references; /* the asker's and the inbox's; whoever drops the last frees */
};

/* Drop one of the two shares. */
void controller_request_release(struct controller_request *request);

#endif
