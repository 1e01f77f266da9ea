/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN_BYTES 4096
#define BLOCK_MAX_BYTES ((size_t)1 << 20)

/* One piece of memory from the system; the content follows the header. Newest first in the arena's list. */
struct block {
	struct block *next;
	size_t size; /* bytes of content */
	size_t used;
	alignas(max_align_t) unsigned char data[];
};

struct arena {
	struct block *blocks;    /* newest first; a reset keeps the last one */
	size_t limit_bytes;      /* of used_bytes */
	size_t used_bytes;       /* taken from the system */
	size_t next_block_bytes; /* preferred size of the next block; it doubles, so that many small pieces need few
				  * blocks */
};

struct arena *arena_new(size_t limit_bytes)
{
	struct arena *arena = calloc(1, sizeof *arena);
	if (arena == NULL)
		return NULL;
	arena->limit_bytes = limit_bytes;
	arena->used_bytes = sizeof *arena;
	arena->next_block_bytes = BLOCK_MIN_BYTES;
	return arena;
}

static void free_blocks_until(struct arena *arena, const struct block *last)
{
	while (arena->blocks != last) {
		struct block *dead = arena->blocks;
		arena->blocks = dead->next;
		arena->used_bytes -= sizeof *dead + dead->size;
		free(dead);
	}
}

void arena_free(struct arena **arena)
{
	if (*arena == NULL)
		return;
	free_blocks_until(*arena, NULL);
	free(*arena);
	*arena = NULL;
}

/* Add a block with room for `need` bytes of content, of the preferred size where the limit allows. */
static struct block *block_add(struct arena *arena, size_t need)
{
	if (arena->used_bytes >= arena->limit_bytes)
		return NULL;
	size_t left = arena->limit_bytes - arena->used_bytes;
	if (left <= sizeof(struct block) || need > left - sizeof(struct block))
		return NULL;
	size_t size = arena->next_block_bytes - sizeof(struct block);
	if (size > left - sizeof(struct block))
		size = left - sizeof(struct block);
	if (size < need)
		size = need;
	struct block *block = malloc(sizeof *block + size);
	if (block == NULL)
		return NULL;
	block->size = size;
	block->used = 0;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->used_bytes += sizeof *block + size;
	if (arena->next_block_bytes < BLOCK_MAX_BYTES)
		arena->next_block_bytes *= 2;
	return block;
}

/* Take raw space. Sizes are rounded up so that the next piece is aligned too; zero bytes still get an address. */
static void *take(struct arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	if (size > SIZE_MAX / 2)
		return NULL;
	size = size == 0 ? align : (size + align - 1) / align * align;
	struct block *block = arena->blocks;
	if (block == NULL || block->size - block->used < size) {
		block = block_add(arena, size);
		if (block == NULL)
			return NULL;
	}
	void *out = block->data + block->used;
	block->used += size;
	return out;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *out = take(arena, size);
	if (out != NULL)
		memset(out, 0, size);
	return out;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
	size_t total = 0;
	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return arena_alloc(arena, total);
}

void *arena_dup(struct arena *arena, const void *data, size_t len)
{
	void *out = take(arena, len);
	if (out != NULL && len > 0)
		memcpy(out, data, len);
	return out;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_dup(arena, text, strlen(text) + 1);
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return NULL;
	char *out = take(arena, (size_t)len + 1);
	if (out == NULL)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(out, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return out;
}

void arena_reset(struct arena *arena)
{
	struct block *first = arena->blocks;
	while (first != NULL && first->next != NULL)
		first = first->next;
	free_blocks_until(arena, first);
	if (first != NULL)
		first->used = 0;
	arena->next_block_bytes = BLOCK_MIN_BYTES;
}
