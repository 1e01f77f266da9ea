/* SPDX-License-Identifier: Apache-2.0 */
/* Lineages of stores, how a name server judges them, and digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/replica/lineages.h"
#include "zones/model/digest.h"
#include "zones/model/history.h"

/* Add a lineage whose id is one hex digit, 32 times. */
static void add(struct history_ancestry *a, char digit, int64_t from, enum history_cause cause)
{
	struct history_lineage l = {.from_revision = from, .cause = cause};
	memset(l.id, digit, HISTORY_ID_LEN);
	memset(l.store_id, 'f', HISTORY_ID_LEN);
	history_append(a, &l);
}

static const char *id(char digit)
{
	static char text[4][HISTORY_ID_SIZE];
	static unsigned next;
	char *out = text[next++ % 4];
	memset(out, digit, HISTORY_ID_LEN);
	out[HISTORY_ID_LEN] = '\0';
	return out;
}

static void a_position_is_held_only_within_its_range(void **state)
{
	static const struct {
		char lineage;
		int64_t revision;
		bool is_held;
	} cases[] = {
		{'a', 0, true},  {'a', 10, true}, {'a', 11, false}, {'a', -1, false},
		{'b', 9, false}, {'b', 10, true}, {'b', 20, true},  {'b', 21, false},
		{'c', 20, true}, {'c', 25, true}, {'c', 26, false}, {'d', 5, false},
	};
	struct history_ancestry a = {.count = 0};
	(void)state;
	add(&a, 'a', 0, HISTORY_CREATED);
	add(&a, 'b', 10, HISTORY_START);
	add(&a, 'c', 20, HISTORY_RESTORE);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(history_holds(&a, id(cases[i].lineage), cases[i].revision, 25), cases[i].is_held);
	assert_string_equal(history_lineage_at(&a, 0), id('a'));
	assert_string_equal(history_lineage_at(&a, 19), id('b'));
	assert_string_equal(history_lineage_at(&a, 20), id('c'));
	add(&a, 'd', 25, HISTORY_REWIND);
	assert_false(history_holds(&a, id('a'), 5, 30));
	assert_false(history_holds(&a, id('c'), 22, 30));
	assert_true(history_holds(&a, id('d'), 25, 30));
}

static void an_ancestry_is_written_and_read_back(void **state)
{
	struct history_ancestry a = {.count = 0}, b;
	struct veer_diag diag = {""};
	(void)state;
	for (int i = 0; i < HISTORY_LINEAGES_MAX + 3; i++)
		add(&a, (char)("0123456789abcdef"[i % 16]), i, (enum history_cause)(i % 5));
	assert_int_equal(a.count, HISTORY_LINEAGES_MAX);
	assert_int_equal(a.lineages[0].from_revision, 3); /* the oldest lineages were forgotten */
	json_t *array = history_write(&a);
	assert_int_equal(history_read(array, &b, &diag), VEER_OK);
	assert_int_equal(b.count, a.count);
	for (size_t i = 0; i < a.count; i++) {
		assert_string_equal(b.lineages[i].id, a.lineages[i].id);
		assert_int_equal(b.lineages[i].from_revision, a.lineages[i].from_revision);
		assert_int_equal(b.lineages[i].cause, a.lineages[i].cause);
	}
	json_decref(array);
}

#define A "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""

static void what_is_no_ancestry_is_refused(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"[[]]",
		"[[" A "," A ",0]]",
		"[[" A "," A ",0,\"whim\"]]",
		"[[" A "," A ",-1,\"start\"]]",
		"[[" A "," A ",\"0\",\"start\"]]",
		"[[\"a\"," A ",0,\"start\"]]",
		"[[" A "," A ",5,\"created\"],[" A "," A ",4,\"start\"]]",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct history_ancestry a;
		json_t *json = NULL;
		assert_int_equal(veer_json_parse(texts[i], strlen(texts[i]), 4096, &json, NULL), VEER_OK);
		assert_int_equal(history_read(json, &a, NULL), VEER_EINVAL);
		json_decref(json);
	}
}

