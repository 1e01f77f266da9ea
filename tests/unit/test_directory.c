/* SPDX-License-Identifier: Apache-2.0 */
/* The directory: order, replacement, waiting, and readers at the same time as the one writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "api/control/directory.h"

/* One change between directory_begin() and directory_end(). */
static bool apply(struct directory *directory, const struct store_object *object)
{
	struct directory_change *change = directory_prepare(object);
	return change != NULL && directory_install(directory, &change);
}

static bool change(struct directory *d, enum model_kind kind, const char *key, int64_t revision, const char *value)
{
	struct store_object object = {kind, key, revision, value, value != NULL ? strlen(value) : 0, NULL};
	directory_begin(d);
	bool ok = apply(d, &object);
	directory_end(d, revision);
	return ok;
}

/* The keys of a list, joined. */
struct keys {
	char text[256];
	size_t limit;
	size_t count;
};

static bool take_key(void *ctx, const struct directory_entry *entry)
{
	struct keys *keys = ctx;
	size_t len = strlen(keys->text);
	(void)snprintf(keys->text + len, sizeof keys->text - len, "%s@%lld ", entry->key, (long long)entry->revision);
	return ++keys->count < keys->limit;
}

static void assert_keys(struct directory *d, enum model_kind kind, const char *after, size_t limit, const char *wanted)
{
	struct keys keys = {.limit = limit};
	directory_list(d, kind, after, take_key, &keys);
	assert_string_equal(keys.text, wanted);
}

static void lists_are_in_order_and_start_behind_a_key(void **state)
{
	struct directory *d = directory_new();
	(void)state;
	assert_true(change(d, MODEL_KIND_SITE, "b", 1, "{}"));
	assert_true(change(d, MODEL_KIND_SITE, "a", 2, "{}"));
	assert_true(change(d, MODEL_KIND_SITE, "c", 3, "{}"));
	assert_true(change(d, MODEL_KIND_POOL, "x", 4, "{}"));
	assert_keys(d, MODEL_KIND_SITE, NULL, 10, "a@2 b@1 c@3 ");
	assert_keys(d, MODEL_KIND_SITE, "a", 10, "b@1 c@3 ");
	assert_keys(d, MODEL_KIND_SITE, "aa", 10, "b@1 c@3 ");
	assert_keys(d, MODEL_KIND_SITE, "c", 10, "");
	assert_keys(d, MODEL_KIND_SITE, NULL, 2, "a@2 b@1 ");
	assert_keys(d, MODEL_KIND_POLICY, NULL, 10, "");
	assert_int_equal(directory_count(d, MODEL_KIND_SITE), 3);
	directory_free(&d);
	assert_null(d);
}

static bool take_text(void *ctx, const struct directory_entry *entry)
{
	assert_true(json_is_object(entry->object));
	(void)snprintf(ctx, 64, "%s %s", entry->key, entry->text);
	return true;
}

static void an_object_is_replaced_removed_and_found_as_stored(void **state)
{
	char text[64] = "";
	struct directory *d = directory_new();
	(void)state;
	assert_int_equal(directory_get(d, MODEL_KIND_SITE, "a", take_text, text), VEER_ENOTFOUND);
	assert_true(change(d, MODEL_KIND_SITE, "a", 1, "{\"x\": 1}"));
	assert_true(change(d, MODEL_KIND_SITE, "a", 2, "{\"x\": 2}"));
	assert_int_equal(directory_get(d, MODEL_KIND_SITE, "a", take_text, text), VEER_OK);
	assert_string_equal(text, "a {\"x\": 2}");
	assert_true(change(d, MODEL_KIND_SITE, "a", 3, NULL));
	assert_true(change(d, MODEL_KIND_SITE, "a", 4, NULL));
	assert_int_equal(directory_get(d, MODEL_KIND_SITE, "a", take_text, text), VEER_ENOTFOUND);
	assert_int_equal(directory_revision(d), 4);
	directory_free(&d);
}

static void garbage_is_refused_and_the_old_stays(void **state)
{
	char text[64];
	struct directory *d = directory_new();
	(void)state;
	assert_true(change(d, MODEL_KIND_SITE, "a", 1, "{}"));
	assert_false(change(d, MODEL_KIND_SITE, "a", 2, "{"));
	assert_int_equal(directory_get(d, MODEL_KIND_SITE, "a", take_text, text), VEER_OK);
	assert_string_equal(text, "a {}");
	directory_free(&d);
}

