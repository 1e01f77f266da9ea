/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/agent/http1.h"

#include <string.h>
#include <strings.h>

void http1_init(struct http1_reader *reader, bool is_to_head, size_t body_limit_bytes)
{
	*reader = (struct http1_reader){.is_bodiless = is_to_head};
	buf_init(&reader->body, body_limit_bytes);
	buf_init(&reader->location, HTTP1_KEPT_MAX);
	buf_init(&reader->line, HTTP1_KEPT_MAX);
}

void http1_deinit(struct http1_reader *reader)
{
	buf_deinit(&reader->body);
	buf_deinit(&reader->location);
	buf_deinit(&reader->line);
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

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * "HTTP/1.1 200 OK" (RFC 9112 4); the reason may be missing, with or without its space. The version is case-sensitive
 * (RFC 9112 2.3), and another major version is another protocol.
 */
static void take_status_line(struct http1_reader *r)
{
	const char *s = r->line.data;
	bool is_good = r->line_len >= 12 && memcmp(s, "HTTP/1.", 7) == 0 && (s[7] == '0' || s[7] == '1') &&
		       s[8] == ' ' && s[9] >= '1' && s[9] <= '9' && is_digit(s[10]) && is_digit(s[11]) &&
		       (r->line_len == 12 || s[12] == ' ');
	if (!is_good) {
		fail(r, "the reply does not begin with a status line of HTTP/1");
		return;
	}
	r->version = s[7] == '1' ? 11 : 10;
	r->status = (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
	r->is_chunked = r->has_length = r->says_close = r->says_keep = false;
	buf_reset(&r->location);
	r->left = 0;
	r->stage = HTTP1_HEADERS;
}

/*
 * The value of the header, without the white space around it, if the line is that header; otherwise NULL. White space
 * before the colon is not part of a name (RFC 9112 5.1): some implementations remove it, others see another header.
 */
static const char *value_of(struct http1_reader *r, const char *name)
{
	size_t len = strlen(name);
	if (r->line.len <= len || strncasecmp(r->line.data, name, len) != 0)
		return NULL;
	size_t colon = len + strspn(r->line.data + len, " \t");
	return r->line.data[colon] == ':' ? r->line.data + colon + 1 + strspn(r->line.data + colon + 1, " \t") : NULL;
}

/* The same for a header that says where the body ends: it must not be ambiguous. */
static const char *framing_of(struct http1_reader *r, const char *name)
{
	const char *value = value_of(r, name);
	if (value == NULL)
		return NULL;
	if (r->line_len < HTTP1_LINE_MAX && r->line.data[strlen(name)] == ':')
		return value;
	fail(r, r->line_len < HTTP1_LINE_MAX
			? "there is white space before the colon of the header that says where the "
			  "body ends"
			: "the header that says where the body ends is too long");
	return NULL;
}

/* Look for "close" and "keep-alive" among other options (RFC 9110 7.6.1). */
static void take_connection(struct http1_reader *r, const char *text)
{
	static const char separators[] = " \t,";
	while (*(text += strspn(text, separators)) != '\0') {
		size_t len = strcspn(text, separators);
		r->says_close |= len == strlen("close") && strncasecmp(text, "close", len) == 0;
		r->says_keep |= len == strlen("keep-alive") && strncasecmp(text, "keep-alive", len) == 0;
		text += len;
	}
}

/* Read "5", or "5, 5" as some proxies join it (RFC 9110 8.6): the numbers must be equal. */
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
			fail(r, "the Content-Length is not a number, or there are several");
			return;
		}
		r->has_length = true;
		r->left = length;
	} while (*text++ == ',');
}

/* Read one coding; empty elements of the list ("chunked,") are ignored (RFC 9110 5.6.1). */
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

/* Handle a header line. A line without a colon is ignored, as by browsers: it does not change the reply. */
static void take_header(struct http1_reader *r)
{
	const char *value;
	while (r->line.len > 0 && is_blank(r->line.data[r->line.len - 1]))
		r->line.data[--r->line.len] = '\0';
	if (memchr(r->line.data, '\0', r->line.len) != NULL) {
		fail(r, "there is a NUL byte in a header");
	} else if ((value = framing_of(r, "Content-Length")) != NULL) {
		take_length(r, value);
	} else if ((value = framing_of(r, "Transfer-Encoding")) != NULL) {
		take_coding(r, value);
	} else if ((value = value_of(r, "Connection")) != NULL) {
		take_connection(r, value);
	} else if ((value = value_of(r, "Location")) != NULL && r->location.len == 0 && r->line_len == r->line.len) {
		buf_puts(&r->location, value);
	}
}