static void a_name_server_follows_what_descends_from_what_it_served(void **state)
{
	struct lineages l = {.count = 0};
	struct history_ancestry a = {.count = 0}, other = {.count = 0}, copy = {.count = 0};
	(void)state;
	add(&a, 'a', 0, HISTORY_CREATED);
	add(&a, 'b', 10, HISTORY_START);
	assert_int_equal(lineages_judge(&l, &a), LINEAGES_FOLLOW); /* having served nothing, it follows any */
	assert_true(lineages_serve(&l, &a));
	assert_false(lineages_serve(&l, &a));
	add(&other, 'e', 0, HISTORY_CREATED);
	assert_int_equal(lineages_judge(&l, &other), LINEAGES_UNKNOWN);
	add(&a, 'c', 12, HISTORY_START); /* a restart */
	assert_int_equal(lineages_judge(&l, &a), LINEAGES_FOLLOW);
	assert_true(lineages_serve(&l, &a));
	/* put back from before all recent lineages: a common ancestor is enough */
	add(&copy, 'a', 0, HISTORY_CREATED);
	add(&copy, 'd', 5, HISTORY_START);
	assert_int_equal(lineages_judge(&l, &copy), LINEAGES_FOLLOW);
	assert_false(lineages_are_confirmed(&l, &copy));
	assert_true(lineages_serve(&l, &copy));
	/* and then the other branch must not come back, unless an administrator adopts it */
	assert_int_equal(lineages_judge(&l, &a), LINEAGES_ABANDONED);
	add(&a, '9', 30, HISTORY_START);
	assert_int_equal(lineages_judge(&l, &a), LINEAGES_ABANDONED);
	add(&a, '8', 30, HISTORY_RESTORE);
	assert_int_equal(lineages_judge(&l, &a), LINEAGES_FOLLOW);
	assert_true(lineages_are_confirmed(&l, &a));
	assert_true(lineages_serve(&l, &a));
	assert_int_equal(lineages_judge(&l, &copy), LINEAGES_ABANDONED);
}

static void what_was_served_is_printed_and_parsed(void **state)
{
	struct lineages l = {.count = 0}, back;
	struct history_ancestry a = {.count = 0}, b = {.count = 0};
	char text[LINEAGES_TEXT_MAX + 1];
	(void)state;
	add(&a, 'a', 0, HISTORY_CREATED);
	add(&a, 'b', 3, HISTORY_START);
	add(&b, 'a', 0, HISTORY_CREATED);
	(void)lineages_serve(&l, &a);
	(void)lineages_serve(&l, &b);
	size_t len = lineages_print(&l, text);
	assert_int_equal(len, strlen(text));
	lineages_parse(text, &back);
	assert_int_equal(back.count, 2);
	assert_false(back.marks[0].is_abandoned);
	assert_true(back.marks[1].is_abandoned);
	lineages_parse("nonsense\n\nabandoned aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", &back);
	assert_int_equal(back.count, 0);
	lineages_parse("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aband", &back); /* the end of the file was lost */
	assert_int_equal(back.count, 1);
}

static void an_ancestry_that_is_full_abandons_nothing_by_forgetting(void **state)
{
	struct lineages l = {.count = 0};
	struct history_ancestry a = {.count = 0};
	struct history_lineage next = {.cause = HISTORY_START};
	(void)state;
	for (int i = 0; i < HISTORY_LINEAGES_MAX + 50; i++) {
		(void)snprintf(next.id, sizeof next.id, "%032x", i);
		memset(next.store_id, 'f', HISTORY_ID_LEN);
		next.from_revision = i;
		history_append(&a, &next);
		assert_int_equal(lineages_judge(&l, &a), LINEAGES_FOLLOW);
		(void)lineages_serve(&l, &a);
	}
	for (size_t i = 0; i < l.count; i++)
		assert_false(l.marks[i].is_abandoned);
}

static void a_digest_is_a_sum_in_any_order(void **state)
{
	struct digest sum = {0}, a, b, big = {UINT64_MAX, UINT64_MAX};
	char text[DIGEST_HEX_SIZE];
	(void)state;
	assert_true(digest_of("site", "a", "{}", 2, &a));
	assert_true(digest_of("site", "b", "{}", 2, &b));
	assert_false(digest_equal(&a, &b));
	/* printf 'site\0a\0{}' | sha256sum */
	digest_print(&a, text);
	assert_string_equal(text, "174ad6afa83850955c56871d86c53dfd");
	assert_true(digest_parse(text, &b) && digest_equal(&a, &b));
	assert_false(digest_parse("00", &b));
	assert_false(digest_parse(NULL, &b));
	digest_add(&sum, &a);
	digest_add(&sum, &big); /* minus one, modulo 2^128 */
	digest_add(&sum, &(struct digest){1, 0});
	assert_true(digest_equal(&sum, &a));
	digest_subtract(&sum, &a);
	digest_subtract(&sum, &(struct digest){1, 0});
	assert_true(digest_equal(&sum, &big));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_position_is_held_only_within_its_range),
		cmocka_unit_test(an_ancestry_is_written_and_read_back),
		cmocka_unit_test(what_is_no_ancestry_is_refused),
		cmocka_unit_test(a_name_server_follows_what_descends_from_what_it_served),
		cmocka_unit_test(what_was_served_is_printed_and_parsed),
		cmocka_unit_test(an_ancestry_that_is_full_abandons_nothing_by_forgetting),
		cmocka_unit_test(a_digest_is_a_sum_in_any_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
