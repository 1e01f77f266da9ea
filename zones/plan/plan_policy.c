/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's sites, pools, policies, verdicts and last sets, and who depends on whom:
 *
 *     site <- pool <- policy <- RRset          verdict, last, override, doubt -> pool
 *
 * A change marks what depends on it; build_compile() then makes the flags of marked pools and compiles marked policies
 * that some RRset is bound to. Objects that are mentioned before they exist are kept as placeholders.
 */
#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_impl.h"

#define OBJECT_BYTES_MAX ((size_t)4 << 20) /* of one parsed object */

/* The values of verdicts in their map: only the addresses matter. */
static const char verdict_up;
static const char verdict_down;

enum veer_err ptr_list_add(struct ptr_list *list, void *item)
{
	if (list->count == list->size) {
		size_t size = list->size == 0 ? 4 : list->size * 2;
		void **items = realloc(list->items, size * sizeof *items);
		if (items == NULL)
			return VEER_ENOMEM;
		list->items = items;
		list->size = size;
	}
	list->items[list->count++] = item;
	return VEER_OK;
}

void ptr_list_remove(struct ptr_list *list, const void *item)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == item) {
			list->items[i] = list->items[--list->count];
			return;
		}
}

void ptr_list_free(struct ptr_list *list)
{
	free(list->items);
	*list = (struct ptr_list){0};
}

static enum veer_err mark_pool(struct plan_builder *b, struct build_pool *pool)
{
	if (pool->is_dirty)
		return VEER_OK;
	enum veer_err err = ptr_list_add(&b->dirty_pools, pool);
	pool->is_dirty = err == VEER_OK;
	return err;
}

static enum veer_err mark_policy(struct plan_builder *b, struct build_policy *policy)
{
	if (policy->is_dirty || policy->bindings == 0)
		return VEER_OK;
	enum veer_err err = ptr_list_add(&b->dirty_policies, policy);
	policy->is_dirty = err == VEER_OK;
	return err;
}

/* --- placeholders: found or made, and dropped when nothing needs them ------------------------------------- */

static struct build_site *need_site(struct plan_builder *b, const char *name)
{
	struct build_site *site = strmap_get(&b->sites, name, strlen(name));
	if (site != NULL)
		return site;
	site = calloc(1, sizeof *site);
	if (site == NULL)
		return NULL;
	memcpy(site->name, name, strlen(name) + 1);
	site->is_in = true;
	if (strmap_put(&b->sites, name, strlen(name), site) == VEER_OK)
		return site;
	free(site);
	return NULL;
}

static void drop_site(struct plan_builder *b, struct build_site *site)
{
	if (site->exists || site->users.count > 0)
		return;
	(void)strmap_del(&b->sites, site->name, strlen(site->name));
	ptr_list_free(&site->users);
	free(site);
}

static struct build_pool *need_pool(struct plan_builder *b, const char *name)
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

static void drop_pool(struct plan_builder *b, struct build_pool *pool)
{
	if (pool->arena != NULL || pool->users.count > 0)
		return;
	if (pool->is_dirty)
		ptr_list_remove(&b->dirty_pools, pool);
	(void)strmap_del(&b->pools, pool->name, strlen(pool->name));
	free_pool(pool);
}

static struct build_policy *need_policy(struct plan_builder *b, const char *name)
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

static void drop_policy(struct plan_builder *b, struct build_policy *policy)
{
	if (policy->arena != NULL || policy->bindings > 0)
		return;
	if (policy->is_dirty)
		ptr_list_remove(&b->dirty_policies, policy);
	(void)strmap_del(&b->policies, policy->name, strlen(policy->name));
	free_policy(policy);
}

/* --- sites ------------------------------------------------------------------------------------------------ */

static enum veer_err mark_site_users(struct plan_builder *b, struct build_site *site)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < site->users.count && err == VEER_OK; i++)
		err = mark_pool(b, site->users.items[i]);
	return err;
}

