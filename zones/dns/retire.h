/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that a change has replaced but that readers of the previous plan may still use. A builder adds to the list
 * while it works; after the grace period the whole list is released at once.
 *
 * Threads: a list belongs to one thread at a time.
 */
#ifndef VEER_ZONES_DNS_RETIRE_H
#define VEER_ZONES_DNS_RETIRE_H

#include <stddef.h>

#include "base/err.h"

/* One thing to release by calling `fn(ptr)`. */
struct retire_item {
	void *ptr;
	void (*fn)(void *ptr);
};

struct retire_list {
	struct retire_item *items;
	size_t count;
	size_t size; /* capacity of `items` */
};

/*
 * Make room for `more` items, so that as many calls of retire_add() cannot fail. Errors: VEER_ENOMEM; the list is then
 * unchanged.
 */
VEER_MUST_CHECK enum veer_err retire_reserve(struct retire_list *list, size_t more);

/*
 * Add one thing; room must have been reserved. `ptr` NULL is ignored; `fn` NULL means free(). Takes `ptr`. `fn` may be
 * called in any thread and must touch nothing except what `ptr` leads to.
 */
void retire_add(struct retire_list *list, void *ptr, void (*fn)(void *ptr));

/* Release everything and the list's own memory; the list is empty and usable afterwards. */
void retire_release(struct retire_list *list);

#endif
