/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/http1.h"

#include <string.h>
#include <strings.h>

void http1_init(struct http1_reader *r, bool is_to_head, size_t body_limit_bytes)
{
	*r = (struct http1_reader){.is_bodiless = is_to_head};
	buf_init(&r->body, body_limit_bytes);
}

void http1_deinit(struct http1_reader *r)
{
	buf_deinit(&r->body);
}

static void fail(struct http1_reader *r, const char *error)
{
	r->state = HTTP1_BAD;
	r->error = error;
}

/* --- lines ----------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK" (RFC 9112 4); the reason may be missing, with or without its space. */
static void take_status_line(struct http1_reader *r)
{
	const char *s = r->line;
	bool is_good = r->line_len >= 12 && memcmp(s, "HTTP/1.", 7) == 0 && (s[7] == '0' || s[7] == '1') &&
		       s[8] == ' ' && s[9] >= '1' && s[9] <= '9' && is_digit(s[10]) && is_digit(s[11]) &&
		       (r->line_len == 12 || s[12] == ' ');
	if (!is_good) {
		fail(r, "the reply does not begin with a status line of HTTP/1");
		return;
	}
	r->version = s[7] == '1' ? 11 : 10;
	r->status = (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
	r->is_chunked = r->has_length = false;
	r->left = 0;
	r->stage = HTTP1_HEADERS;
}

/* The value of the header, without the white space around it, when the line is that header; NULL otherwise. */
static const char *value_of(struct http1_reader *r, const char *name)
{
	size_t len = strlen(name);
	size_t end = r->line_len;
	if (r->line_len <= len || strncasecmp(r->line, name, len) != 0 || r->line[len] != ':')
		return NULL;
	if (end >= HTTP1_LINE_MAX) {
		fail(r, "the header that says where the body ends is too long");
		return NULL;
	}
	while (end > len && (r->line[end - 1] == ' ' || r->line[end - 1] == '\t'))
		end--;
	r->line[end] = '\0';
	const char *value = r->line + len + 1;
	return value + strspn(value, " \t");
}

/* "5", or "5, 5" as some proxies join it (RFC 9110 8.6): always the same number. */
static void take_length(struct http1_reader *r, const char *text)
{
	do {
		uint64_t length = 0;
		text += strspn(text, " \t");
		bool is_number = is_digit(*text);
		for (; is_digit(*text) && length <= UINT64_MAX / 20; text++)
			length = length * 10 + (uint64_t)(*text - '0');
		text += strspn(text, " \t");
		if (!is_number || (*text != ',' && *text != '\0') || (r->has_length && length != r->left)) {
			fail(r, "the Content-Length is no number, or there are several");
			return;
		}
		r->has_length = true;
		r->left = length;
	} while (*text++ == ',');
}

/* One coding, perhaps among empty elements of the list ("chunked,"), which say nothing (RFC 9110 5.6.1). */
static void take_coding(struct http1_reader *r, const char *text)
{
	text += strspn(text, " \t,");
	size_t len = strlen(text);
	while (len > 0 && strchr(" \t,", text[len - 1]) != NULL)
		len--;
	if (len == strlen("chunked") && strncasecmp(text, "chunked", len) == 0)
		r->is_chunked = true;
	else if (len != strlen("identity") || strncasecmp(text, "identity", len) != 0)
		fail(r, "the transfer coding is another one than chunked");
}

static void take_header(struct http1_reader *r)
{
	const char *value;
	if (memchr(r->line, '\0', r->line_len < HTTP1_LINE_MAX ? r->line_len : HTTP1_LINE_MAX) != NULL) {
		fail(r, "there is a NUL byte in a header");
		return;
	}
	if ((value = value_of(r, "Content-Length")) != NULL) {
		take_length(r, value);
	} else if ((value = value_of(r, "Transfer-Encoding")) != NULL) {
		take_coding(r, value);
	}
}

/* The head is whole: where does the body end? (RFC 9112 6.3) */
static void end_head(struct http1_reader *r)
{
	if (r->status < 200 && r->status != 101) {
		r->stage = HTTP1_STATUS_LINE; /* an interim reply, the real one follows */
		return;
	}
	if (r->is_bodiless || r->status == 101 || r->status == 204 || r->status == 304) {
		r->state = HTTP1_DONE;
		return;
	}
	if (r->is_chunked) {
		r->stage = HTTP1_CHUNK_SIZE;
		return;
	}
	r->stage = HTTP1_BODY;
	r->ends_with_connection = !r->has_length;
	if (r->has_length && r->left == 0)
		r->state = HTTP1_DONE;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hexadecimal, then perhaps an extension, which is passed over (RFC 9112 7.1). */
static void take_chunk_size(struct http1_reader *r)
{
	size_t len = r->line_len < HTTP1_LINE_MAX ? r->line_len : HTTP1_LINE_MAX;
	size_t at = 0;
	r->left = 0;
	while (at < len && r->line[at] == '0') /* any number of them says nothing */
		at++;
	for (size_t first = at; at < len && at - first < 15 && hex_digit(r->line[at]) >= 0; at++)
		r->left = r->left * 16 + (uint64_t)hex_digit(r->line[at]);
	char after = at < len ? r->line[at] : ';';
	if (at == 0 || (after != ';' && after != ' ' && after != '\t'))
		fail(r, "the size of a chunk is no number");
	else
		r->stage = r->left > 0 ? HTTP1_BODY : HTTP1_TRAILERS;
}

static void take_line(struct http1_reader *r)
{
	switch (r->stage) {
	case HTTP1_STATUS_LINE:
		take_status_line(r);
		break;
	case HTTP1_HEADERS:
		if (r->line_len == 0)
			end_head(r);
		else
			take_header(r);
		break;
	case HTTP1_CHUNK_SIZE:
		take_chunk_size(r);
		break;
	case HTTP1_CHUNK_END:
		if (r->line_len == 0)
			r->stage = HTTP1_CHUNK_SIZE;
		else
			fail(r, "a chunk is longer than it says");
		break;
	case HTTP1_TRAILERS:
		if (r->line_len == 0)
			r->state = HTTP1_DONE;
		break;
	case HTTP1_BODY:
		break;
	}
	r->line_len = 0;
}

/* Bytes up to the end of the line, which may come later. Returns how many. */
static size_t read_line(struct http1_reader *r, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t taken = end != NULL ? (size_t)(end - data) + 1 : len;
	size_t text = end != NULL ? taken - 1 : len;
	size_t kept = r->line_len < HTTP1_LINE_MAX ? HTTP1_LINE_MAX - r->line_len : 0;
	kept = text < kept ? text : kept;
	if (kept > 0)
		memcpy(r->line + r->line_len, data, kept);
	r->line_len += text;
	/* Lines between chunks count by what they bring: a body of single bytes has more of them than of these. */
	if (r->stage == HTTP1_CHUNK_SIZE || r->stage == HTTP1_CHUNK_END) {
		if (r->line_len > HTTP1_LINE_MAX)
			fail(r, "a line between chunks is too long");
	} else {
		r->head_bytes += taken;
		if (r->head_bytes > HTTP1_HEAD_MAX_BYTES)
			fail(r, "the head of the reply is longer than 64 KiB");
	}
	if (r->state == HTTP1_MORE && end != NULL) {
		bool has_cr = r->line_len > 0 && (r->line_len > HTTP1_LINE_MAX || r->line[r->line_len - 1] == '\r');
		r->line_len -= has_cr;
		take_line(r);
	}
	return taken;
}

/* --- the body -------------------------------------------------------------------------------------------------- */

static size_t read_body(struct http1_reader *r, const char *data, size_t len)
{
	size_t room = r->body.limit_bytes - r->body.len;
	size_t taken = r->ends_with_connection || len < r->left ? len : (size_t)r->left;
	buf_append(&r->body, data, taken < room ? taken : room);
	if (r->body.failed) {
		fail(r, "there is no memory for the body");
		return taken;
	}
	if (taken > room) {
		r->state = HTTP1_CUT;
		return taken;
	}
	if (r->ends_with_connection)
		return taken;
	r->left -= taken;
	if (r->left == 0 && r->is_chunked)
		r->stage = HTTP1_CHUNK_END;
	else if (r->left == 0)
		r->state = HTTP1_DONE;
	return taken;
}

enum http1_state http1_feed(struct http1_reader *r, const void *data, size_t len)
{
	const char *at = data;
	const char *end = at + len;
	while (at < end && r->state == HTTP1_MORE)
		at += r->stage == HTTP1_BODY ? read_body(r, at, (size_t)(end - at))
					     : read_line(r, at, (size_t)(end - at));
	return r->state;
}

enum http1_state http1_end(struct http1_reader *r)
{
	if (r->state == HTTP1_MORE && r->stage == HTTP1_BODY && r->ends_with_connection)
		r->state = HTTP1_DONE;
	return r->state;
}
