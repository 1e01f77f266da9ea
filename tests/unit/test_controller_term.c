/* SPDX-License-Identifier: Apache-2.0 */
/* Elections: a deposed controller writes nothing, is elected again, and then continues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/controller_stage.h"

static void elections_rise_whatever_the_store_says(void **state)
{
	static const char *const stored[] = {"{\"election\":9223372036854775807}", "{\"election\":-5}",
					     "{\"election\":41}", "[]", NULL};
	struct stage *f = *state;
	int64_t last = 0;
	for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++) {
		stage_start(f);
		int64_t election = stage_number_of(f, "election");
		assert_true(election > last || i == 3 || i == 4);
		assert_true(election > 0);
		last = election;
		(void)stage_put(f, MODEL_KIND_META, "election", stored[i]);
		stage_stop(f);
	}
	stage_start(f);
	assert_true(stage_number_of(f, "election") >= 5);
}

static void a_deposed_controller_writes_nothing(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	int64_t revision = stage_put(f, MODEL_KIND_META, "election", "{\"election\":99}");
	stage_report_all(f, 3, "d");
	for (int i = 0; i < WAIT_MS / 5; i++) {
		json_t *status = stage_status_of(f);
		bool is_acting = json_is_true(json_object_get(status, "acting"));
		json_decref(status);
		if (!is_acting)
			break;
		assert_true(i + 1 < WAIT_MS / 5);
		stage_pause_ms(5);
	}
	stage_report_all(f, 3, "u");
	stage_report_all(f, 3, "d");
	stage_pause_ms(300);
	assert_int_equal(store_revision(f->store), revision);
	assert_false(stage_is_there(f, MODEL_KIND_VERDICT, "web/e0"));
}

static void a_deposed_controller_ends_no_override(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	(void)stage_put(f, MODEL_KIND_META, "election", "{\"election\":99}");
	int64_t revision = stage_put(f, MODEL_KIND_OVERRIDE, "web/e0",
				     STAGE_OVERRIDE("drain", ",\"expires_at\":\"2001-01-01T00:00:00Z\""));
	stage_pause_ms(700);
	assert_int_equal(store_revision(f->store), revision);
	assert_true(stage_is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
}

static bool is_acting(struct stage *f)
{
	json_t *status = stage_status_of(f);
	bool is = json_is_true(json_object_get(status, "acting"));
	json_decref(status);
	return is;
}

static void wait_acting(struct stage *f, bool is)
{
	for (int i = 0; i < WAIT_MS / 5 && is_acting(f) != is; i++)
		stage_pause_ms(5);
	assert_true(is_acting(f) == is);
}

/* The stored transitions: how many there are, of which elections, and whether one repeats the one before it. */
struct told {
	size_t count, of_first, of_second;
	int64_t first, second;
	bool is_double;
	char to[2][16]; /* the last `to` seen of web/e0 and web/e1 */
};

static bool take_told(void *ctx, const struct store_object *object)
{
	struct told *told = ctx;
	json_t *t = NULL;
	assert_int_equal(veer_json_parse(object->value, object->value_len, 1 << 20, &t, NULL), VEER_OK);
	int64_t election = json_integer_value(json_object_get(t, "election"));
	const char *endpoint = json_string_value(json_object_get(t, "endpoint"));
	const char *to = json_string_value(json_object_get(t, "to"));
	char *later = told->to[strcmp(endpoint, "web/e1") == 0];
	told->count++;
	told->of_first += election == told->first;
	told->of_second += election == told->second;
	told->is_double = told->is_double || strcmp(later, to) == 0;
	(void)snprintf(later, sizeof told->to[0], "%s", to);
	json_decref(t);
	return true;
}

static struct told told_of(struct stage *f, int64_t first, int64_t second)
{
	struct told told = {.first = first, .second = second};
	assert_int_equal(store_list(f->store, MODEL_KIND_TRANSITION, "", NULL, take_told, &told, NULL), VEER_OK);
	return told;
}

