/* SPDX-License-Identifier: Apache-2.0 */
/* RDATA from text, field by field. See rdata_text.h. */
#include "zones/dns/rdata_text.h"

#include <string.h>
#include <time.h>

#include "zones/dns/rdata.h"
#include "zones/dns/rdata_check.h"
#include "zones/dns/rdata_impl.h"
#include "zones/dns/rrset.h"

static const char no_text[] = "this type has no text of its own: write \\# LENGTH HEX";

/* --- types ------------------------------------------------------------------------------------------------ */

static bool read_type(struct rdata_reader *r)
{
	struct rdata_word word;
	uint16_t type;
	uint32_t number;
	if (!rdata_plain_word(r, &word))
		return false;
	if (!rrtype_parse(word.text, word.len, &type)) {
		if (!rdata_number(word.text, word.len, UINT16_MAX, &number))
			return rdata_fail(r, "a record type is needed");
		type = (uint16_t)number;
	}
	byte_write_u16(&r->w, type);
	return true;
}

/* Set the bits of the types named in the rest of the text; `*last` becomes the highest type. */
static bool read_bits(struct rdata_reader *r, uint8_t *bits, uint16_t max, uint32_t *last)
{
	struct rdata_word word;
	uint16_t type;
	*last = 0;
	while (rdata_has_word(r)) {
		if (!rdata_plain_word(r, &word))
			return false;
		if (!rrtype_parse(word.text, word.len, &type) || type > max)
			return rdata_fail(r, "a record type is needed");
		bits[type / 8] |= (uint8_t)(0x80 >> type % 8);
		*last = type > *last ? type : *last;
	}
	return true;
}

/* RFC 4034 4.1.2: windows of 256 types; windows without types and zero octets at a window's end are left out. */
static bool read_types(struct rdata_reader *r)
{
	uint8_t bits[8192] = {0};
	uint32_t last;
	if (!read_bits(r, bits, UINT16_MAX, &last))
		return false;
	for (unsigned window = 0; window < 256; window++) {
		const uint8_t *octets = bits + 32 * (size_t)window;
		size_t len = 32;
		while (len > 0 && octets[len - 1] == 0)
			len--;
		if (len == 0)
			continue;
		byte_write_u8(&r->w, (uint8_t)window);
		byte_write_u8(&r->w, (uint8_t)len);
		byte_write_span(&r->w, octets, len);
	}
	return true;
}

static bool read_old_types(struct rdata_reader *r)
{
	uint8_t bits[16] = {0};
	uint32_t last;
	if (!read_bits(r, bits, 127, &last))
		return false;
	byte_write_span(&r->w, bits, last / 8 + 1);
	return true;
}

/* --- other fields ----------------------------------------------------------------------------------------- */

static bool read_named(struct rdata_reader *r, size_t octets, uint32_t *out,
		       bool (*named)(const char *text, size_t len, uint32_t *out), const char *what)
{
	struct rdata_word word;
	uint32_t max = octets == 1 ? UINT8_MAX : UINT16_MAX;
	if (!rdata_plain_word(r, &word))
		return false;
	if (!rdata_number(word.text, word.len, max, out) && !named(word.text, word.len, out))
		return rdata_fail(r, what);
	byte_write_number(&r->w, *out, octets);
	return true;
}

/* RFC 4034 3.2: 14 digits are a date and a time, fewer are seconds. */
static bool read_time(struct rdata_reader *r)
{
	static const char what[] = "a time is needed, as 20300101000000";
	struct rdata_word word;
	uint32_t part[6], seconds;
	static const uint8_t lens[] = {4, 2, 2, 2, 2, 2};
	static const uint32_t limits[] = {9999, 12, 31, 23, 59, 60};
	if (!rdata_plain_word(r, &word))
		return false;
	if (word.len <= 10) {
		if (!rdata_number(word.text, word.len, UINT32_MAX, &seconds))
			return rdata_fail(r, what);
		byte_write_u32(&r->w, seconds);
		return true;
	}
	if (word.len != 14)
		return rdata_fail(r, what);
	for (size_t i = 0, at = 0; i < 6; at += lens[i++])
		if (!rdata_number(word.text + at, lens[i], limits[i], &part[i]))
			return rdata_fail(r, what);
	struct tm tm = {.tm_year = (int)part[0] - 1900,
			.tm_mon = (int)part[1] - 1,
			.tm_mday = (int)part[2],
			.tm_hour = (int)part[3],
			.tm_min = (int)part[4],
			.tm_sec = (int)part[5]};
	time_t time = timegm(&tm);
	if (part[0] < 1970 || part[1] == 0 || tm.tm_mday != (int)part[2] || tm.tm_mon != (int)part[1] - 1)
		return rdata_fail(r, what);
	byte_write_u32(&r->w, (uint32_t)time); /* RFC 4034 3.1.5: modulo 2^32 */
	return true;
}

