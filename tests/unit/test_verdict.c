/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict engine's rules, one by one: quorum, silence, reports. tests/sim looks for cases that no table covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/verdict_bench.h"

/* --- quorum ---------------------------------------------------------------------------------------------------- */

static void a_quorum_is_the_majority_of_the_assigned(void **state)
{
	static const struct {
		uint32_t agents;
		const char *views;
		bool goes_down;
	} cases[] = {
		{1, "d", true},     {2, "du", false},    {2, "dd", true},    {3, "duu", false}, {3, "ddu", true},
		{3, "dd-", true},   {3, "d--", false},   {4, "dduu", false}, {4, "dddu", true}, {5, "dduuu", false},
		{5, "dddff", true}, {5, "dd???", false}, {5, "ddd??", true}, {3, "dff", false}, {3, "d??", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bench b;
		bench_init_up(&b, cases[i].agents, 1, 1);
		bench_see(&b, cases[i].views);
		assert_int_equal(bench_settle(&b), cases[i].goes_down);
		bench_deinit(&b);
	}
}

static void a_quorum_by_configuration_is_never_more_than_all(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 2, 1, 1);
	b.checks[0].quorum = 64;
	bench_configure(&b);
	assert_int_equal(bench_status(&b, 0).quorum, 2);
	b.checks[0].quorum = 1;
	bench_configure(&b);
	bench_see(&b, "du");
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	/* Both sides have one vote: down wins, and the verdict does not swing. */
	for (int i = 0; i < 10; i++) {
		b.now_ms += 1000;
		bench_see(&b, i % 2 == 0 ? "ud" : "du");
		assert_int_equal(bench_settle(&b), 0);
	}
	bench_deinit(&b);
}

static void an_unknown_endpoint_needs_a_quorum_to_become_either(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 3, 1, 1);
	bench_see(&b, "u--");
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UNKNOWN);
	bench_see(&b, "-u-");
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	bench_deinit(&b);
	bench_init(&b, 3, 1, 1);
	bench_see(&b, "dd?");
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_deinit(&b);
}

static void a_transition_carries_its_evidence(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_transition t;
	bench_init_up(&b, 3, 1, 1);
	b.now_ms += 40;
	bench_see(&b, "d-d");
	b.now_ms += 5;
	assert_true(bench_tick(&b, &t));
	assert_string_equal(t.endpoint, "p/e0");
	assert_int_equal(t.from, MODEL_STATE_UP);
	assert_int_equal(t.to, MODEL_STATE_DOWN);
	assert_string_equal(t.check, "web");
	assert_int_equal(t.reason, PROBE_REASON_CONNECT_REFUSED);
	assert_int_equal(t.quorum, 2);
	assert_int_equal(t.vote_count, 3);
	assert_string_equal(t.votes[0].agent, "ag-0");
	assert_int_equal(t.votes[0].state, OBSERVATION_DOWN);
	assert_int_equal(t.votes[0].age_ms, 5);
	assert_int_equal(t.votes[1].state, OBSERVATION_UP);
	assert_int_equal(t.votes[1].age_ms, 45);
	assert_int_equal(t.votes[2].state, OBSERVATION_DOWN);
	assert_false(verdict_next(b.engine, &t));
	bench_deinit(&b);
}

/* --- silence --------------------------------------------------------------------------------------------------- */

static void silence_changes_nothing(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	for (int i = 0; i < 100; i++) {
		b.now_ms += 1000;
		assert_int_equal(bench_settle(&b), 0);
	}
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_UP);
	assert_int_equal(bench_status(&b, 0).wait, VERDICT_WAIT_NO_QUORUM);
	assert_int_equal(bench_status(&b, 0).fresh, 0);
	bench_deinit(&b);
}