static void a_deposed_controller_is_elected_again_and_writes_nothing_twice(void **state)
{
	struct stage *f = *state;
	f->campaign_ms = 1500;
	stage_put_model(f, 3, 2);
	stage_start(f);
	stage_report_until(f, "uu", "web/e1", "up");
	stage_report_until(f, "du", "web/e0", "down");
	stage_wait_history(f, 3);
	const int64_t first = stage_number_of(f, "election");
	/* Another controller is elected, and takes web/e1 out. */
	(void)stage_put(f, MODEL_KIND_META, "election", "{\"election\":99}");
	(void)stage_put(f, MODEL_KIND_TRANSITION, "1fffffffffff9d-fffffffe",
			"{\"id\":\"1fffffffffff9d-fffffffe\",\"endpoint\":\"web/e1\",\"to\":\"down\",\"election\":99}");
	const int64_t revision =
		stage_put(f, MODEL_KIND_VERDICT, "web/e1",
			  "{\"endpoint\":\"web/e1\",\"state\":\"down\",\"since_revision\":1,\"election\":99,"
			  "\"at\":\"2026-01-01T00:00:00Z\",\"check\":\"tcp\",\"reason\":\"timeout\"}");
	stage_report_all(f, 3, "dd");
	wait_acting(f, false);
	stage_report_all(f, 3, "dd");
	assert_int_equal(stage_number_of(f, "election"), first);
	assert_int_equal(store_revision(f->store), revision);
	wait_acting(f, true);
	assert_int_equal(stage_number_of(f, "election"), 100);
	struct controller_stats stats;
	controller_stats_read(f->controller, &stats);
	assert_true(stats.is_acting && stats.election == 100);
	/* The other controller's verdict stands, and is not written again. */
	for (int i = 0; i < 10; i++) {
		stage_report_all(f, 3, "dd");
		stage_pause_ms(50);
	}
	assert_int_equal(told_of(f, first, 100).count, 4);
	stage_report_until(f, "uu", "web/e0", "up");
	stage_report_until(f, "uu", "web/e1", "up");
	stage_report_until(f, "du", "web/e0", "down");
	stage_wait_history(f, 7);
	const struct told told = told_of(f, first, 100);
	assert_int_equal(told.of_first, 3);
	assert_int_equal(told.of_second, 3);
	assert_false(told.is_double);
}

static void a_controller_that_is_deposed_again_waits_longer(void **state)
{
	struct stage *f = *state;
	f->campaign_ms = 300;
	stage_put_model(f, 3, 1);
	stage_start(f);
	int64_t took_ms[3];
	const char *letters[] = {"d", "u", "d"};
	for (int i = 0; i < 3; i++) {
		(void)stage_put(f, MODEL_KIND_META, "election", "{\"election\":99}");
		int64_t since_ms = veer_clock_monotonic_ms(veer_clock_system());
		for (int j = 0; j < WAIT_MS / 5 && is_acting(f); j++) {
			stage_report_all(f, 3, letters[i]);
			stage_pause_ms(5);
		}
		wait_acting(f, true);
		took_ms[i] = veer_clock_monotonic_ms(veer_clock_system()) - since_ms;
		stage_report_until(f, letters[i], "web/e0", letters[i][0] == 'd' ? "down" : "up");
	}
	assert_true(took_ms[0] >= 300);
	assert_true(took_ms[1] >= 600);
	assert_true(took_ms[2] >= 1200);
}

static void chores_notice_a_lost_election_and_go_on_after_the_next(void **state)
{
	struct stage *f = *state;
	f->campaign_ms = 700;
	f->history = 3;
	stage_put_model(f, 3, 1);
	stage_start(f);
	(void)stage_put(f, MODEL_KIND_META, "election", "{\"election\":99}");
	for (int i = 0; i < 6; i++) { /* written by the other controller */
		char id[32];
		(void)snprintf(id, sizeof id, "001fffffffffff9c-%08x", 0xffffffffu - (unsigned)i);
		(void)stage_put(f, MODEL_KIND_TRANSITION, id, "{}");
	}
	int64_t revision = stage_put(f, MODEL_KIND_OVERRIDE, "web/e0",
				     STAGE_OVERRIDE("drain", ",\"expires_at\":\"2001-01-01T00:00:00Z\""));
	wait_acting(f, false); /* although no verdict had to be written */
	assert_int_equal(store_revision(f->store), revision);
	stage_wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
	wait_acting(f, true);
	assert_int_equal(stage_number_of(f, "election"), 100);
	stage_wait_history(f, 3); /* transitions that the other controller stored count too */
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		T(elections_rise_whatever_the_store_says),
		T(a_deposed_controller_writes_nothing),
		T(a_deposed_controller_ends_no_override),
		T(a_deposed_controller_is_elected_again_and_writes_nothing_twice),
		T(a_controller_that_is_deposed_again_waits_longer),
		T(chores_notice_a_lost_election_and_go_on_after_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
