/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/objects.h"

#include <string.h>

#include "api/control/object_kind.h"
#include "api/control/overrides.h"

/* --- putting ------------------------------------------------------------------------------------------------------ */

static enum veer_err judge_pool(struct change_draft *draft, const struct object_wish *w, struct store_op *guard)
{
	struct model_pool pool;
	enum veer_err err = model_pool_parse(w->object, draft->arena, &pool, NULL);
	if (err != VEER_OK)
		return err;
	return overrides_judge_pool(draft->control->directory, &pool, w->force, draft->arena, guard,
				    &draft->result->loss);
}

static enum veer_err judge_site(struct change_draft *draft, const struct object_wish *w, struct store_op *guard)
{
	const char *state = json_string_value(json_object_get(w->object, "state"));
	bool takes_nothing = state == NULL || strcmp(state, "out") != 0;
	bool is_forced = takes_nothing || (w->force != NULL && strcmp(w->force, w->name) == 0);
	return overrides_judge_site(draft->control->directory, w->name, is_forced, draft->arena, guard,
				    &draft->result->loss);
}

static enum veer_err raise_guard(struct change_draft *draft, struct store_op *guard)
{
	struct directory *directory = draft->control->directory;
	directory_read_begin(directory);
	bool ok = overrides_raise_guard(directory, draft->arena, guard);
	directory_read_end(directory);
	return ok ? VEER_OK : VEER_ENOMEM;
}

/* Judge the put by the safety rule, and add the condition under which the answer holds. */
static enum veer_err judge_safety(struct change_draft *draft, const struct object_wish *w)
{
	struct store_op guard;
	enum veer_err err = VEER_OK;
	switch (object_kind(w->kind)->safety) {
	case OBJECT_SAFETY_NONE:
		return VEER_OK;
	case OBJECT_SAFETY_POOL:
		err = judge_pool(draft, w, &guard);
		break;
	case OBJECT_SAFETY_SITE:
		err = judge_site(draft, w, &guard);
		break;
	case OBJECT_SAFETY_GUARD:
		err = raise_guard(draft, &guard);
		break;
	}
	if (err == VEER_OK)
		return change_add(draft, guard);
	if (err != VEER_EBUSY)
		return VEER_ENOMEM;
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
	switch (object_kind(kind)->writers) {
	case OBJECT_WRITERS_OF_CHECK:
		return change_may_change(draft, TOKEN_LIMIT_CHECKS, name);
	case OBJECT_WRITERS_OF_ENDPOINTS:
		return change_may_change(draft, TOKEN_LIMIT_ENDPOINTS, as_endpoints);
	case OBJECT_WRITERS_UNLIMITED:
		break;
	}
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
 * May the token have the object name these checks? Whoever points an endpoint at an address of its own and names a
 * check receives what the check sends, secrets included: a token names only checks that it may change, and those that
 * the object names already. (Policies and maintenance windows name pools; tokens that write those are not limited to
 * some.)
 */
static enum veer_err may_name(struct change_draft *draft, const struct object_wish *w)
{
	struct naming n = {.field = object_kind(w->kind)->checks};
	enum veer_err err = VEER_OK;
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
	enum veer_err err =
		object_kind(w->kind)->validate(draft->control, w->object, draft->arena, &draft->result->diag);
	if (err != VEER_OK) {
		draft->result->problem = CHANGE_INVALID;
		return err;
	}
	w->name = json_string_value(json_object_get(w->object, "name"));
	return may_write(draft, w->kind, w->name);
}

/* An object as it is to be. */
struct urgent_change {
	json_t *object;
	const char *member;
	bool is; /* becomes true if it differs from the stored one in this member at most */
};

static bool only_member_differs(void *ctx, const struct directory_entry *entry)
{
	struct urgent_change *c = ctx;
	json_t *was = json_copy((json_t *)(uintptr_t)entry->object), *will_be = json_copy(c->object);
	(void)json_object_del(was, c->member);
	(void)json_object_del(will_be, c->member);
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
	struct urgent_change c = {.object = (json_t *)(uintptr_t)w->object, .member = object_kind(w->kind)->urgent};
	if (c.member[0] != '\0')
		(void)directory_get(draft->control->directory, w->kind, w->name, only_member_differs, &c);
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
	return judge_safety(draft, w);
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
	object_look_fn *look = object_kind(w->kind)->look;
	return err == VEER_OK && look != NULL ? look(draft->control, w->name, draft->arena, &w->users) : err;
}

static enum veer_err plan_delete(void *wish, struct change_draft *draft)
{
	struct object_wish *w = wish;
	object_find_users_fn *find_users = object_kind(w->kind)->find_users;
	int64_t expect = 0;
	enum veer_err err = may_delete(w, draft, &expect);
	if (err == VEER_OK && find_users != NULL)
		err = find_users(draft->control, w->name, w->users, &draft->result->diag);
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
