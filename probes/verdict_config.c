/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a configuration in force: check it, build a new table, carry over what stays, exchange the tables. */
#include <string.h>

#include "probes/verdict_internal.h"

/* --- what is refused ------------------------------------------------------------------------------------------- */

static enum veer_err check_is_sound(const struct verdict_config *config, uint32_t index, struct veer_diag *diag)
{
	const struct verdict_check *check = &config->checks[index];
	if (check->agent_count > MODEL_AGENTS_MAX)
		return veer_fail(diag, VEER_ELIMIT, "check %s: %u agents, at most %d", check->name, check->agent_count,
				 MODEL_AGENTS_MAX);
	if (check->interval_ms == 0)
		return veer_fail(diag, VEER_EINVAL, "check %s: interval_ms is 0", check->name);
	for (uint32_t i = 0; i < check->agent_count; i++) {
		if (check->agents[i] >= config->agent_count || (i > 0 && check->agents[i] <= check->agents[i - 1]))
			return veer_fail(diag, VEER_EINVAL, "check %s: agents are not rising indices", check->name);
	}
	return VEER_OK;
}

static enum veer_err endpoint_is_sound(const struct verdict_config *config, uint32_t index, struct veer_diag *diag)
{
	const struct verdict_endpoint *endpoint = &config->endpoints[index];
	if (endpoint->check_count > MODEL_CHECKS_MAX)
		return veer_fail(diag, VEER_ELIMIT, "endpoint %s: %u checks, at most %d", endpoint->key,
				 endpoint->check_count, MODEL_CHECKS_MAX);
	for (uint32_t i = 0; i < endpoint->check_count; i++) {
		if (endpoint->checks[i] >= config->check_count)
			return veer_fail(diag, VEER_EINVAL, "endpoint %s: no check %u", endpoint->key,
					 endpoint->checks[i]);
		for (uint32_t k = 0; k < i; k++) {
			if (endpoint->checks[k] == endpoint->checks[i])
				return veer_fail(diag, VEER_EINVAL, "endpoint %s: a check twice", endpoint->key);
		}
	}
	return VEER_OK;
}

static enum veer_err config_is_sound(const struct verdict_limits *limits, const struct verdict_config *config,
				     struct veer_diag *diag)
{
	if (config->agent_count > limits->agents || config->check_count > limits->checks ||
	    config->endpoint_count > limits->endpoints)
		return veer_fail(diag, VEER_ELIMIT, "too many agents, checks or endpoints: %u, %u, %u",
				 config->agent_count, config->check_count, config->endpoint_count);
	if (config->max_removal_percent > 100)
		return veer_fail(diag, VEER_EINVAL, "max_removal_percent is over 100");
	for (uint32_t i = 0; i < config->check_count; i++) {
		enum veer_err err = check_is_sound(config, i, diag);
		if (err != VEER_OK)
			return err;
	}
	uint64_t items = 0;
	for (uint32_t i = 0; i < config->endpoint_count; i++) {
		enum veer_err err = endpoint_is_sound(config, i, diag);
		if (err != VEER_OK)
			return err;
		items += config->endpoints[i].check_count;
	}
	if (items > limits->items)
		return veer_fail(diag, VEER_ELIMIT, "more than %u pairs of check and endpoint", limits->items);
	return VEER_OK;
}

/* --- building the table ---------------------------------------------------------------------------------------- */

static enum veer_err table_agents(struct table *t, const struct verdict_config *config, struct veer_diag *diag)
{
	t->agent_count = config->agent_count;
	t->agents = arena_calloc(t->arena, config->agent_count + 1, sizeof *t->agents);
	if (t->agents == NULL || index_map_init(&t->agent_map, t->arena, config->agent_count) != VEER_OK)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < config->agent_count; i++) {
		struct agent_state *agent = &t->agents[i];
		agent->id = arena_strdup(t->arena, config->agents[i].id);
		if (agent->id == NULL)
			return VEER_ENOMEM;
		agent->is_revoked = config->agents[i].is_revoked;
		agent->received_ms = VERDICT_NEVER;
		if (!index_map_put(&t->agent_map, agent->id, i))
			return veer_fail(diag, VEER_EINVAL, "agent %s: twice", agent->id);
	}
	return VEER_OK;
}

