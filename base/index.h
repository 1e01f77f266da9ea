/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for texts that are the same in every process, and places in rising arrays.
 *
 * Threads: pure functions.
 */
#ifndef VEER_BASE_INDEX_H
#define VEER_BASE_INDEX_H

#include <stdint.h>

#define INDEX_NONE UINT32_MAX /* no index */

#define INDEX_HASH_SEED 0xcbf29ce484222325u
/* FNV-1a over the text and, with `seed` from an earlier call, over what came before. Start with INDEX_HASH_SEED. */
uint64_t index_hash(uint64_t seed, const char *text);

/* Where `value` is in the rising array, or INDEX_NONE. */
uint32_t index_find(const uint32_t *array, uint32_t count, uint32_t value);

#endif
