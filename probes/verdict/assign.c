/* SPDX-License-Identifier: Apache-2.0 */
/* From the model to the plan of who probes what. The lines that are sent to agents are in assign_line.c. */
#include "probes/verdict/assign.h"

#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "base/strmap.h"

#define LEVEL_UNSOUND UINT8_MAX /* in a loop or too deep */

struct candidate {
	uint64_t score;
	uint32_t agent;
};

/* The state while assign_plan_make() builds a plan. */
struct maker {
	const struct assign_input *input;
	struct arena *arena;
	const struct model_pool **pools; /* by name */
	struct candidate *candidates;    /* scratch memory: one for each agent */
	struct strmap check_map;
	struct strmap site_map;
	uint8_t *levels; /* one for each check: 0, or one more than its highest part; LEVEL_UNSOUND */
	uint32_t endpoint_count;
	uint64_t item_count;
};

static int by_agent(const void *a, const void *b)
{
	return strcmp(((const struct verdict_agent *)a)->id, ((const struct verdict_agent *)b)->id);
}

static int by_check(const void *a, const void *b)
{
	return strcmp((*(const struct model_check *const *)a)->name, (*(const struct model_check *const *)b)->name);
}

static int by_pool(const void *a, const void *b)
{
	return strcmp((*(const struct model_pool *const *)a)->name, (*(const struct model_pool *const *)b)->name);
}

/*
 * The agents with the highest scores are chosen. The last steps spread the bits (as in splitmix64), because the top
 * bits of FNV alone are too regular.
 */
static uint64_t rendezvous_score(const char *check, const char *agent)
{
	uint64_t x = index_hash(index_hash(INDEX_HASH_SEED, check), agent);
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static int by_score(const void *a, const void *b)
{
	const struct candidate *x = a;
	const struct candidate *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->agent < y->agent ? -1 : x->agent > y->agent;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* Choose the agents of one check, as rising indices. */
static enum veer_err choose_agents(struct maker *m, const struct verdict_config *config, struct verdict_check *check)
{
	struct candidate *candidates = m->candidates;
	uint32_t *chosen = arena_calloc(m->arena, MODEL_AGENTS_MAX, sizeof *chosen);
	uint32_t count = 0;
	if (chosen == NULL)
		return VEER_ENOMEM;
	for (uint32_t i = 0; check->source == VERDICT_SOURCE_AGENTS && i < config->agent_count; i++) {
		if (!config->agents[i].is_revoked)
			candidates[count++] =
				(struct candidate){rendezvous_score(check->name, config->agents[i].id), i};
	}
	qsort(candidates, count, sizeof *candidates, by_score);
	if (count > MODEL_AGENTS_MAX)
		count = MODEL_AGENTS_MAX;
	for (uint32_t i = 0; i < count; i++)
		chosen[i] = candidates[i].agent;
	qsort(chosen, count, sizeof *chosen, by_number);
	check->agents = chosen;
	check->agent_count = count;
	return VEER_OK;
}

static enum veer_err make_agents(struct maker *m, struct verdict_config *config)
{
	uint32_t count = m->input->agent_count;
	struct verdict_agent *agents = arena_calloc(m->arena, (size_t)count + 1, sizeof *agents);
	m->candidates = arena_calloc(m->arena, (size_t)count + 1, sizeof *m->candidates);
	if (agents == NULL || m->candidates == NULL)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		agents[i].id = m->input->agents[i].id;
		agents[i].region = m->input->agents[i].region;
		agents[i].is_revoked = m->input->agents[i].is_revoked;
	}
	qsort(agents, count, sizeof *agents, by_agent);
	config->agents = agents;
	config->agent_count = count;
	return VEER_OK;
}

static enum verdict_source source_of(const struct model_check *check)
{
	if (model_check_is_probed(check))
		return VERDICT_SOURCE_AGENTS;
	return check->kind == MODEL_CHECK_PUSH ? VERDICT_SOURCE_PUSH : VERDICT_SOURCE_CALCULATED;
}

/*
 * Compute the levels of calculated checks. A level that still rises after so many rounds shows a loop, or too many
 * levels.
 */
static void find_levels(const struct strmap *map, const struct model_check *const *checks, uint32_t count,
			uint8_t *levels)
{
	for (uint32_t round = 0; round <= VERDICT_NESTING_MAX; round++) {
		for (uint32_t i = 0; i < count; i++) {
			if (checks[i]->kind != MODEL_CHECK_CALCULATED)
				continue;
			levels[i] = levels[i] > 0 ? levels[i] : 1;
			for (uint32_t k = 0; k < checks[i]->of_count; k++) {
				uint32_t part = strmap_get_number(map, checks[i]->of[k]);
				if (part != INDEX_NONE && levels[part] >= levels[i])
					levels[i] = levels[part] < VERDICT_NESTING_MAX ? (uint8_t)(levels[part] + 1)
										       : LEVEL_UNSOUND;
			}
		}
	}
}

const struct model_check *assign_unsound_check(const struct model_check *checks, uint32_t count, struct arena *arena)
{
	struct strmap map;
	const struct model_check **pointers = arena_calloc(arena, (size_t)count + 1, sizeof(struct model_check *));
	uint8_t *levels = arena_calloc(arena, (size_t)count + 1, 1);
	if (pointers == NULL || levels == NULL || strmap_init_fixed(&map, arena, count) != VEER_OK)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		pointers[i] = &checks[i];
		(void)strmap_add_number(&map, checks[i].name, i);
	}
	find_levels(&map, pointers, count, levels);
	for (uint32_t i = 0; i < count; i++) {
		if (levels[i] == LEVEL_UNSOUND)
			return &checks[i];
	}
	return NULL;
}

