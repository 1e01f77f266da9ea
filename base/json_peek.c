/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_peek.h"

#include <string.h>

#include "base/json.h"

/* The text from `at` to `end`. */
struct reading {
	const char *at, *end;
	bool has_escapes; /* a member's name has escapes, so only the full parser can tell what it is */
};

static void skip_blanks(struct reading *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
		r->at++;
}

static bool take(struct reading *r, char c)
{
	skip_blanks(r);
	bool is = r->at < r->end && *r->at == c;
	r->at += is;
	return is;
}

/* Take a string with its quotes; `*inside` and `*len` describe the text between them. */
static bool take_string(struct reading *r, const char **inside, size_t *len, bool *has_escapes)
{
	*has_escapes = false;
	if (!take(r, '"'))
		return false;
	*inside = r->at;
	for (; r->at < r->end && *r->at != '"'; r->at++) {
		if (*r->at == '\\') {
			*has_escapes = true;
			if (++r->at == r->end)
				return false;
		}
	}
	*len = (size_t)(r->at - *inside);
	return take(r, '"');
}

/* Skip any value, up to the comma or brace that ends the member. */
static bool skip_value(struct reading *r)
{
	size_t depth = 0, len;
	const char *inside;
	bool has_escapes;
	for (; r->at < r->end; r->at++) {
		if (*r->at == '"') {
			if (!take_string(r, &inside, &len, &has_escapes))
				return false;
			r->at--;
		} else if (depth == 0 && (*r->at == ',' || *r->at == '}')) {
			return true;
		} else if (*r->at == '{' || *r->at == '[') {
			depth++;
		} else if (*r->at == '}' || *r->at == ']') {
			if (depth-- == 0)
				return false;
		}
	}
	return false;
}

static enum veer_err copy_out(const char *inside, size_t len, char *out, size_t size)
{
	if (len >= size)
		return VEER_ERANGE;
	memcpy(out, inside, len);
	out[len] = '\0';
	return VEER_OK;
}

/* Do the same with the full parser. */
static enum veer_err parse(const char *text, size_t len, const char *name, char *out, size_t size)
{
	json_t *object = NULL;
	enum veer_err err = veer_json_parse(text, len, len, &object, NULL);
	const char *value = json_string_value(json_object_get(object, name));
	if (err == VEER_OK)
		err = value != NULL ? copy_out(value, strlen(value), out, size) : VEER_ENOTFOUND;
	json_decref(object);
	return err;
}

enum veer_err veer_json_peek(const char *text, size_t len, const char *name, char *out, size_t size)
{
	struct reading r = {text, text + len, false};
	size_t name_len = strlen(name);
	if (!take(&r, '{'))
		return VEER_EINVAL;
	if (take(&r, '}'))
		return VEER_ENOTFOUND;
	do {
		const char *key, *value;
		size_t key_len, value_len;
		bool has_escapes;
		if (!take_string(&r, &key, &key_len, &has_escapes) || !take(&r, ':'))
			return VEER_EINVAL;
		r.has_escapes = r.has_escapes || has_escapes;
		skip_blanks(&r);
		bool is_it = key_len == name_len && memcmp(key, name, name_len) == 0;
		if (is_it && r.at < r.end && *r.at == '"') {
			if (!take_string(&r, &value, &value_len, &has_escapes))
				return VEER_EINVAL;
			return has_escapes ? parse(text, len, name, out, size) : copy_out(value, value_len, out, size);
		}
		if (is_it)
			return r.at < r.end ? VEER_ENOTFOUND : VEER_EINVAL;
		if (!skip_value(&r))
			return VEER_EINVAL;
	} while (take(&r, ','));
	return r.has_escapes ? parse(text, len, name, out, size) : VEER_ENOTFOUND;
}
