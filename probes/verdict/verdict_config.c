/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a configuration in force: build a new table, carry over what stays (verdict_carry.c), exchange the tables. */
#include <string.h>

#include "probes/verdict/verdict_impl.h"

/* --- building the table ---------------------------------------------------------------------------------------- */

static enum veer_err table_agents(struct table *t, const struct verdict_config *config, struct veer_diag *diag)
{
	t->agent_count = config->agent_count;
	t->agents = arena_calloc(t->arena, config->agent_count + 1, sizeof *t->agents);
	if (t->agents == NULL || strmap_init_fixed(&t->agent_map, t->arena, config->agent_count) != VEER_OK)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < config->agent_count; i++) {
		struct agent_state *agent = &t->agents[i];
		agent->id = arena_strdup(t->arena, config->agents[i].id);
		agent->region =
			arena_strdup(t->arena, config->agents[i].region != NULL ? config->agents[i].region : "");
		if (agent->id == NULL || agent->region == NULL)
			return VEER_ENOMEM;
		agent->is_revoked = config->agents[i].is_revoked;
		agent->received_ms = VERDICT_NEVER;
		if (strmap_add_number(&t->agent_map, agent->id, i) != VEER_OK)
			return veer_fail(diag, VEER_EINVAL, "agent %s: twice", agent->id);
	}
	return VEER_OK;
}

/* Limit a number to at least 1 and at most `most`. */
static uint32_t within(uint32_t wanted, uint32_t most)
{
	uint32_t number = wanted < most ? wanted : most;
	return number > 0 ? number : 1;
}

static uint32_t effective_quorum(const struct verdict_check *check)
{
	switch (check->source) {
	case VERDICT_SOURCE_AGENTS:
		return within(check->quorum > 0 ? check->quorum : check->agent_count / 2 + 1, check->agent_count);
	case VERDICT_SOURCE_PUSH:
		return 1;
	case VERDICT_SOURCE_CALCULATED:
		return within(check->need > 0 ? check->need : UINT32_MAX, check->of_count + check->lost_count);
	}
	return 1;
}

static void check_times(struct check_state *out, const struct verdict_check *check, uint32_t report_ms)
{
	int64_t period_ms = check->interval_ms > report_ms ? check->interval_ms : report_ms;
	uint32_t round = check->fall > check->rise ? check->fall : check->rise;
	out->silence_ms = 3 * period_ms;
	/* An agent whose state is changing repeats the old one, unconfirmed for up to one round of probes. */
	out->stale_ms = out->silence_ms + (int64_t)round * check->interval_ms + check->timeout_ms;
	out->settle_ms = 2 * out->stale_ms > VERDICT_SETTLE_MS ? 2 * out->stale_ms : VERDICT_SETTLE_MS;
}

/* Number the regions of the check's agents, in the order of the agents. */
static enum veer_err check_regions(struct table *t, struct check_state *check)
{
	uint64_t *bits = arena_calloc(t->arena, check->agent_count + 1, sizeof *bits);
	uint32_t count = 0;
	if (bits == NULL)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < check->agent_count; i++) {
		for (uint32_t k = 0; k < i && bits[i] == 0; k++) {
			if (strcmp(t->agents[check->agents[k]].region, t->agents[check->agents[i]].region) == 0)
				bits[i] = bits[k];
		}
		if (bits[i] == 0)
			bits[i] = (uint64_t)1 << count++;
	}
	check->bits = bits;
	check->regions = check->source == VERDICT_SOURCE_AGENTS ? within(check->regions_asked, count) : 1;
	return VEER_OK;
}

static enum veer_err copy_numbers(struct table *t, const uint32_t *from, uint32_t count, const uint32_t **out)
{
	static const uint32_t none[1] = {0};
	*out = arena_dup(t->arena, count > 0 ? from : none, (count > 0 ? count : 1) * sizeof *from);
	return *out == NULL ? VEER_ENOMEM : VEER_OK;
}