static uint32_t effective_quorum(const struct verdict_check *check)
{
	uint32_t quorum = check->quorum > 0 ? check->quorum : check->agent_count / 2 + 1;
	if (quorum > check->agent_count)
		quorum = check->agent_count;
	return quorum > 0 ? quorum : 1;
}

static void check_times(struct check_state *out, const struct verdict_check *check, uint32_t report_ms)
{
	int64_t period_ms = check->interval_ms > report_ms ? check->interval_ms : report_ms;
	uint32_t round = check->fall > check->rise ? check->fall : check->rise;
	out->silence_ms = 3 * period_ms;
	/* While it changes its mind an agent repeats the old state, unconfirmed for up to one round of probes. */
	out->stale_ms = out->silence_ms + (int64_t)round * check->interval_ms + check->timeout_ms;
}

static enum veer_err table_checks(struct table *t, const struct verdict_config *config, struct veer_diag *diag)
{
	uint32_t report_ms = config->report_ms > 0 ? config->report_ms : VERDICT_REPORT_MS;
	struct index_map names;
	t->check_count = config->check_count;
	t->checks = arena_calloc(t->arena, config->check_count + 1, sizeof *t->checks);
	t->ranks = arena_calloc(t->arena, config->check_count + 1, sizeof *t->ranks);
	if (t->checks == NULL || t->ranks == NULL || index_map_init(&names, t->arena, config->check_count) != VEER_OK)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < config->check_count; i++) {
		const struct verdict_check *from = &config->checks[i];
		struct check_state *check = &t->checks[i];
		check->name = arena_strdup(t->arena, from->name);
		check->agents = arena_dup(t->arena, from->agent_count > 0 ? from->agents : (const uint32_t[]){0},
					  (from->agent_count > 0 ? from->agent_count : 1) * sizeof *from->agents);
		if (check->name == NULL || check->agents == NULL)
			return VEER_ENOMEM;
		check->agent_count = from->agent_count;
		check->fingerprint = from->fingerprint;
		check->interval_ms = from->interval_ms;
		check->hold_s = from->hold_s;
		check->quorum = effective_quorum(from);
		check->is_warning = from->is_warning;
		check_times(check, from, report_ms);
		if (!index_map_put(&names, check->name, i))
			return veer_fail(diag, VEER_EINVAL, "check %s: twice", check->name);
	}
	return VEER_OK;
}

static void item_init(struct table *t, uint32_t index, uint32_t check, uint32_t endpoint)
{
	struct item_state *item = &t->items[index];
	*item = (struct item_state){.check = check,
				    .endpoint = endpoint,
				    .view_first = t->view_count,
				    .state = MODEL_STATE_UNKNOWN,
				    .needs_proof = true,
				    .asked_ms = VERDICT_NEVER};
	for (uint32_t i = 0; i < t->checks[check].agent_count; i++) {
		t->views[t->view_count++] = (struct view){.confirmed_ms = VERDICT_NEVER};
		t->agents[t->checks[check].agents[i]].item_count++;
	}
}

static void endpoint_items(struct table *t, struct endpoint_state *endpoint, const struct verdict_endpoint *from)
{
	endpoint->item_first = t->item_count;
	endpoint->item_count = from->check_count;
	for (uint32_t i = 0; i < from->check_count; i++) {
		const struct check_state *check = &t->checks[from->checks[i]];
		item_init(t, t->item_count++, from->checks[i], (uint32_t)(endpoint - t->endpoints));
		if (check->is_warning)
			continue;
		endpoint->voting_count++;
		if (check->hold_s > endpoint->hold_s)
			endpoint->hold_s = check->hold_s;
	}
}

