/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine is told about the stored verdicts when a controller starts. */
#include <stdio.h>
#include <string.h>

#include "api/control/controller_engine.h"
#include "base/index.h"

bool controller_decided_by(const struct controller_engine *engine, const char *endpoint,
			   char out[CONTROLLER_DECIDED_SIZE])
{
	const struct verdict_config *config = &engine->model.plan->config;
	uint32_t index = verdict_endpoint_index(engine->verdicts, endpoint);
	if (index >= config->endpoint_count)
		return false;
	const struct verdict_endpoint *e = &config->endpoints[index];
	uint64_t hash = e->fingerprint;
	for (uint32_t i = 0; i < e->check_count - e->part_count; i++) {
		const struct verdict_check *check = &config->checks[e->checks[i]];
		/* A sum, so that the order in which the pool lists them does not matter. */
		if (!check->is_warning)
			hash += index_hash(check->fingerprint, check->name);
	}
	(void)snprintf(out, CONTROLLER_DECIDED_SIZE, "%016llx", (unsigned long long)hash);
	return true;
}

bool controller_is_current(const struct controller_engine *engine, const struct directory_entry *entry)
{
	char now[CONTROLLER_DECIDED_SIZE];
	const char *then = json_string_value(json_object_get(entry->object, "decided_by"));
	return then != NULL && controller_decided_by(engine, entry->key, now) && strcmp(then, now) == 0;
}

/*
 * How long ago the verdict was committed: exact if the kernel has run without a restart since, even if a clock was set
 * (S13); otherwise -1, unknown.
 */
static int64_t age_ms(struct controller_engine *engine, const json_t *verdict)
{
	const char *boot = json_string_value(json_object_get(verdict, "boot"));
	const json_t *then = json_object_get(verdict, "monotonic_ms");
	int64_t age = controller_now_ms(engine) - json_integer_value(then);
	return boot != NULL && boot[0] != '\0' && strcmp(boot, engine->boot_id) == 0 && json_is_integer(then) &&
			       json_integer_value(then) >= 0 && age >= 0
		       ? age
		       : -1;
}

static bool seed_verdict(void *ctx, const struct directory_entry *entry)
{
	struct controller_engine *engine = ctx;
	struct model_verdict verdict;
	struct arena *arena = arena_new(65536);
	if (arena != NULL && model_verdict_parse(entry->object, arena, &verdict, NULL) == VEER_OK)
		(void)verdict_seed(engine->verdicts, verdict.endpoint, verdict.state, age_ms(engine, entry->object),
				   controller_is_current(engine, entry), controller_now_ms(engine));
	arena_free(&arena);
	return true;
}

void controller_seed(struct controller_engine *engine)
{
	directory_read_begin(engine->config->directory);
	directory_list_locked(engine->config->directory, MODEL_KIND_VERDICT, NULL, seed_verdict, engine);
	directory_read_end(engine->config->directory);
}
