/* SPDX-License-Identifier: Apache-2.0 */
/* Zones: create, read, list, delete. Their RRsets are in rrsets.c, whole zone files in zone_transfer.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/uri.h"
#include "api/zone_data.h"
#include "api/zone_keeper.h"
#include "base/bytes.h"
#include "base/text.h"
#include "zones/model/rrset_object.h"

enum {
	NAMESERVERS_MAX = 16,
	SOA_TTL_DEFAULT = 300,
	NS_TTL_DEFAULT = 86400, /* s; of the apex NS: when it ends while the parent cannot be asked, all names fail */
	NEGATIVE_TTL_MAX = 60,  /* s; what does not exist now may in a minute */
	SOA_REFRESH_S = 3600,
	SOA_RETRY_S = 600,
	SOA_EXPIRE_S = 1209600, /* RFC 1912 2.2: two to four weeks */
	SOA_RDATA_MAX = 2 * NAME_WIRE_MAX + 20,
};

/* What a new zone is made of. */
struct new_zone {
	struct zone_ref zone;
	uint8_t nameservers[NAMESERVERS_MAX][NAME_WIRE_MAX];
	size_t nameserver_count;
	uint8_t hostmaster[NAME_WIRE_MAX];
	uint32_t soa_ttl, ns_ttl;
	uint32_t serial;
	/* What the commit consists of; owned. */
	char *values[3];
	char keys[2][RRSET_KEY_SIZE];
	struct store_op ops[3];
};

/* A domain name in a field, absolute with or without its final dot. */
static void read_name(struct json_cursor *c, const char *pointer, const char *text, uint8_t *out)
{
	static const uint8_t root[1] = {0};
	struct veer_diag detail = {""};
	size_t len;
	if (c->err != VEER_OK)
		return;
	enum veer_err err = text != NULL ? name_parse(text, strlen(text), root, out, &len, &detail)
					 : veer_fail(&detail, VEER_EINVAL, "must be a string");
	if (err == VEER_OK && (len == 1 || text[0] == '@'))
		err = veer_fail(&detail, VEER_EINVAL, "must be a domain name");
	if (err != VEER_OK)
		c->err = veer_fail(c->diag, err, "/%s: %s", pointer, detail.text);
}

static void read_nameservers(struct json_cursor *c, struct new_zone *z)
{
	const json_t *array = veer_json_array(c, "nameservers", NAMESERVERS_MAX, true);
	char pointer[48];
	size_t i;
	json_t *element;
	json_array_foreach((json_t *)(uintptr_t)array, i, element)
	{
		(void)snprintf(pointer, sizeof pointer, "nameservers/%zu", i);
		read_name(c, pointer, json_string_value(element), z->nameservers[i]);
	}
	z->nameserver_count = json_array_size(array);
	if (c->err == VEER_OK && z->nameserver_count == 0)
		veer_json_fail(c, "nameservers", VEER_EINVAL, "must name at least one");
}

static enum veer_err read_new_zone(const json_t *body, struct new_zone *z, struct veer_diag *diag)
{
	struct json_cursor c;
	struct veer_diag detail = {""};
	char fallback[NAME_TEXT_SIZE + 16];
	veer_json_begin(&c, body, "", diag);
	const char *name = veer_json_str(&c, "name", NAME_TEXT_SIZE);
	if (c.err == VEER_OK && zone_name_parse(name, &z->zone, &detail) != VEER_OK)
		veer_json_fail(&c, "name", VEER_EINVAL, "%s", detail.text);
	read_nameservers(&c, z);
	z->soa_ttl = (uint32_t)veer_json_int_or(&c, "ttl", 0, RRSET_TTL_MAX, SOA_TTL_DEFAULT);
	z->ns_ttl = (uint32_t)veer_json_int_or(&c, "ttl", 0, RRSET_TTL_MAX, NS_TTL_DEFAULT);
	(void)snprintf(fallback, sizeof fallback, "hostmaster.%s", z->zone.name_len > 1 ? z->zone.text : "");
	read_name(&c, "hostmaster", veer_json_str_or(&c, "hostmaster", NAME_TEXT_SIZE, fallback), z->hostmaster);
	return veer_json_end(&c);
}

