/* SPDX-License-Identifier: Apache-2.0 */
/* RRsets: create, read, list, replace, delete, one at a time. The rules of a write are in api/control/zone_edit.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/zone_edit.h"
#include "api/http/uri.h"
#include "api/rest/handlers.h"
#include "api/rest/zone_need.h"
#include "zones/model/rrset_object.h"

enum { PAGE_BYTES_MAX = 4 << 20 };

/* --- reading -------------------------------------------------------------------------------------------------- */

/*
 * The RRset as the API shows it. Errors: VEER_ENOMEM; any other: the stored value cannot be read, and the diag says
 * why.
 */
static enum veer_err show(const char *key_text, const char *value, size_t len, int64_t revision, json_t **shown,
			  struct veer_diag *diag)
{
	struct rrset_key key;
	json_t *object = NULL;
	enum veer_err err = rrset_key_parse(key_text, strlen(key_text), &key, diag);
	if (err == VEER_OK)
		err = veer_json_parse(value, len, STORE_VALUE_MAX, &object, diag);
	if (err == VEER_OK)
		err = rrset_to_api(&key, object, shown, diag);
	if (err == VEER_OK)
		(void)json_object_set_new(*shown, "revision", json_integer(revision));
	json_decref(object);
	return err;
}

static void reply_rrset(struct api *api, struct api_reply *reply, int status, const char *key_text, const char *value,
			size_t len, int64_t revision)
{
	struct veer_diag diag = {""};
	json_t *shown = NULL;
	enum veer_err err = show(key_text, value, len, revision, &shown, &diag);
	if (err == VEER_OK) {
		(void)snprintf(reply->etag, sizeof reply->etag, "r%lld", (long long)revision);
		api_reply_json(reply, status, shown);
	} else if (err == VEER_ENOMEM) {
		api_problem_err(reply, err);
	} else {
		zone_note_unreadable(&api->control, key_text, diag.text);
		api_problem(reply, 500, "unreadable",
			    "what is stored of this RRset cannot be read (%s): replace it with PUT, or delete it",
			    diag.text);
	}
}

static void no_such_rrset(struct api_reply *reply, const struct api_request *request)
{
	api_problem(reply, 404, "not-found", "there is no RRset \"%s\" of type \"%s\" in the zone", request->params[1],
		    request->params[2]);
}

void handle_rrset_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct zone_ref zone;
	struct rrset_key key;
	struct store_object object;
	char key_text[RRSET_KEY_SIZE];
	if (!zone_need(api, request, reply, &zone))
		return;
	if (!zone_rrset_place(&zone, request->params[1], request->params[2], &key)) {
		no_such_rrset(reply, request);
		return;
	}
	(void)rrset_key_print(&key, key_text);
	enum veer_err err = store_get(api->control.store, MODEL_KIND_RRSET, key_text, request->arena, &object);
	if (err == VEER_OK)
		reply_rrset(api, reply, 200, key_text, object.value, object.value_len, object.revision);
	else if (err == VEER_ENOTFOUND)
		no_such_rrset(reply, request);
	else
		api_problem_err(reply, err);
}

/* A page that is being filled. */
struct rrset_page {
	struct api *api;
	json_t *items;
	json_t *unreadable; /* {"rrset": OWNER/TYPE, "detail"} of what cannot be shown; NULL: none */
	size_t prefix_len;
	size_t limit;
	size_t bytes;
	char last[RRSET_KEY_SIZE]; /* the last key shown */
	bool has_more;
	bool failed;
};

/* An RRset that cannot be read is left out and named, so that the others are still listed. */
static void add_unreadable(struct rrset_page *page, const char *key, char *why)
{
	api_make_utf8(why);
	zone_note_unreadable(&page->api->control, key, why);
	if (page->unreadable == NULL)
		page->unreadable = json_array();
	json_t *item = json_pack("{s:s, s:s}", "rrset", key + page->prefix_len, "detail", why);
	page->failed = item == NULL || json_array_append_new(page->unreadable, item) != 0;
}

static bool add_to_page(void *ctx, const struct store_object *object)
{
	struct rrset_page *page = ctx;
	if (json_array_size(page->items) == page->limit || page->bytes > PAGE_BYTES_MAX) {
		page->has_more = true;
		return false;
	}
	struct veer_diag diag = {""};
	json_t *item = NULL;
	enum veer_err err = show(object->key, object->value, object->value_len, object->revision, &item, &diag);
	if (err != VEER_OK && err != VEER_ENOMEM)
		add_unreadable(page, object->key, diag.text);
	else
		page->failed = item == NULL || json_array_append_new(page->items, item) != 0;
	page->bytes += object->value_len;
	(void)snprintf(page->last, sizeof page->last, "%s", object->key);
	return !page->failed;
}

