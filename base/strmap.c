/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing. See strmap.h. */
#include "base/strmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

#define SIZE_FIRST 16

/* Small, because a map of a fixed size has one for each of thousands of endpoints. */
struct strmap_slot {
	uint32_t hash;
	uint32_t len;
	const uint8_t *key; /* NULL: never used, or (value TOMBSTONE) removed */
	void *value;
};

static const char tombstone; /* only its address is used */
#define TOMBSTONE ((void *)(uintptr_t)&tombstone)

/* How many slots may be used: never all, so that each search ends. */
static size_t used_most(size_t size)
{
	return size * 3 / 4;
}

/* The first slot for a hash: the hash as a part of 2^32, so that any size will do. */
static size_t slot_first(const struct strmap *map, uint32_t hash)
{
	return (size_t)((uint64_t)hash * map->size >> 32);
}

static size_t slot_after(const struct strmap *map, size_t at)
{
	return at + 1 < map->size ? at + 1 : 0;
}

static struct strmap_slot *find(const struct strmap *map, uint32_t hash, const void *key, size_t len)
{
	if (map->size == 0)
		return NULL;
	for (size_t i = slot_first(map, hash);; i = slot_after(map, i)) {
		struct strmap_slot *s = &map->slots[i];
		if (s->key == NULL && s->value == NULL)
			return NULL;
		if (s->key != NULL && s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
			return s;
	}
}

/* A slot for a key that is not there; there is one. */
static struct strmap_slot *find_free(const struct strmap *map, uint32_t hash)
{
	size_t at = slot_first(map, hash);
	while (map->slots[at].key != NULL)
		at = slot_after(map, at);
	return &map->slots[at];
}

static uint32_t hash_of(const struct strmap *map, const void *key, size_t len)
{
	return (uint32_t)crypto_siphash13(map->secret, key, len);
}

/* The slots are the caller's until then. */
static enum veer_err set_slots(struct strmap *map, struct strmap_slot *slots, size_t size)
{
	if (map->size == 0 && crypto_random(map->secret, sizeof map->secret) != VEER_OK)
		return VEER_ENOMEM;
	const struct strmap before = *map;
	map->slots = slots;
	map->size = size;
	map->used = map->count;
	for (size_t i = 0; i < before.size; i++) {
		if (before.slots[i].key != NULL)
			*find_free(map, before.slots[i].hash) = before.slots[i];
	}
	free(before.slots);
	return VEER_OK;
}

static enum veer_err make_room(struct strmap *map)
{
	if (map->used < used_most(map->size))
		return VEER_OK;
	if (map->is_fixed)
		return VEER_ELIMIT;
	size_t size = map->size == 0 ? SIZE_FIRST : map->size;
	if (map->size > 0 && map->count >= map->size / 4)
		size *= 2; /* else removed keys fill it: the same size again */
	struct strmap_slot *slots = calloc(size, sizeof *slots);
	enum veer_err err = slots != NULL ? set_slots(map, slots, size) : VEER_ENOMEM;
	if (err != VEER_OK)
		free(slots);
	return err;
}

enum veer_err strmap_init_fixed(struct strmap *map, struct arena *arena, size_t count)
{
	size_t size = count + count / 3 + 1;
	struct strmap_slot *slots = arena_calloc(arena, size, sizeof *slots);
	*map = (struct strmap){.is_fixed = true};
	return slots != NULL ? set_slots(map, slots, size) : VEER_ENOMEM;
}

void *strmap_get(const struct strmap *map, const void *key, size_t len)
{
	const struct strmap_slot *s = find(map, hash_of(map, key, len), key, len);
	return s != NULL ? s->value : NULL;
}

/* A new key. */
static enum veer_err insert(struct strmap *map, uint32_t hash, const void *key, size_t len, void *value)
{
	const uint8_t *kept = key;
	if (!map->is_fixed) {
		uint8_t *copy = malloc(len + 1);
		if (copy == NULL)
			return VEER_ENOMEM;
		memcpy(copy, key, len);
		kept = copy;
	}
	struct strmap_slot *s = find_free(map, hash);
	map->used += s->value == NULL;
	*s = (struct strmap_slot){.hash = hash, .len = (uint32_t)len, .key = kept, .value = value};
	map->count++;
	return VEER_OK;
}

static enum veer_err set(struct strmap *map, const void *key, size_t len, void *value, bool is_to_be_new)
{
	/* the secret exists from the first slots on, so they must come before hashing */
	enum veer_err err = map->size == 0 ? make_room(map) : VEER_OK;
	if (err != VEER_OK)
		return err;
	uint32_t hash = hash_of(map, key, len);
	struct strmap_slot *s = find(map, hash, key, len);
	if (s == NULL) {
		err = len > UINT32_MAX ? VEER_ELIMIT : make_room(map);
		return err != VEER_OK ? err : insert(map, hash, key, len, value);
	}
	if (is_to_be_new)
		return VEER_EEXISTS;
	s->value = value;
	return VEER_OK;
}

enum veer_err strmap_put(struct strmap *map, const void *key, size_t len, void *value)
{
	return set(map, key, len, value, false);
}

/* A number is kept as a pointer that is one higher, because NULL is none. */

uint32_t strmap_get_number(const struct strmap *map, const char *key)
{
	uintptr_t value = (uintptr_t)strmap_get(map, key, strlen(key));
	return value != 0 ? (uint32_t)(value - 1) : INDEX_NONE;
}

enum veer_err strmap_add_number(struct strmap *map, const char *key, uint32_t number)
{
	return set(map, key, strlen(key), (void *)((uintptr_t)number + 1), true);
}

static void key_free(const struct strmap *map, const struct strmap_slot *slot)
{
	if (!map->is_fixed)
		free((void *)(uintptr_t)slot->key);
}

void *strmap_del(struct strmap *map, const void *key, size_t len)
{
	struct strmap_slot *s = find(map, hash_of(map, key, len), key, len);
	if (s == NULL)
		return NULL;
	void *value = s->value;
	key_free(map, s);
	*s = (struct strmap_slot){.value = TOMBSTONE};
	map->count--;
	return value;
}

void *strmap_next(const struct strmap *map, size_t *at)
{
	while (*at < map->size) {
		const struct strmap_slot *s = &map->slots[(*at)++];
		if (s->key != NULL)
			return s->value;
	}
	return NULL;
}

void strmap_free(struct strmap *map)
{
	for (size_t i = 0; i < map->size; i++)
		key_free(map, &map->slots[i]);
	if (!map->is_fixed)
		free(map->slots);
	*map = (struct strmap){0};
}
