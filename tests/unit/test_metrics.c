/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/metrics.h"

static void expect(struct buf *out, const char *text)
{
	assert_false(out->failed);
	assert_string_equal(out->data, text);
	buf_deinit(out);
}

static void a_family_and_its_samples(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 10000);
	metrics_family(&out, "veer_dns_requests_total", METRICS_COUNTER, "Queries\nwith \\ and \".");
	metrics_sample_u64(&out, "veer_dns_requests_total",
			   METRICS_LABELS(METRICS_LABEL("proto", "udp"), METRICS_LABEL("family", "4")), UINT64_MAX);
	metrics_sample_u64(&out, "veer_dns_requests_total", NULL, 0);
	metrics_sample(&out, "veer_dns_requests_total", METRICS_LABELS(), 1);
	expect(&out, "# HELP veer_dns_requests_total Queries\\nwith \\\\ and \".\n"
		     "# TYPE veer_dns_requests_total counter\n"
		     "veer_dns_requests_total{proto=\"udp\",family=\"4\"} 18446744073709551615\n"
		     "veer_dns_requests_total 0\n"
		     "veer_dns_requests_total 1\n");
}

static void label_values_are_escaped_and_utf8(void **state)
{
	(void)state;
	const char *const cases[][2] = {
		{"", ""},          {"a\"b", "a\\\"b"},        {"a\\b", "a\\\\b"},
		{"a\nb", "a\\nb"}, {"\xc3\xa4", "\xc3\xa4"},  {"\xff", "?"},
		{"a\xc3", "a?"},   {"\xed\xa0\x80x", "???x"}, {"} 1\nfoo 2", "} 1\\nfoo 2"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out;
		char text[100];
		buf_init(&out, 1000);
		metrics_sample_u64(&out, "m", METRICS_LABELS(METRICS_LABEL("l", cases[i][0])), 1);
		(void)snprintf(text, sizeof text, "m{l=\"%s\"} 1\n", cases[i][1]);
		expect(&out, text);
	}
	struct buf out;
	buf_init(&out, 1000);
	metrics_sample_u64(&out, "m", METRICS_LABELS(METRICS_LABEL("l", NULL)), 1);
	expect(&out, "m{l=\"\"} 1\n");
}

static void numbers_read_back_as_they_were(void **state)
{
	(void)state;
	const double values[] = {0, -0.5, 0.1, 1.0 / 3, 1e300, 123456789.125, 5e-324, 9007199254740993.0};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		struct buf out;
		buf_init(&out, 1000);
		metrics_sample(&out, "m", NULL, values[i]);
		double back = strtod(out.data + 2, NULL);
		assert_memory_equal(&back, &values[i], sizeof back);
		buf_deinit(&out);
	}
	struct buf out;
	buf_init(&out, 1000);
	metrics_sample(&out, "m", NULL, (double)INFINITY);
	metrics_sample(&out, "m", NULL, (double)-INFINITY);
	metrics_sample(&out, "m", NULL, (double)NAN);
	metrics_sample(&out, "m", NULL, 0.1);
	expect(&out, "m +Inf\nm -Inf\nm NaN\nm 0.1\n");
}

static void a_histogram_is_cumulative(void **state)
{
	(void)state;
	struct buf out;
	const double bounds[] = {0.001, 0.01, 1};
	const uint64_t counts[] = {1, 0, 5, 2};
	const struct metrics_histogram h = {.bounds = bounds, .bound_count = 3, .counts = counts, .sum = 7.25};
	buf_init(&out, 1000);
	metrics_sample_histogram(&out, "h", METRICS_LABELS(METRICS_LABEL("a", "b")), &h);
	expect(&out, "h_bucket{a=\"b\",le=\"0.001\"} 1\n"
		     "h_bucket{a=\"b\",le=\"0.01\"} 1\n"
		     "h_bucket{a=\"b\",le=\"1\"} 6\n"
		     "h_bucket{a=\"b\",le=\"+Inf\"} 8\n"
		     "h_sum{a=\"b\"} 7.25\n"
		     "h_count{a=\"b\"} 8\n");
	buf_init(&out, 1000);
	metrics_sample_histogram(&out, "h", NULL, &(struct metrics_histogram){.counts = counts});
	expect(&out, "h_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 1\n");
}

static void names_that_prometheus_refuses_fail_the_buffer(void **state)
{
	(void)state;
	const char *const bad[] = {"", "1a", "a-b", "a b", "\xc3\xa4", "a\n", "a{}"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct buf out;
		buf_init(&out, 1000);
		metrics_sample_u64(&out, bad[i], NULL, 1);
		assert_true(out.failed);
		buf_deinit(&out);
		metrics_family(&out, bad[i], METRICS_GAUGE, "");
		assert_true(out.failed);
		buf_deinit(&out);
		metrics_sample_u64(&out, "m", METRICS_LABELS(METRICS_LABEL(bad[i], "v")), 1);
		assert_true(out.failed);
		buf_deinit(&out);
	}
	struct buf out;
	buf_init(&out, 1000);
	metrics_sample_u64(&out, "m", METRICS_LABELS(METRICS_LABEL("a:b", "v")), 1);
	assert_true(out.failed);
	buf_deinit(&out);
}

static void a_full_buffer_fails(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 20);
	for (int i = 0; i < 20; i++)
		metrics_sample_u64(&out, "metric", NULL, 1);
	assert_true(out.failed);
	assert_true(out.len <= 20);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_family_and_its_samples),
		cmocka_unit_test(label_values_are_escaped_and_utf8),
		cmocka_unit_test(numbers_read_back_as_they_were),
		cmocka_unit_test(a_histogram_is_cumulative),
		cmocka_unit_test(names_that_prometheus_refuses_fail_the_buffer),
		cmocka_unit_test(a_full_buffer_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
