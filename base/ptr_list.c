/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ptr_list.h"

#include <stdlib.h>

enum veer_err ptr_list_add(struct ptr_list *list, void *item)
{
	if (list->count == list->size) {
		size_t size = list->size == 0 ? 4 : list->size * 2;
		void **items = realloc(list->items, size * sizeof *items);
		if (items == NULL)
			return VEER_ENOMEM;
		list->items = items;
		list->size = size;
	}
	list->items[list->count++] = item;
	return VEER_OK;
}

void ptr_list_remove(struct ptr_list *list, const void *item)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == item) {
			list->items[i] = list->items[--list->count];
			return;
		}
}

void ptr_list_free(struct ptr_list *list)
{
	free(list->items);
	*list = (struct ptr_list){0};
}
