/* SPDX-License-Identifier: Apache-2.0 */
/* RDATA to text. See rdata_text.h. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "zones/dns/name.h"
#include "zones/dns/rdata_impl.h"
#include "zones/dns/rrset.h"

bool rdata_print_fail(struct rdata_printer *p, const char *what)
{
	if (p->what == NULL)
		p->what = what;
	return false;
}

bool rdata_print_other(struct rdata_printer *p)
{
	p->is_other = true;
	return false;
}

void rdata_print_blank(struct rdata_printer *p)
{
	if (p->has_word)
		buf_putc(p->out, ' ');
	p->has_word = true;
}

void rdata_print_hex(struct rdata_printer *p, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < len; i++) {
		buf_putc(p->out, digits[data[i] >> 4]);
		buf_putc(p->out, digits[data[i] & 15]);
	}
}

void rdata_print_base64(struct rdata_printer *p, const uint8_t *data, size_t len)
{
	char group[8];
	for (size_t i = 0; i < len; i += 3) {
		crypto_base64_encode(data + i, len - i < 3 ? len - i : 3, group);
		buf_puts(p->out, group);
	}
}

void rdata_print_quoted(struct buf *out, const uint8_t *data, size_t len)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < len; i++)
		if (data[i] == '"' || data[i] == '\\')
			buf_printf(out, "\\%c", data[i]);
		else if (data[i] < 0x20 || data[i] >= 0x7f)
			buf_printf(out, "\\%03u", data[i]);
		else
			buf_putc(out, (char)data[i]);
	buf_putc(out, '"');
}

bool rdata_print_name(struct rdata_printer *p)
{
	char text[NAME_TEXT_SIZE];
	size_t len = name_check(p->in.pos, byte_reader_left(&p->in));
	if (len == 0)
		return rdata_print_fail(p, "a domain name is cut or malformed");
	(void)name_print(byte_read_span(&p->in, len), text, sizeof text);
	buf_puts(p->out, text);
	return true;
}

void rdata_print_address(struct rdata_printer *p, int family, const uint8_t *data)
{
	char text[INET6_ADDRSTRLEN];
	if (inet_ntop(family, data, text, sizeof text) != NULL)
		buf_puts(p->out, text);
}

static bool print_address(struct rdata_printer *p, int family)
{
	const uint8_t *data = byte_read_span(&p->in, family == AF_INET ? 4 : 16);
	if (data == NULL)
		return rdata_print_fail(p, "an address is cut");
	rdata_print_address(p, family, data);
	return true;
}

static bool print_number(struct rdata_printer *p, size_t octets)
{
	uint64_t value = byte_read_number(&p->in, octets);
	if (p->in.failed)
		return rdata_print_fail(p, "a number is cut");
	buf_printf(p->out, "%llu", (unsigned long long)value);
	return true;
}

/*
 * Print one string; with `plain` as a word without quotation marks. A string that is not plain is then refused when the
 * text is read back (print_checked()).
 */
static bool print_string(struct rdata_printer *p, bool plain)
{
	size_t len = byte_read_u8(&p->in);
	const uint8_t *data = byte_read_span(&p->in, len);
	if (data == NULL)
		return rdata_print_fail(p, "a string is cut");
	if (plain && len > 0)
		for (size_t i = 0; i < len; i++)
			plain = plain && data[i] > ' ' && data[i] < 0x7f && strchr("\"\\;()", data[i]) == NULL;
	if (plain && len > 0)
		buf_append(p->out, data, len);
	else
		rdata_print_quoted(p->out, data, len);
	return true;
}

static bool print_strings(struct rdata_printer *p)
{
	bool is_first = true;
	do {
		if (!is_first)
			buf_putc(p->out, ' ');
		if (!print_string(p, false))
			return false;
		is_first = false;
	} while (byte_reader_left(&p->in) > 0);
	return true;
}

static void print_type(struct buf *out, unsigned type)
{
	char text[RRSET_TYPE_TEXT_SIZE];
	rrtype_print((uint16_t)type, text);
	buf_puts(out, text);
}

/* Print the types of a bitmap of `len` octets whose first bit is type `base`, each after a blank. */
static void print_bits(struct rdata_printer *p, const uint8_t *bits, size_t len, unsigned base)
{
	for (unsigned i = 0; i < 8 * len; i++)
		if ((bits[i / 8] & 0x80 >> i % 8) != 0) {
			rdata_print_blank(p);
			print_type(p->out, base + i);
		}
}

static bool print_types(struct rdata_printer *p)
{
	while (byte_reader_left(&p->in) > 0) {
		unsigned window = byte_read_u8(&p->in);
		size_t len = byte_read_u8(&p->in);
		const uint8_t *bits = byte_read_span(&p->in, len);
		if (bits == NULL || len == 0 || len > 32)
			return rdata_print_fail(p, "a bitmap of types is cut");
		print_bits(p, bits, len, window * 256);
	}
	return true;
}

