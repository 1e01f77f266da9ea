/* SPDX-License-Identifier: Apache-2.0 */
/* The controller: verdicts of quorums, how garbage and removals affect them, and its start and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probes/verdict/verdict.h"
#include "tests/unit/controller_stage.h"

static void a_verdict_is_committed_with_its_evidence_and_taken_back(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 2);
	stage_start(f);
	stage_report_all(f, 3, "du");
	json_t *verdict = stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down");
	assert_int_equal(json_integer_value(json_object_get(verdict, "election")), stage_number_of(f, "election"));
	assert_string_equal(json_string_value(json_object_get(verdict, "reason")), "connect_refused");
	const json_t *votes = json_object_get(verdict, "votes");
	assert_true(json_array_size(votes) == 3);
	int down = 0;
	for (size_t i = 0; i < 3; i++)
		down += strcmp(json_string_value(json_object_get(json_array_get(votes, i), "state")), "d") == 0;
	assert_true(down >= 2);
	json_decref(verdict);
	stage_report_all(f, 3, "uu");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "up"));
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e1", "state", "up"));
}

static void fewer_than_the_quorum_change_nothing(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	stage_report_all(f, 1, "d");
	(void)stage_number_of(f, "election"); /* wait until the report has been processed */
	stage_pause_ms(300);
	assert_false(stage_is_there(f, MODEL_KIND_VERDICT, "web/e0"));
}

static void without_agents_and_without_anything_it_runs(void **state)
{
	struct stage *f = *state;
	stage_start(f);
	stage_put_model(f, 0, 2);
	json_t *status = stage_status_of(f);
	assert_true(json_is_true(json_object_get(status, "acting")));
	json_decref(status);
}

static void verdicts_that_nothing_stands_behind_are_deleted(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	for (int i = 0; i < 250; i++) { /* more than fit into one commit */
		char key[32], value[96];
		(void)snprintf(key, sizeof key, "old/e%d", i);
		(void)snprintf(value, sizeof value,
			       "{\"endpoint\":\"%s\",\"state\":\"down\",\"since_revision\":1,\"election\":1}", key);
		(void)stage_put(f, MODEL_KIND_VERDICT, key, value);
	}
	(void)stage_put(f, MODEL_KIND_LAST, "old", "{\"pool\":\"old\",\"endpoints\":[\"e1\"]}");
	stage_start(f);
	stage_wait_count(f, MODEL_KIND_VERDICT, 0);
	stage_wait_count(f, MODEL_KIND_LAST, 0);
}

static void an_endpoint_that_is_removed_while_down_leaves_no_verdict(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 2);
	stage_start(f);
	for (int round = 0; round < 10; round++) {
		stage_report_until_down(f, 3, "ud", "web/e1");
		stage_put_pool(f, "web", 1);
		stage_wait_gone(f, MODEL_KIND_VERDICT, "web/e1");
		stage_put_pool(f, "web", 2);
		stage_report_all(f, 3, "ud");
		stage_put_pool(f, "web", 1); /* possibly while the verdict is being committed */
		stage_wait_gone(f, MODEL_KIND_VERDICT, "web/e1");
		stage_pause_ms(5 * round);
		stage_put_pool(f, "web", 2);
	}
}

static void a_check_that_is_removed_leaves_no_verdict(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	stage_report_all(f, 3, "d");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
	(void)stage_put(f, MODEL_KIND_CHECK, "tcp", NULL);
	stage_wait_gone(f, MODEL_KIND_VERDICT, "web/e0");
}

static void garbage_in_the_store_is_left_out_and_repaired(void **state)
{
	static const char *const garbage[] = {
		"[]", "{}", "7", "\"x\"", "null", "not json", "{\"name\":7}", "{\"endpoint\":[],\"state\":{}}"};
	struct stage *f = *state;
	stage_put_model(f, 3, 2);
	for (int kind = MODEL_KIND_SITE; kind < MODEL_KIND_COUNT; kind++) {
		for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
			char key[32];
			(void)snprintf(key, sizeof key, "garbage-%zu", i);
			(void)stage_put(f, (enum model_kind)kind, key, garbage[i]);
		}
	}
	(void)stage_put(f, MODEL_KIND_VERDICT, "web/e0", "{\"endpoint\":7,\"state\":\"down\"}");
	(void)stage_put(f, MODEL_KIND_SITE, "a", "{\"name\":\"fra\",\"region\":\"eu\"}"); /* under another's key */
	(void)stage_put(f, MODEL_KIND_CHECK, "a", "{\"name\":\"tcp\",\"kind\":\"tcp\",\"port\":81}");
	(void)stage_put(
		f, MODEL_KIND_POOL, "zzz",
		"{\"name\":\"web\",\"checks\":[\"tcp\"],\"endpoints\":[{\"name\":\"e0\",\"address\":\"192.0.2.9\","
		"\"site\":\"fra\"}]}");
	(void)stage_put(f, MODEL_KIND_META, "election", "{\"election\":\"many\"}");
	stage_start(f);
	stage_wait_gone(f, MODEL_KIND_VERDICT, "web/e0");
	stage_report_all(f, 3, "du");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
}

