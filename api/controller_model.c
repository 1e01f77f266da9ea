/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's reading of the model: from the directory into the engine's configuration and the agents' lines. */
#include <stdlib.h>
#include <string.h>

#include "api/controller_impl.h"

/* What one pass over the directory fills. Garbage in the store is left out and said, never fatal (L6). */
struct reader {
	struct controller *c;
	struct arena *arena;
	struct model_check *checks;
	struct model_pool *pools;
	struct model_site *sites;
	struct assign_agent *agents;
	const char **last_pools;
	size_t check_count, pool_count, site_count, agent_count, last_pool_count, last_pool_size;
	bool failed; /* memory is out */
};

static void complain(struct reader *r, const struct directory_entry *entry, const struct veer_diag *diag)
{
	log_error(r->c->config.log, "an object in the store is unusable", LOG_STR("kind", model_kind_text(entry->kind)),
		  LOG_STR("key", entry->key), LOG_STR("why", diag->text));
}

static bool read_site(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	struct veer_diag diag = {""};
	if (model_site_parse(entry->object, r->arena, &r->sites[r->site_count], &diag) == VEER_OK)
		r->site_count++;
	else
		complain(r, entry, &diag);
	return true;
}

static bool read_check(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	struct veer_diag diag = {""};
	if (model_check_parse(entry->object, r->arena, &r->checks[r->check_count], &diag) == VEER_OK)
		r->check_count++;
	else
		complain(r, entry, &diag);
	return true;
}

static bool read_pool(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	struct veer_diag diag = {""};
	if (model_pool_parse(entry->object, r->arena, &r->pools[r->pool_count], &diag) == VEER_OK)
		r->pool_count++;
	else
		complain(r, entry, &diag);
	return true;
}

static bool read_agent(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	const char *state = json_string_value(json_object_get(entry->object, "state"));
	struct assign_agent agent = {.id = arena_strdup(r->arena, entry->key),
				     .is_revoked = state == NULL || strcmp(state, "enrolled") != 0};
	if (agent.id == NULL)
		r->failed = true;
	else
		r->agents[r->agent_count++] = agent;
	return !r->failed;
}

static bool add_last_pool(void *ctx, const char *pool)
{
	struct reader *r = ctx;
	for (size_t i = 0; i < r->last_pool_count; i++)
		if (strcmp(r->last_pools[i], pool) == 0)
			return true;
	if (r->last_pool_count < r->last_pool_size)
		r->last_pools[r->last_pool_count++] = pool;
	return true;
}

static bool read_policy(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	struct model_policy policy;
	struct veer_diag diag = {""};
	if (model_policy_parse(entry->object, r->arena, &policy, &diag) != VEER_OK)
		complain(r, entry, &diag);
	else if (policy.when_all_down == MODEL_ALL_DOWN_LAST)
		model_node_pools(policy.tree, add_last_pool, r);
	return true;
}

static bool count_entry(void *ctx, const struct directory_entry *entry)
{
	(void)entry;
	++*(size_t *)ctx;
	return true;
}

/* Room for all objects of a kind; the directory's read lock is held. */
static void *room(struct reader *r, enum model_kind kind, size_t size, size_t *count)
{
	*count = 0;
	directory_list_locked(r->c->config.directory, kind, NULL, count_entry, count);
	void *memory = arena_calloc(r->arena, *count + 1, size);
	if (memory == NULL)
		r->failed = true;
	return memory;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct controller_endpoint *)a)->key, ((const struct controller_endpoint *)b)->key);
}

/* The plan's endpoints by key. NULL when memory is out. */
static const struct controller_endpoint *index_endpoints(struct arena *arena, const struct verdict_config *config)
{
	struct controller_endpoint *all = arena_calloc(arena, config->endpoint_count + 1, sizeof *all);
	for (uint32_t i = 0; all != NULL && i < config->endpoint_count; i++)
		all[i] = (struct controller_endpoint){config->endpoints[i].key, i};
	if (all != NULL && config->endpoint_count > 1)
		qsort(all, config->endpoint_count, sizeof *all, compare_keys);
	return all;
}

bool controller_find_endpoint(const struct controller *c, const char *key, uint32_t *index)
{
	const struct controller_endpoint wanted = {.key = key};
	uint32_t count = c->model.plan != NULL ? c->model.plan->config.endpoint_count : 0;
	const struct controller_endpoint *found =
		count > 0 ? bsearch(&wanted, c->model.endpoints, count, sizeof wanted, compare_keys) : NULL;
	if (found != NULL)
		*index = found->index;
	return found != NULL;
}

