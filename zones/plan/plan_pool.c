/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's pools: what is known of each endpoint, and which policies mention the pool. */
#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_impl.h"
#include "zones/plan/plan_override.h"

#define OBJECT_BYTES_MAX ((size_t)4 << 20) /* of one parsed object */

enum veer_err build_mark_pool(struct plan_builder *b, struct build_pool *pool)
{
	if (pool->is_dirty)
		return VEER_OK;
	enum veer_err err = ptr_list_add(&b->dirty_pools, pool);
	pool->is_dirty = err == VEER_OK;
	return err;
}

enum veer_err build_mark_all_pools(struct plan_builder *b)
{
	size_t at = 0;
	enum veer_err err = VEER_OK;
	for (struct build_pool *pool; err == VEER_OK && (pool = strmap_next(&b->pools, &at)) != NULL;)
		err = build_mark_pool(b, pool);
	return err;
}

enum veer_err build_mark_pool_of(struct plan_builder *b, const char *key, size_t len)
{
	struct build_pool *pool = strmap_get(&b->pools, key, len);
	return pool != NULL ? build_mark_pool(b, pool) : VEER_OK;
}

struct build_pool *build_need_pool(struct plan_builder *b, const char *name)
{
	struct build_pool *pool = strmap_get(&b->pools, name, strlen(name));
	if (pool != NULL)
		return pool;
	pool = calloc(1, sizeof *pool);
	if (pool == NULL)
		return NULL;
	memcpy(pool->name, name, strlen(name) + 1);
	if (strmap_put(&b->pools, name, strlen(name), pool) == VEER_OK)
		return pool;
	free(pool);
	return NULL;
}

static void free_pool(struct build_pool *pool)
{
	arena_free(&pool->arena);
	free(pool->flags);
	ptr_list_free(&pool->users);
	free(pool);
}

void build_drop_pool(struct plan_builder *b, struct build_pool *pool)
{
	if (pool->arena != NULL || pool->users.count > 0)
		return;
	if (pool->is_dirty)
		ptr_list_remove(&b->dirty_pools, pool);
	(void)strmap_del(&b->pools, pool->name, strlen(pool->name));
	free_pool(pool);
}

/* Remove the pool from its sites' lists of users. Each site lists a pool only once. */
static void leave_sites(struct plan_builder *b, struct build_pool *pool)
{
	for (uint32_t i = 0; i < pool->model.endpoint_count; i++) {
		const char *name = pool->model.endpoints[i].site;
		struct build_site *site = strmap_get(&b->sites, name, strlen(name));
		if (site == NULL)
			continue;
		ptr_list_remove(&site->users, pool);
		build_drop_site(b, site);
	}
}

static enum veer_err join_sites(struct plan_builder *b, struct build_pool *pool)
{
	for (uint32_t i = 0; i < pool->model.endpoint_count; i++) {
		struct build_site *site = build_need_site(b, pool->model.endpoints[i].site);
		if (site == NULL)
			return VEER_ENOMEM;
		bool known = false;
		for (uint32_t j = 0; j < i && !known; j++)
			known = strcmp(pool->model.endpoints[j].site, pool->model.endpoints[i].site) == 0;
		if (!known && ptr_list_add(&site->users, pool) != VEER_OK)
			return VEER_ENOMEM;
	}
	return VEER_OK;
}

static void clear_pool(struct plan_builder *b, struct build_pool *pool)
{
	if (pool->arena == NULL)
		return;
	leave_sites(b, pool);
	arena_free(&pool->arena);
	free(pool->flags);
	pool->flags = NULL;
	pool->model = (struct model_pool){0};
}

enum veer_err build_put_pool(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	struct model_pool parsed = {0};
	struct arena *arena = arena_new(OBJECT_BYTES_MAX);
	enum veer_err err = arena != NULL ? model_pool_parse(object, arena, &parsed, diag) : VEER_ENOMEM;
	if (err == VEER_OK && strcmp(parsed.name, key) != 0)
		err = veer_fail(diag, VEER_EINVAL, "the key is not the pool's name");
	uint8_t *flags = err == VEER_OK ? calloc(parsed.endpoint_count + 1, 1) : NULL;
	struct build_pool *pool = err == VEER_OK ? build_need_pool(b, key) : NULL;
	if (err == VEER_OK && (flags == NULL || pool == NULL))
		err = VEER_ENOMEM;
	if (err != VEER_OK) {
		free(flags);
		arena_free(&arena);
		return err;
	}
	clear_pool(b, pool);
	pool->arena = arena;
	pool->model = parsed;
	pool->flags = flags;
	pool->view = (struct policy_pool){.model = &pool->model, .flags = flags};
	err = join_sites(b, pool);
	return err == VEER_OK ? build_mark_pool(b, pool) : err;
}

enum veer_err build_del_pool(struct plan_builder *b, const char *key)
{
	struct build_pool *pool = strmap_get(&b->pools, key, strlen(key));
	if (pool == NULL)
		return VEER_OK;
	clear_pool(b, pool);
	enum veer_err err = build_mark_pool(b, pool);
	build_drop_pool(b, pool);
	return err;
}

static uint8_t endpoint_flags(struct plan_builder *b, const struct build_pool *pool, const struct model_endpoint *e,
			      const struct build_last *last)
{
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
	size_t pool_len = strlen(pool->name);
	size_t name_len = strlen(e->name);
	memcpy(key, pool->name, pool_len);
	key[pool_len] = '/';
	memcpy(key + pool_len + 1, e->name, name_len);
	size_t len = pool_len + 1 + name_len;
	const struct build_site *site = strmap_get(&b->sites, e->site, strlen(e->site));
	const struct model_standing standing = {.verdict = build_verdict(b, key, len),
						.override = build_override(b, key, len),
						.is_site_in = site == NULL || site->is_in};
	unsigned flags = model_losses(&standing);
	if (build_is_in_doubt(b, key, len))
		flags |= POLICY_ENDPOINT_DOUBT;
	if (last != NULL && build_is_in_last(last, e->name))
		flags |= POLICY_ENDPOINT_LAST;
	return (uint8_t)flags;
}

static enum veer_err refresh_pool(struct plan_builder *b, struct build_pool *pool)
{
	const struct build_last *last = strmap_get(&b->lasts, pool->name, strlen(pool->name));
	for (uint32_t i = 0; i < pool->model.endpoint_count; i++)
		pool->flags[i] = endpoint_flags(b, pool, &pool->model.endpoints[i], last);
	pool->view.has_last = last != NULL;
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < pool->users.count && err == VEER_OK; i++)
		err = build_mark_policy(b, pool->users.items[i]);
	return err;
}

enum veer_err build_refresh_pools(struct plan_builder *b)
{
	while (b->dirty_pools.count > 0) {
		struct build_pool *pool = b->dirty_pools.items[b->dirty_pools.count - 1];
		enum veer_err err = refresh_pool(b, pool);
		if (err != VEER_OK)
			return err;
		b->dirty_pools.count--;
		pool->is_dirty = false;
	}
	return VEER_OK;
}

void build_free_pool(struct plan_builder *b)
{
	size_t at = 0;
	for (struct build_pool *pool; (pool = strmap_next(&b->pools, &at)) != NULL;)
		free_pool(pool);
	strmap_free(&b->pools);
	ptr_list_free(&b->dirty_pools);
}
