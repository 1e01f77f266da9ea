/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes zones of the input's octets, with names that share their ends. Each RRset that is asked for must come back as
 * it was put in, however names are compressed (RFC 1035 4.1.4, RFC 3597 4). Tests zones/plan/ready.c and
 * dnsd/packet/encode.c over TCP and, for each size that a client may accept, over UDP.
 *
 * An RRset at a wildcard is also asked for by a name that the wildcard covers.
 *
 * Oracle: everything in served.h (complete records, pointers backwards, sizes, ldns reads it). Each record of a reply
 * was put in, under its owner. Each RRset is complete or absent. The RRset of the question is present over TCP, and
 * over UDP unless TC is set. Which types may compress their names is defined here a second time.
 */
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

#define RRSETS_MAX 12
#define NAMES_MAX 24
#define RECORDS_MAX 600

/* The input, consumed from the front; zeros once it is used up. */
struct input {
	const uint8_t *at;
	size_t left;
};

struct put_rrset {
	uint8_t *wire; /* in canonical form */
	size_t len;
	struct rrset_view view;
};

struct zone {
	uint8_t apex[NAME_WIRE_MAX];
	unsigned name_count;
	uint8_t names[NAMES_MAX][NAME_WIRE_MAX]; /* the names made so far, whose ends later names use */
	unsigned rrset_count;
	struct put_rrset rrsets[RRSETS_MAX + 2];
};

static unsigned eat(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static void eat_bytes(struct input *in, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)eat(in);
}

/* Make a name of a few labels and the end of an existing name; case and octets are those of the input. */
static void make_name(struct zone *z, struct input *in, bool is_in_zone, uint8_t *out)
{
	static const char *const common[] = {"a", "b", "www", "*", "ns", "mail", "x-y", "_tcp"};
	unsigned choice = eat(in), labels = choice & 7, len = 0;
	const uint8_t *end = z->apex;
	if (z->name_count > 0 && (choice & 0x80) != 0) {
		end = z->names[eat(in) % z->name_count];
		end = name_skip(end, (choice >> 4 & 3) % (name_label_count(end) + 1));
	} else if ((choice & 0x40) != 0) {
		end = (const uint8_t *)"";
	}
	for (unsigned i = 0; i < labels; i++) {
		uint8_t label[64];
		unsigned kind = eat(in);
		unsigned label_len = kind & 0x3f;
		if (kind < 0x40) {
			label_len = (unsigned)strlen(common[kind & 7]);
			memcpy(label, common[kind & 7], label_len);
		} else if (kind < 0x80) {
			label_len = label_len > 0 ? label_len : 1;
			memset(label, (int)eat(in), label_len);
		} else {
			label_len = label_len > 0 ? label_len : 1;
			eat_bytes(in, label, label_len);
		}
		if (len + 1 + label_len + name_len(end) > NAME_WIRE_MAX)
			break;
		out[len] = (uint8_t)label_len;
		memcpy(out + len + 1, label, label_len);
		len += 1 + label_len;
	}
	memcpy(out + len, end, name_len(end));
	name_lower(out, name_len(out));
	if (is_in_zone && !name_is_under(out, z->apex))
		memcpy(out, z->apex, name_len(z->apex));
	if (z->name_count < NAMES_MAX)
		memcpy(z->names[z->name_count++], out, name_len(out));
}

/*
 * Every second record has its names in capitals: the zone keeps their case where a name is written out, and otherwise
 * ignores it.
 */
static void raise_name(uint8_t *name)
{
	for (; *name != 0; name += *name + 1U)
		for (unsigned i = 1; i <= *name; i++)
			if (name[i] >= 'a' && name[i] <= 'z')
				name[i] = (uint8_t)(name[i] - 'a' + 'A');
}