/* "next" is OWNER/TYPE without zone and version, so that it means the same after an import. */
void handle_rrsets_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	struct zone_ref zone;
	int64_t limit;
	char prefix[RRSET_KEY_SIZE], after[2 * RRSET_KEY_SIZE];
	const char *after_text = api_query(request, "after");
	if (!zone_need(api, request, reply, &zone) || !api_page_limit(request, reply, &limit))
		return;
	struct rrset_page *page = arena_alloc(request->arena, sizeof *page);
	if (page != NULL)
		page->items = json_array();
	if (page == NULL || page->items == NULL) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	page->api = api;
	page->unreadable = NULL;
	page->limit = (size_t)limit;
	page->prefix_len = zone_prefix(&zone, prefix);
	(void)snprintf(after, sizeof after, "%s%.*s", prefix, RRSET_KEY_SIZE - 1, after_text != NULL ? after_text : "");
	enum veer_err err = store_list(api->control.store, MODEL_KIND_RRSET, prefix, after, add_to_page, page, NULL);
	if (err == VEER_OK && page->failed)
		err = VEER_ECORRUPT;
	json_t *answer = err == VEER_OK ? json_pack("{s:O}", "items", page->items) : NULL;
	if (answer != NULL && page->has_more)
		(void)json_object_set_new(answer, "next", json_string(page->last + page->prefix_len));
	if (answer != NULL && page->unreadable != NULL)
		(void)json_object_set(answer, "unreadable", page->unreadable);
	json_decref(page->unreadable);
	json_decref(page->items);
	if (err != VEER_OK)
		api_problem_err(reply, err);
	else
		api_reply_json(reply, 200, answer);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void say_location(struct api_reply *reply, const struct zone_edit *edit)
{
	const struct zone_edit_rrset *r = &edit->rrsets[0];
	char name[NAME_TEXT_SIZE], type[RRSET_TYPE_TEXT_SIZE];
	char *location = reply->location;
	size_t size = sizeof reply->location;
	(void)name_print(r->key.owner, name, sizeof name);
	rrtype_print(r->key.type, type);
	(void)snprintf(location, size, "/v1/zones/");
	bool fits = api_uri_add_segment(edit->ref.text, location, size) && strlen(location) + 10 < size;
	if (fits)
		(void)snprintf(location + strlen(location), size - strlen(location), "/rrsets/");
	fits = fits && api_uri_add_segment(name, location, size) && strlen(location) + strlen(type) + 2 < size;
	if (fits)
		(void)snprintf(location + strlen(location), size - strlen(location), "/%s", type);
	else
		location[0] = '\0'; /* too long for the header */
}

static void reply_written(struct api *api, struct api_reply *reply, const struct zone_edit *edit, int64_t revision)
{
	const struct zone_edit_rrset *r = &edit->rrsets[0];
	if (r->value == NULL)
		return; /* 204 */
	if (r->must_be_new)
		say_location(reply, edit);
	reply_rrset(api, reply, r->before == 0 ? 201 : 200, r->key_text, r->text, strlen(r->text), revision);
}

/* Write one RRset of the zone in the path; `body` NULL: delete it. */
static void write_rrset(struct api *api, struct api_request *request, struct api_reply *reply, const json_t *body,
			bool is_create)
{
	struct change_result *result = arena_alloc(request->arena, sizeof *result);
	struct zone_edit *edit = arena_alloc(request->arena, sizeof *edit);
	struct zone_edit_rrset *rrset = arena_alloc(request->arena, sizeof *rrset);
	if (result == NULL || edit == NULL || rrset == NULL) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	*rrset = (struct zone_edit_rrset){.owner = is_create ? NULL : request->params[1],
					  .type = is_create ? NULL : request->params[2],
					  .value = body,
					  .must_be_new = is_create};
	enum veer_err err = api_change(api, request, zone_edit_wish(edit, request->params[0], rrset, 1), result);
	if (err == VEER_OK)
		reply_written(api, reply, edit, result->revision);
	else if (result->problem == CHANGE_MISSING && edit->ref.revision == 0) /* the zone's name may have any length */
		api_problem(reply, 404, "not-found", "there is no zone \"%s\"", request->params[0]);
	else if (result->problem == CHANGE_MISSING)
		no_such_rrset(reply, request);
	else
		api_problem_change(reply, err, result);
	zone_edit_deinit(edit);
}

static void write_body(struct api *api, struct api_request *request, struct api_reply *reply, bool is_create)
{
	json_t *body = NULL;
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	write_rrset(api, request, reply, body, is_create);
	json_decref(body);
}

void handle_rrset_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	write_body(ctx, request, reply, false);
}

void handle_rrset_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	write_body(ctx, request, reply, true);
}

void handle_rrset_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	write_rrset(ctx, request, reply, NULL, false);
}
