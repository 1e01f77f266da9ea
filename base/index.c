/* SPDX-License-Identifier: Apache-2.0 */
#include "base/index.h"

#include <string.h>

uint64_t index_hash(uint64_t seed, const char *text)
{
	uint64_t hash = seed;
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		hash = (hash ^ *p) * 0x100000001b3u;
	return (hash ^ 0xff) * 0x100000001b3u; /* the end counts: "a","bc" is not "ab","c" */
}

enum veer_err index_map_init(struct index_map *map, struct arena *arena, uint32_t count)
{
	uint32_t size = 4;
	while (size / 2 < count)
		size *= 2;
	map->size = size;
	map->keys = arena_calloc(arena, size, sizeof *map->keys);
	map->values = arena_calloc(arena, size, sizeof *map->values);
	return map->keys == NULL || map->values == NULL ? VEER_ENOMEM : VEER_OK;
}

static uint32_t slot_of(const struct index_map *map, const char *key)
{
	uint32_t slot = (uint32_t)index_hash(INDEX_HASH_SEED, key) & (map->size - 1);
	while (map->keys[slot] != NULL && strcmp(map->keys[slot], key) != 0)
		slot = (slot + 1) & (map->size - 1);
	return slot;
}

bool index_map_put(struct index_map *map, const char *key, uint32_t value)
{
	uint32_t slot = slot_of(map, key);
	if (map->keys[slot] != NULL)
		return false;
	map->keys[slot] = key;
	map->values[slot] = value;
	return true;
}

uint32_t index_map_get(const struct index_map *map, const char *key)
{
	uint32_t slot = slot_of(map, key);
	return map->keys[slot] == NULL ? INDEX_NONE : map->values[slot];
}

uint32_t index_find(const uint32_t *array, uint32_t count, uint32_t value)
{
	uint32_t low = 0;
	uint32_t high = count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (array[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && array[low] == value ? low : INDEX_NONE;
}