static void a_view_counts_for_three_intervals_of_receipt_time(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "d--");
	b.now_ms += 3000;
	assert_int_equal(bench_status(&b, 0).down, 1);
	b.now_ms += 1;
	assert_int_equal(bench_status(&b, 0).down, 0);
	bench_see(&b, "-d-");
	assert_int_equal(bench_settle(&b), 0);
	bench_deinit(&b);
}

static void with_a_short_interval_three_report_periods_count(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	b.checks[0].interval_ms = 100;
	bench_configure(&b);
	b.now_ms += 3000;
	assert_int_equal(bench_status(&b, 0).fresh, 3);
	b.now_ms += 1;
	assert_int_equal(bench_status(&b, 0).fresh, 0);
	bench_deinit(&b);
}

static void a_state_that_no_probe_confirms_stops_counting(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 1, 1, 1);
	struct observation item = {.state = OBSERVATION_DOWN, .reason = PROBE_REASON_TIMEOUT, .age_ms = 6000};
	struct report report = {.assignment_revision = 1, .boot = 7, .seq = 100, .items = &item, .item_count = 1};
	/* 3 intervals, one round of 2 probes and a timeout: 5,500 ms */
	assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 0);
	item.age_ms = 5500;
	report.seq++;
	assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

static void the_blind_and_the_revoked_have_no_view(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	bench_see(&b, "d--");
	struct observation item = {.state = OBSERVATION_DOWN, .reason = PROBE_REASON_TIMEOUT};
	struct report report = {
		.assignment_revision = 1, .boot = 7, .seq = 100, .is_blind = true, .items = &item, .item_count = 1};
	assert_int_equal(verdict_report(b.engine, "ag-1", &report, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 0);
	report.is_blind = false;
	report.seq++;
	assert_int_equal(verdict_report(b.engine, "ag-1", &report, b.now_ms), VEER_OK);
	assert_int_equal(verdict_revoke(b.engine, "ag-0", b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 0);
	assert_int_equal(bench_send(&b, 0, 7, 1000), VEER_EAUTH);
	assert_int_equal(verdict_revoke(b.engine, "nobody", b.now_ms), VEER_ENOTFOUND);
	/* A configuration from before the revocation does not cancel it. */
	bench_configure(&b);
	assert_int_equal(bench_send(&b, 0, 7, 1001), VEER_EAUTH);
	bench_see(&b, "--d");
	report.assignment_revision = b.config.assignment_revision;
	report.seq++;
	assert_int_equal(verdict_report(b.engine, "ag-1", &report, b.now_ms), VEER_OK);
	assert_int_equal(bench_settle(&b), 1);
	bench_deinit(&b);
}

/* --- reports --------------------------------------------------------------------------------------------------- */

static void a_report_counts_once_and_in_order(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 1, 1, 1);
	assert_int_equal(bench_send(&b, 0, 5, 3), VEER_OK);
	assert_int_equal(bench_send(&b, 0, 5, 3), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 5, 2), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 5, 4), VEER_OK);
	assert_int_equal(bench_send(&b, 0, 6, 1), VEER_OK);
	assert_int_equal(bench_send(&b, 0, 5, 5), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 6, 1), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 0, 9), VEER_EINVAL);
	assert_int_equal(bench_send(&b, 0, 6, 0), VEER_EINVAL);
	bench_deinit(&b);
}

/* How the agent is shown at the bench's present, and whether its vote on the first endpoint agrees with that. */
static bool is_silent(const struct bench *b)
{
	struct verdict_agent_status agent;
	assert_true(verdict_agent_at(b->engine, 0, b->now_ms, &agent));
	return agent.is_silent;
}

/*
 * Administrators see the same rule that the engine uses: three intervals of the check, at least three report periods.
 */
