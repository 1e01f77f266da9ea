/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of memory that is freed when its last reader has gone. See retire.h. */
#include "zones/dns/retire.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

enum veer_err retire_reserve(struct retire_list *list, size_t more)
{
	if (list->size - list->count >= more)
		return VEER_OK;
	if (more > SIZE_MAX / sizeof *list->items / 4 - list->size)
		return VEER_ENOMEM;
	size_t size = list->size * 2 + more + 16;
	struct retire_item *items = realloc(list->items, size * sizeof *items);
	if (items == NULL)
		return VEER_ENOMEM;
	list->items = items;
	list->size = size;
	return VEER_OK;
}

void retire_add(struct retire_list *list, void *ptr, void (*fn)(void *ptr))
{
	if (ptr == NULL)
		return;
	assert(list->count < list->size);
	list->items[list->count++] = (struct retire_item){.ptr = ptr, .fn = fn};
}

void retire_release(struct retire_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].fn != NULL)
			list->items[i].fn(list->items[i].ptr);
		else
			free(list->items[i].ptr);
	}
	free(list->items);
	*list = (struct retire_list){0};
}