static enum veer_err check_init(struct table *t, struct check_state *check, const struct verdict_check *from,
				uint32_t report_ms)
{
	*check = (struct check_state){
		.name = arena_strdup(t->arena, from->name),
		.source = from->source,
		.fingerprint = from->fingerprint,
		.interval_ms = from->interval_ms,
		.hold_s = from->hold_s,
		.quorum = effective_quorum(from),
		.is_warning = from->is_warning,
		.agent_count = from->agent_count,
		.view_count = from->source == VERDICT_SOURCE_PUSH ? 1 : from->agent_count,
		.regions_asked = from->regions > 0 ? from->regions : 1,
		.trust = arena_calloc(t->arena, from->agent_count + 1, sizeof *check->trust),
		.ttl_ms = from->ttl_ms,
		.is_down_on_expiry = from->is_down_on_expiry,
		.of_count = from->of_count,
		.part_total = from->of_count + from->lost_count,
	};
	check_times(check, from, report_ms);
	if (check->name == NULL || check->trust == NULL ||
	    copy_numbers(t, from->agents, from->agent_count, &check->agents) != VEER_OK ||
	    copy_numbers(t, from->of, from->of_count, &check->of) != VEER_OK)
		return VEER_ENOMEM;
	return check_regions(t, check);
}

/*
 * Set the level of each calculated check to one above its highest part. A level that still rises at the end shows a
 * loop, or too many levels.
 */
static enum veer_err check_levels(struct table *t, struct veer_diag *diag)
{
	for (uint32_t pass = 0; pass <= VERDICT_NESTING_MAX; pass++) {
		const char *risen = NULL;
		for (uint32_t i = 0; i < t->check_count; i++) {
			struct check_state *check = &t->checks[i];
			uint8_t level = check->source == VERDICT_SOURCE_CALCULATED;
			for (uint32_t k = 0; k < check->of_count; k++) {
				uint8_t part = t->checks[check->of[k]].level;
				level = part >= level ? (uint8_t)(part + 1) : level;
			}
			if (level > check->level)
				risen = check->name;
			check->level = level;
			if (level > VERDICT_NESTING_MAX)
				return veer_fail(diag, VEER_ELIMIT,
						 "check %s: calculated in a loop or nested deeper than %d", check->name,
						 VERDICT_NESTING_MAX);
		}
		if (risen == NULL)
			return VEER_OK;
	}
	return VEER_OK;
}

static enum veer_err table_checks(struct table *t, const struct verdict_config *config, struct veer_diag *diag)
{
	uint32_t report_ms = config->report_ms > 0 ? config->report_ms : VERDICT_REPORT_MS;
	t->check_count = config->check_count;
	t->checks = arena_calloc(t->arena, config->check_count + 1, sizeof *t->checks);
	t->ranks = arena_calloc(t->arena, config->check_count + 1, sizeof *t->ranks);
	if (t->checks == NULL || t->ranks == NULL ||
	    strmap_init_fixed(&t->check_map, t->arena, config->check_count) != VEER_OK)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < config->check_count; i++) {
		if (check_init(t, &t->checks[i], &config->checks[i], report_ms) != VEER_OK)
			return VEER_ENOMEM;
		if (strmap_add_number(&t->check_map, t->checks[i].name, i) != VEER_OK)
			return veer_fail(diag, VEER_EINVAL, "check %s: twice", t->checks[i].name);
	}
	return check_levels(t, diag);
}

/* --- endpoints and their items ------------------------------------------------------------------------------------ */

static void item_init(struct table *t, uint32_t index, uint32_t check, uint32_t endpoint)
{
	struct item_state *item = &t->items[index];
	*item = (struct item_state){.check = check,
				    .endpoint = endpoint,
				    .view_first = t->view_count,
				    .state = MODEL_STATE_UNKNOWN,
				    .needs_proof = true,
				    .asked_ms = VERDICT_NEVER,
				    .expires_ms = VERDICT_NEVER};
	for (uint32_t i = 0; i < t->checks[check].view_count; i++)
		t->views[t->view_count++] = (struct view){.confirmed_ms = VERDICT_NEVER, .turned_ms = VERDICT_NEVER};
	for (uint32_t i = 0; i < t->checks[check].agent_count; i++)
		t->agents[t->checks[check].agents[i]].item_count++;
}

