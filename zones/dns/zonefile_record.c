/* SPDX-License-Identifier: Apache-2.0 */
/* Records of zone files, and errors with their place. See zonefile_impl.h. */
#include <stdio.h>
#include <string.h>

#include "zones/dns/rdata_text.h"
#include "zones/dns/zonefile_impl.h"

#define OWNER_RECORDS_MAX 16384 /* at one name; this bounds the work of grouping them */
#define TTL_FALLBACK 3600       /* used when no TTL is stated anywhere, and there is no SOA */
#define SHOWN_MAX 120           /* bytes of a record's text in an error */

const uint8_t *zonefile_written_name(const struct owner *owner)
{
	return owner->has_written ? owner->name + name_len(owner->name) : owner->name;
}

/* Prepare text for an error: bytes that are not printable ASCII become \DDD, and at most SHOWN_MAX bytes are shown. */
static void show_text(const char *text, char *out, size_t size)
{
	size_t len = 0;
	for (; *text != '\0' && len < SHOWN_MAX && len + 8 < size; text++) {
		unsigned char c = (unsigned char)*text;
		if (c >= ' ' && c < 0x7f)
			out[len++] = (char)c;
		else
			len += (size_t)snprintf(out + len, size - len, "\\%03u", c);
	}
	(void)snprintf(out + len, size - len, "%s", *text != '\0' ? "..." : "");
}

/* Report an error as FILE:LINE, what is wrong, and the faulty text. */
enum veer_err zonefile_fail_here(const struct source *s, enum veer_err err, const char *what)
{
	char shown[SHOWN_MAX + 16];
	const char *text = s->lines.text.data;
	while (*text == ' ')
		text++;
	show_text(text, shown, sizeof shown);
	return veer_fail(s->reading->diag, err, "%s:%u: %s%s%s", s->reading->zf->paths[s->file], s->lines.first_line,
			 what, shown[0] != '\0' ? ": " : "", shown);
}

/* The same for a record that was read earlier: its text is no longer there, so its name and type are shown instead. */
enum veer_err zonefile_fail_at(const struct zonefile *zf, const struct owner *owner, const struct record *r,
			       enum veer_err err, const char *what, struct veer_diag *diag)
{
	char name[NAME_TEXT_SIZE], type[RRSET_TYPE_TEXT_SIZE], shown[SHOWN_MAX + 16];
	(void)name_print(zonefile_written_name(owner), name, sizeof name);
	rrtype_print(r->type, type);
	show_text(name, shown, sizeof shown);
	return veer_fail(diag, err, "%s:%u: %s: %s %s", zf->paths[r->file], r->line, what, shown, type);
}

static struct owner *need_owner(struct zonefile *zf, const struct source *s)
{
	struct trie_txn txn = {.id = 1, .retired = &zf->retired};
	void *old;
	struct owner *owner = trie_get(&zf->owners, s->owner);
	if (owner != NULL)
		return owner;
	bool has_written = memcmp(s->owner, s->written, s->owner_len) != 0;
	owner = arena_alloc(zf->arena, sizeof *owner + s->owner_len * (has_written ? 2 : 1));
	if (owner == NULL)
		return NULL;
	owner->has_written = has_written;
	memcpy(owner->name, s->owner, s->owner_len);
	if (has_written)
		memcpy(owner->name + s->owner_len, s->written, s->owner_len);
	return trie_set(&zf->owners, &txn, owner, &old) == VEER_OK ? owner : NULL;
}

static enum veer_err add_record(struct source *s, uint16_t type, uint32_t ttl, const uint8_t *rdata, size_t len)
{
	struct zonefile *zf = s->reading->zf;
	if (zf->record_count >= ZONEFILE_RECORDS_MAX)
		return zonefile_fail_here(s, VEER_ELIMIT, "too many records");
	struct owner *owner = need_owner(zf, s);
	if (owner != NULL && ++owner->count > OWNER_RECORDS_MAX)
		return zonefile_fail_here(s, VEER_ELIMIT, "too many records at one name");
	struct record *r = owner != NULL ? arena_alloc(zf->arena, sizeof *r + len) : NULL;
	if (r == NULL)
		return VEER_ENOMEM;
	r->ttl = ttl;
	r->line = s->lines.first_line;
	r->file = (uint16_t)s->file;
	r->type = type;
	r->len = (uint16_t)len;
	if (len > 0)
		memcpy(r->rdata, rdata, len);
	if (owner->last != NULL)
		owner->last->next = r;
	else
		owner->first = r;
	owner->last = r;
	zf->record_count++;
	return VEER_OK;
}

