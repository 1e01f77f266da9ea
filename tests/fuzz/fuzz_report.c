/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report that is accepted is within all limits, and is the same after it is written and read again. The fast reader
 * gives the same result as the JSON reader.
 */
#include <stdlib.h>
#include <string.h>

#include "probes/verdict/report.h"
#include "probes/verdict/report_scan.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_BYTES ((size_t)16 << 20)

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool is_same_item(const struct observation *a, const struct observation *b)
{
	return a->state == b->state && a->reason == b->reason && a->age_ms == b->age_ms && a->rtt_us == b->rtt_us;
}

static void check_limits(const struct report *report)
{
	check(report->assignment_revision >= 0 && report->boot != 0 && report->seq >= 1);
	check(report->item_count <= REPORT_ITEMS_MAX);
	for (uint32_t i = 0; i < report->item_count; i++) {
		const struct observation *item = &report->items[i];
		check(item->state <= OBSERVATION_DOWN && item->reason < PROBE_REASON_COUNT);
		check(item->age_ms <= REPORT_AGE_MS_MAX && item->rtt_us <= REPORT_RTT_US_MAX);
	}
}

static void check_same(const struct report *a, const struct report *b)
{
	check(a->assignment_revision == b->assignment_revision && a->boot == b->boot);
	check(a->seq == b->seq && a->is_blind == b->is_blind && a->item_count == b->item_count);
	for (uint32_t i = 0; i < a->item_count; i++)
		check(is_same_item(&a->items[i], &b->items[i]));
}

static void read_back(const struct report *report, struct arena *arena)
{
	struct report again;
	char *text = NULL;
	size_t len = 0;
	check(report_write(report, &text, &len) == VEER_OK && len == strlen(text) && len <= REPORT_BYTES_MAX);
	check(report_scan(text, len, arena, &again));
	check_same(&again, report);
	check(report_parse_json(text, len, arena, &again, NULL) == VEER_OK);
	check_same(&again, report);
	free(text);
}

static void check_short_way(const char *data, size_t size, struct arena *arena)
{
	struct report shortly;
	struct report whole;
	if (!report_scan(data, size, arena, &shortly))
		return;
	check(report_parse_json(data, size, arena, &whole, NULL) == VEER_OK);
	check_same(&shortly, &whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct veer_diag diag = {.text = ""};
	struct report report;
	struct arena *arena = arena_new(ARENA_BYTES);
	check(arena != NULL);
	enum veer_err err = report_parse((const char *)data, size, arena, &report, &diag);
	check((err == VEER_OK) == (diag.text[0] == '\0'));
	check_short_way((const char *)data, size, arena);
	if (err == VEER_OK) {
		check_limits(&report);
		read_back(&report, arena);
	}
	arena_free(&arena);
	return 0;
}