/* Make RDATA of a type: its fixed part, strings, names, and what may follow. */
static size_t make_rdata(struct zone *z, struct input *in, uint16_t type, unsigned number, uint8_t *out)
{
	struct rdata_layout layout = rdata_layout(type);
	size_t len = layout.fixed;
	eat_bytes(in, out, len);
	if (len >= 2) { /* so that records differ */
		out[0] = (uint8_t)(number >> 8);
		out[1] = (uint8_t)number;
	}
	for (unsigned i = 0; i < layout.strings; i++) {
		unsigned string = eat(in) & 7;
		out[len] = (uint8_t)string;
		eat_bytes(in, out + len + 1, string);
		len += 1 + string;
	}
	for (unsigned i = 0; i < layout.names; i++) {
		make_name(z, in, false, out + len);
		if ((number & 1) != 0)
			raise_name(out + len);
		len += name_len(out + len);
	}
	size_t tail = layout.tail == 255 ? eat(in) : layout.tail;
	if (type == RRTYPE_A || type == RRTYPE_AAAA)
		tail = type == RRTYPE_A ? 4 : 16;
	if (type == RRTYPE_SVCB || type == RRTYPE_HTTPS)
		tail = 0; /* other targets test the parameters of SVCB and HTTPS */
	eat_bytes(in, out + len, tail);
	if (tail >= 4) {
		out[len] = (uint8_t)(number >> 8);
		out[len + 1] = (uint8_t)number;
	}
	len += tail;
	if (type == RRTYPE_TXT) { /* only complete strings */
		out[0] = (uint8_t)(len > 256 ? 255 : len > 0 ? len - 1 : 0);
		len = len > 256 ? 256 : len > 0 ? len : 1;
	}
	return len;
}

static void put(struct served *s, struct zone *z, const uint8_t *owner, uint16_t type, const struct rdata_span *records,
		size_t count, uint32_t ttl)
{
	struct put_rrset *p = &z->rrsets[z->rrset_count];
	if (rrset_compose(owner, type, ttl, records, count, &p->wire, &p->len, NULL) != VEER_OK)
		return;
	fuzz_check(rrset_check(p->wire, p->len, &p->view, NULL) == VEER_OK);
	for (unsigned i = 0; i < z->rrset_count; i++) /* the first RRset of an owner and type counts */
		if (z->rrsets[i].view.type == type && name_equal(z->rrsets[i].view.owner, p->view.owner)) {
			free(p->wire);
			return;
		}
	z->rrset_count++;
	enum veer_err err = plan_builder_put_rrset(s->builder, z->apex, 1, &p->view);
	fuzz_check(err == VEER_OK || err == VEER_ERANGE);
	if (err != VEER_OK) {
		free(p->wire);
		z->rrset_count--;
	}
}

static void make_rrset(struct served *s, struct zone *z, struct input *in)
{
	static const uint16_t types[] = {RRTYPE_A,     RRTYPE_MX,   RRTYPE_NS,    RRTYPE_CNAME, RRTYPE_PTR,
					 RRTYPE_MINFO, RRTYPE_SRV,  RRTYPE_RP,    RRTYPE_NAPTR, RRTYPE_AFSDB,
					 RRTYPE_PX,    RRTYPE_KX,   RRTYPE_DNAME, RRTYPE_SVCB,  RRTYPE_HTTPS,
					 RRTYPE_TXT,   RRTYPE_AAAA, 65280,        RRTYPE_MB,    RRTYPE_RT,
					 RRTYPE_MX,    RRTYPE_MX};
	static uint8_t rdata[RECORDS_MAX * 40];
	static struct rdata_span records[RECORDS_MAX];
	uint8_t owner[NAME_WIRE_MAX];
	uint16_t type = types[eat(in) % (sizeof types / sizeof types[0])];
	unsigned count = eat(in), repeat = 1, made = 0;
	size_t used = 0;
	make_name(z, in, true, owner);
	/* many records that differ only in their number, so that the reply grows beyond the reach of pointers */
	if (count >= 0x80) {
		repeat = (count & 0x7f) * 5;
		count = 3;
	}
	for (unsigned r = 0; r < (repeat > 0 ? repeat : 1); r++) {
		struct input again = *in;
		for (unsigned i = 0; i < (count & 15) + 1 && made < RECORDS_MAX && used + 600 < sizeof rdata; i++) {
			size_t len = make_rdata(z, r + 1 < repeat ? &again : in, type, made, rdata + used);
			records[made++] = (struct rdata_span){rdata + used, len};
			used += len;
		}
	}
	put(s, z, owner, type, records, made, eat(in));
}

