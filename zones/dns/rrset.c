/* SPDX-License-Identifier: Apache-2.0 */
/* RRsets in canonical wire form, and their keys. See rrset.h. */
#include "zones/dns/rrset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "zones/dns/message.h"
#include "zones/dns/rdata_form.h"

#define RECORD_FIXED 10 /* type, class, TTL, RDLENGTH */

/* One record at the reader's position, of which only the structure was checked. */
struct record {
	const uint8_t *owner;
	size_t owner_len;
	uint16_t type;
	uint16_t class_;
	uint32_t ttl;
	struct rdata_span rdata;
};

static bool read_record(struct byte_reader *r, struct record *out)
{
	out->owner = r->pos;
	out->owner_len = name_check(r->pos, byte_reader_left(r));
	if (out->owner_len == 0)
		return false;
	(void)byte_read_span(r, out->owner_len);
	out->type = byte_read_u16(r);
	out->class_ = byte_read_u16(r);
	out->ttl = byte_read_u32(r);
	out->rdata.len = byte_read_u16(r);
	out->rdata.data = byte_read_span(r, out->rdata.len);
	return !r->failed;
}

static bool is_lower(const uint8_t *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			return false;
	return true;
}

static enum veer_err check_first(const struct record *first, struct veer_diag *diag)
{
	if (first->class_ != DNS_CLASS_IN)
		return veer_fail(diag, VEER_EINVAL, "class %u instead of IN", first->class_);
	if (rrtype_is_meta(first->type))
		return veer_fail(diag, VEER_EINVAL, "records of type %u are never stored", first->type);
	if (first->ttl > RRSET_TTL_MAX)
		return veer_fail(diag, VEER_ERANGE, "TTL over 2147483647");
	return VEER_OK;
}

static bool same_set(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->class_ == b->class_ && a->ttl == b->ttl && a->owner_len == b->owner_len &&
	       memcmp(a->owner, b->owner, a->owner_len) == 0;
}

enum veer_err rrset_check(const uint8_t *wire, size_t len, struct rrset_view *out, struct veer_diag *diag)
{
	struct byte_reader r;
	struct record first = {0};
	uint16_t at[RDATA_NAMES_MAX];
	unsigned count = 0;
	if (len > RRSET_WIRE_MAX)
		return veer_fail(diag, VEER_ERANGE, "RRset of %zu bytes is over %d", len, RRSET_WIRE_MAX);
	byte_reader_init(&r, wire, len);
	do {
		struct record record;
		if (!read_record(&r, &record))
			return veer_fail(diag, VEER_EINVAL, "RRset in wire format is cut short or malformed");
		enum veer_err err = count == 0 ? check_first(&record, diag) : VEER_OK;
		if (err != VEER_OK)
			return err;
		if (rdata_names(record.type, record.rdata.data, record.rdata.len, at) < 0)
			return veer_fail(diag, VEER_EINVAL, "malformed RDATA of type %u", record.type);
		if (count == 0)
			first = record;
		else if (!same_set(&first, &record))
			return veer_fail(diag, VEER_EINVAL, "records of one RRset differ in owner, type, class or TTL");
		count++;
	} while (byte_reader_left(&r) > 0);
	if (count > 1 && rrtype_is_single(first.type))
		return veer_fail(diag, VEER_EINVAL, "more than one record of type %u", first.type);
	if (count > RRSET_RECORDS_MAX)
		return veer_fail(diag, VEER_ERANGE, "more than %d records in one RRset", RRSET_RECORDS_MAX);
	*out = (struct rrset_view){.wire = wire,
				   .len = len,
				   .owner_len = first.owner_len,
				   .type = first.type,
				   .ttl = first.ttl,
				   .count = count};
	name_lower_copy(out->owner, first.owner, first.owner_len);
	return VEER_OK;
}

bool rrset_next(const struct rrset_view *rrset, size_t *pos, struct rdata_span *out)
{
	if (*pos >= rrset->len)
		return false;
	const uint8_t *fixed = rrset->wire + *pos + rrset->owner_len;
	out->len = (size_t)fixed[8] << 8 | fixed[9];
	out->data = fixed + RECORD_FIXED;
	*pos += rrset->owner_len + RECORD_FIXED + out->len;
	return true;
}

