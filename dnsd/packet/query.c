/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing queries. See query.h. */
#include "dnsd/packet/query.h"

#include "base/bytes.h"
#include "dnsd/packet/tsig.h"
#include "zones/dns/rdata.h"

/*
 * Skip a record that is not an OPT at the root. False when the record is incomplete, or is an OPT with another name
 * (RFC 6891 6.1.2: "NAME: MUST be 0 (root domain)"), or a TSIG that is not the last record (RFC 8945 5.1).
 */
static bool skip_record(struct query *q, struct byte_reader *r, bool is_last)
{
	size_t at = (size_t)(r->pos - r->base);
	if (!dns_name_skip(r))
		return false;
	uint16_t type = byte_read_u16(r);
	if (byte_read_span(r, 6) == NULL)
		return false;
	size_t len = byte_read_u16(r);
	if (r->failed || byte_read_span(r, len) == NULL || type == RRTYPE_OPT)
		return false;
	if (type != RRTYPE_TSIG)
		return true;
	struct tsig tsig;
	q->tsig_at = (uint16_t)at;
	return is_last && tsig_read(&tsig, q->packet, q->len, at);
}

/*
 * Read the records of a query: all are skipped except one OPT in the additional section (RFC 6891 6.1.1) and the TSIG
 * at the end.
 */
static bool read_records(struct query *q, struct byte_reader *r, unsigned skipped, unsigned additional)
{
	for (unsigned i = 0; i < skipped; i++)
		if (!skip_record(q, r, false))
			return false;
	for (unsigned i = 0; i < additional; i++) {
		bool is_opt = byte_reader_left(r) >= 3 && r->pos[1] == 0 && r->pos[2] == RRTYPE_OPT && r->pos[0] == 0;
		if (!is_opt) {
			if (!skip_record(q, r, i + 1 == additional))
				return false;
			continue;
		}
		(void)byte_read_span(r, 3);
		if (q->edns.is_present || !edns_read(&q->edns, r))
			return false;
	}
	return byte_reader_left(r) == 0;
}

static bool read_question(struct query *q, struct byte_reader *r)
{
	size_t len = name_check(r->pos, byte_reader_left(r));
	if (len == 0 || byte_reader_left(r) < len + 4)
		return false;
	name_lower_copy(q->qname, r->pos, len);
	q->qname_len = (uint8_t)len;
	(void)byte_read_span(r, len);
	q->qtype = byte_read_u16(r);
	q->qclass = byte_read_u16(r);
	q->has_question = true;
	return true;
}

enum query_verdict query_parse(struct query *q, const uint8_t *packet, size_t len, enum dns_rcode *rcode)
{
	struct byte_reader r;
	q->packet = packet;
	q->len = len;
	q->has_question = false;
	q->tsig_at = 0;
	q->edns = (struct edns){0};
	byte_reader_init(&r, packet, len);
	struct dns_header header = dns_header_read(&r);
	unsigned records = (unsigned)header.answers + header.authority;
	q->flags = header.flags;
	if (r.failed || (q->flags & DNS_FLAG_QR) != 0)
		return QUERY_DROP;
	*rcode = DNS_NOTIMP;
	if ((q->flags & DNS_OPCODE_MASK) != 0)
		return QUERY_REPLY;
	*rcode = DNS_FORMERR;
	if (header.questions == 0 && records == 0 && read_records(q, &r, 0, header.additional) &&
	    q->edns.cookie_len > 0) {
		*rcode = q->tsig_at == 0 ? DNS_NOERROR : DNS_NOTAUTH; /* the client only wants a cookie (RFC 7873
								       * 5.4) */
		return QUERY_REPLY;
	}
	if (header.questions != 1 || !read_question(q, &r) || !read_records(q, &r, records, header.additional) ||
	    q->qtype == RRTYPE_OPT || q->qtype == 0)
		return QUERY_REPLY;
	*rcode = DNS_BADVERS;
	if (q->edns.is_present && q->edns.version != 0)
		return QUERY_REPLY;
	*rcode = DNS_NOTAUTH;
	if (q->tsig_at != 0)
		return QUERY_REPLY;
	*rcode = DNS_REFUSED;
	if (q->qclass != DNS_CLASS_IN)
		return QUERY_REPLY;
	return QUERY_ANSWER;
}
