/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/check_parts.h"
#include "api/control/overrides.h"
#include "zones/dns/rrtext.h"

/* --- is it sound? ------------------------------------------------------------------------------------------------- */

/* One reference to what is not there. */
struct reference {
	struct control *control;
	struct veer_diag *diag;
	enum veer_err err;
};

static enum veer_err must_exist(struct control *control, enum model_kind kind, const char *name, const char *pointer,
				struct veer_diag *diag)
{
	if (directory_revision_of(control->directory, kind, name) != 0)
		return VEER_OK;
	return veer_fail(diag, VEER_EINVAL, "%s: there is no %s \"%s\"", pointer, model_kind_text(kind), name);
}

static bool pool_must_exist(void *ctx, const char *pool)
{
	struct reference *r = ctx;
	r->err = must_exist(r->control, MODEL_KIND_POOL, pool, "/tree", r->diag);
	return r->err == VEER_OK;
}

static enum veer_err validate_pool(struct control *control, const json_t *object, struct arena *arena,
				   struct veer_diag *diag)
{
	struct model_pool pool;
	char pointer[48];
	enum veer_err err = model_pool_parse(object, arena, &pool, diag);
	for (uint32_t i = 0; err == VEER_OK && i < pool.check_count; i++) {
		(void)snprintf(pointer, sizeof pointer, "/checks/%u", i);
		err = must_exist(control, MODEL_KIND_CHECK, pool.checks[i], pointer, diag);
	}
	for (uint32_t i = 0; err == VEER_OK && i < pool.endpoint_count; i++) {
		(void)snprintf(pointer, sizeof pointer, "/endpoints/%u/site", i);
		err = must_exist(control, MODEL_KIND_SITE, pool.endpoints[i].site, pointer, diag);
	}
	return err == VEER_OK ? check_parts_judge_pool(control->directory, &pool, diag) : err;
}

static enum veer_err validate_policy(struct control *control, const json_t *object, struct arena *arena,
				     struct veer_diag *diag)
{
	struct model_policy policy;
	struct reference r = {.control = control, .diag = diag};
	enum veer_err err = model_policy_parse_new(object, arena, &policy, diag);
	if (err != VEER_OK)
		return err;
	model_node_pools(policy.tree, pool_must_exist, &r);
	if (r.err == VEER_OK && policy.fallback_pool != NULL)
		r.err = must_exist(control, MODEL_KIND_POOL, policy.fallback_pool, "/when_all_down/pool", diag);
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
static enum veer_err validate(struct control *control, enum model_kind kind, const json_t *object, struct arena *arena,
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
		return err == VEER_OK ? check_parts_judge(control->directory, &check, diag) : err;
	}
	if (kind == MODEL_KIND_POOL)
		return validate_pool(control, object, arena, diag);
	return validate_policy(control, object, arena, diag);
}

/* --- putting ------------------------------------------------------------------------------------------------------ */

/*
 * The safety rule, where it is a pool or a site that changes. `*guard` is the condition under which it is kept. A
 * policy may be as it likes, but whoever judged a drain without knowing of it must judge again.
 */
static enum veer_err judge_safety(struct change_draft *draft, const struct object_wish *w, struct store_op *guard)
{
	struct model_pool pool;
	struct directory *directory = draft->control->directory;
	const char *state = json_string_value(json_object_get(w->object, "state"));
	enum veer_err err;
	if (w->kind == MODEL_KIND_POOL) {
		err = model_pool_parse(w->object, draft->arena, &pool, NULL);
		if (err == VEER_OK)
			err = overrides_judge_pool(directory, &pool, w->force, draft->arena, guard,
						   &draft->result->loss);
	} else {
		bool takes_nothing = w->kind != MODEL_KIND_SITE || state == NULL || strcmp(state, "out") != 0;
		bool is_forced = takes_nothing || (w->force != NULL && strcmp(w->force, w->name) == 0);
		err = overrides_judge_site(directory, w->name, is_forced, draft->arena, guard, &draft->result->loss);
	}
	if (err != VEER_EBUSY)
		return err == VEER_OK ? err : VEER_ENOMEM;
	const char *text = safety_text(&draft->result->loss, draft->arena);
	return change_refuse(draft, err, CHANGE_WOULD_EMPTY, "%s", text != NULL ? text : "");
}

