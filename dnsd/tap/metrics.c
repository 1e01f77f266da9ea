/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as text. See metrics.h. */
#include "dnsd/tap/metrics.h"

#include <assert.h>
#include <stddef.h>

#include "base/metrics.h"
#include "dnsd/packet/query.h"
#include "zones/dns/name.h"

static void write_requests(const struct count_totals *totals, struct buf *out)
{
	static const char name[] = "veer_dns_requests_total";
	metrics_family(out, name, METRICS_COUNTER, "Queries received, by transport, address family and type.");
	for (unsigned tcp = 0; tcp < 2; tcp++)
		for (unsigned ipv6 = 0; ipv6 < 2; ipv6++)
			for (unsigned type = 0; type < COUNT_TYPES; type++)
				metrics_sample_u64(out, name,
						   METRICS_LABELS(METRICS_LABEL("proto", tcp != 0 ? "tcp" : "udp"),
								  METRICS_LABEL("family", ipv6 != 0 ? "ipv6" : "ipv4"),
								  METRICS_LABEL("type", count_type_name(type))),
						   totals->values[count_request(tcp != 0, ipv6 != 0, type)]);
}

/* One family of counters whose label has a name for each of `count` places from `at` on; places without one are left
 * out. */
struct labelled {
	const char *family;
	const char *help;
	const char *label;
	const char *const *names;
	unsigned count;
	unsigned at;
};

static void write_labelled(const struct count_totals *totals, const struct labelled *l, struct buf *out)
{
	metrics_family(out, l->family, METRICS_COUNTER, l->help);
	for (unsigned i = 0; i < l->count; i++)
		if (l->names[i] != NULL)
			metrics_sample_u64(out, l->family, METRICS_LABELS(METRICS_LABEL(l->label, l->names[i])),
					   totals->values[l->at + i]);
}

static void write_counter(const char *name, const char *help, uint64_t value, struct buf *out)
{
	metrics_family(out, name, METRICS_COUNTER, help);
	metrics_sample_u64(out, name, NULL, value);
}

static void write_limited(const struct count_totals *totals, struct buf *out)
{
	static const char name[] = "veer_dns_rrl_total";
	metrics_family(out, name, METRICS_COUNTER, "Queries over the limit of replies, by what was done.");
	metrics_sample_u64(out, name, METRICS_LABELS(METRICS_LABEL("action", "dropped")),
			   totals->values[COUNT_DROPPED + COUNT_DROP_LIMIT]);
	metrics_sample_u64(out, name, METRICS_LABELS(METRICS_LABEL("action", "slipped")),
			   totals->values[COUNT_SLIPPED]);
}

static void write_tcp(const struct count_totals *totals, struct buf *out)
{
	static const char name[] = "veer_dns_tcp_connections";
	uint64_t open = totals->values[COUNT_TCP_ACCEPTED];
	for (unsigned i = 0; i < COUNT_CLOSES; i++)
		open -= totals->values[COUNT_TCP_CLOSED + i];
	metrics_family(out, name, METRICS_GAUGE, "Connections open.");
	/* a worker may have closed a connection between our reads of its counters */
	metrics_sample_u64(out, name, NULL, open > INT64_MAX ? 0 : open);
	write_counter("veer_dns_tcp_accepted_total", "Connections accepted.", totals->values[COUNT_TCP_ACCEPTED], out);
	write_counter("veer_dns_tcp_postponed_total", "Times that accepting was put off for want of descriptors.",
		      totals->values[COUNT_TCP_NO_DESCRIPTOR], out);
	write_counter("veer_dns_waits_failed_total", "Times that a worker could not wait, and tried all its sockets.",
		      totals->values[COUNT_WAITS_FAILED], out);
}

/* A histogram for each transport. */
struct sized {
	const char *family;
	const char *help;
	unsigned at;     /* of the first transport's buckets */
	unsigned count;  /* of buckets */
	unsigned sum_at; /* of the first transport's sum */
	unsigned first;  /* log2 of the first bound */
	double unit;     /* what a bound or a sum is multiplied by */
	bool is_bounded; /* no value is above the last bound */
};

