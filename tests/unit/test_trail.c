/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/control/trail.h"
#include "base/file.h"

/* The golden transition: decided 311,000 µs after its first observation, sent to the store at 311,019. */
static json_t *golden(void)
{
	char *text = NULL;
	size_t len = 0;
	json_t *object = NULL;
	assert_int_equal(file_read("tests/data/formats/transition.json", 1 << 16, &text, &len, NULL), VEER_OK);
	assert_int_equal(veer_json_parse(text, len, 1 << 16, &object, NULL), VEER_OK);
	free(text);
	return object;
}

static const char id[] = "1fffffffffffff-fffffffa";
enum { BASE = 5000000 };

static int64_t step(const json_t *transition, const char *name)
{
	const json_t *value = json_object_get(json_object_get(transition, "steps"), name);
	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static int64_t of_server(const json_t *transition, size_t i, const char *name)
{
	return json_integer_value(json_object_get(json_array_get(json_object_get(transition, "nameservers"), i), name));
}

static void each_step_is_told_from_the_first_observation(void **state)
{
	struct trail *trail = trail_new();
	json_t *t = golden();
	(void)state;
	trail_committed(trail, id, BASE, 812, BASE + 312000);
	trail_merge(trail, t);
	assert_int_equal(step(t, "committed_us"), 312000);
	assert_int_equal(step(t, "fed_us"), -1);
	assert_null(json_object_get(t, "nameservers"));
	trail_fed(trail, 812, BASE + 312500);
	trail_applied(trail, "ns-1", "ns1", 812, BASE + 313000, BASE + 313400);
	trail_applied(trail, "ns-2", "ns2", 815, BASE + 400000, BASE + 400100); /* it was disconnected when 812 came */
	trail_merge(trail, t);
	assert_int_equal(step(t, "fed_us"), 312500);
	assert_int_equal(json_array_size(json_object_get(t, "nameservers")), 2);
	assert_int_equal(of_server(t, 0, "received_us"), 313000);
	assert_int_equal(of_server(t, 0, "applied_us"), 313400);
	assert_int_equal(of_server(t, 1, "revision"), 815);
	json_decref(t);
	trail_free(&trail);
}

static void times_never_go_back_whatever_the_order_of_the_news(void **state)
{
	struct trail *trail = trail_new();
	json_t *t = golden();
	(void)state;
	/* The follower is faster than the committing thread, and a name server's clock is imprecise. */
	trail_fed(trail, 812, BASE + 311500);
	trail_applied(trail, "ns-1", "ns1", 812, BASE + 300000, BASE + 299000);
	trail_committed(trail, id, BASE, 812, BASE + 312000);
	trail_merge(trail, t);
	int64_t committed = step(t, "committed_us"), fed = step(t, "fed_us");
	assert_true(committed >= step(t, "commit_us") && fed >= committed);
	assert_true(of_server(t, 0, "received_us") >= fed);
	assert_true(of_server(t, 0, "applied_us") >= of_server(t, 0, "received_us"));
	json_decref(t);
	trail_free(&trail);
}

static void the_first_acknowledgement_counts_and_an_earlier_revision_is_none(void **state)
{
	struct trail *trail = trail_new();
	json_t *t = golden();
	(void)state;
	trail_fed(trail, 812, BASE + 312000);
	trail_committed(trail, id, BASE, 812, BASE + 312000);
	trail_applied(trail, "ns-1", "ns1", 811, BASE + 312100, BASE + 312200);
	trail_merge(trail, t);
	assert_int_equal(json_array_size(json_object_get(t, "nameservers")), 0);
	trail_applied(trail, "ns-1", "ns1", 812, BASE + 313000, BASE + 314000);
	trail_applied(trail, "ns-1", "ns1", 813, BASE + 513000, BASE + 514000);
	trail_merge(trail, t);
	assert_int_equal(json_array_size(json_object_get(t, "nameservers")), 1);
	assert_int_equal(of_server(t, 0, "applied_us"), 314000);
	json_decref(t);
	trail_free(&trail);
}

static void what_is_not_remembered_stays_as_it_is_stored(void **state)
{
	struct trail *trail = trail_new();
	json_t *t = golden(), *same = golden(), *empty = json_object();
	(void)state;
	trail_merge(trail, t);
	assert_true(json_equal(t, same));
	trail_merge(trail, empty);
	assert_int_equal(json_object_size(empty), 0);
	/* The oldest trails are removed. */
	trail_committed(trail, id, BASE, 1, BASE + 312000);
	for (int i = 2; i < 2 + TRAIL_REVISIONS_MAX; i++)
		trail_committed(trail, "other", BASE, i, BASE);
	trail_merge(trail, t);
	assert_true(json_equal(t, same));
	json_decref(t);
	json_decref(same);
	json_decref(empty);
	trail_free(&trail);
}

static void a_thousand_name_servers_are_remembered_and_no_more(void **state)
{
	struct trail *trail = trail_new();
	json_t *t = golden();
	(void)state;
	trail_fed(trail, 812, BASE + 312000);
	trail_committed(trail, id, BASE, 812, BASE + 312000);
	for (int i = 0; i < 2 * TRAIL_SERVERS_MAX; i++) {
		char name[16];
		(void)snprintf(name, sizeof name, "ns-%d", i);
		trail_applied(trail, name, name, 812, BASE + 313000 + i, BASE + 314000 + i);
	}
	trail_merge(trail, t);
	assert_int_equal(json_array_size(json_object_get(t, "nameservers")), TRAIL_SERVERS_MAX);
	json_decref(t);
	trail_free(&trail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_is_told_from_the_first_observation),
		cmocka_unit_test(times_never_go_back_whatever_the_order_of_the_news),
		cmocka_unit_test(the_first_acknowledgement_counts_and_an_earlier_revision_is_none),
		cmocka_unit_test(what_is_not_remembered_stays_as_it_is_stored),
		cmocka_unit_test(a_thousand_name_servers_are_remembered_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