static uint32_t soa_minimum(const uint8_t *rdata, size_t len)
{
	const uint8_t *m = rdata + len - 4;
	return (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
}

/* The TTL of a record that states `ttl` or nothing. */
static uint32_t effective_ttl(struct reading *r, uint32_t ttl)
{
	if (ttl != ZONEFILE_TTL_UNSTATED) {
		r->last_ttl = ttl;
		return ttl;
	}
	if (r->ttl != ZONEFILE_TTL_UNSTATED)
		return r->ttl;
	if (r->last_ttl != ZONEFILE_TTL_UNSTATED)
		return r->last_ttl;
	return r->minimum != ZONEFILE_TTL_UNSTATED ? r->minimum : TTL_FALLBACK;
}

/* The fields before the RDATA. */
struct head {
	uint32_t ttl; /* ZONEFILE_TTL_UNSTATED: none */
	uint16_t type;
	bool has_class;
};

/* The number of characters before the first blank that is not escaped. */
static size_t word_len(const char *text)
{
	size_t len = 0;
	for (; text[len] != '\0' && text[len] != ' ' && text[len] != '\t'; len++)
		if (text[len] == '\\' && text[len + 1] != '\0')
			len++;
	return len;
}

/* Read the owner from the front of `*text`. */
static enum veer_err take_owner(struct source *s, const char **text)
{
	struct veer_diag detail;
	size_t len = word_len(*text);
	if (len == 0)
		return s->owner_len > 0 ? VEER_OK
					: zonefile_fail_here(s, VEER_EINVAL, "the first record has no owner name");
	if ((*text)[0] == '"')
		return zonefile_fail_here(s, VEER_EINVAL, "only text may stand in quotation marks, no name");
	enum veer_err err = name_parse(*text, len, s->origin, s->written, &s->owner_len, &detail);
	if (err != VEER_OK)
		return zonefile_fail_here(s, err, detail.text);
	name_lower_copy(s->owner, s->written, s->owner_len);
	*text += len;
	if (!name_is_under(s->owner, s->reading->zf->origin))
		return zonefile_fail_here(s, VEER_EINVAL, "the owner name is outside the zone");
	return VEER_OK;
}

static bool is_class(const char *text, size_t len)
{
	return (len == 2 && (strncasecmp(text, "IN", 2) == 0 || strncasecmp(text, "CH", 2) == 0 ||
			     strncasecmp(text, "HS", 2) == 0)) ||
	       (len > 5 && strncasecmp(text, "CLASS", 5) == 0 && text[5] >= '0' && text[5] <= '9');
}

static bool is_class_in(const char *text, size_t len)
{
	return (len == 2 && strncasecmp(text, "IN", 2) == 0) || (len == 6 && strncasecmp(text, "CLASS1", 6) == 0);
}

/* Read TTL and class, which may be absent and in any order (RFC 1035 5.1), and then the type. */
static enum veer_err take_head(struct source *s, const char **text, struct head *head)
{
	*head = (struct head){.ttl = ZONEFILE_TTL_UNSTATED};
	for (;;) {
		*text += strspn(*text, " \t");
		const char *word = *text;
		size_t len = word_len(word);
		*text += len;
		if (len == 0)
			return zonefile_fail_here(s, VEER_EINVAL, "the record has no type");
		if (word[0] >= '0' && word[0] <= '9' && head->ttl == ZONEFILE_TTL_UNSTATED) {
			if (!rdata_period(word, len, RRSET_TTL_MAX, &head->ttl))
				return zonefile_fail_here(s, VEER_ERANGE,
							  "TTL over 2147483647, or no number of seconds");
		} else if (!head->has_class && is_class(word, len)) {
			head->has_class = true;
			if (!is_class_in(word, len))
				return zonefile_fail_here(s, VEER_EINVAL, "only class IN is served");
		} else {
			if (!rrtype_parse(word, len, &head->type))
				return zonefile_fail_here(
					s, VEER_EINVAL,
					"unknown record type; any can be written as TYPE and its number");
			return VEER_OK;
		}
	}
}

enum veer_err zonefile_parse_record(struct source *s)
{
	struct reading *r = s->reading;
	const char *text = s->lines.text.data, *what = NULL;
	struct head head;
	size_t len = 0;
	enum veer_err err = take_owner(s, &text);
	if (err == VEER_OK)
		err = take_head(s, &text, &head);
	if (err != VEER_OK)
		return err;
	if (rrtype_is_meta(head.type))
		return zonefile_fail_here(s, VEER_EINVAL, "records of this type cannot stand in a zone");
	err = rdata_from_text(head.type, text, s->origin, r->rdata, &len, &what);
	if (err != VEER_OK)
		return err == VEER_EINVAL ? zonefile_fail_here(s, err, what) : err;
	if (len > RRSET_WIRE_MAX)
		return zonefile_fail_here(s, VEER_EINVAL, "a record of more than 64000 octets");
	if (head.type == RRTYPE_SOA && r->minimum == ZONEFILE_TTL_UNSTATED)
		r->minimum = soa_minimum(r->rdata, len);
	uint32_t ttl = effective_ttl(r, head.ttl);
	if (ttl > RRSET_TTL_MAX)
		return zonefile_fail_here(s, VEER_ERANGE, "TTL over 2147483647");
	return add_record(s, head.type, ttl, r->rdata, len);
}
