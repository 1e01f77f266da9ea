/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing list of pointers, which the list does not own. A zeroed list is empty.
 *
 * Threads: a list belongs to one thread.
 */
#ifndef VEER_BASE_PTR_LIST_H
#define VEER_BASE_PTR_LIST_H

#include <stddef.h>

#include "base/err.h"

struct ptr_list {
	void **items;
	size_t count;
	size_t size; /* capacity */
};

/* Add a pointer. Errors: VEER_ENOMEM; the list is then unchanged. */
VEER_MUST_CHECK enum veer_err ptr_list_add(struct ptr_list *list, void *item);
/* Remove one entry that is equal to `item`, if there is one; the order changes. */
void ptr_list_remove(struct ptr_list *list, const void *item);
/* Free the list, but not what it points to; the list is empty afterwards. */
void ptr_list_free(struct ptr_list *list);

#endif
