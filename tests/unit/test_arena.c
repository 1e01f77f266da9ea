/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
size_t __sanitizer_get_current_allocated_bytes(void);
#define HEAP_ROUNDING 4096 /* rounding by the sanitizer's allocator, for the few blocks of an arena */
static size_t heap_bytes(void)
{
	return __sanitizer_get_current_allocated_bytes();
}
#else
#define HEAP_ROUNDING 256 /* rounding by the C library's allocator */
/* The bytes that are allocated in this process. */
static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}
#endif

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1 << 20);
	unsigned char *before = NULL;
	for (size_t size = 0; size < 300; size++) {
		unsigned char *p = arena_alloc(arena, size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		assert_true(p != before);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xaa, size);
		before = p;
	}
	arena_free(&arena);
	assert_null(arena);
	arena_free(&arena);
}

static void copies_hold_what_was_copied(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1 << 20);
	assert_memory_equal(arena_dup(arena, "a\0b", 3), "a\0b", 3);
	assert_non_null(arena_dup(arena, NULL, 0));
	assert_string_equal(arena_strdup(arena, ""), "");
	assert_string_equal(arena_strdup(arena, "word"), "word");
	assert_string_equal(arena_printf(arena, "%s-%d", "x", 42), "x-42");
	assert_string_equal(arena_printf(arena, "%s", ""), "");
	arena_free(&arena);
}

static void large_pieces_have_blocks_of_their_own(void **state)
{
	(void)state;
	struct arena *arena = arena_new((size_t)64 << 20);
	char *large = arena_alloc(arena, (size_t)8 << 20);
	assert_non_null(large);
	memset(large, 1, (size_t)8 << 20);
	assert_non_null(arena_alloc(arena, 1));
	int more = 0; /* each counts with all of its memory, so the eighth is beyond the limit */
	while (arena_alloc(arena, (size_t)8 << 20) != NULL)
		more++;
	assert_int_equal(more, 6);
	arena_free(&arena);
}

static void growth_stops_at_the_limit(void **state)
{
	(void)state;
	const size_t limits[] = {0, 1, 100, 4096, 5000, 100000};
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		size_t before = heap_bytes();
		struct arena *arena = arena_new(limits[i]);
		size_t total = 0;
		while (arena_alloc(arena, 100) != NULL)
			total += 100;
		assert_true(total <= limits[i]);
		assert_true(limits[i] < 4096 || total > limits[i] / 2);
		assert_null(arena_alloc(arena, limits[i] + 1));
		assert_true(limits[i] < 4096 || heap_bytes() - before <= limits[i] + HEAP_ROUNDING);
		arena_free(&arena);
	}
}

static void overflowing_products_are_refused(void **state)
{
	(void)state;
	struct arena *arena = arena_new(SIZE_MAX);
	assert_null(arena_calloc(arena, SIZE_MAX / 2, 3));
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_null(arena_alloc(arena, SIZE_MAX - 8));
	assert_non_null(arena_calloc(arena, 0, 8));
	assert_non_null(arena_calloc(arena, 10, 8));
	arena_free(&arena);
}

static void reset_keeps_the_first_block_only(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1 << 20);
	arena_reset(arena);
	char *first = arena_alloc(arena, 64);
	size_t used = heap_bytes();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 1000; i++)
			assert_non_null(arena_alloc(arena, 64));
		assert_true(heap_bytes() > used);
		arena_reset(arena);
		assert_int_equal(heap_bytes(), used);
		char *again = arena_alloc(arena, 64);
		assert_ptr_equal(again, first);
		assert_int_equal(again[0], 0);
		again[0] = 'x';
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(copies_hold_what_was_copied),
		cmocka_unit_test(large_pieces_have_blocks_of_their_own),
		cmocka_unit_test(growth_stops_at_the_limit),
		cmocka_unit_test(overflowing_products_are_refused),
		cmocka_unit_test(reset_keeps_the_first_block_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