enum veer_err build_put_site(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	struct model_site parsed;
	struct arena *arena = arena_new(OBJECT_BYTES_MAX);
	enum veer_err err = arena != NULL ? model_site_parse(object, arena, &parsed, diag) : VEER_ENOMEM;
	if (err == VEER_OK && strcmp(parsed.name, key) != 0)
		err = veer_fail(diag, VEER_EINVAL, "the key is not the site's name");
	struct build_site *site = err == VEER_OK ? need_site(b, key) : NULL;
	if (err == VEER_OK && site == NULL)
		err = VEER_ENOMEM;
	if (err == VEER_OK) {
		site->exists = true;
		site->is_in = parsed.is_in;
		err = mark_site_users(b, site);
	}
	arena_free(&arena);
	return err;
}

static enum veer_err del_site(struct plan_builder *b, const char *key)
{
	struct build_site *site = strmap_get(&b->sites, key, strlen(key));
	if (site == NULL)
		return VEER_OK;
	site->exists = false;
	site->is_in = true;
	enum veer_err err = mark_site_users(b, site);
	drop_site(b, site);
	return err;
}

/* --- pools ------------------------------------------------------------------------------------------------ */

/* Take the pool off its sites' lists of users. A site occurs there once a pool. */
static void leave_sites(struct plan_builder *b, struct build_pool *pool)
{
	for (uint32_t i = 0; i < pool->model.endpoint_count; i++) {
		const char *name = pool->model.endpoints[i].site;
		struct build_site *site = strmap_get(&b->sites, name, strlen(name));
		if (site == NULL)
			continue;
		ptr_list_remove(&site->users, pool);
		drop_site(b, site);
	}
}

static enum veer_err join_sites(struct plan_builder *b, struct build_pool *pool)
{
	for (uint32_t i = 0; i < pool->model.endpoint_count; i++) {
		struct build_site *site = need_site(b, pool->model.endpoints[i].site);
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
	struct build_pool *pool = err == VEER_OK ? need_pool(b, key) : NULL;
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
	return err == VEER_OK ? mark_pool(b, pool) : err;
}

static enum veer_err del_pool(struct plan_builder *b, const char *key)
{
	struct build_pool *pool = strmap_get(&b->pools, key, strlen(key));
	if (pool == NULL)
		return VEER_OK;
	clear_pool(b, pool);
	enum veer_err err = mark_pool(b, pool);
	drop_pool(b, pool);
	return err;
}

/* --- verdicts and last sets ------------------------------------------------------------------------------- */

enum veer_err build_mark_all_pools(struct plan_builder *b)
{
	size_t at = 0;
	enum veer_err err = VEER_OK;
	for (struct build_pool *pool; err == VEER_OK && (pool = strmap_next(&b->pools, &at)) != NULL;)
		err = mark_pool(b, pool);
	return err;
}

enum veer_err build_mark_pool_of(struct plan_builder *b, const char *key, size_t len)
{
	struct build_pool *pool = strmap_get(&b->pools, key, len);
	return pool != NULL ? mark_pool(b, pool) : VEER_OK;
}

enum veer_err build_put_verdict(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	struct model_verdict parsed;
	struct arena *arena = arena_new(OBJECT_BYTES_MAX);
	enum veer_err err = arena != NULL ? model_verdict_parse(object, arena, &parsed, diag) : VEER_ENOMEM;
	if (err == VEER_OK && strcmp(parsed.endpoint, key) != 0)
		err = veer_fail(diag, VEER_EINVAL, "the key is not the verdict's endpoint");
	const char *mark = err == VEER_OK && parsed.state == MODEL_STATE_DOWN ? &verdict_down : &verdict_up;
	arena_free(&arena);
	if (err == VEER_OK && strmap_get(&b->verdicts, key, strlen(key)) == mark)
		return VEER_OK; /* only what is for people has changed */
	if (err == VEER_OK)
		err = strmap_put(&b->verdicts, key, strlen(key), (void *)(uintptr_t)mark);
	return err == VEER_OK ? build_mark_pool_of(b, key, strcspn(key, "/")) : err;
}

static enum veer_err parse_last(const char *key, const json_t *object, struct build_last **out, struct veer_diag *diag)
{
	const char *pool = json_string_value(json_object_get(object, "pool"));
	const json_t *names = json_object_get(object, "endpoints");
	size_t count = json_array_size(names);
	if (pool == NULL || strcmp(pool, key) != 0 || !json_is_array(names) || count > MODEL_ENDPOINTS_MAX)
		return veer_fail(diag, VEER_EINVAL, "a last set needs \"pool\", which is its key, and \"endpoints\"");
	struct build_last *last = calloc(1, sizeof *last + count * sizeof last->names[0]);
	if (last == NULL)
		return VEER_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		if (name == NULL || !model_is_name(name)) {
			free(last);
			return veer_fail(diag, VEER_EINVAL, "/endpoints/%zu: must be the name of an endpoint", i);
		}
		memcpy(last->names[last->count++], name, strlen(name) + 1);
	}
	*out = last;
	return VEER_OK;
}

