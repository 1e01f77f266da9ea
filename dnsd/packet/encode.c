/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding replies. See encode.h. */
#include "dnsd/packet/encode.h"

#include <string.h>

#include "base/bytes.h"
#include "dnsd/packet/tsig.h"

#define COUNTS_AT 6 /* offset of ANCOUNT in the header; NSCOUNT and ARCOUNT follow */

/* A reply being written. */
struct encoder {
	struct byte_writer w;
	const struct answer *answer;
	uint16_t item_at[ANSWER_ITEMS_MAX]; /* where each item begins; 0: not written */
	bool is_expanded[ANSWER_ITEMS_MAX]; /* the item was written without compression */
	uint16_t counts[ANSWER_SECTION_COUNT];
	bool is_truncated;
};

size_t encode_udp_limit(const struct query *q)
{
	if (!q->edns.is_present || q->edns.udp_size < EDNS_UDP_MIN)
		return EDNS_UDP_MIN;
	return q->edns.udp_size < EDNS_UDP_SIZE ? q->edns.udp_size : EDNS_UDP_SIZE;
}

static size_t question_len(const struct query *q)
{
	return q->has_question ? (size_t)q->qname_len + 4 : 0;
}

/* Write the header, except AA, TC and the counts of records, and the question. */
static void write_head(const struct query *q, enum dns_rcode rcode, struct byte_writer *w)
{
	unsigned flags = DNS_FLAG_QR | (q->flags & (DNS_OPCODE_MASK | DNS_FLAG_RD | DNS_FLAG_CD)) | (rcode & 0xf);
	byte_write_span(w, q->packet, 2);
	byte_write_u16(w, (uint16_t)flags);
	byte_write_u16(w, q->has_question ? 1 : 0);
	byte_write_u16(w, 0);
	byte_write_u32(w, 0);
	byte_write_span(w, q->packet + DNS_HEADER_LEN, question_len(q));
}

static inline unsigned u16_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The offset of the name at `at` without its first `labels` labels. The message is our own: pointers lead backwards. */
static unsigned skip_labels(const uint8_t *message, unsigned at, unsigned labels)
{
	for (;;) {
		while (message[at] >= 0xc0)
			at = u16_at(message + at) & READY_POINTER_MAX;
		if (labels == 0 || message[at] == 0)
			return at;
		at += message[at] + 1U;
		labels--;
	}
}

/* Copy the name at `at`, uncompressed. */
static void copy_name(const uint8_t *message, unsigned at, uint8_t *out)
{
	size_t len = 0;
	for (;;) {
		while (message[at] >= 0xc0)
			at = u16_at(message + at) & READY_POINTER_MAX;
		size_t step = message[at] + 1U;
		if (len + step > NAME_WIRE_MAX)
			break;
		memcpy(out + len, message + at, step);
		len += step;
		if (step == 1)
			return;
		at += (unsigned)step;
	}
	out[0] = 0; /* cannot happen: only valid names are written */
}

/* The offset after the name at `at` as it is stored. */
static unsigned behind_name(const uint8_t *message, unsigned at)
{
	for (;; at += message[at] + 1U) {
		if (message[at] >= 0xc0)
			return at + 2;
		if (message[at] == 0)
			return at + 1;
	}
}

/* The offset of target `index` of an item that was written uncompressed; each record has one target. */
static unsigned expanded_target(const uint8_t *message, unsigned at, const struct ready_rrset *rr, unsigned index)
{
	for (;; index--) {
		unsigned fixed = behind_name(message, at);
		if (index == 0)
			return fixed + 10 + rdata_layout(rr->type).fixed;
		at = fixed + 10 + u16_at(message + fixed + 8);
	}
}

/* The offset of a target of the item `index` in the message; 0 when that item was left out. */
static unsigned target_of(const struct encoder *e, unsigned index, unsigned target)
{
	const struct ready_rrset *rr = e->answer->items[index].rr;
	unsigned at = e->item_at[index];
	if (at == 0)
		return 0;
	return e->is_expanded[index] ? expanded_target(e->w.base, at, rr, target) : at + ready_target_at(rr, target);
}

/* The offset of the owner of `item` in the message; 0 when the item that it refers to was left out. */
static unsigned owner_of(const struct encoder *e, const struct answer_item *item)
{
	unsigned at = item->base == ANSWER_QNAME ? READY_QNAME_OFFSET : target_of(e, item->base, item->target);
	if (at == 0)
		return 0;
	return item->base == ANSWER_QNAME && item->skip == 0 ? at : skip_labels(e->w.base, at, item->skip);
}

/* The offset in the message of the name that the RRset of item `index` uses as its zone's apex. */
static unsigned apex_of(const struct encoder *e, unsigned index, unsigned owner_at)
{
	const struct answer_item *item = &e->answer->items[index];
	return item->made_of != ANSWER_FOUND ? target_of(e, item->made_of, 0)
					     : skip_labels(e->w.base, owner_at, item->apex_skip);
}

