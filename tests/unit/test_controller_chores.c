/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's other duties: last good sets, overrides that expire, and maintenance that continues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/controller_stage.h"

static size_t last_size(struct stage *f, const char *pool)
{
	json_t *last = stage_wait_object(f, MODEL_KIND_LAST, pool, NULL, NULL);
	size_t size = json_array_size(json_object_get(last, "endpoints"));
	json_decref(last);
	return size;
}

static void the_last_good_set_is_kept_for_policies_that_need_it(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 3);
	(void)stage_put(f, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"when_all_down\":\"last\",\"tree\":\"web\"}");
	stage_start(f);
	assert_int_equal(last_size(f, "web"), 3);
	stage_report_all(f, 3, "dud");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e2", "state", "down"));
	for (int i = 0; i < WAIT_MS / 5 && last_size(f, "web") != 1; i++)
		stage_pause_ms(5);
	assert_int_equal(last_size(f, "web"), 1);
	stage_report_all(f, 3, "ddd");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e1", "state", "down"));
	stage_pause_ms(300);
	assert_int_equal(last_size(f, "web"), 1);
	(void)stage_put(f, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"tree\":\"web\"}");
	stage_wait_gone(f, MODEL_KIND_LAST, "web");
}

static void more_last_sets_than_fit_a_commit_are_all_written(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 1, 1);
	for (int i = 0; i < 230; i++) {
		char pool[32], policy[128];
		(void)snprintf(pool, sizeof pool, "p%d", i);
		stage_put_pool(f, pool, 1);
		(void)snprintf(policy, sizeof policy, "{\"name\":\"%s\",\"when_all_down\":\"last\",\"tree\":\"%s\"}",
			       pool, pool);
		(void)stage_put(f, MODEL_KIND_POLICY, pool, policy);
	}
	stage_start(f);
	stage_wait_count(f, MODEL_KIND_LAST, 230);
}

static void a_site_taken_out_leaves_the_last_set_and_the_agents_alone(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 2);
	(void)stage_put(f, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"when_all_down\":\"last\",\"tree\":\"web\"}");
	stage_start(f);
	int64_t before = stage_number_of(f, "assignment_revision");
	(void)stage_put(f, MODEL_KIND_SITE, "fra", "{\"name\":\"fra\",\"region\":\"eu\",\"state\":\"out\"}");
	stage_pause_ms(200);
	assert_int_equal(stage_number_of(f, "assignment_revision"), before); /* no reports were refused because of it */
	assert_int_equal(last_size(f, "web"), 2);
	stage_put_pool(f, "web", 3);
	for (int i = 0; i < WAIT_MS / 5 && stage_number_of(f, "assignment_revision") == before; i++)
		stage_pause_ms(5);
	assert_true(stage_number_of(f, "assignment_revision") > before);
}

static void put_weighted(struct stage *f, int last_octet, int weight)
{
	char value[256];
	(void)snprintf(value, sizeof value,
		       "{\"name\":\"web\",\"checks\":[\"tcp\"],\"endpoints\":[{\"name\":\"e0\",\"address\":"
		       "\"192.0.2.%d\",\"site\":\"fra\",\"weight\":%d}]}",
		       last_octet, weight);
	(void)stage_put(f, MODEL_KIND_POOL, "web", value);
}

/* When someone changes weights all the time, that must not lead to the refusal of every report. */
static void a_weight_is_nobodys_assignment(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	int64_t before = stage_number_of(f, "assignment_revision");
	put_weighted(f, 1, 7);
	stage_pause_ms(200);
	assert_int_equal(stage_number_of(f, "assignment_revision"), before);
	put_weighted(f, 2, 7);
	for (int i = 0; i < WAIT_MS / 5 && stage_number_of(f, "assignment_revision") == before; i++)
		stage_pause_ms(5);
	assert_true(stage_number_of(f, "assignment_revision") > before);
}

