/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small numbers for a limited number of zones, used as indexes of counters. A zone keeps its number as long as the
 * process lives, even if it is removed meanwhile, so that no counter changes its meaning.
 *
 * Threads: one, that of the plan builders.
 */
#ifndef VEER_ZONES_DNS_ZONE_NUMBERS_H
#define VEER_ZONES_DNS_ZONE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#define ZONE_NUMBER_NONE UINT32_MAX

struct zone_numbers;

/* Numbers for `max` zones. NULL when memory is out. Caller frees, after the builders. */
struct zone_numbers *zone_numbers_new(uint32_t max);
void zone_numbers_free(struct zone_numbers **numbers);

/*
 * The number of a zone (lower-case wire format). A zone without one gets the next number; when none is left, the result
 * is ZONE_NUMBER_NONE.
 */
uint32_t zone_numbers_get(struct zone_numbers *numbers, const uint8_t *name, size_t len);

/* How many numbers are given. */
uint32_t zone_numbers_count(const struct zone_numbers *numbers);
/* The zone with this number (wire format, borrowed); `number` must be one that was given. */
const uint8_t *zone_numbers_name(const struct zone_numbers *numbers, uint32_t number);

#endif
