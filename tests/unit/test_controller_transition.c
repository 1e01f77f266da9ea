/* SPDX-License-Identifier: Apache-2.0 */
/* Transitions: their history, what a stored verdict records about itself, and commits that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probes/verdict/verdict.h"
#include "tests/unit/controller_stage.h"
#include "zones/store/backend.h"

/* Take the first transition of a list. */
static bool take_first(void *ctx, const struct store_object *object)
{
	json_t **out = ctx;
	assert_int_equal(veer_json_parse(object->value, object->value_len, STORE_VALUE_MAX, out, NULL), VEER_OK);
	return false;
}

static json_t *newest_transition(struct stage *f)
{
	json_t *t = NULL;
	assert_int_equal(store_list(f->store, MODEL_KIND_TRANSITION, "", NULL, take_first, &t, NULL), VEER_OK);
	assert_non_null(t);
	return t;
}

static void transitions_are_kept_newest_first_up_to_a_bound_across_restarts(void **state)
{
	struct stage *f = *state;
	f->history = 5;
	stage_put_model(f, 3, 1);
	for (int round = 0; round < 3; round++) {
		stage_start(f);
		for (int i = 0; i < 2; i++) {
			stage_report_until(f, "d", "web/e0", "down");
			stage_report_until(f, "u", "web/e0", "up");
		}
		json_t *t = newest_transition(f);
		assert_string_equal(json_string_value(json_object_get(t, "to")), "up");
		assert_int_equal(json_integer_value(json_object_get(t, "election")), stage_number_of(f, "election"));
		assert_int_equal(json_array_size(json_object_get(t, "votes")), 3);
		json_decref(t);
		stage_wait_history(f, round == 0 ? 4 : 5);
		stage_stop(f);
		memset(f->seq, 0, sizeof f->seq);
	}
}

static void a_transition_that_is_stored_is_the_one_that_was_decided(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	stage_report_until(f, "d", "web/e0", "down");
	json_t *t = newest_transition(f), *steps = json_object_get(t, "steps");
	int64_t decided = json_integer_value(json_object_get(steps, "decided_us"));
	int64_t commit = json_integer_value(json_object_get(steps, "commit_us"));
	/* Every report dates its observation back by 10 ms. */
	assert_true(decided >= 10000 && commit >= decided);
	assert_null(json_object_get(steps, "committed_us"));
	trail_merge(f->trail, t);
	for (int i = 0; i < WAIT_MS / 5 && json_object_get(steps, "fed_us") == NULL; i++) {
		stage_pause_ms(5);
		trail_merge(f->trail, t);
	}
	assert_true(json_integer_value(json_object_get(steps, "committed_us")) >= commit);
	assert_true(json_integer_value(json_object_get(steps, "fed_us")) >=
		    json_integer_value(json_object_get(steps, "committed_us")));
	json_decref(t);
}

/* A store whose commits fail as the test wants. */
static struct {
	const struct store_backend *real;
	struct store_backend faulty;
	atomic_bool is_ambiguous; /* they happen, but an error is returned */
	const char *poison;       /* a key that the store refuses */
} fault;

static enum veer_err faulty_commit(void *self, const struct store_op *ops, size_t count, enum store_priority priority,
				   int64_t *revision, size_t *failed)
{
	for (size_t i = 0; fault.poison != NULL && i < count; i++)
		if (ops[i].kind == MODEL_KIND_VERDICT && strcmp(ops[i].key, fault.poison) == 0)
			return VEER_EINVAL;
	if (!atomic_load(&fault.is_ambiguous))
		return fault.real->commit(self, ops, count, priority, revision, failed);
	int64_t lost;
	enum veer_err err = fault.real->commit(self, ops, count, priority, &lost, failed);
	return err == VEER_OK ? VEER_EIO : err;
}

static void make_faulty(struct stage *f, const char *poison)
{
	fault.real = f->store->backend;
	fault.faulty = *fault.real;
	fault.faulty.commit = faulty_commit;
	fault.poison = poison;
	atomic_store(&fault.is_ambiguous, false);
	f->store->backend = &fault.faulty;
}

