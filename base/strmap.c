/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing. See strmap.h. */
#include "base/strmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

struct strmap_slot {
	uint64_t hash;
	uint8_t *key; /* NULL: never used, or (value TOMBSTONE) removed */
	size_t len;
	void *value;
};

static const char tombstone; /* only its address is used */
#define TOMBSTONE ((void *)(uintptr_t)&tombstone)

static struct strmap_slot *find(const struct strmap *map, uint64_t hash, const void *key, size_t len)
{
	if (map->size == 0)
		return NULL;
	for (size_t i = hash & (map->size - 1);; i = (i + 1) & (map->size - 1)) {
		struct strmap_slot *s = &map->slots[i];
		if (s->key == NULL && s->value == NULL)
			return NULL;
		if (s->key != NULL && s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
			return s;
	}
}

static uint64_t hash_of(const struct strmap *map, const void *key, size_t len)
{
	return crypto_siphash13(map->secret, key, len);
}

void *strmap_get(const struct strmap *map, const void *key, size_t len)
{
	const struct strmap_slot *s = find(map, hash_of(map, key, len), key, len);
	return s != NULL ? s->value : NULL;
}

static enum veer_err resize(struct strmap *map, size_t size)
{
	struct strmap_slot *slots = calloc(size, sizeof *slots);
	if (slots == NULL)
		return VEER_ENOMEM;
	if (map->size == 0 && crypto_random(map->secret, sizeof map->secret) != VEER_OK) {
		free(slots);
		return VEER_ENOMEM;
	}
	for (size_t i = 0; i < map->size; i++) {
		const struct strmap_slot *old = &map->slots[i];
		if (old->key == NULL)
			continue;
		size_t at = old->hash & (size - 1);
		while (slots[at].key != NULL)
			at = (at + 1) & (size - 1);
		slots[at] = *old;
	}
	free(map->slots);
	map->slots = slots;
	map->size = size;
	map->used = map->count;
	return VEER_OK;
}

enum veer_err strmap_put(struct strmap *map, const void *key, size_t len, void *value)
{
	/* the secret exists from the first resize on, so that must come before hashing */
	if (map->used + 1 > map->size / 4 * 3) {
		size_t size = map->size == 0 ? 16 : map->size;
		if (map->count * 4 >= map->size)
			size *= map->size == 0 ? 1 : 2; /* else removed keys fill it: the same size again */
		enum veer_err err = resize(map, size);
		if (err != VEER_OK)
			return err;
	}
	uint64_t hash = hash_of(map, key, len);
	struct strmap_slot *s = find(map, hash, key, len);
	if (s != NULL) {
		s->value = value;
		return VEER_OK;
	}
	uint8_t *copy = malloc(len + 1);
	if (copy == NULL)
		return VEER_ENOMEM;
	memcpy(copy, key, len);
	size_t at = hash & (map->size - 1);
	while (map->slots[at].key != NULL)
		at = (at + 1) & (map->size - 1);
	map->used += map->slots[at].value == NULL;
	map->slots[at] = (struct strmap_slot){.hash = hash, .key = copy, .len = len, .value = value};
	map->count++;
	return VEER_OK;
}

void *strmap_del(struct strmap *map, const void *key, size_t len)
{
	struct strmap_slot *s = find(map, hash_of(map, key, len), key, len);
	if (s == NULL)
		return NULL;
	void *value = s->value;
	free(s->key);
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
		free(map->slots[i].key);
	free(map->slots);
	*map = (struct strmap){0};
}
