/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that one or two types have, read and printed. See rdata_impl.h. */
#include <arpa/inet.h>
#include <string.h>

#include "zones/dns/name.h"
#include "zones/dns/rdata_impl.h"

#define PORTS_MAX 65536
#define IPPROTO_TCP_NUMBER 6
#define IPPROTO_UDP_NUMBER 17

/* --- addresses of other nets ------------------------------------------------------------------------------ */

static bool read_eui(struct rdata_reader *r, size_t octets)
{
	struct rdata_word word;
	if (!rdata_plain_word(r, &word))
		return false;
	bool ok = word.len == 3 * octets - 1;
	for (size_t i = 0; ok && i < word.len; i += 3) {
		int high = rdata_hex_digit(word.text[i]), low = rdata_hex_digit(word.text[i + 1]);
		ok = high >= 0 && low >= 0 && (i + 2 == word.len || word.text[i + 2] == '-');
		if (ok)
			byte_write_u8(&r->w, (uint8_t)((unsigned)high << 4 | (unsigned)low));
	}
	return ok || rdata_fail(r, "pairs of hex digits are needed, with hyphens between");
}

static bool print_eui(struct rdata_printer *p, size_t octets)
{
	const uint8_t *data = byte_read_span(&p->in, octets);
	if (data == NULL)
		return rdata_print_fail(p, "the address is cut");
	for (size_t i = 0; i < octets; i++)
		buf_printf(p->out, "%s%02x", i > 0 ? "-" : "", data[i]);
	return true;
}

static bool read_locator(struct rdata_reader *r)
{
	struct rdata_word word;
	if (!rdata_plain_word(r, &word))
		return false;
	size_t at = 0;
	bool ok = true;
	for (int group = 0; ok && group < 4; group++) {
		unsigned value = 0, digits = 0;
		for (; at < word.len && rdata_hex_digit(word.text[at]) >= 0; at++, digits++)
			value = value << 4 | (unsigned)rdata_hex_digit(word.text[at]);
		ok = digits >= 1 && digits <= 4 &&
		     (group == 3 ? at == word.len : at < word.len && word.text[at] == ':');
		at++;
		byte_write_u16(&r->w, (uint16_t)value);
	}
	return ok || rdata_fail(r, "four groups of hex digits are needed, with colons between");
}

static bool print_locator(struct rdata_printer *p)
{
	const uint8_t *data = byte_read_span(&p->in, 8);
	if (data == NULL)
		return rdata_print_fail(p, "the locator is cut");
	for (size_t i = 0; i < 8; i += 2)
		buf_printf(p->out, "%s%02x%02x", i > 0 ? ":" : "", data[i], data[i + 1]);
	return true;
}

/* Hex digits with dots anywhere. */
static bool write_dotted_hex(struct rdata_reader *r, const char *text, size_t len)
{
	unsigned high = 0, digits = 0;
	for (size_t i = 0; i < len; i++) {
		int digit = rdata_hex_digit(text[i]);
		if (text[i] == '.')
			continue;
		if (digit < 0)
			return rdata_fail(r, "hex digits are needed");
		if (digits++ % 2 == 1)
			byte_write_u8(&r->w, (uint8_t)(high << 4 | (unsigned)digit));
		high = (unsigned)digit;
	}
	return (digits > 0 && digits % 2 == 0) || rdata_fail(r, "an odd number of hex digits");
}

static bool read_nsap(struct rdata_reader *r)
{
	struct rdata_word word;
	if (!rdata_plain_word(r, &word))
		return false;
	if (word.len < 2 || word.text[0] != '0' || (word.text[1] | 0x20) != 'x')
		return rdata_fail(r, "an NSAP address begins with 0x");
	return write_dotted_hex(r, word.text + 2, word.len - 2);
}

