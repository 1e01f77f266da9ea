/* SPDX-License-Identifier: Apache-2.0 */
/* RRsets ready to send. See ready.h. */
#include "zones/plan/ready.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEAD 12    /* owner pointer, type, class, TTL, RDLENGTH */
#define NAMES_SEEN_MAX 48 /* earlier names that later ones are compared with; this bounds the work for long RRsets */

/* A name (or the end of one) written earlier, as it was before compression. */
struct seen_name {
	uint16_t at;   /* offset in data */
	uint16_t copy; /* offset in the builder's copies */
};

struct ready_builder {
	uint8_t data[RRSET_WIRE_MAX];
	uint16_t patches[RRSET_RECORDS_MAX * RDATA_NAMES_MAX];
	uint16_t targets[RRSET_RECORDS_MAX];
	uint8_t copies[NAMES_SEEN_MAX * 16]; /* names in full, for comparison */
	struct seen_name seen[NAMES_SEEN_MAX];
	const uint8_t *owner;
	const uint8_t *apex;
	size_t len;
	size_t copies_len;
	uint32_t ttl;
	uint16_t type;
	uint16_t count;
	uint16_t patch_count;
	uint16_t target_count;
	uint16_t seen_count;
	bool failed;
};

struct ready_builder *ready_builder_new(void)
{
	return calloc(1, sizeof(struct ready_builder));
}

void ready_builder_free(struct ready_builder **builder)
{
	free(*builder);
	*builder = NULL;
}

void ready_begin(struct ready_builder *builder, uint16_t type, uint32_t ttl, const uint8_t *owner, const uint8_t *apex)
{
	builder->owner = owner;
	builder->apex = apex;
	builder->len = 0;
	builder->copies_len = 0;
	builder->ttl = ttl;
	builder->type = type;
	builder->count = 0;
	builder->patch_count = 0;
	builder->target_count = 0;
	builder->seen_count = 0;
	builder->failed = false;
}