static void make_zone(struct served *s, struct zone *z, struct input *in)
{
	uint8_t soa[2 * NAME_WIRE_MAX + 20] = {0};
	uint8_t ns[NAME_WIRE_MAX];
	unsigned rrsets = eat(in) % RRSETS_MAX;
	uint8_t apex[NAME_WIRE_MAX];
	memcpy(z->apex, "\7example", 9);
	make_name(z, in, false, apex);
	memcpy(z->apex, apex, name_len(apex));
	make_name(z, in, false, soa);
	make_name(z, in, false, soa + name_len(soa));
	make_name(z, in, false, ns);
	size_t soa_len = name_len(soa);
	soa_len += name_len(soa + soa_len) + 20;
	memset(soa + soa_len - 20, 1, 20);
	put(s, z, z->apex, RRTYPE_SOA, &(struct rdata_span){soa, soa_len}, 1, 5);
	put(s, z, z->apex, RRTYPE_NS, &(struct rdata_span){ns, name_len(ns)}, 1, 6);
	for (unsigned i = 0; i < rrsets; i++)
		make_rrset(s, z, in);
	fuzz_check(plan_builder_show_zone(s->builder, z->apex, 1) == VEER_OK);
	served_commit(s);
}

/* Does a cut at or above `owner`, or a DNAME strictly above it, hide it? */
static bool is_hidden(const struct zone *z, const uint8_t *owner)
{
	for (unsigned i = 0; i < z->rrset_count; i++) {
		const struct rrset_view *v = &z->rrsets[i].view;
		if (!name_is_under(owner, v->owner))
			continue;
		if (v->type == RRTYPE_NS && !name_equal(v->owner, z->apex))
			return true;
		if (v->type == RRTYPE_DNAME && !name_equal(v->owner, owner))
			return true;
	}
	return false;
}

/* RFC 3597 4: only the types of RFC 1035 may be compressed, and all of their names are compressed here. */
static bool may_compress(uint16_t type)
{
	static const uint16_t types[] = {RRTYPE_NS,  RRTYPE_CNAME, RRTYPE_SOA, RRTYPE_MB,
					 RRTYPE_PTR, RRTYPE_MINFO, RRTYPE_MX};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i] == type)
			return true;
	return false;
}

/* Write the RDATA of a record in full, in lower case where case has no meaning. Returns its length. */
static size_t expand(const uint8_t *reply, size_t len, const struct fuzz_record *record, uint8_t *out)
{
	size_t at = record->rdata_at, end = at + record->rdata_len, out_len = 0;
	if (!may_compress(record->type)) {
		memcpy(out, reply + at, record->rdata_len);
		rdata_lower(record->type, out, record->rdata_len);
		return record->rdata_len;
	}
	size_t fixed = record->type == RRTYPE_MX ? 2 : 0;
	fuzz_check(record->rdata_len > fixed);
	memcpy(out, reply + at, fixed);
	at += fixed;
	out_len = fixed;
	for (int names = record->type == RRTYPE_SOA || record->type == RRTYPE_MINFO ? 2 : 1; names > 0; names--) {
		fuzz_check(at < end);
		out_len += fuzz_name(reply, len, &at, out + out_len);
	}
	fuzz_check(at <= end && end - at == (record->type == RRTYPE_SOA ? 20U : 0U));
	memcpy(out + out_len, reply + at, end - at);
	return out_len + (end - at);
}

/*
 * Is the RDATA that was put in the same as that of the reply, whose names are in lower case where case has no meaning?
 */
static bool is_same(uint16_t type, const struct rdata_span *put_in, const uint8_t *rdata, size_t len)
{
	static uint8_t copy[RRSET_WIRE_MAX];
	if (put_in->len != len)
		return false;
	if (memcmp(put_in->data, rdata, len) == 0)
		return true;
	memcpy(copy, put_in->data, len);
	rdata_lower(type, copy, len);
	return memcmp(copy, rdata, len) == 0;
}

