/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/delegation_message.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/dns/message.h"
#include "zones/dns/rdata.h"

size_t delegation_question_write(const struct delegation_question *question, uint16_t id, uint8_t *out)
{
	uint8_t *wire = NULL;
	size_t len = 0;
	ldns_rdf *name = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name_len(question->name), question->name);
	ldns_pkt *packet = name != NULL ? ldns_pkt_query_new(name, (ldns_rr_type)question->type, LDNS_RR_CLASS_IN,
							     question->wants_recursion ? LDNS_RD : 0)
					: NULL;
	if (packet == NULL) {
		ldns_rdf_deep_free(name);
		return 0;
	}
	ldns_pkt_set_id(packet, id);
	if (!question->without_edns)
		ldns_pkt_set_edns_udp_size(packet, DELEGATION_UDP_SIZE);
	bool is_made = ldns_pkt2wire(&wire, packet, &len) == LDNS_STATUS_OK && len <= DELEGATION_QUESTION_MAX;
	if (is_made)
		memcpy(out, wire, len);
	free(wire);
	ldns_pkt_free(packet);
	return is_made ? len : 0;
}

/* Is it a reply to the question (RFC 5452 9.1: id and question; the socket checks the address)? Reads the header. */
static bool is_reply_to(const struct delegation_question *question, uint16_t id, const uint8_t *data, size_t len,
			struct dns_header *header)
{
	uint8_t name[NAME_WIRE_MAX];
	struct byte_reader r;
	byte_reader_init(&r, data, len);
	*header = dns_header_read(&r);
	if (r.failed || header->id != id || (header->flags & DNS_FLAG_QR) == 0 ||
	    (header->flags & DNS_OPCODE_MASK) != 0 || header->questions != 1)
		return false;
	size_t asked_len = name_check(r.pos, byte_reader_left(&r));
	const uint8_t *asked = byte_read_span(&r, asked_len);
	uint16_t type = byte_read_u16(&r), class_ = byte_read_u16(&r);
	if (asked_len == 0 || r.failed)
		return false;
	name_lower_copy(name, asked, asked_len);
	return name_equal(name, question->name) && type == question->type && class_ == DNS_CLASS_IN;
}

/* Copy a name from ldns, uncompressed. */
static bool take_name(const ldns_rdf *rdf, uint8_t *out)
{
	if (rdf == NULL || ldns_rdf_get_type(rdf) != LDNS_RDF_TYPE_DNAME || ldns_rdf_size(rdf) > NAME_WIRE_MAX)
		return false;
	size_t len = name_check(ldns_rdf_data(rdf), ldns_rdf_size(rdf));
	if (len == 0 || len != ldns_rdf_size(rdf))
		return false;
	name_lower_copy(out, ldns_rdf_data(rdf), len);
	return true;
}

static bool take_addr(const ldns_rdf *rdf, uint16_t type, struct veer_addr *out)
{
	size_t len = type == RRTYPE_A ? 4 : 16;
	if (rdf == NULL || ldns_rdf_size(rdf) != len)
		return false;
	*out = (struct veer_addr){.family = type == RRTYPE_A ? VEER_FAMILY_V4 : VEER_FAMILY_V6};
	memcpy(out->bytes, ldns_rdf_data(rdf), len);
	return true;
}

static bool take_record(const ldns_rr *rr, struct delegation_record *out)
{
	const ldns_rdf *first = ldns_rr_rd_count(rr) > 0 ? ldns_rr_rdf(rr, 0) : NULL;
	out->type = (uint16_t)ldns_rr_get_type(rr);
	out->ttl = ldns_rr_ttl(rr);
	if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN || !take_name(ldns_rr_owner(rr), out->owner))
		return false;
	if (out->type == RRTYPE_NS)
		return take_name(first, out->target);
	if (out->type == RRTYPE_A || out->type == RRTYPE_AAAA)
		return take_addr(first, out->type, &out->addr);
	return out->type == RRTYPE_SOA || out->type == RRTYPE_CNAME;
}

static void take_section(const ldns_rr_list *list, enum delegation_section section, struct delegation_reply *out)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		if (out->count == DELEGATION_RECORDS_MAX) {
			out->is_cut = true;
			return;
		}
		struct delegation_record *record = &out->records[out->count];
		memset(record, 0, sizeof *record);
		record->section = section;
		if (take_record(ldns_rr_list_rr(list, i), record))
			out->count++;
	}
}

enum veer_err delegation_reply_read(const struct delegation_question *question, uint16_t id, const uint8_t *data,
				    size_t len, struct delegation_reply *out)
{
	ldns_pkt *packet = NULL;
	struct dns_header header;
	if (!is_reply_to(question, id, data, len, &header))
		return VEER_EINVAL;
	out->count = 0;
	out->is_cut = false;
	out->rcode = header.flags & DNS_RCODE_MASK;
	out->is_authoritative = (header.flags & DNS_FLAG_AA) != 0;
	out->is_truncated = (header.flags & DNS_FLAG_TC) != 0;
	if (out->is_truncated)
		return VEER_OK;
	ldns_status status = ldns_wire2pkt(&packet, data, len);
	if (status != LDNS_STATUS_OK)
		return status == LDNS_STATUS_MEM_ERR ? VEER_ENOMEM : VEER_ECORRUPT;
	out->rcode |= (unsigned)ldns_pkt_edns_extended_rcode(packet) << 4;
	take_section(ldns_pkt_answer(packet), DELEGATION_ANSWER, out);
	take_section(ldns_pkt_authority(packet), DELEGATION_AUTHORITY, out);
	take_section(ldns_pkt_additional(packet), DELEGATION_ADDITIONAL, out);
	ldns_pkt_free(packet);
	return VEER_OK;
}
