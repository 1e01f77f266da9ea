/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the controller's thread from others, who wait for the answer, but not for ever. */
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

static void request_release(struct controller_request *request)
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

/* Keep the word for people. Without memory only that is lost. */
static void note_push(struct controller *c, const struct controller_request *r)
{
	char key[MODEL_NAME_MAX + MODEL_ENDPOINT_KEY_MAX + 4];
	int len = snprintf(key, sizeof key, "%s %s", r->push.check, r->endpoint);
	struct pushed *p = strmap_get(&c->pushes, key, (size_t)len);
	if (p == NULL) {
		p = calloc(1, sizeof *p);
		if (p == NULL || strmap_put(&c->pushes, key, (size_t)len, p) != VEER_OK) {
			free(p);
			return;
		}
		(void)snprintf(p->check, sizeof p->check, "%s", r->push.check);
		(void)snprintf(p->endpoint, sizeof p->endpoint, "%s", r->endpoint);
	}
	(void)snprintf(p->text, sizeof p->text, "%s", r->push.reason);
	(void)snprintf(p->by, sizeof p->by, "%s", r->push.by);
	p->state = r->push.state;
	p->at_ms = controller_now_ms(c);
	p->ttl_ms = r->push.ttl_ms;
}

static void take_push(struct controller *c, struct controller_request *r)
{
	r->err = verdict_push(c->engine, r->push.check, r->endpoint, r->push.state, r->push.ttl_ms,
			      controller_now_ms(c));
	if (r->err != VEER_OK)
		return;
	atomic_fetch_add(&c->pushes_taken, 1);
	note_push(c, r);
}

void controller_answer(struct controller *c, struct controller_request *request, bool is_ending)
{
	struct controller_view *view = NULL;
	if (!is_ending && request->question == CONTROLLER_ASK_VIEW)
		view = controller_look(c, request->endpoint[0] != '\0' ? request->endpoint : NULL);
	(void)pthread_mutex_lock(&request->lock);
	if (!is_ending && request->question == CONTROLLER_ASK_PUSH)
		take_push(c, request);
	if (!is_ending && request->question == CONTROLLER_ASK_COUNTS)
		controller_count(c, &request->counts);
	request->view = view;
	request->is_answered = !is_ending;
	(void)pthread_cond_signal(&request->done);
	(void)pthread_mutex_unlock(&request->lock);
	request_release(request);
}

/* Put the question and wait. The caller releases the request, answered (VEER_OK) or not. */
static enum veer_err ask(struct controller *c, struct controller_request *request)
{
	struct controller_item *item = calloc(1, sizeof *item);
	if (item != NULL)
		*item = (struct controller_item){.kind = CONTROLLER_REQUEST, .request = request};
	enum veer_err err = item != NULL ? controller_push(c, item) : VEER_ENOMEM;
	if (err != VEER_OK) {
		free(item);
		request_release(request); /* the queue's share */
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

json_t *controller_status(struct controller *c, const char *endpoint)
{
	json_t *answer = NULL;
	struct controller_request *request = request_new(CONTROLLER_ASK_VIEW);
	if (request == NULL)
		return NULL;
	(void)snprintf(request->endpoint, sizeof request->endpoint, "%s", endpoint != NULL ? endpoint : "");
	if (ask(c, request) == VEER_OK && request->view != NULL)
		answer = controller_view_json(request->view);
	request_release(request);
	return answer;
}

enum veer_err controller_push_state(struct controller *c, const char *endpoint, const struct controller_push *push)
{
	struct controller_request *request = request_new(CONTROLLER_ASK_PUSH);
	if (request == NULL)
		return VEER_ENOMEM;
	(void)snprintf(request->endpoint, sizeof request->endpoint, "%s", endpoint);
	request->push = *push;
	enum veer_err err = ask(c, request);
	if (err == VEER_OK)
		err = request->err;
	request_release(request);
	return err;
}

bool controller_counts_read(struct controller *c, struct controller_counts *out)
{
	struct controller_request *request = request_new(CONTROLLER_ASK_COUNTS);
	*out = (struct controller_counts){0};
	if (request == NULL)
		return false;
	bool is_answered = ask(c, request) == VEER_OK;
	if (is_answered)
		*out = request->counts;
	request_release(request);
	return is_answered;
}