/*
 * A record to be sorted: as it was given, and as it is compared, with those names in lower case that RFC 4034 6.2
 * lists.
 */
struct sorting {
	struct rdata_span given;
	struct rdata_span canonical;
	size_t index;
};

static int compare_rdata(const struct rdata_span *x, const struct rdata_span *y)
{
	size_t shorter = x->len < y->len ? x->len : y->len;
	int diff = shorter > 0 ? memcmp(x->data, y->data, shorter) : 0;
	if (diff != 0)
		return diff;
	return (x->len > y->len) - (x->len < y->len);
}

/* Of records that differ only in case, the one that was given first comes first. */
static int compare_sorting(const void *a, const void *b)
{
	const struct sorting *x = a, *y = b;
	int diff = compare_rdata(&x->canonical, &y->canonical);
	return diff != 0 ? diff : (x->index > y->index) - (x->index < y->index);
}

/* Sort all RDATA and remove duplicates. `copy` has room for all bytes. Returns how many are left. */
static size_t sort_records(uint16_t type, const struct rdata_span *records, size_t count, struct sorting *sorted,
			   uint8_t *copy)
{
	for (size_t i = 0; i < count; i++) {
		if (records[i].len > 0)
			memcpy(copy, records[i].data, records[i].len);
		rdata_lower(type, copy, records[i].len);
		sorted[i] = (struct sorting){records[i], {.data = copy, .len = records[i].len}, i};
		copy += records[i].len;
	}
	qsort(sorted, count, sizeof *sorted, compare_sorting);
	size_t kept = 1;
	for (size_t i = 1; i < count; i++)
		if (compare_rdata(&sorted[kept - 1].canonical, &sorted[i].canonical) != 0)
			sorted[kept++] = sorted[i];
	return kept;
}

static enum veer_err check_input(uint16_t type, uint32_t ttl, const struct rdata_span *records, size_t count,
				 size_t *total, struct veer_diag *diag)
{
	uint16_t at[RDATA_NAMES_MAX];
	if (rrtype_is_meta(type))
		return veer_fail(diag, VEER_EINVAL, "records of type %u are never stored", type);
	if (ttl > RRSET_TTL_MAX)
		return veer_fail(diag, VEER_ERANGE, "TTL over 2147483647");
	if (count == 0)
		return veer_fail(diag, VEER_EINVAL, "an RRset needs at least one record");
	if (count > RRSET_RECORDS_MAX)
		return veer_fail(diag, VEER_ERANGE, "more than %d records in one RRset", RRSET_RECORDS_MAX);
	*total = 0;
	for (size_t i = 0; i < count; i++) {
		if (rdata_names(type, records[i].data, records[i].len, at) < 0)
			return veer_fail(diag, VEER_EINVAL, "malformed RDATA of type %u", type);
		*total += records[i].len;
	}
	if (*total > RRSET_WIRE_MAX)
		return veer_fail(diag, VEER_ERANGE, "RRset is over %d bytes", RRSET_WIRE_MAX);
	return VEER_OK;
}

static enum veer_err write_records(const uint8_t *owner, uint16_t type, uint32_t ttl, const struct sorting *sorted,
				   size_t count, uint8_t **wire, size_t *wire_len, struct veer_diag *diag)
{
	size_t owner_len = name_len(owner);
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += owner_len + RECORD_FIXED + sorted[i].given.len;
	if (size > RRSET_WIRE_MAX)
		return veer_fail(diag, VEER_ERANGE, "RRset of %zu bytes is over %d", size, RRSET_WIRE_MAX);
	uint8_t *out = malloc(size);
	if (out == NULL)
		return VEER_ENOMEM;
	struct byte_writer w;
	byte_writer_init(&w, out, size);
	for (size_t i = 0; i < count; i++) {
		byte_write_span(&w, owner, owner_len);
		byte_write_u16(&w, type);
		byte_write_u16(&w, DNS_CLASS_IN);
		byte_write_u32(&w, ttl);
		byte_write_u16(&w, (uint16_t)sorted[i].given.len);
		byte_write_span(&w, sorted[i].given.data, sorted[i].given.len);
	}
	*wire = out;
	*wire_len = size;
	return VEER_OK;
}

