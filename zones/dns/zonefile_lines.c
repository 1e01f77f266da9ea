/* SPDX-License-Identifier: Apache-2.0 */
/* Logical lines of zone files. See zonefile_lines.h. */
#include "zones/dns/zonefile_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zones/dns/zonefile.h"

#define BLOCK_BYTES 65536

enum veer_err line_reader_init(struct line_reader *r, int fd, const char *data, size_t len)
{
	*r = (struct line_reader){.fd = fd, .data = data, .len = len, .line = 1, .first_line = 1};
	buf_init(&r->text, ZONEFILE_LINE_MAX);
	if (fd >= 0) {
		r->block = malloc(BLOCK_BYTES);
		r->len = 0;
		if (r->block == NULL)
			return VEER_ENOMEM;
	}
	return VEER_OK;
}

void line_reader_deinit(struct line_reader *r)
{
	buf_deinit(&r->text);
	free(r->block);
	r->block = NULL;
}

static enum veer_err refill(struct line_reader *r)
{
	ssize_t n;
	if (r->fd < 0)
		return VEER_ENOTFOUND;
	do {
		n = read(r->fd, r->block, BLOCK_BYTES);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return VEER_EIO;
	r->data = r->block;
	r->len = (size_t)n;
	return n > 0 ? VEER_OK : VEER_ENOTFOUND;
}

/* The state after the characters read so far. */
struct line_state {
	unsigned parens;
	bool in_quote;
	bool in_comment;
	bool is_escaped; /* the last character was a backslash */
	bool is_blank;   /* the last character was a separating blank; an escaped blank does not separate */
	bool has_text;   /* something other than blanks was seen */
};

static bool is_plain(char c)
{
	return (unsigned char)c > ' ' && c != ';' && c != '"' && c != '\\' && c != '(' && c != ')' && c != 0x7f;
}

/* Copy characters up to the next one with a special meaning. */
static void take_plain(struct line_reader *r, struct line_state *s)
{
	size_t n = 0;
	while (n < r->len && is_plain(r->data[n]))
		n++;
	if (n == 0)
		return;
	buf_append(&r->text, r->data, n);
	r->data += n;
	r->len -= n;
	s->has_text = true;
	s->is_blank = false;
}

static void take_blank(struct line_reader *r, struct line_state *s)
{
	/* several blanks count as one; a blank at the beginning of a line has a meaning and is kept */
	if (!s->is_blank)
		buf_putc(&r->text, ' ');
	s->is_blank = true;
}

static enum veer_err take_paren(struct line_reader *r, struct line_state *s, char c, struct veer_diag *diag)
{
	if (c == ')' && s->parens == 0)
		return veer_fail(diag, VEER_EINVAL, "unbalanced parenthesis");
	if (c == '(' && s->parens >= 1000)
		return veer_fail(diag, VEER_EINVAL, "too many parentheses");
	s->parens = c == '(' ? s->parens + 1 : s->parens - 1;
	take_blank(r, s);
	return VEER_OK;
}

static enum veer_err take_special(struct line_reader *r, struct line_state *s, char c, struct veer_diag *diag)
{
	if (s->is_escaped || s->in_quote || c == '"' || c == '\\') {
		if ((unsigned char)c < ' ' && c != '\t')
			return veer_fail(diag, VEER_EINVAL, "control character in the text");
		if (c == '"' && !s->is_escaped)
			s->in_quote = !s->in_quote;
		s->is_escaped = c == '\\' && !s->is_escaped;
		s->has_text = true;
		s->is_blank = false;
		buf_putc(&r->text, c);
		return VEER_OK;
	}
	if (c == ';')
		s->in_comment = r->has_comment = true;
	else if (c == '(' || c == ')')
		return take_paren(r, s, c, diag);
	else if (c == ' ' || c == '\t' || c == '\r' || c == '\f')
		take_blank(r, s);
	else
		return veer_fail(diag, VEER_EINVAL, "control character in the text");
	return VEER_OK;
}

/* Process one character that is not plain. `*done` becomes true when the logical line has ended. */
static enum veer_err take_one(struct line_reader *r, struct line_state *s, bool *done, struct veer_diag *diag)
{
	char c = *r->data++;
	r->len--;
	if (c != '\n') {
		if (s->in_comment)
			return VEER_OK;
		return take_special(r, s, c, diag);
	}
	r->line++;
	s->in_comment = false;
	if (s->in_quote || s->is_escaped)
		return veer_fail(diag, VEER_EINVAL,
				 s->in_quote ? "a quoted string must end on its line"
					     : "backslash at the end of a line");
	if (s->parens > 0) {
		take_blank(r, s);
		return VEER_OK;
	}
	*done = s->has_text;
	if (!s->has_text) {
		s->is_blank = false;
		buf_reset(&r->text);
		r->first_line = r->line;
	}
	return VEER_OK;
}

static enum veer_err at_end(const struct line_state *s, struct veer_diag *diag)
{
	if (s->in_quote)
		return veer_fail(diag, VEER_EINVAL, "a quoted string does not end");
	if (s->parens > 0)
		return veer_fail(diag, VEER_EINVAL, "a parenthesis does not end");
	if (s->is_escaped)
		return veer_fail(diag, VEER_EINVAL, "backslash at the end of the text");
	return s->has_text ? VEER_OK : VEER_ENOTFOUND;
}

/* Remove a blank at the end, which has no meaning. */
static void trim(struct line_reader *r, const struct line_state *s)
{
	if (s->has_text && s->is_blank && !r->text.failed)
		r->text.data[--r->text.len] = '\0';
}

enum veer_err line_reader_next(struct line_reader *r, struct veer_diag *diag)
{
	struct line_state s = {0};
	bool done = false;
	buf_reset(&r->text);
	r->has_comment = false;
	r->first_line = r->line;
	while (!done) {
		enum veer_err err = r->len == 0 ? refill(r) : VEER_OK;
		if (err == VEER_ENOTFOUND) {
			trim(r, &s);
			return at_end(&s, diag);
		}
		if (err != VEER_OK)
			return veer_fail(diag, err, "cannot be read");
		if (!s.in_comment && !s.is_escaped)
			take_plain(r, &s);
		if (r->len > 0)
			err = take_one(r, &s, &done, diag);
		if (err != VEER_OK)
			return err;
		if (r->text.failed)
			return veer_fail(diag, VEER_ERANGE, "a record of more than %d bytes", ZONEFILE_LINE_MAX);
	}
	trim(r, &s);
	return VEER_OK;
}