/* Write without compression pointers, because some name is beyond their reach. Happens only in replies over TCP. */
static bool write_expanded(struct encoder *e, const struct answer_item *item, unsigned owner_at, unsigned apex_at)
{
	uint8_t owner[NAME_WIRE_MAX];
	uint8_t apex[NAME_WIRE_MAX];
	copy_name(e->w.base, owner_at, owner);
	copy_name(e->w.base, apex_at, apex);
	size_t len = ready_expand(item->rr, owner, apex, e->w.pos, byte_writer_left(&e->w));
	e->w.pos += len;
	return len > 0;
}

static bool write_item(struct encoder *e, unsigned index)
{
	const struct answer_item *item = &e->answer->items[index];
	unsigned owner_at = owner_of(e, item);
	unsigned start = (unsigned)byte_writer_len(&e->w);
	bool far = false;
	if (owner_at == 0)
		return false;
	unsigned apex_at = item->rr->patch_count > 0 ? apex_of(e, index, owner_at) : owner_at;
	if (!ready_write(item->rr, &e->w, owner_at, apex_at, &far)) {
		if (!far)
			return false;
		apex_at = apex_of(e, index, owner_at);
		if (!write_expanded(e, item, owner_at, apex_at))
			return false;
		e->is_expanded[index] = true;
	}
	e->item_at[index] = (uint16_t)start;
	e->counts[item->section] = (uint16_t)(e->counts[item->section] + item->rr->count);
	return true;
}

/*
 * Write the items in the order of the message. A lookup adds them in that order, except for addresses that belong to
 * the middle of a chain.
 */
static void write_items(struct encoder *e)
{
	for (unsigned section = 0; section < ANSWER_SECTION_COUNT && !e->is_truncated; section++)
		for (unsigned i = 0; i < e->answer->item_count && !e->is_truncated; i++) {
			if (e->answer->items[i].section != section)
				continue;
			e->item_at[i] = 0;
			e->is_expanded[i] = false;
			if (!write_item(e, i) && e->answer->items[i].is_required)
				e->is_truncated = true;
		}
}

static uint8_t scope_of(const struct query *q, const struct answer *answer)
{
	if (!answer->uses_location || !q->edns.ecs.is_present || q->edns.ecs.source_len == 0)
		return 0;
	return answer->location.prefix_len;
}

size_t encode_answer(const struct query *q, const struct answer *answer, uint8_t *out, size_t limit)
{
	struct encoder e;
	size_t opt_len = edns_reply_len(&q->edns);
	e.answer = answer;
	e.is_truncated = false;
	memset(e.counts, 0, sizeof e.counts);
	byte_writer_init(&e.w, out, limit - opt_len);
	write_head(q, answer->rcode, &e.w);
	write_items(&e);
	e.w.end += opt_len;
	if (q->edns.is_present) {
		edns_write(&q->edns, answer->rcode, scope_of(q, answer), &e.w);
		e.counts[ANSWER_SECTION_ADDITIONAL]++;
	}
	unsigned flags = u16_at(out + 2);
	flags |= (answer->is_authoritative ? DNS_FLAG_AA : 0U) | (e.is_truncated ? DNS_FLAG_TC : 0U);
	byte_write_u16_at(&e.w, 2, (uint16_t)flags);
	for (unsigned i = 0; i < ANSWER_SECTION_COUNT; i++)
		byte_write_u16_at(&e.w, COUNTS_AT + 2 * i, e.counts[i]);
	return byte_writer_len(&e.w);
}

/* Add the TSIG record after everything else; when it does not fit, TC is set and the client may ask again over TCP. */
static void add_badkey(const struct query *q, struct byte_writer *w)
{
	struct tsig tsig;
	uint8_t *start = w->pos;
	if (!tsig_read(&tsig, q->packet, q->len, q->tsig_at))
		return;
	tsig_write_badkey(&tsig, w);
	if (w->failed) {
		w->failed = false;
		w->pos = start;
		w->base[2] |= DNS_FLAG_TC >> 8;
		return;
	}
	byte_write_u16_at(w, COUNTS_AT + 4, q->edns.is_present ? 2 : 1);
}

size_t encode_error(const struct query *q, enum dns_rcode rcode, uint8_t *out, size_t limit)
{
	struct byte_writer w;
	byte_writer_init(&w, out, limit);
	write_head(q, rcode, &w);
	if (q->edns.is_present) {
		edns_write(&q->edns, rcode, 0, &w);
		byte_write_u16_at(&w, COUNTS_AT + 4, 1);
	}
	if (q->tsig_at != 0 && rcode == DNS_NOTAUTH)
		add_badkey(q, &w);
	return byte_writer_len(&w);
}
