/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hint for the allocator before much is allocated. A page fault costs about as much as filling the page that it
 * brings. A process that fills some hundred megabytes with many small pieces, as a name server does with its saved
 * plan, spends a third of the time in page faults. With huge pages there are 512 times fewer faults.
 */
#ifndef VEER_BASE_HEAP_H
#define VEER_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#define HEAP_EXPECT_MIN ((size_t)64 << 20) /* less than this is not worth it, and a small process stays small */
#define HEAP_EXPECT_MAX ((size_t)1 << 30)  /* the most that is reserved at once */
#define HEAP_TOP_PAD (1 << 20)             /* bytes by which a daemon's heap grows otherwise (M_TOP_PAD) */

/*
 * Announce that about `bytes` will be allocated in small pieces by the calling thread, which must be the one that runs
 * main() (other threads have heaps of their own). Address space for them is reserved, and the kernel is asked to back
 * it with huge pages when it is written to (madvise(2), MADV_HUGEPAGE). Address space that is never written to takes no
 * memory.
 *
 * This is only a hint: if the allocator is another one (sanitizers), the kernel has no huge pages, or memory is short,
 * nothing happens. Less than HEAP_EXPECT_MIN is ignored.
 * Returns true if the caller must call heap_settle() once the pieces are allocated. After that the allocator's
 * thresholds no longer adapt themselves (mallopt(3)).
 */
bool heap_expect(size_t bytes);
/*
 * End what heap_expect() began: the pieces are allocated, and unused address space may go back to the system at the
 * next large release.
 */
void heap_settle(void);

#endif
