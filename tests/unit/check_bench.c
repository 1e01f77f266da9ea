/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "probes/verdict/target.h"

void check_bench_open(struct check_bench *b)
{
	(void)snprintf(b->dir, sizeof b->dir, "/tmp/veer-test-check-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->loop = loop_new(veer_clock_system());
	b->server = tiny_http_start(&(struct tiny_http_spec){0});
	assert_true(b->loop != NULL && b->server != NULL);
	assert_int_equal(check_env_open(&b->env, b->loop), VEER_OK);
	b->env.targets.classes = TARGET_LOOPBACK;
}

void check_bench_close(struct check_bench *b)
{
	check_env_close(&b->env);
	loop_free(&b->loop);
	tiny_http_stop(&b->server);
	(void)rmdir(b->dir);
}

struct model_check check_bench_http(uint16_t port, const char *path)
{
	static const struct model_status_range only_2xx = {200, 299};
	static const char *const no_headers[] = {NULL};
	return (struct model_check){.name = "c",
				    .kind = MODEL_CHECK_HTTP,
				    .port = port,
				    .http.method = "GET",
				    .http.path = path,
				    .http.headers = no_headers,
				    .http.expect_status = &only_2xx,
				    .http.expect_status_count = 1,
				    .tls.verify = true,
				    .grpc_service = "",
				    .interval_ms = 1000,
				    .timeout_ms = 400,
				    .fall = 2,
				    .rise = 2};
}

static void on_done(void *ctx, const struct check_outcome *outcome)
{
	struct check_ended *e = ctx;
	e->count++;
	e->is_success = outcome->is_success;
	e->reason = outcome->reason;
	e->rtt_us = outcome->rtt_us;
	e->timing = outcome->timing;
	(void)snprintf(e->detail, sizeof e->detail, "%s", outcome->detail);
	e->took_ms = veer_clock_monotonic_ms(veer_clock_system()) - e->started_ms;
	if (--e->bench->running == 0)
		loop_stop(e->bench->loop);
}

struct check_probe *check_bench_begin(struct check_bench *b, const struct model_check *check, const char *address,
				      struct check_ended *ended)
{
	struct check_probe *probe = NULL;
	*ended = (struct check_ended){.bench = b};
	ended->started_ms = veer_clock_monotonic_ms(veer_clock_system());
	b->running++;
	assert_int_equal(check_start(&b->env, check, address, b->has_failed, on_done, ended, &probe), VEER_OK);
	assert_int_equal(ended->count, 0);
	return probe;
}

struct check_ended check_bench_run(struct check_bench *b, const struct model_check *check, const char *address)
{
	struct check_ended e;
	(void)check_bench_begin(b, check, address, &e);
	assert_int_equal(loop_run(b->loop), VEER_OK);
	assert_int_equal(e.count, 1);
	return e;
}
