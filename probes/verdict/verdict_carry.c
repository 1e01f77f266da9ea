/* SPDX-License-Identifier: Apache-2.0 */
/* What one configuration takes over from the previous one. */
#include <string.h>

#include "probes/verdict/verdict_impl.h"

static void carry_agents(struct table *to, const struct table *from)
{
	for (uint32_t i = 0; i < to->agent_count; i++) {
		struct agent_state *agent = &to->agents[i];
		uint32_t old = strmap_get_number(&from->agent_map, agent->id);
		if (old == INDEX_NONE)
			continue;
		struct agent_state copy = from->agents[old];
		copy.id = agent->id;
		copy.region = agent->region;
		copy.is_revoked = agent->is_revoked || copy.is_revoked; /* for ever: ids are not used again */
		copy.item_count = agent->item_count;
		*agent = copy;
	}
}

/* The previous check of that name; NULL: there is none. */
static const struct check_state *old_check_of(const struct check_state *check, const struct table *from)
{
	uint32_t index = strmap_get_number(&from->check_map, check->name);
	return index == INDEX_NONE ? NULL : &from->checks[index];
}

/* The rank of the agent among those of the old check, or INDEX_NONE. */
static uint32_t old_rank(const struct table *to, uint32_t agent, const struct table *from,
			 const struct check_state *old_check)
{
	uint32_t old = strmap_get_number(&from->agent_map, to->agents[agent].id);
	return old == INDEX_NONE ? INDEX_NONE : index_find(old_check->agents, old_check->agent_count, old);
}

static void carry_trust(struct table *to, const struct table *from)
{
	for (uint32_t c = 0; c < to->check_count; c++) {
		struct check_state *check = &to->checks[c];
		const struct check_state *old_check = old_check_of(check, from);
		for (uint32_t i = 0; old_check != NULL && i < check->agent_count; i++) {
			uint32_t rank = old_rank(to, check->agents[i], from, old_check);
			if (rank == INDEX_NONE)
				continue;
			check->trust[i] = old_check->trust[rank];
			check->suspect_count += check->trust[i].is_suspect;
		}
	}
}

static void carry_views(struct table *to, const struct item_state *item, const struct table *from,
			const struct item_state *old)
{
	const struct check_state *check = &to->checks[item->check];
	const struct check_state *old_check = &from->checks[old->check];
	if (check->source != old_check->source)
		return;
	if (check->source == VERDICT_SOURCE_PUSH)
		to->views[item->view_first] = from->views[old->view_first];
	for (uint32_t i = 0; i < check->agent_count; i++) {
		uint32_t rank = old_rank(to, check->agents[i], from, old_check);
		if (rank != INDEX_NONE)
			to->views[item->view_first + i] = from->views[old->view_first + rank];
	}
}

/* The item of the old endpoint that probes the same; NULL: there is none. */
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
		item->expires_ms = old->expires_ms;
		carry_views(to, item, from, old);
	}
}

static void carry_endpoints(struct table *to, const struct table *from)
{
	for (uint32_t i = 0; i < to->endpoint_count; i++) {
		struct endpoint_state *endpoint = &to->endpoints[i];
		uint32_t index = strmap_get_number(&from->endpoint_map, endpoint->key);
		if (index == INDEX_NONE)
			continue;
		const struct endpoint_state *old = &from->endpoints[index];
		endpoint->is_doubted = old->is_doubted;
		endpoint->is_doubt_told = old->is_doubt_told;
		if (old->fingerprint == endpoint->fingerprint)
			carry_items(to, endpoint, from, old);
		if (endpoint->voting_count == 0)
			continue; /* no check watches it any more: it is unknown, without its last verdict */
		endpoint->committed = old->committed;
		endpoint->flight_to = old->flight_to;
		endpoint->removed_ms = old->removed_ms;
		endpoint->penalty = old->penalty;
	}
}

void table_carry(struct table *to, const struct table *from)
{
	carry_agents(to, from);
	carry_trust(to, from);
	carry_endpoints(to, from);
}