static bool read_period(struct rdata_reader *r)
{
	struct rdata_word word;
	uint32_t seconds;
	if (!rdata_plain_word(r, &word))
		return false;
	if (!rdata_period(word.text, word.len, UINT32_MAX, &seconds))
		return rdata_fail(r, "a number of seconds is needed, as 3600 or 1h");
	byte_write_u32(&r->w, seconds);
	return true;
}

static bool read_salt(struct rdata_reader *r)
{
	struct rdata_word word;
	uint8_t *length = r->w.pos;
	if (!rdata_plain_word(r, &word))
		return false;
	byte_write_u8(&r->w, 0);
	if (word.len == 1 && word.text[0] == '-')
		return true;
	if (!rdata_write_hex(r, word.text, word.len))
		return false;
	if (word.len / 2 > UINT8_MAX)
		return rdata_fail(r, "a salt has at most 255 octets");
	*length = (uint8_t)(word.len / 2);
	return true;
}

/* Base32 with the extended hex alphabet (RFC 4648 7), without padding. */
static bool read_hash(struct rdata_reader *r)
{
	struct rdata_word word;
	uint8_t *length = r->w.pos;
	uint32_t bits = 0;
	unsigned count = 0;
	if (!rdata_plain_word(r, &word))
		return false;
	byte_write_u8(&r->w, 0);
	for (size_t i = 0; i < word.len; i++) {
		char c = word.text[i];
		int value = c >= '0' && c <= '9'                     ? c - '0'
			    : (c | 0x20) >= 'a' && (c | 0x20) <= 'v' ? (c | 0x20) - 'a' + 10
								     : -1;
		if (value < 0)
			return rdata_fail(r, "a hash is needed, in base32hex without padding");
		bits = bits << 5 | (unsigned)value;
		count += 5;
		if (count >= 8) {
			count -= 8;
			byte_write_u8(&r->w, (uint8_t)(bits >> count));
		}
		bits &= (1U << count) - 1;
	}
	size_t octets = (size_t)(r->w.pos - length) - 1;
	if (bits != 0 || count >= 5 || octets == 0 || octets > UINT8_MAX)
		return rdata_fail(r, "a hash is needed, in base32hex without padding");
	*length = (uint8_t)octets;
	return true;
}

static bool read_strings(struct rdata_reader *r)
{
	struct rdata_word word;
	do {
		if (!rdata_word(r, &word) || !rdata_write_word(r, &word, true))
			return false;
	} while (rdata_has_word(r));
	return true;
}

/* Read one string whose octets must all be of the kind that the field allows. */
static bool read_checked_string(struct rdata_reader *r, enum rdata_field field)
{
	struct rdata_word word;
	uint8_t *start = r->w.pos;
	bool ok = field == FIELD_TAG ? rdata_plain_word(r, &word) : rdata_word(r, &word);
	if (!ok || !rdata_write_word(r, &word, true) || r->w.failed)
		return false;
	for (unsigned i = 1; i <= start[0]; i++) {
		bool is_digit = start[i] >= '0' && start[i] <= '9';
		bool is_letter = (start[i] | 0x20) >= 'a' && (start[i] | 0x20) <= 'z';
		if (!is_digit && (field == FIELD_DIGITS || !is_letter))
			return rdata_fail(r, field == FIELD_DIGITS ? "digits are needed"
								   : "a tag consists of letters and digits");
	}
	if (field == FIELD_DIGITS)
		return start[0] >= 4 || rdata_fail(r, "four digits are needed at least");
	return start[0] > 0 || rdata_fail(r, "a tag consists of letters and digits");
}

/* Read the key; it is absent when the flags say so (RFC 2535 3.1.2). */
static bool read_key(struct rdata_reader *r)
{
	const uint8_t *flags = r->w.pos - 4; /* flags, protocol, algorithm */
	bool has_none = (flags[0] & 0xc0) == 0xc0;
	return has_none || rdata_read_base64_rest(r);
}

/*
 * Read octets in hex to the end: exactly `wanted` octets, or, where that is 0, at least `min` (RFC 4034 5.1.4, RFC
 * 4509, RFC 6605, RFC 4255 3.1.3, RFC 8976 2.2.4).
 */
