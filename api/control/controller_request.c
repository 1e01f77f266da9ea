/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a question; controller_answer.c answers it. */
#include "api/control/controller_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/control/controller_impl.h"

enum { ANSWER_WAIT_MS = 2000 };

static struct controller_request *request_new(enum controller_question question)
{
	struct controller_request *request = calloc(1, sizeof *request);
	if (request == NULL)
		return NULL;
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&request->done, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&request->lock, NULL);
	request->question = question;
	request->references = 2;
	return request;
}

void controller_request_release(struct controller_request *request)
{
	(void)pthread_mutex_lock(&request->lock);
	bool is_last = --request->references == 0;
	(void)pthread_mutex_unlock(&request->lock);
	if (!is_last)
		return;
	controller_view_free(&request->view);
	(void)pthread_mutex_destroy(&request->lock);
	(void)pthread_cond_destroy(&request->done);
	free(request);
}

/* Put the question into the inbox and wait. The caller must release the request, answered (VEER_OK) or not. */
static enum veer_err ask(struct controller *c, struct controller_request *request)
{
	struct controller_item *item = calloc(1, sizeof *item);
	if (item != NULL)
		*item = (struct controller_item){.kind = CONTROLLER_REQUEST, .request = request};
	enum veer_err err = item != NULL ? controller_inbox_push(&c->inbox, item) : VEER_ENOMEM;
	if (err != VEER_OK) {
		free(item);
		controller_request_release(request); /* the inbox's reference */
		return err;
	}
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ANSWER_WAIT_MS / 1000;
	(void)pthread_mutex_lock(&request->lock);
	int waited = 0;
	while (!request->is_answered && waited == 0)
		waited = pthread_cond_timedwait(&request->done, &request->lock, &until);
	bool is_answered = request->is_answered;
	(void)pthread_mutex_unlock(&request->lock);
	return is_answered ? VEER_OK : VEER_ETIMEOUT;
}

json_t *controller_status(struct controller *controller, const char *endpoint)
{
	json_t *answer = NULL;
	struct controller_request *request = request_new(CONTROLLER_ASK_VIEW);
	if (request == NULL)
		return NULL;
	(void)snprintf(request->endpoint, sizeof request->endpoint, "%s", endpoint != NULL ? endpoint : "");
	if (ask(controller, request) == VEER_OK && request->view != NULL)
		answer = controller_view_json(request->view);
	controller_request_release(request);
	return answer;
}

enum veer_err controller_push_state(struct controller *controller, const char *endpoint,
				    const struct controller_push *push)
{
	struct controller_request *request = request_new(CONTROLLER_ASK_PUSH);
	if (request == NULL)
		return VEER_ENOMEM;
	(void)snprintf(request->endpoint, sizeof request->endpoint, "%s", endpoint);
	request->push = *push;
	enum veer_err err = ask(controller, request);
	if (err == VEER_OK)
		err = request->err;
	controller_request_release(request);
	return err;
}

bool controller_counts_read(struct controller *controller, struct controller_counts *out)
{
	struct controller_request *request = request_new(CONTROLLER_ASK_COUNTS);
	*out = (struct controller_counts){0};
	if (request == NULL)
		return false;
	bool is_answered = ask(controller, request) == VEER_OK;
	if (is_answered)
		*out = request->counts;
	controller_request_release(request);
	return is_answered;
}