enum veer_err build_put_last(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	struct build_last *last = NULL;
	enum veer_err err = parse_last(key, object, &last, diag);
	if (err != VEER_OK)
		return err;
	struct build_last *old = strmap_get(&b->lasts, key, strlen(key));
	err = strmap_put(&b->lasts, key, strlen(key), last);
	free(err == VEER_OK ? old : last);
	return err == VEER_OK ? build_mark_pool_of(b, key, strlen(key)) : err;
}

static bool is_in_last(const struct build_last *last, const char *name)
{
	for (unsigned i = 0; i < last->count; i++)
		if (strcmp(last->names[i], name) == 0)
			return true;
	return false;
}

static uint8_t endpoint_flags(struct plan_builder *b, const struct build_pool *pool, const struct model_endpoint *e,
			      const struct build_last *last)
{
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
	size_t pool_len = strlen(pool->name);
	size_t name_len_ = strlen(e->name);
	unsigned flags = 0;
	memcpy(key, pool->name, pool_len);
	key[pool_len] = '/';
	memcpy(key + pool_len + 1, e->name, name_len_);
	if (strmap_get(&b->verdicts, key, pool_len + 1 + name_len_) == &verdict_down)
		flags |= POLICY_ENDPOINT_DOWN;
	flags = build_overridden(b, key, pool_len + 1 + name_len_, flags);
	const struct build_site *site = strmap_get(&b->sites, e->site, strlen(e->site));
	if (site != NULL && !site->is_in)
		flags |= POLICY_ENDPOINT_OUT;
	if (last != NULL && is_in_last(last, e->name))
		flags |= POLICY_ENDPOINT_LAST;
	return (uint8_t)flags;
}

/* --- policies --------------------------------------------------------------------------------------------- */

/* What model_node_pools() collects: the pools of one policy, each once. */
struct mention {
	struct plan_builder *b;
	struct build_policy *policy;
	bool failed;
};

static bool mention_pool(void *ctx, const char *name)
{
	struct mention *m = ctx;
	struct build_pool *pool = need_pool(m->b, name);
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
		drop_pool(b, pool);
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
	struct build_policy *policy = err == VEER_OK ? need_policy(b, key) : NULL;
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
	return m.failed ? VEER_ENOMEM : mark_policy(b, policy);
}

static enum veer_err del_policy(struct plan_builder *b, const char *key)
{
	struct build_policy *policy = strmap_get(&b->policies, key, strlen(key));
	if (policy == NULL)
		return VEER_OK;
	clear_policy(b, policy);
	enum veer_err err = mark_policy(b, policy);
	drop_policy(b, policy);
	return err;
}