static bool print_old_types(struct rdata_printer *p)
{
	size_t len = byte_reader_left(&p->in);
	if (len > 16)
		return rdata_print_fail(p, "a bitmap of types is too long");
	print_bits(p, byte_read_span(&p->in, len), len, 0);
	return true;
}

static bool print_time(struct rdata_printer *p)
{
	time_t seconds = (time_t)byte_read_u32(&p->in);
	struct tm tm;
	char text[32];
	if (p->in.failed || gmtime_r(&seconds, &tm) == NULL || strftime(text, sizeof text, "%Y%m%d%H%M%S", &tm) == 0)
		return rdata_print_fail(p, "a time is cut");
	buf_puts(p->out, text);
	return true;
}

/* Print what is left, at least one octet. */
static bool print_rest(struct rdata_printer *p, enum rdata_field field)
{
	size_t len = byte_reader_left(&p->in);
	const uint8_t *data = byte_read_span(&p->in, len);
	if (field == FIELD_TEXT) {
		rdata_print_quoted(p->out, data, len);
		return true;
	}
	if (len == 0)
		return rdata_print_fail(p, "octets are missing at the end");
	if (field == FIELD_HEX)
		rdata_print_hex(p, data, len);
	else
		rdata_print_base64(p, data, len);
	return true;
}

static bool print_salt(struct rdata_printer *p)
{
	size_t len = byte_read_u8(&p->in);
	const uint8_t *data = byte_read_span(&p->in, len);
	if (data == NULL)
		return rdata_print_fail(p, "a salt is cut");
	if (len == 0)
		buf_putc(p->out, '-');
	rdata_print_hex(p, data, len);
	return true;
}

static bool print_hash(struct rdata_printer *p)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	size_t len = byte_read_u8(&p->in);
	const uint8_t *data = byte_read_span(&p->in, len);
	uint32_t bits = 0;
	unsigned count = 0;
	if (data == NULL || len == 0)
		return rdata_print_fail(p, "a hash is cut");
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (count += 8; count >= 5; count -= 5)
			buf_putc(p->out, digits[bits >> (count - 5) & 31]);
		bits &= (1U << count) - 1;
	}
	if (count > 0)
		buf_putc(p->out, digits[bits << (5 - count) & 31]);
	return true;
}

/* Print one number or two, and a digest in hex. */
static bool print_digest(struct rdata_printer *p, unsigned numbers)
{
	for (unsigned i = 0; i < numbers; i++) {
		if (!print_number(p, 1))
			return false;
		buf_putc(p->out, ' ');
	}
	return print_rest(p, FIELD_HEX);
}

/* How many octets a number field has. */
static size_t number_octets(enum rdata_field field)
{
	static const uint8_t octets[FIELD_COUNT] = {
		[FIELD_U8] = 1,        [FIELD_ALGORITHM] = 1, [FIELD_U16] = 2,
		[FIELD_CERT_TYPE] = 2, [FIELD_U32] = 4,       [FIELD_PERIOD] = 4,
	};
	return octets[field];
}

static bool print_ipv4(struct rdata_printer *p)
{
	return print_address(p, AF_INET);
}

static bool print_ipv6(struct rdata_printer *p)
{
	return print_address(p, AF_INET6);
}

static bool print_one_string(struct rdata_printer *p)
{
	return print_string(p, false);
}

static bool print_tag(struct rdata_printer *p)
{
	return print_string(p, true);
}

static bool print_one_type(struct rdata_printer *p)
{
	if (byte_reader_left(&p->in) < 2)
		return rdata_print_fail(p, "a type is cut");
	print_type(p->out, byte_read_u16(&p->in));
	return true;
}

static bool print_text(struct rdata_printer *p)
{
	return print_rest(p, FIELD_TEXT);
}

static bool print_base64(struct rdata_printer *p)
{
	return print_rest(p, FIELD_BASE64);
}

static bool print_hex(struct rdata_printer *p)
{
	return print_rest(p, FIELD_HEX);
}

static bool print_one_digest(struct rdata_printer *p)
{
	return print_digest(p, 1);
}

static bool print_zonemd(struct rdata_printer *p)
{
	return print_digest(p, 2);
}