static void an_agent_is_called_silent_when_it_ceases_to_count(void **state)
{
	static const struct {
		uint32_t interval_ms;
		int64_t silence_ms;
	} cases[] = {{500, 3000}, {1000, 3000}, {5000, 15000}, {60000, 180000}};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bench b;
		bench_init_up(&b, 1, 1, 1);
		b.checks[0].interval_ms = cases[i].interval_ms;
		bench_configure(&b);
		bench_report(&b, 0);
		b.now_ms += cases[i].silence_ms;
		assert_false(is_silent(&b));
		assert_int_equal(bench_status(&b, 0).fresh, 1);
		b.now_ms += 1;
		assert_true(is_silent(&b));
		assert_int_equal(bench_status(&b, 0).fresh, 0);
		bench_deinit(&b);
	}
}

/* With several checks, the one whose limit ends first counts. */
static void an_agent_with_several_checks_is_silent_as_of_the_shortest(void **state)
{
	struct bench b;
	struct verdict_agent_status agent;
	(void)state;
	bench_init(&b, 1, 2, 1);
	b.checks[1].interval_ms = 20000;
	bench_configure(&b);
	assert_true(is_silent(&b)); /* never heard */
	bench_report(&b, 0);
	b.now_ms += 3001;
	assert_true(is_silent(&b));
	assert_true(verdict_agent_at(b.engine, 0, b.now_ms, &agent));
	assert_int_equal(agent.silence_ms, 3000);
	bench_deinit(&b);
}

static void a_replayed_report_does_not_refresh(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 1, 1, 1);
	b.now_ms += 3001;
	assert_int_equal(bench_send(&b, 0, 7, b.seq[0]), VEER_ESTALE);
	assert_int_equal(bench_status(&b, 0).fresh, 0);
	struct verdict_agent_status agent;
	assert_true(verdict_agent_at(b.engine, 0, b.now_ms, &agent));
	assert_int_equal(agent.heard_ms_ago, 3001);
	assert_int_equal(agent.items, 1);
	assert_int_equal(agent.fresh, 0);
	assert_false(verdict_agent_at(b.engine, 1, b.now_ms, &agent));
	bench_deinit(&b);
}

static void boots_are_remembered_and_their_number_is_bounded(void **state)
{
	(void)state;
	struct bench b;
	bench_init(&b, 1, 1, 1);
	for (uint64_t boot = 1; boot <= VERDICT_BOOTS + 1; boot++)
		assert_int_equal(bench_send(&b, 0, boot, 1), VEER_OK);
	for (uint64_t boot = 1; boot <= VERDICT_BOOTS; boot++)
		assert_int_equal(bench_send(&b, 0, boot, 2), VEER_ESTALE);
	assert_int_equal(bench_send(&b, 0, 99, 1), VEER_ELIMIT);
	b.now_ms += VERDICT_BOOT_KEEP_MS;
	assert_int_equal(bench_send(&b, 0, 99, 1), VEER_OK);
	bench_deinit(&b);
}

static void a_report_for_another_revision_or_size_is_not_counted(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 1, 1, 2);
	struct observation items[3] = {{.state = OBSERVATION_DOWN}, {.state = OBSERVATION_DOWN}};
	struct report report = {.assignment_revision = 2, .boot = 7, .seq = 50, .items = items, .item_count = 2};
	assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_ECONFLICT);
	report.assignment_revision = 1;
	for (uint32_t count = 0; count <= 3; count++) {
		report.item_count = count;
		if (count != 2)
			assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_EINVAL);
	}
	assert_int_equal(bench_settle(&b), 0);
	report.item_count = 2; /* the refused reports have not used up the number */
	assert_int_equal(verdict_report(b.engine, "ag-0", &report, b.now_ms), VEER_OK);
	assert_int_equal(verdict_report(b.engine, "ag-9", &report, b.now_ms), VEER_EAUTH);
	assert_int_equal(bench_settle(&b), 2);
	bench_deinit(&b);
}

/* --- second looks ---------------------------------------------------------------------------------------------- */

