/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the model: from the directory into the engine's configuration and the agents' lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/controller_engine.h"
#include "base/index.h"

/* What one pass over the directory fills. An unusable object in the store is left out and logged, never fatal (L6). */
struct reader {
	struct controller_engine *engine;
	struct arena *arena;
	struct model_check *checks;
	struct model_pool *pools;
	struct model_site *sites;
	struct assign_agent *agents;
	bool *keeps_last;
	size_t check_count, pool_count, site_count, agent_count;
	uint64_t fingerprint; /* of what is probed by whom, as far as it has been read */
	struct model_settings settings;
	int64_t revision; /* of the directory when it was read */
	bool failed;      /* memory is out */
};

static int compare_pool(const void *name, const void *pool)
{
	return strcmp(name, ((const struct model_pool *)pool)->name);
}

static int compare_site(const void *name, const void *site)
{
	return strcmp(name, ((const struct model_site *)site)->name);
}

size_t controller_pool_index(const struct controller_model *model, const char *name)
{
	const struct model_pool *pool =
		bsearch(name, model->pools, model->pool_count, sizeof *model->pools, compare_pool);
	return pool != NULL ? (size_t)(pool - model->pools) : SIZE_MAX;
}

size_t controller_site_index(const struct controller_model *model, const char *name)
{
	const struct model_site *site =
		bsearch(name, model->sites, model->site_count, sizeof *model->sites, compare_site);
	return site != NULL ? (size_t)(site - model->sites) : SIZE_MAX;
}

/* A revision has only one content, so key and revision identify the object. */
static void take_fingerprint(struct reader *r, const struct directory_entry *entry)
{
	char text[64];
	(void)snprintf(text, sizeof text, "%d %lld ", (int)entry->kind, (long long)entry->revision);
	r->fingerprint = index_hash(index_hash(r->fingerprint, text), entry->key);
}

static void hash_text(struct reader *r, const char *text)
{
	r->fingerprint = index_hash(index_hash(r->fingerprint, text), "\n");
}

/* Of a pool, only what is probed counts: weights and sites may change often, and are not part of any assignment. */
static void take_pool(struct reader *r, const struct model_pool *pool)
{
	hash_text(r, pool->name);
	for (uint32_t i = 0; i < pool->check_count; i++)
		hash_text(r, pool->checks[i]);
	for (uint32_t i = 0; i < pool->endpoint_count; i++) {
		hash_text(r, "");
		hash_text(r, pool->endpoints[i].name);
		hash_text(r, pool->endpoints[i].address);
	}
}

static void complain(struct reader *r, const struct directory_entry *entry, const struct veer_diag *diag)
{
	log_error(r->engine->config->log, "an object in the store is unusable",
		  LOG_STR("kind", model_kind_text(entry->kind)), LOG_STR("key", entry->key),
		  LOG_STR("why", diag->text));
}

/* An object must have the name that it is stored under: two with one name would make the whole model unusable. */
static bool is_own_name(const struct directory_entry *entry, const char *name, struct veer_diag *diag)
{
	return strcmp(entry->key, name) == 0 ||
	       veer_fail(diag, VEER_ECORRUPT, "/name: \"%s\" is not what it is stored under", name) == VEER_OK;
}

static bool read_site(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	struct veer_diag diag = {""};
	struct model_site *site = &r->sites[r->site_count];
	if (model_site_parse(entry->object, r->arena, site, &diag) == VEER_OK && is_own_name(entry, site->name, &diag))
		r->site_count++;
	else
		complain(r, entry, &diag);
	return true;
}

static bool read_check(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	struct veer_diag diag = {""};
	take_fingerprint(r, entry);
	struct model_check *check = &r->checks[r->check_count];
	if (model_check_parse(entry->object, r->arena, check, &diag) == VEER_OK &&
	    is_own_name(entry, check->name, &diag))
		r->check_count++;
	else
		complain(r, entry, &diag);
	return true;
}

static bool read_pool(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	struct veer_diag diag = {""};
	struct model_pool *pool = &r->pools[r->pool_count];
	if (model_pool_parse(entry->object, r->arena, pool, &diag) == VEER_OK &&
	    is_own_name(entry, pool->name, &diag)) {
		take_pool(r, pool);
		r->pool_count++;
	} else {
		complain(r, entry, &diag);
	}
	return true;
}

