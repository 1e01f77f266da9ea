/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites, checks, pools and policies: create, read, list, replace, delete. Each write is validated by the model's
 * reader, and so are its references: nothing may name what is not there, and nothing may be deleted that something else
 * names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "api/mask.h"
#include "api/overrides.h"
#include "api/policy_warnings.h"
#include "zones/dns/rrtext.h"

/* One reference that was not found, or one object that is in the way of a deletion. */
struct reference {
	struct api *api;
	struct veer_diag *diag;
	const char *name; /* deletion: who is looked for */
	json_t *versions; /* the prefixes "ZONE/VERSION/" of visible RRsets */
	enum veer_err err;
};

static enum veer_err must_exist(struct api *api, enum model_kind kind, const char *name, const char *pointer,
				struct veer_diag *diag)
{
	if (api_revision_of(api, kind, name) != 0)
		return VEER_OK;
	return veer_fail(diag, VEER_EINVAL, "%s: there is no %s \"%s\"", pointer, model_kind_text(kind), name);
}

static bool pool_must_exist(void *ctx, const char *pool)
{
	struct reference *r = ctx;
	r->err = must_exist(r->api, MODEL_KIND_POOL, pool, "/tree", r->diag);
	return r->err == VEER_OK;
}

static enum veer_err validate_pool(struct api *api, const json_t *object, struct arena *arena, struct veer_diag *diag)
{
	struct model_pool pool;
	char pointer[48];
	enum veer_err err = model_pool_parse(object, arena, &pool, diag);
	for (uint32_t i = 0; err == VEER_OK && i < pool.check_count; i++) {
		(void)snprintf(pointer, sizeof pointer, "/checks/%u", i);
		err = must_exist(api, MODEL_KIND_CHECK, pool.checks[i], pointer, diag);
	}
	for (uint32_t i = 0; err == VEER_OK && i < pool.endpoint_count; i++) {
		(void)snprintf(pointer, sizeof pointer, "/endpoints/%u/site", i);
		err = must_exist(api, MODEL_KIND_SITE, pool.endpoints[i].site, pointer, diag);
	}
	return err == VEER_OK ? api_validate_pool_checks(api, &pool, diag) : err;
}

static enum veer_err validate_policy(struct api *api, const json_t *object, struct arena *arena, struct veer_diag *diag)
{
	struct model_policy policy;
	struct reference r = {.api = api, .diag = diag};
	enum veer_err err = model_policy_parse_new(object, arena, &policy, diag);
	if (err != VEER_OK)
		return err;
	model_node_pools(policy.tree, pool_must_exist, &r);
	if (r.err == VEER_OK && policy.fallback_pool != NULL)
		r.err = must_exist(api, MODEL_KIND_POOL, policy.fallback_pool, "/when_all_down/pool", diag);
	return r.err;
}

/* Of what is written now nothing is lost (rrtext_parse()), as a comment would be. */
static enum veer_err validate_answers(const struct model_check *check, struct veer_diag *diag)
{
	static const uint8_t root[1] = {0};
	struct veer_diag detail = {""};
	enum veer_err err = VEER_OK;
	for (uint32_t i = 0; check->kind == MODEL_CHECK_DNS && i < check->dns.answer_count && err == VEER_OK; i++) {
		uint8_t *rdata = NULL;
		size_t len;
		err = rrtext_parse(check->dns.type, check->dns.answer_texts[i], root, &rdata, &len, &detail);
		free(rdata);
	}
	return err == VEER_OK ? VEER_OK : veer_fail(diag, err, "/expect_answers: %s", detail.text);
}

/* Read and check an object of `kind`, as sent. The error's diag names the place. */
static enum veer_err validate(struct api *api, enum model_kind kind, const json_t *object, struct arena *arena,
			      struct veer_diag *diag)
{
	struct model_site site;
	struct model_check check;
	if (kind == MODEL_KIND_SITE)
		return model_site_parse(object, arena, &site, diag);
	if (kind == MODEL_KIND_CHECK) {
		enum veer_err err = model_check_parse(object, arena, &check, diag);
		if (err == VEER_OK)
			err = validate_answers(&check, diag);
		return err == VEER_OK ? api_validate_parts(api, &check, diag) : err;
	}
	if (kind == MODEL_KIND_POOL)
		return validate_pool(api, object, arena, diag);
	return validate_policy(api, object, arena, diag);
}

