/* SPDX-License-Identifier: Apache-2.0 */
/* A plan to ask, and what must hold for all replies. See served.h. */
#include "tests/fuzz/served.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "zones/dns/zonefile.h"

#define COMPARED_MAX 24 /* so many records are compared with each other */

void fuzz_check(bool ok)
{
	if (!ok)
		abort();
}

struct served *served_new(void)
{
	struct served *s = calloc(1, sizeof *s);
	fuzz_check(s != NULL);
	s->builder = plan_builder_new();
	s->responder = aligned_alloc(COUNT_CACHE_LINE, (sizeof *s->responder + 63) / 64 * 64);
	fuzz_check(s->builder != NULL && s->responder != NULL && responder_init(s->responder) == VEER_OK);
	return s;
}

void served_free(struct served *s)
{
	plan_builder_free(&s->builder);
	free(s->responder);
	free(s);
}

struct adding {
	struct plan_builder *builder;
	const uint8_t *origin;
};

static enum veer_err put_rrset(void *ctx, const struct rrset_view *rrset)
{
	struct adding *a = ctx;
	return plan_builder_put_rrset(a->builder, a->origin, 1, rrset);
}

void served_add_zone(struct served *s, const uint8_t *origin, const char *text)
{
	struct zonefile *file = NULL;
	struct veer_diag diag;
	struct adding adding = {s->builder, origin};
	fuzz_check(zonefile_read_text(text, strlen(text), "zone", origin, &file, &diag) == VEER_OK);
	fuzz_check(zonefile_each(file, put_rrset, &adding, &diag) == VEER_OK);
	fuzz_check(plan_builder_show_zone(s->builder, origin, 1) == VEER_OK);
	zonefile_free(&file);
}

void served_put(struct served *s, enum model_kind kind, const char *key, const char *value)
{
	fuzz_check(plan_builder_put(s->builder, kind, key, strlen(key), (const uint8_t *)value, strlen(value), NULL) ==
		   VEER_OK);
}

void served_commit(struct served *s)
{
	struct retire_list retired = {0};
	int64_t revision = s->plan != NULL ? s->plan->revision + 1 : 1;
	fuzz_check(plan_builder_commit(s->builder, revision, &s->plan, &retired) == VEER_OK);
	retire_release(&retired);
}

size_t served_ask(struct served *s, const uint8_t *packet, size_t len, const struct client *client, bool is_tcp,
		  uint64_t random)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	fuzz_check(copy != NULL);
	memcpy(copy, packet, len);
	s->responder->random = random;
	size_t reply =
		respond(s->responder, s->plan, copy, len, client, is_tcp, s->out, is_tcp ? ENCODE_MAX : EDNS_UDP_SIZE);
	free(copy);
	return reply;
}

static unsigned u16_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

size_t fuzz_name(const uint8_t *message, size_t len, size_t *at, uint8_t *out)
{
	size_t pos = *at, before = *at, out_len = 0;
	bool jumped = false;
	for (;;) {
		fuzz_check(pos < len);
		uint8_t c = message[pos];
		if (c >= 0xc0) {
			fuzz_check(pos + 2 <= len);
			size_t to = u16_at(message + pos) & 0x3fff;
			if (!jumped)
				*at = pos + 2;
			jumped = true;
			fuzz_check(to < before && to >= 12); /* RFC 1035 4.1.4: a pointer leads to a prior occurrence */
			pos = before = to;
			continue;
		}
		fuzz_check(c <= 63 && pos + 1 + c <= len && out_len + 1 + c <= NAME_WIRE_MAX);
		out[out_len++] = c;
		for (size_t i = 1; i <= c; i++)
			out[out_len++] = lower(message[pos + i]);
		pos += 1U + c;
		if (c == 0)
			break;
	}
	if (!jumped)
		*at = pos;
	return out_len;
}

void fuzz_record_read(const uint8_t *message, size_t len, size_t *at, struct fuzz_record *out)
{
	(void)fuzz_name(message, len, at, out->owner);
	fuzz_check(*at + 10 <= len);
	const uint8_t *p = message + *at;
	out->type = (uint16_t)u16_at(p);
	out->rclass = (uint16_t)u16_at(p + 2);
	out->ttl = (uint32_t)u16_at(p + 4) << 16 | u16_at(p + 6);
	out->rdata_at = *at + 10;
	out->rdata_len = u16_at(p + 8);
	*at += 10 + out->rdata_len;
	fuzz_check(*at <= len);
}

unsigned fuzz_count(const uint8_t *message, unsigned section)
{
	return u16_at(message + 6 + 2 * (size_t)section);
}