enum veer_err build_del_object(struct plan_builder *b, enum model_kind kind, const char *key)
{
	switch (kind) {
	case MODEL_KIND_SITE:
		return del_site(b, key);
	case MODEL_KIND_POOL:
		return del_pool(b, key);
	case MODEL_KIND_POLICY:
		return del_policy(b, key);
	case MODEL_KIND_VERDICT:
		(void)strmap_del(&b->verdicts, key, strlen(key));
		return build_mark_pool_of(b, key, strcspn(key, "/"));
	case MODEL_KIND_LAST:
		free(strmap_del(&b->lasts, key, strlen(key)));
		return build_mark_pool_of(b, key, strlen(key));
	case MODEL_KIND_OVERRIDE:
		return build_del_override(b, key);
	case MODEL_KIND_NONE:
	case MODEL_KIND_ZONE:
	case MODEL_KIND_RRSET:
	case MODEL_KIND_CHECK:
	case MODEL_KIND_AGENT:
	case MODEL_KIND_NAMESERVER:
	case MODEL_KIND_ENROLMENT:
	case MODEL_KIND_TOKEN:
	case MODEL_KIND_META:
	case MODEL_KIND_MAINTENANCE:
	case MODEL_KIND_SETTINGS:
	case MODEL_KIND_TRANSITION:
	case MODEL_KIND_COUNT:
		break;
	}
	return VEER_OK;
}

/* --- the policy table ------------------------------------------------------------------------------------- */

/* A changeable page for `slot`: made, or copied from the one that plans may have. */
static struct plan_policy_page *own_page(struct plan_builder *b, uint32_t slot)
{
	uint32_t at = slot / PLAN_PAGE_SLOTS;
	if (at < b->page_count && b->page_txn[at] == b->txn.id)
		return b->pages[at];
	struct plan_policy_page *page = calloc(1, sizeof *page);
	if (page == NULL || retire_reserve(&b->retired, 1) != VEER_OK) {
		free(page);
		return NULL;
	}
	if (at >= b->page_count) {
		struct plan_policy_page **pages = realloc(b->pages, (at + 1) * sizeof *pages);
		b->pages = pages != NULL ? pages : b->pages;
		uint64_t *txns = realloc(b->page_txn, (at + 1) * sizeof *txns);
		b->page_txn = txns != NULL ? txns : b->page_txn;
		if (pages == NULL || txns == NULL) {
			free(page);
			return NULL;
		}
		b->page_count = at + 1;
	} else {
		*page = *b->pages[at];
		retire_add(&b->retired, b->pages[at], NULL);
	}
	b->pages[at] = page;
	b->page_txn[at] = b->txn.id;
	return page;
}

static enum veer_err set_program(struct plan_builder *b, uint32_t slot, enum plan_bound bound,
				 struct policy_program *program)
{
	struct plan_policy_page *page = own_page(b, slot);
	if (page == NULL || retire_reserve(&b->retired, 1) != VEER_OK)
		return VEER_ENOMEM;
	const struct policy_program **at = &page->programs[slot % PLAN_PAGE_SLOTS][bound];
	retire_add(&b->retired, (void *)(uintptr_t)*at, NULL);
	*at = program;
	return VEER_OK;
}

static enum veer_err new_slot(struct plan_builder *b, uint32_t *slot)
{
	if (b->free_slot_count > 0) {
		*slot = b->free_slots[--b->free_slot_count];
		return VEER_OK;
	}
	if (b->slot_count >= b->slot_size) {
		/* room to give back every slot there is, so that giving back cannot fail */
		size_t size = b->slot_size == 0 ? 64 : b->slot_size * 2;
		uint32_t *slots = realloc(b->free_slots, size * sizeof *slots);
		b->free_slots = slots != NULL ? slots : b->free_slots;
		struct build_policy **bound = realloc(b->bound, size * sizeof *bound);
		b->bound = bound != NULL ? bound : b->bound;
		if (slots == NULL || bound == NULL)
			return VEER_ENOMEM;
		b->slot_size = size;
	}
	*slot = b->slot_count;
	if (own_page(b, *slot) == NULL)
		return VEER_ENOMEM;
	b->slot_count++;
	return VEER_OK;
}