static bool find_in_check(void *ctx, const struct directory_entry *entry)
{
	struct reference *r = ctx;
	size_t i;
	json_t *element;
	json_array_foreach(json_object_get(entry->object, "of"), i, element)
	{
		if (json_is_string(element) && strcmp(json_string_value(element), r->name) == 0)
			r->err = veer_fail(r->diag, VEER_EBUSY, "the check \"%s\" is calculated of the check \"%s\"",
					   entry->key, r->name);
	}
	return r->err == VEER_OK;
}

static bool find_in_pool(void *ctx, const struct directory_entry *entry)
{
	struct reference *r = ctx;
	size_t i;
	json_t *element;
	json_array_foreach(json_object_get(entry->object, "checks"), i,
			   element) if (json_is_string(element) && strcmp(json_string_value(element), r->name) == 0)
		r->err = veer_fail(r->diag, VEER_EBUSY, "the pool \"%s\" uses the check \"%s\"", entry->key, r->name);
	return r->err == VEER_OK;
}

static bool find_site_in_pool(void *ctx, const struct directory_entry *entry)
{
	struct reference *r = ctx;
	size_t i;
	json_t *element;
	json_array_foreach(json_object_get(entry->object, "endpoints"), i, element)
	{
		const char *site = json_string_value(json_object_get(element, "site"));
		if (site != NULL && strcmp(site, r->name) == 0)
			r->err = veer_fail(r->diag, VEER_EBUSY, "the pool \"%s\" has endpoints at the site \"%s\"",
					   entry->key, r->name);
	}
	return r->err == VEER_OK;
}

static bool is_not_this_pool(void *ctx, const char *pool)
{
	return strcmp(((struct reference *)ctx)->name, pool) != 0 ||
	       (((struct reference *)ctx)->err = VEER_EBUSY) == VEER_OK;
}

static bool find_pool_in_policy(void *ctx, const struct directory_entry *entry)
{
	struct reference *r = ctx;
	struct model_policy policy;
	struct arena *arena = arena_new(4 << 20);
	enum veer_err err = arena != NULL ? model_policy_parse(entry->object, arena, &policy, NULL) : VEER_ENOMEM;
	if (err == VEER_OK) {
		model_node_pools(policy.tree, is_not_this_pool, r);
		if (policy.fallback_pool != NULL)
			(void)is_not_this_pool(r, policy.fallback_pool);
	}
	if (err == VEER_ENOMEM)
		r->err = err;
	else if (r->err != VEER_OK)
		(void)veer_fail(r->diag, r->err, "the policy \"%s\" uses the pool \"%s\"", entry->key, r->name);
	arena_free(&arena);
	return r->err == VEER_OK;
}

static bool add_version(void *ctx, const struct directory_entry *entry)
{
	struct reference *r = ctx;
	json_int_t version = json_integer_value(json_object_get(entry->object, "version"));
	if (json_object_set_new(r->versions, entry->key, json_integer(version)) != 0)
		r->err = VEER_ENOMEM;
	return r->err == VEER_OK;
}

