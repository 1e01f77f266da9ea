/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests of the HTTP client: a loop with a client, and a server on loopback. */
#ifndef VEER_TESTS_HTTP_STAGE_H
#define VEER_TESTS_HTTP_STAGE_H

#include "base/http.h"
#include "tests/unit/tiny_http.h"

/* The result of a finished request: copies, because the result is freed after its callback. */
struct http_outcome {
	struct loop *loop;
	unsigned *waiting; /* how many requests are not done; the loop stops at 0 */
	int done;
	struct http_result result;
	char body[70000];
	char etag[64];
	char other[64];
	char error[300];
	size_t streamed;
	size_t stop_after;           /* on_data returns stop after this many bytes; 0: never */
	struct http_request *victim; /* the request that on_done or on_data of this one cancels */
	bool cancels_in_data;
};

struct http_stage {
	struct loop *loop;
	struct http_client *client;
	struct tiny_http *server;
	char url[64];
	unsigned waiting;
};

/* For cmocka: `*state` is a stage. */
int http_stage_setup(void **state);
int http_stage_teardown(void **state);
/* Note the result of the request in `ctx`, a struct http_outcome; the loop stops with the last request. */
void http_stage_on_done(void *ctx, const struct http_result *result);
/* Start a request. The caller owns the outcome. */
struct http_outcome *http_stage_start(struct http_stage *f, const struct http_spec *spec, http_data_fn *data,
				      struct http_request **request);
/* Start one request and run the loop until all are done. */
struct http_outcome *http_stage_get(struct http_stage *f, const struct http_spec *spec, http_data_fn *data);

#endif