size_t fuzz_records_at(const uint8_t *message, size_t len)
{
	uint8_t name[NAME_WIRE_MAX];
	size_t at = 12;
	fuzz_check(len >= 12 && u16_at(message + 4) <= 1);
	if (u16_at(message + 4) == 1) {
		(void)fuzz_name(message, len, &at, name);
		at += 4;
	}
	fuzz_check(at <= len);
	return at;
}

static void check_question(const uint8_t *query, size_t query_len, const uint8_t *reply, size_t reply_len)
{
	size_t end = fuzz_records_at(reply, reply_len);
	fuzz_check(end <= query_len && memcmp(reply + 12, query + 12, end - 12) == 0);
	if (u16_at(reply + 4) == 0)
		fuzz_check(fuzz_count(reply, 0) == 0 && fuzz_count(reply, 1) == 0);
}

/* All records are complete in the message, and nothing follows them. */
static void check_records(const uint8_t *reply, size_t len)
{
	size_t at = fuzz_records_at(reply, len);
	unsigned opts = 0;
	for (unsigned section = 0; section < 3; section++)
		for (unsigned i = fuzz_count(reply, section); i > 0; i--) {
			struct fuzz_record record;
			fuzz_record_read(reply, len, &at, &record);
			if (record.type == RRTYPE_OPT) {
				fuzz_check(section == 2 && record.owner[0] == 0 && ++opts == 1);
				fuzz_check(record.rdata_len <= EDNS_OPTIONS_MAX);
			} else {
				fuzz_check(record.rclass == 1 && (record.ttl & 0x80000000) == 0);
			}
		}
	fuzz_check(at == len);
}

/* RFC 2181 5: a message has a record only once, and the records of an RRset in a section have one TTL. */
static void check_rrsets(const ldns_pkt *pkt)
{
	ldns_rr_list *all = ldns_pkt_all_noquestion(pkt);
	size_t count = ldns_rr_list_rr_count(all);
	for (size_t i = 0; i < count && i < COMPARED_MAX; i++)
		for (size_t j = i + 1; j < count && j < COMPARED_MAX; j++) {
			const ldns_rr *a = ldns_rr_list_rr(all, i), *b = ldns_rr_list_rr(all, j);
			if (ldns_rr_get_type(a) != ldns_rr_get_type(b) ||
			    ldns_dname_compare(ldns_rr_owner(a), ldns_rr_owner(b)) != 0)
				continue;
			fuzz_check(ldns_rr_compare(a, b) != 0);
			fuzz_check(ldns_rr_ttl(a) == ldns_rr_ttl(b));
		}
	ldns_rr_list_deep_free(all); /* the list holds copies */
}

/* The offset after the name at `at`, without following pointers; beyond `len` when the name is cut short. */
static size_t behind_name(const uint8_t *message, size_t len, size_t at)
{
	while (at < len && message[at] != 0) {
		if (message[at] >= 0xc0)
			return at + 2;
		at += 1U + message[at];
	}
	return at + 1;
}

/*
 * How long a reply over UDP may be: the size in the query's first OPT, within our bounds, or 512 octets without OPT. A
 * query that is not a complete message gets at most an error.
 */
static size_t udp_limit(const uint8_t *query, size_t len)
{
	size_t at = 12;
	unsigned records = u16_at(query + 6) + u16_at(query + 8) + u16_at(query + 10);
	for (unsigned i = u16_at(query + 4); i > 0 && at <= len; i--)
		at = behind_name(query, len, at) + 4;
	for (; records > 0 && at < len; records--) {
		size_t type_at = behind_name(query, len, at);
		if (type_at + 10 > len)
			return EDNS_UDP_SIZE;
		size_t size = u16_at(query + type_at + 2);
		if (query[at] == 0 && u16_at(query + type_at) == RRTYPE_OPT)
			return size < 512 ? 512 : size < EDNS_UDP_SIZE ? size : EDNS_UDP_SIZE;
		at = type_at + 10 + u16_at(query + type_at + 8);
	}
	return at > len ? EDNS_UDP_SIZE : 512;
}

void served_check_reply(const uint8_t *query, size_t query_len, const uint8_t *reply, size_t reply_len, bool is_tcp)
{
	ldns_pkt *pkt = NULL;
	fuzz_check(query_len >= 12 && reply_len >= 12 && (query[2] & 0x80) == 0);
	fuzz_check(memcmp(query, reply, 2) == 0 && (reply[2] & 0x80) != 0);
	fuzz_check((reply[2] & 0x79) == (query[2] & 0x79));
	fuzz_check((reply[3] & 0xf0) == (query[3] & 0x10));
	fuzz_check(is_tcp || reply_len <= udp_limit(query, query_len));
	check_question(query, query_len, reply, reply_len);
	check_records(reply, reply_len);
	fuzz_check(ldns_wire2pkt(&pkt, reply, reply_len) == LDNS_STATUS_OK);
	check_rrsets(pkt);
	ldns_pkt_free(pkt);
}