enum veer_err build_bind(struct plan_builder *b, const char *name, uint32_t *slot)
{
	struct build_policy *policy = need_policy(b, name);
	if (policy == NULL)
		return VEER_ENOMEM;
	if (policy->bindings == 0) {
		enum veer_err err = new_slot(b, &policy->slot);
		if (err != VEER_OK) {
			drop_policy(b, policy);
			return err;
		}
		policy->bindings = 1;
		b->bound[policy->slot] = policy;
		err = mark_policy(b, policy);
		if (err != VEER_OK) {
			build_unbind(b, policy->slot);
			return err;
		}
	} else {
		policy->bindings++;
	}
	*slot = policy->slot;
	return VEER_OK;
}

void build_unbind(struct plan_builder *b, uint32_t slot)
{
	struct build_policy *policy = b->bound[slot];
	if (--policy->bindings > 0)
		return;
	if (policy->is_dirty) {
		ptr_list_remove(&b->dirty_policies, policy);
		policy->is_dirty = false;
	}
	/* without memory the programs stay until the slot is used again */
	for (int bound = 0; bound < PLAN_BOUND_COUNT; bound++)
		(void)set_program(b, slot, (enum plan_bound)bound, NULL);
	b->free_slots[b->free_slot_count++] = slot;
	drop_policy(b, policy);
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
		/* a policy whose answers exceed the limits is as if it were missing: SERVFAIL */
		if (err == VEER_OK || err == VEER_ERANGE)
			err = set_program(b, policy->slot, (enum plan_bound)bound, program);
		if (err != VEER_OK) {
			free(program);
			return err;
		}
	}
	return VEER_OK;
}

static enum veer_err refresh_pool(struct plan_builder *b, struct build_pool *pool)
{
	const struct build_last *last = strmap_get(&b->lasts, pool->name, strlen(pool->name));
	for (uint32_t i = 0; i < pool->model.endpoint_count; i++)
		pool->flags[i] = endpoint_flags(b, pool, &pool->model.endpoints[i], last);
	pool->view.has_last = last != NULL;
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < pool->users.count && err == VEER_OK; i++)
		err = mark_policy(b, pool->users.items[i]);
	return err;
}

enum veer_err build_compile(struct plan_builder *b)
{
	while (b->dirty_pools.count > 0) {
		struct build_pool *pool = b->dirty_pools.items[b->dirty_pools.count - 1];
		enum veer_err err = refresh_pool(b, pool);
		if (err != VEER_OK)
			return err;
		b->dirty_pools.count--;
		pool->is_dirty = false;
	}
	while (b->dirty_policies.count > 0) {
		struct build_policy *policy = b->dirty_policies.items[b->dirty_policies.count - 1];
		enum veer_err err = compile_policy(b, policy);
		if (err != VEER_OK)
			return err;
		b->dirty_policies.count--;
		policy->is_dirty = false;
	}
	return VEER_OK;
}

void build_free_policies(struct plan_builder *b)
{
	size_t at = 0;
	struct build_site *site;
	while ((site = strmap_next(&b->sites, &at)) != NULL) {
		ptr_list_free(&site->users);
		free(site);
	}
	struct build_pool *pool;
	for (at = 0; (pool = strmap_next(&b->pools, &at)) != NULL;)
		free_pool(pool);
	struct build_policy *policy;
	for (at = 0; (policy = strmap_next(&b->policies, &at)) != NULL;)
		free_policy(policy);
	struct build_last *last;
	for (at = 0; (last = strmap_next(&b->lasts, &at)) != NULL;)
		free(last);
	for (uint32_t i = 0; i < b->page_count; i++) {
		for (unsigned slot = 0; slot < PLAN_PAGE_SLOTS; slot++)
			for (unsigned bound = 0; bound < PLAN_BOUND_COUNT; bound++)
				free((void *)(uintptr_t)b->pages[i]->programs[slot][bound]);
		free(b->pages[i]);
	}
	free(b->pages);
	free(b->page_txn);
	free(b->free_slots);
	free(b->bound);
	strmap_free(&b->sites);
	strmap_free(&b->pools);
	strmap_free(&b->policies);
	strmap_free(&b->verdicts);
	strmap_free(&b->lasts);
	ptr_list_free(&b->dirty_pools);
	ptr_list_free(&b->dirty_policies);
}