/* The head is complete: find out where the body ends (RFC 9112 6.3). */
static void end_head(struct http1_reader *r)
{
	if (r->status < 200 && r->status != 101) {
		r->stage = HTTP1_STATUS_LINE; /* this was an interim reply, the real one follows */
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

/* Read a hexadecimal size, and ignore an extension after it (RFC 9112 7.1). */
static void take_chunk_size(struct http1_reader *r)
{
	const char *text = r->line.data;
	size_t len = r->line.len;
	size_t at = 0;
	r->left = 0;
	while (at < len && text[at] == '0') /* leading zeros do not count */
		at++;
	for (size_t first = at; at < len && at - first < 15 && hex_digit(text[at]) >= 0; at++)
		r->left = r->left * 16 + (uint64_t)hex_digit(text[at]);
	char after = at < len ? text[at] : ';';
	if (at == 0 || (after != ';' && after != ' ' && after != '\t'))
		fail(r, "the size of a chunk is not a number");
	else
		r->stage = r->left > 0 ? HTTP1_BODY : HTTP1_TRAILERS;
}

static void next_line(struct http1_reader *r)
{
	buf_reset(&r->line);
	r->line_len = 0;
}

/* Handle a complete line, without its line end. */
static void take_line(struct http1_reader *r)
{
	switch (r->stage) {
	case HTTP1_STATUS_LINE:
		take_status_line(r);
		break;
	case HTTP1_HEADERS:
		if (r->line_len > 0) {
			r->is_held = true;
			return;
		}
		end_head(r);
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
	next_line(r);
}

/*
 * If the next line begins with white space, it continues this one: white space and line end become a blank (RFC 9112
 * 5.2).
 */
static void go_on_or_take(struct http1_reader *r, char next)
{
	r->is_held = false;
	if (is_blank(next))
		return;
	take_header(r);
	next_line(r);
}

/* Remove a CR before the line end; of a line that was not kept completely, the last byte is assumed to be one. */
static void end_line(struct http1_reader *r)
{
	bool is_whole = r->line_len == r->line.len;
	bool has_cr = r->line_len > 0 && (!is_whole || r->line.data[r->line.len - 1] == '\r');
	r->line_len -= has_cr;
	if (has_cr && is_whole)
		r->line.data[--r->line.len] = '\0';
	take_line(r);
}

/* Read bytes up to the end of the line, which may come later. Returns how many. */
static size_t read_line(struct http1_reader *r, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t taken = end != NULL ? (size_t)(end - data) + 1 : len;
	size_t text = end != NULL ? taken - 1 : len;
	size_t room = HTTP1_KEPT_MAX - r->line.len;
	buf_append(&r->line, data, text < room ? text : room);
	r->line_len += text;
	if (r->line.failed)
		fail(r, "there is no memory for a line");
	/*
	 * Lines between chunks do not count as head: a body in chunks of one byte has more bytes of such lines than of
	 * content.
	 */
	if (r->stage == HTTP1_CHUNK_SIZE || r->stage == HTTP1_CHUNK_END) {
		if (r->line_len > HTTP1_LINE_MAX)
			fail(r, "a line between chunks is too long");
	} else {
		r->head_bytes += taken;
		if (r->head_bytes > HTTP1_HEAD_MAX_BYTES)
			fail(r, "the head of the reply is longer than 64 KiB");
	}
	if (r->state == HTTP1_MORE && end != NULL)
		end_line(r);
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

enum http1_state http1_feed(struct http1_reader *reader, const void *data, size_t len)
{
	const char *at = data;
	const char *end = at + len;
	while (at < end && reader->state == HTTP1_MORE) {
		if (reader->is_held)
			go_on_or_take(reader, *at);
		if (reader->state == HTTP1_MORE)
			at += reader->stage == HTTP1_BODY ? read_body(reader, at, (size_t)(end - at))
							  : read_line(reader, at, (size_t)(end - at));
	}
	reader->has_surplus |= at < end;
	return reader->state;
}

enum http1_state http1_end(struct http1_reader *reader)
{
	if (reader->state == HTTP1_MORE && reader->stage == HTTP1_BODY && reader->ends_with_connection)
		reader->state = HTTP1_DONE;
	return reader->state;
}

bool http1_can_be_kept(const struct http1_reader *reader)
{
	if (reader->state != HTTP1_DONE || reader->status == 101 || reader->ends_with_connection ||
	    reader->has_surplus || reader->says_close)
		return false;
	return reader->version == 11 ? !(reader->is_chunked && reader->has_length)
				     : reader->says_keep && !reader->is_chunked;
}
