/* SPDX-License-Identifier: Apache-2.0 */
#include "base/index.h"

uint64_t index_hash(uint64_t seed, const char *text)
{
	uint64_t hash = seed;
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		hash = (hash ^ *p) * 0x100000001b3u;
	return (hash ^ 0xff) * 0x100000001b3u; /* the end counts: "a","bc" is not "ab","c" */
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
