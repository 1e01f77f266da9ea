/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "probes/agent/streak.h"

/*
 * Feed '.' (ok), 'x' (fails), 'r' (refused target), 'i' (own error). Collect the states ('-': unknown), each followed
 * by '!' when it was news.
 */
static void play(uint32_t fall, uint32_t rise, const char *probes, char *out)
{
	struct streak streak = {0};
	for (int64_t now_ms = 0; *probes != '\0'; probes++, now_ms += 100) {
		struct streak_probe probe = {.reason = PROBE_REASON_OK, .rtt_us = 7};
		if (*probes == 'x')
			probe.reason = PROBE_REASON_TIMEOUT;
		if (*probes == 'r')
			probe.reason = PROBE_REASON_REFUSED_TARGET;
		if (*probes == 'i')
			probe.reason = PROBE_REASON_INTERNAL;
		bool is_news = streak_add(&streak, fall, rise, &probe, now_ms);
		*out++ = streak.state == OBSERVATION_UNKNOWN ? '-' : observation_state_text(streak.state)[0];
		if (is_news)
			*out++ = '!';
	}
	*out = '\0';
}

static void fall_and_rise_decide_and_turns_are_news(void **state)
{
	static const struct {
		uint32_t fall, rise;
		const char *probes;
		const char *states;
	} cases[] = {
		{2, 2, "..", "-!u!"},
		{2, 2, "xx", "-!d!"},
		{2, 2, ".x.x", "-!-!-!-!"},
		{2, 2, "...x.", "-!u!uf!u!"},
		{3, 2, "..xxx", "-!u!f!fd!"},
		{3, 2, "..xxxx", "-!u!f!fd!d"},
		{2, 3, "xx..x...", "-!d!d!dd!d!du!"},
		{1, 1, ".x.x", "u!d!u!d!"},
		{3, 3, "...xx.xx.", "-!-u!f!fu!f!fu!"},
		{2, 2, "..rr..", "-!u!-!--!u!"},
		{2, 2, "..iiix", "-!u!uuuf!"},
		{2, 2, "iii", "---"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char states[64];
		play(cases[i].fall, cases[i].rise, cases[i].probes, states);
		assert_string_equal(states, cases[i].states);
	}
}

static void the_age_runs_from_the_last_probe_that_agreed(void **state)
{
	(void)state;
	const struct streak_probe ok = {.reason = PROBE_REASON_OK, .rtt_us = 7};
	const struct streak_probe bad = {.reason = PROBE_REASON_RESET};
	struct streak streak = {0};
	assert_int_equal(streak_observation(&streak, 50).age_ms, 0);
	(void)streak_add(&streak, 2, 2, &bad, 100);
	(void)streak_add(&streak, 2, 2, &bad, 200);
	assert_int_equal(streak_observation(&streak, 250).age_ms, 50);
	(void)streak_add(&streak, 2, 2, &ok, 300);
	struct observation seen = streak_observation(&streak, 350);
	assert_int_equal(seen.state, OBSERVATION_DOWN);
	assert_int_equal(seen.age_ms, 150);
	assert_int_equal(seen.reason, PROBE_REASON_OK);
	assert_int_equal(seen.rtt_us, 7);
	(void)streak_add(&streak, 2, 2, &ok, 400);
	assert_int_equal(streak_observation(&streak, 400).age_ms, 0);
	assert_int_equal(streak_observation(&streak, INT64_MAX / 2).age_ms, REPORT_AGE_MS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fall_and_rise_decide_and_turns_are_news),
		cmocka_unit_test(the_age_runs_from_the_last_probe_that_agreed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
