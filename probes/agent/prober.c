/* SPDX-License-Identifier: Apache-2.0 */
/* The list in force: its items, and what an item keeps when the next list comes. */
#include "probes/agent/prober.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "probes/agent/prober_impl.h"

#define DESCRIPTORS_KEPT 128 /* for the control planes, the disk and the resolver's threads */

void prober_work_release(struct prober_work **work_ptr)
{
	struct prober_work *work = *work_ptr;
	*work_ptr = NULL;
	if (work == NULL || --work->references > 0)
		return;
	struct arena *arena = work->arena; /* copied, because the work lives in it */
	arena_free(&arena);
}

static const char *item_key(struct arena *arena, const char *check, const char *endpoint)
{
	return arena_printf(arena, "%s %s", check, endpoint);
}

static void item_free(struct prober_item *item)
{
	if (item == NULL)
		return;
	prober_schedule_cancel(item);
	prober_attempts_cancel(item);
	free(item);
}

static struct prober_work *work_new(const struct assignments *list, struct arena *arena)
{
	struct prober_work *work = arena_alloc(arena, sizeof *work);
	if (work == NULL || strmap_init_fixed(&work->map, arena, list->item_count) != VEER_OK)
		return NULL;
	work->arena = arena;
	work->list = *list;
	work->references = 1;
	for (uint32_t i = 0; i < list->item_count; i++) {
		const struct assign_item *assigned = &list->items[i];
		if (assigned->check == ASSIGN_CHECK_UNSUPPORTED)
			continue;
		const char *key = item_key(arena, list->checks[assigned->check].name, assigned->endpoint);
		if (key == NULL)
			return NULL;
		(void)strmap_add_number(&work->map, key, i);
	}
	return work;
}

/* Set what the list says about the item at `place`. */
static void item_describe(struct prober_item *item, const struct prober_work *work, uint32_t place)
{
	const struct assign_item *assigned = &work->list.items[place];
	bool is_supported = assigned->check != ASSIGN_CHECK_UNSUPPORTED;
	item->assigned = assigned;
	item->check = is_supported ? &work->list.checks[assigned->check] : NULL;
	item->fingerprint = index_hash(INDEX_HASH_SEED, assigned->address);
	if (is_supported) {
		item->fingerprint ^= assign_check_fingerprint(item->check);
		item->place = index_hash(index_hash(INDEX_HASH_SEED, item->check->name), assigned->endpoint) >> 16;
	}
}

/* The place of the same item in the previous list, or INDEX_NONE. */
static uint32_t place_before(const struct prober *prober, const struct prober_item *item, struct arena *arena)
{
	if (prober->work == NULL || item->check == NULL)
		return INDEX_NONE;
	const char *key = item_key(arena, item->check->name, item->assigned->endpoint);
	uint32_t place = key != NULL ? strmap_get_number(&prober->work->map, key) : INDEX_NONE;
	if (place == INDEX_NONE || prober->items[place] == NULL ||
	    prober->items[place]->fingerprint != item->fingerprint)
		return INDEX_NONE;
	return place;
}

/* Move the observations and the running probes from the old item to the new one. */
static void item_inherit(struct prober_item *item, struct prober_item *old)
{
	item->streak = old->streak;
	item->first_left = old->first_left;
	item->started = old->started;
	item->ended = old->ended;
	item->confirm_left = old->confirm_left;
	item->is_failing = old->is_failing;
	item->failing_ms = old->failing_ms;
	prober_attempts_move(item, old);
}

static void item_begin(struct prober_item *item, struct prober_item *old)
{
	if (item->check == NULL) {
		item->streak.reason = PROBE_REASON_INTERNAL;
		return;
	}
	item->first_left = 2 * (item->check->fall > item->check->rise ? item->check->fall : item->check->rise);
	if (old != NULL)
		item_inherit(item, old);
	prober_schedule_begin(item, old);
}

