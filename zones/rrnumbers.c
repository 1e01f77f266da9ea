/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers in a record's text. See rrnumbers.h. */
#include "zones/rrnumbers.h"

#include <ldns/ldns.h>
#include <string.h>

#include "zones/rrset.h"

/* A word of a line. */
struct word {
	const char *text;
	size_t len;
};

/* The next word of `*line`: up to a blank, but for what is escaped or quoted. */
static bool next_word(const char **line, struct word *out)
{
	const char *p = *line + strspn(*line, " \t");
	bool in_quote = false;
	out->text = p;
	for (; *p != '\0' && (in_quote || (*p != ' ' && *p != '\t')); p++) {
		if (*p == '"')
			in_quote = !in_quote;
		if (*p == '\\' && p[1] != '\0')
			p++;
	}
	out->len = (size_t)(p - out->text);
	*line = p;
	return out->len > 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static uint32_t unit_s(char c)
{
	switch (c) {
	case 's':
	case 'S':
		return 1;
	case 'm':
	case 'M':
		return 60;
	case 'h':
	case 'H':
		return 3600;
	case 'd':
	case 'D':
		return 86400;
	case 'w':
	case 'W':
		return 604800;
	default:
		return 0;
	}
}

static bool read_period(const struct word *w, uint32_t max, uint32_t *out)
{
	uint64_t sum = 0;
	size_t i = 0;
	while (i < w->len) {
		uint64_t number = 0;
		if (!is_digit(w->text[i]))
			return false;
		for (; i < w->len && is_digit(w->text[i]) && number <= UINT32_MAX; i++)
			number = number * 10 + (uint64_t)(w->text[i] - '0');
		uint32_t unit = i < w->len ? unit_s(w->text[i++]) : 1;
		sum += number * unit;
		if (unit == 0 || number > max || sum > max)
			return false;
	}
	*out = (uint32_t)sum;
	return w->len > 0;
}

static bool read_number(const struct word *w, uint32_t max)
{
	uint64_t number = 0;
	for (size_t i = 0; i < w->len; i++) {
		if (!is_digit(w->text[i]) || number > max)
			return false;
		number = number * 10 + (uint64_t)(w->text[i] - '0');
	}
	return number <= max;
}

bool rrnumbers_read_period(const char *text, uint32_t max, uint32_t *out)
{
	const struct word w = {.text = text, .len = strlen(text)};
	return read_period(&w, max, out);
}

static bool is_class(const struct word *w)
{
	return (w->len == 2 && (strncasecmp(w->text, "IN", 2) == 0 || strncasecmp(w->text, "CH", 2) == 0 ||
				strncasecmp(w->text, "HS", 2) == 0)) ||
	       (w->len > 5 && strncasecmp(w->text, "CLASS", 5) == 0 && is_digit(w->text[5]));
}

/* Does one word of RDATA fit its field? Fields that are no plain numbers always do: ldns judges them. */
static bool field_fits(ldns_rdf_type field, const struct word *w)
{
	uint32_t ignored;
	if (field == LDNS_RDF_TYPE_INT8)
		return read_number(w, UINT8_MAX);
	if (field == LDNS_RDF_TYPE_INT16)
		return read_number(w, UINT16_MAX);
	if (field == LDNS_RDF_TYPE_INT32)
		return read_number(w, UINT32_MAX);
	if (field == LDNS_RDF_TYPE_PERIOD)
		return read_period(w, UINT32_MAX, &ignored);
	if (field == LDNS_RDF_TYPE_ALG && is_digit(w->text[0]))
		return read_number(w, UINT8_MAX);
	if (field == LDNS_RDF_TYPE_CERT_ALG && is_digit(w->text[0]))
		return read_number(w, UINT16_MAX);
	return true;
}

/* Hex digits to the end of the line, in any number of words: are they whole octets? */
static bool is_whole_hex(const char *rest)
{
	struct word w;
	size_t digits = 0;
	while (next_word(&rest, &w))
		digits += w.len;
	return digits % 2 == 0;
}

/* The number of a service parameter (RFC 9460 14.3.2); a large one for those that are only known as text. */
static uint32_t param_number(const struct word *w)
{
	static const char *const names[] = {"mandatory", "alpn", "no-default-alpn", "port",
					    "ipv4hint",  "ech",  "ipv6hint",        "dohpath"};
	size_t len = 0;
	uint32_t number = 0;
	while (len < w->len && w->text[len] != '=')
		len++;
	for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == len && strncasecmp(w->text, names[i], len) == 0)
			return i;
	if (len < 4 || len > 8 || strncasecmp(w->text, "key", 3) != 0)
		return UINT32_MAX;
	for (size_t i = 3; i < len; i++) {
		if (!is_digit(w->text[i]))
			return UINT32_MAX;
		number = number * 10 + (uint32_t)(w->text[i] - '0');
	}
	return number;
}

