/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/zone_data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/model/rrset_object.h"

enum { SOA_NUMBERS = 20 }; /* bytes of an SOA's five numbers, which follow its two names (RFC 1035 3.3.13) */

enum veer_err zone_name_parse(const char *text, struct zone_ref *out, struct veer_diag *diag)
{
	static const uint8_t root[1] = {0};
	if (strcmp(text, "@") == 0)
		return veer_fail(diag, VEER_EINVAL, "a zone needs a name");
	enum veer_err err = name_parse(text, strlen(text), root, out->name, &out->name_len, diag);
	if (err != VEER_OK)
		return err;
	name_lower(out->name, out->name_len);
	(void)name_print_key(out->name, out->text, sizeof out->text);
	return VEER_OK;
}

static enum veer_err read_version(const struct store_object *object, int64_t *version)
{
	json_t *json = NULL;
	enum veer_err err = veer_json_parse(object->value, object->value_len, STORE_VALUE_MAX, &json, NULL);
	if (err != VEER_OK)
		return err == VEER_ENOMEM ? err : VEER_ECORRUPT;
	*version = json_integer_value(json_object_get(json, "version"));
	json_decref(json);
	return *version > 0 ? VEER_OK : VEER_ECORRUPT;
}

enum veer_err zone_find(struct control *control, const char *text, struct arena *arena, struct zone_ref *out)
{
	struct store_object object;
	*out = (struct zone_ref){.revision = 0};
	enum veer_err err = zone_name_parse(text, out, NULL);
	if (err == VEER_OK)
		err = store_get(control->store, MODEL_KIND_ZONE, out->text, arena, &object);
	if (err == VEER_OK)
		err = read_version(&object, &out->version);
	if (err == VEER_OK)
		out->revision = object.revision;
	return err;
}

void zone_note_unreadable(struct control *control, const char *key, const char *why)
{
	log_warn(control->log, "rrset unreadable, left out", LOG_STR("key", key), LOG_STR("reason", why));
}

void zone_rrset_key(const struct zone_ref *zone, const uint8_t *owner, uint16_t type, char *out)
{
	struct rrset_key key = {.zone_len = zone->name_len,
				.owner_len = name_len(owner),
				.type = type,
				.version = (uint64_t)zone->version};
	memcpy(key.zone, zone->name, key.zone_len);
	memcpy(key.owner, owner, key.owner_len);
	(void)rrset_key_print(&key, out);
}

bool zone_rrset_place(const struct zone_ref *zone, const char *owner, const char *type, struct rrset_key *out)
{
	*out = (struct rrset_key){.zone_len = zone->name_len, .version = (uint64_t)zone->version};
	memcpy(out->zone, zone->name, zone->name_len);
	if (name_parse(owner, strlen(owner), zone->name, out->owner, &out->owner_len, NULL) != VEER_OK)
		return false;
	name_lower(out->owner, out->owner_len);
	return name_is_under(out->owner, zone->name) && rrtype_parse(type, strlen(type), &out->type) &&
	       !rrtype_is_meta(out->type);
}

size_t zone_prefix(const struct zone_ref *zone, char *out)
{
	return (size_t)snprintf(out, RRSET_KEY_SIZE, "%s/%" PRId64 "/", zone->text, zone->version);
}

size_t zone_soa_serial_at(const uint8_t *rdata, size_t len)
{
	size_t first = name_check(rdata, len);
	size_t second = first > 0 ? name_check(rdata + first, len - first) : 0;
	return second > 0 && len - first - second == SOA_NUMBERS ? first + second : 0;
}

enum veer_err zone_soa_decode(const struct zone_ref *zone, const char *value, size_t len, struct arena *arena,
			      struct zone_soa *out)
{
	struct rrset_key key = {.owner_len = zone->name_len, .type = RRTYPE_SOA};
	struct rrset_view view;
	struct rdata_span rdata = {0};
	const char *policy = NULL;
	uint8_t *wire = NULL;
	json_t *json = NULL;
	size_t pos = 0, in_rdata = 0;
	memcpy(key.owner, zone->name, zone->name_len);
	enum veer_err err = veer_json_parse(value, len, STORE_VALUE_MAX, &json, NULL);
	if (err == VEER_OK)
		err = rrset_object_read(&key, json, &policy, &wire, &view, NULL);
	json_decref(json);
	if (err == VEER_OK && wire != NULL && rrset_next(&view, &pos, &rdata))
		in_rdata = zone_soa_serial_at(rdata.data, rdata.len);
	if (err == VEER_OK && in_rdata > 0) {
		size_t at = (size_t)(rdata.data - wire) + in_rdata;
		out->wire = arena_dup(arena, wire, view.len);
		out->len = view.len;
		out->serial_at = at;
		out->serial = (uint32_t)wire[at] << 24 | (uint32_t)wire[at + 1] << 16 | (uint32_t)wire[at + 2] << 8 |
			      wire[at + 3];
		free(wire);
		return out->wire != NULL ? VEER_OK : VEER_ENOMEM;
	}
	free(wire);
	return err == VEER_ENOMEM ? err : VEER_ECORRUPT;
}

char *zone_soa_with_serial(struct zone_soa *soa, uint32_t serial)
{
	for (unsigned i = 0; i < 4; i++)
		soa->wire[soa->serial_at + i] = (uint8_t)(serial >> (24 - 8 * i));
	soa->serial = serial;
	json_t *object = rrset_object_from_wire(soa->wire, soa->len);
	char *text = object != NULL ? veer_json_dump(object) : NULL;
	json_decref(object);
	return text;
}

uint32_t zone_serial_next(uint32_t old, uint32_t wanted)
{
	uint32_t ahead = wanted - old;
	return ahead != 0 && ahead < UINT32_C(0x80000000) ? wanted : old + 1;
}

enum veer_err zone_soa_get(struct control *control, const struct zone_ref *zone, struct arena *arena,
			   struct zone_soa *out)
{
	char *key = arena_alloc(arena, RRSET_KEY_SIZE);
	struct store_object object;
	if (key == NULL)
		return VEER_ENOMEM;
	zone_rrset_key(zone, zone->name, RRTYPE_SOA, key);
	enum veer_err err = store_get(control->store, MODEL_KIND_RRSET, key, arena, &object);
	if (err != VEER_OK)
		return err;
	*out = (struct zone_soa){.revision = object.revision};
	return zone_soa_decode(zone, object.value, object.value_len, arena, out);
}

static bool count_one(void *ctx, const struct store_object *object)
{
	(void)object;
	(*(int64_t *)ctx)++;
	return true;
}

enum veer_err zone_count(struct control *control, const struct zone_ref *zone, int64_t *count)
{
	char prefix[RRSET_KEY_SIZE];
	*count = 0;
	(void)zone_prefix(zone, prefix);
	return store_list(control->store, MODEL_KIND_RRSET, prefix, NULL, count_one, count, NULL);
}
