/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/dns_reply.h"

#include <string.h>

#include "base/bytes.h"
#include "zones/dns/rdata.h"

/* RDATA with uncompressed names: an SOA has two names and 20 octets, a NAPTR three strings and one name. */
#define RDATA_COPY_MAX 1536

size_t dns_query_write(const struct model_check_dns *dns, uint16_t id, uint8_t out[DNS_QUERY_MAX])
{
	struct byte_writer w;
	byte_writer_init(&w, out, DNS_QUERY_MAX);
	dns_header_write(&w, &(struct dns_header){.id = id, .flags = DNS_FLAG_RD, .questions = 1});
	byte_write_span(&w, dns->name, name_len(dns->name));
	byte_write_u16(&w, dns->type);
	byte_write_u16(&w, DNS_CLASS_IN);
	return byte_writer_len(&w);
}

/* Read a name in canonical form, in lower case; returns its length, or 0 when it is malformed. */
static size_t read_name(struct byte_reader *r, uint8_t out[NAME_WIRE_MAX])
{
	size_t len = dns_name_read(r, out);
	name_lower(out, len);
	return len;
}

/* The record's RDATA in canonical form; `*len` is its length. NULL when it is malformed for its type. */
static const uint8_t *canonical_rdata(const struct byte_reader *message, uint16_t type, const uint8_t *rdata,
				      size_t rdlen, uint8_t *copy, size_t *len)
{
	struct rdata_layout layout = rdata_layout(type);
	struct byte_reader r = *message;
	struct byte_writer w;
	uint8_t name[NAME_WIRE_MAX];
	*len = rdlen;
	if (layout.names == 0)
		return rdata;
	/* Read only within the record, although names may point before it. */
	r.pos = rdata;
	r.end = rdata + rdlen;
	byte_writer_init(&w, copy, RDATA_COPY_MAX);
	byte_write_span(&w, byte_read_span(&r, layout.fixed), r.failed ? 0 : layout.fixed);
	for (unsigned i = 0; i < layout.strings; i++) {
		uint8_t size = byte_read_u8(&r);
		const uint8_t *text = byte_read_span(&r, size);
		byte_write_u8(&w, size);
		byte_write_span(&w, text, text != NULL ? size : 0);
	}
	for (unsigned i = 0; i < layout.names; i++) {
		size_t size = read_name(&r, name);
		byte_write_span(&w, name, size);
	}
	size_t left = byte_reader_left(&r);
	const uint8_t *tail = byte_read_span(&r, left);
	byte_write_span(&w, tail, tail != NULL ? left : 0);
	if (r.failed || w.failed)
		return NULL;
	*len = byte_writer_len(&w);
	return copy;
}

/* Mark the expected records that are equal to this one. */
static void match_record(const struct model_check_dns *dns, const uint8_t *rdata, size_t len, bool *matched)
{
	for (uint32_t i = 0; i < dns->answer_count; i++)
		matched[i] |= dns->answers[i].len == len && memcmp(dns->answers[i].data, rdata, len) == 0;
}

static bool read_answers(const struct model_check_dns *dns, struct byte_reader *r, unsigned count, bool *matched,
			 struct dns_seen *seen)
{
	uint8_t owner[NAME_WIRE_MAX];
	uint8_t copy[RDATA_COPY_MAX];
	for (unsigned i = 0; i < count; i++) {
		(void)read_name(r, owner);
		uint16_t type = byte_read_u16(r);
		uint16_t class = byte_read_u16(r);
		(void)byte_read_u32(r);
		size_t rdlen = byte_read_u16(r);
		const uint8_t *rdata = byte_read_span(r, rdlen);
		if (rdata == NULL)
			return false;
		if (type != dns->type || class != DNS_CLASS_IN)
			continue;
		size_t len = 0;
		const uint8_t *canonical = canonical_rdata(r, type, rdata, rdlen, copy, &len);
		if (canonical == NULL)
			return false;
		seen->record_count++;
		match_record(dns, canonical, len, matched);
	}
	return true;
}

/* Is the question the one that was sent, in any case of its letters (RFC 5452 9.1)? */
static bool is_our_question(const struct model_check_dns *dns, struct byte_reader *r)
{
	uint8_t name[NAME_WIRE_MAX];
	size_t len = read_name(r, name);
	uint16_t type = byte_read_u16(r);
	uint16_t class = byte_read_u16(r);
	return !r->failed && len > 0 && name_equal(name, dns->name) && type == dns->type && class == DNS_CLASS_IN;
}

enum dns_verdict dns_reply_judge(const struct model_check_dns *dns, uint16_t id, bool is_tcp, const uint8_t *data,
				 size_t len, struct dns_seen *seen)
{
	struct byte_reader r;
	bool matched[MODEL_ANSWERS_MAX] = {false};
	*seen = (struct dns_seen){0};
	byte_reader_init(&r, data, len);
	struct dns_header header = dns_header_read(&r);
	if (r.failed || header.id != id || (header.flags & DNS_FLAG_QR) == 0)
		return DNS_OTHER;
	seen->rcode = header.flags & DNS_RCODE_MASK;
	/* An error may come without the question: then only the id can be checked. */
	bool has_no_question = header.questions == 0 && seen->rcode != 0 && byte_reader_left(&r) == 0;
	if (!has_no_question && (header.questions != 1 || !is_our_question(dns, &r)))
		return DNS_OTHER;
	if ((header.flags & DNS_OPCODE_MASK) != 0)
		return DNS_BROKEN;
	if ((header.flags & DNS_FLAG_TC) != 0 && !is_tcp)
		return DNS_TRUNCATED;
	if (!read_answers(dns, &r, header.answers, matched, seen))
		return DNS_BROKEN;
	if (seen->rcode != dns->rcode)
		return DNS_RCODE;
	for (uint32_t i = 0; i < dns->answer_count; i++)
		seen->match_count += matched[i];
	uint32_t needed = dns->is_all ? dns->answer_count : dns->answer_count > 0;
	return seen->match_count >= needed ? DNS_GOOD : DNS_MISSING;
}
