/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from byte strings to pointers, hashed with a secret key (contents may come from outside).
 *
 * Threads: a map belongs to one thread. It does not own its values.
 */
#ifndef VEER_BASE_STRMAP_H
#define VEER_BASE_STRMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct strmap_slot;

/* In the caller's memory; zero it before first use. */
struct strmap {
	struct strmap_slot *slots;
	size_t size;  /* slots: 0 or a power of two */
	size_t count; /* keys present */
	size_t used;  /* slots with a key or the mark of a removed one */
	uint8_t secret[16];
};

/* The value of a key, or NULL. */
void *strmap_get(const struct strmap *map, const void *key, size_t len);

/* Set a key (copied) to a value that is not NULL. Errors: VEER_ENOMEM, the map unchanged. */
VEER_MUST_CHECK enum veer_err strmap_put(struct strmap *map, const void *key, size_t len, void *value);

/* Remove a key; returns the value it had, or NULL. */
void *strmap_del(struct strmap *map, const void *key, size_t len);

/*
 * Walk all values: `*at` starts at 0; NULL at the end. The map must not be changed meanwhile, but that keys may be
 * removed: it goes on behind them.
 */
void *strmap_next(const struct strmap *map, size_t *at);

/* Release keys and table; the map is empty and usable. */
void strmap_free(struct strmap *map);

#endif