static bool read_agent(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	const char *state = json_string_value(json_object_get(entry->object, "state"));
	struct assign_agent agent = {.id = arena_strdup(r->arena, entry->key),
				     .is_revoked = state == NULL || strcmp(state, "enrolled") != 0};
	const char *region = json_string_value(json_object_get(entry->object, "region"));
	agent.region = region != NULL ? arena_strdup(r->arena, region) : "";
	take_fingerprint(r, entry);
	if (agent.id == NULL || agent.region == NULL)
		r->failed = true;
	else
		r->agents[r->agent_count++] = agent;
	return !r->failed;
}

static bool add_last_pool(void *ctx, const char *pool)
{
	struct reader *r = ctx;
	const struct controller_model pools = {.pools = r->pools, .pool_count = r->pool_count};
	size_t i = controller_pool_index(&pools, pool);
	if (i != SIZE_MAX)
		r->keeps_last[i] = true;
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

static bool read_settings(void *ctx, const struct directory_entry *entry)
{
	struct reader *r = ctx;
	struct veer_diag diag = {""};
	if (model_settings_parse(entry->object, r->arena, &r->settings, &diag) != VEER_OK)
		complain(r, entry, &diag); /* the defaults are used then */
	return true;
}

static bool count_entry(void *ctx, const struct directory_entry *entry)
{
	(void)entry;
	++*(size_t *)ctx;
	return true;
}

/* Memory for all objects of a kind; the directory's read lock is held. */
static void *room(struct reader *r, enum model_kind kind, size_t size, size_t *count)
{
	*count = 0;
	directory_list_locked(r->engine->config->directory, kind, NULL, count_entry, count);
	void *memory = arena_calloc(r->arena, *count + 1, size);
	if (memory == NULL)
		r->failed = true;
	return memory;
}

static void read_all(struct reader *r)
{
	struct directory *d = r->engine->config->directory;
	size_t ignored, pools;
	directory_read_begin(d);
	r->sites = room(r, MODEL_KIND_SITE, sizeof *r->sites, &ignored);
	r->checks = room(r, MODEL_KIND_CHECK, sizeof *r->checks, &ignored);
	r->agents = room(r, MODEL_KIND_AGENT, sizeof *r->agents, &ignored);
	r->pools = room(r, MODEL_KIND_POOL, sizeof *r->pools, &pools);
	r->keeps_last = arena_calloc(r->arena, pools + 1, sizeof *r->keeps_last);
	r->failed = r->failed || r->keeps_last == NULL;
	if (!r->failed) {
		directory_list_locked(d, MODEL_KIND_SITE, NULL, read_site, r);
		directory_list_locked(d, MODEL_KIND_CHECK, NULL, read_check, r);
		directory_list_locked(d, MODEL_KIND_POOL, NULL, read_pool, r);
		directory_list_locked(d, MODEL_KIND_AGENT, NULL, read_agent, r);
		directory_list_locked(d, MODEL_KIND_POLICY, NULL, read_policy, r);
		directory_list_locked(d, MODEL_KIND_SETTINGS, NULL, read_settings, r);
	}
	r->revision = directory_revision(d);
	directory_read_end(d);
}

static void publish_assignments(struct controller_engine *engine)
{
	const struct verdict_config *config = &engine->model.plan->config;
	for (uint32_t i = 0; i < config->agent_count; i++) {
		struct arena *arena = arena_new(CONTROLLER_MODEL_BYTES);
		struct assignments list;
		char *line = NULL;
		size_t len = 0;
		if (config->agents[i].is_revoked) {
			assignment_hub_remove(engine->config->assignments, config->agents[i].id);
		} else if (arena == NULL ||
			   assign_for_agent(engine->model.plan, config->agents[i].id, arena, &list) != VEER_OK ||
			   assignments_write(&list, &line, &len) != VEER_OK ||
			   assignment_hub_set(engine->config->assignments, config->agents[i].id, line, len,
					      list.item_count) != VEER_OK) {
			log_error(engine->config->log, "assignments cannot be made",
				  LOG_STR("agent", config->agents[i].id));
		}
		arena_free(&arena);
	}
}

void controller_model_deinit(struct controller_model *model)
{
	arena_free(&model->arena);
	*model = (struct controller_model){0};
}

/* A revocation takes effect at once, even if the rest of the model cannot be used. */
static void revoke_agents(struct controller_engine *engine, const struct reader *r)
{
	for (size_t i = 0; i < r->agent_count; i++) {
		if (!r->agents[i].is_revoked)
			continue;
		(void)verdict_revoke(engine->verdicts, r->agents[i].id, controller_now_ms(engine));
		assignment_hub_remove(engine->config->assignments, r->agents[i].id);
	}
}

/* Put enrolled agents first; agents beyond what the engine takes are left out. Returns how many it takes. */
static uint32_t fit_agents(struct reader *r)
{
	size_t enrolled = 0;
	for (size_t i = 0; i < r->agent_count; i++) {
		struct assign_agent agent = r->agents[i];
		if (agent.is_revoked)
			continue;
		r->agents[i] = r->agents[enrolled];
		r->agents[enrolled++] = agent;
	}
	if (enrolled > VERDICT_AGENTS_MAX)
		log_error(r->engine->config->log, "more agents are enrolled than can be heard: some are left out",
			  LOG_INT("agents", (int64_t)(enrolled - VERDICT_AGENTS_MAX)));
	return (uint32_t)(r->agent_count < VERDICT_AGENTS_MAX ? r->agent_count : VERDICT_AGENTS_MAX);
}

static void apply_settings(const struct model_settings *settings, struct verdict_config *config)
{
	config->is_frozen = settings->is_frozen;
	config->is_brake_off = settings->is_brake_off;
	config->max_removal_percent = settings->max_removal_percent;
}

bool controller_read_model(struct controller_engine *engine)
{
	struct reader r = {
		.engine = engine, .arena = arena_new(CONTROLLER_MODEL_BYTES), .fingerprint = INDEX_HASH_SEED};
	struct assign_plan *plan = NULL;
	struct veer_diag diag = {"out of memory"};
	enum veer_err err = r.arena != NULL ? VEER_OK : VEER_ENOMEM;
	if (err == VEER_OK)
		read_all(&r);
	struct controller_fit fit = {r.checks, r.check_count, r.pools, r.pool_count, NULL, 0, NULL};
	if (err == VEER_OK && (r.failed || !controller_fit(&fit, r.arena, engine->config->log)))
		err = VEER_ENOMEM;
	/*
	 * New assignments are made only for a change that affects some agent, because reports for the old ones are then
	 * lost.
	 */
	bool is_same = engine->model.plan != NULL && r.fingerprint == engine->model.fingerprint;
	int64_t revision = is_same ? engine->model.plan->config.assignment_revision : r.revision;
	struct assign_input input = {.revision = revision,
				     .checks = fit.checks,
				     .check_count = (uint32_t)fit.check_count,
				     .pools = fit.watched,
				     .pool_count = (uint32_t)fit.watched_count,
				     .agents = r.agents,
				     .agent_count = fit_agents(&r),
				     .sites = r.sites,
				     .site_count = (uint32_t)r.site_count};
	if (err == VEER_OK)
		err = assign_plan_make(&input, r.arena, &plan, &diag);
	revoke_agents(engine, &r);
	if (err == VEER_OK)
		apply_settings(&r.settings, &plan->config);
	if (err == VEER_OK)
		err = verdict_configure(engine->verdicts, &plan->config, controller_now_ms(engine), &diag);
	if (err != VEER_OK) {
		log_error(engine->config->log, "the model cannot be put in force, the one before stays",
			  LOG_STR("why", diag.text));
		arena_free(&r.arena);
		return false;
	}
	controller_model_deinit(&engine->model);
	engine->model = (struct controller_model){r.arena,       plan,         r.sites,      r.site_count,
						  r.pools,       r.pool_count, r.keeps_last, fit.is_excess,
						  r.fingerprint, r.revision,   r.settings};
	controller_read_overrides(engine);
	controller_forget(engine);
	atomic_store(&engine->published.assignment_revision, revision);
	if (engine->needs_seed)
		controller_seed(engine);
	engine->needs_seed = false;
	if (!is_same)
		publish_assignments(engine);
	return true;
}
