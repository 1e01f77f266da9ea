/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/delegation_table.h"

#include <stdlib.h>
#include <string.h>

enum { SOONEST_MS = 60000, RESULT_MAX = 1 << 20 };

/* FNV-1a, used only to spread zones over the hour. */
static uint32_t hash(const char *text)
{
	uint32_t h = UINT32_C(2166136261);
	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * UINT32_C(16777619);
	return h;
}

struct delegation_entry *delegation_table_find(const struct delegation_table *table, const char *zone)
{
	return strmap_get(&table->zones, zone, strlen(zone));
}

/* --- the heap ----------------------------------------------------------------------------------------------- */

static void put(struct delegation_table *t, size_t place, struct delegation_entry *entry)
{
	t->heap[place] = entry;
	entry->place = place;
}

/* Restore the order around one entry whose time has changed. */
static void settle(struct delegation_table *t, struct delegation_entry *entry)
{
	size_t at = entry->place;
	while (at > 0 && t->heap[(at - 1) / 2]->due_ms > entry->due_ms) {
		put(t, at, t->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * at + 1;
		if (child + 1 < t->count && t->heap[child + 1]->due_ms < t->heap[child]->due_ms)
			child++;
		if (child >= t->count || t->heap[child]->due_ms >= entry->due_ms)
			break;
		put(t, at, t->heap[child]);
		at = child;
	}
	put(t, at, entry);
}

static bool make_room(struct delegation_table *t)
{
	if (t->count < t->size)
		return true;
	size_t size = t->size > 0 ? 2 * t->size : 64;
	struct delegation_entry **heap = realloc(t->heap, size * sizeof *heap);
	if (heap == NULL)
		return false;
	t->heap = heap;
	t->size = size;
	return true;
}

static void free_entry(struct delegation_entry *entry)
{
	free(entry->zone);
	free(entry->result);
	free(entry);
}

/* --- interface ---------------------------------------------------------------------------------------------- */

static struct delegation_entry *add(struct delegation_table *t, const char *zone, int64_t due_ms)
{
	struct delegation_entry *entry = calloc(1, sizeof *entry);
	if (entry == NULL || (entry->zone = strdup(zone)) == NULL || !make_room(t) ||
	    strmap_put(&t->zones, zone, strlen(zone), entry) != VEER_OK) {
		if (entry != NULL)
			free_entry(entry);
		return NULL;
	}
	entry->due_ms = due_ms;
	entry->place = t->count++;
	t->heap[entry->place] = entry;
	settle(t, entry);
	t->counts[DELEGATION_UNCHECKED]++;
	return entry;
}

struct delegation_entry *delegation_table_want(struct delegation_table *table, const char *zone, int64_t due_ms)
{
	struct delegation_entry *entry = delegation_table_find(table, zone);
	if (entry == NULL)
		return add(table, zone, due_ms);
	if (entry->due_ms > due_ms)
		delegation_table_set_due(table, entry, due_ms);
	return entry;
}

void delegation_table_forget(struct delegation_table *table, const char *zone)
{
	struct delegation_entry *entry = strmap_del(&table->zones, zone, strlen(zone));
	if (entry == NULL)
		return;
	struct delegation_entry *last = table->heap[--table->count];
	if (last != entry) {
		put(table, entry->place, last);
		settle(table, last);
	}
	table->counts[entry->state]--;
	free_entry(entry);
}

struct delegation_entry *delegation_table_first(const struct delegation_table *table)
{
	return table->count > 0 ? table->heap[0] : NULL;
}

void delegation_table_set_due(struct delegation_table *table, struct delegation_entry *entry, int64_t due_ms)
{
	entry->due_ms = due_ms;
	settle(table, entry);
}

void delegation_table_set_result(struct delegation_table *table, struct delegation_entry *entry,
				 enum delegation_state state, char *result, int64_t now_ms)
{
	int64_t place_ms = hash(entry->zone) % DELEGATION_INTERVAL_MS;
	int64_t until_ms =
		(place_ms - now_ms % DELEGATION_INTERVAL_MS + DELEGATION_INTERVAL_MS) % DELEGATION_INTERVAL_MS;
	if (until_ms < SOONEST_MS)
		until_ms += DELEGATION_INTERVAL_MS;
	table->counts[entry->state]--;
	table->counts[state]++;
	entry->state = state;
	free(entry->result);
	entry->result = result;
	if (entry->due_ms > now_ms + until_ms)
		delegation_table_set_due(table, entry, now_ms + until_ms);
}

static int by_zone(const void *left, const void *right)
{
	const struct delegation_entry *const *a = left, *const *b = right;
	return strcmp((*a)->zone, (*b)->zone);
}

static json_t *item_of(const struct delegation_entry *entry)
{
	static const char *const keys[] = {"zone", "state", "parent", "summary", "checked_at"};
	json_t *result = NULL, *item = json_object();
	(void)veer_json_parse(entry->result, strlen(entry->result), RESULT_MAX, &result, NULL);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		(void)json_object_set(item, keys[i], json_object_get(result, keys[i]));
	json_decref(result);
	return item;
}

static bool is_bad(const struct delegation_entry *entry)
{
	return entry->state == DELEGATION_DIFFERS || entry->state == DELEGATION_MISSING;
}

json_t *delegation_table_bad(const struct delegation_table *table, size_t max)
{
	json_t *list = json_array();
	size_t count = 0;
	size_t bad = table->counts[DELEGATION_DIFFERS] + table->counts[DELEGATION_MISSING];
	const struct delegation_entry **found = bad > 0 ? calloc(bad, sizeof *found) : NULL;
	for (size_t i = 0; found != NULL && i < table->count && count < bad; i++)
		if (is_bad(table->heap[i]))
			found[count++] = table->heap[i];
	if (found != NULL)
		qsort(found, count, sizeof(struct delegation_entry *), by_zone);
	for (size_t i = 0; i < count && i < max; i++)
		(void)json_array_append_new(list, item_of(found[i]));
	free(found);
	return list;
}

void delegation_table_free(struct delegation_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free_entry(table->heap[i]);
	free(table->heap);
	strmap_free(&table->zones);
	*table = (struct delegation_table){.count = 0};
}
