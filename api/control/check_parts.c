/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/check_parts.h"

#include <string.h>

#include "probes/verdict/assign.h"

enum { CHECKS_MAX = VERDICT_CHECKS_MAX, ARENA_BYTES = 64 << 20 };

/* All calculated checks as they would be after the write. */
struct gathering {
	struct arena *arena;
	struct model_check *checks;
	uint32_t count;
	const char *except; /* the check that is being written: its stored version is left out */
};

static bool gather(void *ctx, const struct directory_entry *entry)
{
	struct gathering *g = ctx;
	const char *kind = json_string_value(json_object_get(entry->object, "kind"));
	if (kind != NULL && strcmp(kind, "calculated") == 0 && g->count < CHECKS_MAX &&
	    strcmp(entry->key, g->except) != 0 &&
	    model_check_parse(entry->object, g->arena, &g->checks[g->count], NULL) == VEER_OK)
		g->count++;
	return true;
}

static enum veer_err gathering_init(struct gathering *g, struct directory *directory, const struct model_check *written)
{
	*g = (struct gathering){.arena = arena_new(ARENA_BYTES), .except = written != NULL ? written->name : ""};
	g->checks = g->arena != NULL ? arena_calloc(g->arena, CHECKS_MAX, sizeof *g->checks) : NULL;
	if (g->checks == NULL)
		return VEER_ENOMEM;
	if (written != NULL)
		g->checks[g->count++] = *written;
	directory_list(directory, MODEL_KIND_CHECK, NULL, gather, g);
	return VEER_OK;
}

/* --- how many items that makes -------------------------------------------------------------------------------------
 */

/* A set of checks, counted up to one more than is allowed. */
struct tally {
	const char *names[VERDICT_ITEMS_MAX + 1];
	uint32_t count;
};

static void tally_add(struct tally *t, const char *name)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (strcmp(t->names[i], name) == 0)
			return;
	if (t->count <= VERDICT_ITEMS_MAX)
		t->names[t->count++] = name;
}

/* The calculated check of that name; NULL when that check is not a calculated one. */
static const struct model_check *find_calculated(const struct gathering *g, const char *name)
{
	for (uint32_t i = 0; i < g->count; i++)
		if (strcmp(g->checks[i].name, name) == 0)
			return &g->checks[i];
	return NULL;
}

/* Would an endpoint of a pool that lists the checks of the tally have more checks, parts included, than allowed? */
static bool is_too_many(const struct gathering *g, struct tally *t)
{
	for (uint32_t i = 0; i < t->count && t->count <= VERDICT_ITEMS_MAX; i++) { /* the tally grows in the loop */
		const struct model_check *check = find_calculated(g, t->names[i]);
		for (uint32_t k = 0; check != NULL && k < check->of_count; k++)
			tally_add(t, check->of[k]);
	}
	return t->count > VERDICT_ITEMS_MAX;
}

struct pools {
	const struct gathering *g;
	struct veer_diag *diag;
	enum veer_err err;
};

static bool pool_must_be_small(void *ctx, const struct directory_entry *entry)
{
	struct pools *pools = ctx;
	struct tally tally = {.count = 0};
	size_t i;
	json_t *element;
	json_array_foreach(json_object_get(entry->object, "checks"), i, element) if (json_is_string(element))
		tally_add(&tally, json_string_value(element));
	if (is_too_many(pools->g, &tally))
		pools->err = veer_fail(pools->diag, VEER_EINVAL,
				       "/of: the pool \"%s\" would have more than %d checks and parts of them",
				       entry->key, VERDICT_ITEMS_MAX);
	return pools->err == VEER_OK;
}

/* The totals of everything that is watched. With more than the engine takes, it would have no configuration at all. */
struct totals {
	const struct gathering *g;
	const char *except; /* the pool that is being written: its stored version is left out */
	uint64_t endpoints;
	uint64_t items;
};