static void rrsets_and_history_are_not_kept(void **state)
{
	(void)state;
	assert_false(directory_keeps(MODEL_KIND_RRSET));
	assert_false(directory_keeps(MODEL_KIND_NONE));
	assert_false(directory_keeps(MODEL_KIND_COUNT));
	for (int kind = 1; kind < MODEL_KIND_COUNT; kind++)
		assert_true(directory_keeps((enum model_kind)kind) ==
			    (kind != MODEL_KIND_RRSET && kind != MODEL_KIND_TRANSITION));
}

static void a_thousand_keys_in_any_order_stay_sorted(void **state)
{
	struct directory *d = directory_new();
	char key[16];
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof key, "k%03u", i * 389 % 1000);
		assert_true(change(d, MODEL_KIND_SITE, key, i + 1, "{}"));
	}
	for (unsigned i = 0; i < 1000; i += 2) {
		(void)snprintf(key, sizeof key, "k%03u", i);
		assert_true(change(d, MODEL_KIND_SITE, key, 2000 + i, NULL));
	}
	assert_int_equal(directory_count(d, MODEL_KIND_SITE), 500);
	struct keys keys = {.limit = 3};
	directory_list(d, MODEL_KIND_SITE, "k500", take_key, &keys);
	assert_non_null(strstr(keys.text, "k501@"));
	assert_non_null(strstr(keys.text, "k505@"));
	directory_free(&d);
}

static void *advance(void *ctx)
{
	(void)change(ctx, MODEL_KIND_SITE, "a", 7, "{}");
	return NULL;
}

static void waiting_ends_with_the_revision_or_the_time(void **state)
{
	struct directory *d = directory_new();
	pthread_t thread;
	(void)state;
	assert_false(directory_wait(d, 7, 10));
	assert_int_equal(pthread_create(&thread, NULL, advance, d), 0);
	assert_true(directory_wait(d, 7, 10000));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(directory_wait(d, 3, 0));
	directory_free(&d);
}

struct race {
	struct directory *directory;
	atomic_bool is_over;
	atomic_uint torn;
};

static bool sum(void *ctx, const struct directory_entry *entry)
{
	*(json_int_t *)ctx += json_integer_value(json_object_get(entry->object, "n"));
	return true;
}

/* Each commit moves one object from a to b, so the sum stays the same. */
static void *read_sums(void *ctx)
{
	struct race *race = ctx;
	while (!atomic_load(&race->is_over)) {
		json_int_t total = 0;
		directory_read_begin(race->directory);
		directory_list_locked(race->directory, MODEL_KIND_SITE, NULL, sum, &total);
		directory_read_end(race->directory);
		if (total != 1000)
			atomic_fetch_add(&race->torn, 1);
	}
	return NULL;
}

static void readers_see_whole_commits_only(void **state)
{
	struct race race = {.directory = directory_new()};
	struct directory *d = race.directory;
	pthread_t threads[3];
	char a[32], b[32];
	(void)state;
	assert_true(change(d, MODEL_KIND_SITE, "a", 1, "{\"n\":1000}"));
	assert_true(change(d, MODEL_KIND_SITE, "b", 2, "{\"n\":0}"));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_sums, &race), 0);
	for (int i = 1; i <= 1000; i++) {
		(void)snprintf(a, sizeof a, "{\"n\":%d}", 1000 - i);
		(void)snprintf(b, sizeof b, "{\"n\":%d}", i);
		directory_begin(d);
		assert_true(apply(d, &(struct store_object){MODEL_KIND_SITE, "a", 2 + i, a, strlen(a), NULL}));
		assert_true(apply(d, &(struct store_object){MODEL_KIND_SITE, "b", 2 + i, b, strlen(b), NULL}));
		directory_end(d, 2 + i);
	}
	atomic_store(&race.is_over, true);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&race.torn), 0);
	directory_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_in_order_and_start_behind_a_key),
		cmocka_unit_test(an_object_is_replaced_removed_and_found_as_stored),
		cmocka_unit_test(garbage_is_refused_and_the_old_stays),
		cmocka_unit_test(rrsets_and_history_are_not_kept),
		cmocka_unit_test(a_thousand_keys_in_any_order_stay_sorted),
		cmocka_unit_test(waiting_ends_with_the_revision_or_the_time),
		cmocka_unit_test(readers_see_whole_commits_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