/* What a token that is limited to some objects may write: its checks, and pools of its endpoints, and nothing that more
 * hang on. */
static enum veer_err may_write(struct change_draft *draft, enum model_kind kind, const char *name)
{
	const char *as_endpoints = arena_printf(draft->arena, "%s/", name);
	if (as_endpoints == NULL)
		return VEER_ENOMEM;
	if (kind == MODEL_KIND_CHECK)
		return change_may_change(draft, TOKEN_LIMIT_CHECKS, name);
	if (kind == MODEL_KIND_POOL)
		return change_may_change(draft, TOKEN_LIMIT_ENDPOINTS, as_endpoints);
	return change_may_change_all(draft);
}

/* --- what it may name --------------------------------------------------------------------------------------------- */

/* Does an object as it is stored name `name` in the list `field`? */
struct naming {
	const char *field;
	const char *name;
	bool is_there;
};

static bool look_for_name(void *ctx, const struct directory_entry *entry)
{
	struct naming *n = ctx;
	size_t i;
	json_t *element;
	json_array_foreach(json_object_get(entry->object, n->field), i, element)
	{
		n->is_there =
			n->is_there || (json_is_string(element) && strcmp(json_string_value(element), n->name) == 0);
	}
	return true;
}

/*
 * May the token have the object name these checks? Who points an endpoint at an address of its own and names a check
 * receives what the check sends, secrets included: a token names only checks that it may change, and those that the
 * object names already. (Policies and maintenance windows name pools; who writes them is not limited to some.)
 */
static enum veer_err may_name(struct change_draft *draft, const struct object_wish *w)
{
	struct naming n = {.field = w->kind == MODEL_KIND_POOL ? "checks" : "of"};
	enum veer_err err = VEER_OK;
	if (w->kind != MODEL_KIND_POOL && w->kind != MODEL_KIND_CHECK)
		return VEER_OK;
	const json_t *names = json_object_get(w->object, n.field);
	for (size_t i = 0; err == VEER_OK && i < json_array_size(names); i++) {
		n.name = json_string_value(json_array_get(names, i));
		n.is_there = n.name == NULL;
		if (n.name != NULL)
			(void)directory_get(draft->control->directory, w->kind, w->name, look_for_name, &n);
		if (!n.is_there)
			err = change_may_change(draft, TOKEN_LIMIT_CHECKS, n.name);
	}
	return err;
}

static enum veer_err judge(struct change_draft *draft, struct object_wish *w)
{
	enum veer_err err = validate(draft->control, w->kind, w->object, draft->arena, &draft->result->diag);
	if (err != VEER_OK) {
		draft->result->problem = CHANGE_INVALID;
		return err;
	}
	w->name = json_string_value(json_object_get(w->object, "name"));
	return may_write(draft, w->kind, w->name);
}

/* A site as it is to be. */
struct state_change {
	json_t *object;
	bool is; /* becomes true if it differs from the stored one in its state at most */
};

static bool only_state_differs(void *ctx, const struct directory_entry *entry)
{
	struct state_change *c = ctx;
	json_t *was = json_copy((json_t *)(uintptr_t)entry->object), *will_be = json_copy(c->object);
	(void)json_object_del(was, "state");
	(void)json_object_del(will_be, "state");
	c->is = was != NULL && will_be != NULL && json_equal(was, will_be) != 0;
	json_decref(was);
	json_decref(will_be);
	return true;
}

/*
 * That a site is taken out, or in again, is an administrator's word in an emergency, like an override: it is written
 * also when the disk is nearly full. What else is said of a site can wait.
 */
