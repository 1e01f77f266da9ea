/* SPDX-License-Identifier: Apache-2.0 */
/* Records as text. See rrtext.h. */
#include "zones/dns/rrtext.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "zones/dns/rdata_form.h"
#include "zones/dns/rdata_text.h"
#include "zones/dns/zonefile_lines.h"

/*
 * A record must be one line: a character that a zone file's reader would take for the end of a line is refused first.
 */
static bool is_one_line(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 && *c != '\t')
			return false;
	return text[0] != '\0';
}

/* Are there several words, at least one of them without quotation marks? */
static bool has_loose_words(const char *text)
{
	unsigned words = 0;
	bool is_loose = false;
	while (*(text += strspn(text, " \t")) != '\0') {
		bool in_quote = *text == '"';
		is_loose = is_loose || !in_quote;
		words++;
		for (text += in_quote; *text != '\0' && (in_quote ? *text != '"' : *text != ' ' && *text != '\t');
		     text++)
			if (*text == '\\' && text[1] != '\0')
				text++;
		text += in_quote && *text == '"';
	}
	return words > 1 && is_loose;
}

/* Refuse text that a zone file's reader would silently read as less than was written, or as something else. */
static enum veer_err check_for_loss(uint16_t type, const struct line_reader *r, struct veer_diag *diag)
{
	const struct rdata_form *form = rdata_form_of(type);
	const char *text = r->text.data + strspn(r->text.data, " \t");
	if (r->has_comment)
		return veer_fail(
			diag, VEER_EINVAL,
			"a semicolon outside of quotation marks begins a comment, which would be lost: put the "
			"text into them, as in \"v=DMARC1; p=none\" (in JSON \"\\\"v=DMARC1; p=none\\\"\")");
	if (form != NULL && form->fields[0] == FIELD_STRINGS && strncmp(text, "\\#", 2) != 0 && has_loose_words(text))
		return veer_fail(diag, VEER_EINVAL,
				 "text with blanks needs quotation marks, else each word is a string of its own: as in "
				 "\"v=spf1 -all\" (in JSON \"\\\"v=spf1 -all\\\"\")");
	return VEER_OK;
}

/* Parse `text`, which has no parentheses, as line_reader_next() leaves it. */
static enum veer_err parse_line(uint16_t type, const char *text, const uint8_t *origin, uint8_t **rdata,
				size_t *rdata_len, struct veer_diag *diag)
{
	char type_text[RRSET_TYPE_TEXT_SIZE];
	const char *what = NULL;
	size_t len = 0;
	uint8_t *data = malloc(RDATA_MAX);
	if (data == NULL)
		return VEER_ENOMEM;
	enum veer_err err = rdata_from_text(type, text, origin, data, &len, &what);
	if (err == VEER_OK)
		err = rdata_check_form(type, data, len, &what);
	if (err == VEER_OK) {
		*rdata = data;
		*rdata_len = len;
		return VEER_OK;
	}
	free(data);
	rrtype_print(type, type_text);
	return err == VEER_ENOMEM ? err : veer_fail(diag, err, "not a record of type %s: %s", type_text, what);
}

static enum veer_err parse_text(uint16_t type, const char *text, const uint8_t *origin, bool may_lose, uint8_t **rdata,
				size_t *rdata_len, struct veer_diag *diag)
{
	struct line_reader r;
	size_t text_len = strnlen(text, RRTEXT_MAX + 1);
	if (text_len > RRTEXT_MAX)
		return veer_fail(diag, VEER_ERANGE, "record text over %d bytes", RRTEXT_MAX);
	if (!is_one_line(text))
		return veer_fail(diag, VEER_EINVAL, "a record must be one line of text");
	enum veer_err err = line_reader_init(&r, -1, text, text_len);
	if (err == VEER_OK)
		err = line_reader_next(&r, diag);
	if (err == VEER_OK && !may_lose)
		err = check_for_loss(type, &r, diag);
	if (err == VEER_OK)
		err = parse_line(type, r.text.data, origin, rdata, rdata_len, diag);
	else if (err == VEER_ENOTFOUND)
		err = veer_fail(diag, VEER_EINVAL, "there is no record in the text");
	line_reader_deinit(&r);
	return err;
}

enum veer_err rrtext_parse(uint16_t type, const char *text, const uint8_t *origin, uint8_t **rdata, size_t *rdata_len,
			   struct veer_diag *diag)
{
	return parse_text(type, text, origin, false, rdata, rdata_len, diag);
}

enum veer_err rrtext_parse_line(uint16_t type, const char *text, const uint8_t *origin, uint8_t **rdata,
				size_t *rdata_len, struct veer_diag *diag)
{
	return parse_text(type, text, origin, true, rdata, rdata_len, diag);
}

enum veer_err rrtext_print(uint16_t type, const uint8_t *rdata, size_t rdata_len, char **text)
{
	struct buf out;
	buf_init(&out, (size_t)1 << 20);
	rdata_to_text(type, rdata, rdata_len, &out);
	char *taken = buf_take(&out, NULL);
	buf_deinit(&out);
	if (taken == NULL)
		return VEER_ENOMEM;
	*text = taken;
	return VEER_OK;
}
