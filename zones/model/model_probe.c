/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of checks, second part: the reader for each type of field. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "zones/dns/name.h"
#include "zones/dns/rdata.h"
#include "zones/dns/rrset.h"
#include "zones/dns/rrtext.h"
#include "zones/model/check_kind.h"
#include "zones/model/model.h"
#include "zones/model/model_impl.h"

enum { HEADERS_MAX = 16, RANGES_MAX = 16, TEXT_MAX = 1024 };

/*
 * Whether the text has nothing that could end a request line or a header (RFC 9112 5: no CR, LF, NUL; no other controls
 * either).
 */
static bool is_plain_text(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool is_token(const char *text)
{
	static const char token_chars[] = "!#$%&'*+-.^_`|~0123456789"
					  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	return *text != '\0' && text[strspn(text, token_chars)] == '\0';
}

/* "200-299" or "301": three digits each, first <= last. */
static bool parse_range(const char *text, struct model_status_range *out)
{
	size_t len = strlen(text);
	if ((len != 3 && len != 7) || strspn(text, "0123456789") != 3 || (len == 7 && text[3] != '-'))
		return false;
	if (len == 7 && strspn(text + 4, "0123456789") != 3)
		return false;
	long first = strtol(text, NULL, 10);
	long last = len == 7 ? strtol(text + 4, NULL, 10) : first;
	if (first < 100 || last > 599 || first > last)
		return false;
	out->first = (uint16_t)first;
	out->last = (uint16_t)last;
	return true;
}

static void read_ranges(struct json_cursor *c, struct arena *arena, struct model_check_http *http)
{
	const json_t *array = veer_json_array(c, "expect_status", RANGES_MAX, false);
	size_t count = array != NULL ? json_array_size(array) : 1;
	struct model_status_range *ranges = model_read_array(c, arena, count, sizeof *ranges);
	if (ranges == NULL)
		return;
	if (array == NULL)
		ranges[0] = (struct model_status_range){200, 299};
	if (count == 0)
		veer_json_fail(c, "expect_status", VEER_EINVAL, "must not be empty");
	for (size_t i = 0; array != NULL && i < count && c->err == VEER_OK; i++) {
		const json_t *number = json_array_get(array, i);
		if (json_is_integer(number) && json_integer_value(number) >= 100 && json_integer_value(number) <= 599) {
			ranges[i].first = ranges[i].last = (uint16_t)json_integer_value(number);
			continue;
		}
		if (!json_is_string(number)) {
			veer_json_fail(c, "expect_status", VEER_EINVAL,
				       "element %zu must be a status (301) or a range (\"200-299\")", i);
			return;
		}
		const char *text = model_read_string_at(c, "expect_status", array, i, 7);
		if (c->err == VEER_OK && !parse_range(text, &ranges[i]))
			veer_json_fail(c, "expect_status", VEER_EINVAL,
				       "\"%s\" is not a status (\"301\") or a range (\"200-299\")", text);
	}
	http->expect_status = ranges;
	http->expect_status_count = (uint32_t)count;
}

static void read_headers(struct json_cursor *c, struct arena *arena, struct model_check_http *http)
{
	const json_t *object = veer_json_any(c, "headers");
	size_t count = 0;
	if (object != NULL && (!json_is_object(object) || json_object_size(object) > HEADERS_MAX)) {
		veer_json_fail(c, "headers", VEER_EINVAL, "must be an object of at most %d headers", HEADERS_MAX);
		return;
	}
	const char **lines = model_read_array(c, arena, HEADERS_MAX + 1, sizeof *lines);
	if (lines == NULL)
		return;
	http->headers = lines;
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const char *text = json_string_value(value);
		if (text == NULL || strlen(text) > TEXT_MAX || !is_plain_text(text) || !is_token(name)) {
			veer_json_fail(c, "headers", VEER_EINVAL, "\"%s\" is not a valid header", name);
			return;
		}
		if (strcasecmp(name, "host") == 0) {
			veer_json_fail(c, "headers", VEER_EINVAL, "Host is set by the field \"host\"");
			return;
		}
		lines[count] = arena_printf(arena, "%s: %s", name, text);
		if (lines[count++] == NULL)
			veer_json_fail(c, "headers", VEER_ENOMEM, "out of memory");
	}
}

/* --- bytes ----------------------------------------------------------------------------------------------------- */

static void copy_bytes(struct json_cursor *c, struct arena *arena, const void *data, size_t len,
		       struct model_bytes *out)
{
	out->data = arena_dup(arena, data, len);
	out->len = (uint32_t)len;
	if (out->data == NULL)
		veer_json_fail(c, NULL, VEER_ENOMEM, "out of memory");
}

