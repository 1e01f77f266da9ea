/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing list of pointers that belong to somebody else. A zeroed list is empty.
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

/* Errors: VEER_ENOMEM: the list stays as it is. */
VEER_MUST_CHECK enum veer_err ptr_list_add(struct ptr_list *list, void *item);
/* Take out one that is the same pointer, if there is one; the order changes. */
void ptr_list_remove(struct ptr_list *list, const void *item);
/* Free the list, not what it points to; it is empty then. */
void ptr_list_free(struct ptr_list *list);

#endif
