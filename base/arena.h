/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory with one lifetime: allocated piece by piece, released all at once.
 *
 * Threads: one arena belongs to one thread at a time. A closed arena may be read by all.
 */
#ifndef VEER_BASE_ARENA_H
#define VEER_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* A new, empty arena that refuses to grow beyond `limit_bytes` in all. NULL when memory is out. Caller frees. */
struct arena *arena_new(size_t limit_bytes);

/* Release the arena and everything in it; sets the caller's pointer to NULL. `*arena` may be NULL. */
void arena_free(struct arena **arena);

/*
 * `size` zeroed bytes, aligned for any type, living as long as the arena; NULL beyond the limit or when memory is out.
 */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((warn_unused_result));

/* `count` zeroed elements of `size` bytes; NULL also when the product overflows. */
void *arena_calloc(struct arena *arena, size_t count, size_t size) __attribute__((warn_unused_result));

/* A copy of `len` bytes. */
void *arena_dup(struct arena *arena, const void *data, size_t len) __attribute__((warn_unused_result));

/* A NUL-terminated copy of `text`. */
char *arena_strdup(struct arena *arena, const char *text) __attribute__((warn_unused_result));

/* printf into the arena; NULL when it does not fit. */
char *arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((warn_unused_result, format(printf, 2, 3)));

/* Forget everything but keep the first block, for per-request scratch. Pointers into the arena become invalid. */
void arena_reset(struct arena *arena);

#endif
