/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client: requests, replies, deadlines, and what callbacks may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/http_stage.h"

static bool on_data(void *ctx, const void *data, size_t len)
{
	struct http_outcome *o = ctx;
	if (o->streamed + len < sizeof o->body)
		memcpy(o->body + o->streamed, data, len);
	o->streamed += len;
	if (o->victim != NULL && o->cancels_in_data) {
		http_request_cancel(o->victim);
		o->victim = NULL;
	}
	return o->stop_after == 0 || o->streamed < o->stop_after;
}

static void a_whole_body_comes_with_its_status_and_times(void **state)
{
	struct http_stage *f = *state;
	struct http_outcome *o = http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/hello"}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	assert_int_equal(o->result.status, 200);
	assert_string_equal(o->body, "hello");
	assert_string_equal(o->error, "");
	assert_true(o->result.timing.connect_us >= 0);
	assert_int_equal(o->result.timing.tls_us, -1);
	assert_true(o->result.timing.first_byte_us >= o->result.timing.connect_us);
	assert_true(o->result.timing.total_us >= 0);
	free(o);
	o = http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/status/503"}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	assert_int_equal(o->result.status, 503);
	free(o);
	o = http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/etag"}, NULL);
	assert_string_equal(o->etag, "\"abc\"");
	assert_string_equal(o->other, "yes");
	free(o);
}

static void the_request_is_what_the_spec_says(void **state)
{
	struct http_stage *f = *state;
	const char *const headers[] = {"X-One: 1", "Host: other.example", NULL};
	struct http_outcome *o = http_stage_get(f,
						&(struct http_spec){.url = f->url,
								    .path = "/echo?q=1",
								    .method = "PUT",
								    .bearer = "secret",
								    .headers = headers,
								    .body = "{\"a\":1}",
								    .body_len = 7},
						NULL);
	assert_int_equal(o->result.err, VEER_OK);
	const char *const parts[] = {
		"PUT /echo?q=1 HTTP/1.1\r\n", "Authorization: Bearer secret\r\n",   "X-One: 1\r\n",
		"Host: other.example\r\n",    "Content-Type: application/json\r\n", "Content-Length: 7\r\n",
		"\r\n\r\n{\"a\":1}"};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		assert_non_null(strstr(o->body, parts[i]));
	free(o);
	o = http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/echo", .body = "", .body_len = 0}, NULL);
	assert_non_null(strstr(o->body, "POST /echo"));
	assert_non_null(strstr(o->body, "Content-Length: 0"));
	free(o);
	o = http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/echo", .method = "DELETE"}, NULL);
	assert_non_null(strstr(o->body, "DELETE /echo"));
	assert_null(strstr(o->body, "Content-Length"));
	free(o);
}

static void a_slash_is_not_doubled(void **state)
{
	struct http_stage *f = *state;
	char url[80];
	(void)snprintf(url, sizeof url, "%s/", f->url);
	struct http_outcome *o = http_stage_get(f, &(struct http_spec){.url = url, .path = "/echo"}, NULL);
	assert_non_null(strstr(o->body, "GET /echo HTTP"));
	free(o);
}

static void connections_are_kept_unless_a_fresh_one_is_wanted(void **state)
{
	struct http_stage *f = *state;
	for (int i = 0; i < 3; i++)
		free(http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/hello"}, NULL));
	assert_int_equal(tiny_http_connections(f->server), 1);
	for (int i = 0; i < 3; i++)
		free(http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/hello", .fresh_connection = true},
				    NULL));
	assert_int_equal(tiny_http_connections(f->server), 4);
}

