/* SPDX-License-Identifier: Apache-2.0 */
/* Splitting a record's text into words, and reading single words. See rdata_impl.h. */
#include <arpa/inet.h>
#include <string.h>

#include "zones/dns/name.h"
#include "zones/dns/rdata_impl.h"

bool rdata_fail(struct rdata_reader *r, const char *what)
{
	if (r->what == NULL)
		r->what = what;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool rdata_has_word(struct rdata_reader *r)
{
	while (is_blank(*r->at))
		r->at++;
	return *r->at != '\0';
}

static bool quoted_word(struct rdata_reader *r, struct rdata_word *out)
{
	const char *p = ++r->at;
	for (; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (*p == '\0')
			return rdata_fail(r, "a quoted string does not end");
	}
	*out = (struct rdata_word){.text = r->at, .len = (size_t)(p - r->at), .is_quoted = true};
	r->at = p + 1;
	return *r->at == '\0' || is_blank(*r->at) || rdata_fail(r, "a blank is missing after a quoted string");
}

bool rdata_word(struct rdata_reader *r, struct rdata_word *out)
{
	if (!rdata_has_word(r))
		return rdata_fail(r, "something is missing at the end");
	if (*r->at == '"')
		return quoted_word(r, out);
	const char *p = r->at;
	for (; *p != '\0' && !is_blank(*p); p++) {
		if (*p == '"')
			return rdata_fail(r, "a quotation mark within a word");
		if (*p == '\\' && p[1] != '\0')
			p++;
	}
	*out = (struct rdata_word){.text = r->at, .len = (size_t)(p - r->at)};
	r->at = p;
	return true;
}

bool rdata_plain_word(struct rdata_reader *r, struct rdata_word *out)
{
	if (!rdata_word(r, out))
		return false;
	return !out->is_quoted || rdata_fail(r, "only text may stand in quotation marks, no name, number or address");
}

int rdata_octet(const char **text, const char *end)
{
	const char *p = *text;
	if (*p != '\\') {
		(*text)++;
		return (unsigned char)*p;
	}
	if (end - p < 2)
		return -1;
	if (!is_digit(p[1])) {
		*text += 2;
		return (unsigned char)p[1];
	}
	if (end - p < 4 || !is_digit(p[2]) || !is_digit(p[3]))
		return -1;
	int value = (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
	*text += 4;
	return value <= 255 ? value : -1;
}

bool rdata_write_word(struct rdata_reader *r, const struct rdata_word *word, bool has_length)
{
	uint8_t *start = r->w.pos;
	if (has_length)
		byte_write_u8(&r->w, 0);
	for (const char *p = word->text, *end = p + word->len; p < end;) {
		int octet = rdata_octet(&p, end);
		if (octet < 0)
			return rdata_fail(r, "a malformed escape: write \\X or \\DDD, three digits up to 255");
		byte_write_u8(&r->w, (uint8_t)octet);
	}
	if (r->w.failed || !has_length)
		return !r->w.failed;
	size_t len = (size_t)(r->w.pos - start) - 1;
	if (len > UINT8_MAX)
		return rdata_fail(
			r, "a string of more than 255 octets: write it as several, \"first part\" \"second part\"");
	*start = (uint8_t)len;
	return true;
}

bool rdata_number(const char *text, size_t len, uint32_t max, uint32_t *out)
{
	uint64_t number = 0;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]) || number > max)
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*out = (uint32_t)number;
	return len > 0 && number <= max;
}

bool rdata_read_number(struct rdata_reader *r, size_t octets, uint32_t *out)
{
	struct rdata_word word;
	uint32_t max = octets == 4 ? UINT32_MAX : (UINT32_C(1) << 8 * octets) - 1;
	if (!rdata_plain_word(r, &word))
		return false;
	if (!rdata_number(word.text, word.len, max, out))
		return rdata_fail(r, octets == 1   ? "a number from 0 to 255 is needed"
				     : octets == 2 ? "a number from 0 to 65535 is needed"
						   : "a number from 0 to 4294967295 is needed");
	byte_write_number(&r->w, *out, octets);
	return true;
}

static uint32_t unit_s(char c)
{
	switch (c | 0x20) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	default:
		return 0;
	}
}

bool rdata_period(const char *text, size_t len, uint32_t max, uint32_t *out)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < len;) {
		uint64_t number = 0;
		if (!is_digit(text[i]))
			return false;
		for (; i < len && is_digit(text[i]) && number <= UINT32_MAX; i++)
			number = number * 10 + (uint64_t)(text[i] - '0');
		uint32_t unit = i < len ? unit_s(text[i++]) : 1;
		sum += number * unit;
		if (unit == 0 || number > max || sum > max)
			return false;
	}
	*out = (uint32_t)sum;
	return len > 0;
}

bool rdata_read_name(struct rdata_reader *r)
{
	uint8_t name[NAME_WIRE_MAX];
	size_t len;
	struct rdata_word word;
	if (!rdata_plain_word(r, &word))
		return false;
	if (name_parse(word.text, word.len, r->origin, name, &len, NULL) != VEER_OK)
		return rdata_fail(r, "a malformed domain name: an empty label or one over 63 octets, more than 255 "
				     "octets in all, or a bad escape");
	byte_write_span(&r->w, name, len);
	return true;
}

static bool write_address(struct rdata_reader *r, int family, const char *text, size_t len)
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t address[16];
	if (len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(family, copy, address) != 1)
		return false;
	byte_write_span(&r->w, address, family == AF_INET ? 4 : 16);
	return true;
}

bool rdata_write_ipv4(struct rdata_reader *r, const char *text, size_t len)
{
	return write_address(r, AF_INET, text, len) || rdata_fail(r, "an IPv4 address is needed, as 192.0.2.1");
}

bool rdata_write_ipv6(struct rdata_reader *r, const char *text, size_t len)
{
	return write_address(r, AF_INET6, text, len) || rdata_fail(r, "an IPv6 address is needed, as 2001:db8::1");
}