static bool add_pool(void *ctx, const struct directory_entry *entry)
{
	struct totals *totals = ctx;
	struct tally tally = {.count = 0};
	uint64_t endpoints = json_array_size(json_object_get(entry->object, "endpoints"));
	size_t i;
	json_t *element;
	if (strcmp(entry->key, totals->except) == 0)
		return true;
	json_array_foreach(json_object_get(entry->object, "checks"), i, element) if (json_is_string(element))
		tally_add(&tally, json_string_value(element));
	(void)is_too_many(totals->g, &tally);
	totals->endpoints += endpoints;
	totals->items += endpoints * tally.count;
	return true;
}

static enum veer_err must_fit(struct directory *directory, struct totals *totals, const char *pointer,
			      struct veer_diag *diag)
{
	directory_list(directory, MODEL_KIND_POOL, NULL, add_pool, totals);
	if (totals->endpoints > VERDICT_ENDPOINTS_MAX)
		return veer_fail(diag, VEER_EINVAL, "%s: all pools together would have more than %d endpoints", pointer,
				 VERDICT_ENDPOINTS_MAX);
	if (totals->items > REPORT_ITEMS_MAX)
		return veer_fail(diag, VEER_EINVAL,
				 "%s: all pools together would have more than %d pairs of check and endpoint", pointer,
				 REPORT_ITEMS_MAX);
	return VEER_OK;
}

enum veer_err check_parts_judge_pool(struct directory *directory, const struct model_pool *pool, struct veer_diag *diag)
{
	struct gathering g;
	struct tally tally = {.count = 0};
	enum veer_err err = gathering_init(&g, directory, NULL);
	for (uint32_t i = 0; i < pool->check_count; i++)
		tally_add(&tally, pool->checks[i]);
	if (err == VEER_OK && is_too_many(&g, &tally))
		err = veer_fail(diag, VEER_EINVAL, "/checks: with the parts of calculated ones these are more than %d",
				VERDICT_ITEMS_MAX);
	struct totals totals = {&g, pool->name, pool->endpoint_count, (uint64_t)pool->endpoint_count * tally.count};
	if (err == VEER_OK)
		err = must_fit(directory, &totals, "/endpoints", diag);
	arena_free(&g.arena);
	return err;
}

/* --- one check ------------------------------------------------------------------------------------------------------
 */

static enum veer_err must_be_sound(struct directory *directory, const struct model_check *check, struct veer_diag *diag)
{
	struct gathering g;
	struct pools pools = {.g = &g, .diag = diag};
	enum veer_err err = gathering_init(&g, directory, check);
	if (err == VEER_OK) {
		const struct model_check *unsound = assign_unsound_check(g.checks, g.count, g.arena);
		if (unsound != NULL)
			err = veer_fail(diag, VEER_EINVAL,
					"/of: the check \"%s\" would be calculated in a loop or nested deeper than %d",
					unsound->name, VERDICT_NESTING_MAX);
	}
	if (err == VEER_OK) {
		directory_list(directory, MODEL_KIND_POOL, NULL, pool_must_be_small, &pools);
		err = pools.err;
	}
	struct totals totals = {.g = &g, .except = ""};
	if (err == VEER_OK)
		err = must_fit(directory, &totals, "/of", diag);
	arena_free(&g.arena);
	return err;
}

enum veer_err check_parts_judge(struct directory *directory, const struct model_check *check, struct veer_diag *diag)
{
	if (directory_count(directory, MODEL_KIND_CHECK) >= CHECKS_MAX &&
	    directory_revision_of(directory, MODEL_KIND_CHECK, check->name) == 0)
		return veer_fail(diag, VEER_EINVAL, "/name: there are %d checks already", CHECKS_MAX);
	for (uint32_t i = 0; i < check->of_count; i++) {
		if (directory_revision_of(directory, MODEL_KIND_CHECK, check->of[i]) == 0)
			return veer_fail(diag, VEER_EINVAL, "/of/%u: there is no check \"%s\"", i, check->of[i]);
	}
	return check->of_count == 0 ? VEER_OK : must_be_sound(directory, check, diag);
}