/* Find the parts of a calculated check, as indices. */
static enum veer_err resolve_parts(struct maker *m, const struct model_check *from, uint8_t level,
				   struct verdict_check *check)
{
	uint32_t *of = arena_calloc(m->arena, (size_t)from->of_count + 1, sizeof *of);
	if (of == NULL)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < from->of_count; i++) {
		uint32_t part = level == LEVEL_UNSOUND ? INDEX_NONE : strmap_get_number(&m->check_map, from->of[i]);
		if (part == INDEX_NONE)
			check->lost_count++;
		else
			of[check->of_count++] = part;
	}
	check->of = of;
	return VEER_OK;
}

static enum veer_err make_parts(struct maker *m, const struct model_check *const *sorted, struct verdict_check *checks,
				uint32_t count)
{
	m->levels = arena_calloc(m->arena, (size_t)count + 1, 1);
	if (m->levels == NULL)
		return VEER_ENOMEM;
	find_levels(&m->check_map, sorted, count, m->levels);
	for (uint32_t i = 0; i < count; i++) {
		if (sorted[i]->kind == MODEL_CHECK_CALCULATED &&
		    resolve_parts(m, sorted[i], m->levels[i], &checks[i]) != VEER_OK)
			return VEER_ENOMEM;
	}
	return VEER_OK;
}

static enum veer_err make_checks(struct maker *m, struct assign_plan *plan)
{
	uint32_t count = m->input->check_count;
	struct verdict_check *checks = arena_calloc(m->arena, (size_t)count + 1, sizeof *checks);
	const struct model_check **sorted = arena_calloc(m->arena, (size_t)count + 1, sizeof(struct model_check *));
	if (checks == NULL || sorted == NULL || strmap_init_fixed(&m->check_map, m->arena, count) != VEER_OK)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = &m->input->checks[i];
	qsort(sorted, count, sizeof(struct model_check *), by_check);
	for (uint32_t i = 0; i < count; i++) {
		const struct model_check *from = sorted[i];
		checks[i] = (struct verdict_check){
			.name = from->name,
			.source = source_of(from),
			.fingerprint = assign_check_fingerprint(from),
			.fall = from->fall,
			.rise = from->rise,
			.interval_ms = from->interval_ms,
			.timeout_ms = from->timeout_ms,
			.hold_s = from->hold_s,
			.quorum = from->quorum,
			.regions = from->regions,
			.is_warning = from->is_warning,
			.ttl_ms = from->ttl_s * 1000,
			.is_down_on_expiry = from->is_down_on_expiry,
			.need = from->need,
		};
		if (choose_agents(m, &plan->config, &checks[i]) != VEER_OK)
			return VEER_ENOMEM;
		(void)strmap_add_number(&m->check_map, from->name, i);
	}
	plan->config.checks = checks;
	plan->config.check_count = count;
	plan->checks = sorted;
	return make_parts(m, sorted, checks, count);
}