static bool read_atma(struct rdata_reader *r)
{
	struct rdata_word word;
	if (!rdata_plain_word(r, &word))
		return false;
	if (word.text[0] != '+') {
		if (word.text[0] == '.' || word.text[word.len - 1] == '.')
			return rdata_fail(r, "hex digits are needed");
		byte_write_u8(&r->w, 0);
		return write_dotted_hex(r, word.text, word.len);
	}
	byte_write_u8(&r->w, 1);
	bool has_digit = false; /* the character before was a digit: a dot must be between two digits */
	for (size_t i = 1; i < word.len; i++) {
		bool is_dot = word.text[i] == '.';
		if (is_dot ? !has_digit : word.text[i] < '0' || word.text[i] > '9')
			return rdata_fail(r, "digits are needed after the +");
		if (!is_dot)
			byte_write_u8(&r->w, (uint8_t)word.text[i]);
		has_digit = !is_dot;
	}
	return has_digit || rdata_fail(r, "digits are needed after the +");
}

static bool print_atma(struct rdata_printer *p)
{
	uint8_t format = byte_read_u8(&p->in);
	size_t len = byte_reader_left(&p->in);
	const uint8_t *data = byte_read_span(&p->in, len);
	if (data == NULL || len == 0 || format > 1)
		return rdata_print_fail(p, "the address is invalid");
	if (format == 0) {
		rdata_print_hex(p, data, len);
		return true;
	}
	buf_putc(p->out, '+');
	for (size_t i = 0; i < len; i++)
		if (data[i] < '0' || data[i] > '9')
			return rdata_print_fail(p, "the address is invalid");
	buf_append(p->out, data, len);
	return true;
}

/* --- WKS -------------------------------------------------------------------------------------------------- */

/* Protocols and ports are read by number, except the names TCP and UDP: what other names mean depends on the host. */
static bool read_services(struct rdata_reader *r)
{
	struct rdata_word word;
	uint32_t number, last = 0;
	bool has_any = false;
	uint8_t bits[PORTS_MAX / 8] = {0};
	if (!rdata_plain_word(r, &word) || !rdata_write_ipv4(r, word.text, word.len) || !rdata_plain_word(r, &word))
		return false;
	if (word.len == 3 && strncasecmp(word.text, "tcp", 3) == 0)
		number = IPPROTO_TCP_NUMBER;
	else if (word.len == 3 && strncasecmp(word.text, "udp", 3) == 0)
		number = IPPROTO_UDP_NUMBER;
	else if (!rdata_number(word.text, word.len, UINT8_MAX, &number))
		return rdata_fail(r, "a protocol is needed: tcp, udp or a number");
	byte_write_u8(&r->w, (uint8_t)number);
	while (rdata_has_word(r)) {
		if (!rdata_plain_word(r, &word))
			return false;
		if (!rdata_number(word.text, word.len, PORTS_MAX - 1, &number))
			return rdata_fail(r, "ports are needed, as numbers");
		bits[number / 8] |= (uint8_t)(0x80 >> number % 8);
		last = number > last ? number : last;
		has_any = true;
	}
	byte_write_span(&r->w, bits, has_any ? last / 8 + 1 : 0);
	return true;
}

static bool print_services(struct rdata_printer *p)
{
	const uint8_t *head = byte_read_span(&p->in, 5);
	size_t len = byte_reader_left(&p->in);
	if (head == NULL || len > PORTS_MAX / 8)
		return rdata_print_fail(p, "the services are cut, or too many");
	rdata_print_address(p, AF_INET, head);
	buf_printf(p->out, " %u", head[4]);
	for (size_t port = 0; port < 8 * len; port++)
		if ((p->in.pos[port / 8] & 0x80 >> port % 8) != 0)
			buf_printf(p->out, " %zu", port);
	(void)byte_read_span(&p->in, len);
	return true;
}

/* --- keys and their gateways ------------------------------------------------------------------------------ */

/* Read a gateway or relay of a kind: none (written as "."), an address, or a name (RFC 4025 2.5, RFC 8777 4.2.4). */
static bool read_gateway(struct rdata_reader *r, uint32_t kind)
{
	struct rdata_word word;
	if (kind == 3)
		return rdata_read_name(r);
	if (kind > 3)
		return rdata_fail(r, "the kind of the gateway is not known: write \\# LENGTH HEX");
	if (!rdata_plain_word(r, &word))
		return false;
	if (kind == 1)
		return rdata_write_ipv4(r, word.text, word.len);
	if (kind == 2)
		return rdata_write_ipv6(r, word.text, word.len);
	return (word.len == 1 && word.text[0] == '.') || rdata_fail(r, "\".\" is needed where there is no gateway");
}

