/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/heap.h"

enum { PIECE = 200, EXPECTED = 96 << 20 };

/* Is the allocator that of the C library? Sanitizers bring their own, which ignores hints. */
static bool heap_is_ours(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return true;
#endif
}

/* KiB of the mapping at `address` for which the kernel was asked for huge pages; 0: none. */
static unsigned long advised_kb(uintptr_t address)
{
	char line[512];
	unsigned long from, to, size = 0;
	bool is_inside = false;
	FILE *maps = fopen("/proc/self/smaps", "r");
	assert_non_null(maps);
	while (fgets(line, sizeof line, maps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			is_inside = from <= address && address < to;
		else if (is_inside && strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " hg") != NULL)
			size = (to - from) / 1024;
	}
	assert_int_equal(fclose(maps), 0);
	return size;
}

static void little_is_not_worth_it(void **state)
{
	(void)state;
	const void *before = sbrk(0);
	assert_false(heap_expect(HEAP_EXPECT_MIN - 1));
	assert_ptr_equal(sbrk(0), before);
}

/* The expected memory is there at once, in huge pages, and later allocations do not ask the kernel again. */
static void much_comes_at_once(void **state)
{
	(void)state;
	if (!heap_is_ours())
		skip();
	uintptr_t before = (uintptr_t)sbrk(0);
	assert_true(heap_expect(EXPECTED));
	uintptr_t after = (uintptr_t)sbrk(0);
	assert_true(after - before >= EXPECTED - (1 << 20));
	if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) == 0)
		assert_true(advised_kb(before + EXPECTED / 2) >= (EXPECTED - (4 << 20)) / 1024);

	size_t count = EXPECTED / 2 / PIECE;
	void **pieces = calloc(count, sizeof *pieces);
	assert_non_null(pieces);
	for (size_t i = 0; i < count; i++) {
		pieces[i] = malloc(PIECE);
		assert_non_null(pieces[i]);
		assert_true((uintptr_t)pieces[i] < after);
	}
	assert_int_equal((uintptr_t)sbrk(0), after);
	heap_settle();
	for (size_t i = 0; i < count; i++)
		free(pieces[i]);
	free(pieces);
	after = (uintptr_t)sbrk(0);
	assert_true(after < before + EXPECTED); /* and it is given back */
	/* from here on the heap grows as it does in every daemon */
	while ((uintptr_t)sbrk(0) == after)
		assert_non_null(malloc(PIECE)); /* NOLINT: the process ends */
	assert_true((uintptr_t)sbrk(0) - after >= HEAP_TOP_PAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(little_is_not_worth_it),
		cmocka_unit_test(much_comes_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
