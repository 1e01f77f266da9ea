/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which part of a store's content the engine can take. The API refuses more than that, but an earlier version may have
 * filled the store: then some pools are left out, and the others are watched as usual.
 */
#include <stdlib.h>
#include <string.h>

#include "api/control/controller_engine.h"

/* The checks of one pool, parts included, as indices into the checks. */
struct list {
	size_t checks[VERDICT_ITEMS_MAX];
	size_t count;
};

static int compare_check(const void *name, const void *check)
{
	return strcmp(name, ((const struct model_check *)check)->name);
}

/* Add a check as the plan does: checks that do not exist or do not fit are left out. */
static void list_add(struct list *list, const struct controller_fit *fit, const char *name)
{
	const struct model_check *found =
		bsearch(name, fit->checks, fit->check_count, sizeof *fit->checks, compare_check);
	size_t index = found != NULL ? (size_t)(found - fit->checks) : SIZE_MAX;
	if (found == NULL || list->count == VERDICT_ITEMS_MAX)
		return;
	for (size_t i = 0; i < list->count; i++)
		if (list->checks[i] == index)
			return;
	list->checks[list->count++] = index;
}

static void list_of(const struct controller_fit *fit, const struct model_pool *pool, struct list *list)
{
	list->count = 0;
	for (uint32_t i = 0; i < pool->check_count; i++)
		list_add(list, fit, pool->checks[i]);
	for (size_t i = 0; i < list->count; i++) { /* the list grows in the loop */
		const struct model_check *check = &fit->checks[list->checks[i]];
		for (uint32_t k = 0; k < check->of_count; k++)
			list_add(list, fit, check->of[k]);
	}
}

/* What has been taken so far. */
struct taken {
	bool *is_used; /* for each check */
	size_t checks, endpoints, items;
};

/* Take the pool if there is room for all of it. */
static bool take(struct taken *t, const struct model_pool *pool, const struct list *list)
{
	size_t more = 0;
	for (size_t i = 0; i < list->count; i++)
		more += !t->is_used[list->checks[i]];
	if (t->checks + more > VERDICT_CHECKS_MAX || t->endpoints + pool->endpoint_count > VERDICT_ENDPOINTS_MAX ||
	    t->items + pool->endpoint_count * list->count > REPORT_ITEMS_MAX)
		return false;
	t->checks += more;
	t->endpoints += pool->endpoint_count;
	t->items += pool->endpoint_count * list->count;
	for (size_t i = 0; i < list->count; i++)
		t->is_used[list->checks[i]] = true;
	return true;
}

/* Keep the checks that are used and, of the others, as many as there is room for. */
static void keep_checks(struct controller_fit *fit, const struct taken *t)
{
	size_t kept = 0, unused = 0;
	for (size_t i = 0; i < fit->check_count; i++)
		if (t->is_used[i] || t->checks + unused++ < VERDICT_CHECKS_MAX)
			fit->checks[kept++] = fit->checks[i];
	fit->check_count = kept;
}

bool controller_fit(struct controller_fit *fit, struct arena *arena, struct logger *log)
{
	struct list list;
	struct taken taken = {.is_used = arena_calloc(arena, fit->check_count + 1, sizeof(bool))};
	size_t all = fit->check_count;
	fit->is_excess = arena_calloc(arena, fit->pool_count + 1, sizeof(bool));
	fit->watched = arena_calloc(arena, fit->pool_count + 1, sizeof *fit->watched);
	if (taken.is_used == NULL || fit->is_excess == NULL || fit->watched == NULL)
		return false;
	for (size_t i = 0; i < fit->pool_count; i++) {
		list_of(fit, &fit->pools[i], &list);
		fit->is_excess[i] = !take(&taken, &fit->pools[i], &list);
		if (!fit->is_excess[i])
			fit->watched[fit->watched_count++] = fit->pools[i];
		else
			log_error(log, "more is stored than can be watched: a pool is left out, its verdicts stay",
				  LOG_STR("pool", fit->pools[i].name));
	}
	keep_checks(fit, &taken);
	if (fit->check_count < all)
		log_error(log, "more checks are stored than can be carried out: some that no pool needs are left out",
			  LOG_INT("checks", (int64_t)(all - fit->check_count)));
	return true;
}
