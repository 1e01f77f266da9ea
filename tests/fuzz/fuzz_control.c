/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the input of administrators. An override, a maintenance window or settings that are accepted are within their
 * limits. A window is on exactly between its start and its end. A time that is read is written and read again as the
 * same time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/fuzz/fuzz.h"
#include "zones/model/model.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define WEEK_NS (INT64_C(7) * 86400 * 1000000000)

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_override(const json_t *object, struct arena *arena)
{
	struct model_override o;
	if (model_override_parse(object, arena, &o, NULL) != VEER_OK)
		return;
	check(model_is_endpoint_key(o.endpoint) && o.action <= MODEL_OVERRIDE_DRAIN && o.expires_ns >= 0);
	check(strlen(o.owner) <= 256 && strlen(o.reason) <= 256 && strlen(o.source) <= 128);
}

/* Is the window on at `now`? Found without arithmetic, by stepping from window to window. */
static bool is_on(const struct model_maintenance *m, int64_t now_ns)
{
	for (int64_t start = m->starts_ns; start <= now_ns; start += WEEK_NS) {
		if (m->until_ns != 0 && start >= m->until_ns)
			return false;
		if (now_ns < start + (m->ends_ns - m->starts_ns))
			return true;
		if (!m->is_weekly)
			return false;
	}
	return false;
}

static void check_at(const struct model_maintenance *m, int64_t now_ns)
{
	int64_t starts_ns = 0, ends_ns = 0;
	bool on = model_maintenance_is_on(m, now_ns, &starts_ns, &ends_ns);
	check(on == is_on(m, now_ns));
	check(on ? ends_ns > now_ns && !is_on(m, ends_ns) : starts_ns > now_ns);
	check(on || starts_ns == INT64_MAX || is_on(m, starts_ns));
}

static void check_maintenance(const json_t *object, struct arena *arena)
{
	struct model_maintenance m;
	if (model_maintenance_parse(object, arena, &m, NULL) != VEER_OK)
		return;
	check(model_is_name(m.name) && m.reason != NULL && m.ends_ns > m.starts_ns && m.starts_ns > 0);
	check(m.endpoint_count + m.pool_count + m.site_count > 0);
	for (uint32_t i = 0; i < m.endpoint_count; i++)
		check(model_is_endpoint_key(m.endpoints[i]));
	for (uint32_t i = 0; i < m.site_count; i++)
		check(model_is_name(m.sites[i]));
	for (int64_t k = 0; k < 4; k++) {
		check_at(&m, m.starts_ns + k * WEEK_NS);
		check_at(&m, m.starts_ns + k * WEEK_NS - 1);
		check_at(&m, m.ends_ns + k * WEEK_NS);
		check_at(&m, m.ends_ns + k * WEEK_NS - 1);
	}
}

static void check_settings(const json_t *object, struct arena *arena)
{
	struct model_settings s;
	if (model_settings_parse(object, arena, &s, NULL) != VEER_OK)
		return;
	check(s.max_removal_percent >= 1 && s.max_removal_percent <= 100);
	check(!s.is_frozen || s.freeze_reason[0] != '\0');
}

static void check_time(const uint8_t *data, size_t size)
{
	char text[64], again[VEER_RFC3339_SIZE];
	int64_t ns, same;
	if (size >= sizeof text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!veer_rfc3339_parse(text, &ns))
		return;
	check(ns >= -INT64_C(86400000000000));
	ns -= ns % 1000000; /* times are written in milliseconds */
	if (ns < 0)
		return;
	veer_rfc3339(ns, again);
	if (strncmp(again, "2200", 4) != 0) /* an offset may lead just beyond the last year */
		check(veer_rfc3339_parse(again, &same) && same == ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *object = NULL;
	check_time(data, size);
	if (veer_json_parse((const char *)data, size, 1 << 20, &object, NULL) != VEER_OK)
		return 0;
	struct arena *arena = arena_new(ARENA_BYTES);
	check(arena != NULL);
	check_override(object, arena);
	check_maintenance(object, arena);
	check_settings(object, arena);
	arena_free(&arena);
	json_decref(object);
	return 0;
}
