/* SPDX-License-Identifier: Apache-2.0 */
/* One packet in, at most one out. See respond.h. */
#include "dnsd/respond.h"

#include <string.h>

#include "base/crypto.h"

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
	case DNS_BADVERS:
		respond_count(&c->badvers);
		break;
	}
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
	if (verdict == QUERY_REPLY) {
		reply_len = encode_error(&r->query, rcode, out, limit);
	} else {
		lookup_answer(plan, &r->query, client, next_random(r), &r->answer);
		rcode = r->answer.rcode;
		reply_len = encode_answer(&r->query, &r->answer, out, limit);
	}
	count_rcode(&r->counters, rcode);
	if ((out[2] & (DNS_FLAG_TC >> 8)) != 0)
		respond_count(&r->counters.truncated);
	return reply_len;
}