static bool read_octets_of(struct rdata_reader *r, size_t wanted, size_t min)
{
	const uint8_t *start = r->w.pos;
	if (!rdata_read_hex_rest(r))
		return false;
	size_t len = (size_t)(r->w.pos - start);
	return (wanted == 0 ? len >= min : len == wanted) ||
	       rdata_fail(r, "a digest does not have the length of its type");
}

static bool read_text(struct rdata_reader *r)
{
	struct rdata_word word;
	return rdata_word(r, &word) && rdata_write_word(r, &word, false);
}

static bool read_string(struct rdata_reader *r)
{
	struct rdata_word word;
	return rdata_word(r, &word) && rdata_write_word(r, &word, true);
}

static bool read_string_or_none(struct rdata_reader *r)
{
	return !rdata_has_word(r) || read_string(r);
}

static bool read_digits(struct rdata_reader *r)
{
	return read_checked_string(r, FIELD_DIGITS);
}

static bool read_tag(struct rdata_reader *r)
{
	return read_checked_string(r, FIELD_TAG);
}

static bool read_u8(struct rdata_reader *r)
{
	uint32_t ignored;
	return rdata_read_number(r, 1, &ignored);
}

static bool read_u16(struct rdata_reader *r)
{
	uint32_t ignored;
	return rdata_read_number(r, 2, &ignored);
}

static bool read_u32(struct rdata_reader *r)
{
	uint32_t ignored;
	return rdata_read_number(r, 4, &ignored);
}

static bool read_ipv4(struct rdata_reader *r)
{
	struct rdata_word word;
	return rdata_plain_word(r, &word) && rdata_write_ipv4(r, word.text, word.len);
}

static bool read_ipv6(struct rdata_reader *r)
{
	struct rdata_word word;
	return rdata_plain_word(r, &word) && rdata_write_ipv6(r, word.text, word.len);
}

static bool read_some_types(struct rdata_reader *r)
{
	return (rdata_has_word(r) || rdata_fail(r, "a record type is needed")) && read_types(r);
}

static bool read_algorithm(struct rdata_reader *r)
{
	uint32_t ignored;
	return read_named(r, 1, &ignored, rdata_algorithm_named, "an algorithm is needed, as 13");
}

static bool read_cert_type(struct rdata_reader *r)
{
	uint32_t ignored;
	return read_named(r, 2, &ignored, rdata_cert_type_named, "a certificate type is needed, as PKIX");
}

static bool read_digest(struct rdata_reader *r)
{
	uint32_t kind;
	return read_named(r, 1, &kind, rdata_digest_named, "a digest type is needed") && read_octets_of(r,
													kind == 1   ? 20
													: kind == 2 ? 32
													: kind == 4 ? 48
														    : 0,
													1);
}

static bool read_fingerprint(struct rdata_reader *r)
{
	uint32_t kind;
	return rdata_read_number(r, 1, &kind) && read_octets_of(r, kind == 1 ? 20 : kind == 2 ? 32 : 0, 1);
}

static bool read_zonemd(struct rdata_reader *r)
{
	uint32_t scheme, kind;
	return rdata_read_number(r, 1, &scheme) && rdata_read_number(r, 1, &kind) &&
	       read_octets_of(r,
			      kind == 1   ? 48
			      : kind == 2 ? 64
					  : 0,
			      12);
}

static bool read_base64_or_none(struct rdata_reader *r)
{
	return !rdata_has_word(r) || rdata_read_base64_rest(r);
}

static bool read_none(struct rdata_reader *r)
{
	return rdata_fail(r, no_text);
}

