/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/tap/metrics.h"
#include "tests/unit/zone_plan.h"

static void every_type_has_one_place(void **state)
{
	(void)state;
	static const struct {
		uint16_t qtype;
		const char *name;
	} cases[] = {{1, "A"},     {2, "NS"},      {28, "AAAA"},   {33, "SRV"},      {52, "TLSA"},    {65, "HTTPS"},
		     {99, "SPF"},  {252, "AXFR"},  {255, "ANY"},   {257, "CAA"},     {256, "URI"},    {0, "other"},
		     {3, "other"}, {258, "other"}, {254, "other"}, {65280, "other"}, {65535, "other"}};
	unsigned named = 0;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(count_type_name(count_type(true, cases[i].qtype)), cases[i].name);
	assert_string_equal(count_type_name(count_type(false, 1)), "none");
	assert_null(count_type_name(COUNT_TYPES));
	for (unsigned qtype = 0; qtype <= UINT16_MAX; qtype++)
		named += strcmp(count_type_name(count_type(true, (uint16_t)qtype)), "other") != 0;
	assert_int_equal(named, COUNT_TYPES - 2);
}

static bool has_line(const struct buf *text, const char *line)
{
	const char *at = strstr(text->data, line);
	return at != NULL && (at == text->data || at[-1] == '\n') && at[strlen(line)] == '\n';
}

static void packets_are_counted_by_what_they_are(void **state)
{
	(void)state;
	struct zone_plan *zp = zone_plan_new();
	struct count_totals totals = {0};
	struct buf text;
	uint8_t packet[512];
	zone_plan_add_zone(zp, "example.", "$TTL 300\n@ SOA ns1 host 1 2 3 4 60\n@ NS ns1\nns1 A 192.0.2.53\n");
	zone_plan_commit(zp);
	size_t len = zone_plan_query("ns1.example.", RRTYPE_A, 0, packet);
	(void)zone_plan_ask(zp, packet, len, false);
	(void)zone_plan_ask(zp, packet, len, false);
	(void)zone_plan_ask(zp, packet, len - 1, false); /* FORMERR, without a question */
	(void)zone_plan_ask(zp, packet, 11, false);
	packet[2] |= 0x80;
	(void)zone_plan_ask(zp, packet, len, true);
	len = zone_plan_query("nope.example.", 65280, 1232, packet);
	(void)zone_plan_ask(zp, packet, len, true);
	count_sum(&zp->responder->counters, &totals);
	assert_int_equal(count_requests(&totals), 4);
	/* three replies of one batch */
	totals.values[count_time(false, 5000)] = 3;
	totals.values[COUNT_TIME_NS] = 15000;
	struct metrics_facts facts = {.revision = 7,
				      .age_s = 0.5,
				      .zones = 1,
				      .rrsets = 3,
				      .workers = 2,
				      .feed_age_s = -1,
				      .drops = {.udp = 8, .tcp = 9}};
	buf_init(&text, METRICS_TEXT_MAX);
	metrics_write(&totals, &facts, &text);
	assert_false(text.failed);
	static const char *const lines[] = {
		"veer_dns_requests_total{proto=\"udp\",family=\"ipv4\",type=\"A\"} 2",
		"veer_dns_requests_total{proto=\"udp\",family=\"ipv4\",type=\"none\"} 1",
		"veer_dns_requests_total{proto=\"tcp\",family=\"ipv4\",type=\"other\"} 1",
		"veer_dns_requests_total{proto=\"tcp\",family=\"ipv6\",type=\"ANY\"} 0",
		"veer_dns_responses_total{rcode=\"NOERROR\"} 2",
		"veer_dns_responses_total{rcode=\"NXDOMAIN\"} 1",
		"veer_dns_responses_total{rcode=\"FORMERR\"} 1",
		"veer_dns_responses_total{rcode=\"BADCOOKIE\"} 0",
		"veer_dns_dropped_total{reason=\"short\"} 1",
		"veer_dns_dropped_total{reason=\"response\"} 1",
		"veer_dns_dropped_total{reason=\"source\"} 0",
		"veer_dns_dropped_total{reason=\"limit\"} 0",
		"veer_dns_rrl_total{action=\"dropped\"} 0",
		"veer_dns_rrl_total{action=\"slipped\"} 0",
		"veer_dns_kernel_drops_total{proto=\"udp\"} 8",
		"veer_dns_kernel_drops_total{proto=\"tcp\"} 9",
		"veer_dns_tcp_connections 0",
		"veer_dns_tcp_closed_total{reason=\"prefix\"} 0",
		"veer_dns_tcp_postponed_total 0",
		"veer_dns_waits_failed_total 0",
		"veer_dns_request_size_bytes_bucket{proto=\"udp\",le=\"64\"} 3",
		"veer_dns_request_size_bytes_count{proto=\"udp\"} 3",
		"veer_dns_request_size_bytes_count{proto=\"tcp\"} 1",
		"veer_dns_response_size_bytes_bucket{proto=\"udp\",le=\"65536\"} 3",
		"veer_dns_response_size_bytes_bucket{proto=\"udp\",le=\"+Inf\"} 3",
		"veer_dns_request_duration_seconds_bucket{proto=\"udp\",le=\"4.096e-06\"} 0",
		"veer_dns_request_duration_seconds_bucket{proto=\"udp\",le=\"8.192e-06\"} 3",
		"veer_dns_request_duration_seconds_count{proto=\"udp\"} 3",
		"veer_dns_request_duration_seconds_sum{proto=\"udp\"} 1.5e-05",
		"veer_plan_revision 7",
		"veer_plan_age_seconds 0.5",
		"veer_zones 1",
		"veer_workers 2",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		if (!has_line(&text, lines[i]))
			fail_msg("no line %s in\n%s", lines[i], text.data);
	assert_null(strstr(text.data, "veer_feed_age_seconds"));
	buf_deinit(&text);
	zone_plan_free(zp);
}

static void buckets_hold_what_their_bounds_say(void **state)
{
	(void)state;
	assert_int_equal(count_request_size(false, 0), COUNT_REQUEST_SIZES);
	assert_int_equal(count_request_size(false, 64), COUNT_REQUEST_SIZES);
	assert_int_equal(count_request_size(false, 65), COUNT_REQUEST_SIZES + 1);
	assert_int_equal(count_request_size(false, 128), COUNT_REQUEST_SIZES + 1);
	assert_int_equal(count_request_size(false, 129), COUNT_REQUEST_SIZES + 2);
	assert_int_equal(count_request_size(true, 65535), COUNT_RESPONSE_SIZES - 1);
	assert_int_equal(count_response_size(true, 65535), COUNT_TIME_BUCKETS - 1);
	assert_int_equal(count_time(false, 4096), COUNT_TIME_BUCKETS);
	assert_int_equal(count_time(false, 4097), COUNT_TIME_BUCKETS + 1);
	assert_int_equal(count_time(false, UINT64_C(1) << 26), COUNT_TIME_BUCKETS + COUNT_TIMES - 2);
	assert_int_equal(count_time(true, UINT64_MAX), COUNT_REQUEST_OCTETS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_hold_what_their_bounds_say),
		cmocka_unit_test(every_type_has_one_place),
		cmocka_unit_test(packets_are_counted_by_what_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
