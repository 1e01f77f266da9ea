/* SPDX-License-Identifier: Apache-2.0 */
/* RRsets as JSON. See rrset_object.h. */
#include "zones/model/rrset_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "zones/dns/rrtext.h"
#include "zones/model/model.h"

json_t *rrset_object_from_wire(const uint8_t *wire, size_t len)
{
	char *text = malloc(crypto_base64_size(len));
	if (text == NULL)
		return NULL;
	crypto_base64_encode(wire, len, text);
	json_t *object = json_object();
	if (object != NULL && json_object_set_new(object, "wire", json_string(text)) != 0) {
		json_decref(object);
		object = NULL;
	}
	free(text);
	return object;
}

/* Parse the records of `array` as RDATA and compose them into a stored object. */
static enum veer_err object_from_records(struct json_cursor *c, const json_t *array, const struct rrset_key *key,
					 const uint8_t *owner, uint32_t ttl, json_t **object)
{
	size_t count = json_array_size(array);
	struct rdata_span *records = calloc(count + 1, sizeof *records);
	uint8_t **owned = calloc(count + 1, sizeof *owned);
	uint8_t *wire = NULL;
	size_t wire_len = 0;
	struct veer_diag detail = {.text = ""};
	enum veer_err err = records != NULL && owned != NULL ? VEER_OK : VEER_ENOMEM;
	char pointer[32] = "records";
	for (size_t i = 0; i < count && err == VEER_OK; i++) {
		const char *text = json_string_value(json_array_get(array, i));
		(void)snprintf(pointer, sizeof pointer, "records/%zu", i);
		if (text == NULL)
			err = veer_fail(&detail, VEER_EINVAL, "must be a string");
		else
			err = rrtext_parse(key->type, text, key->zone, &owned[i], &records[i].len, &detail);
		records[i].data = owned[i];
	}
	if (err == VEER_OK) {
		(void)snprintf(pointer, sizeof pointer, "records");
		err = rrset_compose(owner, key->type, ttl, records, count, &wire, &wire_len, &detail);
	}
	if (err == VEER_OK) {
		*object = rrset_object_from_wire(wire, wire_len);
		err = *object != NULL ? VEER_OK : VEER_ENOMEM;
	}
	if (err != VEER_OK && c->err == VEER_OK) {
		c->err = err;
		(void)veer_fail(c->diag, err, "%s/%s: %s", c->pointer, pointer,
				detail.text[0] != '\0' ? detail.text : veer_err_text(err));
	}
	for (size_t i = 0; owned != NULL && i < count; i++)
		free(owned[i]);
	free(owned);
	free(records);
	free(wire);
	return err;
}

/* `owner` becomes the name as it is written; the owner in the key is in lower case. */
static void read_name_and_type(struct json_cursor *c, struct rrset_key *key, uint8_t *owner)
{
	struct veer_diag detail;
	const char *name = veer_json_str(c, "name", NAME_TEXT_SIZE);
	const char *type = veer_json_str(c, "type", RRSET_TYPE_TEXT_SIZE);
	if (c->err != VEER_OK)
		return;
	enum veer_err err = name_parse(name, strlen(name), key->zone, owner, &key->owner_len, &detail);
	if (err != VEER_OK) {
		veer_json_fail(c, "name", err, "%s", detail.text);
		return;
	}
	name_lower_copy(key->owner, owner, key->owner_len);
	if (!name_is_under(key->owner, key->zone))
		veer_json_fail(c, "name", VEER_EINVAL, "is outside the zone");
	if (!rrtype_parse(type, strlen(type), &key->type))
		veer_json_fail(c, "type", VEER_EINVAL, "is no record type");
	else if (rrtype_is_meta(key->type))
		veer_json_fail(c, "type", VEER_EINVAL, "records of this type are never stored");
}

static json_t *object_from_policy(struct json_cursor *c, const struct rrset_key *key, const uint8_t *owner,
				  const char *policy)
{
	char name[NAME_TEXT_SIZE];
	if (veer_json_has(c, "records") || veer_json_has(c, "ttl"))
		veer_json_fail(c, "policy", VEER_EINVAL, "excludes \"records\" and \"ttl\"");
	if (!model_is_name(policy))
		veer_json_fail(c, "policy", VEER_EINVAL, "must be a policy's name");
	if (key->type != RRTYPE_A && key->type != RRTYPE_AAAA && key->type != RRTYPE_CNAME)
		veer_json_fail(c, "type", VEER_EINVAL, "only A, AAAA and CNAME can be bound to a policy");
	if (c->err != VEER_OK)
		return NULL;
	if (memcmp(owner, key->owner, key->owner_len) == 0)
		return json_pack("{s:s}", "policy", policy);
	(void)name_print(owner, name, sizeof name);
	return json_pack("{s:s, s:s}", "policy", policy, "owner", name);
}

