/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding things by name or number in tables that are built once: a map from strings to indices, and rising arrays.
 *
 * Threads: a finished map may be read by all.
 */
#ifndef VEER_BASE_INDEX_H
#define VEER_BASE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define INDEX_NONE UINT32_MAX /* no index */

#define INDEX_HASH_SEED 0xcbf29ce484222325u
/* FNV-1a over the text and, with `seed` from an earlier call, over what came before. Start with INDEX_HASH_SEED. */
uint64_t index_hash(uint64_t seed, const char *text);

/* From strings to indices, by open addressing. Keys come from administrators, so the hash is not keyed. */
struct index_map {
	const char **keys;
	uint32_t *values;
	uint32_t size; /* a power of two, at least twice the count */
};

/* Room for `count` keys in `arena`. Errors: VEER_ENOMEM. */
VEER_MUST_CHECK enum veer_err index_map_init(struct index_map *map, struct arena *arena, uint32_t count);
/* `key` is borrowed. False when it is there already. Never more keys than the room made. */
bool index_map_put(struct index_map *map, const char *key, uint32_t value);
/* INDEX_NONE when it is not there. */
uint32_t index_map_get(const struct index_map *map, const char *key);

/* Where `value` is in the rising array, or INDEX_NONE. */
uint32_t index_find(const uint32_t *array, uint32_t count, uint32_t value);

#endif
