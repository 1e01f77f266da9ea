/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RRsets: create, read, list, replace, delete, one at a time. A write reads what it depends on (its zone, the SOA, what
 * else is at the name), and commits on condition that all of it is unchanged; when it is not, it starts again. Writers
 * of a zone within this process take turns (zone_turns.h): only others can make a try fail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/uri.h"
#include "api/zone_data.h"
#include "zones/model/rrset_object.h"

enum { TRIES_MAX = 16, PAGE_BYTES_MAX = 4 << 20, PARSE_ARENA_BYTES = 4 << 20 };

/* One write on its way. */
struct rrset_write {
	struct api *api;
	struct api_request *request;
	struct api_reply *reply;
	bool is_create;     /* POST */
	const json_t *body; /* NULL: deletion */
	struct zone_ref zone;
	struct rrset_key key;
	char key_text[RRSET_KEY_SIZE];
	json_t *object; /* what is to be stored; NULL: deletion */
	char *value;    /* the same as text; owned */
	struct zone_soa soa;
	char *soa_value; /* the raised SOA as text; owned */
	char soa_key[RRSET_KEY_SIZE];
	int64_t current; /* the RRset's revision; 0: it is not there */
	int64_t expect;
	int64_t policy_revision; /* 0: not bound */
};

static void fail(struct rrset_write *w, const char *pointer, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* 422 at a place of the body. */
static void fail(struct rrset_write *w, const char *pointer, const char *fmt, ...)
{
	struct veer_diag diag;
	char what[VEER_DIAG_SIZE];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	(void)veer_fail(&diag, VEER_EINVAL, "%s: %s", pointer, what);
	api_problem_invalid(w->reply, &diag);
}

/* Owner and type as the path says, in `key`. False: there can be no such RRset. */
static bool read_path(const struct api_request *request, const struct zone_ref *zone, struct rrset_key *key)
{
	const char *name = request->params[1], *type = request->params[2];
	*key = (struct rrset_key){.zone_len = zone->name_len, .version = (uint64_t)zone->version};
	memcpy(key->zone, zone->name, zone->name_len);
	if (name_parse(name, strlen(name), zone->name, key->owner, &key->owner_len, NULL) != VEER_OK)
		return false;
	name_lower(key->owner, key->owner_len);
	return name_is_under(key->owner, zone->name) && rrtype_parse(type, strlen(type), &key->type) &&
	       !rrtype_is_meta(key->type);
}

/* --- reading -------------------------------------------------------------------------------------------------- */

/* As the API shows it. Errors: VEER_ENOMEM; any other: what is stored cannot be read, and the diag says why. */
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
		zone_note_unreadable(api, key_text, diag.text);
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
	if (!read_path(request, &zone, &key)) {
		no_such_rrset(reply, request);
		return;
	}
	(void)rrset_key_print(&key, key_text);
	enum veer_err err = store_get(api->store, MODEL_KIND_RRSET, key_text, request->arena, &object);
	if (err == VEER_OK)
		reply_rrset(api, reply, 200, key_text, object.value, object.value_len, object.revision);
	else if (err == VEER_ENOTFOUND)
		no_such_rrset(reply, request);
	else
		api_problem_err(reply, err);
}

/* A page under way. */
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

