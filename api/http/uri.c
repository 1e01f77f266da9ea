/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding. See uri.h. */
#include "api/http/uri.h"

#include <stdio.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool api_uri_is_valid(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '%' &&
		    (hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0 || strncmp(text + 1, "00", 2) == 0))
			return false;
	return true;
}

char api_uri_octet(const char **text)
{
	const char *at = *text;
	if (*at != '%') {
		(*text)++;
		return *at;
	}
	*text += 3;
	return (char)(hex_digit(at[1]) << 4 | hex_digit(at[2]));
}

void api_uri_decode(const char *text, size_t len, char *out)
{
	for (const char *end = text + len; text < end;)
		*out++ = api_uri_octet(&text);
	*out = '\0';
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c) != NULL);
}

bool api_uri_add_segment(const char *segment, char *out, size_t size)
{
	size_t at = strlen(out);
	bool is_dots = strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0;
	for (; *segment != '\0'; segment++) {
		bool is_plain = is_unreserved(*segment) && !is_dots;
		int len = snprintf(out + at, size - at, is_plain ? "%c" : "%%%02X", (unsigned char)*segment);
		if (len < 0 || (size_t)len >= size - at)
			return false;
		at += (size_t)len;
	}
	return true;
}
