/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64 /* longer words are not compared: a text that long is hardly a misspelt name */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool text_to_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	if (!is_digit(digits[0]) || (digits[0] == '0' && (digits[1] != '\0' || digits != text)))
		return false;
	for (const char *s = digits; *s != '\0'; s++)
		if (!is_digit(*s))
			return false;
	errno = 0;
	long long value = strtoll(text, NULL, 10);
	if (errno != 0 || value < min || value > max)
		return false;
	*out = value;
	return true;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

/* Optimal string alignment distance: insertions, deletions, substitutions and transpositions of neighbours. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned row[3][WORD_MAX + 1];
	for (size_t j = 0; j <= b_len; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *now = row[i % 3];
		const unsigned *last = row[(i - 1) % 3];
		const unsigned *before = row[(i + 1) % 3];
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned cost = a[i - 1] != b[j - 1];
			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + cost);
			bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
			if (is_swap && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
	}
	return row[a_len % 3][b_len];
}

const char *text_closest(const char *text, const char *const *names, size_t count)
{
	const char *best = NULL;
	size_t len = strlen(text);
	unsigned limit = len / 3 > 3 ? 3 : len / 3 < 1 ? 1 : (unsigned)(len / 3);
	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t name_len = strlen(names[i]);
		if (name_len > WORD_MAX)
			continue;
		unsigned d = distance(text, len, names[i], name_len);
		if (d <= limit && d < len) {
			best = names[i];
			limit = d > 0 ? d - 1 : 0;
			if (d == 0)
				break;
		}
	}
	return best;
}

size_t text_utf8_decode(const char *text, uint32_t *code)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0x80) {
		*code = s[0];
		return s[0] != 0 ? 1 : 0;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	uint32_t value = s[0] & (0xffU >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3fU);
	}
	bool is_overlong = (len == 3 && value < 0x800) || (len == 4 && value < 0x10000);
	if (is_overlong || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return len;
}

size_t text_utf8_len(const char *text)
{
	uint32_t code = 0;
	return text_utf8_decode(text, &code);
}

bool text_has_control(const char *text)
{
	while (*text != '\0') {
		uint32_t code = (unsigned char)*text;
		size_t len = text_utf8_decode(text, &code);
		if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			return true;
		text += len > 0 ? len : 1;
	}
	return false;
}
