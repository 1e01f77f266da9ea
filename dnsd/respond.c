/* SPDX-License-Identifier: Apache-2.0 */
/* One packet in, at most one out. See respond.h. */
#include "dnsd/respond.h"

#include <string.h>

#include "base/crypto.h"
#include "dnsd/tcp.h"

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

static void count_rcode(struct respond_counters *c, enum dns_rcode rcode)
{
	switch (rcode) {
	case DNS_NOERROR:
		respond_count(&c->noerror);
		break;
	case DNS_FORMERR:
		respond_count(&c->formerr);
		break;
	case DNS_SERVFAIL:
		respond_count(&c->servfail);
		break;
	case DNS_NXDOMAIN:
		respond_count(&c->nxdomain);
		break;
	case DNS_NOTIMP:
		respond_count(&c->notimp);
		break;
	case DNS_REFUSED:
		respond_count(&c->refused);
		break;
	case DNS_YXDOMAIN:
		respond_count(&c->yxdomain);
		break;
	case DNS_NOTAUTH:
		respond_count(&c->notauth);
		break;
	case DNS_BADCOOKIE:
		respond_count(&c->badcookie);
		break;
	case DNS_BADVERS:
		respond_count(&c->badvers);
		break;
	}
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

size_t respond(struct responder *r, const struct plan *plan, const uint8_t *packet, size_t len,
	       const struct lookup_client *client, bool is_tcp, uint8_t *out, size_t out_size)
{
	enum dns_rcode rcode = DNS_NOERROR;
	size_t reply_len;
	enum query_verdict verdict = query_parse(&r->query, packet, len, &rcode);
	if (verdict == QUERY_DROP) {
		respond_count(&r->counters.dropped_packet);
		return 0;
	}
	respond_count(&r->counters.queries);
	respond_count(is_tcp ? &r->counters.tcp : &r->counters.udp);
	size_t limit = is_tcp ? out_size : encode_udp_limit(&r->query);
	if (r->query.edns.is_present)
		prepare_options(r, client, is_tcp);
	if (verdict == QUERY_REPLY) {
		if (rcode == DNS_NOERROR && is_bad_cookie(r))
			rcode = DNS_BADCOOKIE;
		reply_len = encode_error(&r->query, rcode, out, limit);
	} else {
		lookup_answer(plan, &r->query, client, next_random(r), &r->answer);
		rcode = r->answer.rcode;
		r->query.edns.reply.error = r->answer.error;
		reply_len = encode_answer(&r->query, &r->answer, out, limit);
	}
	count_rcode(&r->counters, rcode);
	if ((out[2] & (DNS_FLAG_TC >> 8)) != 0)
		respond_count(&r->counters.truncated);
	return reply_len;
}
