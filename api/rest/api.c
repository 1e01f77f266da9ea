/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { NAME_SIZE = 256 };

bool api_page_limit(const struct api_request *request, struct api_reply *reply, int64_t *limit)
{
	const char *text = api_query(request, "limit");
	*limit = API_PAGE_DEFAULT;
	if (text == NULL || text_to_int(text, 1, API_PAGE_MAX, limit))
		return true;
	api_problem(reply, 400, "malformed", "limit must be from 1 to %d", API_PAGE_MAX);
	return false;
}

void api_reply_object(struct api_reply *reply, int status, const char *text, size_t len, int64_t revision)
{
	json_t *object = NULL;
	if (veer_json_parse(text, len, STORE_VALUE_MAX, &object, NULL) != VEER_OK) {
		api_problem(reply, 500, "internal", "the stored object is unreadable");
		return;
	}
	(void)json_object_set_new(object, "revision", json_integer(revision));
	(void)snprintf(reply->etag, sizeof reply->etag, "r%lld", (long long)revision);
	api_reply_json(reply, status, object);
}

struct page {
	json_t *items;
	enum model_kind kind;
	int64_t limit;
	char next[STORE_KEY_MAX + 1]; /* the last key shown, when there are more */
	char last[STORE_KEY_MAX + 1];
};

void api_hide_secret(enum model_kind kind, json_t *object)
{
	const char *secret = model_kind_row(kind)->secret;
	if (secret[0] != '\0')
		(void)json_object_del(object, secret);
}

static bool add_to_page(void *ctx, const struct directory_entry *entry)
{
	struct page *page = ctx;
	if ((int64_t)json_array_size(page->items) == page->limit) {
		memcpy(page->next, page->last, sizeof page->next);
		return false;
	}
	json_t *item = json_deep_copy(entry->object);
	api_hide_secret(page->kind, item);
	(void)json_object_set_new(item, "revision", json_integer(entry->revision));
	(void)json_array_append_new(page->items, item);
	(void)snprintf(page->last, sizeof page->last, "%s", entry->key);
	return true;
}

void api_list_directory(struct api *api, const struct api_request *request, struct api_reply *reply,
			enum model_kind kind)
{
	struct page *page = arena_alloc(request->arena, sizeof *page);
	if (page == NULL) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	page->kind = kind;
	if (!api_page_limit(request, reply, &page->limit))
		return;
	page->items = json_array();
	directory_list(api->control.directory, kind, api_query(request, "after"), add_to_page, page);
	json_t *answer = json_pack("{s:o}", "items", page->items);
	if (page->next[0] != '\0')
		(void)json_object_set_new(answer, "next", json_string(page->next));
	api_reply_json(reply, 200, answer);
}

const char *api_now_text(struct api *api, struct arena *arena)
{
	char *text = arena_alloc(arena, VEER_RFC3339_SIZE);
	if (text == NULL)
		return "";
	veer_rfc3339(veer_clock_wall_ns(api->control.clock), text);
	return text;
}

struct stored {
	char *text;
	int64_t revision;
};

static bool copy_stored(void *ctx, const struct directory_entry *entry)
{
	struct stored *stored = ctx;
	stored->text = strdup(entry->text);
	stored->revision = entry->revision;
	return true;
}

void api_problem_missing(struct api_reply *reply, enum model_kind kind, const char *key)
{
	api_problem(reply, 404, "not-found", "there is no such %s: \"%.300s\"", model_kind_text(kind), key);
}

void api_reply_stored(struct api *api, struct api_reply *reply, int status, enum model_kind kind, const char *key)
{
	struct stored stored = {0};
	if (directory_get(api->control.directory, kind, key, copy_stored, &stored) != VEER_OK)
		api_problem_missing(reply, kind, key);
	else if (stored.text == NULL)
		api_problem_err(reply, VEER_ENOMEM);
	else
		api_reply_object(reply, status, stored.text, strlen(stored.text), stored.revision);
	free(stored.text);
}

static bool copy_name(void *ctx, const struct directory_entry *entry)
{
	const char *name = json_string_value(json_object_get(entry->object, "name"));
	(void)snprintf(ctx, NAME_SIZE, "%s", name != NULL ? name : entry->key);
	return true;
}

const char *api_principal_name(struct api *api, const struct api_request *request)
{
	char *name = arena_calloc(request->arena, NAME_SIZE, 1);
	if (name == NULL)
		return "";
	if (request->principal.role != API_ROLE_TOKEN)
		return "local";
	(void)snprintf(name, NAME_SIZE, "%s", request->principal.id);
	(void)directory_get(api->control.directory, MODEL_KIND_TOKEN, request->principal.id, copy_name, name);
	return name;
}
