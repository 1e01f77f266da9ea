/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	HUGE_PAGE = 2 << 20, /* of x86-64 and of arm64 with pages of 4 KiB; elsewhere the advice covers less */
	PIECE = 96 << 10,    /* below the allocator's threshold for mappings of their own (mallopt(3)) */
	PIECES = 64          /* together more than a young process has free before its heap must grow */
};

/* Let the heap grow by what M_TOP_PAD says: it does when a piece no longer fits. */
static void grow(const char *end)
{
	void *pieces[PIECES] = {NULL};
	for (int i = 0; i < PIECES && (const char *)sbrk(0) == end; i++)
		pieces[i] = malloc(PIECE);
	for (int i = 0; i < PIECES; i++)
		free(pieces[i]);
}

bool heap_expect(size_t bytes)
{
	if (bytes < HEAP_EXPECT_MIN)
		return false;
	bytes = bytes < HEAP_EXPECT_MAX ? bytes : HEAP_EXPECT_MAX;
	const char *before = sbrk(0);
	if (mallopt(M_TOP_PAD, (int)bytes) != 1)
		return false;
	grow(before);
	uintptr_t from = ((uintptr_t)before + HUGE_PAGE - 1) & ~((uintptr_t)HUGE_PAGE - 1);
	uintptr_t to = (uintptr_t)sbrk(0) & ~((uintptr_t)HUGE_PAGE - 1);
	if (from < to)
		(void)madvise((void *)from, to - from, MADV_HUGEPAGE); /* NOLINT: an address, computed */
	return true;
}

void heap_settle(void)
{
	(void)mallopt(M_TOP_PAD, HEAP_TOP_PAD);
}
