/* SPDX-License-Identifier: Apache-2.0 */
/* Zones: create, read, list, delete. Their RRsets are in rrsets.c, whole zone files in zone_transfer.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/zone_make.h"
#include "api/http/uri.h"
#include "api/rest/handlers.h"
#include "api/rest/zone_need.h"
#include "base/text.h"

enum {
	SOA_TTL_DEFAULT = 300,
	NS_TTL_DEFAULT = 86400, /* s; for the apex NS: when it expires in caches while the parent cannot be reached, all
				   names fail */
};

/* Read a domain name from a field; it is absolute with or without its final dot. */
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

static void read_nameservers(struct json_cursor *c, struct zone_make *z)
{
	const json_t *array = veer_json_array(c, "nameservers", ZONE_NAMESERVERS_MAX, true);
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

static enum veer_err read_new_zone(const json_t *body, struct zone_make *z, struct veer_diag *diag)
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

/* A zone as the API shows it, with its serial and the number of its RRsets. NULL when something fails. */
static json_t *show_zone(struct api *api, const struct zone_ref *zone, struct arena *arena)
{
	struct zone_soa soa;
	char name[NAME_TEXT_SIZE];
	int64_t count = 0;
	enum veer_err err = zone_soa_get(&api->control, zone, arena, &soa);
	if (err != VEER_OK && err != VEER_ENOTFOUND && err != VEER_ECORRUPT)
		return NULL;
	if (zone_count(&api->control, zone, &count) != VEER_OK)
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

static void make_zone(struct api *api, struct api_request *request, struct api_reply *reply, struct zone_make *z)
{
	struct change_result result;
	enum veer_err err = api_change_always(api, request, zone_make_wish(z), &result);
	if (err == VEER_ECONFLICT) {
		api_problem(reply, 409, "exists", "there is a zone \"%s\" already", z->zone.text);
	} else if (err != VEER_OK) {
		api_problem_change(reply, err, &result);
	} else {
		z->zone.revision = result.revision;
		(void)snprintf(reply->location, sizeof reply->location, "/v1/zones/");
		if (!api_uri_add_segment(z->zone.text, reply->location, sizeof reply->location))
			reply->location[0] = '\0'; /* too long for the header */
		reply_zone(api, request, reply, 201, &z->zone);
	}
}

void handle_zone_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	json_t *body = NULL;
	struct veer_diag diag = {""};
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	struct zone_make *z = arena_alloc(request->arena, sizeof *z);
	enum veer_err err = z != NULL ? read_new_zone(body, z, &diag) : VEER_ENOMEM;
	json_decref(body);
	if (err == VEER_OK)
		make_zone(ctx, request, reply, z);
	else if (err == VEER_ENOMEM)
		api_problem_err(reply, err);
	else
		api_problem_invalid(reply, &diag);
}

void handle_zone_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct zone_ref zone;
	if (zone_need(ctx, request, reply, &zone))
		reply_zone(ctx, request, reply, 200, &zone);
}

void handle_zone_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct change_result result;
	struct zone_unmake z = {.name = request->params[0]};
	enum veer_err err = api_change(ctx, request, zone_unmake_wish(&z), &result);
	if (err != VEER_OK && result.problem == CHANGE_MISSING) /* the name may have any length */
		api_problem(reply, 404, "not-found", "there is no zone \"%s\"", z.name);
	else if (err != VEER_OK)
		api_problem_change(reply, err, &result);
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
	directory_list(api->control.directory, MODEL_KIND_ZONE, api_query(request, "after"), add_name, &names);
	bool failed = names.failed;
	struct arena *scratch = arena_new(1 << 20);
	for (size_t i = 0; i < names.count && scratch != NULL && !failed; i++) {
		struct zone_ref zone;
		arena_reset(scratch);
		if (zone_find(&api->control, names.items[i], scratch, &zone) != VEER_OK ||
		    !api_may_touch_quietly(api, request, TOKEN_LIMIT_ZONES, zone.text))
			continue; /* deleted meanwhile, or the token may not touch it */
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
