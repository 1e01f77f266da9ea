/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's policies, and what depends on what:
 *
 *     site <- pool <- policy <- RRset          verdict, last, override, doubt -> pool
 *
 * A change marks everything that depends on it; build_compile() then recomputes the flags of marked pools and compiles
 * the marked policies that RRsets are bound to. Objects that are mentioned before they exist are kept as placeholders.
 */
#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_impl.h"

#define OBJECT_BYTES_MAX ((size_t)4 << 20) /* of one parsed object */

enum veer_err build_mark_policy(struct plan_builder *b, struct build_policy *policy)
{
	if (policy->is_dirty || policy->bindings == 0)
		return VEER_OK;
	enum veer_err err = ptr_list_add(&b->dirty_policies, policy);
	policy->is_dirty = err == VEER_OK;
	return err;
}

struct build_policy *build_need_policy(struct plan_builder *b, const char *name)
{
	struct build_policy *policy = strmap_get(&b->policies, name, strlen(name));
	if (policy != NULL)
		return policy;
	policy = calloc(1, sizeof *policy);
	if (policy == NULL)
		return NULL;
	memcpy(policy->name, name, strlen(name) + 1);
	if (strmap_put(&b->policies, name, strlen(name), policy) == VEER_OK)
		return policy;
	free(policy);
	return NULL;
}

static void free_policy(struct build_policy *policy)
{
	arena_free(&policy->arena);
	ptr_list_free(&policy->pools);
	free(policy);
}

void build_drop_policy(struct plan_builder *b, struct build_policy *policy)
{
	if (policy->arena != NULL || policy->bindings > 0)
		return;
	if (policy->is_dirty)
		ptr_list_remove(&b->dirty_policies, policy);
	(void)strmap_del(&b->policies, policy->name, strlen(policy->name));
	free_policy(policy);
}

/* What model_node_pools() collects: the pools of one policy, each of them once. */
struct mention {
	struct plan_builder *b;
	struct build_policy *policy;
	bool failed;
};

static bool mention_pool(void *ctx, const char *name)
{
	struct mention *m = ctx;
	struct build_pool *pool = build_need_pool(m->b, name);
	for (size_t i = 0; pool != NULL && i < m->policy->pools.count; i++)
		if (m->policy->pools.items[i] == pool)
			return true;
	m->failed = pool == NULL || ptr_list_add(&pool->users, m->policy) != VEER_OK;
	if (!m->failed && ptr_list_add(&m->policy->pools, pool) != VEER_OK) {
		ptr_list_remove(&pool->users, m->policy);
		m->failed = true;
	}
	return !m->failed;
}

static void clear_policy(struct plan_builder *b, struct build_policy *policy)
{
	for (size_t i = 0; i < policy->pools.count; i++) {
		struct build_pool *pool = policy->pools.items[i];
		ptr_list_remove(&pool->users, policy);
		build_drop_pool(b, pool);
	}
	policy->pools.count = 0;
	b->located -= policy->is_located;
	policy->is_located = false;
	arena_free(&policy->arena);
}

enum veer_err build_put_policy(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	struct model_policy parsed = {0};
	struct arena *arena = arena_new(OBJECT_BYTES_MAX);
	enum veer_err err = arena != NULL ? model_policy_parse(object, arena, &parsed, diag) : VEER_ENOMEM;
	if (err == VEER_OK && strcmp(parsed.name, key) != 0)
		err = veer_fail(diag, VEER_EINVAL, "the key is not the policy's name");
	struct build_policy *policy = err == VEER_OK ? build_need_policy(b, key) : NULL;
	if (err == VEER_OK && policy == NULL)
		err = VEER_ENOMEM;
	if (err != VEER_OK) {
		arena_free(&arena);
		return err;
	}
	clear_policy(b, policy);
	policy->arena = arena;
	policy->model = parsed;
	policy->is_located = model_node_uses_location(parsed.tree);
	b->located += policy->is_located;
	struct mention m = {.b = b, .policy = policy};
	model_node_pools(parsed.tree, mention_pool, &m);
	if (!m.failed && parsed.when_all_down == MODEL_ALL_DOWN_POOL)
		(void)mention_pool(&m, parsed.fallback_pool);
	return m.failed ? VEER_ENOMEM : build_mark_policy(b, policy);
}

enum veer_err build_del_policy(struct plan_builder *b, const char *key)
{
	struct build_policy *policy = strmap_get(&b->policies, key, strlen(key));
	if (policy == NULL)
		return VEER_OK;
	clear_policy(b, policy);
	enum veer_err err = build_mark_policy(b, policy);
	build_drop_policy(b, policy);
	return err;
}

static const struct policy_pool *pool_for_compiler(void *ctx, const char *name)
{
	struct plan_builder *b = ctx;
	const struct build_pool *pool = strmap_get(&b->pools, name, strlen(name));
	return pool != NULL && pool->arena != NULL ? &pool->view : NULL;
}

static enum veer_err compile_policy(struct plan_builder *b, const struct build_policy *policy)
{
	static const uint16_t types[PLAN_BOUND_COUNT] = {RRTYPE_A, RRTYPE_AAAA, RRTYPE_CNAME};
	b->compiled++;
	for (int bound = 0; bound < PLAN_BOUND_COUNT; bound++) {
		struct policy_program *program = NULL;
		enum veer_err err = VEER_OK;
		if (policy->arena != NULL)
			err = policy_compile(b->compiler, &policy->model, types[bound], pool_for_compiler, b, &program);
		/* a policy whose answers exceed the limits is treated as missing: the answer is SERVFAIL */
		if (err == VEER_OK || err == VEER_ERANGE)
			err = build_set_program(b, policy->slot, (enum plan_bound)bound, program);
		if (err != VEER_OK) {
			free(program);
			return err;
		}
	}
	return VEER_OK;
}

enum veer_err build_compile(struct plan_builder *b)
{
	enum veer_err err = build_refresh_pools(b);
	if (err != VEER_OK)
		return err;
	while (b->dirty_policies.count > 0) {
		struct build_policy *policy = b->dirty_policies.items[b->dirty_policies.count - 1];
		err = compile_policy(b, policy);
		if (err != VEER_OK)
			return err;
		b->dirty_policies.count--;
		policy->is_dirty = false;
	}
	return VEER_OK;
}

void build_free_policy(struct plan_builder *b)
{
	size_t at = 0;
	for (struct build_policy *policy; (policy = strmap_next(&b->policies, &at)) != NULL;)
		free_policy(policy);
	strmap_free(&b->policies);
	ptr_list_free(&b->dirty_policies);
}