/* Is this RDATA in the RRset? `*pos` is the place to look first: after the one that was found before. */
static bool has(const struct rrset_view *view, size_t *pos, const uint8_t *rdata, size_t len)
{
	struct rdata_span span;
	if (rrset_next(view, pos, &span) && is_same(view->type, &span, rdata, len))
		return true;
	for (*pos = 0; rrset_next(view, pos, &span);)
		if (is_same(view->type, &span, rdata, len))
			return true;
	return false;
}

static const struct rrset_view *find(const struct zone *z, const uint8_t *owner, uint16_t type)
{
	for (unsigned i = 0; i < z->rrset_count; i++)
		if (z->rrsets[i].view.type == type && name_equal(z->rrsets[i].view.owner, owner))
			return &z->rrsets[i].view;
	return NULL;
}

/* The wildcard that answers for a name that is not in the zone: the one at its closest encloser (RFC 4592 3.3.1). */
static const struct rrset_view *find_wildcard(const struct zone *z, const uint8_t *owner, uint16_t type)
{
	uint8_t source[NAME_WIRE_MAX + 2] = {1, '*'};
	for (unsigned skip = 1; skip <= name_label_count(owner); skip++) {
		const uint8_t *encloser = name_skip(owner, skip);
		if (2 + name_len(encloser) > NAME_WIRE_MAX)
			continue;
		memcpy(source + 2, encloser, name_len(encloser));
		const struct rrset_view *view = find(z, source, type);
		if (view != NULL)
			return view;
	}
	return NULL;
}

/* Is this a CNAME that a DNAME of the zone made (RFC 6672 3.1): the question's labels, then the DNAME's target? */
static bool is_made(const struct zone *z, const struct fuzz_record *record, const uint8_t *rdata)
{
	for (unsigned i = 0; i < z->rrset_count; i++) {
		const struct rrset_view *v = &z->rrsets[i].view;
		size_t pos = 0, kept = name_len(record->owner) - name_len(v->owner);
		struct rdata_span target;
		if (v->type != RRTYPE_DNAME || !name_is_under(record->owner, v->owner) || !rrset_next(v, &pos, &target))
			continue;
		const struct rdata_span end = {target.data, target.len};
		if (name_len(rdata) == kept + target.len && memcmp(rdata, record->owner, kept) == 0 &&
		    is_same(RRTYPE_DNAME, &end, rdata + kept, target.len))
			return true;
	}
	return false;
}

/* Check that each record was put in and that each RRset is complete. */
static void check_records(const struct zone *z, const uint8_t *reply, size_t len)
{
	static uint8_t rdata[65536 + 512];
	size_t at = fuzz_records_at(reply, len);
	const struct rrset_view *open = NULL;
	unsigned open_left = 0;
	size_t pos = 0;
	for (unsigned section = 0; section < 3; section++)
		for (unsigned i = fuzz_count(reply, section); i > 0; i--) {
			struct fuzz_record record;
			fuzz_record_read(reply, len, &at, &record);
			if (record.type == RRTYPE_OPT)
				continue;
			size_t rdata_len = expand(reply, len, &record, rdata);
			const struct rrset_view *view = find(z, record.owner, record.type);
			if (view == NULL)
				view = find_wildcard(z, record.owner, record.type);
			if (open_left == 0)
				pos = 0;
			/*
			 * a CNAME that a DNAME hides may by chance equal one that the DNAME makes, but with another TTL
			 */
			if (record.type == RRTYPE_CNAME && is_hidden(z, record.owner) && is_made(z, &record, rdata))
				continue;
			if (view == NULL || !has(view, &pos, rdata, rdata_len)) {
				fuzz_check(record.type == RRTYPE_CNAME && is_made(z, &record, rdata));
				continue;
			}
			if (open_left == 0) {
				open = view;
				open_left = view->count;
			}
			fuzz_check(open == view);
			fuzz_check(record.ttl == view->ttl || record.type == RRTYPE_SOA);
			open_left--;
		}
	fuzz_check(open_left == 0);
}

