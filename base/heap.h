/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hint for the allocator before much is allocated. A page fault costs about as much as filling the page it brings:
 * who fills some hundred megabytes from many small pieces, as a name server does with its saved plan, spends a third of
 * the time in faults. In huge pages there are 512 times fewer.
 */
#ifndef VEER_BASE_HEAP_H
#define VEER_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#define HEAP_EXPECT_MIN ((size_t)64 << 20) /* less than this is not worth it, and a small process stays small */
#define HEAP_EXPECT_MAX ((size_t)1 << 30)  /* what is reserved at once, at most */
#define HEAP_TOP_PAD (1 << 20)             /* by how much a daemon's heap grows otherwise, bytes (M_TOP_PAD) */

/*
 * About `bytes` are going to be allocated in small pieces by the calling thread, which must be the one that runs main()
 * (other threads have heaps of their own). Address space for them is reserved, and the kernel asked to back it with
 * huge pages when it is written to (madvise(2), MADV_HUGEPAGE); what is never written to takes no memory.
 *
 * Only a hint: where the allocator is another one (sanitizers), the kernel has no huge pages, or memory is short,
 * nothing happens. Less than HEAP_EXPECT_MIN is ignored.
 * True: heap_settle() must follow when they are allocated. The allocator's thresholds no longer adapt themselves then
 * (mallopt(3)).
 */
bool heap_expect(size_t bytes);
/* What was expected has come; address space that is left over may go back to the system at the next large release. */
void heap_settle(void);

#endif
