/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns a check back into JSON, by the table of fields, which also says which fields are left out when they have their
 * default.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "probes/verdict/assign_impl.h"
#include "zones/dns/rrset.h"
#include "zones/model/check_field.h"

/* Add a value, which is taken, to the object; a failure is remembered in `*failed`. */
static void put(json_t *object, const char *key, json_t *value, bool *failed)
{
	if (json_object_set_new(object, key, value) != 0)
		*failed = true;
}

static json_t *headers_json(const char *const *headers, bool *failed)
{
	json_t *object = json_object();
	for (; *headers != NULL; headers++) {
		const char *colon = strstr(*headers, ": ");
		if (colon == NULL ||
		    json_object_setn_new(object, *headers, (size_t)(colon - *headers), json_string(colon + 2)) != 0)
			*failed = true;
	}
	return object;
}

static json_t *ranges_json(const struct model_check_http *http, bool *failed)
{
	json_t *array = json_array();
	for (uint32_t i = 0; i < http->expect_status_count; i++) {
		const struct model_status_range *range = &http->expect_status[i];
		json_t *text = range->first == range->last ? json_sprintf("%u", range->first)
							   : json_sprintf("%u-%u", range->first, range->last);
		if (json_array_append_new(array, text) != 0)
			*failed = true;
	}
	return array;
}

/* Bytes as text if possible, otherwise as {"base64": "…"}. */
static json_t *bytes_json(const struct model_bytes *bytes)
{
	json_t *text = memchr(bytes->data, '\0', bytes->len) == NULL
			       ? json_stringn((const char *)bytes->data, bytes->len)
			       : NULL;
	if (text != NULL)
		return text;
	char *encoded = malloc(crypto_base64_size(bytes->len));
	if (encoded == NULL)
		return NULL;
	crypto_base64_encode(bytes->data, bytes->len, encoded);
	json_t *object = json_pack("{s:s}", "base64", encoded);
	free(encoded);
	return object;
}

static json_t *texts_json(const char *const *texts, uint32_t count, bool *failed)
{
	json_t *array = json_array();
	for (uint32_t i = 0; i < count; i++) {
		if (json_array_append_new(array, json_string(texts[i])) != 0)
			*failed = true;
	}
	return array;
}

static json_t *type_json(uint16_t type)
{
	char text[RRSET_TYPE_TEXT_SIZE];
	rrtype_print(type, text);
	return json_string(text);
}

static json_t *word_json(const struct model_check_field *f, const struct model_check *check)
{
	uint64_t number = model_field_number(f, check);
	assert(number < f->word_count);
	return json_string(f->words[number]);
}

static json_t *value_json(const struct model_check_field *f, const struct model_check *check, bool *failed)
{
	switch (f->type) {
	case MODEL_FIELD_NAME:
		return json_string(check->name);
	case MODEL_FIELD_KIND:
		return json_string(model_check_kind_text(check->kind));
	case MODEL_FIELD_NUMBER:
	case MODEL_FIELD_PORT:
		return json_integer((json_int_t)model_field_number(f, check));
	case MODEL_FIELD_FLAG:
		return json_boolean(model_field_number(f, check) != 0);
	case MODEL_FIELD_CHOICE:
		return word_json(f, check);
	case MODEL_FIELD_WORD:
	case MODEL_FIELD_TEXT:
		return json_string(model_field_text(f, check));
	case MODEL_FIELD_BYTES:
		return bytes_json(model_field_bytes(f, check));
	case MODEL_FIELD_HEADERS:
		return headers_json(check->http.headers, failed);
	case MODEL_FIELD_STATUSES:
		return ranges_json(&check->http, failed);
	case MODEL_FIELD_QUERY_NAME:
		return json_string(check->dns.name_text);
	case MODEL_FIELD_QUERY_TYPE:
		return type_json(check->dns.type);
	case MODEL_FIELD_ANSWERS:
		return texts_json(check->dns.answer_texts, check->dns.answer_count, failed);
	case MODEL_FIELD_COMMAND:
		return texts_json(check->exec.argv, check->exec.argc, failed);
	case MODEL_FIELD_QUORUM:
		return json_integer(check->quorum);
	case MODEL_FIELD_PARTS:
		return texts_json(check->of, check->of_count, failed);
	case MODEL_FIELD_NEED:
		return json_integer(check->need);
	}
	return NULL;
}

json_t *assign_check_json(const struct model_check *check, bool *failed)
{
	json_t *object = json_object();
	size_t count;
	const struct model_check_field *fields = model_check_fields(&count);
	for (size_t i = 0; i < count; i++) {
		const struct model_check_field *f = &fields[i];
		bool is_sent = f->sending == MODEL_SENT_ALWAYS ||
			       (f->sending == MODEL_SENT_IF_SET && model_field_is_set(f, check));
		if (is_sent && model_check_has(check, f))
			put(object, f->key, value_json(f, check, failed), failed);
	}
	return object;
}
