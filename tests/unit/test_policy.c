/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: which pool answers which client and type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "tests/unit/policies.h"

static void failover_takes_the_first_available(void **state)
{
	struct policies *w = *state;
	policies_add_three_pools(w);
	policies_set(w, POLICY("{\"failover\":[\"fra\",\"iad\",\"sin\"]}", "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_false(policy_uses_location(w->program));
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.1");
	const struct policy_outcome *o = policy_choose(w->program, (struct geo_location){0}, 1);
	assert_string_equal(o->pool, "fra");
	assert_string_equal(o->endpoint, "f1");
	assert_int_equal(o->rr->ttl, 5);
	assert_int_equal(o->node, 1);
	assert_int_equal(o->turn_count, 1);
	assert_int_equal(o->turns[0].child, 0);
	policies_flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.2");
	policies_flag(w, "iad", NULL, POLICY_ENDPOINT_OUT);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.3");
	o = policy_choose(w->program, (struct geo_location){0}, 1);
	assert_int_equal(o->turns[0].child, 2);
	assert_int_equal(o->node, 3);
	policies_flag(w, "fra", NULL, 0);
	policies_compile(w, RRTYPE_AAAA); /* only iad has the type, and it is out: it is answered as if all were up */
	assert_string_equal(policies_answer(w, NULL, 0, 1), "AAAA 2001:db8::2");
}

static void min_up_passes_a_weak_pool_over(void **state)
{
	struct policies *w = *state;
	policies_add_pool(w, POOL("web", "2", ENDPOINT("a", "192.0.2.1") "," ENDPOINT("b", "192.0.2.2")));
	policies_add_pool(w, POOL("standby", "1", ENDPOINT("s", "192.0.2.9")));
	policies_set(w, POLICY("{\"failover\":[\"web\",\"standby\"]}", "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.1 192.0.2.2");
	policies_flag(w, "web", "a", POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 1), "A 192.0.2.9");
}

static void match_falls_through_to_the_next_available_rule(void **state)
{
	struct policies *w = *state;
	policies_add_three_pools(w);
	policies_set(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"},"
			       "{\"continents\":[\"EU\",\"NA\"],\"node\":\"iad\"}],\"else\":\"sin\"}",
			       "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_true(policy_uses_location(w->program));
	assert_string_equal(policies_answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_string_equal(policies_answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.2");
	assert_string_equal(policies_answer(w, "US", CONTINENT_NA, 1), "A 192.0.2.2");
	assert_string_equal(policies_answer(w, "JP", CONTINENT_AS, 1), "A 192.0.2.3");
	assert_string_equal(policies_answer(w, NULL, CONTINENT_NONE, 1), "A 192.0.2.3");
	policies_flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.2");
	policies_flag(w, "iad", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.3");
	assert_false(policy_uses_location(w->program) &&
		     strcmp(policies_answer(w, "US", CONTINENT_NA, 1), "A 192.0.2.3") != 0);
}

/* The largest possible policy: 1,024 rules, each for 26 codes, and as many weighted children for all other clients. */
static void a_policy_of_1024_rules_and_children(void **state)
{
	struct policies *w = *state;
	struct buf text;
	policies_add_three_pools(w);
	buf_init(&text, 1 << 20);
	buf_puts(&text, "{\"name\":\"www\",\"ttl\":30,\"tree\":{\"match\":[");
	for (unsigned i = 0; i < 1021; i++) {
		buf_puts(&text, i > 0 ? ",{\"countries\":[" : "{\"countries\":[");
		for (unsigned k = 0; k < 26; k++)
			buf_printf(&text, "%s\"%c%c\"", k > 0 ? "," : "", 'A' + i % 26, 'A' + (k * 7 + i) % 26);
		buf_printf(&text, "],\"node\":\"%s\"}", i % 26 == 3 ? "fra" : "iad");
	}
	buf_puts(&text, "],\"else\":{\"weighted\":[");
	for (unsigned i = 0; i < 1024; i++)
		buf_printf(&text, "%s{\"weight\":%u,\"node\":\"%s\"}", i > 0 ? "," : "", i == 1023,
			   i == 1023 ? "sin" : "fra");
	buf_puts(&text, "]}}}");
	assert_false(text.failed);
	policies_set(w, text.data);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_string_equal(policies_answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.2");
	assert_string_equal(policies_answer(w, NULL, CONTINENT_NONE, 1), "A 192.0.2.3");
	buf_deinit(&text);
}

static void a_match_without_a_rule_for_the_client_is_not_available(void **state)
{
	struct policies *w = *state;
	policies_add_three_pools(w);
	policies_set(w, POLICY("{\"failover\":[{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}]},\"sin\"]}",
			       "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_string_equal(policies_answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.3");
}

/* Never empty: every client gets the endpoints that exist, also one that no rule matches. */
static void a_client_that_no_rule_matches_is_answered_all_the_same(void **state)
{
	struct policies *w = *state;
	policies_add_three_pools(w);
	policies_set(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}]}", "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_string_equal(policies_answer(w, NULL, CONTINENT_NONE, 1), "A 192.0.2.1");
	policies_set(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}]}", "\"servfail\""));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, "FR", CONTINENT_EU, 1), "servfail");
	assert_string_equal(policies_answer(w, "DE", CONTINENT_EU, 1), "A 192.0.2.1");
	policies_set(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}]}", "{\"pool\":\"sin\"}"));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.3");
}