/* Find the indices of the calculated item's parts within its endpoint. */
static void item_parts(struct table *t, const struct endpoint_state *endpoint, struct item_state *item)
{
	const struct check_state *check = &t->checks[item->check];
	item->part_first = t->part_count;
	for (uint32_t i = 0; i < check->of_count; i++) {
		uint32_t k = 0;
		while (k < endpoint->item_count && t->items[endpoint->item_first + k].check != check->of[i])
			k++;
		t->parts[t->part_count++] = k < endpoint->item_count ? (uint8_t)k : VERDICT_PART_LOST;
	}
}

static void mark_parts(struct table *t, const struct endpoint_state *endpoint, const struct item_state *item)
{
	for (uint32_t k = 0; k < t->checks[item->check].of_count; k++) {
		uint8_t part = t->parts[item->part_first + k];
		if (part != VERDICT_PART_LOST)
			t->items[endpoint->item_first + part].is_evidence = true;
	}
}

/* Mark voting items as evidence, and also the parts of items that are evidence, from the highest level down. */
static void mark_evidence(struct table *t, const struct endpoint_state *endpoint)
{
	for (uint32_t level = endpoint->level; level > 0; level--) {
		for (uint32_t i = 0; i < endpoint->item_count; i++) {
			const struct item_state *item = &t->items[endpoint->item_first + i];
			if (item->is_evidence && t->checks[item->check].level == level)
				mark_parts(t, endpoint, item);
		}
	}
}

static void endpoint_items(struct table *t, struct endpoint_state *endpoint, const struct verdict_endpoint *from)
{
	endpoint->item_first = t->item_count;
	endpoint->item_count = from->check_count;
	for (uint32_t i = 0; i < from->check_count; i++) {
		const struct check_state *check = &t->checks[from->checks[i]];
		struct item_state *item = &t->items[t->item_count];
		item_init(t, t->item_count++, from->checks[i], (uint32_t)(endpoint - t->endpoints));
		endpoint->level = check->level > endpoint->level ? check->level : endpoint->level;
		item->is_voting = item->is_evidence = !check->is_warning && i < from->check_count - from->part_count;
		if (!item->is_voting)
			continue;
		endpoint->voting_count++;
		if (check->hold_s > endpoint->hold_s)
			endpoint->hold_s = check->hold_s;
	}
	for (uint32_t i = 0; i < from->check_count; i++)
		item_parts(t, endpoint, &t->items[endpoint->item_first + i]);
	mark_evidence(t, endpoint);
}

static enum veer_err table_size_items(struct table *t, const struct verdict_config *config)
{
	uint64_t items = 0;
	uint64_t views = 0;
	uint64_t votes_most = 0;
	uint64_t parts = 0;
	for (uint32_t i = 0; i < config->endpoint_count; i++) {
		const struct verdict_endpoint *endpoint = &config->endpoints[i];
		uint64_t votes = 0;
		for (uint32_t k = 0; k < endpoint->check_count; k++) {
			votes += config->checks[endpoint->checks[k]].agent_count + 1;
			parts += config->checks[endpoint->checks[k]].of_count;
		}
		items += endpoint->check_count;
		views += votes;
		if (votes > votes_most)
			votes_most = votes;
	}
	t->items = arena_calloc(t->arena, items + 1, sizeof *t->items);
	t->views = arena_calloc(t->arena, views + 1, sizeof *t->views);
	t->votes = arena_calloc(t->arena, votes_most + 1, sizeof *t->votes);
	t->ages = arena_calloc(t->arena, votes_most + 1, sizeof *t->ages);
	t->parts = arena_calloc(t->arena, parts + 1, sizeof *t->parts);
	t->asked = arena_calloc(t->arena, MODEL_AGENTS_MAX, sizeof *t->asked);
	return t->items == NULL || t->views == NULL || t->votes == NULL || t->ages == NULL || t->parts == NULL ||
			       t->asked == NULL
		       ? VEER_ENOMEM
		       : VEER_OK;
}