static struct prober_item **items_new(struct prober *prober, const struct prober_work *work)
{
	uint32_t count = work->list.item_count;
	struct prober_item **items = calloc((size_t)count + 1, sizeof *items);
	bool failed = items == NULL;
	for (uint32_t i = 0; i < count && !failed; i++) {
		items[i] = calloc(1, sizeof *items[i]);
		failed = items[i] == NULL;
		if (!failed)
			items[i]->prober = prober;
	}
	if (!failed)
		return items;
	for (uint32_t i = 0; items != NULL && i < count; i++)
		free(items[i]);
	free(items);
	return NULL;
}

static void items_free(struct prober *prober)
{
	for (uint32_t i = 0; i < prober->item_count; i++)
		item_free(prober->items[i]);
	free(prober->items);
	prober->items = NULL;
	prober->item_count = 0;
}

/* Each probe needs a descriptor; some are reserved for the agent's own connections. */
static uint64_t descriptors_for_probes(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT : limit.rlim_cur / 2;
}

static void count_failing(struct prober *prober)
{
	prober->probed_count = 0;
	prober->failing_count = 0;
	for (uint32_t i = 0; i < prober->item_count; i++) {
		prober->probed_count += prober->items[i]->check != NULL;
		prober->failing_count += prober->items[i]->is_failing;
	}
}

enum veer_err prober_assign(struct prober *prober, const struct assignments *list, struct arena *arena)
{
	struct prober_work *work = work_new(list, arena);
	struct prober_item **items = work != NULL ? items_new(prober, work) : NULL;
	if (items == NULL) {
		arena_free(&arena);
		return VEER_ENOMEM;
	}
	prober->pace_count = list->item_count;
	for (uint32_t i = 0; i < list->item_count; i++) {
		item_describe(items[i], work, i);
		uint32_t before = place_before(prober, items[i], arena);
		item_begin(items[i], before != INDEX_NONE ? prober->items[before] : NULL);
		if (before == INDEX_NONE)
			continue;
		item_free(prober->items[before]);
		prober->items[before] = NULL;
	}
	items_free(prober);
	prober_work_release(&prober->work);
	prober->work = work;
	prober->items = items;
	prober->item_count = list->item_count;
	count_failing(prober);
	prober->attempt_max = descriptors_for_probes();
	return VEER_OK;
}

void prober_confirm(struct prober *prober, const char *check, const char *endpoint)
{
	char key[MODEL_NAME_MAX + MODEL_ENDPOINT_KEY_MAX + 2];
	if (prober->work == NULL || strlen(check) > MODEL_NAME_MAX || strlen(endpoint) > MODEL_ENDPOINT_KEY_MAX)
		return;
	(void)snprintf(key, sizeof key, "%s %s", check, endpoint);
	uint32_t place = strmap_get_number(&prober->work->map, key);
	if (place != INDEX_NONE)
		prober_schedule_confirm(prober->items[place]);
}

/* --- outside --------------------------------------------------------------------------------------------------- */

struct prober *prober_new(const struct check_env *env, struct logger *log, const struct prober_events *events)
{
	struct prober *prober = calloc(1, sizeof *prober);
	if (prober != NULL)
		*prober = (struct prober){.env = env, .log = log, .events = *events};
	return prober;
}

void prober_free(struct prober **prober)
{
	if (*prober == NULL)
		return;
	items_free(*prober);
	prober_work_release(&(*prober)->work);
	free(*prober);
	*prober = NULL;
}

int64_t prober_revision(const struct prober *prober)
{
	return prober->work == NULL ? -1 : prober->work->list.revision;
}

uint32_t prober_item_count(const struct prober *prober)
{
	return prober->item_count;
}

void prober_observe(const struct prober *prober, struct observation *out)
{
	int64_t now_ms = loop_now_ms(prober->env->loop);
	for (uint32_t i = 0; i < prober->item_count; i++)
		out[i] = streak_observation(&prober->items[i]->streak, now_ms);
}