static void write_histogram(const struct count_totals *totals, const struct sized *s, struct buf *out)
{
	double bounds[COUNT_TIMES > COUNT_SIZES ? COUNT_TIMES : COUNT_SIZES];
	uint64_t counts[sizeof bounds / sizeof bounds[0] + 1] = {0};
	for (unsigned i = 0; i < s->count; i++)
		bounds[i] = (double)(UINT64_C(1) << (s->first + i)) * s->unit;
	metrics_family(out, s->family, METRICS_HISTOGRAM, s->help);
	for (unsigned proto = 0; proto < COUNT_PROTOS; proto++) {
		for (unsigned i = 0; i < s->count; i++)
			counts[i] = totals->values[s->at + proto * s->count + i];
		const struct metrics_histogram h = {.bounds = bounds,
						    .bound_count = s->is_bounded ? s->count : s->count - 1,
						    .counts = counts,
						    .sum = (double)totals->values[s->sum_at + proto] * s->unit};
		metrics_sample_histogram(out, s->family,
					 METRICS_LABELS(METRICS_LABEL("proto", proto != 0 ? "tcp" : "udp")), &h);
	}
}

static void write_histograms(const struct count_totals *totals, struct buf *out)
{
	static const struct sized histograms[] = {
		{"veer_dns_request_size_bytes", "Sizes of queries.", COUNT_REQUEST_SIZES, COUNT_SIZES,
		 COUNT_REQUEST_OCTETS, 6, 1, true},
		{"veer_dns_response_size_bytes", "Sizes of replies.", COUNT_RESPONSE_SIZES, COUNT_SIZES,
		 COUNT_RESPONSE_OCTETS, 6, 1, true},
		{"veer_dns_request_duration_seconds",
		 "From when a worker took queries up to when their replies were with the kernel, the system calls "
		 "included; "
		 "the same for all queries of a batch. What they waited in the socket is not in it.",
		 COUNT_TIME_BUCKETS, COUNT_TIMES, COUNT_TIME_NS, 12, 1e-9, false},
	};
	for (size_t i = 0; i < sizeof histograms / sizeof histograms[0]; i++)
		write_histogram(totals, &histograms[i], out);
}

static void write_drops(const struct kernel_drops *drops, struct buf *out)
{
	static const char name[] = "veer_dns_kernel_drops_total";
	metrics_family(out, name, METRICS_COUNTER, "What the kernel dropped at our sockets before we saw it.");
	metrics_sample_u64(out, name, METRICS_LABELS(METRICS_LABEL("proto", "udp")), drops->udp);
	metrics_sample_u64(out, name, METRICS_LABELS(METRICS_LABEL("proto", "tcp")), drops->tcp);
}

static void write_counters(const struct count_totals *totals, struct buf *out)
{
	static const char *const drops[COUNT_DROPS] = {
		[COUNT_DROP_SHORT] = "short", [COUNT_DROP_RESPONSE] = "response", [COUNT_DROP_SOURCE] = "source",
		[COUNT_DROP_SEND] = "send",   [COUNT_DROP_LIMIT] = "limit",
	};
	static const char *const cookies[] = {"good", "bad", "new"};
	static const char *const closes[COUNT_CLOSES] = {
		[COUNT_CLOSE_CLIENT] = "client", [COUNT_CLOSE_RESET] = "reset",     [COUNT_CLOSE_IDLE] = "idle",
		[COUNT_CLOSE_QUERY] = "query",   [COUNT_CLOSE_REPLY] = "reply",     [COUNT_CLOSE_FULL] = "full",
		[COUNT_CLOSE_PREFIX] = "prefix", [COUNT_CLOSE_INVALID] = "invalid", [COUNT_CLOSE_FAILED] = "failed",
		[COUNT_CLOSE_HANDED] = "handed", [COUNT_CLOSE_STOP] = "stop",
	};
	static_assert(COUNT_COOKIE_NEW == COUNT_COOKIE_GOOD + 2, "names follow the counters");
	const char *rcodes[COUNT_RCODES];
	for (unsigned i = 0; i < COUNT_RCODES; i++)
		rcodes[i] = dns_rcode_text(i);
	const struct labelled families[] = {
		{"veer_dns_responses_total", "Replies, by RCODE.", "rcode", rcodes, COUNT_RCODES, COUNT_RESPONSES},
		{"veer_dns_dropped_total", "Packets without a reply, and replies that were not sent, by reason.",
		 "reason", drops, COUNT_DROPS, COUNT_DROPPED},
		{"veer_dns_cookies_total", "Queries with a DNS cookie, by what it was.", "state", cookies, 3,
		 COUNT_COOKIE_GOOD},
		{"veer_dns_tcp_closed_total", "Connections that ended, by reason.", "reason", closes, COUNT_CLOSES,
		 COUNT_TCP_CLOSED},
	};
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		write_labelled(totals, &families[i], out);
	write_counter("veer_dns_truncated_total", "Replies with the TC bit.", totals->values[COUNT_TRUNCATED], out);
	write_limited(totals, out);
	write_tcp(totals, out);
}

