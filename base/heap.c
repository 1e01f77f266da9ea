/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	HUGE_PAGE = 2 << 20, /* for x86-64, and for arm64 with pages of 4 KiB; elsewhere the advice covers less
			      * memory */
	PIECE = 96 << 10,    /* below M_MMAP_THRESHOLD (mallopt(3)), above which an allocation gets a mapping of its
			      * own */
	PIECES = 64          /* together larger than the free space in the heap of a process that has just started */
};

/* Make the heap grow by M_TOP_PAD: it grows when a piece no longer fits. */
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
		(void)madvise((void *)from, to - from, MADV_HUGEPAGE); /* NOLINT: a computed address */
	return true;
}

void heap_settle(void)
{
	(void)mallopt(M_TOP_PAD, HEAP_TOP_PAD);
}
