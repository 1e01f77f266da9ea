/* SPDX-License-Identifier: Apache-2.0 */
/* A report that is accepted is within all limits, and written and read again it is the same. */
#include <stdlib.h>
#include <string.h>

#include "probes/report.h"
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

static void read_back(const struct report *report, struct arena *arena)
{
	struct report again;
	char *text = NULL;
	size_t len = 0;
	check(report_write(report, &text, &len) == VEER_OK && len == strlen(text) && len <= REPORT_BYTES_MAX);
	check(report_parse(text, len, arena, &again, NULL) == VEER_OK);
	check(again.assignment_revision == report->assignment_revision && again.boot == report->boot);
	check(again.seq == report->seq && again.is_blind == report->is_blind);
	check(again.item_count == report->item_count);
	for (uint32_t i = 0; i < report->item_count; i++)
		check(is_same_item(&again.items[i], &report->items[i]));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct veer_diag diag = {.text = ""};
	struct report report;
	struct arena *arena = arena_new(ARENA_BYTES);
	check(arena != NULL);
	enum veer_err err = report_parse((const char *)data, size, arena, &report, &diag);
	check((err == VEER_OK) == (diag.text[0] == '\0'));
	if (err == VEER_OK) {
		check_limits(&report);
		read_back(&report, arena);
	}
	arena_free(&arena);
	return 0;
}
