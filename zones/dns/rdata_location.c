/* SPDX-License-Identifier: Apache-2.0 */
/* Locations (LOC, RFC 1876) and lists of prefixes (APL, RFC 3123), read and printed. See rdata_impl.h. */
#include <arpa/inet.h>
#include <string.h>

#include "zones/dns/rdata_impl.h"

#define EQUATOR UINT32_C(0x80000000)
#define DEGREE_MS UINT32_C(3600000) /* one degree in thousandths of a second of arc */
#define MINUTE_MS UINT32_C(60000)
#define BELOW_CM UINT64_C(10000000) /* altitudes count from 100,000 m below */
#define SIZE_CM_MAX UINT64_C(9000000000)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Read a number with at most `decimals` digits after the point; the result is multiplied by ten to the power of
 * `decimals`. More digits, a point without a digit beside it, and a value above `max` are refused.
 */
static bool read_decimal(const char *text, size_t len, unsigned decimals, uint64_t max, uint64_t *out)
{
	uint64_t number = 0;
	size_t i = 0;
	unsigned after = 0;
	for (; i < len && is_digit(text[i]) && number <= max; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	bool has_digit = i > 0;
	if (decimals > 0 && i < len && text[i] == '.') {
		i++;
		for (; i < len && is_digit(text[i]) && after < decimals && number <= max; i++, after++)
			number = number * 10 + (uint64_t)(text[i] - '0');
		has_digit = has_digit || after > 0;
	}
	for (; after < decimals && number <= max; after++)
		number *= 10;
	*out = number;
	return has_digit && i == len && number <= max;
}

/* Degrees, minutes and seconds, of which the latter two may be left out: then they are 0 (RFC 1876 3). */
static bool read_angle(struct rdata_reader *r, uint32_t degrees_max, char positive, char negative)
{
	static const uint32_t units[] = {DEGREE_MS, MINUTE_MS, 1};
	const uint64_t limits[] = {degrees_max, 59, 59999};
	uint64_t sum = 0, number;
	struct rdata_word word;
	for (unsigned i = 0; rdata_plain_word(r, &word); i++) {
		char side = word.len == 1 ? (char)(word.text[0] & ~0x20) : '\0';
		if (i > 0 && (side == positive || side == negative)) {
			if (sum > (uint64_t)degrees_max * DEGREE_MS)
				break;
			byte_write_u32(&r->w, side == positive ? EQUATOR + (uint32_t)sum : EQUATOR - (uint32_t)sum);
			return true;
		}
		if (i == 3 || !read_decimal(word.text, word.len, i == 2 ? 3 : 0, limits[i], &number))
			break;
		sum += number * units[i];
	}
	return rdata_fail(r, "a location needs degrees, minutes and seconds in their range, and N, S, E or W");
}

static bool read_metres(struct rdata_reader *r, uint64_t below_max, uint64_t max, int64_t *out)
{
	struct rdata_word word;
	uint64_t number;
	if (!rdata_plain_word(r, &word))
		return false;
	bool is_below = word.text[0] == '-';
	size_t len = word.len - is_below;
	if (len > 0 && (word.text[word.len - 1] | 0x20) == 'm')
		len--;
	if (!read_decimal(word.text + is_below, len, 2, is_below ? below_max : max, &number) ||
	    (is_below && below_max == 0))
		return rdata_fail(r, "metres are needed, in their range and with at most two decimals");
	*out = is_below ? -(int64_t)number : (int64_t)number;
	return true;
}

/* RFC 1876 2: the first digit and a power of ten, in centimetres. */
static uint8_t size_octet(uint64_t cm)
{
	unsigned exponent = 0;
	for (; cm >= 10; cm /= 10)
		exponent++;
	return (uint8_t)(cm << 4 | exponent);
}

bool rdata_read_location(struct rdata_reader *r)
{
	static const uint64_t size_default[] = {100, 1000000, 1000}; /* 1 m, 10,000 m, 10 m (RFC 1876 3) */
	uint8_t *head = r->w.pos;
	int64_t metres;
	byte_write_u32(&r->w, 0);
	if (!read_angle(r, 90, 'N', 'S') || !read_angle(r, 180, 'E', 'W') ||
	    !read_metres(r, BELOW_CM, UINT32_MAX - BELOW_CM, &metres))
		return false;
	byte_write_u32(&r->w, (uint32_t)(metres + (int64_t)BELOW_CM));
	for (unsigned i = 0; i < 3; i++) {
		metres = (int64_t)size_default[i];
		if (rdata_has_word(r) && !read_metres(r, 0, SIZE_CM_MAX, &metres))
			return false;
		head[1 + i] = size_octet((uint64_t)metres);
	}
	return true;
}

static void print_angle(struct rdata_printer *p, uint32_t value, char positive, char negative)
{
	uint32_t ms = value >= EQUATOR ? value - EQUATOR : EQUATOR - value;
	buf_printf(p->out, "%u %u %u.%03u %c ", ms / DEGREE_MS, ms / MINUTE_MS % 60, ms / 1000 % 60, ms % 1000,
		   value >= EQUATOR ? positive : negative);
}

static void print_size(struct rdata_printer *p, uint8_t octet)
{
	uint64_t cm = octet >> 4;
	for (unsigned i = 0; i < (octet & 0xfU); i++)
		cm *= 10;
	if (cm % 100 == 0)
		buf_printf(p->out, " %llum", (unsigned long long)(cm / 100));
	else
		buf_printf(p->out, " %llu.%02llum", (unsigned long long)(cm / 100), (unsigned long long)(cm % 100));
}

bool rdata_print_location(struct rdata_printer *p)
{
	if (byte_reader_left(&p->in) > 0 && p->in.pos[0] != 0)
		return rdata_print_other(p); /* other versions have another form (RFC 1876 2) */
	const uint8_t *sizes = byte_read_span(&p->in, 4);
	uint32_t latitude = byte_read_u32(&p->in), longitude = byte_read_u32(&p->in);
	int64_t cm = (int64_t)byte_read_u32(&p->in) - (int64_t)BELOW_CM;
	if (p->in.failed || sizes == NULL)
		return rdata_print_fail(p, "a location is cut");
	print_angle(p, latitude, 'N', 'S');
	print_angle(p, longitude, 'E', 'W');
	int64_t high = cm < 0 ? -cm : cm;
	buf_printf(p->out, "%s%lld.%02lldm", cm < 0 ? "-" : "", (long long)(high / 100), (long long)(high % 100));
	for (unsigned i = 1; i < 4; i++)
		print_size(p, sizes[i]);
	return true;
}

/* --- prefixes --------------------------------------------------------------------------------------------- */

/* "[!]FAMILY:ADDRESS/PREFIX": zeros at the address's end are left out (RFC 3123 4). */
static bool read_prefix(struct rdata_reader *r, const struct rdata_word *word)
{
	const char *end = word->text + word->len, *at = word->text;
	bool is_negated = *at == '!';
	at += is_negated;
	const char *colon = memchr(at, ':', (size_t)(end - at));
	const char *slash = memrchr(at, '/', (size_t)(end - at));
	uint32_t family, prefix;
	if (colon == NULL || slash == NULL || slash < colon ||
	    !rdata_number(at, (size_t)(colon - at), UINT16_MAX, &family) || (family != 1 && family != 2))
		return rdata_fail(r, "an item is [!]1:IPv4/PREFIX or [!]2:IPv6/PREFIX");
	if (!rdata_number(slash + 1, (size_t)(end - slash - 1), family == 1 ? 32 : 128, &prefix))
		return rdata_fail(r, "a prefix is longer than the addresses of its family, or not a number");
	byte_write_u16(&r->w, (uint16_t)family);
	byte_write_u8(&r->w, (uint8_t)prefix);
	uint8_t *length = r->w.pos;
	byte_write_u8(&r->w, 0);
	const uint8_t *start = r->w.pos;
	size_t text_len = (size_t)(slash - colon - 1);
	if (!(family == 1 ? rdata_write_ipv4(r, colon + 1, text_len) : rdata_write_ipv6(r, colon + 1, text_len)) ||
	    r->w.failed)
		return false;
	while (r->w.pos > start && r->w.pos[-1] == 0)
		r->w.pos--;
	*length = (uint8_t)((r->w.pos - start) | (is_negated ? 0x80 : 0));
	return true;
}

bool rdata_read_prefixes(struct rdata_reader *r)
{
	struct rdata_word word;
	while (rdata_has_word(r))
		if (!rdata_plain_word(r, &word) || !read_prefix(r, &word))
			return false;
	return true;
}

bool rdata_print_prefixes(struct rdata_printer *p)
{
	bool is_other = false;
	while (byte_reader_left(&p->in) > 0) {
		uint8_t address[16] = {0};
		unsigned family = byte_read_u16(&p->in), prefix = byte_read_u8(&p->in), length = byte_read_u8(&p->in);
		const uint8_t *data = byte_read_span(&p->in, length & 0x7f);
		is_other = is_other || (family != 1 && family != 2);
		if (data == NULL || (!is_other && (length & 0x7f) > (family == 1 ? 4U : 16U)))
			return rdata_print_fail(p, "an item is cut");
		if (is_other)
			continue;
		memcpy(address, data, length & 0x7f);
		rdata_print_blank(p);
		buf_printf(p->out, "%s%u:", (length & 0x80) != 0 ? "!" : "", family);
		rdata_print_address(p, family == 1 ? AF_INET : AF_INET6, address);
		buf_printf(p->out, "/%u", prefix);
	}
	return !is_other || rdata_print_other(p);
}