/* RRsets that an import is writing, or that are being removed, bind nothing. */
static bool is_visible(const struct reference *r, const char *key)
{
	char start[STORE_KEY_MAX + 1], *slash;
	(void)snprintf(start, sizeof start, "%s", key);
	slash = strchr(start, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return strtoll(slash + 1, NULL, 10) == json_integer_value(json_object_get(r->versions, start));
}

/* The RRset in the way, by its name and type: zone and version in its key are ours. */
static enum veer_err fail_bound(const struct reference *r, const char *key_text)
{
	struct rrset_key key;
	char name[NAME_TEXT_SIZE] = "", type[RRSET_TYPE_TEXT_SIZE] = "";
	if (rrset_key_parse(key_text, strlen(key_text), &key, NULL) == VEER_OK) {
		(void)name_print(key.owner, name, sizeof name);
		rrtype_print(key.type, type);
	}
	return veer_fail(r->diag, VEER_EBUSY, "the RRset %.300s %s is bound to the policy \"%s\"", name, type, r->name);
}

static bool find_policy_in_rrset(void *ctx, const struct store_object *object)
{
	struct reference *r = ctx;
	json_t *rrset = NULL;
	if (strncmp(object->value, "{\"policy\"", 9) != 0 || !is_visible(r, object->key) ||
	    veer_json_parse(object->value, object->value_len, STORE_VALUE_MAX, &rrset, NULL) != VEER_OK)
		return true;
	const char *policy = json_string_value(json_object_get(rrset, "policy"));
	if (policy != NULL && strcmp(policy, r->name) == 0)
		r->err = fail_bound(r, object->key);
	json_decref(rrset);
	return r->err == VEER_OK;
}

static void find_bound(struct reference *r)
{
	r->versions = json_object();
	if (r->versions == NULL) {
		r->err = VEER_ENOMEM;
		return;
	}
	directory_list(r->api->directory, MODEL_KIND_ZONE, NULL, add_version, r);
	if (r->err == VEER_OK) {
		enum veer_err err =
			store_list(r->api->store, MODEL_KIND_RRSET, "", NULL, find_policy_in_rrset, r, NULL);
		r->err = r->err == VEER_OK ? err : r->err;
	}
	json_decref(r->versions);
}

/* Is anything in the way of deleting it? VEER_EBUSY, and the diag says who. */
static enum veer_err find_users(struct api *api, enum model_kind kind, const char *name, struct veer_diag *diag)
{
	struct reference r = {.api = api, .diag = diag, .name = name};
	if (kind == MODEL_KIND_SITE)
		directory_list(api->directory, MODEL_KIND_POOL, NULL, find_site_in_pool, &r);
	else if (kind == MODEL_KIND_CHECK) {
		directory_list(api->directory, MODEL_KIND_POOL, NULL, find_in_pool, &r);
		if (r.err == VEER_OK)
			directory_list(api->directory, MODEL_KIND_CHECK, NULL, find_in_check, &r);
	} else if (kind == MODEL_KIND_POOL)
		directory_list(api->directory, MODEL_KIND_POLICY, NULL, find_pool_in_policy, &r);
	else
		find_bound(&r);
	return r.err;
}

struct found {
	char *text;
	int64_t revision;
};

static bool copy_text(void *ctx, const struct directory_entry *entry)
{
	struct found *found = ctx;
	found->text = strdup(entry->text);
	found->revision = entry->revision;
	return true;
}

/* A reply that holds checks, for whoever may not see what they send. */
static void mask_reply(const struct api_request *request, struct api_reply *reply, enum model_kind kind)
{
	json_t *value = NULL, *items;
	size_t i;
	json_t *check;
	if (kind != MODEL_KIND_CHECK || reply->status != 200 || !mask_is_needed(&request->principal))
		return;
	if (veer_json_parse(reply->body, reply->body_len, reply->body_len + 1, &value, NULL) != VEER_OK) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	items = json_object_get(value, "items");
	json_array_foreach(items, i, check) mask_check(check);
	if (items == NULL)
		mask_check(value);
	api_reply_json(reply, 200, value);
}

void handle_object_get(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	enum model_kind kind = (enum model_kind)request->arg;
	struct found found = {0};
	enum veer_err err = directory_get(api->directory, kind, request->params[0], copy_text, &found);
	if (err == VEER_ENOTFOUND)
		api_problem_missing(reply, kind, request->params[0]);
	else if (err != VEER_OK || found.text == NULL)
		api_problem_err(reply, err != VEER_OK ? err : VEER_ENOMEM);
	else
		api_reply_object(reply, 200, found.text, strlen(found.text), found.revision);
	free(found.text);
	mask_reply(request, reply, kind);
}

static void refuse_loss(struct api_request *request, struct api_reply *reply, const struct safety_loss *loss,
			const char *force)
{
	const char *text = safety_text(loss, request->arena);
	api_problem(reply, 409, "would-empty", "%s; to do it all the same, say ?force=%s", text != NULL ? text : "",
		    force);
}

/*
 * The safety rule, where it is a pool or a site that changes. `*guard` is the condition under which it is kept; false:
 * the reply is made. A policy may be as it likes, but whoever judged a drain without knowing of it must judge again.
 */
static bool is_safe(struct api *api, struct api_request *request, struct api_reply *reply, enum model_kind kind,
		    const json_t *object, struct store_op *guard)
{
	struct model_pool pool;
	struct safety_loss loss;
	const char *force = api_query(request, "force");
	const char *name = json_string_value(json_object_get(object, "name"));
	const char *state = json_string_value(json_object_get(object, "state"));
	enum veer_err err;
	if (kind == MODEL_KIND_POOL) {
		err = model_pool_parse(object, request->arena, &pool, NULL);
		if (err == VEER_OK)
			err = overrides_judge_pool(api->directory, &pool, force, request->arena, guard, &loss);
	} else {
		bool takes_nothing = kind != MODEL_KIND_SITE || state == NULL || strcmp(state, "out") != 0;
		bool is_forced = takes_nothing || (force != NULL && strcmp(force, name) == 0);
		err = overrides_judge_site(api->directory, name, is_forced, request->arena, guard, &loss);
	}
	if (err == VEER_EBUSY)
		refuse_loss(request, reply, &loss, kind == MODEL_KIND_POOL ? loss.pool : name);
	else if (err != VEER_OK)
		api_problem_err(reply, VEER_ENOMEM);
	return err == VEER_OK;
}

/* Whether a site is in the answers is an administrator's word, like an override. */
static void log_site(struct api *api, const struct api_request *request, enum model_kind kind, const json_t *object)
{
	const char *state = json_string_value(json_object_get(object, "state"));
	if (kind == MODEL_KIND_SITE)
		log_notice(api->log, "site", LOG_STR("name", json_string_value(json_object_get(object, "name"))),
			   LOG_STR("state", state != NULL ? state : "in"),
			   LOG_STR("by", api_principal_name(api, request)));
}

/* The object as it is stored now, with what is to be said of it. */
static void reply_committed(struct api *api, struct api_request *request, struct api_reply *reply, enum model_kind kind,
			    const json_t *object, const char *text, int status, int64_t revision)
{
	struct model_policy policy;
	api_reply_object(reply, status, text, strlen(text), revision);
	if (kind != MODEL_KIND_POLICY || reply->body == NULL ||
	    model_policy_parse(object, request->arena, &policy, NULL) != VEER_OK)
		return;
	json_t *shown = NULL, *warnings = policy_warnings(api, &policy);
	if (json_array_size(warnings) > 0 &&
	    veer_json_parse(reply->body, reply->body_len, STORE_VALUE_MAX, &shown, NULL) == VEER_OK) {
		(void)json_object_set(shown, "warnings", warnings);
		api_reply_json(reply, status, shown);
	}
	json_decref(warnings);
}

/* Commit the validated object; write_gate is held. */
static void commit_object(struct api *api, struct api_request *request, struct api_reply *reply, enum model_kind kind,
			  const json_t *object, bool is_create)
{
	const char *name = json_string_value(json_object_get(object, "name"));
	int64_t current = api_revision_of(api, kind, name), expect, revision;
	if (is_create && current != 0) {
		api_problem(reply, 409, "exists", "there is a %s \"%s\" already", model_kind_text(kind), name);
		return;
	}
	if (!api_precondition(request, reply, current, &expect))
		return;
	char *text = veer_json_dump(object);
	if (text == NULL) {
		api_problem_err(reply, VEER_ENOMEM);
		return;
	}
	struct store_op ops[2] = {{STORE_PUT, kind, name, text, strlen(text), expect, 0}};
	size_t count = 1;
	if (kind != MODEL_KIND_CHECK && !is_safe(api, request, reply, kind, object, &ops[count++])) {
		free(text);
		return;
	}
	if (api_commit(api, reply, ops, count, &revision)) {
		(void)snprintf(reply->location, sizeof reply->location, "%s%s%s", request->path, is_create ? "/" : "",
			       is_create ? name : "");
		reply_committed(api, request, reply, kind, object, text, current == 0 ? 201 : 200, revision);
		log_site(api, request, kind, object);
	}
	free(text);
}

/* What a token that is limited to some objects may write: its checks, and pools of its endpoints, and nothing that more
 * hang on. */
static bool may_write(struct api *api, const struct api_request *request, struct api_reply *reply, enum model_kind kind,
		      const char *name)
{
	const char *as_endpoints = arena_printf(request->arena, "%s/", name);
	if (as_endpoints == NULL) {
		api_problem_err(reply, VEER_ENOMEM);
		return false;
	}
	if (kind == MODEL_KIND_CHECK)
		return api_may_change(api, request, reply, API_LIMIT_CHECKS, name);
	if (kind == MODEL_KIND_POOL)
		return api_may_change(api, request, reply, API_LIMIT_ENDPOINTS, as_endpoints);
	return api_may_change_all(api, request, reply);
}

/* PUT (the name is in the path) and POST (it is in the body). */
static void write_object(struct api *api, struct api_request *request, struct api_reply *reply, enum model_kind kind,
			 bool is_create)
{
	json_t *object = NULL;
	struct veer_diag diag = {""};
	if (api_body_json(request, reply, &object) != VEER_OK)
		return;
	const char *name = json_string_value(json_object_get(object, "name"));
	if (!is_create && json_is_object(object) && name == NULL)
		(void)json_object_set_new(object, "name", json_string(request->params[0]));
	if (json_is_object(object)) {
		(void)json_object_del(object, "revision"); /* as it was read: not part of the object */
		if (kind == MODEL_KIND_POLICY)
			(void)json_object_del(object, "warnings"); /* the same, as a write was replied to */
	}
	write_gate_enter(&api->write_gate, false);
	if (!is_create && name != NULL && strcmp(name, request->params[0]) != 0)
		api_problem(reply, 422, "invalid", "/name: is \"%s\", but the path says \"%s\": names do not change",
			    name, request->params[0]);
	else if ((kind == MODEL_KIND_CHECK && mask_refuse(object, &diag) != VEER_OK) ||
		 validate(api, kind, object, request->arena, &diag) != VEER_OK)
		api_problem_invalid(reply, &diag);
	else if (may_write(api, request, reply, kind, json_string_value(json_object_get(object, "name"))))
		commit_object(api, request, reply, kind, object, is_create);
	write_gate_leave(&api->write_gate);
	json_decref(object);
}

void handle_object_delete(void *ctx, struct api_request *request, struct api_reply *reply)
{
	struct api *api = ctx;
	enum model_kind kind = (enum model_kind)request->arg;
	struct veer_diag diag = {""};
	enum veer_err err;
	int64_t expect, revision;
	const char *name = request->params[0];
	write_gate_enter(&api->write_gate, false);
	int64_t current = api_revision_of(api, kind, name);
	if (current == 0) {
		api_problem_missing(reply, kind, name);
	} else if (!may_write(api, request, reply, kind, name) || !api_precondition(request, reply, current, &expect)) {
		/* the reply is made */
	} else if ((err = find_users(api, kind, name, &diag)) == VEER_EBUSY) {
		api_problem(reply, 409, "in-use", "%s: change that first", diag.text);
	} else if (err != VEER_OK) {
		api_problem_err(reply, err);
	} else {
		struct store_op op = {.op = STORE_DEL, .kind = kind, .key = name, .expect = expect};
		(void)api_commit(api, reply, &op, 1, &revision);
	}
	write_gate_leave(&api->write_gate);
}

void handle_objects_list(void *ctx, struct api_request *request, struct api_reply *reply)
{
	api_list_directory(ctx, request, reply, (enum model_kind)request->arg, NULL);
	mask_reply(request, reply, (enum model_kind)request->arg);
}

void handle_object_create(void *ctx, struct api_request *request, struct api_reply *reply)
{
	write_object(ctx, request, reply, (enum model_kind)request->arg, true);
}

void handle_object_put(void *ctx, struct api_request *request, struct api_reply *reply)
{
	write_object(ctx, request, reply, (enum model_kind)request->arg, false);
}