static bool print_gateway(struct rdata_printer *p, unsigned kind)
{
	const uint8_t *address;
	rdata_print_blank(p);
	switch (kind) {
	case 0:
		buf_putc(p->out, '.');
		return true;
	case 1:
	case 2:
		address = byte_read_span(&p->in, kind == 1 ? 4 : 16);
		if (address == NULL)
			return rdata_print_fail(p, "the gateway is cut");
		rdata_print_address(p, kind == 1 ? AF_INET : AF_INET6, address);
		return true;
	case 3:
		return rdata_print_name(p);
	default:
		return rdata_print_fail(p, "the kind of the gateway is not known");
	}
}

static bool read_ipseckey(struct rdata_reader *r)
{
	uint32_t precedence, kind, algorithm;
	if (!rdata_read_number(r, 1, &precedence) || !rdata_read_number(r, 1, &kind) ||
	    !rdata_read_number(r, 1, &algorithm) || !read_gateway(r, kind))
		return false;
	return (algorithm == 0 && !rdata_has_word(r)) || rdata_read_base64_rest(r);
}

static bool print_ipseckey(struct rdata_printer *p)
{
	const uint8_t *head = byte_read_span(&p->in, 3);
	if (head == NULL)
		return rdata_print_fail(p, "the record is cut");
	buf_printf(p->out, "%u %u %u", head[0], head[1], head[2]);
	p->has_word = true;
	if (!print_gateway(p, head[1]))
		return false;
	size_t len = byte_reader_left(&p->in);
	if (head[2] != 0 && len == 0)
		return rdata_print_fail(p, "a key is missing");
	if (len > 0) {
		rdata_print_blank(p);
		rdata_print_base64(p, byte_read_span(&p->in, len), len);
	}
	return true;
}

static bool read_amtrelay(struct rdata_reader *r)
{
	uint32_t precedence, kind, is_optional;
	struct rdata_word word;
	if (!rdata_read_number(r, 1, &precedence) || !rdata_plain_word(r, &word))
		return false;
	if (!rdata_number(word.text, word.len, 1, &is_optional))
		return rdata_fail(r, "the discovery bit is 0 or 1");
	uint8_t *at = r->w.pos;
	if (!rdata_read_number(r, 1, &kind))
		return false;
	if (kind > 127)
		return rdata_fail(r, "a relay's kind is at most 127");
	*at |= (uint8_t)(is_optional << 7);
	return read_gateway(r, kind);
}

static bool print_amtrelay(struct rdata_printer *p)
{
	const uint8_t *head = byte_read_span(&p->in, 2);
	if (head == NULL)
		return rdata_print_fail(p, "the record is cut");
	buf_printf(p->out, "%u %u %u", head[0], head[1] >> 7, head[1] & 0x7fU);
	p->has_word = true;
	if ((head[1] & 0x7fU) > 3)
		return rdata_print_other(p);
	return print_gateway(p, head[1] & 0x7fU);
}

static bool read_hip(struct rdata_reader *r)
{
	struct rdata_word tag, key;
	uint8_t *head = r->w.pos;
	uint32_t algorithm;
	byte_write_u8(&r->w, 0);
	if (!rdata_read_number(r, 1, &algorithm) || !rdata_plain_word(r, &tag) || !rdata_plain_word(r, &key))
		return false;
	byte_write_u16(&r->w, 0);
	const uint8_t *start = r->w.pos;
	if (!rdata_write_hex(r, tag.text, tag.len))
		return false;
	size_t tag_len = (size_t)(r->w.pos - start);
	if (!rdata_write_base64(r, key.text, key.len) || r->w.failed)
		return false;
	size_t key_len = (size_t)(r->w.pos - start) - tag_len;
	if (tag_len > UINT8_MAX)
		return rdata_fail(r, "a host identity tag has at most 255 octets");
	head[0] = (uint8_t)tag_len;
	head[2] = (uint8_t)(key_len >> 8);
	head[3] = (uint8_t)key_len;
	while (rdata_has_word(r))
		if (!rdata_read_name(r))
			return false;
	return true;
}