/* Make the query for an RRset; for one at a wildcard with `is_below` by a name that the wildcard covers. */
static size_t make_query(const struct rrset_view *view, bool is_below, struct input *in, uint16_t udp_size,
			 uint8_t *out)
{
	static const uint8_t opt[] = {0, 0, RRTYPE_OPT, 0, 0, 0, 0, 0, 0, 0, 0};
	unsigned flips = eat(in);
	memcpy(out, "\x12\x34\1\0\0\1\0\0\0\0\0\1", 12);
	memcpy(out + 12, view->owner, view->owner_len);
	if (is_below)
		out[13] = 'q';
	for (size_t at = 12; out[at] != 0; at += out[at] + 1U) /* letters in any case */
		for (size_t i = 1; i <= out[at]; i++)
			if (out[at + i] >= 'a' && out[at + i] <= 'z' && (flips >> (i & 7) & 1) != 0)
				out[at + i] = (uint8_t)(out[at + i] - 'a' + 'A');
	uint8_t *p = out + 12 + view->owner_len;
	p[0] = (uint8_t)(view->type >> 8);
	p[1] = (uint8_t)view->type;
	p[2] = 0;
	p[3] = 1;
	memcpy(p + 4, opt, sizeof opt);
	p[7] = (uint8_t)(udp_size >> 8);
	p[8] = (uint8_t)udp_size;
	return 12 + view->owner_len + 4 + sizeof opt;
}

/* A name below a wildcard must get the wildcard's RDATA, whatever names that contains. */
static void ask_below(struct served *s, const struct zone *z, const struct rrset_view *view, struct input *in,
		      bool is_tcp)
{
	static const struct client client = {.is_ipv6 = false};
	uint8_t query[512];
	size_t query_len = make_query(view, true, in, 1232, query);
	size_t len = served_ask(s, query, query_len, &client, is_tcp, 1);
	served_check_reply(query, query_len, s->out, len, is_tcp);
	check_records(z, s->out, len);
}

/* Ask for an RRset that was put in. */
static void ask(struct served *s, const struct zone *z, const struct rrset_view *view, struct input *in, bool is_tcp)
{
	static const struct client client = {.is_ipv6 = false};
	uint8_t query[512];
	uint16_t udp_size = (uint16_t)(512 + eat(in) * 3);
	size_t query_len = make_query(view, false, in, udp_size, query);
	size_t len = served_ask(s, query, query_len, &client, is_tcp, 1);
	served_check_reply(query, query_len, s->out, len, is_tcp);
	check_records(z, s->out, len);
	if ((s->out[2] & 2) != 0 || is_hidden(z, view->owner))
		return;
	size_t at = fuzz_records_at(s->out, len);
	fuzz_check((s->out[3] & 0xf) == 0 && (s->out[2] & 4) != 0 && fuzz_count(s->out, 0) >= view->count);
	for (unsigned i = 0; i < view->count; i++) {
		struct fuzz_record record;
		fuzz_record_read(s->out, len, &at, &record);
		fuzz_check(record.type == view->type && name_equal(record.owner, view->owner));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zone zone;
	struct input in = {data, size};
	struct served *s = served_new();
	memset(&zone, 0, sizeof zone);
	make_zone(s, &zone, &in);
	for (unsigned i = 0; i < zone.rrset_count; i++) {
		ask(s, &zone, &zone.rrsets[i].view, &in, true);
		ask(s, &zone, &zone.rrsets[i].view, &in, false);
		if (!name_is_wildcard(zone.rrsets[i].view.owner))
			continue;
		ask_below(s, &zone, &zone.rrsets[i].view, &in, true);
		ask_below(s, &zone, &zone.rrsets[i].view, &in, false);
	}
	for (unsigned i = 0; i < zone.rrset_count; i++)
		free(zone.rrsets[i].wire);
	served_free(s);
	return 0;
}
