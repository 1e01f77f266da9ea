/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from byte strings to pointers or small numbers, hashed with a secret key (contents may come from outside).
 * There are two kinds of one map: a zeroed one grows, copies its keys and is freed; one of a fixed size lives in an
 * arena, borrows its keys and is released with the arena.
 *
 * What is got depends on neither the secret nor the order of the slots; the order of strmap_next() does.
 *
 * Threads: a map belongs to one thread; one that is not changed any more may be read by all. It does not own its
 * values.
 */
#ifndef VEER_BASE_STRMAP_H
#define VEER_BASE_STRMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/index.h"

struct strmap_slot;

/* In the caller's memory; zero it before first use, or let strmap_init_fixed() begin it. */
struct strmap {
	struct strmap_slot *slots;
	size_t size;  /* slots; 0 before the first key */
	size_t count; /* keys present */
	size_t used;  /* slots with a key or the mark of a removed one */
	bool is_fixed;
	uint8_t secret[16];
};

/*
 * Begin a map of a fixed size: room for `count` keys, removed ones included, in `arena`. Its keys are borrowed, and
 * strmap_free() is not needed. Errors: VEER_ENOMEM.
 */
VEER_MUST_CHECK enum veer_err strmap_init_fixed(struct strmap *map, struct arena *arena, size_t count);

/* The value of a key, or NULL. */
void *strmap_get(const struct strmap *map, const void *key, size_t len);

/*
 * Set a key to a value that is not NULL. A new key is copied, or borrowed by a map of a fixed size.
 * Errors: VEER_ENOMEM; VEER_ELIMIT (a map of a fixed size is full, or a key of 4 GiB). The map is as it was.
 */
VEER_MUST_CHECK enum veer_err strmap_put(struct strmap *map, const void *key, size_t len, void *value);

/* Numbers below INDEX_NONE as the values of texts: a map has either these or pointers. */

/* INDEX_NONE when the key is not there. */
uint32_t strmap_get_number(const struct strmap *map, const char *key);
/*
 * Only a new key gets the number. Errors: VEER_EEXISTS, and those of strmap_put(), of which a map of a fixed size with
 * room for all has none. The map is as it was.
 */
enum veer_err strmap_add_number(struct strmap *map, const char *key, uint32_t number);

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
