/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "probes/agent/places.h"
#include "probes/agent/prober.h"
#include "tests/unit/check_bench.h"

static void on_event(void *ctx)
{
	(void)ctx;
}

static void on_outage(void *ctx, uint32_t failing)
{
	(void)ctx;
	(void)failing;
}

/* Checks the observations every 20 ms, until they are as expected or 8 s have passed. */
struct watcher {
	struct check_bench *bench;
	struct prober *prober;
	enum observation_state wanted;
	struct loop_timer timer;
	int64_t end_ms;
	struct observation seen;
};

static void on_look(void *ctx)
{
	struct watcher *w = ctx;
	prober_observe(w->prober, &w->seen);
	if (w->seen.state == w->wanted || loop_now_ms(w->bench->loop) > w->end_ms)
		loop_stop(w->bench->loop);
	else
		assert_int_equal(loop_timer_set(w->bench->loop, &w->timer, 20, on_look, w), VEER_OK);
}

/*
 * One TLS connection at a time, and hanging probes of one endpoint, each begun before the last has ended. Those that
 * get no place give no result, and must not make the result of the one that waited for its place look outdated.
 */
static void probes_that_got_no_place_hide_none_that_did(void **state)
{
	struct check_bench bench = {0};
	check_bench_open(&bench);
	struct arena *arena = arena_new((size_t)1 << 20);
	struct model_check *check = arena_calloc(arena, 1, sizeof *check);
	struct assign_item *item = arena_calloc(arena, 1, sizeof *item);
	const struct prober_events events = {.changed = on_event, .failing = on_event, .outage = on_outage};
	(void)state;
	*check = check_bench_http(tiny_http_port(bench.server), "/"); /* the server expects a line in clear */
	check->kind = MODEL_CHECK_HTTPS;
	check->tls.is_used = true;
	check->interval_ms = 100;
	check->timeout_ms = 500;
	check->fall = 6;
	*item = (struct assign_item){.endpoint = "p/e", .address = "127.0.0.1"};
	const struct assignments list = {
		.revision = 1, .report_ms = 1000, .checks = check, .check_count = 1, .items = item, .item_count = 1};
	bench.env.places->max = 1;
	struct prober *prober = prober_new(&bench.env, NULL, &events);
	assert_non_null(prober);
	assert_int_equal(prober_assign(prober, &list, arena), VEER_OK);
	struct watcher watcher = {.bench = &bench,
				  .prober = prober,
				  .wanted = OBSERVATION_DOWN,
				  .end_ms = loop_now_ms(bench.loop) + 8000};
	assert_int_equal(loop_timer_set(bench.loop, &watcher.timer, 20, on_look, &watcher), VEER_OK);
	assert_int_equal(loop_run(bench.loop), VEER_OK);
	assert_int_equal(watcher.seen.state, OBSERVATION_DOWN);
	assert_int_equal(watcher.seen.reason == PROBE_REASON_TIMEOUT || watcher.seen.reason == PROBE_REASON_INTERNAL,
			 1);
	prober_free(&prober);
	check_bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_that_got_no_place_hide_none_that_did),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
