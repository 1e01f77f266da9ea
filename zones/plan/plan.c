/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a plan. See plan.h. */
#include "zones/plan/plan.h"

const struct plan_zone *plan_zone_find(const struct plan *plan, const struct trie_key *key)
{
	struct trie_path path;
	trie_find_key(&plan->zones, key, &path);
	if (path.exact != NULL)
		return path.exact;
	return path.count > 0 ? path.above[path.count - 1] : NULL;
}

const struct plan_zone *plan_zone_find_above(const struct plan *plan, const struct trie_key *key)
{
	struct trie_path path;
	trie_find_key(&plan->zones, key, &path);
	return path.count > 0 ? path.above[path.count - 1] : NULL;
}

const struct plan_entry *plan_node_entries(const struct plan_node *node)
{
	return (const struct plan_entry *)(const void *)((const uint8_t *)node + node->entries_at);
}

const struct plan_entry *plan_node_entry(const struct plan_node *node, uint16_t type)
{
	const struct plan_entry *entries = plan_node_entries(node);
	for (unsigned i = 0; i < node->entry_count; i++)
		if (entries[i].type == type)
			return &entries[i];
	return NULL;
}

enum plan_bound plan_bound_of(uint16_t type)
{
	if (type == RRTYPE_A)
		return PLAN_BOUND_A;
	if (type == RRTYPE_AAAA)
		return PLAN_BOUND_AAAA;
	return type == RRTYPE_CNAME ? PLAN_BOUND_CNAME : PLAN_BOUND_COUNT;
}

const struct policy_program *plan_program(const struct plan *plan, const struct plan_entry *entry)
{
	enum plan_bound bound = plan_bound_of(entry->type);
	uint32_t page = entry->slot / PLAN_PAGE_SLOTS;
	if (bound == PLAN_BOUND_COUNT || page >= plan->page_count)
		return NULL;
	return plan->pages[page]->programs[entry->slot % PLAN_PAGE_SLOTS][bound];
}
