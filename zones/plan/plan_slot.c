/* SPDX-License-Identifier: Apache-2.0 */
/* The policy table of plans: the slot of each policy that RRsets are bound to, and its programs there. */
#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_impl.h"

/* Get a changeable page for `slot`: a new one, or a copy of the page that plans may have. */
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

enum veer_err build_set_program(struct plan_builder *b, uint32_t slot, enum plan_bound bound,
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
		/* room for all slots, so that giving a slot back cannot fail */
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
	struct build_policy *policy = build_need_policy(b, name);
	if (policy == NULL)
		return VEER_ENOMEM;
	if (policy->bindings == 0) {
		enum veer_err err = new_slot(b, &policy->slot);
		if (err != VEER_OK) {
			build_drop_policy(b, policy);
			return err;
		}
		policy->bindings = 1;
		b->bound[policy->slot] = policy;
		err = build_mark_policy(b, policy);
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
	/* when memory is out, the programs stay until the slot is used again */
	for (int bound = 0; bound < PLAN_BOUND_COUNT; bound++)
		(void)build_set_program(b, slot, (enum plan_bound)bound, NULL);
	b->free_slots[b->free_slot_count++] = slot;
	build_drop_policy(b, policy);
}

void build_free_slots(struct plan_builder *b)
{
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
}