static void wait_last(struct stage *f, size_t size)
{
	for (int i = 0; i < WAIT_MS / 5 && last_size(f, "web") != size; i++)
		stage_pause_ms(5);
	assert_int_equal(last_size(f, "web"), size);
}

static void overrides_beat_verdicts_in_last_sets(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 3);
	(void)stage_put(f, MODEL_KIND_POLICY, "www", "{\"name\":\"www\",\"when_all_down\":\"last\",\"tree\":\"web\"}");
	(void)stage_put(f, MODEL_KIND_OVERRIDE, "web/e0", STAGE_OVERRIDE("drain", ""));
	stage_start(f);
	wait_last(f, 2);
	stage_report_until(f, "duu", "web/e0", "down");
	(void)stage_put(f, MODEL_KIND_OVERRIDE, "web/e0", STAGE_OVERRIDE("up", ""));
	wait_last(f, 3);
	(void)stage_put(f, MODEL_KIND_OVERRIDE, "web/e0", NULL);
	wait_last(f, 2);
	json_t *status = stage_status_of(f);
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(status, "endpoints"), 0), "override")));
	json_decref(status);
}

static void an_override_ends_when_the_wall_clock_says_so(void **state)
{
	struct stage *f = *state;
	char text[VEER_RFC3339_SIZE], value[256];
	stage_put_model(f, 3, 2);
	stage_start(f);
	veer_rfc3339(veer_clock_wall_ns(veer_clock_system()) + INT64_C(3600000000000), text);
	(void)snprintf(value, sizeof value, STAGE_OVERRIDE("drain", ",\"expires_at\":\"%s\""), text);
	(void)stage_put(f, MODEL_KIND_OVERRIDE, "web/e0", value);
	(void)stage_put(f, MODEL_KIND_OVERRIDE, "web/e1",
			"{\"endpoint\":\"web/e1\",\"action\":\"up\",\"owner\":\"me\",\"reason\":\"x\"}");
	stage_pause_ms(500);
	assert_true(stage_is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
	atomic_store(&f->ahead_s, 3000);
	stage_pause_ms(300);
	assert_true(stage_is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
	atomic_store(&f->ahead_s, 3601);
	stage_wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
	assert_true(stage_is_there(f, MODEL_KIND_OVERRIDE, "web/e1")); /* that override has no expiry */
}

/* A pool that cannot be read may still exist: its overrides must not be deleted (S11). */
static void an_override_outlives_a_pool_that_cannot_be_read(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 2);
	stage_start(f);
	(void)stage_put(f, MODEL_KIND_OVERRIDE, "web/e0", STAGE_OVERRIDE("drain", ""));
	json_decref(stage_wait_object(f, MODEL_KIND_OVERRIDE, "web/e0", NULL, NULL));
	/* Under a name other than its own it would be sorted wrongly, and hide the others. */
	(void)stage_put(f, MODEL_KIND_POOL, "aaa", "{\"name\":\"zzz\",\"checks\":[],\"endpoints\":[]}");
	stage_pause_ms(700);
	assert_true(stage_is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
	(void)stage_put(f, MODEL_KIND_POOL, "web", "{\"name\":7}");
	stage_pause_ms(700);
	assert_true(stage_is_there(f, MODEL_KIND_OVERRIDE, "web/e0"));
	(void)stage_put(f, MODEL_KIND_POOL, "web", NULL);
	stage_wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
}

/* Put a maintenance window of web/e0 that began an hour ago. */
static void put_window(struct stage *f, const char *name, int64_t ends_s)
{
	char starts[VEER_RFC3339_SIZE], ends[VEER_RFC3339_SIZE], value[512];
	int64_t now_ns = veer_clock_wall_ns(veer_clock_system());
	veer_rfc3339(now_ns - INT64_C(3600000000000), starts);
	veer_rfc3339(now_ns + ends_s * INT64_C(1000000000), ends);
	(void)snprintf(value, sizeof value,
		       "{\"name\":\"%s\",\"endpoints\":[\"web/e0\"],\"starts_at\":\"%s\",\"ends_at\":\"%s\","
		       "\"reason\":\"x\"}",
		       name, starts, ends);
	(void)stage_put(f, MODEL_KIND_MAINTENANCE, name, value);
}

/* Check that the override stays in force all the time, until it has this source and the clock's present hour. */
static void wait_taken_over(struct stage *f, const char *source, const char *old_end)
{
	for (int i = 0; i < WAIT_MS / 2; i++) {
		json_t *object = stage_look(f, MODEL_KIND_OVERRIDE, "web/e0", NULL, NULL);
		if (object == NULL)
			fail_msg("the endpoint was answered with for a moment");
		const char *now_of = json_string_value(json_object_get(object, "source"));
		bool is_done = now_of != NULL && strcmp(now_of, source) == 0 &&
			       strcmp(json_string_value(json_object_get(object, "expires_at")), old_end) != 0;
		json_decref(object);
		if (is_done)
			return;
		stage_pause_ms(2);
	}
	fail_msg("%s never took over", source);
}

static void maintenance_that_goes_on_lets_nothing_in_between(void **state)
{
	struct stage *f = *state;
	char end[VEER_RFC3339_SIZE];
	stage_put_model(f, 3, 2);
	stage_start(f);
	put_window(f, "first", 3600);
	json_t *drain = stage_wait_object(f, MODEL_KIND_OVERRIDE, "web/e0", "source", "maintenance/first");
	(void)snprintf(end, sizeof end, "%s", json_string_value(json_object_get(drain, "expires_at")));
	json_decref(drain);
	put_window(f, "first", 7200); /* the maintenance takes longer than planned */
	stage_pause_ms(300);
	atomic_store(&f->ahead_s, 3601);
	wait_taken_over(f, "maintenance/first", end);
	put_window(f, "second", 10800); /* and another overlaps it */
	stage_pause_ms(300);
	atomic_store(&f->ahead_s, 7201);
	wait_taken_over(f, "maintenance/second", end);
	atomic_store(&f->ahead_s, 10801);
	stage_wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
}

/* The other endpoint is at a site that was taken out meanwhile, so it does not count as one that is left. */
static void maintenance_prolongs_no_pool_that_is_empty(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 2);
	(void)stage_put(f, MODEL_KIND_SITE, "iad", "{\"name\":\"iad\",\"region\":\"us\"}");
	(void)stage_put(f, MODEL_KIND_POOL, "web",
			"{\"name\":\"web\",\"checks\":[\"tcp\"],\"endpoints\":["
			"{\"name\":\"e0\",\"address\":\"192.0.2.1\",\"site\":\"fra\"},"
			"{\"name\":\"e1\",\"address\":\"192.0.2.2\",\"site\":\"iad\"}]}");
	stage_start(f);
	put_window(f, "first", 3600);
	json_decref(stage_wait_object(f, MODEL_KIND_OVERRIDE, "web/e0", "source", "maintenance/first"));
	(void)stage_put(f, MODEL_KIND_SITE, "iad", "{\"name\":\"iad\",\"region\":\"us\",\"state\":\"out\"}");
	put_window(f, "first", 7200);
	put_window(f, "second", 10800);
	stage_pause_ms(300);
	atomic_store(&f->ahead_s, 3601);
	stage_wait_gone(f, MODEL_KIND_OVERRIDE, "web/e0");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		T(overrides_beat_verdicts_in_last_sets),
		T(an_override_ends_when_the_wall_clock_says_so),
		T(an_override_outlives_a_pool_that_cannot_be_read),
		T(maintenance_that_goes_on_lets_nothing_in_between),
		T(a_weight_is_nobodys_assignment),
		T(maintenance_prolongs_no_pool_that_is_empty),
		T(the_last_good_set_is_kept_for_policies_that_need_it),
		T(more_last_sets_than_fit_a_commit_are_all_written),
		T(a_site_taken_out_leaves_the_last_set_and_the_agents_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