static int64_t read_all(struct reader *r)
{
	struct directory *d = r->c->config.directory;
	size_t ignored;
	directory_read_begin(d);
	r->sites = room(r, MODEL_KIND_SITE, sizeof *r->sites, &ignored);
	r->checks = room(r, MODEL_KIND_CHECK, sizeof *r->checks, &ignored);
	r->agents = room(r, MODEL_KIND_AGENT, sizeof *r->agents, &ignored);
	r->pools = room(r, MODEL_KIND_POOL, sizeof *r->pools, &r->last_pool_size);
	r->last_pools = r->failed ? NULL : arena_calloc(r->arena, r->last_pool_size + 1, sizeof *r->last_pools);
	if (!r->failed && r->last_pools != NULL) {
		directory_list_locked(d, MODEL_KIND_SITE, NULL, read_site, r);
		directory_list_locked(d, MODEL_KIND_CHECK, NULL, read_check, r);
		directory_list_locked(d, MODEL_KIND_POOL, NULL, read_pool, r);
		directory_list_locked(d, MODEL_KIND_AGENT, NULL, read_agent, r);
		directory_list_locked(d, MODEL_KIND_POLICY, NULL, read_policy, r);
	}
	directory_read_end(d);
	/* The hub applies whole revisions under the write lock, so what was read is not older than this. */
	return directory_revision(d);
}

static void publish_assignments(struct controller *c)
{
	const struct verdict_config *config = &c->model.plan->config;
	for (uint32_t i = 0; i < config->agent_count; i++) {
		struct arena *arena = arena_new(CONTROLLER_MODEL_BYTES);
		struct assignments list;
		char *line = NULL;
		size_t len = 0;
		if (config->agents[i].is_revoked) {
			assignment_hub_remove(c->config.assignments, config->agents[i].id);
		} else if (arena == NULL || assign_for_agent(c->model.plan, config->agents[i].id, arena, &list) != VEER_OK ||
			   assignments_write(&list, &line, &len) != VEER_OK ||
			   assignment_hub_set(c->config.assignments, config->agents[i].id, line, len) != VEER_OK) {
			log_error(c->config.log, "assignments cannot be made", LOG_STR("agent", config->agents[i].id));
		}
		arena_free(&arena);
	}
}

static bool seed_verdict(void *ctx, const struct directory_entry *entry)
{
	struct controller *c = ctx;
	struct model_verdict verdict;
	struct arena *arena = arena_new(65536);
	if (arena != NULL && model_verdict_parse(entry->object, arena, &verdict, NULL) == VEER_OK)
		(void)verdict_seed(c->engine, verdict.endpoint, verdict.state, -1, controller_now_ms(c));
	arena_free(&arena);
	return true;
}

void controller_model_deinit(struct controller_model *model)
{
	arena_free(&model->arena);
	*model = (struct controller_model){0};
}

void controller_read_model(struct controller *c)
{
	bool is_first = c->model.plan == NULL;
	struct reader r = {.c = c, .arena = arena_new(CONTROLLER_MODEL_BYTES)};
	struct assign_plan *plan = NULL;
	struct veer_diag diag = {"out of memory"};
	enum veer_err err = r.arena != NULL ? VEER_OK : VEER_ENOMEM;
	int64_t revision = err == VEER_OK ? read_all(&r) : 0;
	if (r.failed)
		err = VEER_ENOMEM;
	struct assign_input input = {.revision = revision, .checks = r.checks, .check_count = (uint32_t)r.check_count,
				     .pools = r.pools, .pool_count = (uint32_t)r.pool_count, .agents = r.agents,
				     .agent_count = (uint32_t)r.agent_count};
	const struct controller_endpoint *endpoints = NULL;
	if (err == VEER_OK)
		err = assign_plan_make(&input, r.arena, &plan, &diag);
	if (err == VEER_OK && (endpoints = index_endpoints(r.arena, &plan->config)) == NULL)
		err = VEER_ENOMEM;
	if (err == VEER_OK)
		err = verdict_configure(c->engine, &plan->config, controller_now_ms(c), &diag);
	if (err != VEER_OK) {
		log_error(c->config.log, "the model cannot be put in force, the one before stays", LOG_STR("why", diag.text));
		arena_free(&r.arena);
		return;
	}
	controller_model_deinit(&c->model);
	c->model = (struct controller_model){r.arena, plan, r.sites, r.site_count, r.pools, r.pool_count, r.last_pools,
					     r.last_pool_count, endpoints};
	atomic_store(&c->assignment_revision, revision);
	if (is_first)
		directory_list(c->config.directory, MODEL_KIND_VERDICT, NULL, seed_verdict, c);
	publish_assignments(c);
	controller_remove_orphans(c);
}
