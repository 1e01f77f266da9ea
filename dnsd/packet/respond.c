/* SPDX-License-Identifier: Apache-2.0 */
/* One packet in, at most one out. See respond.h. */
#include "dnsd/packet/respond.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "dnsd/packet/prefix.h"

static_assert(DNS_BADCOOKIE < COUNT_RCODES, "each RCODE has a counter");

enum veer_err responder_init(struct responder *r)
{
	memset(r, 0, sizeof *r);
	return crypto_random(&r->random, sizeof r->random);
}

/* SplitMix64: uniform enough for sharing load; it need not be unpredictable. */
static uint64_t next_random(struct responder *r)
{
	r->random += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = r->random;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Note whether the client's cookie is good, and which one goes back. */
static void check_cookie(struct responder *r, struct request *request)
{
	struct edns *edns = &request->query.edns;
	const struct client *from = &request->client;
	struct cookie_client client = {edns->cookie, from->address, from->is_ipv6 ? 16 : 4};
	if (edns->cookie_len == 0 || r->config.secrets.count == 0)
		return;
	edns->is_known = cookie_check(&r->config.secrets, &client, edns->cookie + COOKIE_CLIENT_LEN,
				      edns->cookie_len - COOKIE_CLIENT_LEN, r->now_s, edns->reply.cookie);
	edns->reply.has_cookie = true;
	if (edns->cookie_len == COOKIE_CLIENT_LEN)
		count_add(&r->counters, COUNT_COOKIE_NEW);
	else
		count_add(&r->counters, edns->is_known ? COUNT_COOKIE_GOOD : COUNT_COOKIE_BAD);
}

/* What the OPT record of the reply will carry. */
static void prepare_options(struct responder *r, struct request *request)
{
	struct edns *edns = &request->query.edns;
	check_cookie(r, request);
	if (edns->wants_nsid && r->config.nsid_len > 0) {
		edns->reply.nsid = r->config.nsid;
		edns->reply.nsid_len = r->config.nsid_len;
	}
	if (edns->wants_keepalive && request->is_tcp) /* it has no meaning over UDP (RFC 7828 3.2.1) */
		edns->reply.keepalive = RESPOND_TCP_IDLE_MS / 100;
}

/* Is it a query without a question whose cookie is not good (RFC 7873 5.4)? */
static bool is_bad_cookie(const struct query *q)
{
	const struct edns *edns = &q->edns;
	return !q->has_question && edns->reply.has_cookie && edns->cookie_len > COOKIE_CLIENT_LEN && !edns->is_known;
}

/* The prefix whose limit the reply counts for; 0 (no limit) when the client is known not to be forged, or is exempt. */
static uint64_t limited_prefix(const struct responder *r, const struct request *request)
{
	if (request->is_tcp || r->config.limit == NULL || request->query.edns.is_known ||
	    limit_is_exempt(r->config.limit, &request->client))
		return 0;
	return prefix_of(&request->client);
}

/*
 * Is the reply within the limit? Over the limit a query gets no reply, or, every so many of them, a truncated reply
 * without records, so that a client that did ask comes back over TCP or with the cookie that this reply gives it. This
 * is done before the lookup, because a flood should cost little.
 */
static bool admit(struct responder *r, struct request *request)
{
	request->is_slip = false;
	request->prefix = limited_prefix(r, request);
	if (request->prefix == 0 || limit_take(r->config.limit, request->prefix, r->now_ms))
		return true;
	unsigned slip = limit_slip(r->config.limit);
	if (slip == 0 || ++r->limited % slip != 0) {
		count_add(&r->counters, COUNT_DROPPED + COUNT_DROP_LIMIT);
		return false;
	}
	if (request->verdict == QUERY_ANSWER)
		request->rcode = DNS_NOERROR;
	request->verdict = QUERY_REPLY;
	request->is_slip = true;
	request->prefix = 0;
	count_add(&r->counters, COUNT_SLIPPED);
	return true;
}

static void count_zone(struct responder *r, const struct plan_zone *zone)
{
	if (zone == NULL || zone->number >= r->zone_limit)
		return;
	_Atomic uint64_t *count = &r->zone_counts[zone->number];
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
}

bool respond_begin(struct responder *r, const struct plan *plan, const uint8_t *packet, size_t len,
		   const struct client *client, bool is_tcp, struct request *request)
{
	struct query *q = &request->query;
	request->is_tcp = is_tcp;
	request->client = *client;
	request->rcode = DNS_NOERROR;
	request->verdict = query_parse(q, packet, len, &request->rcode);
	if (request->verdict == QUERY_DROP) {
		count_add(&r->counters,
			  COUNT_DROPPED + (len < DNS_HEADER_LEN ? COUNT_DROP_SHORT : COUNT_DROP_RESPONSE));
		return false;
	}
	count_add(&r->counters, count_request_size(is_tcp, len));
	count_add_n(&r->counters, COUNT_REQUEST_OCTETS + is_tcp, len);
	unsigned type = count_type(q->has_question, q->qtype);
	count_add(&r->counters, count_request(is_tcp, client->is_ipv6, type));
	if (q->edns.is_present)
		prepare_options(r, request);
	if (!admit(r, request))
		return false;
	if (request->verdict == QUERY_ANSWER)
		lookup_begin(plan, q, &request->start);
	return true;
}

bool respond_step(struct request *request)
{
	return request->verdict == QUERY_ANSWER && lookup_step(&request->start);
}

static void show(struct responder *r, const struct request *request, enum dns_rcode rcode, const uint8_t *reply,
		 size_t reply_len)
{
	const struct tap_query shown = {.time_ns = r->taken_ns + r->wall_offset_ns,
					.client = &request->client,
					.is_tcp = request->is_tcp,
					.rcode = rcode,
					.query = request->query.packet,
					.query_len = request->query.len,
					.reply = reply,
					.reply_len = reply_len};
	tap_offer(r->tap, &shown);
}

size_t respond_end(struct responder *r, const struct plan *plan, struct request *request, uint8_t *out, size_t out_size)
{
	struct query *q = &request->query;
	enum dns_rcode rcode = request->rcode;
	size_t limit = request->is_tcp ? out_size : encode_udp_limit(q);
	size_t reply_len;
	if (request->verdict == QUERY_REPLY) {
		if (rcode == DNS_NOERROR && is_bad_cookie(q))
			rcode = DNS_BADCOOKIE;
		reply_len = encode_error(q, rcode, out, limit);
		if (request->is_slip)
			out[2] |= DNS_FLAG_TC >> 8;
	} else {
		lookup_decide(plan, q, &request->client, next_random(r), &request->start, &r->answer);
		rcode = r->answer.rcode;
		q->edns.reply.error = r->answer.error;
		reply_len = encode_answer(q, &r->answer, out, limit);
		if (r->zone_limit > 0)
			count_zone(r, request->start.zone);
	}
	if (request->prefix != 0)
		limit_charge(r->config.limit, request->prefix, reply_len, r->now_ms);
	count_add(&r->counters, COUNT_RESPONSES + rcode);
	count_add(&r->counters, count_response_size(request->is_tcp, reply_len));
	count_add_n(&r->counters, COUNT_RESPONSE_OCTETS + request->is_tcp, reply_len);
	r->answered++;
	if (r->tap != NULL)
		show(r, request, rcode, out, reply_len);
	if ((out[2] & (DNS_FLAG_TC >> 8)) != 0)
		count_add(&r->counters, COUNT_TRUNCATED);
	return reply_len;
}

void respond_sent(struct responder *r, bool is_tcp)
{
	if (r->answered == 0)
		return;
	int64_t now_ns = veer_clock_monotonic_ns(veer_clock_system());
	uint64_t took_ns = now_ns > r->taken_ns ? (uint64_t)(now_ns - r->taken_ns) : 0;
	count_add_n(&r->counters, count_time(is_tcp, took_ns), r->answered);
	count_add_n(&r->counters, COUNT_TIME_NS + is_tcp, took_ns * r->answered);
	r->taken_ns = now_ns;
	r->answered = 0;
}

size_t respond(struct responder *r, const struct plan *plan, const uint8_t *packet, size_t len,
	       const struct client *client, bool is_tcp, uint8_t *out, size_t out_size)
{
	struct request *request = &r->request;
	if (!respond_begin(r, plan, packet, len, client, is_tcp, request))
		return 0;
	return respond_end(r, plan, request, out, out_size);
}