/* Fields that are not here are read by rdata_special.c. */
static bool (*const readers[FIELD_COUNT])(struct rdata_reader *r) = {
	[FIELD_NONE] = read_none,
	[FIELD_U8] = read_u8,
	[FIELD_U16] = read_u16,
	[FIELD_U32] = read_u32,
	[FIELD_PERIOD] = read_period,
	[FIELD_NAME] = rdata_read_name,
	[FIELD_IPV4] = read_ipv4,
	[FIELD_IPV6] = read_ipv6,
	[FIELD_STRING] = read_string,
	[FIELD_STRING_OR_NONE] = read_string_or_none,
	[FIELD_STRINGS] = read_strings,
	[FIELD_DIGITS] = read_digits,
	[FIELD_TAG] = read_tag,
	[FIELD_TEXT] = read_text,
	[FIELD_TYPE] = read_type,
	[FIELD_TYPES] = read_types,
	[FIELD_SOME_TYPES] = read_some_types,
	[FIELD_OLD_TYPES] = read_old_types,
	[FIELD_ALGORITHM] = read_algorithm,
	[FIELD_DIGEST] = read_digest,
	[FIELD_FINGERPRINT] = read_fingerprint,
	[FIELD_CERT_TYPE] = read_cert_type,
	[FIELD_TIME] = read_time,
	[FIELD_KEY] = read_key,
	[FIELD_BASE64] = rdata_read_base64_rest,
	[FIELD_BASE64_OR_NONE] = read_base64_or_none,
	[FIELD_HEX] = rdata_read_hex_rest,
	[FIELD_SALT] = read_salt,
	[FIELD_HASH] = read_hash,
	[FIELD_ZONEMD] = read_zonemd,
	[FIELD_LOCATION] = rdata_read_location,
	[FIELD_PREFIXES] = rdata_read_prefixes,
	[FIELD_PARAMS] = rdata_read_params,
};

static bool read_field(struct rdata_reader *r, enum rdata_field field)
{
	return readers[field] != NULL ? readers[field](r) : rdata_read_special(r, field);
}

/* --- the generic form ------------------------------------------------------------------------------------- */

/* Read "LENGTH HEX" after "\#", with blanks anywhere in HEX (RFC 3597 5). */
static bool read_generic(struct rdata_reader *r)
{
	struct rdata_word word;
	uint32_t len;
	if (!rdata_plain_word(r, &word))
		return false;
	if (!rdata_number(word.text, word.len, RDATA_MAX, &len))
		return rdata_fail(r, "\\# needs a length up to 65535");
	if (len > 0 && !rdata_has_word(r))
		return rdata_fail(r, "the hex digits after \\# do not match the length before them");
	if (rdata_has_word(r) && !rdata_read_hex_rest(r))
		return false;
	return byte_writer_len(&r->w) == len ||
	       rdata_fail(r, "the hex digits after \\# do not match the length before them");
}

/* Is it RDATA that the type's own text could express (RFC 3597 5: "must be checked as that type")? */
static enum veer_err check_generic(uint16_t type, const uint8_t *rdata, size_t len, const char **what)
{
	uint16_t at[RDATA_NAMES_MAX];
	*what = "the octets after \\# are malformed for their type";
	return rdata_names(type, rdata, len, at) < 0 ? VEER_EINVAL : rdata_check_form(type, rdata, len, what);
}

/* --- interface -------------------------------------------------------------------------------------------- */

static enum veer_err read_all(struct rdata_reader *r, uint16_t type)
{
	const struct rdata_form *form = rdata_form_of(type);
	if (form == NULL)
		return rdata_fail(r, no_text) ? VEER_OK : VEER_EINVAL;
	bool ok = true;
	for (unsigned i = 0; ok && form->fields[i] != FIELD_END; i++)
		ok = read_field(r, (enum rdata_field)form->fields[i]);
	if (r->is_out_of_memory)
		return VEER_ENOMEM;
	if (ok && rdata_has_word(r))
		ok = rdata_fail(r, "there is more text than the type has fields");
	return ok ? VEER_OK : VEER_EINVAL;
}

enum veer_err rdata_from_text(uint16_t type, const char *text, const uint8_t *origin, uint8_t *out, size_t *len,
			      const char **what)
{
	struct rdata_reader r = {.at = text, .origin = origin};
	byte_writer_init(&r.w, out, RDATA_MAX);
	bool is_generic = rdata_has_word(&r) && strncmp(r.at, "\\#", 2) == 0 &&
			  (r.at[2] == ' ' || r.at[2] == '\t' || r.at[2] == '\0');
	enum veer_err err;
	if (is_generic) {
		r.at += 2;
		err = read_generic(&r) ? VEER_OK : VEER_EINVAL;
	} else {
		err = read_all(&r, type);
	}
	if (err == VEER_OK && r.w.failed) {
		(void)rdata_fail(&r, "a record of more than 65535 octets");
		err = VEER_EINVAL;
	}
	size_t read = byte_writer_len(&r.w);
	*what = r.what;
	if (err == VEER_OK && is_generic)
		err = check_generic(type, out, read, what);
	if (err == VEER_OK && !rdata_check(type, out, read, what))
		err = VEER_EINVAL;
	if (err == VEER_OK)
		*len = read;
	return err;
}
