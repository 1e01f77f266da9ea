/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's verdicts and last sets. */
#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_impl.h"

#define OBJECT_BYTES_MAX ((size_t)4 << 20) /* of one parsed object */

/* The values of verdicts in their map. */
static const enum model_state up = MODEL_STATE_UP;
static const enum model_state down = MODEL_STATE_DOWN;

enum veer_err build_put_verdict(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	struct model_verdict parsed;
	struct arena *arena = arena_new(OBJECT_BYTES_MAX);
	enum veer_err err = arena != NULL ? model_verdict_parse(object, arena, &parsed, diag) : VEER_ENOMEM;
	if (err == VEER_OK && strcmp(parsed.endpoint, key) != 0)
		err = veer_fail(diag, VEER_EINVAL, "the key is not the verdict's endpoint");
	const enum model_state *mark = err == VEER_OK && parsed.state == MODEL_STATE_DOWN ? &down : &up;
	arena_free(&arena);
	if (err == VEER_OK && strmap_get(&b->verdicts, key, strlen(key)) == mark)
		return VEER_OK; /* only fields for people have changed */
	if (err == VEER_OK)
		err = strmap_put(&b->verdicts, key, strlen(key), (void *)(uintptr_t)mark);
	return err == VEER_OK ? build_mark_pool_of(b, key, strcspn(key, "/")) : err;
}

static enum veer_err parse_last(const char *key, const json_t *object, struct build_last **out, struct veer_diag *diag)
{
	const char *pool = json_string_value(json_object_get(object, "pool"));
	const json_t *names = json_object_get(object, "endpoints");
	size_t count = json_array_size(names);
	if (pool == NULL || strcmp(pool, key) != 0 || !json_is_array(names) || count > MODEL_ENDPOINTS_MAX)
		return veer_fail(diag, VEER_EINVAL, "a last set needs \"pool\", which is its key, and \"endpoints\"");
	struct build_last *last = calloc(1, sizeof *last + count * sizeof last->names[0]);
	if (last == NULL)
		return VEER_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		if (name == NULL || !model_is_name(name)) {
			free(last);
			return veer_fail(diag, VEER_EINVAL, "/endpoints/%zu: must be the name of an endpoint", i);
		}
		memcpy(last->names[last->count++], name, strlen(name) + 1);
	}
	*out = last;
	return VEER_OK;
}

enum veer_err build_put_last(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	struct build_last *last = NULL;
	enum veer_err err = parse_last(key, object, &last, diag);
	if (err != VEER_OK)
		return err;
	struct build_last *old = strmap_get(&b->lasts, key, strlen(key));
	err = strmap_put(&b->lasts, key, strlen(key), last);
	free(err == VEER_OK ? old : last);
	return err == VEER_OK ? build_mark_pool_of(b, key, strlen(key)) : err;
}

bool build_is_in_last(const struct build_last *last, const char *name)
{
	for (unsigned i = 0; i < last->count; i++)
		if (strcmp(last->names[i], name) == 0)
			return true;
	return false;
}

enum veer_err build_del_verdict(struct plan_builder *b, const char *key)
{
	(void)strmap_del(&b->verdicts, key, strlen(key));
	return build_mark_pool_of(b, key, strcspn(key, "/"));
}

enum veer_err build_del_last(struct plan_builder *b, const char *key)
{
	free(strmap_del(&b->lasts, key, strlen(key)));
	return build_mark_pool_of(b, key, strlen(key));
}

enum model_state build_verdict(const struct plan_builder *b, const char *key, size_t len)
{
	const enum model_state *verdict = strmap_get(&b->verdicts, key, len);
	return verdict != NULL ? *verdict : MODEL_STATE_UNKNOWN;
}

void build_free_verdict(struct plan_builder *b)
{
	strmap_free(&b->verdicts);
}

void build_free_last(struct plan_builder *b)
{
	size_t at = 0;
	for (struct build_last *last; (last = strmap_next(&b->lasts, &at)) != NULL;)
		free(last);
	strmap_free(&b->lasts);
}
