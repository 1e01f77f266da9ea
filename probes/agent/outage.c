/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/outage.h"

#include <string.h>

static void add_different(const char **texts, uint32_t *count, uint32_t max, const char *text)
{
	for (uint32_t i = 0; i < *count; i++)
		if (strcmp(texts[i], text) == 0)
			return;
	if (*count < max)
		texts[(*count)++] = text;
}

void outage_add(struct outage *outage, const struct outage_item *item)
{
	if (!item->is_failing || outage->now_ms - item->failing_ms > item->interval_ms)
		outage->is_partial = true;
	add_different(outage->endpoints, &outage->endpoint_count, OUTAGE_ENDPOINTS_MIN, item->endpoint);
	add_different(outage->addresses, &outage->address_count, OUTAGE_ADDRESSES_MIN, item->address);
}

bool outage_is_likely(const struct outage *outage)
{
	return !outage->is_partial && outage->endpoint_count == OUTAGE_ENDPOINTS_MIN &&
	       outage->address_count == OUTAGE_ADDRESSES_MIN;
}