static void write_gauge(const char *name, const char *help, double value, struct buf *out)
{
	metrics_family(out, name, METRICS_GAUGE, help);
	metrics_sample(out, name, NULL, value);
}

static const char zone_queries[] = "veer_zone_queries_total";

void metrics_zones(struct buf *out)
{
	metrics_family(out, zone_queries, METRICS_COUNTER,
		       "Queries answered from the zone, of the first --zone-metrics.");
}

void metrics_zone(const uint8_t *name, uint64_t queries, struct buf *out)
{
	char text[NAME_TEXT_SIZE];
	(void)name_print(name, text, sizeof text);
	metrics_sample_u64(out, zone_queries, METRICS_LABELS(METRICS_LABEL("zone", text)), queries);
}

void metrics_taps(const struct tap_stats *taps, struct buf *out)
{
	static const char lost[] = "veer_tap_lost_total";
	write_counter("veer_query_log_lines_total", "Lines written to the query log.", taps->written[TAP_QUERY_LOG],
		      out);
	write_counter("veer_dnstap_frames_total", "Frames of dnstap sent.", taps->written[TAP_DNSTAP], out);
	metrics_family(out, lost, METRICS_COUNTER, "Sampled queries, lines or frames that were lost, by where.");
	metrics_sample_u64(out, lost, METRICS_LABELS(METRICS_LABEL("at", "ring")), taps->ring_lost);
	metrics_sample_u64(out, lost, METRICS_LABELS(METRICS_LABEL("at", "query_log")), taps->lost[TAP_QUERY_LOG]);
	metrics_sample_u64(out, lost, METRICS_LABELS(METRICS_LABEL("at", "dnstap")), taps->lost[TAP_DNSTAP]);
}

static void write_quarantine(const struct metrics_facts *facts, struct buf *out)
{
	static const char name[] = "veer_store_quarantined";
	static const char *const reasons[METRICS_QUARANTINES] = {
		[METRICS_UNKNOWN] = "unknown", [METRICS_ABANDONED] = "abandoned", [METRICS_ZONE_LOST] = "zone_lost"};
	metrics_family(out, name, METRICS_GAUGE,
		       "1 while the store of a control plane is not followed, by reason; what was served stays.");
	for (size_t i = 0; i < METRICS_QUARANTINES; i++)
		metrics_sample(out, name, METRICS_LABELS(METRICS_LABEL("why", reasons[i])), facts->quarantined[i]);
}

void metrics_write(const struct count_totals *totals, const struct metrics_facts *facts, struct buf *out)
{
	write_requests(totals, out);
	write_counters(totals, out);
	write_histograms(totals, out);
	write_drops(&facts->drops, out);
	write_gauge("veer_plan_revision", "Revision of the plan that is served.", (double)facts->revision, out);
	write_gauge("veer_plan_age_seconds", "Seconds since the plan's commit was received.", facts->age_s, out);
	write_gauge("veer_zones", "Zones served.", (double)facts->zones, out);
	write_gauge("veer_rrsets", "RRsets held, in all versions of zones.", (double)facts->rrsets, out);
	write_gauge("veer_workers", "Threads that answer.", (double)facts->workers, out);
	write_gauge("veer_location_networks", "Networks of which the location is known; 0 without --geoip.",
		    (double)facts->location_networks, out);
	write_gauge("veer_location_policies", "Policies whose rules ask where clients are.",
		    (double)facts->location_policies, out);
	if (facts->feed_age_s >= 0)
		write_gauge("veer_feed_age_seconds", "Seconds since the control plane was heard.", facts->feed_age_s,
			    out);
	if (facts->has_feed)
		write_quarantine(facts, out);
	metrics_family(out, "veer_build_info", METRICS_GAUGE, "1; the version is in the label.");
	metrics_sample(out, "veer_build_info", METRICS_LABELS(METRICS_LABEL("version", VEER_VERSION)), 1);
}