/* Fields that are not here are numbers, or printed by rdata_special.c. */
static bool (*const printers[FIELD_COUNT])(struct rdata_printer *p) = {
	[FIELD_NAME] = rdata_print_name,
	[FIELD_IPV4] = print_ipv4,
	[FIELD_IPV6] = print_ipv6,
	[FIELD_STRING] = print_one_string,
	[FIELD_STRING_OR_NONE] = print_one_string,
	[FIELD_DIGITS] = print_one_string,
	[FIELD_TAG] = print_tag,
	[FIELD_STRINGS] = print_strings,
	[FIELD_TYPE] = print_one_type,
	[FIELD_TYPES] = print_types,
	[FIELD_SOME_TYPES] = print_types,
	[FIELD_OLD_TYPES] = print_old_types,
	[FIELD_TIME] = print_time,
	[FIELD_TEXT] = print_text,
	[FIELD_KEY] = print_base64,
	[FIELD_BASE64] = print_base64,
	[FIELD_BASE64_OR_NONE] = print_base64,
	[FIELD_HEX] = print_hex,
	[FIELD_SALT] = print_salt,
	[FIELD_HASH] = print_hash,
	[FIELD_DIGEST] = print_one_digest,
	[FIELD_FINGERPRINT] = print_one_digest,
	[FIELD_ZONEMD] = print_zonemd,
	[FIELD_LOCATION] = rdata_print_location,
	[FIELD_PREFIXES] = rdata_print_prefixes,
	[FIELD_PARAMS] = rdata_print_params,
};

static bool print_field(struct rdata_printer *p, enum rdata_field field)
{
	size_t octets = number_octets(field);
	if (octets > 0)
		return print_number(p, octets);
	return printers[field] != NULL ? printers[field](p) : rdata_print_special(p, field);
}

/* Fields that print their own blanks, and print nothing when nothing is left. */
static bool is_list(enum rdata_field field)
{
	return field == FIELD_TYPES || field == FIELD_SOME_TYPES || field == FIELD_OLD_TYPES ||
	       field == FIELD_PREFIXES || field == FIELD_PARAMS;
}

static bool is_optional(enum rdata_field field)
{
	return field == FIELD_STRING_OR_NONE || field == FIELD_BASE64_OR_NONE || field == FIELD_KEY;
}

/* Print as the form says. False when the octets do not have that form. */
static bool print_form(struct rdata_printer *p, const struct rdata_form *form)
{
	for (unsigned i = 0; form->fields[i] != FIELD_END; i++) {
		enum rdata_field field = (enum rdata_field)form->fields[i];
		if (is_optional(field) && byte_reader_left(&p->in) == 0)
			continue;
		if (!is_list(field))
			rdata_print_blank(p);
		if (!print_field(p, field))
			return false;
	}
	return byte_reader_left(&p->in) == 0 || rdata_print_fail(p, "there are more octets than the type has fields");
}

/*
 * Print, then read the text back: it counts only if that gives the same octets. On failure with `*what` NULL memory was
 * out. This makes sure that a text which is shown never means something else.
 */
static bool print_checked(uint16_t type, const uint8_t *rdata, size_t len, struct buf *out, bool *is_other,
			  const char **what)
{
	const struct rdata_form *form = rdata_form_of(type);
	struct rdata_printer p = {.out = out};
	size_t start = out->len, again_len = 0;
	*what = "the type has no text of its own";
	*is_other = false;
	if (form == NULL || form->fields[0] == FIELD_NONE)
		return false;
	byte_reader_init(&p.in, rdata, len);
	bool ok = print_form(&p, form);
	*what = p.what;
	*is_other = p.is_other;
	if (!ok || out->failed)
		return false;
	uint8_t *again = malloc(RDATA_MAX);
	if (again == NULL)
		return false;
	ok = rdata_from_text(type, out->data + start, (const uint8_t *)"", again, &again_len, what) == VEER_OK;
	if (ok && (again_len != len || memcmp(again, rdata, len) != 0)) {
		*what = "the octets are not in the form that their type has";
		ok = false;
	}
	free(again);
	return ok;
}

static void cut(struct buf *out, size_t len)
{
	if (out->len > len) {
		out->len = len;
		out->data[len] = '\0';
	}
}

void rdata_to_text(uint16_t type, const uint8_t *rdata, size_t len, struct buf *out)
{
	size_t start = out->len;
	const char *what;
	bool is_other;
	const struct rdata_form *form = rdata_form_of(type);
	/*
	 * a type that is written as TYPE and its number gets generic RDATA, because other software expects the two
	 * together
	 */
	bool is_alias = form != NULL && form->is_alias;
	if ((!is_alias && print_checked(type, rdata, len, out, &is_other, &what)) || out->failed)
		return;
	struct rdata_printer p = {.out = out};
	cut(out, start);
	buf_printf(out, len > 0 ? "\\# %zu " : "\\# %zu", len);
	rdata_print_hex(&p, rdata, len);
}

enum veer_err rdata_check_form(uint16_t type, const uint8_t *rdata, size_t len, const char **what)
{
	const struct rdata_form *form = rdata_form_of(type);
	struct buf text;
	if (form == NULL || form->fields[0] == FIELD_NONE)
		return VEER_OK;
	buf_init(&text, (size_t)1 << 20);
	bool is_other;
	bool ok = print_checked(type, rdata, len, &text, &is_other, what) || is_other;
	bool is_memory = !ok && (*what == NULL || text.failed);
	buf_deinit(&text);
	return ok ? VEER_OK : is_memory ? VEER_ENOMEM : VEER_EINVAL;
}