enum veer_err rrset_from_api(const json_t *api, const uint8_t *zone, uint64_t version, struct rrset_key *key,
			     json_t **object, struct veer_diag *diag)
{
	struct json_cursor c;
	struct rrset_key read = {.version = version, .zone_len = name_len(zone)};
	uint8_t owner[NAME_WIRE_MAX];
	json_t *made = NULL;
	memcpy(read.zone, zone, read.zone_len);
	name_lower(read.zone, read.zone_len);
	veer_json_begin(&c, api, "", diag);
	read_name_and_type(&c, &read, owner);
	const char *policy = veer_json_str_or(&c, "policy", MODEL_NAME_MAX, NULL);
	if (policy != NULL && c.err == VEER_OK) {
		made = object_from_policy(&c, &read, owner, policy);
	} else if (c.err == VEER_OK) {
		uint32_t ttl = (uint32_t)veer_json_int(&c, "ttl", 0, RRSET_TTL_MAX);
		const json_t *records = veer_json_array(&c, "records", RRSET_RECORDS_MAX, true);
		if (c.err == VEER_OK)
			(void)object_from_records(&c, records, &read, owner, ttl, &made);
	}
	enum veer_err err = veer_json_end(&c);
	if (err == VEER_OK && made == NULL)
		err = VEER_ENOMEM;
	if (err != VEER_OK) {
		json_decref(made);
		return err;
	}
	*key = read;
	*object = made;
	return VEER_OK;
}

enum veer_err rrset_object_read(const struct rrset_key *key, const json_t *object, const char **policy, uint8_t **wire,
				struct rrset_view *view, struct veer_diag *diag)
{
	const char *bound = json_string_value(json_object_get(object, "policy"));
	const char *text = json_string_value(json_object_get(object, "wire"));
	if (bound != NULL && text == NULL && model_is_name(bound)) {
		*policy = bound;
		*wire = NULL;
		return VEER_OK;
	}
	if (text == NULL || bound != NULL)
		return veer_fail(diag, VEER_EINVAL, "an RRset has either \"wire\" or \"policy\"");
	size_t text_len = strlen(text);
	size_t size = text_len / 4 * 3 + 3;
	uint8_t *data = malloc(size);
	struct rrset_view read;
	size_t len;
	if (data == NULL)
		return VEER_ENOMEM;
	enum veer_err err = crypto_base64_decode(text, text_len, data, size, &len);
	if (err != VEER_OK)
		(void)veer_fail(diag, err, "\"wire\" is not base64");
	else
		err = rrset_check(data, len, &read, diag);
	if (err == VEER_OK && (read.type != key->type || !name_equal(read.owner, key->owner)))
		err = veer_fail(diag, VEER_EINVAL, "an RRset's key and records differ in owner or type");
	if (err != VEER_OK) {
		free(data);
		return err;
	}
	*policy = NULL;
	*wire = data;
	*view = read;
	return VEER_OK;
}

static enum veer_err add_records(const struct rrset_view *view, json_t *records)
{
	struct rdata_span rdata;
	for (size_t pos = 0; rrset_next(view, &pos, &rdata);) {
		char *text;
		enum veer_err err = rrtext_print(view->type, rdata.data, rdata.len, &text);
		if (err != VEER_OK)
			return err;
		int failed = json_array_append_new(records, json_string(text));
		free(text);
		if (failed)
			return VEER_ENOMEM;
	}
	return VEER_OK;
}

/* Print the owner as it was written. A bound RRset stores that spelling where it is not in lower case. */
static void print_owner(const struct rrset_key *key, const json_t *object, const struct rrset_view *view, char *out)
{
	uint8_t owner[NAME_WIRE_MAX];
	size_t len;
	const char *written = json_string_value(json_object_get(object, "owner"));
	if (view != NULL)
		memcpy(owner, view->wire, view->owner_len);
	else if (written == NULL || name_parse(written, strlen(written), NULL, owner, &len, NULL) != VEER_OK)
		memcpy(owner, key->owner, key->owner_len);
	(void)name_print(owner, out, NAME_TEXT_SIZE);
}

enum veer_err rrset_to_api(const struct rrset_key *key, const json_t *object, json_t **api, struct veer_diag *diag)
{
	const char *policy;
	uint8_t *wire;
	struct rrset_view view;
	char name[NAME_TEXT_SIZE];
	char type[RRSET_TYPE_TEXT_SIZE];
	enum veer_err err = rrset_object_read(key, object, &policy, &wire, &view, diag);
	if (err != VEER_OK)
		return err == VEER_ENOMEM ? err : VEER_ECORRUPT;
	print_owner(key, object, policy == NULL ? &view : NULL, name);
	rrtype_print(key->type, type);
	json_t *out;
	if (policy != NULL) {
		out = json_pack("{s:s, s:s, s:s}", "name", name, "type", type, "policy", policy);
	} else {
		json_t *records = json_array();
		err = records != NULL ? add_records(&view, records) : VEER_ENOMEM;
		out = json_pack("{s:s, s:s, s:I, s:o}", "name", name, "type", type, "ttl", (json_int_t)view.ttl,
				"records", records);
	}
	free(wire);
	if (out == NULL && err == VEER_OK)
		err = VEER_ENOMEM;
	if (err != VEER_OK) {
		json_decref(out);
		return err;
	}
	*api = out;
	return VEER_OK;
}
