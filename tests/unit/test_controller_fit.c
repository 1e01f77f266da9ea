/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's limits: agents, checks, evidence, and floods of reports by one agent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/verdict/verdict.h"
#include "tests/unit/controller_stage.h"

static void of_more_agents_than_can_vote_the_rest_are_left_out(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 70, 1);
	stage_start(f);
	json_t *status = stage_status_of(f);
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_int_equal(json_integer_value(json_object_get(e, "agents")), MODEL_AGENTS_MAX);
	json_decref(status);
}

static void status_shows_every_vote_of_two_checks_and_64_agents(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 64, 1);
	(void)stage_put(f, MODEL_KIND_CHECK, "two", "{\"name\":\"two\",\"kind\":\"tcp\",\"port\":81}");
	(void)stage_put(
		f, MODEL_KIND_POOL, "web",
		"{\"name\":\"web\",\"checks\":[\"tcp\",\"two\"],\"endpoints\":[{\"name\":\"e0\",\"address\":\"192.0."
		"2.1\",\"site\":\"fra\"}]}");
	stage_start(f);
	json_t *status = stage_status_of(f);
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_int_equal(json_array_size(json_object_get(e, "votes")), 128);
	json_decref(status);
}

static void one_agents_flood_leaves_room_for_the_others(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	int64_t revision = stage_number_of(f, "assignment_revision");
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 2 * CONTROLLER_QUEUE_MAX; i++)
			(void)stage_report(f, 0, revision, "u");
		assert_int_equal(stage_report(f, 1, revision, "u"), VEER_OK);
		(void)stage_number_of(f, "election"); /* wait until it has been processed */
	}
}

static size_t pushes_shown(struct stage *f)
{
	json_t *status = controller_status(f->controller, "web/e0");
	assert_non_null(status);
	size_t count =
		json_array_size(json_object_get(json_array_get(json_object_get(status, "endpoints"), 0), "pushes"));
	json_decref(status);
	return count;
}

/*
 * A store that holds more than the engine accepts: the rest is watched, and the known state of the excess is not
 * forgotten.
 */
static void what_the_engine_has_no_room_for_is_left_out(void **state)
{
	enum { POOL_TEXT = 1 << 17 };
	struct stage *f = *state;
	char name[16], check[160], checks[256] = "", *pool = malloc(POOL_TEXT);
	assert_non_null(pool);
	stage_put_model(f, 3, 1);
	for (int i = 0; i < 16; i++) {
		(void)snprintf(name, sizeof name, "c%d", i);
		(void)snprintf(check, sizeof check, "{\"name\":\"%s\",\"kind\":\"icmp\"}", name);
		(void)stage_put(f, MODEL_KIND_CHECK, name, check);
		(void)snprintf(checks + strlen(checks), sizeof checks - strlen(checks), "%s\"%s\"", i > 0 ? "," : "",
			       name);
	}
	for (int p = 0; p < 5; p++) {
		(void)snprintf(name, sizeof name, "big%d", p);
		int len = snprintf(pool, POOL_TEXT, "{\"name\":\"%s\",\"checks\":[%s],\"endpoints\":[", name, checks);
		for (int i = 0; i < 1000; i++)
			len += snprintf(pool + len, POOL_TEXT - (size_t)len,
					"%s{\"name\":\"e%d\",\"address\":\"10.0.%d.%d\",\"site\":\"fra\"}",
					i > 0 ? "," : "", i, i / 250, i % 250);
		(void)snprintf(pool + len, POOL_TEXT - (size_t)len, "]}");
		(void)stage_put(f, MODEL_KIND_POOL, name, pool);
	}
	free(pool);
	(void)stage_put(f, MODEL_KIND_VERDICT, "web/e0",
			"{\"endpoint\":\"web/e0\",\"state\":\"down\",\"since_revision\":1,\"election\":1}");
	(void)stage_put(f, MODEL_KIND_VERDICT, "big4/e0",
			"{\"endpoint\":\"big4/e0\",\"state\":\"down\",\"decided_by\":\"x\"}");
	(void)stage_put(f, MODEL_KIND_LAST, "big4", "{\"pool\":\"big4\",\"endpoints\":[\"e1\"]}");
	(void)stage_put(f, MODEL_KIND_POLICY, "p",
			"{\"name\":\"p\",\"when_all_down\":\"last\",\"tree\":{\"failover\":[\"web\",\"big4\"]}}");
	stage_start(f);
	(void)stage_put(f, MODEL_KIND_OVERRIDE, "web/e0",
			"{\"endpoint\":\"web/e0\",\"action\":\"drain\",\"owner\":\"me\",\"reason\":\"x\","
			"\"created_at\":\"2026-01-01T00:00:00Z\"}");
	stage_pause_ms(600);
	assert_true(stage_is_there(f, MODEL_KIND_VERDICT, "web/e0"));
	assert_true(stage_is_there(f, MODEL_KIND_VERDICT, "big4/e0"));
	json_t *last = stage_wait_object(f, MODEL_KIND_LAST, "big4", NULL, NULL);
	assert_int_equal(json_array_size(json_object_get(last, "endpoints")), 1);
	json_decref(last);
	json_t *status = controller_status(f->controller, "web/e0");
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_int_equal(json_integer_value(json_object_get(e, "agents")), 3);
	assert_string_equal(json_string_value(json_object_get(e, "state")), "down");
	json_decref(status);
}