/* A branch without the type does not make the answer empty when another branch has the type. */
static void a_type_that_only_another_branch_has_is_answered_from_there(void **state)
{
	struct policies *w = *state;
	policies_add_pool(w, POOL("four", "1", ENDPOINT("a", "192.0.2.1")));
	policies_add_pool(w, POOL("six", "1", ENDPOINT("a", "2001:db8::1")));
	policies_set(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"four\"}],\"else\":\"six\"}", "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, "FR", CONTINENT_EU, 1), "A 192.0.2.1");
	assert_false(policy_uses_location(w->program)); /* the same for all clients: scope 0 */
	policies_compile(w, RRTYPE_AAAA);
	assert_string_equal(policies_answer(w, "DE", CONTINENT_EU, 1), "AAAA 2001:db8::1");
}

/* Scope 0 (RFC 7871 7.2.1), because otherwise resolvers would keep one answer per network for no reason. */
static void rules_that_change_nothing_leave_the_scope_0(void **state)
{
	struct policies *w = *state;
	policies_add_three_pools(w);
	policies_set(w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}],\"else\":\"fra\"}", "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_false(policy_uses_location(w->program));
	/* the rule's pool is down: all that is left is the same for all clients */
	policies_set(
		w,
		POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":\"fra\"}],\"else\":{\"weighted\":[{\"weight\":1,"
		       "\"node\":\"iad\"},{\"weight\":2,\"node\":\"sin\"}]}}",
		       "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_true(policy_uses_location(w->program));
	policies_flag(w, "fra", NULL, POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_false(policy_uses_location(w->program));
	policies_compile(w, RRTYPE_AAAA);
	assert_false(policy_uses_location(w->program)); /* no client has that code */
	/* the same endpoints with other weights count as another answer */
	policies_set(
		w, POLICY("{\"match\":[{\"countries\":[\"DE\"],\"node\":{\"weighted\":[{\"weight\":2,\"node\":\"iad\"},"
			  "{\"weight\":2,\"node\":\"sin\"}]}}],\"else\":{\"weighted\":[{\"weight\":1,"
			  "\"node\":\"iad\"},{\"weight\":2,\"node\":\"sin\"}]}}",
			  "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_true(policy_uses_location(w->program));
}

static void pools_of_hosts_answer_one_cname(void **state)
{
	struct policies *w = *state;
	policies_add_pool(w,
			  POOL("cdn", "1", ENDPOINT("a", "A.cdn.example.") "," ENDPOINT_W("b", "b.cdn.example.", "0")));
	policies_set(w, POLICY("\"cdn\"", "\"all\""));
	policies_compile(w, RRTYPE_CNAME);
	assert_string_equal(policies_answer(w, NULL, 0, 7), "CNAME a.cdn.example.");
	policies_flag(w, "cdn", "a", POLICY_ENDPOINT_DOWN);
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 7), "CNAME b.cdn.example.");
}

static void dangling_pools_do_no_harm(void **state)
{
	struct policies *w = *state;
	policies_add_pool(w, POOL("there", "1", ENDPOINT("a", "192.0.2.1")));
	policies_set(w, POLICY("{\"failover\":[\"gone\",\"there\"]}", "\"all\""));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 7), "A 192.0.2.1");
	policies_set(w, POLICY("\"gone\"", "\"servfail\""));
	policies_compile(w, RRTYPE_A);
	assert_string_equal(policies_answer(w, NULL, 0, 7), "nodata");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, policies_setup, policies_teardown)
	const struct CMUnitTest tests[] = {
		T(failover_takes_the_first_available),
		T(a_policy_of_1024_rules_and_children),
		T(min_up_passes_a_weak_pool_over),
		T(match_falls_through_to_the_next_available_rule),
		T(a_match_without_a_rule_for_the_client_is_not_available),
		T(a_client_that_no_rule_matches_is_answered_all_the_same),
		T(a_type_that_only_another_branch_has_is_answered_from_there),
		T(rules_that_change_nothing_leave_the_scope_0),
		T(pools_of_hosts_answer_one_cname),
		T(dangling_pools_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
