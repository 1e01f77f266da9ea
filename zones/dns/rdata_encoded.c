/* SPDX-License-Identifier: Apache-2.0 */
/* Octets as hex and base64 in a record's text, and numbers that have names. See rdata_impl.h. */
#include <string.h>

#include "zones/dns/rdata_impl.h"

int rdata_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hex digits, from any number of pieces. */
struct hex {
	unsigned high;
	bool has_high;
};

static bool add_hex(struct rdata_reader *r, struct hex *h, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int digit = rdata_hex_digit(text[i]);
		if (digit < 0)
			return rdata_fail(r, "hex digits are needed");
		if (h->has_high)
			byte_write_u8(&r->w, (uint8_t)(h->high << 4 | (unsigned)digit));
		h->high = (unsigned)digit;
		h->has_high = !h->has_high;
	}
	return true;
}

bool rdata_write_hex(struct rdata_reader *r, const char *text, size_t len)
{
	struct hex h = {0};
	if (len == 0)
		return rdata_fail(r, "hex digits are needed");
	return add_hex(r, &h, text, len) && (!h.has_high || rdata_fail(r, "an odd number of hex digits"));
}

bool rdata_read_hex_rest(struct rdata_reader *r)
{
	struct hex h = {0};
	struct rdata_word word;
	do {
		if (!rdata_plain_word(r, &word) || !add_hex(r, &h, word.text, word.len))
			return false;
	} while (rdata_has_word(r));
	return !h.has_high || rdata_fail(r, "an odd number of hex digits");
}

/* Base64 (RFC 4648 4), from any number of pieces. */
struct base64 {
	uint32_t bits;
	unsigned count;   /* characters of the present group */
	unsigned padding; /* "=" seen */
};

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Finish a complete group. A group with padding must be the last, and its unused bits must be 0. */
static bool close_group(struct rdata_reader *r, struct base64 *b)
{
	if ((b->padding == 1 && (b->bits & 0xff) != 0) || (b->padding == 2 && (b->bits & 0xffff) != 0))
		return false;
	byte_write_number(&r->w, b->bits >> 8 * b->padding, 3 - b->padding);
	b->bits = 0;
	b->count = 0;
	return true;
}

static bool add_base64(struct rdata_reader *r, struct base64 *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(text[i]);
		bool is_padding = text[i] == '=';
		if (is_padding ? b->count < 2 : digit < 0 || b->padding > 0)
			return false;
		b->bits = b->bits << 6 | (is_padding ? 0U : (unsigned)digit);
		b->padding += is_padding;
		if (++b->count == 4 && !close_group(r, b))
			return false;
	}
	return true;
}

bool rdata_write_base64(struct rdata_reader *r, const char *text, size_t len)
{
	struct base64 b = {0};
	if (len == 0 || !add_base64(r, &b, text, len) || b.count != 0)
		return rdata_fail(r, "base64 is needed, with its padding");
	return true;
}

bool rdata_read_base64_rest(struct rdata_reader *r)
{
	struct base64 b = {0};
	struct rdata_word word;
	do {
		if (!rdata_plain_word(r, &word))
			return false;
		if (!add_base64(r, &b, word.text, word.len))
			return rdata_fail(r, "base64 is needed, with its padding");
	} while (rdata_has_word(r));
	return b.count == 0 || rdata_fail(r, "base64 is needed, with its padding");
}

/* --- names of numbers ------------------------------------------------------------------------------------- */

struct named {
	const char *name;
	uint16_t number;
};

static bool find_named(const struct named *names, size_t count, const char *text, size_t len, uint32_t *out)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(names[i].name) == len && strncasecmp(names[i].name, text, len) == 0) {
			*out = names[i].number;
			return true;
		}
	return false;
}

bool rdata_algorithm_named(const char *text, size_t len, uint32_t *out)
{
	static const struct named names[] = {
		{"RSAMD5", 1},
		{"DH", 2},
		{"DSA", 3},
		{"RSASHA1", 5},
		{"DSA-NSEC3-SHA1", 6},
		{"NSEC3DSA", 6},
		{"RSASHA1-NSEC3-SHA1", 7},
		{"NSEC3RSASHA1", 7},
		{"RSASHA256", 8},
		{"RSASHA512", 10},
		{"ECC-GOST", 12},
		{"ECCGOST", 12},
		{"ECDSAP256SHA256", 13},
		{"ECDSAP384SHA384", 14},
		{"ED25519", 15},
		{"ED448", 16},
		{"INDIRECT", 252},
		{"PRIVATEDNS", 253},
		{"PRIVATEOID", 254},
	};
	return find_named(names, sizeof names / sizeof names[0], text, len, out);
}

bool rdata_digest_named(const char *text, size_t len, uint32_t *out)
{
	static const struct named names[] = {
		{"SHA-1", 1}, {"SHA1", 1}, {"SHA-256", 2}, {"SHA256", 2}, {"GOST", 3}, {"SHA-384", 4}, {"SHA384", 4},
	};
	return find_named(names, sizeof names / sizeof names[0], text, len, out);
}

bool rdata_cert_type_named(const char *text, size_t len, uint32_t *out)
{
	static const struct named names[] = {
		{"PKIX", 1}, {"SPKI", 2},   {"PGP", 3},     {"IPKIX", 4}, {"ISPKI", 5},
		{"IPGP", 6}, {"ACPKIX", 7}, {"IACPKIX", 8}, {"URI", 253}, {"OID", 254},
	};
	return find_named(names, sizeof names / sizeof names[0], text, len, out);
}