static enum veer_err table_size_items(struct table *t, const struct verdict_config *config)
{
	uint64_t items = 0;
	uint64_t views = 0;
	uint64_t votes_most = 0;
	for (uint32_t i = 0; i < config->endpoint_count; i++) {
		const struct verdict_endpoint *endpoint = &config->endpoints[i];
		uint64_t votes = 0;
		for (uint32_t k = 0; k < endpoint->check_count; k++)
			votes += config->checks[endpoint->checks[k]].agent_count;
		items += endpoint->check_count;
		views += votes;
		if (votes > votes_most)
			votes_most = votes;
	}
	t->items = arena_calloc(t->arena, items + 1, sizeof *t->items);
	t->views = arena_calloc(t->arena, views + 1, sizeof *t->views);
	t->votes = arena_calloc(t->arena, votes_most + 1, sizeof *t->votes);
	t->asked = arena_calloc(t->arena, MODEL_AGENTS_MAX, sizeof *t->asked);
	return t->items == NULL || t->views == NULL || t->votes == NULL || t->asked == NULL ? VEER_ENOMEM : VEER_OK;
}

/* The number of the endpoint's site, a new one when it is the first there. */
static enum veer_err site_number(struct table *t, struct index_map *sites, const char *site, uint32_t *out)
{
	*out = index_map_get(sites, site);
	if (*out != INDEX_NONE)
		return VEER_OK;
	char *copy = arena_strdup(t->arena, site);
	if (copy == NULL)
		return VEER_ENOMEM;
	*out = t->site_count++;
	(void)index_map_put(sites, copy, *out);
	return VEER_OK;
}

static enum veer_err table_endpoints(struct table *t, const struct verdict_config *config, struct veer_diag *diag)
{
	struct index_map sites;
	t->endpoint_count = config->endpoint_count;
	t->endpoints = arena_calloc(t->arena, config->endpoint_count + 1, sizeof *t->endpoints);
	if (t->endpoints == NULL || table_size_items(t, config) != VEER_OK ||
	    index_map_init(&t->endpoint_map, t->arena, config->endpoint_count) != VEER_OK ||
	    index_map_init(&sites, t->arena, config->endpoint_count) != VEER_OK)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < config->endpoint_count; i++) {
		const struct verdict_endpoint *from = &config->endpoints[i];
		struct endpoint_state *endpoint = &t->endpoints[i];
		endpoint->key = arena_strdup(t->arena, from->key);
		if (endpoint->key == NULL)
			return VEER_ENOMEM;
		endpoint->fingerprint = from->fingerprint;
		endpoint->committed = MODEL_STATE_UNKNOWN;
		endpoint->flight_to = MODEL_STATE_UNKNOWN;
		endpoint->removed_ms = VERDICT_NEVER;
		endpoint_items(t, endpoint, from);
		if (endpoint->voting_count > 0) {
			t->voting_endpoint_count++;
			if (site_number(t, &sites, from->site, &endpoint->site) != VEER_OK)
				return VEER_ENOMEM;
		}
		if (!index_map_put(&t->endpoint_map, endpoint->key, i))
			return veer_fail(diag, VEER_EINVAL, "endpoint %s: twice", endpoint->key);
	}
	return VEER_OK;
}

static enum veer_err table_make(const struct verdict_limits *limits, const struct verdict_config *config,
				struct table **out, struct veer_diag *diag)
{
	struct arena *arena = arena_new(limits->bytes);
	struct table *t = arena != NULL ? arena_alloc(arena, sizeof *t) : NULL;
	enum veer_err err = VEER_ENOMEM;
	if (t != NULL) {
		t->arena = arena;
		t->revision = config->assignment_revision;
		t->is_frozen = config->is_frozen;
		t->is_brake_off = config->is_brake_off;
		t->max_removal_percent =
			config->max_removal_percent > 0 ? config->max_removal_percent : VERDICT_MAX_REMOVAL_PERCENT;
		err = table_agents(t, config, diag);
		if (err == VEER_OK)
			err = table_checks(t, config, diag);
		if (err == VEER_OK)
			err = table_endpoints(t, config, diag);
	}
	if (err != VEER_OK) {
		arena_free(&arena);
		return err == VEER_ENOMEM ? veer_fail(diag, err, "the configuration does not fit in memory") : err;
	}
	*out = t;
	return VEER_OK;
}

/* --- carrying over --------------------------------------------------------------------------------------------- */

