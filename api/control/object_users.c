/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/object_users.h"

#include <string.h>

/* The object that is in the way of a deletion. */
struct reference {
	struct veer_diag *diag;
	const char *name; /* who is looked for */
	enum veer_err err;
};

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

enum veer_err object_find_site(struct control *control, const char *name, struct policy_users *seen,
			       struct veer_diag *diag)
{
	struct reference r = {.diag = diag, .name = name};
	(void)seen;
	directory_list(control->directory, MODEL_KIND_POOL, NULL, find_site_in_pool, &r);
	return r.err;
}

enum veer_err object_find_check(struct control *control, const char *name, struct policy_users *seen,
				struct veer_diag *diag)
{
	struct reference r = {.diag = diag, .name = name};
	(void)seen;
	directory_list(control->directory, MODEL_KIND_POOL, NULL, find_in_pool, &r);
	if (r.err == VEER_OK)
		directory_list(control->directory, MODEL_KIND_CHECK, NULL, find_in_check, &r);
	return r.err;
}

enum veer_err object_find_pool(struct control *control, const char *name, struct policy_users *seen,
			       struct veer_diag *diag)
{
	struct reference r = {.diag = diag, .name = name};
	(void)seen;
	directory_list(control->directory, MODEL_KIND_POLICY, NULL, find_pool_in_policy, &r);
	return r.err;
}

enum veer_err object_find_policy(struct control *control, const char *name, struct policy_users *seen,
				 struct veer_diag *diag)
{
	(void)control;
	(void)name;
	return policy_users_judge(seen, diag);
}