/* The names that occur, with their numbers. */
struct numbering {
	struct strmap map;
	const char **names;
	uint32_t count;
};

static enum veer_err numbering_init(struct table *t, struct numbering *numbering, uint32_t most)
{
	numbering->count = 0;
	numbering->names = arena_calloc(t->arena, (size_t)most + 1, sizeof *numbering->names);
	return numbering->names == NULL ? VEER_ENOMEM : strmap_init_fixed(&numbering->map, t->arena, most);
}

/* The name's number; a name that occurs for the first time gets a new one. */
static enum veer_err number_of(struct table *t, struct numbering *numbering, const char *name, uint32_t *out)
{
	*out = strmap_get_number(&numbering->map, name);
	if (*out != INDEX_NONE)
		return VEER_OK;
	char *copy = arena_strdup(t->arena, name);
	if (copy == NULL)
		return VEER_ENOMEM;
	*out = numbering->count++;
	numbering->names[*out] = copy;
	(void)strmap_add_number(&numbering->map, copy, *out);
	return VEER_OK;
}

static enum veer_err endpoint_init(struct table *t, struct endpoint_state *endpoint,
				   const struct verdict_endpoint *from)
{
	*endpoint = (struct endpoint_state){
		.key = arena_strdup(t->arena, from->key),
		.fingerprint = from->fingerprint,
		.committed = MODEL_STATE_UNKNOWN,
		.flight_to = MODEL_STATE_UNKNOWN,
		.removed_ms = VERDICT_NEVER,
	};
	endpoint_items(t, endpoint, from);
	return endpoint->key == NULL ? VEER_ENOMEM : VEER_OK;
}

static enum veer_err table_endpoints(struct table *t, const struct verdict_config *config, struct veer_diag *diag)
{
	struct numbering sites, domains;
	uint32_t site;
	t->endpoint_count = config->endpoint_count;
	t->endpoints = arena_calloc(t->arena, config->endpoint_count + 1, sizeof *t->endpoints);
	if (t->endpoints == NULL || table_size_items(t, config) != VEER_OK ||
	    strmap_init_fixed(&t->endpoint_map, t->arena, config->endpoint_count) != VEER_OK ||
	    numbering_init(t, &sites, config->endpoint_count) != VEER_OK ||
	    numbering_init(t, &domains, config->endpoint_count) != VEER_OK)
		return VEER_ENOMEM;
	for (uint32_t i = 0; i < config->endpoint_count; i++) {
		const struct verdict_endpoint *from = &config->endpoints[i];
		struct endpoint_state *endpoint = &t->endpoints[i];
		if (endpoint_init(t, endpoint, from) != VEER_OK)
			return VEER_ENOMEM;
		if (endpoint->voting_count > 0) {
			const char *domain = from->domain != NULL ? from->domain : from->site;
			t->voting_endpoint_count++;
			if (number_of(t, &sites, from->site, &site) != VEER_OK ||
			    number_of(t, &domains, domain, &endpoint->domain) != VEER_OK)
				return VEER_ENOMEM;
		}
		if (strmap_add_number(&t->endpoint_map, endpoint->key, i) != VEER_OK)
			return veer_fail(diag, VEER_EINVAL, "endpoint %s: twice", endpoint->key);
	}
	t->site_count = sites.count;
	t->domains = domains.names;
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

/* --- exchange ----------------------------------------------------------------------------------------------------- */

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
		table_carry(next, before);
		struct arena *arena = before->arena; /* the table lives in its own arena */
		arena_free(&arena);
	}
	engine->table = next;
	engine->suspected_count = 0;
	engine->doubt_count = 0;
	for (uint32_t i = 0; i < next->endpoint_count; i++)
		engine->doubt_count += next->endpoints[i].is_doubted != next->endpoints[i].is_doubt_told;
	for (uint32_t i = 0; i < next->item_count; i++)
		engine->suspected_count += next->items[i].is_suspected;
	engine->cursor = next->endpoint_count; /* nothing is due before the next tick */
	brake_update(engine, now);
	return VEER_OK;
}
