/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of zones. See zone_numbers.h. */
#include "zones/dns/zone_numbers.h"

#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "zones/dns/name.h"

struct numbered {
	uint32_t number;
	uint8_t name[NAME_WIRE_MAX];
};

struct zone_numbers {
	struct strmap by_name; /* to struct numbered */
	uint32_t max;
	uint32_t count;
	struct numbered *zones; /* `max` of them, by number */
};

struct zone_numbers *zone_numbers_new(uint32_t max)
{
	struct zone_numbers *n = calloc(1, sizeof *n);
	if (n == NULL)
		return NULL;
	n->max = max;
	n->zones = calloc((size_t)max + 1, sizeof *n->zones);
	if (n->zones == NULL)
		zone_numbers_free(&n);
	return n;
}

void zone_numbers_free(struct zone_numbers **numbers)
{
	if (*numbers == NULL)
		return;
	strmap_free(&(*numbers)->by_name);
	free((*numbers)->zones);
	free(*numbers);
	*numbers = NULL;
}

uint32_t zone_numbers_get(struct zone_numbers *numbers, const uint8_t *name, size_t len)
{
	const struct numbered *known = strmap_get(&numbers->by_name, name, len);
	if (known != NULL)
		return known->number;
	struct numbered *z = &numbers->zones[numbers->count];
	if (numbers->count == numbers->max || len > sizeof z->name)
		return ZONE_NUMBER_NONE;
	z->number = numbers->count;
	memcpy(z->name, name, len);
	if (strmap_put(&numbers->by_name, name, len, z) != VEER_OK)
		return ZONE_NUMBER_NONE;
	return numbers->count++;
}

uint32_t zone_numbers_count(const struct zone_numbers *numbers)
{
	return numbers->count;
}

const uint8_t *zone_numbers_name(const struct zone_numbers *numbers, uint32_t number)
{
	return numbers->zones[number].name;
}