/* One RRset's RDATA to the put of its stored object. */
static enum veer_err make_op(struct new_zone *z, size_t at, uint16_t type, const struct rdata_span *records,
			     size_t count)
{
	uint8_t *wire = NULL;
	size_t wire_len;
	enum veer_err err = rrset_compose(z->zone.name, type, type == RRTYPE_NS ? z->ns_ttl : z->soa_ttl, records,
					  count, &wire, &wire_len, NULL);
	if (err != VEER_OK)
		return err;
	json_t *object = rrset_object_from_wire(wire, wire_len);
	free(wire);
	z->values[at] = object != NULL ? veer_json_dump(object) : NULL;
	json_decref(object);
	if (z->values[at] == NULL)
		return VEER_ENOMEM;
	zone_rrset_key(&z->zone, z->zone.name, type, z->keys[at - 1]);
	z->ops[at] = (struct store_op){
		STORE_PUT, MODEL_KIND_RRSET, z->keys[at - 1], z->values[at], strlen(z->values[at]), STORE_ABSENT, 0};
	return VEER_OK;
}

static enum veer_err make_soa(struct new_zone *z)
{
	uint8_t rdata[SOA_RDATA_MAX];
	struct byte_writer w;
	byte_writer_init(&w, rdata, sizeof rdata);
	byte_write_span(&w, z->nameservers[0], name_len(z->nameservers[0]));
	byte_write_span(&w, z->hostmaster, name_len(z->hostmaster));
	byte_write_u32(&w, z->serial);
	byte_write_u32(&w, SOA_REFRESH_S);
	byte_write_u32(&w, SOA_RETRY_S);
	byte_write_u32(&w, SOA_EXPIRE_S);
	byte_write_u32(&w, z->soa_ttl < NEGATIVE_TTL_MAX ? z->soa_ttl : NEGATIVE_TTL_MAX);
	return make_op(z, 1, RRTYPE_SOA, &(struct rdata_span){rdata, byte_writer_len(&w)}, 1);
}

static char *zone_object(const struct zone_ref *zone)
{
	json_t *object = json_pack("{s:s, s:I}", "name", zone->text, "version", (json_int_t)zone->version);
	char *text = object != NULL ? veer_json_dump(object) : NULL;
	json_decref(object);
	return text;
}

/* A zone_fill_fn: the zone object, its SOA and its NS, as operations. */
static enum veer_err fill_new_zone(void *ctx, int64_t version, const struct store_op **ops, size_t *count)
{
	struct new_zone *z = ctx;
	struct rdata_span records[NAMESERVERS_MAX];
	z->zone.version = version;
	z->values[0] = zone_object(&z->zone);
	if (z->values[0] == NULL)
		return VEER_ENOMEM;
	z->ops[0] = (struct store_op){
		STORE_PUT, MODEL_KIND_ZONE, z->zone.text, z->values[0], strlen(z->values[0]), STORE_ABSENT, 0};
	for (size_t i = 0; i < z->nameserver_count; i++)
		records[i] = (struct rdata_span){z->nameservers[i], name_len(z->nameservers[i])};
	enum veer_err err = make_soa(z);
	if (err == VEER_OK)
		err = make_op(z, 2, RRTYPE_NS, records, z->nameserver_count);
	*ops = z->ops;
	*count = 3;
	return err;
}

/* A zone as the API shows it, with its serial and the number of its RRsets. NULL when something fails. */
static json_t *show_zone(struct api *api, const struct zone_ref *zone, struct arena *arena)
{
	struct zone_soa soa;
	char name[NAME_TEXT_SIZE];
	int64_t count = 0;
	enum veer_err err = zone_soa_get(api, zone, arena, &soa);
	if (err != VEER_OK && err != VEER_ENOTFOUND && err != VEER_ECORRUPT)
		return NULL;
	if (zone_count(api, zone, &count) != VEER_OK)
		return NULL;
	(void)name_print(zone->name, name, sizeof name);
	json_t *shown = json_pack("{s:s, s:I, s:I, s:I}", "name", name, "version", (json_int_t)zone->version, "rrsets",
				  (json_int_t)count, "revision", (json_int_t)zone->revision);
	if (shown != NULL && err == VEER_OK)
		(void)json_object_set_new(shown, "serial", json_integer(soa.serial));
	return shown;
}

static void reply_zone(struct api *api, const struct api_request *request, struct api_reply *reply, int status,
		       const struct zone_ref *zone)
{
	(void)snprintf(reply->etag, sizeof reply->etag, "r%lld", (long long)zone->revision);
	api_reply_json(reply, status, show_zone(api, zone, request->arena));
}