static void a_verdict_that_the_store_refuses_holds_up_no_other(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 4);
	make_faulty(f, "web/e1");
	stage_start(f);
	stage_report_all(f, 3, "dddu");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e2", "state", "down"));
	assert_false(stage_is_there(f, MODEL_KIND_VERDICT, "web/e1"));
	/* Although this one is refused again and again, another one is not delayed. */
	int64_t began_ms = veer_clock_monotonic_ms(veer_clock_system());
	stage_report_all(f, 3, "dddd");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e3", "state", "down"));
	assert_in_range(veer_clock_monotonic_ms(veer_clock_system()) - began_ms, 0, 700);
	assert_false(stage_is_there(f, MODEL_KIND_VERDICT, "web/e1"));
}

static void a_commit_whose_answer_was_lost_has_its_revision(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	make_faulty(f, NULL);
	stage_start(f);
	atomic_store(&fault.is_ambiguous, true);
	stage_report_all(f, 3, "d");
	json_decref(stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down"));
	/* The trail of the transition is found by its revision. */
	json_t *t = newest_transition(f), *steps = json_object_get(t, "steps");
	for (int i = 0; i < WAIT_MS / 5 && json_object_get(steps, "fed_us") == NULL; i++) {
		stage_pause_ms(5);
		trail_merge(f->trail, t);
	}
	assert_non_null(json_object_get(steps, "committed_us"));
	assert_non_null(json_object_get(steps, "fed_us"));
	json_decref(t);
	atomic_store(&fault.is_ambiguous, false);
	stage_wait_history(f, 1); /* and there was only one commit */
}

/* Does an endpoint that was removed `ago_ms` ago, with a hold of 5 s, come back within a second after a start? */
static bool returns_at_once(struct stage *f, const char *boot, int64_t ago_ms, const char *more)
{
	char value[256];
	(void)snprintf(value, sizeof value,
		       "{\"endpoint\":\"web/e0\",\"state\":\"down\",\"boot\":%s,\"monotonic_ms\":%lld%s}", boot,
		       (long long)(veer_clock_monotonic_ms(veer_clock_system()) - ago_ms), more);
	(void)stage_put(f, MODEL_KIND_VERDICT, "web/e0", value);
	stage_start(f);
	bool is_up = false;
	for (int i = 0; i < 20 && !is_up; i++) {
		stage_report_all(f, 3, "u");
		stage_pause_ms(50);
		json_t *object = stage_look(f, MODEL_KIND_VERDICT, "web/e0", "state", "up");
		is_up = object != NULL;
		json_decref(object);
	}
	stage_stop(f);
	memset(f->seq, 0, sizeof f->seq);
	return is_up;
}

static void a_hold_goes_on_over_a_restart_on_the_same_boot(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	(void)stage_put(
		f, MODEL_KIND_CHECK, "tcp",
		"{\"name\":\"tcp\",\"kind\":\"tcp\",\"port\":80,\"interval_ms\":1000,\"timeout_ms\":500,\"hold_s\":5}");
	atomic_store(&f->ahead_s, -1000000); /* the wall clock must not matter */
	assert_true(returns_at_once(f, "\"this-boot\"", 6000, ""));
	assert_false(returns_at_once(f, "\"this-boot\"", 1000, ""));
	assert_false(returns_at_once(f, "\"another\"", 6000, ""));
	assert_false(returns_at_once(f, "7", 6000, ""));
	assert_false(returns_at_once(f, "\"this-boot\"", -6000, ""));
	assert_false(returns_at_once(f, "\"this-boot\"", 0, ",\"at\":\"1990-01-01T00:00:00Z\""));
}

static void a_verdict_says_on_which_boot_it_was_committed_and_when(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	int64_t before = veer_clock_monotonic_ms(veer_clock_system());
	stage_start(f);
	stage_report_all(f, 3, "d");
	json_t *verdict = stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", "state", "down");
	int64_t at = json_integer_value(json_object_get(verdict, "monotonic_ms"));
	assert_string_equal(json_string_value(json_object_get(verdict, "boot")), "this-boot");
	assert_true(at >= before && at <= veer_clock_monotonic_ms(veer_clock_system()));
	json_decref(verdict);
}

/* Wait until web/e0's verdict has, or no longer has, the mark of the configuration by which it was decided. */
static void wait_mark(struct stage *f, bool wanted, char out[32])
{
	for (int i = 0; i < WAIT_MS / 5; i++) {
		json_t *verdict = stage_wait_object(f, MODEL_KIND_VERDICT, "web/e0", NULL, NULL);
		const char *mark = json_string_value(json_object_get(verdict, "decided_by"));
		bool is_so = (mark != NULL) == wanted;
		(void)snprintf(out, 32, "%s", mark != NULL ? mark : "");
		json_decref(verdict);
		if (is_so)
			return;
		stage_pause_ms(5);
	}
	fail_msg("the mark is%s there", wanted ? " not" : "");
}

static void a_verdict_is_of_those_checks_by_which_it_was_decided(void **state)
{
	static const char pool[] =
		"{\"name\":\"web\",\"checks\":[\"tcp\"%s],\"endpoints\":[{\"name\":\"e0\",\"address\":"
		"\"192.0.2.1\",\"site\":\"fra\",\"weight\":%d}]}";
	struct stage *f = *state;
	char value[256], mark[32], other[32];
	stage_put_model(f, 3, 1);
	stage_start(f);
	stage_report_until(f, "u", "web/e0", "up");
	wait_mark(f, true, mark);
	(void)snprintf(value, sizeof value, pool, "", 7); /* a weight does not affect decisions */
	(void)stage_put(f, MODEL_KIND_POOL, "web", value);
	stage_pause_ms(400);
	wait_mark(f, true, other);
	assert_string_equal(other, mark);
	/* A check that is new, or that was removed and comes back, has not been heard. */
	(void)stage_put(f, MODEL_KIND_CHECK, "app", "{\"name\":\"app\",\"kind\":\"push\",\"on_expiry\":\"down\"}");
	(void)snprintf(value, sizeof value, pool, ",\"app\"", 7);
	(void)stage_put(f, MODEL_KIND_POOL, "web", value);
	wait_mark(f, false, other);
	(void)snprintf(value, sizeof value, pool, "", 7);
	(void)stage_put(f, MODEL_KIND_POOL, "web", value);
	stage_pause_ms(400);
	wait_mark(f, false, other);
	stage_report_until(f, "d", "web/e0", "down");
	wait_mark(f, true, other);
	assert_string_equal(other, mark);
}

static void a_clock_that_is_set_changes_no_verdict(void **state)
{
	struct stage *f = *state;
	stage_put_model(f, 3, 1);
	stage_start(f);
	stage_report_until(f, "u", "web/e0", "up");
	int64_t revision = store_revision(f->store);
	for (int64_t ahead = -100000000; ahead <= 100000000; ahead += 50000000) {
		atomic_store(&f->ahead_s, ahead);
		stage_report_all(f, 3, "u");
		stage_pause_ms(50);
	}
	assert_int_equal(store_revision(f->store), revision);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, stage_setup, stage_teardown)
	const struct CMUnitTest tests[] = {
		T(transitions_are_kept_newest_first_up_to_a_bound_across_restarts),
		T(a_transition_that_is_stored_is_the_one_that_was_decided),
		T(a_clock_that_is_set_changes_no_verdict),
		T(a_verdict_is_of_those_checks_by_which_it_was_decided),
		T(a_hold_goes_on_over_a_restart_on_the_same_boot),
		T(a_verdict_says_on_which_boot_it_was_committed_and_when),
		T(a_verdict_that_the_store_refuses_holds_up_no_other),
		T(a_commit_whose_answer_was_lost_has_its_revision),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
