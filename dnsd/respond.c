/* SPDX-License-Identifier: Apache-2.0 */
/* One packet in, at most one out. See respond.h. */
#include "dnsd/respond.h"

#include <assert.h>
#include <string.h>

#include "base/crypto.h"
#include "dnsd/prefix.h"
#include "dnsd/tcp.h"

static_assert(DNS_BADCOOKIE < COUNT_RCODES, "each RCODE has a counter");

enum veer_err responder_init(struct responder *r)
{
	memset(r, 0, sizeof *r);
	return crypto_random(&r->random, sizeof r->random);
}

/* SplitMix64: even enough for sharing load; answers do not depend on it being secret. */
static uint64_t next_random(struct responder *r)
{
	r->random += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = r->random;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Note whether the client's cookie is good, and which one goes back. */
static void check_cookie(struct responder *r, const struct lookup_client *from)
{
	struct edns *edns = &r->query.edns;
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
static void prepare_options(struct responder *r, const struct lookup_client *client, bool is_tcp)
{
	struct edns *edns = &r->query.edns;
	check_cookie(r, client);
	if (edns->wants_nsid && r->config.nsid_len > 0) {
		edns->reply.nsid = r->config.nsid;
		edns->reply.nsid_len = r->config.nsid_len;
	}
	if (edns->wants_keepalive && is_tcp) /* over UDP it means nothing (RFC 7828 3.2.1) */
		edns->reply.keepalive = TCP_IDLE_MS / 100;
}

/* Nothing was asked, but a cookie shown: is it good (RFC 7873 5.4)? */
static bool is_bad_cookie(const struct responder *r)
{
	const struct edns *edns = &r->query.edns;
	return !r->query.has_question && edns->reply.has_cookie && edns->cookie_len > COOKIE_CLIENT_LEN &&
	       !edns->is_known;
}

/* The prefix whose limit the reply counts for; 0: for none, because its receiver is known to have asked for it. */
static uint64_t limited_prefix(const struct responder *r, const struct lookup_client *client, bool is_tcp)
{
	if (is_tcp || r->config.limit == NULL || r->query.edns.is_known || limit_is_exempt(r->config.limit, client))
		return 0;
	return prefix_of(client);
}

/*
 * What a query over the limit gets: nothing, or for every so many of them a reply without records that is truncated, so
 * that a client which did ask comes back over TCP, or with the cookie that it is given here.
 */
static size_t slip(struct responder *r, enum dns_rcode rcode, uint8_t *out, size_t limit)
{
	unsigned every = limit_slip(r->config.limit);
	if (every == 0 || ++r->limited % every != 0) {
		count_add(&r->counters, COUNT_DROPPED + COUNT_DROP_LIMIT);
		return 0;
	}
	size_t len = encode_error(&r->query, rcode, out, limit);
	out[2] |= DNS_FLAG_TC >> 8;
	count_add(&r->counters, COUNT_SLIPPED);
	return len;
}

/* What a query that is not dropped gets. `rcode` is that of the parser, then that of the reply. */
static size_t reply(struct responder *r, const struct plan *plan, const struct lookup_client *client,
		    enum query_verdict verdict, enum dns_rcode *rcode, uint8_t *out, size_t limit)
{
	if (verdict == QUERY_REPLY) {
		if (*rcode == DNS_NOERROR && is_bad_cookie(r))
			*rcode = DNS_BADCOOKIE;
		return encode_error(&r->query, *rcode, out, limit);
	}
	lookup_answer(plan, &r->query, client, next_random(r), &r->answer);
	*rcode = r->answer.rcode;
	r->query.edns.reply.error = r->answer.error;
	return encode_answer(&r->query, &r->answer, out, limit);
}

size_t respond(struct responder *r, const struct plan *plan, const uint8_t *packet, size_t len,
	       const struct lookup_client *client, bool is_tcp, uint8_t *out, size_t out_size)
{
	enum dns_rcode rcode = DNS_NOERROR;
	size_t reply_len;
	enum query_verdict verdict = query_parse(&r->query, packet, len, &rcode);
	if (verdict == QUERY_DROP) {
		count_add(&r->counters,
			  COUNT_DROPPED + (len < DNS_HEADER_LEN ? COUNT_DROP_SHORT : COUNT_DROP_RESPONSE));
		return 0;
	}
	unsigned type = count_type(r->query.has_question, r->query.qtype);
	count_add(&r->counters, count_request(is_tcp, client->is_ipv6, type));
	size_t limit = is_tcp ? out_size : encode_udp_limit(&r->query);
	if (r->query.edns.is_present)
		prepare_options(r, client, is_tcp);
	uint64_t prefix = limited_prefix(r, client, is_tcp);
	if (prefix != 0 && !limit_take(r->config.limit, prefix, r->now_ms)) {
		/* before the lookup: a flood should cost little */
		if (verdict == QUERY_ANSWER)
			rcode = DNS_NOERROR;
		reply_len = slip(r, rcode, out, limit);
		if (reply_len == 0)
			return 0;
	} else {
		reply_len = reply(r, plan, client, verdict, &rcode, out, limit);
		if (prefix != 0)
			limit_charge(r->config.limit, prefix, reply_len, r->now_ms);
	}
	count_add(&r->counters, COUNT_RESPONSES + rcode);
	if ((out[2] & (DNS_FLAG_TC >> 8)) != 0)
		count_add(&r->counters, COUNT_TRUNCATED);
	return reply_len;
}
