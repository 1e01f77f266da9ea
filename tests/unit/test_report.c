/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "probes/verdict/report.h"
#include "probes/verdict/report_scan.h"

#define GOLDEN "tests/data/formats/report.json"
#define HEAD "{\"format\":1,\"assignment_revision\":1,\"boot\":\"0000000000000001\",\"seq\":1,\"blind\":false,"

static char *golden(size_t *len)
{
	struct veer_diag diag;
	char *text = NULL;
	assert_int_equal(file_read(GOLDEN, REPORT_BYTES_MAX, &text, len, &diag), VEER_OK);
	while (*len > 0 && text[*len - 1] == '\n')
		text[--*len] = '\0';
	return text;
}

static enum veer_err parse(const char *text, struct veer_diag *diag)
{
	struct arena *arena = arena_new(1 << 20);
	struct report report;
	assert_non_null(arena);
	enum veer_err err = report_parse(text, strlen(text), arena, &report, diag);
	arena_free(&arena);
	return err;
}

static void the_golden_report_is_read(void **state)
{
	(void)state;
	size_t len = 0;
	char *text = golden(&len);
	struct arena *arena = arena_new(1 << 20);
	struct report report;
	struct veer_diag diag;
	assert_int_equal(report_parse(text, len, arena, &report, &diag), VEER_OK);
	assert_int_equal(report.assignment_revision, 812);
	assert_true(report.boot == 0x9d1e5a7c3b2f4e60u);
	assert_int_equal(report.seq, 4711);
	assert_false(report.is_blind);
	assert_int_equal(report.item_count, 4);
	assert_int_equal(report.items[0].state, OBSERVATION_UP);
	assert_int_equal(report.items[0].reason, PROBE_REASON_OK);
	assert_int_equal(report.items[0].age_ms, 120);
	assert_int_equal(report.items[0].rtt_us, 3500);
	assert_int_equal(report.items[1].state, OBSERVATION_DOWN);
	assert_int_equal(report.items[1].reason, PROBE_REASON_CONNECT_REFUSED);
	assert_int_equal(report.items[2].state, OBSERVATION_UNKNOWN);
	assert_int_equal(report.items[2].reason, PROBE_REASON_NONE);
	assert_int_equal(report.items[3].state, OBSERVATION_FAILING);
	assert_int_equal(report.items[3].reason, PROBE_REASON_HTTP_STATUS);
	arena_free(&arena);
	free(text);
}

static void the_golden_report_is_written_byte_for_byte(void **state)
{
	(void)state;
	const struct observation items[] = {
		{OBSERVATION_UP, PROBE_REASON_OK, 120, 3500},
		{OBSERVATION_DOWN, PROBE_REASON_CONNECT_REFUSED, 40, 0},
		{OBSERVATION_UNKNOWN, PROBE_REASON_NONE, 0, 0},
		{OBSERVATION_FAILING, PROBE_REASON_HTTP_STATUS, 10, 900},
	};
	const struct report report = {
		.assignment_revision = 812, .boot = 0x9d1e5a7c3b2f4e60u, .seq = 4711, .items = items, .item_count = 4};
	size_t len = 0;
	size_t out_len = 0;
	char *text = golden(&len);
	char *out = NULL;
	assert_int_equal(report_write(&report, &out, &out_len), VEER_OK);
	assert_int_equal(out_len, len);
	assert_string_equal(out, text);
	free(out);
	free(text);
}

/* 1,000 items, all well or all with the longest usual failure. */
static char *many(bool is_down, size_t *len)
{
	static struct observation items[1000];
	struct report report = {.boot = 1, .seq = 1, .items = items, .item_count = 1000};
	char *text = NULL;
	for (uint32_t i = 0; i < 1000; i++)
		items[i] = is_down ? (struct observation){OBSERVATION_DOWN, PROBE_REASON_CONNECT_TIMEOUT, i * 6, 999999}
				   : (struct observation){OBSERVATION_UP, PROBE_REASON_OK, i, i};
	assert_int_equal(report_write(&report, &text, len), VEER_OK);
	return text;
}

static void a_report_of_failures_is_as_long_as_one_of_successes(void **state)
{
	(void)state;
	size_t well = 0;
	size_t failing = 0;
	free(many(false, &well));
	free(many(true, &failing));
	assert_int_equal(well, failing);
}

static void the_short_way_reads_the_same_and_only_what_is_written_so(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1 << 20);
	struct report shortly;
	struct report whole;
	size_t len = 0;
	char *text = many(true, &len);
	assert_true(report_scan(text, len, arena, &shortly));
	assert_int_equal(report_parse_json(text, len, arena, &whole, NULL), VEER_OK);
	assert_int_equal(shortly.item_count, whole.item_count);
	assert_memory_equal(shortly.items, whole.items, whole.item_count * sizeof *whole.items);
	for (size_t cut = 0; cut < len; cut += cut < 200 ? 1 : 97) {
		char kept = text[cut];
		assert_false(report_scan(text, cut, arena, &shortly));
		text[cut] = '\t';
		assert_false(report_scan(text, len, arena, &shortly));
		text[cut] = kept;
	}
	free(text);
	arena_free(&arena);
}