static void read_base64(struct json_cursor *c, struct arena *arena, const char *key, const json_t *object, size_t max,
			struct model_bytes *out)
{
	static uint8_t const nothing[1] = {0};
	struct json_cursor inner;
	veer_json_begin_child(&inner, c, key, -1, object);
	const char *text = veer_json_str(&inner, "base64", 4 * (max / 3 + 1));
	size_t len = 0;
	enum veer_err err = veer_json_end(&inner);
	uint8_t *data = arena_alloc(arena, max + 3);
	if (err != VEER_OK)
		c->err = err;
	else if (data == NULL)
		veer_json_fail(c, key, VEER_ENOMEM, "out of memory");
	else if (crypto_base64_decode(text, strlen(text), data, max, &len) != VEER_OK)
		veer_json_fail(c, key, VEER_EINVAL, "is no base64 of at most %zu bytes", max);
	else
		*out = (struct model_bytes){.data = len > 0 ? data : nothing, .len = (uint32_t)len};
}

/* Read bytes given as text or as {"base64": "…"}. Absent: no bytes. */
static void read_bytes(struct json_cursor *c, struct arena *arena, const char *key, size_t max, struct model_bytes *out)
{
	const json_t *value = veer_json_any(c, key);
	if (c->err != VEER_OK || value == NULL)
		return;
	if (json_is_object(value))
		read_base64(c, arena, key, value, max, out);
	else if (!json_is_string(value))
		veer_json_fail(c, key, VEER_EINVAL, "must be text or {\"base64\": text}");
	else if (json_string_length(value) > max)
		veer_json_fail(c, key, VEER_ERANGE, "must have at most %zu bytes", max);
	else
		copy_bytes(c, arena, json_string_value(value), json_string_length(value), out);
	if (c->err == VEER_OK && out->len == 0)
		veer_json_fail(c, key, VEER_EINVAL, "must not be empty");
}

/* --- the others ------------------------------------------------------------------------------------------------ */

/* Read one expected record and convert its RDATA into canonical form. */
static void read_answer(struct json_cursor *c, struct arena *arena, struct model_check_dns *dns, const char *text,
			struct model_bytes *out)
{
	static const uint8_t root[1] = {0};
	struct veer_diag diag = {""};
	uint8_t *rdata = NULL;
	size_t len = 0;
	enum veer_err err = rrtext_parse_line(dns->type, text, root, &rdata, &len, &diag);
	if (err == VEER_OK) {
		rdata_lower(dns->type, rdata, len);
		copy_bytes(c, arena, rdata, len, out);
	} else {
		veer_json_fail(c, "expect_answers", err, "\"%.100s\" is no such record: %s", text, diag.text);
	}
	free(rdata);
}

static void read_answers(struct json_cursor *c, struct arena *arena, struct model_check_dns *dns)
{
	const json_t *array = veer_json_array(c, "expect_answers", MODEL_ANSWERS_MAX, false);
	size_t count = json_array_size(array);
	struct model_bytes *answers = model_read_array(c, arena, count + 1, sizeof *answers);
	const char **texts = model_read_array(c, arena, count + 1, sizeof *texts);
	if (answers == NULL || texts == NULL)
		return;
	for (size_t i = 0; i < count && c->err == VEER_OK; i++) {
		const char *text = model_read_string_at(c, "expect_answers", array, i, TEXT_MAX);
		if (c->err != VEER_OK)
			return;
		texts[i] = model_read_copy(c, arena, text);
		read_answer(c, arena, dns, text, &answers[i]);
	}
	dns->answers = answers;
	dns->answer_texts = texts;
	dns->answer_count = (uint32_t)count;
}

static void read_query_name(struct json_cursor *c, struct arena *arena, struct model_check_dns *dns)
{
	static const uint8_t root[1] = {0};
	struct veer_diag diag = {""};
	uint8_t wire[NAME_WIRE_MAX];
	size_t len = 0;
	const char *name = veer_json_str(c, "query_name", TEXT_MAX);
	if (c->err == VEER_OK && name_parse(name, strlen(name), root, wire, &len, &diag) != VEER_OK)
		veer_json_fail(c, "query_name", VEER_EINVAL, "%s", diag.text);
	if (c->err != VEER_OK)
		return;
	name_lower(wire, len);
	dns->name = arena_dup(arena, wire, len);
	dns->name_text = model_read_copy(c, arena, name);
	if (dns->name == NULL)
		veer_json_fail(c, "query_name", VEER_ENOMEM, "out of memory");
}

static void read_query_type(struct json_cursor *c, struct model_check_dns *dns)
{
	const char *type = veer_json_str_or(c, "query_type", RRSET_TYPE_TEXT_SIZE, "A");
	if (c->err == VEER_OK && (!rrtype_parse(type, strlen(type), &dns->type) || rrtype_is_meta(dns->type)))
		veer_json_fail(c, "query_type", VEER_EINVAL, "\"%s\" is no type of records", type);
}