void handle_zone_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	json_t *body = NULL;
	struct veer_diag diag = {""};
	int64_t revision = 0;
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	struct new_zone *z = arena_alloc(request->arena, sizeof *z);
	enum veer_err err = z != NULL ? read_new_zone(body, z, &diag) : VEER_ENOMEM;
	json_decref(body);
	if (z == NULL || err != VEER_OK) {
		if (err == VEER_ENOMEM)
			api_problem_err(reply, err);
		else
			api_problem_invalid(reply, &diag);
		return;
	}
	if (!api_may_touch(api, request, reply, API_LIMIT_ZONES, z->zone.text))
		return;
	/* The time as the first serial: a zone that is deleted and made again does not go back (RFC 1982). */
	z->serial = (uint32_t)(veer_clock_wall_ns(api->clock) / 1000000000);
	err = zone_keeper_create(api->zones, &z->zone, fill_new_zone, z, &revision);
	for (size_t i = 0; i < 3; i++)
		free(z->values[i]);
	if (err == VEER_ECONFLICT) {
		api_problem(reply, 409, "exists", "there is a zone \"%s\" already", z->zone.text);
	} else if (err != VEER_OK) {
		api_problem_err(reply, err);
	} else {
		api_wait_for(api, revision);
		z->zone.revision = revision;
		(void)snprintf(reply->location, sizeof reply->location, "/v1/zones/");
		if (!api_uri_add_segment(z->zone.text, reply->location, sizeof reply->location))
			reply->location[0] = '\0'; /* too long to be said */
		reply_zone(api, request, reply, 201, &z->zone);
	}
}

void handle_zone_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct zone_ref zone;
	if (zone_need(ctx, request, reply, &zone))
		reply_zone(ctx, request, reply, 200, &zone);
}

/* The zone object goes first: with it the zone disappears at once. Its RRsets are then invisible, and removed behind.
 */
void handle_zone_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct zone_ref zone;
	int64_t expect, revision;
	if (!zone_need(api, request, reply, &zone) || !api_precondition(request, reply, zone.revision, &expect))
		return;
	struct store_op op = {.op = STORE_DEL, .kind = MODEL_KIND_ZONE, .key = zone.text, .expect = expect};
	if (!api_commit(api, reply, &op, 1, &revision))
		return;
	zone_keeper_wake(api->zones);
}

/* The names of one page of the list. */
struct names {
	struct arena *arena;
	const char **items;
	size_t count;
	size_t limit;
	bool has_more;
	bool failed;
};

static bool add_name(void *ctx, const struct directory_entry *entry)
{
	struct names *names = ctx;
	if (names->count == names->limit) {
		names->has_more = true;
		return false;
	}
	names->items[names->count] = arena_strdup(names->arena, entry->key);
	names->failed = names->items[names->count] == NULL;
	names->count += names->failed ? 0 : 1;
	return !names->failed;
}

void handle_zones_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	int64_t limit;
	struct names names = {.arena = request->arena};
	if (!api_page_limit(request, reply, &limit))
		return;
	names.limit = (size_t)limit;
	names.items = arena_calloc(request->arena, names.limit, sizeof *names.items);
	json_t *items = json_array();
	if (names.items == NULL || items == NULL) {
		json_decref(items);
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	directory_list(api->directory, MODEL_KIND_ZONE, api_query(request, "after"), add_name, &names);
	bool failed = names.failed;
	struct arena *scratch = arena_new(1 << 20);
	for (size_t i = 0; i < names.count && scratch != NULL && !failed; i++) {
		struct zone_ref zone;
		arena_reset(scratch);
		if (zone_find(api, names.items[i], scratch, &zone) != VEER_OK ||
		    !api_may_touch_quietly(api, request, API_LIMIT_ZONES, zone.text))
			continue; /* deleted meanwhile, or not for this token */
		json_t *shown = show_zone(api, &zone, scratch);
		failed = shown == NULL || json_array_append_new(items, shown) != 0;
	}
	json_t *answer = scratch != NULL && !failed ? json_pack("{s:O}", "items", items) : NULL;
	if (answer != NULL && names.has_more)
		(void)json_object_set_new(answer, "next", json_string(names.items[names.count - 1]));
	json_decref(items);
	arena_free(&scratch);
	api_reply_json(reply, 200, answer);
}