static bool is_port(const struct word *w)
{
	const char *equals = memchr(w->text, '=', w->len);
	struct word value = {.text = equals != NULL ? equals + 1 : w->text + w->len};
	value.len = w->len - (size_t)(value.text - w->text);
	if (value.len >= 2 && value.text[0] == '"' && value.text[value.len - 1] == '"') {
		value.text++;
		value.len -= 2;
	}
	return value.len > 0 && read_number(&value, UINT16_MAX);
}

#define PARAM_PORT 3

/* The parameters of SVCB and HTTPS: each once (RFC 9460 2.1), and a port that is one. */
static bool params_fit(const char *params)
{
	struct word w, earlier;
	const char *rest = params;
	while (next_word(&rest, &w)) {
		uint32_t number = param_number(&w);
		if (number == PARAM_PORT && strncasecmp(w.text, "port", 4) == 0 && !is_port(&w))
			return false;
		for (const char *p = params; next_word(&p, &earlier) && earlier.text < w.text;)
			if (number != UINT32_MAX && param_number(&earlier) == number)
				return false;
	}
	return true;
}

/* A number with a fraction, of which `decimals` digits count, times ten to that power. */
static bool read_decimal(const struct word *w, unsigned decimals, uint64_t max, uint64_t *out)
{
	uint64_t number = 0;
	unsigned digits = 0, after = 0;
	bool has_point = false;
	for (size_t i = 0; i < w->len; i++) {
		if (w->text[i] == '.' && !has_point) {
			has_point = true;
			continue;
		}
		if (!is_digit(w->text[i]) || number > max)
			return false;
		digits++;
		if (!has_point || after < decimals)
			number = number * 10 + (uint64_t)(w->text[i] - '0');
		after += has_point && after < decimals;
	}
	for (; after < decimals && number <= max; after++)
		number *= 10;
	*out = number;
	return digits > 0 && number <= max;
}

/* Degrees, minutes and seconds, the latter two optional, and one of `sides` (RFC 1876 3). */
static bool is_angle(const char **line, uint64_t degrees_max, const char *sides)
{
	static const uint64_t units[] = {3600000, 60000, 1};
	const uint64_t limits[] = {degrees_max, 59, 59999};
	uint64_t sum = 0;
	struct word w;
	for (unsigned i = 0; next_word(line, &w); i++) {
		uint64_t number;
		if (i > 0 && w.len == 1 && strchr(sides, w.text[0]) != NULL)
			return sum <= degrees_max * units[0];
		if (i == 3 || !read_decimal(&w, i == 2 ? 3 : 0, limits[i], &number))
			return false;
		sum += number * units[i];
	}
	return false;
}

/* Metres, with two decimals; `*line` need not have them. */
static bool is_length(const char **line, uint64_t below_max, uint64_t max)
{
	struct word w;
	uint64_t ignored;
	if (!next_word(line, &w))
		return true;
	bool is_below = w.text[0] == '-';
	w.text += is_below;
	w.len -= is_below;
	if (w.len > 0 && (w.text[w.len - 1] == 'm' || w.text[w.len - 1] == 'M'))
		w.len--;
	return read_decimal(&w, 2, is_below ? below_max : max, &ignored);
}

/* Latitude, longitude, altitude, and three sizes (RFC 1876 3). */
static bool is_location(const char *line)
{
	const uint64_t size_max = UINT64_C(9000000000);
	return is_angle(&line, 90, "NnSs") && is_angle(&line, 180, "EeWw") &&
	       is_length(&line, 10000000, UINT64_C(4284967295)) && is_length(&line, 0, size_max) &&
	       is_length(&line, 0, size_max) && is_length(&line, 0, size_max);
}

