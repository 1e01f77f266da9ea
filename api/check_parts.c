/* SPDX-License-Identifier: Apache-2.0 */
/* The references between checks: what a calculated one is calculated of. */
#include <string.h>

#include "api/api.h"
#include "api/handlers.h"
#include "probes/assign.h"

enum { CHECKS_MAX = 4096, ARENA_BYTES = 64 << 20 };

/* All calculated checks as they would be after the write. */
struct gathering {
	struct arena *arena;
	struct model_check *checks;
	uint32_t count;
	const char *except; /* is being written: not as it was */
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

static enum veer_err must_be_sound(struct api *api, const struct model_check *check, struct veer_diag *diag)
{
	struct gathering g = {.arena = arena_new(ARENA_BYTES), .except = check->name};
	g.checks = g.arena != NULL ? arena_calloc(g.arena, CHECKS_MAX, sizeof *g.checks) : NULL;
	enum veer_err err = g.checks != NULL ? VEER_OK : VEER_ENOMEM;
	if (err == VEER_OK) {
		g.checks[g.count++] = *check;
		directory_list(api->directory, MODEL_KIND_CHECK, NULL, gather, &g);
		const struct model_check *unsound = assign_unsound_check(g.checks, g.count, g.arena);
		if (unsound != NULL)
			err = veer_fail(diag, VEER_EINVAL,
					"/of: the check \"%s\" would be calculated in a loop or nested deeper than %d",
					unsound->name, VERDICT_NESTING_MAX);
	}
	arena_free(&g.arena);
	return err;
}

enum veer_err api_validate_parts(struct api *api, const struct model_check *check, struct veer_diag *diag)
{
	for (uint32_t i = 0; i < check->of_count; i++) {
		if (api_revision_of(api, MODEL_KIND_CHECK, check->of[i]) == 0)
			return veer_fail(diag, VEER_EINVAL, "/of/%u: there is no check \"%s\"", i, check->of[i]);
	}
	return check->of_count == 0 ? VEER_OK : must_be_sound(api, check, diag);
}