static enum veer_err sort_pools(struct maker *m)
{
	uint32_t count = m->input->pool_count;
	m->pools = arena_calloc(m->arena, (size_t)count + 1, sizeof(struct model_pool *));
	if (m->pools == NULL)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		m->pools[i] = &m->input->pools[i];
		m->endpoint_count += m->pools[i]->endpoint_count;
	}
	qsort(m->pools, count, sizeof(struct model_pool *), by_pool);
	return VEER_OK;
}

/* The checks of every endpoint of a pool: first those that the pool lists, then those that are only parts of these. */
struct watch {
	uint32_t *checks;
	uint32_t count;
	uint32_t part_count;
};

/* Add a check, unless it does not exist, is there already, or there is no room. */
static void watch_add(struct watch *watch, uint32_t check)
{
	bool is_known = check == INDEX_NONE || watch->count == VERDICT_ITEMS_MAX;
	for (uint32_t k = 0; k < watch->count && !is_known; k++)
		is_known = watch->checks[k] == check;
	if (!is_known)
		watch->checks[watch->count++] = check;
}

static enum veer_err pool_checks(struct maker *m, const struct model_pool *pool, const struct verdict_check *checks,
				 struct watch *out)
{
	*out = (struct watch){.checks = arena_calloc(m->arena, VERDICT_ITEMS_MAX, sizeof *out->checks)};
	if (out->checks == NULL)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < pool->check_count; i++)
		watch_add(out, strmap_get_number(&m->check_map, pool->checks[i]));
	uint32_t listed = out->count;
	for (uint32_t i = 0; i < out->count; i++) { /* the list grows in the loop */
		const struct verdict_check *check = &checks[out->checks[i]];
		for (uint32_t k = 0; k < check->of_count; k++)
			watch_add(out, check->of[k]);
	}
	out->part_count = out->count - listed;
	return VEER_OK;
}

static const char *domain_of(const struct maker *m, const char *site)
{
	uint32_t index = strmap_get_number(&m->site_map, site);
	return index == INDEX_NONE ? NULL : m->input->sites[index].failure_domain;
}

static enum veer_err pool_endpoints(struct maker *m, const struct model_pool *pool, const struct verdict_check *checks,
				    struct verdict_endpoint *endpoints, const struct model_endpoint **models)
{
	struct watch watch;
	if (pool_checks(m, pool, checks, &watch) != VEER_OK)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < pool->endpoint_count; i++) {
		const struct model_endpoint *from = &pool->endpoints[i];
		endpoints[i] = (struct verdict_endpoint){
			.key = arena_printf(m->arena, "%s/%s", pool->name, from->name),
			.site = from->site,
			.domain = domain_of(m, from->site),
			.fingerprint = index_hash(INDEX_HASH_SEED, from->address),
			.checks = watch.checks,
			.check_count = watch.count,
			.part_count = watch.part_count,
		};
		if (endpoints[i].key == NULL)
			return VEER_ENOMEM;
		models[i] = from;
	}
	m->item_count += (uint64_t)pool->endpoint_count * watch.count;
	return VEER_OK;
}

static enum veer_err make_endpoints(struct maker *m, struct assign_plan *plan)
{
	struct verdict_endpoint *endpoints = arena_calloc(m->arena, (size_t)m->endpoint_count + 1, sizeof *endpoints);
	const struct model_endpoint **models =
		arena_calloc(m->arena, (size_t)m->endpoint_count + 1, sizeof(struct model_endpoint *));
	uint32_t at = 0;
	if (endpoints == NULL || models == NULL ||
	    strmap_init_fixed(&m->site_map, m->arena, m->input->site_count) != VEER_OK)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < m->input->site_count; i++)
		(void)strmap_add_number(&m->site_map, m->input->sites[i].name, i);
	for (uint32_t i = 0; i < m->input->pool_count; i++) {
		if (pool_endpoints(m, m->pools[i], plan->config.checks, endpoints + at, models + at) != VEER_OK)
			return VEER_ENOMEM;
		at += m->pools[i]->endpoint_count;
	}
	plan->config.endpoints = endpoints;
	plan->config.endpoint_count = at;
	plan->endpoints = models;
	return VEER_OK;
}

