/* SPDX-License-Identifier: Apache-2.0 */
/* Parts that do not work. See degraded.h. */
#include "dnsd/replica/degraded.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/metrics.h"

const char *degraded_text(enum degraded_part part)
{
	static const char *const names[DEGRADED_PARTS] = {
		[DEGRADED_GEOIP] = "geoip",           [DEGRADED_COOKIE_SECRET] = "cookie_secret",
		[DEGRADED_QUERY_LOG] = "query_log",   [DEGRADED_METRICS] = "metrics",
		[DEGRADED_CONTROL] = "control",       [DEGRADED_STATE] = "state",
		[DEGRADED_SAVED_PLAN] = "saved_plan", [DEGRADED_FEED] = "feed",
	};
	assert(part < DEGRADED_PARTS);
	return names[part];
}

void degraded_begin(struct degraded *degraded, struct logger *log, enum degraded_part part, const char *why)
{
	assert(part < DEGRADED_PARTS);
	if (degraded->is[part] && strcmp(degraded->why[part].text, why) == 0)
		return;
	degraded->is[part] = true;
	(void)snprintf(degraded->why[part].text, sizeof degraded->why[part].text, "%s", why);
	log_error(log, "a part does not work; queries are answered without it", LOG_STR("part", degraded_text(part)),
		  LOG_STR("why", why));
}

void degraded_end(struct degraded *degraded, struct logger *log, enum degraded_part part)
{
	assert(part < DEGRADED_PARTS);
	if (!degraded->is[part])
		return;
	degraded->is[part] = false;
	log_notice(log, "a part works again", LOG_STR("part", degraded_text(part)));
}

size_t degraded_list(const struct degraded *degraded, const char *out[DEGRADED_PARTS])
{
	size_t count = 0;
	for (unsigned i = 0; i < DEGRADED_PARTS; i++)
		if (degraded->is[i])
			out[count++] = degraded_text((enum degraded_part)i);
	return count;
}

void degraded_write(const struct degraded *degraded, struct buf *out)
{
	static const char name[] = "veer_degraded";
	metrics_family(out, name, METRICS_GAUGE, "1 for each part that does not work; answers do not need it.");
	for (unsigned i = 0; i < DEGRADED_PARTS; i++)
		metrics_sample_u64(out, name,
				   METRICS_LABELS(METRICS_LABEL("part", degraded_text((enum degraded_part)i))),
				   degraded->is[i] ? 1 : 0);
}
