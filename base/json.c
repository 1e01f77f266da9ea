/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 64 /* bits of json_cursor.seen */

/* Copy text from outside as printable ASCII, cut at `size`: for messages only. */
static void make_printable(const char *text, char *out, size_t size)
{
	size_t i = 0;
	for (; text[i] != '\0' && i + 1 < size; i++)
		out[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	out[i] = '\0';
}

/*
 * Check the depth and the number of values before parsing, because the parser recurses, reports only its own depth
 * limit, and allocates as it reads. Values are counted by commas and opening brackets: each value except the first
 * follows one of them.
 */
static enum veer_err check_size(const char *text, size_t len, size_t nodes_max, struct veer_diag *diag)
{
	unsigned depth = 0;
	unsigned line = 1;
	size_t nodes = 1;
	bool in_string = false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (c == '\n')
			line++;
		else if (!in_string && (c == '{' || c == '['))
			depth++, nodes++;
		else if (!in_string && (c == '}' || c == ']') && depth > 0)
			depth--;
		else if (!in_string && c == ',')
			nodes++;
		if (depth > VEER_JSON_DEPTH_MAX)
			return veer_fail(diag, VEER_ERANGE, "line %u: nested deeper than %d levels", line,
					 VEER_JSON_DEPTH_MAX);
		if (nodes > nodes_max)
			return veer_fail(diag, VEER_ERANGE, "line %u: more than %zu values", line, nodes_max);
	}
	return VEER_OK;
}

enum veer_err veer_json_parse(const char *text, size_t len, size_t limit_bytes, json_t **out, struct veer_diag *diag)
{
	return veer_json_parse_nodes(text, len, limit_bytes, SIZE_MAX, out, diag);
}