enum veer_err rrset_compose(const uint8_t *owner, uint16_t type, uint32_t ttl, const struct rdata_span *records,
			    size_t count, uint8_t **wire, size_t *wire_len, struct veer_diag *diag)
{
	size_t total = 0;
	enum veer_err err = check_input(type, ttl, records, count, &total, diag);
	if (err != VEER_OK)
		return err;
	struct sorting *sorted = calloc(count, sizeof *sorted);
	uint8_t *copy = malloc(total + 1);
	if (sorted == NULL || copy == NULL) {
		err = VEER_ENOMEM;
	} else {
		count = sort_records(type, records, count, sorted, copy);
		if (count > 1 && rrtype_is_single(type))
			err = veer_fail(diag, VEER_EINVAL, "more than one record of type %u", type);
		else
			err = write_records(owner, type, ttl, sorted, count, wire, wire_len, diag);
	}
	free(sorted);
	free(copy);
	return err;
}

void rrtype_print(uint16_t type, char *out)
{
	const struct rdata_form *form = rdata_form_of(type);
	if (form != NULL && !form->is_alias)
		(void)snprintf(out, RRSET_TYPE_TEXT_SIZE, "%s", form->name);
	else
		(void)snprintf(out, RRSET_TYPE_TEXT_SIZE, "TYPE%u", type);
}

static bool parse_generic_type(const char *text, size_t len, uint16_t *type)
{
	uint32_t value = 0;
	if (len < 5 || len > 9 || strncasecmp(text, "TYPE", 4) != 0)
		return false;
	for (size_t i = 4; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	if (value > UINT16_MAX)
		return false;
	*type = (uint16_t)value;
	return true;
}

bool rrtype_parse(const char *text, size_t len, uint16_t *type)
{
	const struct rdata_form *form = rdata_form_named(text, len);
	if (form == NULL)
		return parse_generic_type(text, len, type);
	*type = form->type;
	return true;
}

static bool parse_version(const char *text, size_t len, uint64_t *out)
{
	uint64_t value = 0;
	if (len == 0 || len > 18)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*out = value;
	return true;
}

enum veer_err rrset_key_parse(const char *text, size_t len, struct rrset_key *out, struct veer_diag *diag)
{
	const char *parts[4];
	size_t lens[4];
	const char *end = text + len;
	struct rrset_key key;
	for (int i = 0; i < 4; i++) {
		const char *slash = memchr(text, '/', (size_t)(end - text));
		if ((slash == NULL) != (i == 3))
			return veer_fail(diag, VEER_EINVAL, "the key of an RRset must be ZONE/VERSION/OWNER/TYPE");
		parts[i] = text;
		lens[i] = (size_t)((slash != NULL ? slash : end) - text);
		text = slash != NULL ? slash + 1 : end;
	}
	enum veer_err err = name_parse(parts[0], lens[0], NULL, key.zone, &key.zone_len, diag);
	if (err == VEER_OK)
		err = name_parse(parts[2], lens[2], NULL, key.owner, &key.owner_len, diag);
	if (err != VEER_OK)
		return err;
	if (!parse_version(parts[1], lens[1], &key.version) || !rrtype_parse(parts[3], lens[3], &key.type) ||
	    rrtype_is_meta(key.type))
		return veer_fail(diag, VEER_EINVAL, "bad version or type in the key of an RRset");
	if (!is_lower(key.zone, key.zone_len) || !is_lower(key.owner, key.owner_len) ||
	    !name_is_under(key.owner, key.zone))
		return veer_fail(diag, VEER_EINVAL, "the key of an RRset has an owner outside its zone, or upper case");
	*out = key;
	return VEER_OK;
}

size_t rrset_key_print(const struct rrset_key *key, char *out)
{
	char type[RRSET_TYPE_TEXT_SIZE];
	size_t len = name_print_key(key->zone, out, RRSET_KEY_SIZE);
	len += (size_t)snprintf(out + len, RRSET_KEY_SIZE - len, "/%" PRIu64 "/", key->version);
	len += name_print_key(key->owner, out + len, RRSET_KEY_SIZE - len);
	rrtype_print(key->type, type);
	len += (size_t)snprintf(out + len, RRSET_KEY_SIZE - len, "/%s", type);
	return len;
}