static void judge_haste(struct change_draft *draft, const struct object_wish *w)
{
	struct state_change c = {.object = (json_t *)(uintptr_t)w->object};
	if (w->kind == MODEL_KIND_SITE)
		(void)directory_get(draft->control->directory, w->kind, w->name, only_state_differs, &c);
	if (c.is)
		draft->haste = CHANGE_URGENT;
}

static enum veer_err plan_put(void *wish, struct change_draft *draft)
{
	struct object_wish *w = wish;
	int64_t expect = 0;
	enum veer_err err = judge(draft, w);
	if (err != VEER_OK)
		return err;
	/* read before the names: if the object changes in between, the commit fails */
	int64_t current = directory_revision_of(draft->control->directory, w->kind, w->name);
	err = may_name(draft, w);
	if (err != VEER_OK)
		return err;
	if (w->must_be_new && current != 0)
		return change_refuse(draft, VEER_EEXISTS, CHANGE_IS_THERE, "there is a %s \"%s\" already",
				     model_kind_text(w->kind), w->name);
	err = change_meets(draft, current, &expect);
	if (err == VEER_OK)
		err = change_add_json(draft, w->kind, w->name, json_incref((json_t *)(uintptr_t)w->object), expect);
	if (err != VEER_OK)
		return err;
	w->text = draft->ops[draft->count - 1].value;
	judge_haste(draft, w);
	if (w->kind == MODEL_KIND_CHECK)
		return VEER_OK;
	struct store_op guard;
	err = judge_safety(draft, w, &guard);
	return err == VEER_OK ? change_add(draft, guard) : err;
}

/* Whether a site is in the answers is an administrator's word, like an override. */
static void done_put(void *wish, const struct change_draft *draft)
{
	const struct object_wish *w = wish;
	const char *state = json_string_value(json_object_get(w->object, "state"));
	if (w->kind == MODEL_KIND_SITE)
		log_notice(draft->control->log, "site", LOG_STR("name", w->name),
			   LOG_STR("state", state != NULL ? state : "in"), LOG_STR("by", draft->principal->name));
}

/* --- deleting ----------------------------------------------------------------------------------------------------- */

static enum veer_err may_delete(const struct object_wish *w, struct change_draft *draft, int64_t *expect)
{
	int64_t current = directory_revision_of(draft->control->directory, w->kind, w->name);
	if (current == 0)
		return change_refuse_missing(draft, w->kind, w->name);
	enum veer_err err = may_write(draft, w->kind, w->name);
	return err == VEER_OK ? change_meets(draft, current, expect) : err;
}

static enum veer_err prepare_delete(void *wish, struct change_draft *draft)
{
	struct object_wish *w = wish;
	int64_t expect = 0;
	enum veer_err err = may_delete(w, draft, &expect);
	if (err == VEER_OK && w->kind == MODEL_KIND_POLICY)
		err = policy_users_look(draft->control, w->name, draft->arena, &w->users);
	return err;
}

static enum veer_err plan_delete(void *wish, struct change_draft *draft)
{
	struct object_wish *w = wish;
	struct veer_diag *diag = &draft->result->diag;
	int64_t expect = 0;
	enum veer_err err = may_delete(w, draft, &expect);
	if (err == VEER_OK)
		err = w->kind == MODEL_KIND_POLICY ? policy_users_judge(w->users, diag)
						   : object_find_users(draft->control, w->kind, w->name, diag);
	if (err == VEER_EBUSY)
		draft->result->problem = CHANGE_IN_USE;
	if (err != VEER_OK)
		return err;
	return change_add(draft, (struct store_op){.op = STORE_DEL, .kind = w->kind, .key = w->name, .expect = expect});
}

struct change_wish object_wish(struct object_wish *w)
{
	return (struct change_wish){.prepare = w->object != NULL ? NULL : prepare_delete,
				    .plan = w->object != NULL ? plan_put : plan_delete,
				    .done = w->object != NULL ? done_put : NULL,
				    .wish = w,
				    .gate = CHANGE_REFERS,
				    .tries = CHANGE_TRIES,
				    .reads_directory = true};
}