static bool print_hip(struct rdata_printer *p)
{
	size_t tag_len = byte_read_u8(&p->in);
	unsigned algorithm = byte_read_u8(&p->in);
	size_t key_len = byte_read_u16(&p->in);
	const uint8_t *tag = byte_read_span(&p->in, tag_len), *key = byte_read_span(&p->in, key_len);
	if (tag == NULL || key == NULL || tag_len == 0 || key_len == 0)
		return rdata_print_fail(p, "the record is cut, or has no tag or key");
	buf_printf(p->out, "%u ", algorithm);
	rdata_print_hex(p, tag, tag_len);
	buf_putc(p->out, ' ');
	rdata_print_base64(p, key, key_len);
	p->has_word = true;
	while (byte_reader_left(&p->in) > 0) {
		rdata_print_blank(p);
		if (!rdata_print_name(p))
			return false;
	}
	return true;
}

/* --- A6 --------------------------------------------------------------------------------------------------- */

/* How many octets an address suffix has after a prefix of that many bits. */
static size_t suffix_len(unsigned prefix)
{
	return 16 - prefix / 8;
}

static bool read_a6(struct rdata_reader *r)
{
	uint32_t prefix;
	struct rdata_word word;
	if (!rdata_read_number(r, 1, &prefix))
		return false;
	if (prefix > 128)
		return rdata_fail(r, "a prefix of more than 128 bits");
	if (prefix < 128) {
		uint8_t *start = r->w.pos;
		if (!rdata_plain_word(r, &word) || !rdata_write_ipv6(r, word.text, word.len) || r->w.failed)
			return false;
		size_t len = suffix_len(prefix);
		memmove(start, start + 16 - len, len);
		start[0] &= (uint8_t)(0xff >> prefix % 8);
		r->w.pos = start + len;
	}
	return prefix == 0 || rdata_read_name(r);
}

static bool print_a6(struct rdata_printer *p)
{
	unsigned prefix = byte_read_u8(&p->in);
	if (p->in.failed || prefix > 128)
		return rdata_print_fail(p, "a prefix of more than 128 bits");
	buf_printf(p->out, "%u", prefix);
	p->has_word = true;
	if (prefix < 128) {
		uint8_t address[16] = {0};
		size_t len = suffix_len(prefix);
		const uint8_t *data = byte_read_span(&p->in, len);
		if (data == NULL)
			return rdata_print_fail(p, "the address is cut");
		memcpy(address + 16 - len, data, len);
		rdata_print_blank(p);
		rdata_print_address(p, AF_INET6, address);
	}
	if (prefix == 0)
		return true;
	rdata_print_blank(p);
	return rdata_print_name(p);
}

/* --- by field --------------------------------------------------------------------------------------------- */

static const struct special {
	enum rdata_field field;
	bool (*read)(struct rdata_reader *r);
	bool (*print)(struct rdata_printer *p);
} specials[] = {
	{FIELD_LOCATOR, read_locator, print_locator},
	{FIELD_ATMA, read_atma, print_atma},
	{FIELD_SERVICES, read_services, print_services},
	{FIELD_IPSECKEY, read_ipseckey, print_ipseckey},
	{FIELD_AMTRELAY, read_amtrelay, print_amtrelay},
	{FIELD_HIP, read_hip, print_hip},
	{FIELD_A6, read_a6, print_a6},
};

bool rdata_read_special(struct rdata_reader *r, enum rdata_field field)
{
	for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++)
		if (specials[i].field == field)
			return specials[i].read(r);
	if (field == FIELD_NSAP)
		return read_nsap(r);
	return read_eui(r, field == FIELD_EUI48 ? 6 : 8);
}

bool rdata_print_special(struct rdata_printer *p, enum rdata_field field)
{
	for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++)
		if (specials[i].field == field)
			return specials[i].print(p);
	if (field != FIELD_NSAP)
		return print_eui(p, field == FIELD_EUI48 ? 6 : 8);
	size_t len = byte_reader_left(&p->in);
	if (len == 0)
		return rdata_print_fail(p, "the address is empty");
	buf_puts(p->out, "0x");
	rdata_print_hex(p, byte_read_span(&p->in, len), len);
	return true;
}