/* "[!]FAMILY:ADDRESS/PREFIX" (RFC 3123 5). */
static bool are_prefixes(const char *line)
{
	struct word w;
	while (next_word(&line, &w)) {
		bool is_negated = w.text[0] == '!';
		const char *slash = memrchr(w.text, '/', w.len);
		if (slash == NULL)
			continue; /* ldns refuses that */
		const struct word prefix = {.text = slash + 1, .len = (size_t)(w.text + w.len - slash - 1)};
		if (prefix.len == 0 || !read_number(&prefix, w.text[is_negated] == '1' ? 32 : 128))
			return false;
	}
	return true;
}

/* A gateway of type 3 is a name (RFC 4025 3.1), and ldns does not complete it: is it whole? */
static bool is_gateway_whole(const char *line)
{
	struct word kind = {0}, w = {0};
	for (unsigned i = 0; i < 4; i++) {
		if (!next_word(&line, &w))
			return true;
		if (i == 1)
			kind = w;
	}
	while (kind.len > 1 && kind.text[0] == '0') {
		kind.text++;
		kind.len--;
	}
	if (kind.len != 1 || kind.text[0] != '3')
		return true;
	size_t escapes = 0;
	while (escapes + 1 < w.len && w.text[w.len - 2 - escapes] == '\\')
		escapes++;
	return w.text[w.len - 1] == '.' && escapes % 2 == 0;
}

/* What ldns makes something else of than it says, beyond single numbers. */
static bool text_fits(const char *rdata, uint16_t type, const char **what)
{
	switch (type) {
	case RRTYPE_LOC:
		*what = "a location out of range";
		return is_location(rdata);
	case RRTYPE_APL:
		*what = "a prefix is longer than the addresses of its family";
		return are_prefixes(rdata);
	case RRTYPE_IPSECKEY:
		*what = "a gateway's name must be whole, with a dot at its end";
		return is_gateway_whole(rdata);
	default:
		return true;
	}
}

static bool rdata_fits(const char *rdata, uint16_t type, const char **what)
{
	const ldns_rr_descriptor *d = ldns_rr_descript(type);
	struct word w;
	if (strncmp(rdata + strspn(rdata, " \t"), "\\#", 2) == 0)
		return true;
	if (d == NULL || !text_fits(rdata, type, what))
		return d == NULL;
	size_t count = ldns_rr_descriptor_minimum(d);
	for (size_t i = 0; i < count; i++) {
		ldns_rdf_type field = ldns_rr_descriptor_field_type(d, i);
		if (field == LDNS_RDF_TYPE_HEX) {
			*what = "an odd number of hex digits";
			return is_whole_hex(rdata);
		}
		if (!next_word(&rdata, &w))
			return true;
		*what = "a number is out of its range";
		if (!field_fits(field, &w))
			return false;
	}
	*what = "a parameter stands twice, or a port is none";
	return (type != RRTYPE_SVCB && type != RRTYPE_HTTPS) || params_fit(rdata);
}

static void reverse(char *from, char *to)
{
	for (; from < to; from++) {
		char c = *from;
		*from = *--to;
		*to = c;
	}
}

void rrnumbers_order(char *line)
{
	const char *rest = line;
	struct word w, ttl;
	if (line[0] != ' ' && line[0] != '\t')
		(void)next_word(&rest, &w);
	if (!next_word(&rest, &w) || !is_class(&w) || !next_word(&rest, &ttl) || !is_digit(ttl.text[0]))
		return;
	char *from = line + (w.text - line), *at = line + (ttl.text - line);
	/* turned as a whole, and then each word: what was between them stays there */
	reverse(from, at + ttl.len);
	reverse(from, from + ttl.len);
	reverse(at + ttl.len - w.len, at + ttl.len);
}

bool rrnumbers_fit(const char *line, uint16_t type, const char **what)
{
	struct word w;
	uint32_t ttl;
	if (line[0] != ' ' && line[0] != '\t')
		(void)next_word(&line, &w);
	while (next_word(&line, &w)) {
		if (is_digit(w.text[0])) {
			*what = "TTL over 2147483647";
			if (!read_period(&w, RRSET_TTL_MAX, &ttl))
				return false;
		} else if (!is_class(&w)) {
			break; /* the type */
		}
	}
	return rdata_fits(line, type, what);
}