static void put(struct ready_builder *b, const void *data, size_t len)
{
	if (b->failed || len > sizeof b->data - b->len) {
		b->failed = true;
		return;
	}
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void put_u16(struct ready_builder *b, unsigned value)
{
	put(b, (const uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

/* The compression pointer that can replace `suffix`, or 0. */
static unsigned pointer_for(const struct ready_builder *b, const uint8_t *suffix)
{
	if (b->apex != NULL && name_equal(suffix, b->apex))
		return READY_TO_APEX;
	if (b->owner != NULL && name_equal(suffix, b->owner))
		return READY_TO_OWNER;
	for (unsigned i = 0; i < b->seen_count; i++)
		if (name_equal(suffix, b->copies + b->seen[i].copy))
			return 0xc000U | b->seen[i].at;
	return 0;
}

/* Remember a name that is about to be written at the present end, and its suffixes without up to `labels` labels. */
static void remember(struct ready_builder *b, const uint8_t *name, unsigned labels)
{
	size_t len = name_len(name);
	if (len > sizeof b->copies - b->copies_len)
		return;
	memcpy(b->copies + b->copies_len, name, len);
	size_t offset = 0;
	for (unsigned i = 0; i < labels && b->seen_count < NAMES_SEEN_MAX; i++) {
		if (b->len + offset >= (READY_TO_OWNER & READY_POINTER_MAX))
			break; /* beyond the reach of a pointer, or a value that has another meaning */
		b->seen[b->seen_count++] = (struct seen_name){.at = (uint16_t)(b->len + offset),
							      .copy = (uint16_t)(b->copies_len + offset)};
		offset += (size_t)name[offset] + 1;
	}
	b->copies_len += len;
}

static void put_compressed(struct ready_builder *b, const uint8_t *name)
{
	unsigned labels = 0;
	unsigned pointer = 0;
	const uint8_t *suffix = name;
	for (; *suffix != 0; suffix += *suffix + 1, labels++) {
		pointer = pointer_for(b, suffix);
		if (pointer != 0)
			break;
	}
	remember(b, name, labels);
	put(b, name, (size_t)(suffix - name));
	if (pointer == 0) {
		put(b, "", 1);
		return;
	}
	assert(b->patch_count < sizeof b->patches / sizeof b->patches[0]);
	b->patches[b->patch_count++] = (uint16_t)b->len;
	put_u16(b, pointer);
}

static void put_rdata(struct ready_builder *b, const uint8_t *rdata, size_t len)
{
	uint16_t at[RDATA_NAMES_MAX];
	struct rdata_layout layout = rdata_layout(b->type);
	int names = rdata_names(b->type, rdata, len, at);
	size_t done = 0;
	for (int i = 0; i < names; i++) {
		put(b, rdata + done, at[i] - done);
		done = at[i] + name_len(rdata + at[i]);
		if (i == names - 1 && (layout.has_additional || b->type == RRTYPE_CNAME || b->type == RRTYPE_DNAME)) {
			assert(b->target_count < RRSET_RECORDS_MAX);
			b->targets[b->target_count++] = (uint16_t)b->len;
		}
		if (layout.is_compressible)
			put_compressed(b, rdata + at[i]);
		else
			put(b, rdata + at[i], done - at[i]);
	}
	put(b, rdata + done, len - done);
}

void ready_add(struct ready_builder *builder, const uint8_t *rdata, size_t len)
{
	if (builder->failed || builder->count == RRSET_RECORDS_MAX) {
		builder->failed = true;
		return;
	}
	put_u16(builder, 0xc000 | READY_QNAME_OFFSET);
	put_u16(builder, builder->type);
	put_u16(builder, 1);
	put_u16(builder, builder->ttl >> 16);
	put_u16(builder, builder->ttl & 0xffff);
	size_t length_at = builder->len;
	put_u16(builder, 0);
	put_rdata(builder, rdata, len);
	builder->count++;
	if (builder->failed)
		return;
	size_t rdlength = builder->len - length_at - 2;
	builder->data[length_at] = (uint8_t)(rdlength >> 8);
	builder->data[length_at + 1] = (uint8_t)rdlength;
}

static size_t even(size_t n)
{
	return n + (n & 1);
}

enum veer_err ready_finish(struct ready_builder *builder, struct ready_rrset **out)
{
	if (builder->failed)
		return VEER_ERANGE;
	size_t lists = ((size_t)builder->patch_count + builder->target_count) * sizeof(uint16_t);
	struct ready_rrset *rr = malloc(sizeof *rr + even(builder->len) + lists);
	if (rr == NULL)
		return VEER_ENOMEM;
	*rr = (struct ready_rrset){.ttl = builder->ttl,
				   .type = builder->type,
				   .count = builder->count,
				   .len = (uint16_t)builder->len,
				   .patch_count = builder->patch_count,
				   .target_count = builder->target_count};
	memcpy(rr->data, builder->data, builder->len);
	uint8_t *list = rr->data + even(builder->len);
	memcpy(list, builder->patches, builder->patch_count * sizeof(uint16_t));
	memcpy(list + builder->patch_count * sizeof(uint16_t), builder->targets,
	       builder->target_count * sizeof(uint16_t));
	*out = rr;
	return VEER_OK;
}

enum veer_err ready_from_view(struct ready_builder *builder, const struct rrset_view *view, uint32_t ttl,
			      const uint8_t *apex, struct ready_rrset **out)
{
	struct rdata_span rdata;
	/*
	 * records from a wildcard are sent with the question's name as owner, which must not be used for names in the
	 * RDATA (RFC 4592 3.3.1)
	 */
	ready_begin(builder, view->type, ttl, name_is_wildcard(view->owner) ? NULL : view->owner, apex);
	for (size_t pos = 0; rrset_next(view, &pos, &rdata);)
		ready_add(builder, rdata.data, rdata.len);
	return ready_finish(builder, out);
}

const struct ready_rrset *ready_cname(void *memory, uint32_t ttl, const uint8_t *labels, size_t len)
{
	const uint16_t lists[] = {(uint16_t)(RECORD_HEAD + len), RECORD_HEAD}; /* offsets of a patch and of a target */
	struct ready_rrset *rr = memory;
	struct byte_writer w;
	static_assert(sizeof *rr + RECORD_HEAD + NAME_WIRE_MAX + 2 + sizeof lists <= READY_CNAME_SIZE,
		      "the longest CNAME fits");
	*rr = (struct ready_rrset){.ttl = ttl,
				   .type = RRTYPE_CNAME,
				   .count = 1,
				   .len = (uint16_t)(RECORD_HEAD + len + 2),
				   .patch_count = 1,
				   .target_count = 1};
	byte_writer_init(&w, rr->data, rr->len);
	byte_write_u16(&w, 0xc000 | READY_QNAME_OFFSET);
	byte_write_u16(&w, RRTYPE_CNAME);
	byte_write_u16(&w, 1);
	byte_write_u32(&w, ttl);
	byte_write_u16(&w, (uint16_t)(len + 2));
	byte_write_span(&w, labels, len);
	byte_write_u16(&w, READY_TO_APEX);
	memcpy(rr->data + even(rr->len), lists, sizeof lists);
	return rr;
}

static unsigned list_at(const struct ready_rrset *rr, unsigned index)
{
	uint16_t value;
	memcpy(&value, rr->data + even(rr->len) + index * sizeof value, sizeof value);
	return value;
}

unsigned ready_target_at(const struct ready_rrset *rr, unsigned index)
{
	return list_at(rr, rr->patch_count + index);
}

size_t ready_bytes(const struct ready_rrset *rr)
{
	return sizeof *rr + even(rr->len) + ((size_t)rr->patch_count + rr->target_count) * sizeof(uint16_t);
}

static inline unsigned get_u16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static inline void set_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void patch_owners(uint8_t *records, const struct ready_rrset *rr, unsigned owner_at)
{
	for (unsigned i = 0; i < rr->count; i++) {
		set_u16(records, 0xc000 | owner_at);
		records += RECORD_HEAD + get_u16(records + RECORD_HEAD - 2);
	}
}

/* The message offset that the pointer in `data` at `at` stands for, in a message that has the records at `start`. */
static unsigned patched(const struct ready_rrset *rr, unsigned at, unsigned start, unsigned owner_at, unsigned apex_at)
{
	unsigned pointer = get_u16(rr->data + at);
	if (pointer == READY_TO_APEX)
		return apex_at;
	if (pointer == READY_TO_OWNER)
		return owner_at;
	return start + (pointer & READY_POINTER_MAX);
}

bool ready_write(const struct ready_rrset *rr, struct byte_writer *w, unsigned owner_at, unsigned apex_at, bool *far)
{
	unsigned start = (unsigned)byte_writer_len(w);
	*far = false;
	if (rr->len > byte_writer_left(w))
		return false;
	if (owner_at > READY_POINTER_MAX) {
		*far = true;
		return false;
	}
	uint8_t *records = w->pos;
	memcpy(records, rr->data, rr->len);
	for (unsigned i = 0; i < rr->patch_count; i++) {
		unsigned at = list_at(rr, i);
		unsigned to = patched(rr, at, start, owner_at, apex_at);
		if (to > READY_POINTER_MAX) {
			*far = true;
			return false;
		}
		set_u16(records + at, 0xc000 | to);
	}
	if (owner_at != READY_QNAME_OFFSET)
		patch_owners(records, rr, owner_at);
	w->pos += rr->len;
	return true;
}

/* Expand the name at `at` in `data`. Pointers within the RRset lead strictly backwards, so the loop ends. */
static size_t expand_name(const struct ready_rrset *rr, unsigned at, const uint8_t *owner, const uint8_t *apex,
			  uint8_t *out)
{
	size_t len = 0;
	const uint8_t *p = rr->data + at;
	for (;;) {
		if (*p < 0xc0) {
			size_t step = (size_t)*p + 1;
			if (len + step > NAME_WIRE_MAX)
				return 0;
			memcpy(out + len, p, step);
			len += step;
			if (step == 1)
				return len;
			p += step;
			continue;
		}
		unsigned pointer = get_u16(p);
		if (pointer < READY_TO_OWNER) {
			p = rr->data + (pointer & READY_POINTER_MAX);
			continue;
		}
		const uint8_t *rest = pointer == READY_TO_APEX ? apex : owner;
		size_t rest_len = rest != NULL ? name_len(rest) : 0;
		if (rest_len == 0 || len + rest_len > NAME_WIRE_MAX)
			return 0;
		memcpy(out + len, rest, rest_len);
		return len + rest_len;
	}
}

size_t ready_target(const struct ready_rrset *rr, unsigned index, const uint8_t *owner, const uint8_t *apex,
		    uint8_t *out)
{
	return expand_name(rr, ready_target_at(rr, index), owner, apex, out);
}

/* Bytes of the name at `at` as stored, its pointer included. */
static unsigned stored_name_len(const struct ready_rrset *rr, unsigned at)
{
	unsigned len = 0;
	for (;;) {
		uint8_t c = rr->data[at + len];
		if (c >= 0xc0)
			return len + 2;
		len += c + 1U;
		if (c == 0)
			return len;
	}
}

/* One record's RDATA, expanded. */
static void expand_rdata(const struct ready_rrset *rr, unsigned at, unsigned end, const uint8_t *owner,
			 const uint8_t *apex, struct byte_writer *w)
{
	struct rdata_layout layout = rdata_layout(rr->type);
	if (layout.is_compressible) {
		/* no compressible type has strings before its names */
		byte_write_span(w, rr->data + at, layout.fixed);
		at += layout.fixed;
		for (unsigned i = 0; i < layout.names; i++) {
			uint8_t name[NAME_WIRE_MAX];
			byte_write_span(w, name, expand_name(rr, at, owner, apex, name));
			at += stored_name_len(rr, at);
		}
	}
	byte_write_span(w, rr->data + at, end - at);
}

size_t ready_expand(const struct ready_rrset *rr, const uint8_t *owner, const uint8_t *apex, uint8_t *out, size_t size)
{
	struct byte_writer w;
	unsigned at = 0;
	byte_writer_init(&w, out, size);
	for (unsigned i = 0; i < rr->count; i++) {
		unsigned end = at + RECORD_HEAD + get_u16(rr->data + at + RECORD_HEAD - 2);
		byte_write_span(&w, owner, name_len(owner));
		byte_write_span(&w, rr->data + at + 2, RECORD_HEAD - 4);
		size_t length_at = byte_writer_len(&w);
		byte_write_u16(&w, 0);
		expand_rdata(rr, at + RECORD_HEAD, end, owner, apex, &w);
		byte_write_u16_at(&w, length_at, (uint16_t)(byte_writer_len(&w) - length_at - 2));
		at = end;
	}
	return w.failed ? 0 : byte_writer_len(&w);
}