static void a_restarted_controller_knows_the_verdicts(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	stage_report_all(f, 3, "d");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
	int64_t election = stage_number_of(f, "election");
	stage_stop(f);
	memset(f->seq, 0, sizeof f->seq);
	stage_start(f);
	assert_true(stage_number_of(f, "election") > election);
	json_t *status = stage_status_of(f);
	const json_t *e = json_array_get(json_object_get(status, "endpoints"), 0);
	assert_string_equal(json_string_value(json_object_get(e, "state")), "down");
	json_decref(status);
	stage_report_all(f, 3, "u");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "up"));
}

/*
 * When the controller ends, a commit under way still returns and is noted in a history, which must therefore still
 * exist.
 */
static void ending_while_verdicts_are_committed_is_safe(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 40);
	for (int i = 0; i < 8; i++) {
		char letters[41] = {0};
		stage_start(f);
		memset(letters, i % 2 == 0 ? 'd' : 'u', 40);
		stage_report_all(f, 3, letters);
		stage_pause_ms(i);
		stage_stop(f);
		memset(f->seq, 0, sizeof f->seq);
	}
}

static void frozen_nothing_changes_until_it_is_taken_off(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	(void)stage_put(f, MODEL_KIND_SETTINGS, "settings",
			"{\"freeze\":{\"on\":true,\"owner\":\"me\",\"reason\":\"x\"}}");
	for (int i = 0; i < WAIT_MS / 5; i++) {
		json_t *status = stage_status_of(f);
		bool is_frozen = json_is_true(json_object_get(status, "frozen"));
		json_decref(status);
		if (is_frozen)
			break;
		stage_pause_ms(5);
	}
	stage_report_all(f, 3, "d");
	stage_pause_ms(400);
	assert_false(stage_is_there(f, MODEL_KIND_VERDICT, "web/e0"));
	struct controller_counts counts;
	assert_true(controller_counts_read(f->controller, &counts));
	assert_int_equal(counts.waits[VERDICT_WAIT_FROZEN], 1);
	stage_stop(f); /* it survives a restart */
	memset(f->seq, 0, sizeof f->seq);
	stage_start(f);
	stage_report_all(f, 3, "d");
	stage_pause_ms(400);
	assert_false(stage_is_there(f, MODEL_KIND_VERDICT, "web/e0"));
	(void)stage_put(f, MODEL_KIND_SETTINGS, "settings", "{}");
	stage_report_until(f, "d", "web/e0", "down");
}

static void a_revoked_agent_is_out_at_once(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	stage_report_until(f, "u", "web/e0", "up");
	(void)stage_put(f, MODEL_KIND_AGENT, "ag-000",
			"{\"id\":\"ag-000\",\"name\":\"a0\",\"region\":\"eu\",\"state\":\"revoked\"}");
	for (int i = 0; i < WAIT_MS / 5; i++) {
		json_t *status = stage_status_of(f);
		bool is_revoked =
			json_is_true(json_object_get(json_array_get(json_object_get(status, "agents"), 0), "revoked"));
		json_decref(status);
		if (is_revoked)
			return;
		stage_pause_ms(5);
	}
	fail_msg("still believed");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		T(a_verdict_is_committed_with_its_evidence_and_taken_back),
		T(fewer_than_the_quorum_change_nothing),
		T(without_agents_and_without_anything_it_runs),
		T(verdicts_that_nothing_stands_behind_are_deleted),
		T(an_endpoint_that_is_removed_while_down_leaves_no_verdict),
		T(a_check_that_is_removed_leaves_no_verdict),
		T(garbage_in_the_store_is_left_out_and_repaired),
		T(ending_while_verdicts_are_committed_is_safe),
		T(frozen_nothing_changes_until_it_is_taken_off),
		T(a_revoked_agent_is_out_at_once),
		T(a_restarted_controller_knows_the_verdicts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
