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

static bool rdata_fits(const char *rdata, uint16_t type)
{
	const ldns_rr_descriptor *d = ldns_rr_descript(type);
	struct word w;
	if (d == NULL || strncmp(rdata + strspn(rdata, " \t"), "\\#", 2) == 0)
		return true;
	size_t count = ldns_rr_descriptor_minimum(d);
	for (size_t i = 0; i < count && next_word(&rdata, &w); i++)
		if (!field_fits(ldns_rr_descriptor_field_type(d, i), &w))
			return false;
	return true;
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
	*what = "a number is out of its range";
	return rdata_fits(line, type);
}