static void every_reason_and_state_survives_the_way(void **state)
{
	(void)state;
	for (int reason = 0; reason < PROBE_REASON_COUNT; reason++) {
		struct observation item = {(enum observation_state)(reason % 4), (enum probe_reason)reason, UINT32_MAX,
					   UINT32_MAX};
		struct report in = {.boot = 1, .seq = 1, .is_blind = true, .items = &item, .item_count = 1};
		struct report out;
		struct veer_diag diag;
		struct arena *arena = arena_new(1 << 20);
		size_t len = 0;
		char *text = NULL;
		enum probe_reason found = PROBE_REASON_NONE;
		assert_true(probe_reason_from_text(probe_reason_text(item.reason), &found));
		assert_int_equal(found, reason);
		assert_int_equal(report_write(&in, &text, &len), VEER_OK);
		assert_int_equal(report_parse(text, len, arena, &out, &diag), VEER_OK);
		assert_int_equal(out.items[0].state, item.state);
		assert_int_equal(out.items[0].reason, reason);
		assert_int_equal(out.items[0].age_ms, REPORT_AGE_MS_MAX);
		assert_true(out.items[0].rtt_us == REPORT_RTT_US_MAX);
		assert_true(out.is_blind);
		free(text);
		arena_free(&arena);
	}
}

static void what_is_not_exact_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum veer_err err;
		const char *says;
	} cases[] = {
		{"", VEER_EINVAL, "line"},
		{"[]", VEER_EINVAL, "object"},
		{"{}", VEER_EINVAL, "/format"},
		{"{\"format\":2}", VEER_EUNSUPPORTED, "/format"},
		{"{\"format\":1,\"assignment_revision\":-1}", VEER_ERANGE, "/assignment_revision"},
		{"{\"format\":1,\"assignment_revision\":1,\"boot\":\"0000000000000000\"}", VEER_EINVAL, "/boot"},
		{"{\"format\":1,\"assignment_revision\":1,\"boot\":\"000000000000000G\"}", VEER_EINVAL, "/boot"},
		{"{\"format\":1,\"assignment_revision\":1,\"boot\":\"1\"}", VEER_EINVAL, "/boot"},
		{"{\"format\":1,\"assignment_revision\":1,\"boot\":\"0000000000000001\",\"seq\":0}", VEER_ERANGE,
		 "/seq"},
		{"{\"format\":1,\"assignment_revision\":1,\"boot\":\"0000000000000001\",\"seq\":1,\"items\":[]}",
		 VEER_EINVAL, "/blind"},
		{HEAD "\"x\":1}", VEER_EINVAL, "/items"},
		{HEAD "\"items\":[],\"agent\":\"x\"}", VEER_EINVAL, "agent"},
	};
	static const char *const items[] = {
		"{}",
		"[]",
		"[\"u\",\"ok\",1]",
		"[\"u\",\"ok\",1,1,1]",
		"[\"x\",\"ok\",1,1]",
		"[\"u\",\"fine\",1,1]",
		"[\"u\",\"ok\",-1,1]",
		"[\"u\",\"ok\",1.0,1]",
		"[\"u\",\"ok\",604800001,1]",
		"[\"u\",\"ok\",1,3600000001]",
		"[1,\"ok\",1,1]",
		"[\"u\",null,1,1]",
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct veer_diag diag = {""};
		assert_int_equal(parse(cases[i].text, &diag), cases[i].err);
		assert_non_null(strstr(diag.text, cases[i].says));
	}
	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
		struct veer_diag diag = {""};
		char text[256];
		(void)snprintf(text, sizeof text, HEAD "\"items\":[[\"u\",\"ok\",1,1],%s]}", items[i]);
		assert_int_equal(parse(text, &diag), VEER_EINVAL);
		assert_non_null(strstr(diag.text, "element 1"));
	}
}

static void a_report_is_bounded_both_ways(void **state)
{
	(void)state;
	uint32_t count = REPORT_ITEMS_MAX + 1;
	struct observation *items = calloc(count, sizeof *items);
	struct report report = {.boot = 1, .seq = 1, .items = items, .item_count = count};
	struct veer_diag diag;
	char *text = NULL;
	size_t len = 0;
	assert_non_null(items);
	for (uint32_t i = 0; i < count; i++)
		items[i] = (struct observation){OBSERVATION_DOWN, PROBE_REASON_CONNECT_REFUSED, UINT32_MAX, UINT32_MAX};
	assert_int_equal(report_write(&report, &text, &len), VEER_ERANGE);
	report.item_count--;
	assert_int_equal(report_write(&report, &text, &len), VEER_OK);
	assert_true(len <= REPORT_BYTES_MAX);
	struct arena *arena = arena_new((size_t)64 << 20);
	assert_int_equal(report_parse(text, len, arena, &report, &diag), VEER_OK);
	assert_int_equal(report.item_count, REPORT_ITEMS_MAX);
	assert_int_equal(report_parse(text, REPORT_BYTES_MAX + 1u, arena, &report, &diag), VEER_ERANGE);
	arena_free(&arena);
	free(text);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_golden_report_is_read),
		cmocka_unit_test(the_golden_report_is_written_byte_for_byte),
		cmocka_unit_test(a_report_of_failures_is_as_long_as_one_of_successes),
		cmocka_unit_test(the_short_way_reads_the_same_and_only_what_is_written_so),
		cmocka_unit_test(every_reason_and_state_survives_the_way),
		cmocka_unit_test(what_is_not_exact_is_refused),
		cmocka_unit_test(a_report_is_bounded_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
