/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strmap.h"

enum { MANY = 10000, FIXED_BYTES_MOST = 33 /* a key of a map of a fixed size */ };

static const char *name_of(char out[16], int number)
{
	(void)snprintf(out, 16, "key-%d", number);
	return out;
}

static void a_growing_map_keeps_what_was_put_last(void **state)
{
	(void)state;
	static int values[MANY];
	char name[16];
	struct strmap map = {0};
	assert_null(strmap_get(&map, "key-0", 5));
	assert_null(strmap_del(&map, "key-0", 5));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++) {
			(void)name_of(name, i); /* the map copies it */
			assert_int_equal(strmap_put(&map, name, strlen(name), &values[round == 0 ? 0 : i]), VEER_OK);
		}
	}
	assert_int_equal(map.count, MANY);
	for (int i = 0; i < MANY; i++) {
		(void)name_of(name, i);
		assert_ptr_equal(strmap_get(&map, name, strlen(name)), &values[i]);
	}
	assert_null(strmap_get(&map, "key-", 4));
	assert_null(strmap_get(&map, "key-10000", 9));
	strmap_free(&map);
	assert_null(strmap_get(&map, "key-0", 5));
	assert_int_equal(strmap_put(&map, "again", 5, values), VEER_OK);
	strmap_free(&map);
}

static void keys_are_bytes(void **state)
{
	(void)state;
	int values[3];
	struct strmap map = {0};
	assert_int_equal(strmap_put(&map, "", 0, &values[0]), VEER_OK);
	assert_int_equal(strmap_put(&map, "a\0b", 3, &values[1]), VEER_OK);
	assert_int_equal(strmap_put(&map, "a\0c", 3, &values[2]), VEER_OK);
	assert_ptr_equal(strmap_get(&map, "", 0), &values[0]);
	assert_ptr_equal(strmap_get(&map, "a\0b", 3), &values[1]);
	assert_ptr_equal(strmap_get(&map, "a\0c", 3), &values[2]);
	assert_null(strmap_get(&map, "a", 1));
	strmap_free(&map);
}

static void removed_keys_leave_no_trace(void **state)
{
	(void)state;
	int value;
	char name[16];
	struct strmap map = {0};
	for (int i = 0; i < MANY; i++) {
		(void)name_of(name, i);
		assert_int_equal(strmap_put(&map, name, strlen(name), &value), VEER_OK);
		if (i >= 8) {
			(void)name_of(name, i - 8);
			assert_ptr_equal(strmap_del(&map, name, strlen(name)), &value);
			assert_null(strmap_get(&map, name, strlen(name)));
			assert_null(strmap_del(&map, name, strlen(name)));
		}
	}
	assert_int_equal(map.count, 8);
	assert_in_range(map.size, 1, 64); /* removed keys are swept out, and do not stay in the map */
	for (int i = MANY - 8; i < MANY; i++) {
		(void)name_of(name, i);
		assert_ptr_equal(strmap_get(&map, name, strlen(name)), &value);
	}
	strmap_free(&map);
}

static void a_walk_sees_each_value_once_and_may_remove(void **state)
{
	(void)state;
	static int values[MANY];
	char name[16];
	struct strmap map = {0};
	size_t at = 0;
	for (int i = 0; i < MANY; i++) {
		values[i] = 0;
		(void)name_of(name, i);
		assert_int_equal(strmap_put(&map, name, strlen(name), &values[i]), VEER_OK);
	}
	for (int *value; (value = strmap_next(&map, &at)) != NULL;) {
		assert_int_equal(++*value, 1);
		(void)name_of(name, (int)(value - values));
		(void)strmap_del(&map, name, strlen(name));
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(values[i], 1);
	assert_int_equal(map.count, 0);
	strmap_free(&map);
}

static void a_map_of_a_fixed_size_borrows_its_keys_and_takes_so_many(void **state)
{
	(void)state;
	static char names[MANY + 1][16];
	static const size_t counts[] = {0, 1, 2, 3, 4, 5, 100, 8191, 8192, MANY};
	for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
		struct arena *arena = arena_new(1024 + counts[k] * FIXED_BYTES_MOST);
		struct strmap map;
		assert_int_equal(strmap_init_fixed(&map, arena, counts[k]), VEER_OK);
		assert_int_equal(strmap_get_number(&map, "key-0"), INDEX_NONE);
		for (uint32_t i = 0; i < counts[k]; i++)
			assert_int_equal(strmap_add_number(&map, name_of(names[i], (int)i), i), VEER_OK);
		assert_int_equal(strmap_add_number(&map, name_of(names[counts[k]], MANY), 0), VEER_ELIMIT);
		for (uint32_t i = 0; i < counts[k]; i++)
			assert_int_equal(strmap_get_number(&map, names[i]), i);
		assert_int_equal(strmap_get_number(&map, names[counts[k]]), INDEX_NONE);
		if (counts[k] > 0) {
			names[0][0] = 'K'; /* the key is not a copy */
			assert_int_equal(strmap_get_number(&map, "key-0"), INDEX_NONE);
		}
		strmap_free(&map); /* does not free memory of the arena */
		arena_free(&arena);
	}
}

static void only_a_new_key_gets_a_number(void **state)
{
	(void)state;
	struct arena *arena = arena_new(4096);
	struct strmap fixed, growing = {0};
	assert_int_equal(strmap_init_fixed(&fixed, arena, 2), VEER_OK);
	struct strmap *const maps[] = {&fixed, &growing};
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(strmap_add_number(maps[i], "low", 0), VEER_OK);
		assert_int_equal(strmap_add_number(maps[i], "high", INDEX_NONE - 1), VEER_OK);
		assert_int_equal(strmap_add_number(maps[i], "low", 7), VEER_EEXISTS);
		assert_int_equal(strmap_get_number(maps[i], "low"), 0);
		assert_int_equal(strmap_get_number(maps[i], "high"), INDEX_NONE - 1);
		assert_int_equal(strmap_get_number(maps[i], "none"), INDEX_NONE);
		assert_non_null(strmap_del(maps[i], "low", 3));
		assert_int_equal(strmap_get_number(maps[i], "low"), INDEX_NONE);
		assert_int_equal(maps[i]->count, 1);
		strmap_free(maps[i]);
	}
	arena_free(&arena);
}

static void a_map_that_does_not_fit_into_its_arena_is_refused(void **state)
{
	(void)state;
	struct arena *arena = arena_new(4096);
	struct strmap map;
	assert_int_equal(strmap_init_fixed(&map, arena, 1000), VEER_ENOMEM);
	assert_int_equal(strmap_init_fixed(&map, arena, SIZE_MAX / 2), VEER_ENOMEM);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_growing_map_keeps_what_was_put_last),
		cmocka_unit_test(keys_are_bytes),
		cmocka_unit_test(removed_keys_leave_no_trace),
		cmocka_unit_test(a_walk_sees_each_value_once_and_may_remove),
		cmocka_unit_test(a_map_of_a_fixed_size_borrows_its_keys_and_takes_so_many),
		cmocka_unit_test(only_a_new_key_gets_a_number),
		cmocka_unit_test(a_map_that_does_not_fit_into_its_arena_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
