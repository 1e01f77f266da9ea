/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: the answer when nothing is up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/policies.h"

static void all_down_answers_as_if_all_were_up(void **state)
{
	struct policies *w = *state;
	policies_add_three_pools(w);
	policies_set(w, POLICY("{\"failover\":[\"fra\",\"iad\",\"sin\"]}", "\"all\""));
	policies_flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	policies_flag(w, "iad", NULL, POLICY_ENDPOINT_DOWN);
	policies_flag(w, "sin", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.1");
	assert_int_equal(policy_choose(w->program, (struct geo_location){0}, 1)->mode, POLICY_MODE_ALL_IN);
	policies_flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN | POLICY_ENDPOINT_OUT);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1),
			    "A 192.0.2.2"); /* endpoints that were taken out stay out while others remain */
	policies_compile(w, RRTYPE_CNAME);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "nodata");
}

static void all_down_servfail_is_not_for_missing_types(void **state)
{
	struct policies *w = *state;
	policies_add_three_pools(w);
	policies_set(w, POLICY("{\"failover\":[\"fra\",\"sin\"]}", "\"servfail\""));
	policies_compile(w, RRTYPE_AAAA);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "nodata");
	policies_flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	policies_flag(w, "sin", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "servfail");
	policies_compile(w, RRTYPE_AAAA);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "nodata");
}

static void all_down_last_takes_the_last_set(void **state)
{
	struct policies *w = *state;
	policies_add_pool(
		w, POOL("web", "1",
			ENDPOINT("a", "192.0.2.1") "," ENDPOINT("b", "192.0.2.2") "," ENDPOINT("c", "192.0.2.3")));
	policies_set(w, POLICY("\"web\"", "\"last\""));
	policies_flag(w, "web", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.1 192.0.2.2 192.0.2.3");
	w->pools[0].has_last = true;
	policies_flag(w, "web", "b", POLICY_ENDPOINT_DOWN | POLICY_ENDPOINT_LAST);
	policies_flag(w, "web", "c", POLICY_ENDPOINT_DOWN | POLICY_ENDPOINT_LAST | POLICY_ENDPOINT_OUT);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.2");
	policies_flag(w, "web", "b", POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.3");
	policies_flag(w, "web", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.1 192.0.2.2 192.0.2.3");
	policies_flag(w, "web", "a", POLICY_ENDPOINT_LAST);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.1");
	assert_int_equal(policy_choose(w->program, (struct geo_location){0}, 1)->mode, POLICY_MODE_NORMAL);
}

static void all_down_pool_is_answered_even_when_down(void **state)
{
	struct policies *w = *state;
	policies_add_three_pools(w);
	policies_set(w, POLICY("\"fra\"", "{\"pool\":\"sin\"}"));
	policies_flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.3");
	assert_true(policy_choose(w->program, (struct geo_location){0}, 1)->is_fallback);
	policies_flag(w, "sin", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.3");
	policies_set(w, POLICY("\"fra\"", "{\"pool\":\"gone\"}"));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.1");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, policies_setup, policies_teardown)
	const struct CMUnitTest tests[] = {
		T(all_down_answers_as_if_all_were_up),
		T(all_down_servfail_is_not_for_missing_types),
		T(all_down_last_takes_the_last_set),
		T(all_down_pool_is_answered_even_when_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