enum veer_err veer_json_parse_nodes(const char *text, size_t len, size_t limit_bytes, size_t nodes, json_t **out,
				    struct veer_diag *diag)
{
	if (len > limit_bytes)
		return veer_fail(diag, VEER_ERANGE, "JSON text of %zu bytes is longer than %zu", len, limit_bytes);
	enum veer_err err = check_size(text, len, nodes, diag);
	if (err != VEER_OK)
		return err;
	json_error_t error;
	json_t *value = json_loadb(len > 0 ? text : "", len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (value == NULL) {
		/* most failed allocations of jansson leave no error text */
		if (json_error_code(&error) == json_error_out_of_memory || error.text[0] == '\0')
			return veer_fail(diag, VEER_ENOMEM, "%s", veer_err_text(VEER_ENOMEM));
		char what[JSON_ERROR_TEXT_LENGTH];
		make_printable(error.text, what, sizeof what);
		return veer_fail(diag, VEER_EINVAL, "line %d column %d: %s", error.line, error.column, what);
	}
	*out = value;
	return VEER_OK;
}

char *veer_json_dump(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Append `token` to a pointer, escaped as RFC 6901 section 3 says; what does not fit is cut. */
static void pointer_append(char *pointer, size_t size, const char *token)
{
	size_t at = strlen(pointer);
	char printable[128];
	make_printable(token, printable, sizeof printable);
	if (at + 1 < size)
		pointer[at++] = '/';
	for (const char *s = printable; *s != '\0' && at + 2 < size; s++) {
		if (*s == '~' || *s == '/') {
			pointer[at++] = '~';
			pointer[at++] = *s == '~' ? '0' : '1';
		} else {
			pointer[at++] = *s;
		}
	}
	pointer[at] = '\0';
}

void veer_json_fail(struct json_cursor *c, const char *key, enum veer_err err, const char *fmt, ...)
{
	if (c->err != VEER_OK)
		return;
	c->err = err;
	if (c->diag == NULL)
		return;
	char pointer[sizeof c->pointer + 64];
	(void)snprintf(pointer, sizeof pointer, "%s", c->pointer);
	if (key != NULL)
		pointer_append(pointer, sizeof pointer, key);
	int len = snprintf(c->diag->text, sizeof c->diag->text, "%s%s",
			   pointer[0] != '\0' ? pointer : "the whole document", ": ");
	if (len < 0 || (size_t)len >= sizeof c->diag->text)
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(c->diag->text + len, sizeof c->diag->text - (size_t)len, fmt, ap);
	va_end(ap);
}

void veer_json_begin(struct json_cursor *c, const json_t *value, const char *pointer, struct veer_diag *diag)
{
	memset(c, 0, sizeof *c);
	c->diag = diag;
	(void)snprintf(c->pointer, sizeof c->pointer, "%s", pointer);
	if (!json_is_object(value))
		veer_json_fail(c, NULL, VEER_EINVAL, "must be an object");
	else if (json_object_size(value) > KEYS_MAX)
		veer_json_fail(c, NULL, VEER_ERANGE, "has more than %d keys", KEYS_MAX);
	else
		c->object = value;
}

void veer_json_begin_child(struct json_cursor *c, const struct json_cursor *parent, const char *key, int index,
			   const json_t *value)
{
	char pointer[sizeof c->pointer];
	(void)snprintf(pointer, sizeof pointer, "%s", parent->pointer);
	pointer_append(pointer, sizeof pointer, key);
	if (index >= 0) {
		char number[16];
		(void)snprintf(number, sizeof number, "%d", index);
		pointer_append(pointer, sizeof pointer, number);
	}
	veer_json_begin(c, value, pointer, parent->diag);
}

/* Remember that `key` was asked for, so that veer_json_end() can name those that were not. */
static void mark_seen(struct json_cursor *c, const char *key)
{
	const json_t *object = c->object;
	unsigned i = 0;
	/* jansson's iterator takes a non-const object, but only reads it. */
	for (void *it = json_object_iter((json_t *)(uintptr_t)object); it != NULL;
	     it = json_object_iter_next((json_t *)(uintptr_t)object, it), i++) {
		if (strcmp(json_object_iter_key(it), key) == 0) {
			c->seen |= UINT64_C(1) << i;
			return;
		}
	}
}

/* The value of `key`, or NULL when it is absent or null; after an error always NULL. */
static const json_t *lookup(struct json_cursor *c, const char *key)
{
	if (c->err != VEER_OK)
		return NULL;
	const json_t *value = json_object_get(c->object, key);
	if (value == NULL)
		return NULL;
	mark_seen(c, key);
	return json_is_null(value) ? NULL : value;
}

static const json_t *lookup_required(struct json_cursor *c, const char *key)
{
	const json_t *value = lookup(c, key);
	if (value == NULL)
		veer_json_fail(c, key, VEER_EINVAL, "is missing");
	return value;
}

bool veer_json_has(const struct json_cursor *c, const char *key)
{
	if (c->err != VEER_OK)
		return false;
	const json_t *value = json_object_get(c->object, key);
	return value != NULL && !json_is_null(value);
}

static const char *as_str(struct json_cursor *c, const char *key, const json_t *value, size_t max_len,
			  const char *fallback)
{
	if (!json_is_string(value)) {
		veer_json_fail(c, key, VEER_EINVAL, "must be a string");
		return fallback;
	}
	if (json_string_length(value) > max_len) {
		veer_json_fail(c, key, VEER_ERANGE, "must be at most %zu bytes long", max_len);
		return fallback;
	}
	return json_string_value(value);
}

const char *veer_json_str(struct json_cursor *c, const char *key, size_t max_len)
{
	const json_t *value = lookup_required(c, key);
	return value == NULL ? "" : as_str(c, key, value, max_len, "");
}

const char *veer_json_str_or(struct json_cursor *c, const char *key, size_t max_len, const char *fallback)
{
	const json_t *value = lookup(c, key);
	return value == NULL ? fallback : as_str(c, key, value, max_len, fallback);
}

static int64_t as_int(struct json_cursor *c, const char *key, const json_t *value, int64_t min, int64_t max,
		      int64_t fallback)
{
	if (!json_is_integer(value)) {
		veer_json_fail(c, key, VEER_EINVAL, "must be an integer");
		return fallback;
	}
	int64_t number = json_integer_value(value);
	if (number < min || number > max) {
		veer_json_fail(c, key, VEER_ERANGE, "must be from %" PRId64 " to %" PRId64, min, max);
		return fallback;
	}
	return number;
}

int64_t veer_json_int(struct json_cursor *c, const char *key, int64_t min, int64_t max)
{
	const json_t *value = lookup_required(c, key);
	return value == NULL ? min : as_int(c, key, value, min, max, min);
}

int64_t veer_json_int_or(struct json_cursor *c, const char *key, int64_t min, int64_t max, int64_t fallback)
{
	const json_t *value = lookup(c, key);
	return value == NULL ? fallback : as_int(c, key, value, min, max, fallback);
}

double veer_json_num_or(struct json_cursor *c, const char *key, double min, double max, double fallback)
{
	const json_t *value = lookup(c, key);
	if (value == NULL)
		return fallback;
	if (!json_is_number(value)) {
		veer_json_fail(c, key, VEER_EINVAL, "must be a number");
		return fallback;
	}
	double number = json_number_value(value);
	if (!(number >= min && number <= max)) {
		veer_json_fail(c, key, VEER_ERANGE, "must be from %g to %g", min, max);
		return fallback;
	}
	return number;
}

bool veer_json_bool_or(struct json_cursor *c, const char *key, bool fallback)
{
	const json_t *value = lookup(c, key);
	if (value == NULL)
		return fallback;
	if (!json_is_boolean(value)) {
		veer_json_fail(c, key, VEER_EINVAL, "must be true or false");
		return fallback;
	}
	return json_is_true(value);
}

/* "a, b or c" for messages. */
static void join_names(const char *const *names, int count, char *out, size_t size)
{
	size_t at = 0;
	out[0] = '\0';
	for (int i = 0; i < count && at < size; i++) {
		const char *gap = i == 0 ? "" : i == count - 1 ? " or " : ", ";
		int len = snprintf(out + at, size - at, "%s%s", gap, names[i]);
		if (len < 0)
			return;
		at += (size_t)len;
	}
}

int veer_json_enum_or(struct json_cursor *c, const char *key, const char *const *names, int count, int fallback)
{
	const json_t *value = fallback < 0 ? lookup_required(c, key) : lookup(c, key);
	if (value == NULL)
		return fallback < 0 ? 0 : fallback;
	const char *text = json_string_value(value);
	for (int i = 0; text != NULL && i < count; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	char all[256];
	join_names(names, count, all, sizeof all);
	veer_json_fail(c, key, VEER_EINVAL, "must be %s", all);
	return fallback < 0 ? 0 : fallback;
}

const json_t *veer_json_array(struct json_cursor *c, const char *key, size_t max_count, bool required)
{
	const json_t *value = required ? lookup_required(c, key) : lookup(c, key);
	if (value == NULL)
		return NULL;
	if (!json_is_array(value)) {
		veer_json_fail(c, key, VEER_EINVAL, "must be an array");
		return NULL;
	}
	if (json_array_size(value) > max_count) {
		veer_json_fail(c, key, VEER_ERANGE, "must have at most %zu elements", max_count);
		return NULL;
	}
	return value;
}

const json_t *veer_json_any(struct json_cursor *c, const char *key)
{
	return lookup(c, key);
}

enum veer_err veer_json_end(struct json_cursor *c)
{
	if (c->err != VEER_OK)
		return c->err;
	json_t *object = (json_t *)(uintptr_t)c->object; /* iterated, not changed */
	unsigned i = 0;
	for (void *it = json_object_iter(object); it != NULL; it = json_object_iter_next(object, it), i++) {
		if ((c->seen & UINT64_C(1) << i) == 0) {
			veer_json_fail(c, json_object_iter_key(it), VEER_EINVAL, "unknown key");
			break;
		}
	}
	return c->err;
}
