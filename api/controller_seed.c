/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine is told of the stored verdicts when a controller starts. */
#include <stdio.h>
#include <string.h>

#include "api/controller_impl.h"

static bool take_newest(void *ctx, const struct directory_entry *entry)
{
	int64_t *newest = ctx;
	*newest = entry->revision > *newest ? entry->revision : *newest;
	return true;
}

/* Was it decided by its pool and the checks that this lists as they are now? The directory's read lock is held. */
static bool is_current(struct controller *c, const struct model_verdict *verdict)
{
	char name[MODEL_NAME_MAX + 1];
	int64_t newest = 0;
	(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(verdict->endpoint, "/"), verdict->endpoint);
	size_t i = controller_pool_index(&c->model, name);
	if (i == SIZE_MAX)
		return false;
	const struct model_pool *pool = &c->model.pools[i];
	(void)directory_get_locked(c->config.directory, MODEL_KIND_POOL, name, take_newest, &newest);
	for (uint32_t k = 0; k < pool->check_count; k++)
		(void)directory_get_locked(c->config.directory, MODEL_KIND_CHECK, pool->checks[k], take_newest,
					   &newest);
	return newest <= verdict->since_revision;
}

/*
 * How long ago it was committed: exact as long as the kernel has run without a break since, whoever sets a clock (S13);
 * otherwise -1, not known.
 */
static int64_t age_ms(struct controller *c, const json_t *verdict)
{
	const char *boot = json_string_value(json_object_get(verdict, "boot")),
		   *now = veer_clock_boot_id(c->config.clock);
	const json_t *then = json_object_get(verdict, "monotonic_ms");
	int64_t age = controller_now_ms(c) - json_integer_value(then);
	return boot != NULL && boot[0] != '\0' && strcmp(boot, now) == 0 && json_is_integer(then) &&
			       json_integer_value(then) >= 0 && age >= 0
		       ? age
		       : -1;
}

static bool seed_verdict(void *ctx, const struct directory_entry *entry)
{
	struct controller *c = ctx;
	struct model_verdict verdict;
	struct arena *arena = arena_new(65536);
	if (arena != NULL && model_verdict_parse(entry->object, arena, &verdict, NULL) == VEER_OK)
		(void)verdict_seed(c->engine, verdict.endpoint, verdict.state, age_ms(c, entry->object),
				   is_current(c, &verdict), controller_now_ms(c));
	arena_free(&arena);
	return true;
}

void controller_seed(struct controller *c)
{
	directory_read_begin(c->config.directory);
	directory_list_locked(c->config.directory, MODEL_KIND_VERDICT, NULL, seed_verdict, c);
	directory_read_end(c->config.directory);
}
