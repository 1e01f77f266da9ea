/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/control/delegation_table.h"

enum { ZONES = 3600, HOUR_MS = DELEGATION_INTERVAL_MS };

static const char *zone_name(unsigned i)
{
	static char name[32];
	(void)snprintf(name, sizeof name, "z%u.example.", i);
	return name;
}

/* Compare as the thread does: the first entry, when it is due. */
static struct delegation_entry *compare_first(struct delegation_table *t, int64_t now_ms)
{
	struct delegation_entry *entry = delegation_table_first(t);
	delegation_table_set_due(t, entry, INT64_MAX);
	delegation_table_set_result(t, entry, DELEGATION_OK, strdup("{}"), now_ms);
	return entry;
}

static void zones_are_spread_over_the_hour(void **state)
{
	struct delegation_table t = {.count = 0};
	unsigned tenths[10] = {0};
	int64_t now = 1234567;
	(void)state;
	for (unsigned i = 0; i < ZONES; i++)
		assert_non_null(delegation_table_want(&t, zone_name(i), now));
	for (unsigned i = 0; i < ZONES; i++) {
		const struct delegation_entry *entry = compare_first(&t, now + i);
		assert_in_range(entry->due_ms - now - i, 60000, HOUR_MS + 60000);
		tenths[entry->due_ms % HOUR_MS / (HOUR_MS / 10)]++;
	}
	assert_int_equal(t.counts[DELEGATION_OK], ZONES);
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(tenths[i], ZONES / 10 * 7 / 10, ZONES / 10 * 13 / 10);
	/* from then on in the order of time, each an hour after the one before */
	int64_t last = 0;
	for (unsigned i = 0; i < ZONES; i++) {
		int64_t due = delegation_table_first(&t)->due_ms;
		assert_true(due >= last);
		last = due;
		assert_int_equal(compare_first(&t, due)->due_ms, due + HOUR_MS);
	}
	delegation_table_free(&t);
}

static void a_change_is_compared_soon_also_if_it_comes_during_a_comparison(void **state)
{
	struct delegation_table t = {.count = 0};
	(void)state;
	(void)delegation_table_want(&t, "a.", 10);
	(void)compare_first(&t, 10);
	struct delegation_entry *a = delegation_table_find(&t, "a.");
	assert_true(a->due_ms > 60000);
	assert_ptr_equal(delegation_table_want(&t, "a.", 500), a);
	assert_int_equal(a->due_ms, 500);
	(void)delegation_table_want(&t, "a.", 900); /* not later than before */
	assert_int_equal(a->due_ms, 500);
	delegation_table_set_due(&t, a, INT64_MAX);
	(void)delegation_table_want(&t, "a.", 700);
	delegation_table_set_result(&t, a, DELEGATION_DIFFERS, NULL, 650);
	assert_int_equal(a->due_ms, 700);
	assert_int_equal(t.counts[DELEGATION_DIFFERS], 1);
	assert_int_equal(t.counts[DELEGATION_OK], 0);
	delegation_table_free(&t);
}

static void zones_go(void **state)
{
	struct delegation_table t = {.count = 0};
	unsigned left = 0;
	int64_t last = 0;
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		(void)delegation_table_want(&t, zone_name(i), (int64_t)i * 7919 % 1000);
	for (unsigned i = 0; i < 1000; i += 2)
		delegation_table_forget(&t, zone_name(i));
	delegation_table_forget(&t, "never.there.");
	assert_null(delegation_table_find(&t, zone_name(0)));
	assert_int_equal(t.counts[DELEGATION_UNCHECKED], 500);
	for (struct delegation_entry *e; (e = delegation_table_first(&t)) != NULL; left++) {
		assert_true(e->due_ms >= last);
		last = e->due_ms;
		char *zone = strdup(e->zone);
		delegation_table_forget(&t, zone);
		free(zone);
	}
	assert_int_equal(left, 500);
	assert_int_equal(t.counts[DELEGATION_UNCHECKED], 0);
	delegation_table_free(&t);
}

static void bad_ones_are_listed_by_name(void **state)
{
	struct delegation_table t = {.count = 0};
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct delegation_entry *entry = delegation_table_want(&t, zone_name(9 - i), i);
		delegation_table_set_result(&t, entry, i % 2 == 0 ? DELEGATION_MISSING : DELEGATION_OK,
					    strdup("{\"zone\":\"z\",\"glue\":[]}"), 0);
	}
	json_t *list = delegation_table_bad(&t, 3);
	assert_int_equal(json_array_size(list), 3);
	assert_true(json_object_size(json_array_get(list, 0)) == 1); /* only the fields of a list */
	json_decref(list);
	for (unsigned i = 0; i < 10; i++) {
		struct delegation_entry *entry = delegation_table_find(&t, zone_name(9 - i));
		char text[64];
		(void)snprintf(text, sizeof text, "{\"zone\":\"%s\"}", entry->zone);
		delegation_table_set_result(&t, entry, entry->state, strdup(text), 0);
	}
	list = delegation_table_bad(&t, 100);
	assert_int_equal(json_array_size(list), 5);
	for (unsigned i = 0; i < 5; i++)
		assert_string_equal(json_string_value(json_object_get(json_array_get(list, i), "zone")),
				    zone_name(2 * i + 1));
	json_decref(list);
	delegation_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zones_are_spread_over_the_hour),
		cmocka_unit_test(a_change_is_compared_soon_also_if_it_comes_during_a_comparison),
		cmocka_unit_test(zones_go),
		cmocka_unit_test(bad_ones_are_listed_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
