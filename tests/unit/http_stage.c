/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int http_stage_setup(void **state)
{
	struct http_stage *f = calloc(1, sizeof *f);
	f->loop = loop_new(veer_clock_system());
	f->client = http_client_new(f->loop);
	f->server = tiny_http_start(&(struct tiny_http_spec){0});
	assert_non_null(f->server);
	(void)snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u", tiny_http_port(f->server));
	*state = f;
	return 0;
}

int http_stage_teardown(void **state)
{
	struct http_stage *f = *state;
	http_client_free(&f->client);
	loop_free(&f->loop);
	tiny_http_stop(&f->server);
	free(f);
	return 0;
}

void http_stage_on_done(void *ctx, const struct http_result *result)
{
	struct http_outcome *o = ctx;
	const char *other = http_result_header(result, "x-other");
	o->done++;
	o->result = *result;
	assert_true(result->body_len < sizeof o->body);
	memcpy(o->body, result->body, result->body_len + 1);
	(void)snprintf(o->etag, sizeof o->etag, "%s", result->etag);
	(void)snprintf(o->error, sizeof o->error, "%s", result->error);
	(void)snprintf(o->other, sizeof o->other, "%s", other != NULL ? other : "");
	if (o->victim != NULL && !o->cancels_in_data)
		http_request_cancel(o->victim);
	if (--*o->waiting == 0)
		loop_stop(o->loop);
}

struct http_outcome *http_stage_start(struct http_stage *f, const struct http_spec *spec, http_data_fn *data,
				      struct http_request **request)
{
	struct http_outcome *o = calloc(1, sizeof *o);
	struct veer_diag diag = {.text = ""};
	o->loop = f->loop;
	o->waiting = &f->waiting;
	f->waiting++;
	enum veer_err err = http_request_start(f->client, spec, data, http_stage_on_done, o, request, &diag);
	if (err != VEER_OK)
		fail_msg("%s", diag.text);
	assert_int_equal(o->done, 0);
	return o;
}

struct http_outcome *http_stage_get(struct http_stage *f, const struct http_spec *spec, http_data_fn *data)
{
	struct http_outcome *o = http_stage_start(f, spec, data, NULL);
	assert_int_equal(loop_run(f->loop), VEER_OK);
	assert_int_equal(o->done, 1);
	return o;
}