static void read_exec(struct json_cursor *c, struct arena *arena, struct model_check_exec *exec)
{
	const json_t *array = veer_json_array(c, "command", MODEL_ARGUMENTS_MAX, true);
	size_t count = json_array_size(array);
	const char **argv = model_read_array(c, arena, count + 1, sizeof *argv);
	if (argv == NULL)
		return;
	exec->argv = argv;
	exec->argc = (uint32_t)count;
	if (c->err == VEER_OK && count == 0)
		veer_json_fail(c, "command", VEER_EINVAL, "must not be empty");
	for (size_t i = 0; i < count && c->err == VEER_OK; i++)
		argv[i] = model_read_copy(c, arena, model_read_string_at(c, "command", array, i, TEXT_MAX));
	if (c->err == VEER_OK && argv[0][0] != '/')
		veer_json_fail(c, "command", VEER_EINVAL, "must begin with an absolute path on the agent's host");
}

/* --- by type ----------------------------------------------------------------------------------------------------- */

static void *member_of(struct model_check *check, const struct model_check_field *f)
{
	return (char *)check + f->offset;
}

/* Store a number in a member of its size; the table's limits make sure that it fits. */
static void store(struct model_check *check, const struct model_check_field *f, int64_t value)
{
	const bool one = value != 0;
	const uint16_t two = (uint16_t)value;
	const uint32_t four = (uint32_t)value;
	assert(f->size == sizeof one || f->size == sizeof two || f->size == sizeof four);
	memcpy(member_of(check, f),
	       f->size == sizeof one   ? (const void *)&one
	       : f->size == sizeof two ? (const void *)&two
				       : (const void *)&four,
	       f->size);
}

static void store_text(struct model_check *check, const struct model_check_field *f, const char *text)
{
	memcpy(member_of(check, f), &text, sizeof text);
}

static void read_text(struct json_cursor *c, struct arena *arena, const struct model_check_field *f,
		      struct model_check *check)
{
	const char *text = veer_json_str_or(c, f->key, (size_t)f->max, f->text_fallback);
	if (c->err == VEER_OK && text != NULL && !f->is_free && (!is_plain_text(text) || *text == '\0'))
		veer_json_fail(c, f->key, VEER_EINVAL, "must not be empty or hold control characters");
	if (c->err == VEER_OK && text != NULL && f->rule != NULL)
		f->rule(c, f, text, check);
	store_text(check, f, model_read_copy_or_null(c, arena, text));
}

static void read_word(struct json_cursor *c, const struct model_check_field *f, struct model_check *check)
{
	int at = veer_json_enum_or(c, f->key, f->words, (int)f->word_count, (int)f->fallback);
	if (f->type == MODEL_FIELD_WORD)
		store_text(check, f, f->words[at < 0 ? 0 : at]);
	else
		store(check, f, at < 0 ? 0 : at);
}

static void read_port(struct json_cursor *c, const struct model_check_field *f, struct model_check *check)
{
	int64_t fallback = model_check_kind_row(check->kind)->default_port;
	store(check, f,
	      fallback == MODEL_PORT_REQUIRED ? veer_json_int(c, f->key, 1, 65535)
					      : veer_json_int_or(c, f->key, 1, 65535, fallback));
}

void model_read_field(struct json_cursor *c, struct arena *arena, const struct model_check_field *field,
		      struct model_check *check)
{
	switch (field->type) {
	case MODEL_FIELD_NAME:
	case MODEL_FIELD_KIND:
		return; /* it was read already */
	case MODEL_FIELD_NUMBER:
		store(check, field, veer_json_int_or(c, field->key, field->min, field->max, field->fallback));
		return;
	case MODEL_FIELD_PORT:
		read_port(c, field, check);
		return;
	case MODEL_FIELD_FLAG:
		store(check, field, veer_json_bool_or(c, field->key, field->fallback != 0));
		return;
	case MODEL_FIELD_WORD:
	case MODEL_FIELD_CHOICE:
		read_word(c, field, check);
		return;
	case MODEL_FIELD_TEXT:
		read_text(c, arena, field, check);
		return;
	case MODEL_FIELD_BYTES:
		read_bytes(c, arena, field->key, (size_t)field->max, member_of(check, field));
		return;
	case MODEL_FIELD_HEADERS:
		read_headers(c, arena, &check->http);
		return;
	case MODEL_FIELD_STATUSES:
		read_ranges(c, arena, &check->http);
		return;
	case MODEL_FIELD_QUERY_NAME:
		read_query_name(c, arena, &check->dns);
		return;
	case MODEL_FIELD_QUERY_TYPE:
		read_query_type(c, &check->dns);
		return;
	case MODEL_FIELD_ANSWERS:
		read_answers(c, arena, &check->dns);
		return;
	case MODEL_FIELD_COMMAND:
		read_exec(c, arena, &check->exec);
		return;
	case MODEL_FIELD_QUORUM:
	case MODEL_FIELD_PARTS:
	case MODEL_FIELD_NEED:
		model_read_judging(c, arena, field->type, check);
		return;
	}
}