static void broken_replies_are_errors(void **state)
{
	struct http_stage *f = *state;
	const struct {
		const char *path;
		enum veer_err err;
		int status;
	} cases[] = {
		{"/truncated", VEER_ECLOSED, 200},
		{"/close", VEER_ECLOSED, 0},
		{"/garbage", VEER_EINVAL, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_outcome *o =
			http_stage_get(f, &(struct http_spec){.url = f->url, .path = cases[i].path}, NULL);
		assert_int_equal(o->result.err, cases[i].err);
		assert_int_equal(o->result.status, cases[i].status);
		assert_true(o->error[0] != '\0');
		free(o);
	}
}

static void a_deadline_holds_whatever_the_server_does(void **state)
{
	struct http_stage *f = *state;
	const char *const paths[] = {"/trickle", "/silent", "/half-head", "/huge"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		int64_t before = veer_clock_monotonic_ms(veer_clock_system());
		struct http_outcome *o = http_stage_get(
			f, &(struct http_spec){.url = f->url, .path = paths[i], .timeout_ms = 150}, on_data);
		int64_t took = veer_clock_monotonic_ms(veer_clock_system()) - before;
		assert_int_equal(o->result.err, VEER_ETIMEOUT);
		assert_non_null(strstr(o->error, "150 ms"));
		assert_true(took >= 149 && took < 1500);
		assert_true(o->result.timing.total_us >= 149000);
		free(o);
	}
}

static void an_idle_timeout_ends_silence_but_not_a_trickle(void **state)
{
	struct http_stage *f = *state;
	struct http_outcome *o =
		http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/silent", .idle_timeout_ms = 100}, NULL);
	assert_int_equal(o->result.err, VEER_ETIMEOUT);
	assert_non_null(strstr(o->error, "no byte"));
	free(o);
	o = http_stage_get(
		f, &(struct http_spec){.url = f->url, .path = "/trickle", .idle_timeout_ms = 300, .timeout_ms = 700},
		on_data);
	assert_int_equal(o->result.err, VEER_ETIMEOUT);
	assert_non_null(strstr(o->error, "700 ms"));
	assert_true(o->streamed > 3);
	free(o);
}

static void a_huge_body_is_cut_at_its_limit(void **state)
{
	struct http_stage *f = *state;
	struct http_outcome *o =
		http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/huge", .body_limit_bytes = 60000}, NULL);
	assert_int_equal(o->result.err, VEER_ERANGE);
	assert_true(o->result.body_cut);
	assert_int_equal(o->result.status, 200);
	assert_int_equal(o->result.body_len, 60000);
	free(o);
	o = http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/hello", .body_limit_bytes = 5}, NULL);
	assert_int_equal(o->result.err, VEER_OK);
	assert_false(o->result.body_cut);
	free(o);
	o = http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/hello", .body_limit_bytes = 4}, NULL);
	assert_true(o->result.body_cut);
	assert_string_equal(o->body, "hell");
	free(o);
}

static void a_stream_arrives_as_it_is_sent(void **state)
{
	struct http_stage *f = *state;
	struct http_outcome *o = http_stage_get(f, &(struct http_spec){.url = f->url, .path = "/lines"}, on_data);
	assert_int_equal(o->result.err, VEER_OK);
	assert_int_equal(o->streamed, 35);
	assert_int_equal(o->result.body_len, 0);
	free(o);
	o = http_stage_start(f, &(struct http_spec){.url = f->url, .path = "/huge"}, on_data, NULL);
	o->stop_after = 20000;
	assert_int_equal(loop_run(f->loop), VEER_OK);
	assert_int_equal(o->result.err, VEER_ECLOSED);
	assert_true(o->streamed >= 20000);
	free(o);
}

static void done_may_cancel_another_request(void **state)
{
	struct http_stage *f = *state;
	for (int round = 0; round < 20; round++) {
		struct http_request *request = NULL;
		const char *path = round % 2 == 0 ? "/silent" : "/hello";
		struct http_outcome *victim =
			http_stage_start(f, &(struct http_spec){.url = f->url, .path = path}, NULL, &request);
		struct http_outcome *killer =
			http_stage_start(f, &(struct http_spec){.url = f->url, .path = "/hello"}, NULL, NULL);
		killer->victim = request;
		f->waiting--;
		if (round % 2 == 1) /* both may be done at once: then no request may be cancelled twice */
			killer->victim = NULL;
		(void)loop_run(f->loop);
		assert_int_equal(killer->done, 1);
		if (round % 2 == 0)
			assert_int_equal(victim->done, 0);
		else if (victim->done == 0)
			http_request_cancel(request);
		f->waiting = 0;
		free(victim);
		free(killer);
	}
}

static void data_may_cancel_any_request(void **state)
{
	struct http_stage *f = *state;
	struct http_request *request = NULL;
	struct http_outcome *victim =
		http_stage_start(f, &(struct http_spec){.url = f->url, .path = "/silent"}, NULL, &request);
	struct http_outcome *killer =
		http_stage_start(f, &(struct http_spec){.url = f->url, .path = "/lines"}, on_data, NULL);
	killer->victim = request;
	killer->cancels_in_data = true;
	f->waiting--;
	(void)loop_run(f->loop);
	assert_int_equal(killer->done, 1);
	assert_int_equal(killer->streamed, 35);
	assert_int_equal(victim->done, 0);
	free(victim);
	free(killer);
	/* a request that cancels itself */
	struct http_outcome *self =
		http_stage_start(f, &(struct http_spec){.url = f->url, .path = "/lines"}, on_data, &request);
	self->victim = request;
	self->cancels_in_data = true;
	struct http_outcome *last =
		http_stage_start(f, &(struct http_spec){.url = f->url, .path = "/lines"}, NULL, NULL);
	f->waiting--;
	(void)loop_run(f->loop);
	assert_int_equal(self->done, 0);
	assert_true(self->streamed > 0 && self->streamed < 35);
	assert_int_equal(last->done, 1);
	free(self);
	free(last);
}

struct chain {
	struct http_stage *f;
	int left;
	bool in_data;
};

static void chain_done(void *ctx, const struct http_result *result);
static void chain_start(struct chain *c);

static bool chain_data(void *ctx, const void *data, size_t len)
{
	struct chain *c = ctx;
	(void)data;
	(void)len;
	if (c->in_data)
		chain_start(c);
	return true;
}

static void chain_start(struct chain *c)
{
	if (c->left == 0)
		return;
	c->left--;
	c->f->waiting++;
	assert_int_equal(http_request_start(c->f->client, &(struct http_spec){.url = c->f->url, .path = "/hello"},
					    chain_data, chain_done, c, NULL, NULL),
			 VEER_OK);
}

static void chain_done(void *ctx, const struct http_result *result)
{
	struct chain *c = ctx;
	assert_int_equal(result->err, VEER_OK);
	if (!c->in_data)
		chain_start(c);
	if (--c->f->waiting == 0)
		loop_stop(c->f->loop);
}

static void callbacks_may_start_requests(void **state)
{
	struct http_stage *f = *state;
	for (int i = 0; i < 2; i++) {
		struct chain c = {.f = f, .left = 10, .in_data = i == 1};
		chain_start(&c);
		assert_int_equal(loop_run(f->loop), VEER_OK);
		assert_int_equal(c.left, 0);
		assert_int_equal(f->waiting, 0);
	}
}

static void many_run_side_by_side(void **state)
{
	struct http_stage *f = *state;
	struct http_outcome *all[60];
	for (size_t i = 0; i < 60; i++)
		all[i] = http_stage_start(
			f, &(struct http_spec){.url = f->url, .path = i % 3 == 0 ? "/lines" : "/hello"}, NULL, NULL);
	assert_int_equal(loop_run(f->loop), VEER_OK);
	for (size_t i = 0; i < 60; i++) {
		assert_int_equal(all[i]->done, 1);
		assert_int_equal(all[i]->result.err, VEER_OK);
		free(all[i]);
	}
}

static void freeing_the_client_ends_everything_without_callbacks(void **state)
{
	struct http_stage *f = *state;
	struct http_outcome *o[10];
	for (size_t i = 0; i < 10; i++)
		o[i] = http_stage_start(f, &(struct http_spec){.url = f->url, .path = "/silent", .timeout_ms = 10000},
					NULL, NULL);
	struct http_outcome *last =
		http_stage_start(f, &(struct http_spec){.url = f->url, .path = "/hello"}, NULL, NULL);
	f->waiting = 1;
	(void)loop_run(f->loop);
	http_client_free(&f->client);
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(o[i]->done, 0);
		free(o[i]);
	}
	free(last);
	f->client = http_client_new(f->loop);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, http_stage_setup, http_stage_teardown)
	const struct CMUnitTest tests[] = {
		T(a_whole_body_comes_with_its_status_and_times),
		T(the_request_is_what_the_spec_says),
		T(a_slash_is_not_doubled),
		T(connections_are_kept_unless_a_fresh_one_is_wanted),
		T(broken_replies_are_errors),
		T(a_deadline_holds_whatever_the_server_does),
		T(an_idle_timeout_ends_silence_but_not_a_trickle),
		T(a_huge_body_is_cut_at_its_limit),
		T(a_stream_arrives_as_it_is_sent),
		T(done_may_cancel_another_request),
		T(data_may_cancel_any_request),
		T(callbacks_may_start_requests),
		T(many_run_side_by_side),
		T(freeing_the_client_ends_everything_without_callbacks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