static void carry_agents(struct table *to, const struct table *from)
{
	for (uint32_t i = 0; i < to->agent_count; i++) {
		struct agent_state *agent = &to->agents[i];
		uint32_t old = index_map_get(&from->agent_map, agent->id);
		if (old == INDEX_NONE)
			continue;
		struct agent_state copy = from->agents[old];
		copy.id = agent->id;
		copy.is_revoked = agent->is_revoked || copy.is_revoked; /* for good: ids do not come back */
		copy.item_count = agent->item_count;
		*agent = copy;
	}
}

static void carry_views(struct table *to, const struct item_state *item, const struct table *from,
			const struct item_state *old)
{
	const struct check_state *check = &to->checks[item->check];
	const struct check_state *old_check = &from->checks[old->check];
	for (uint32_t i = 0; i < check->agent_count; i++) {
		uint32_t agent = index_map_get(&from->agent_map, to->agents[check->agents[i]].id);
		uint32_t rank =
			agent == INDEX_NONE ? INDEX_NONE : index_find(old_check->agents, old_check->agent_count, agent);
		if (rank != INDEX_NONE)
			to->views[item->view_first + i] = from->views[old->view_first + rank];
	}
}

/* The item of the old endpoint that is the same thing to probe; NULL without one. */
static const struct item_state *old_item(const struct table *to, const struct item_state *item,
					 const struct table *from, const struct endpoint_state *endpoint)
{
	const struct check_state *check = &to->checks[item->check];
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++) {
		const struct check_state *old = &from->checks[from->items[i].check];
		if (strcmp(old->name, check->name) == 0 && old->fingerprint == check->fingerprint)
			return &from->items[i];
	}
	return NULL;
}

static void carry_items(struct table *to, const struct endpoint_state *endpoint, const struct table *from,
			const struct endpoint_state *old_endpoint)
{
	for (uint32_t i = endpoint->item_first; i < endpoint->item_first + endpoint->item_count; i++) {
		struct item_state *item = &to->items[i];
		const struct item_state *old = old_item(to, item, from, old_endpoint);
		if (old == NULL)
			continue;
		item->state = old->state;
		item->needs_proof = old->needs_proof;
		item->is_suspected = old->is_suspected;
		item->asked_ms = old->asked_ms;
		carry_views(to, item, from, old);
	}
}

static void carry_endpoints(struct table *to, const struct table *from)
{
	for (uint32_t i = 0; i < to->endpoint_count; i++) {
		struct endpoint_state *endpoint = &to->endpoints[i];
		uint32_t index = index_map_get(&from->endpoint_map, endpoint->key);
		if (index == INDEX_NONE)
			continue;
		const struct endpoint_state *old = &from->endpoints[index];
		if (old->fingerprint == endpoint->fingerprint)
			carry_items(to, endpoint, from, old);
		if (endpoint->voting_count == 0)
			continue; /* nobody watches it any more: unknown, not stuck in its last verdict */
		endpoint->committed = old->committed;
		endpoint->flight_to = old->flight_to;
		endpoint->removed_ms = old->removed_ms;
		endpoint->flaps = old->flaps;
	}
}

enum veer_err verdict_configure(struct verdict_engine *engine, const struct verdict_config *config, int64_t now_ms,
				struct veer_diag *diag)
{
	struct table *next = NULL;
	int64_t now = verdict_now(engine, now_ms);
	enum veer_err err = config_is_sound(&engine->limits, config, diag);
	if (err == VEER_OK)
		err = table_make(&engine->limits, config, &next, diag);
	if (err != VEER_OK)
		return err;
	struct table *before = engine->table;
	if (before != NULL) {
		carry_agents(next, before);
		carry_endpoints(next, before);
		struct arena *arena = before->arena; /* the table lives in its own arena */
		arena_free(&arena);
	}
	engine->table = next;
	engine->suspected_count = 0;
	for (uint32_t i = 0; i < next->item_count; i++)
		engine->suspected_count += next->items[i].is_suspected;
	engine->cursor = next->endpoint_count; /* nothing is due before the next tick */
	brake_update(engine, now);
	return VEER_OK;
}
