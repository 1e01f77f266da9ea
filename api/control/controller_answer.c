/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to questions that other threads have put into the inbox (controller_request.c), and pushes of applications.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/controller_engine.h"
#include "api/control/controller_request.h"

/* Keep the push for people. When memory is out, only this copy is lost. */
static void note_push(struct controller_engine *engine, const struct controller_request *r)
{
	char key[MODEL_NAME_MAX + MODEL_ENDPOINT_KEY_MAX + 4];
	int len = snprintf(key, sizeof key, "%s %s", r->push.check, r->endpoint);
	struct pushed *p = strmap_get(&engine->pushes, key, (size_t)len);
	if (p == NULL) {
		p = calloc(1, sizeof *p);
		if (p == NULL || strmap_put(&engine->pushes, key, (size_t)len, p) != VEER_OK) {
			free(p);
			return;
		}
		(void)snprintf(p->check, sizeof p->check, "%s", r->push.check);
		(void)snprintf(p->endpoint, sizeof p->endpoint, "%s", r->endpoint);
	}
	(void)snprintf(p->text, sizeof p->text, "%s", r->push.reason);
	(void)snprintf(p->by, sizeof p->by, "%s", r->push.by);
	p->state = r->push.state;
	p->at_ms = controller_now_ms(engine);
	p->ttl_ms = r->push.ttl_ms;
}

static void take_push(struct controller_engine *engine, struct controller_request *r)
{
	r->err = verdict_push(engine->verdicts, r->push.check, r->endpoint, r->push.state, r->push.ttl_ms,
			      controller_now_ms(engine));
	if (r->err != VEER_OK)
		return;
	atomic_fetch_add(&engine->published.pushes, 1);
	note_push(engine, r);
}

void controller_answer(struct controller_engine *engine, struct controller_request *request, bool is_ending)
{
	struct controller_view *view = NULL;
	if (!is_ending && request->question == CONTROLLER_ASK_VIEW)
		view = controller_look(engine, request->endpoint[0] != '\0' ? request->endpoint : NULL);
	(void)pthread_mutex_lock(&request->lock);
	if (!is_ending && request->question == CONTROLLER_ASK_PUSH)
		take_push(engine, request);
	if (!is_ending && request->question == CONTROLLER_ASK_COUNTS)
		controller_count(engine, &request->counts);
	request->view = view;
	request->is_answered = !is_ending;
	(void)pthread_cond_signal(&request->done);
	(void)pthread_mutex_unlock(&request->lock);
	controller_request_release(request);
}
