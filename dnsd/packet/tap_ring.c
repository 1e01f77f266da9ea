/* SPDX-License-Identifier: Apache-2.0 */
/* A ring for queries. See tap_ring.h. */
#include "dnsd/packet/tap_ring.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64

/*
 * Positions only rise; their place in `bytes` is the position modulo the size. Each side's variables have a cache line
 * of their own.
 */
struct tap_ring {
	alignas(CACHE_LINE) _Atomic uint64_t written; /* the writer's */
	_Atomic uint64_t lost;
	uint64_t known_taken;                       /* the reader's position when the writer last looked */
	alignas(CACHE_LINE) _Atomic uint64_t taken; /* the reader's */
	alignas(CACHE_LINE) uint8_t bytes[TAP_RING_BYTES];
};

struct tap_ring *tap_ring_new(void)
{
	struct tap_ring *r = aligned_alloc(CACHE_LINE, sizeof *r);
	if (r == NULL)
		return NULL;
	atomic_init(&r->written, 0);
	atomic_init(&r->lost, 0);
	atomic_init(&r->taken, 0);
	r->known_taken = 0;
	return r;
}

void tap_ring_free(struct tap_ring **ring)
{
	free(*ring);
	*ring = NULL;
}

static void copy_in(struct tap_ring *r, uint64_t at, const void *data, size_t len)
{
	size_t place = at % TAP_RING_BYTES;
	size_t first = len < TAP_RING_BYTES - place ? len : TAP_RING_BYTES - place;
	memcpy(r->bytes + place, data, first);
	memcpy(r->bytes, (const uint8_t *)data + first, len - first);
}

static void copy_out(const struct tap_ring *r, uint64_t at, void *data, size_t len)
{
	size_t place = at % TAP_RING_BYTES;
	size_t first = len < TAP_RING_BYTES - place ? len : TAP_RING_BYTES - place;
	memcpy(data, r->bytes + place, first);
	memcpy((uint8_t *)data + first, r->bytes, len - first);
}

static bool has_room(struct tap_ring *r, uint64_t written, size_t len)
{
	if (written + len - r->known_taken <= TAP_RING_BYTES)
		return true;
	/* acquire: the reader has finished copying the bytes before `taken`, so they may be overwritten */
	r->known_taken = atomic_load_explicit(&r->taken, memory_order_acquire);
	return written + len - r->known_taken <= TAP_RING_BYTES;
}

bool tap_ring_put(struct tap_ring *ring, const struct tap_record *record, const uint8_t *query, const uint8_t *reply)
{
	uint64_t at = atomic_load_explicit(&ring->written, memory_order_relaxed);
	size_t len = sizeof *record + record->query_len + record->reply_len;
	if ((size_t)record->query_len + record->reply_len > TAP_MESSAGES_MAX || !has_room(ring, at, len)) {
		uint64_t lost = atomic_load_explicit(&ring->lost, memory_order_relaxed);
		atomic_store_explicit(&ring->lost, lost + 1, memory_order_relaxed);
		return false;
	}
	copy_in(ring, at, record, sizeof *record);
	copy_in(ring, at + sizeof *record, query, record->query_len);
	copy_in(ring, at + sizeof *record + record->query_len, reply, record->reply_len);
	/* release: the bytes become visible before the position */
	atomic_store_explicit(&ring->written, at + len, memory_order_release);
	return true;
}

bool tap_ring_take(struct tap_ring *ring, struct tap_record *record, uint8_t *messages)
{
	uint64_t at = atomic_load_explicit(&ring->taken, memory_order_relaxed);
	/* acquire: the bytes up to the position are visible */
	if (at == atomic_load_explicit(&ring->written, memory_order_acquire))
		return false;
	copy_out(ring, at, record, sizeof *record);
	size_t len = (size_t)record->query_len + record->reply_len;
	copy_out(ring, at + sizeof *record, messages, len);
	/* release: the bytes were copied before the position moves */
	atomic_store_explicit(&ring->taken, at + sizeof *record + len, memory_order_release);
	return true;
}

uint64_t tap_ring_lost(const struct tap_ring *ring)
{
	return atomic_load_explicit(&ring->lost, memory_order_relaxed);
}