enum veer_err assign_plan_make(const struct assign_input *input, struct arena *arena, struct assign_plan **out,
			       struct veer_diag *diag)
{
	struct maker m = {.input = input, .arena = arena};
	struct assign_plan *plan = arena_alloc(arena, sizeof *plan);
	if (plan == NULL || make_agents(&m, &plan->config) != VEER_OK || make_checks(&m, plan) != VEER_OK ||
	    sort_pools(&m) != VEER_OK || make_endpoints(&m, plan) != VEER_OK)
		return veer_fail(diag, VEER_ENOMEM, "the assignments do not fit in memory");
	if (m.item_count > REPORT_ITEMS_MAX)
		return veer_fail(diag, VEER_ELIMIT, "more than %d pairs of check and endpoint", REPORT_ITEMS_MAX);
	plan->config.assignment_revision = input->revision;
	plan->config.report_ms = input->report_ms > 0 ? input->report_ms : VERDICT_REPORT_MS;
	*out = plan;
	return VEER_OK;
}

/* --- one agent's share ----------------------------------------------------------------------------------------- */

static uint32_t agent_index(const struct verdict_config *config, const char *id)
{
	const struct verdict_agent key = {.id = id};
	const struct verdict_agent *found = bsearch(&key, config->agents, config->agent_count, sizeof key, by_agent);
	return found == NULL || found->is_revoked ? INDEX_NONE : (uint32_t)(found - config->agents);
}

/* Copy the checks that the agent is assigned to; `places` says where each was copied to, or INDEX_NONE. */
static void own_checks(const struct assign_plan *plan, uint32_t agent, struct model_check *checks, uint32_t *places,
		       struct assignments *out)
{
	for (uint32_t i = 0; i < plan->config.check_count; i++) {
		const struct verdict_check *check = &plan->config.checks[i];
		places[i] = INDEX_NONE;
		if (index_find(check->agents, check->agent_count, agent) == INDEX_NONE)
			continue;
		places[i] = out->check_count;
		checks[out->check_count++] = *plan->checks[i];
	}
}

static uint32_t phase_ms(const struct verdict_check *check, uint32_t agent)
{
	uint64_t rank = index_find(check->agents, check->agent_count, agent);
	return (uint32_t)(rank * check->interval_ms / check->agent_count);
}

static void own_items(const struct assign_plan *plan, uint32_t agent, const uint32_t *places, struct assign_item *items,
		      struct assignments *out)
{
	for (uint32_t i = 0; i < plan->config.endpoint_count; i++) {
		const struct verdict_endpoint *endpoint = &plan->config.endpoints[i];
		for (uint32_t k = 0; k < endpoint->check_count; k++) {
			uint32_t check = endpoint->checks[k];
			if (places[check] == INDEX_NONE)
				continue;
			items[out->item_count++] = (struct assign_item){
				.check = places[check],
				.endpoint = endpoint->key,
				.address = plan->endpoints[i]->address,
				.phase_ms = phase_ms(&plan->config.checks[check], agent),
			};
		}
	}
}

enum veer_err assign_for_agent(const struct assign_plan *plan, const char *agent, struct arena *arena,
			       struct assignments *out)
{
	const struct verdict_config *config = &plan->config;
	struct assignments list = {.revision = config->assignment_revision, .report_ms = config->report_ms};
	uint32_t index = agent_index(config, agent);
	size_t items_most = 1;
	for (uint32_t i = 0; i < config->endpoint_count; i++)
		items_most += config->endpoints[i].check_count;
	struct model_check *checks = arena_calloc(arena, (size_t)config->check_count + 1, sizeof *checks);
	uint32_t *places = arena_calloc(arena, (size_t)config->check_count + 1, sizeof *places);
	struct assign_item *items = arena_calloc(arena, items_most, sizeof *items);
	if (checks == NULL || places == NULL || items == NULL)
		return VEER_ENOMEM;
	if (index != INDEX_NONE) {
		own_checks(plan, index, checks, places, &list);
		own_items(plan, index, places, items, &list);
	}
	list.checks = checks;
	list.items = items;
	*out = list;
	return VEER_OK;
}
