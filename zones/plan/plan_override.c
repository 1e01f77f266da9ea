/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's overrides (an administrator's decisions, which take precedence over verdicts) and doubts (suspicions,
 * which shorten TTLs).
 */
#include <stdlib.h>
#include <string.h>

#include "zones/plan/plan_override.h"

#define OBJECT_BYTES_MAX ((size_t)64 << 10) /* of one parsed object */

/* The values in the map. */
static const enum model_override_action forced_up = MODEL_OVERRIDE_UP;
static const enum model_override_action taken_out = MODEL_OVERRIDE_DRAIN; /* also used for forced down, which has the
									   * same effect on answers */

/* The builder's part of this file. */
struct own {
	struct strmap overrides; /* POOL/NAME -> one of two static actions */
	struct strmap doubts;    /* POOL/NAME -> struct build_doubt */
	uint64_t doubt_round;    /* number of calls of plan_builder_set_doubt() */
	bool are_all_in_doubt;   /* all endpoints are in doubt, whatever `doubts` says */
};

/* NULL when nothing was put yet. */
static struct own *own_of(const struct plan_builder *b)
{
	return b->own[MODEL_KIND_OVERRIDE];
}

/* The same, made when it is not there; NULL when memory is out. */
static struct own *need_own(struct plan_builder *b)
{
	if (b->own[MODEL_KIND_OVERRIDE] == NULL)
		b->own[MODEL_KIND_OVERRIDE] = calloc(1, sizeof(struct own));
	return b->own[MODEL_KIND_OVERRIDE];
}

enum veer_err build_put_override(struct plan_builder *b, const char *key, const json_t *object, struct veer_diag *diag)
{
	struct model_override parsed = {0};
	struct own *own = need_own(b);
	struct arena *arena = own != NULL ? arena_new(OBJECT_BYTES_MAX) : NULL;
	enum veer_err err = arena != NULL ? model_override_parse(object, arena, &parsed, diag) : VEER_ENOMEM;
	if (err == VEER_OK && strcmp(parsed.endpoint, key) != 0)
		err = veer_fail(diag, VEER_EINVAL, "the key is not the override's endpoint");
	arena_free(&arena);
	const enum model_override_action *mark = parsed.action == MODEL_OVERRIDE_UP ? &forced_up : &taken_out;
	if (err == VEER_OK && strmap_get(&own->overrides, key, strlen(key)) == mark)
		return VEER_OK; /* only fields for people have changed */
	if (err == VEER_OK)
		err = strmap_put(&own->overrides, key, strlen(key), (void *)(uintptr_t)mark);
	return err == VEER_OK ? build_mark_pool_of(b, key, strcspn(key, "/")) : err;
}

enum veer_err build_del_override(struct plan_builder *b, const char *key)
{
	struct own *own = own_of(b);
	if (own == NULL || strmap_del(&own->overrides, key, strlen(key)) == NULL)
		return VEER_OK;
	return build_mark_pool_of(b, key, strcspn(key, "/"));
}

const enum model_override_action *build_override(const struct plan_builder *b, const char *key, size_t len)
{
	const struct own *own = own_of(b);
	return own != NULL ? strmap_get(&own->overrides, key, len) : NULL;
}

bool build_is_in_doubt(const struct plan_builder *b, const char *key, size_t len)
{
	const struct own *own = own_of(b);
	return own != NULL &&
	       (own->are_all_in_doubt || (own->doubts.count > 0 && strmap_get(&own->doubts, key, len) != NULL));
}

/* One endpoint in doubt, as the value in the map. */
struct build_doubt {
	uint64_t round; /* the last call that included it */
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
};

static enum veer_err add_doubt(struct plan_builder *b, const char *key, bool *changed)
{
	size_t len = strnlen(key, MODEL_ENDPOINT_KEY_MAX + 1);
	struct own *own = own_of(b);
	struct build_doubt *doubt = strmap_get(&own->doubts, key, len);
	if (len > MODEL_ENDPOINT_KEY_MAX)
		return VEER_OK; /* no endpoint has such a name */
	if (doubt != NULL) {
		doubt->round = own->doubt_round;
		return VEER_OK;
	}
	doubt = calloc(1, sizeof *doubt);
	if (doubt == NULL || strmap_put(&own->doubts, key, len, doubt) != VEER_OK) {
		free(doubt);
		return VEER_ENOMEM;
	}
	doubt->round = own->doubt_round;
	memcpy(doubt->key, key, len);
	*changed = true;
	return build_mark_pool_of(b, key, strcspn(key, "/"));
}

/* A doubt that was not in the set of this round, or NULL. */
static struct build_doubt *old_doubt(const struct own *own, size_t *at)
{
	struct build_doubt *doubt;
	while ((doubt = strmap_next(&own->doubts, at)) != NULL)
		if (doubt->round != own->doubt_round)
			return doubt;
	return NULL;
}

static enum veer_err drop_old_doubts(struct plan_builder *b, bool *changed)
{
	struct own *own = own_of(b);
	struct ptr_list old = {0};
	size_t at = 0;
	enum veer_err err = VEER_OK;
	for (struct build_doubt *doubt; err == VEER_OK && (doubt = old_doubt(own, &at)) != NULL;)
		err = ptr_list_add(&old, doubt);
	for (size_t i = 0; i < old.count && err == VEER_OK; i++) {
		struct build_doubt *doubt = old.items[i];
		err = build_mark_pool_of(b, doubt->key, strcspn(doubt->key, "/"));
		if (err != VEER_OK)
			break;
		(void)strmap_del(&own->doubts, doubt->key, strlen(doubt->key));
		free(doubt);
		*changed = true;
	}
	ptr_list_free(&old);
	return err;
}

enum veer_err plan_builder_set_doubt(struct plan_builder *builder, const char *const *endpoints, size_t count,
				     bool *changed)
{
	struct own *own = need_own(builder);
	enum veer_err err = own != NULL ? VEER_OK : VEER_ENOMEM;
	*changed = false;
	if (own != NULL)
		own->doubt_round++;
	for (size_t i = 0; i < count && err == VEER_OK; i++)
		err = add_doubt(builder, endpoints[i], changed);
	return err == VEER_OK ? drop_old_doubts(builder, changed) : err;
}

enum veer_err plan_builder_set_all_in_doubt(struct plan_builder *builder, bool are_in_doubt)
{
	struct own *own = need_own(builder);
	if (own == NULL)
		return VEER_ENOMEM;
	if (own->are_all_in_doubt == are_in_doubt)
		return VEER_OK;
	own->are_all_in_doubt = are_in_doubt;
	return build_mark_all_pools(builder);
}

void build_free_override(struct plan_builder *b)
{
	struct own *own = own_of(b);
	size_t at = 0;
	if (own == NULL)
		return;
	for (struct build_doubt *doubt; (doubt = strmap_next(&own->doubts, &at)) != NULL;)
		free(doubt);
	strmap_free(&own->doubts);
	strmap_free(&own->overrides);
	free(own);
	b->own[MODEL_KIND_OVERRIDE] = NULL;
}