static void a_first_failure_asks_the_others_once(void **state)
{
	(void)state;
	struct bench b;
	struct verdict_suspicion s;
	bench_init_up(&b, 3, 1, 2);
	assert_false(verdict_suspicion_next(b.engine, &s));
	bench_see(&b, "-f-");
	assert_true(verdict_suspicion_next(b.engine, &s));
	assert_string_equal(s.check, "web");
	assert_string_equal(s.endpoint, "p/e0");
	assert_int_equal(s.agent_count, 2);
	assert_string_equal(s.agents[0], "ag-0");
	assert_string_equal(s.agents[1], "ag-2");
	assert_false(verdict_suspicion_next(b.engine, &s));
	bench_see(&b, "-d-");
	bench_see(&b, "d--");
	assert_false(verdict_suspicion_next(b.engine, &s)); /* within the interval */
	bench_see(&b, "uu-");
	b.now_ms += 1000;
	bench_see(&b, "f--");
	assert_true(verdict_suspicion_next(b.engine, &s));
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 1);
	b.now_ms += 1000;
	bench_see(&b, "uuu");
	bench_see(&b, "duu");
	assert_false(verdict_suspicion_next(b.engine, &s)); /* already down */
	bench_deinit(&b);
}

/* --- time ------------------------------------------------------------------------------------------------------ */

static void a_clock_that_goes_back_changes_nothing(void **state)
{
	(void)state;
	struct bench b;
	bench_init_up(&b, 3, 1, 1);
	b.now_ms += 3000;
	assert_int_equal(bench_settle(&b), 0);
	b.now_ms -= 100000;
	bench_see(&b, "ddd");
	assert_int_equal(bench_settle(&b), 1);
	assert_int_equal(bench_verdict(&b, 0), MODEL_STATE_DOWN);
	bench_deinit(&b);
}

static void an_engine_without_configuration_does_nothing(void **state)
{
	(void)state;
	struct verdict_engine *engine = verdict_engine_new(NULL);
	struct verdict_transition t;
	struct verdict_suspicion s;
	struct report report = {.boot = 1, .seq = 1};
	assert_non_null(engine);
	verdict_tick(engine, 5);
	assert_false(verdict_next(engine, &t));
	assert_false(verdict_suspicion_next(engine, &s));
	assert_int_equal(verdict_report(engine, "a", &report, 6), VEER_EAUTH);
	assert_int_equal(verdict_endpoint_count(engine), 0);
	assert_int_equal(verdict_agent_count(engine), 0);
	verdict_committed(engine, "a", MODEL_STATE_UP, 7);
	verdict_engine_free(&engine);
	verdict_engine_free(&engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quorum_is_the_majority_of_the_assigned),
		cmocka_unit_test(a_quorum_by_configuration_is_never_more_than_all),
		cmocka_unit_test(an_unknown_endpoint_needs_a_quorum_to_become_either),
		cmocka_unit_test(a_transition_carries_its_evidence),
		cmocka_unit_test(silence_changes_nothing),
		cmocka_unit_test(a_view_counts_for_three_intervals_of_receipt_time),
		cmocka_unit_test(with_a_short_interval_three_report_periods_count),
		cmocka_unit_test(a_state_that_no_probe_confirms_stops_counting),
		cmocka_unit_test(the_blind_and_the_revoked_have_no_view),
		cmocka_unit_test(a_report_counts_once_and_in_order),
		cmocka_unit_test(an_agent_is_called_silent_when_it_ceases_to_count),
		cmocka_unit_test(an_agent_with_several_checks_is_silent_as_of_the_shortest),
		cmocka_unit_test(a_replayed_report_does_not_refresh),
		cmocka_unit_test(boots_are_remembered_and_their_number_is_bounded),
		cmocka_unit_test(a_report_for_another_revision_or_size_is_not_counted),
		cmocka_unit_test(a_first_failure_asks_the_others_once),
		cmocka_unit_test(a_clock_that_goes_back_changes_nothing),
		cmocka_unit_test(an_engine_without_configuration_does_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