static void of_more_agents_than_the_engine_takes_the_rest_is_left_out(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	for (int i = 0; i < VERDICT_AGENTS_MAX / 64; i++) {
		int64_t revision;
		char ids[64][32];
		struct store_op ops[64];
		static const char agent[] = "{\"name\":\"x\",\"region\":\"eu\",\"state\":\"enrolled\"}";
		for (int k = 0; k < 64; k++) {
			(void)snprintf(ids[k], sizeof ids[k], "more-%d-%d", i, k);
			ops[k] =
				(struct store_op){STORE_PUT, MODEL_KIND_AGENT, ids[k], agent, strlen(agent), STORE_ANY};
		}
		assert_int_equal(store_commit(f->store, ops, 64, STORE_NORMAL, &revision, NULL), VEER_OK);
	}
	stage_start(f);
	json_t *status = controller_status(f->controller, "web/e0");
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_int_equal(json_integer_value(json_object_get(e, "agents")), MODEL_AGENTS_MAX);
	json_decref(status);
}

/* A calculated check of seven probed checks, all with the longest names. */
static void put_calculated(struct stage *f, int number)
{
	char value[256], part[64], name[16], of[1024] = "", calculated[1200];
	for (int i = 0; i < 7; i++) {
		(void)snprintf(part, sizeof part, "%063d", 10 * number + i);
		(void)snprintf(value, sizeof value,
			       "{\"name\":\"%s\",\"kind\":\"icmp\",\"interval_ms\":1000,\"timeout_ms\":500}", part);
		(void)stage_put(f, MODEL_KIND_CHECK, part, value);
		(void)snprintf(of + strlen(of), sizeof of - strlen(of), "%s\"%s\"", i > 0 ? "," : "", part);
	}
	(void)snprintf(name, sizeof name, "calc%d", number);
	(void)snprintf(calculated, sizeof calculated, "{\"name\":\"%s\",\"kind\":\"calculated\",\"of\":[%s]}", name,
		       of);
	(void)stage_put(f, MODEL_KIND_CHECK, name, calculated);
}

static void put_long_agents(struct stage *f, int count)
{
	char id[32], value[256];
	for (int i = 0; i < count; i++) {
		(void)snprintf(id, sizeof id, "ag-%03d", i);
		(void)snprintf(value, sizeof value,
			       "{\"id\":\"%s\",\"name\":\"%063d\",\"region\":\"%063d\",\"state\":\"enrolled\"}", id, i,
			       1);
		(void)stage_put(f, MODEL_KIND_AGENT, id, value);
	}
}

/* More evidence than fits into a value of the store must not prevent this endpoint or others from going down. */
static void evidence_without_end_holds_nothing_up(void **state)
{
	struct stage *f = *state;
	char letters[64] = "";
	stage_put_model(f, 0, 1);
	put_long_agents(f, MODEL_AGENTS_MAX);
	for (int i = 0; i < 8; i++)
		put_calculated(f, i);
	(void)stage_put(
		f, MODEL_KIND_POOL, "big",
		"{\"name\":\"big\",\"endpoints\":[{\"name\":\"e0\",\"address\":\"192.0.2.9\",\"site\":\"fra\"}],"
		"\"checks\":"
		"[\"calc0\",\"calc1\",\"calc2\",\"calc3\",\"calc4\",\"calc5\",\"calc6\",\"calc7\"]}");
	stage_start(f);
	memset(letters, 'd', 57);
	stage_report_until_down(f, MODEL_AGENTS_MAX, letters, "web/e0");
	stage_report_until_down(f, MODEL_AGENTS_MAX, letters, "big/e0");
}

/* Observations are kept only for configured checks: checks that come and go leave nothing behind (S21). */
static void words_of_checks_that_are_gone_are_forgotten(void **state)
{
	struct stage *f = *state;
	static const char pool[] = "{\"name\":\"web\",\"checks\":[%s],\"endpoints\":[{\"name\":\"e0\",\"address\":"
				   "\"192.0.2.1\",\"site\":\"fra\"}]}";
	struct controller_push push = {.check = "word", .state = MODEL_STATE_UP, .reason = "fine", .by = "me"};
	char value[256];
	stage_put_model(f, 3, 1);
	(void)stage_put(f, MODEL_KIND_CHECK, "word", "{\"name\":\"word\",\"kind\":\"push\"}");
	(void)snprintf(value, sizeof value, pool, "\"tcp\",\"word\"");
	(void)stage_put(f, MODEL_KIND_POOL, "web", value);
	stage_start(f);
	assert_int_equal(controller_push_state(f->controller, "web/e0", &push), VEER_OK);
	assert_int_equal(pushes_shown(f), 1);
	(void)snprintf(value, sizeof value, pool, "\"tcp\"");
	(void)stage_put(f, MODEL_KIND_POOL, "web", value);
	for (int i = 0; i < WAIT_MS / 5 && pushes_shown(f) > 0; i++)
		stage_pause_ms(5);
	assert_int_equal(pushes_shown(f), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		T(of_more_agents_than_can_vote_the_rest_are_left_out),
		T(status_shows_every_vote_of_two_checks_and_64_agents),
		T(words_of_checks_that_are_gone_are_forgotten),
		T(evidence_without_end_holds_nothing_up),
		T(what_the_engine_has_no_room_for_is_left_out),
		T(of_more_agents_than_the_engine_takes_the_rest_is_left_out),
		T(one_agents_flood_leaves_room_for_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