/* One that cannot be read is left out and named: it does not take the others along. */
static void add_unreadable(struct rrset_page *page, const char *key, char *why)
{
	api_make_utf8(why);
	zone_note_unreadable(page->api, key, why);
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
	enum veer_err err = store_list(api->store, MODEL_KIND_RRSET, prefix, after, add_to_page, page, NULL);
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

/* --- bound RRsets ---------------------------------------------------------------------------------------------- */

/* Does a policy lead to an endpoint of the wanted kind? */
struct search {
	struct api *api;
	struct arena *arena;
	struct model_policy policy;
	enum veer_err err;
	int64_t revision;
	enum model_address_kind wanted;
	bool is_found;
};

static bool read_policy(void *ctx, const struct directory_entry *entry)
{
	struct search *s = ctx;
	s->revision = entry->revision;
	s->err = model_policy_parse(entry->object, s->arena, &s->policy, NULL);
	return true;
}

static bool look_at_pool(void *ctx, const struct directory_entry *entry)
{
	struct search *s = ctx;
	struct model_pool pool;
	struct arena *arena = arena_new(PARSE_ARENA_BYTES);
	if (arena != NULL && model_pool_parse(entry->object, arena, &pool, NULL) == VEER_OK)
		for (uint32_t i = 0; i < pool.endpoint_count; i++)
			s->is_found |= pool.endpoints[i].kind == s->wanted;
	arena_free(&arena);
	return true;
}

static bool look_into_pool(void *ctx, const char *pool)
{
	struct search *s = ctx;
	(void)directory_get(s->api->directory, MODEL_KIND_POOL, pool, look_at_pool, s);
	return !s->is_found;
}

/* The policy must be there and have something to answer with. False: the reply is made. */
static bool check_policy(struct rrset_write *w, const char *name)
{
	static const char *const words[] = {"an IPv4 address", "an IPv6 address", "a host name"};
	struct search s = {.api = w->api, .arena = w->request->arena};
	s.wanted = w->key.type == RRTYPE_A      ? MODEL_ADDRESS_IPV4
		   : w->key.type == RRTYPE_AAAA ? MODEL_ADDRESS_IPV6
						: MODEL_ADDRESS_HOST;
	if (directory_get(w->api->directory, MODEL_KIND_POLICY, name, read_policy, &s) != VEER_OK) {
		fail(w, "/policy", "there is no policy \"%s\"", name);
		return false;
	}
	if (s.err != VEER_OK) {
		api_problem_err(w->reply, s.err);
		return false;
	}
	w->policy_revision = s.revision;
	model_node_pools(s.policy.tree, look_into_pool, &s);
	if (!s.is_found && s.policy.fallback_pool != NULL)
		(void)look_into_pool(&s, s.policy.fallback_pool);
	if (!s.is_found)
		fail(w, "/policy", "no pool of the policy \"%s\" has an endpoint with %s", name, words[s.wanted]);
	return s.is_found;
}

/* --- what else is in the zone ------------------------------------------------------------------------------------ */

/* Looks for an RRset that excludes the one being written. */
struct neighbours {
	const struct rrset_key *key;
	uint16_t excluding;  /* type of one that excludes it; 0: none */
	bool has_descendant; /* for a DNAME: something is below it */
};

static bool look_at_neighbour(void *ctx, const struct store_object *object)
{
	struct neighbours *n = ctx;
	uint16_t type;
	const char *slash = strrchr(object->key, '/');
	if (slash == NULL || !rrtype_parse(slash + 1, strlen(slash + 1), &type) || type == n->key->type)
		return true;
	if (!rrtype_may_coexist(n->key->type, type))
		n->excluding = type;
	return n->excluding == 0;
}

static bool look_for_descendant(void *ctx, const struct store_object *object)
{
	struct neighbours *n = ctx;
	struct rrset_key key;
	if (rrset_key_parse(object->key, strlen(object->key), &key, NULL) == VEER_OK)
		n->has_descendant = key.owner_len > n->key->owner_len && name_is_under(key.owner, n->key->owner);
	return !n->has_descendant;
}

/* RFC 1034 3.6.2: a CNAME stands alone. False: the reply is made. */
static bool check_name(struct rrset_write *w)
{
	struct neighbours n = {.key = &w->key};
	char prefix[RRSET_KEY_SIZE], type[RRSET_TYPE_TEXT_SIZE];
	(void)snprintf(prefix, sizeof prefix, "%s", w->key_text);
	char *slash = strrchr(prefix, '/');
	if (slash != NULL)
		slash[1] = '\0';
	enum veer_err err = store_list(w->api->store, MODEL_KIND_RRSET, prefix, NULL, look_at_neighbour, &n, NULL);
	if (err != VEER_OK) {
		api_problem_err(w->reply, err);
		return false;
	}
	if (n.excluding == 0)
		return true;
	rrtype_print(n.excluding, type);
	if (w->key.type == RRTYPE_CNAME)
		fail(w, "/type", "a CNAME must be alone at its name, and there is an RRset of type %s", type);
	else
		fail(w, "/type", "there is a CNAME at this name, which must be alone");
	return false;
}

/* RFC 6672 2.4: nothing below a DNAME. False: the reply is made. */
static bool check_dname(struct rrset_write *w)
{
	struct neighbours n = {.key = &w->key};
	struct store_object found;
	char prefix[RRSET_KEY_SIZE];
	enum veer_err err = VEER_OK;
	if (w->key.type == RRTYPE_DNAME) {
		(void)zone_prefix(&w->zone, prefix);
		err = store_list(w->api->store, MODEL_KIND_RRSET, prefix, NULL, look_for_descendant, &n, NULL);
		if (err == VEER_OK && n.has_descendant)
			fail(w, "/type", "there are names below this one, where a DNAME stands nothing may be");
	}
	unsigned above = name_label_count(w->key.owner) - name_label_count(w->zone.name);
	for (unsigned i = 1; i <= above && err == VEER_OK && !n.has_descendant; i++) {
		zone_rrset_key(&w->zone, name_skip(w->key.owner, i), RRTYPE_DNAME, prefix);
		err = store_get(w->api->store, MODEL_KIND_RRSET, prefix, w->request->arena, &found);
		n.has_descendant = err == VEER_OK;
		if (n.has_descendant)
			fail(w, "/name", "is below a DNAME, where nothing may be");
		err = err == VEER_ENOTFOUND ? VEER_OK : err;
	}
	if (err != VEER_OK)
		api_problem_err(w->reply, err);
	return err == VEER_OK && !n.has_descendant;
}

static bool check_place(struct rrset_write *w)
{
	bool is_apex = name_equal(w->key.owner, w->zone.name);
	if (w->key.type == RRTYPE_SOA && !is_apex)
		fail(w, "/name", "an SOA stands at the zone's own name only");
	else if (w->key.type == RRTYPE_CNAME && is_apex)
		fail(w, "/type", "no CNAME can stand at the zone's own name; bind A and AAAA to a policy instead");
	else
		return check_name(w) && check_dname(w);
	return false;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* The body as the stored object and its key. */
static bool read_body(struct rrset_write *w)
{
	struct veer_diag diag = {""};
	struct rrset_key from_path;
	json_t *body = json_copy((json_t *)(uintptr_t)w->body);
	if (json_is_object(body)) {
		(void)json_object_del(body, "revision"); /* as it was read: not part of the object */
		if (!w->is_create && json_object_get(body, "name") == NULL)
			(void)json_object_set_new(body, "name", json_string(w->request->params[1]));
		if (!w->is_create && json_object_get(body, "type") == NULL)
			(void)json_object_set_new(body, "type", json_string(w->request->params[2]));
	}
	enum veer_err err = rrset_from_api(body, w->zone.name, (uint64_t)w->zone.version, &w->key, &w->object, &diag);
	json_decref(body);
	if (err == VEER_ENOMEM) {
		api_problem_err(w->reply, err);
		return false;
	}
	if (err != VEER_OK) {
		api_problem_invalid(w->reply, &diag);
		return false;
	}
	if (w->is_create)
		return true;
	if (!read_path(w->request, &w->zone, &from_path) || !name_equal(from_path.owner, w->key.owner)) {
		fail(w, "/name", "differs from the path's, \"%s\"", w->request->params[1]);
		return false;
	}
	if (from_path.type != w->key.type) {
		fail(w, "/type", "differs from the path's, \"%s\"", w->request->params[2]);
		return false;
	}
	return true;
}

/* What is there now, and whether the request's conditions hold. */
static bool read_current(struct rrset_write *w, struct store_object *current)
{
	(void)rrset_key_print(&w->key, w->key_text);
	enum veer_err err = store_get(w->api->store, MODEL_KIND_RRSET, w->key_text, w->request->arena, current);
	w->current = err == VEER_OK ? current->revision : 0;
	if (err == VEER_OK || err == VEER_ENOTFOUND)
		err = zone_soa_get(w->api, &w->zone, w->request->arena, &w->soa);
	if (err == VEER_ECORRUPT && w->key.type == RRTYPE_SOA && w->object != NULL) {
		w->soa.serial = 0; /* the SOA is being replaced by a good one */
		err = VEER_OK;
	}
	if (err == VEER_ECORRUPT) {
		api_problem(w->reply, 500, "unreadable",
			    "the zone's SOA record cannot be read: replace it first, with PUT .../rrsets/@/SOA");
		return false;
	}
	if (err != VEER_OK) {
		api_problem_err(w->reply, err);
		return false;
	}
	zone_rrset_key(&w->zone, w->zone.name, RRTYPE_SOA, w->soa_key);
	if (w->is_create && w->current != 0) {
		api_problem(w->reply, 409, "exists", "there is such an RRset already: change it with PUT");
		return false;
	}
	return api_precondition(w->request, w->reply, w->current, &w->expect);
}

/* The new SOA: the one stored, or the one being written, with a higher serial. */
static enum veer_err raise_serial(struct rrset_write *w)
{
	const char *base = w->soa.value;
	size_t base_len = w->soa.value_len;
	uint32_t wanted = w->soa.serial;
	enum veer_err err = VEER_OK;
	if (w->key.type == RRTYPE_SOA) {
		base = w->value;
		base_len = strlen(w->value);
		err = zone_soa_serial(&w->zone, base, base_len, &wanted);
	}
	if (err == VEER_OK)
		err = zone_soa_set(&w->zone, base, base_len, zone_serial_next(w->soa.serial, wanted), &w->soa_value);
	return err;
}

/* All of it in one transaction. VEER_ECONFLICT: something that was read has changed. */
static enum veer_err commit(struct rrset_write *w, int64_t *revision)
{
	struct store_op ops[4];
	size_t count = 0;
	enum veer_err err = raise_serial(w);
	if (err != VEER_OK)
		return err;
	ops[count++] = (struct store_op){
		.op = STORE_CHECK, .kind = MODEL_KIND_ZONE, .key = w->zone.text, .expect = w->zone.revision};
	ops[count++] = (struct store_op){
		STORE_PUT, MODEL_KIND_RRSET, w->soa_key, w->soa_value, strlen(w->soa_value), w->soa.revision, 0};
	if (w->policy_revision != 0)
		ops[count++] = (struct store_op){.op = STORE_CHECK,
						 .kind = MODEL_KIND_POLICY,
						 .key = json_string_value(json_object_get(w->object, "policy")),
						 .expect = w->policy_revision};
	if (w->object == NULL)
		ops[count++] = (struct store_op){
			.op = STORE_DEL, .kind = MODEL_KIND_RRSET, .key = w->key_text, .expect = w->expect};
	else if (w->key.type != RRTYPE_SOA)
		ops[count++] = (struct store_op){
			STORE_PUT, MODEL_KIND_RRSET, w->key_text, w->value, strlen(w->value), w->expect, 0};
	/* what makes room is not refused for want of it */
	return store_commit(w->api->store, ops, count, w->object == NULL ? STORE_URGENT : STORE_NORMAL, revision, NULL);
}

static void reply_written(struct rrset_write *w, int64_t revision)
{
	const char *value = w->key.type == RRTYPE_SOA && w->soa_value != NULL ? w->soa_value : w->value;
	if (w->object == NULL)
		return; /* 204 */
	if (w->is_create) {
		char name[NAME_TEXT_SIZE], type[RRSET_TYPE_TEXT_SIZE];
		char *location = w->reply->location;
		size_t size = sizeof w->reply->location;
		(void)name_print(w->key.owner, name, sizeof name);
		rrtype_print(w->key.type, type);
		(void)snprintf(location, size, "/v1/zones/");
		bool fits = api_uri_add_segment(w->zone.text, location, size) && strlen(location) + 10 < size;
		if (fits)
			(void)snprintf(location + strlen(location), size - strlen(location), "/rrsets/");
		fits = fits && api_uri_add_segment(name, location, size) && strlen(location) + strlen(type) + 2 < size;
		if (fits)
			(void)snprintf(location + strlen(location), size - strlen(location), "/%s", type);
		else
			location[0] = '\0'; /* too long to be said */
	}
	reply_rrset(w->api, w->reply, w->current == 0 ? 201 : 200, w->key_text, value, strlen(value), revision);
}

/* One try. True: the reply is made; false: what was read has changed meanwhile, try again. */
static bool try_write(struct rrset_write *w)
{
	struct store_object current = {.revision = 0};
	int64_t revision;
	if (!zone_need(w->api, w->request, w->reply, &w->zone) || !read_body(w) || !read_current(w, &current) ||
	    !check_place(w))
		return true;
	const char *policy = json_string_value(json_object_get(w->object, "policy"));
	if (policy != NULL && !check_policy(w, policy))
		return true;
	w->value = veer_json_dump(w->object);
	if (w->value == NULL) {
		api_problem_err(w->reply, VEER_ENOMEM);
		return true;
	}
	if (w->current != 0 && strcmp(current.value, w->value) == 0) { /* nothing changes, the serial neither */
		reply_written(w, w->current);
		return true;
	}
	enum veer_err err = commit(w, &revision);
	if (err == VEER_ECONFLICT)
		return false;
	if (err != VEER_OK)
		api_problem_err(w->reply, err);
	else
		reply_written(w, revision);
	return true;
}

static bool try_delete(struct rrset_write *w)
{
	struct store_object current = {.revision = 0};
	int64_t revision;
	if (!zone_need(w->api, w->request, w->reply, &w->zone))
		return true;
	if (!read_path(w->request, &w->zone, &w->key)) {
		no_such_rrset(w->reply, w->request);
		return true;
	}
	if (!read_current(w, &current))
		return true;
	bool is_apex = name_equal(w->key.owner, w->zone.name);
	if (w->current == 0) {
		no_such_rrset(w->reply, w->request);
	} else if (is_apex && (w->key.type == RRTYPE_SOA || w->key.type == RRTYPE_NS)) {
		api_problem(w->reply, 409, "required",
			    "a zone keeps its SOA and its NS: replace them with PUT, or delete the zone");
	} else {
		enum veer_err err = commit(w, &revision);
		if (err == VEER_ECONFLICT)
			return false;
		if (err != VEER_OK)
			api_problem_err(w->reply, err);
	}
	return true;
}

static void forget_try(struct rrset_write *w)
{
	json_decref(w->object);
	free(w->value);
	free(w->soa_value);
	w->object = NULL;
	w->value = NULL;
	w->soa_value = NULL;
	w->policy_revision = 0;
}

static void run_write(struct api *api, struct api_request *request, struct api_reply *reply, const json_t *body,
		      bool is_create)
{
	struct rrset_write *w = arena_alloc(request->arena, sizeof *w);
	if (w == NULL) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	*w = (struct rrset_write){.api = api, .request = request, .reply = reply, .is_create = is_create, .body = body};
	struct zone_ref named;
	bool is_named = zone_name_parse(request->params[0], &named, NULL) == VEER_OK; /* else no try gets far */
	pthread_mutex_t *turn = zone_turn_take(&api->zone_turns, is_named ? named.text : "");
	/* Who binds keeps others from deleting the policy between looking and committing. */
	bool is_binding = json_object_get(body, "policy") != NULL;
	bool is_done = false;
	if (is_binding)
		write_gate_enter(&api->write_gate, false);
	for (unsigned i = 0; i < TRIES_MAX && !is_done; i++) {
		is_done = body != NULL ? try_write(w) : try_delete(w);
		forget_try(w);
	}
	if (is_binding)
		write_gate_leave(&api->write_gate);
	zone_turn_give(turn);
	if (!is_done)
		api_problem_err(reply, VEER_ECONFLICT);
}

static void write_rrset(struct api *api, struct api_request *request, struct api_reply *reply, bool is_create)
{
	json_t *body = NULL;
	if (api_body_json(request, reply, &body) != VEER_OK)
		return;
	run_write(api, request, reply, body, is_create);
	json_decref(body);
}

void handle_rrset_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	write_rrset(ctx, request, reply, false);
}

void handle_rrset_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	write_rrset(ctx, request, reply, true);
}

void handle_rrset_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	run_write(ctx, request, reply, NULL, false);
}
