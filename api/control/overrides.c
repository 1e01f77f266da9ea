/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/overrides.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/change.h"
#include "base/json.h"

enum { WAIT_MS = 500, POOLS_MAX = OVERRIDES_AT_ONCE };

static const char guard_key[] = "overrides";
static const char election_key[] = "election";

/* The transaction in progress, read at one revision of the directory. */
struct draft {
	const struct override_wish *wish;
	struct directory *directory;
	struct arena *arena;
	struct veer_diag *diag;
	struct store_op *ops; /* room for STORE_COMMIT_OPS_MAX */
	size_t op_count;
	char pools[POOLS_MAX][MODEL_NAME_MAX + 1]; /* pools that were looked at */
	size_t pool_count;
	struct safety_loss *loss;
	enum veer_err err;
};

static bool is_out(enum model_override_action action)
{
	return action == MODEL_OVERRIDE_DOWN || action == MODEL_OVERRIDE_DRAIN;
}

static bool has_endpoint(const json_t *endpoints, const char *name)
{
	size_t i;
	json_t *endpoint;
	json_array_foreach((json_t *)(uintptr_t)endpoints, i, endpoint)
	{
		const char *other = json_string_value(json_object_get(endpoint, "name"));
		if (other != NULL && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

/*
 * Check that the wished endpoints of one pool exist, and add the condition that the pool is unchanged at commit time.
 */
static bool look_at_pool(void *ctx, const struct directory_entry *entry)
{
	struct draft *d = ctx;
	const struct override_wish *wish = d->wish;
	const json_t *endpoints = json_object_get(entry->object, "endpoints");
	size_t prefix = strlen(entry->key) + 1;
	for (size_t i = 0; i < wish->count; i++)
		if (strncmp(wish->endpoints[i], entry->key, prefix - 1) == 0 && wish->endpoints[i][prefix - 1] == '/' &&
		    !has_endpoint(endpoints, wish->endpoints[i] + prefix))
			d->err = veer_fail(d->diag, VEER_ENOTFOUND, "there is no endpoint \"%s\"", wish->endpoints[i]);
	d->ops[d->op_count++] = (struct store_op){.op = STORE_CHECK,
						  .kind = MODEL_KIND_POOL,
						  .key = arena_strdup(d->arena, entry->key),
						  .expect = entry->revision};
	return true;
}

/* Check the pool of one wished endpoint, once for each pool. */
static void look_at(struct draft *d, const char *endpoint)
{
	size_t len = strcspn(endpoint, "/");
	char *pool = d->pools[d->pool_count];
	if (len == 0 || len > MODEL_NAME_MAX || endpoint[len] != '/') {
		d->err = veer_fail(d->diag, VEER_ENOTFOUND, "there is no endpoint \"%s\"", endpoint);
		return;
	}
	memcpy(pool, endpoint, len);
	pool[len] = '\0';
	for (size_t i = 0; i < d->pool_count; i++)
		if (strcmp(d->pools[i], pool) == 0)
			return;
	d->pool_count++;
	if (directory_get_locked(d->directory, MODEL_KIND_POOL, pool, look_at_pool, d) != VEER_OK)
		d->err = veer_fail(d->diag, VEER_ENOTFOUND, "there is no endpoint \"%s\"", endpoint);
}

/* Apply the safety rule to the wish as a whole. The read lock is held. */
static void judge(struct draft *d)
{
	const struct override_wish *w = d->wish;
	if (d->err == VEER_OK && is_out(w->action))
		d->err = overrides_judge(d->directory, w->endpoints, w->count, w->force, w->force_count, d->arena,
					 d->loss);
	if (d->err == VEER_EBUSY)
		(void)veer_fail(d->diag, VEER_EBUSY, "%s", safety_text(d->loss, d->arena));
}

static bool take_guard(void *ctx, const struct directory_entry *entry)
{
	struct store_op *op = ctx;
	op->expect = entry->revision;
	return true;
}

/* The guard at its present revision, as a condition. The read lock is held. */
static struct store_op guard_now(struct directory *directory)
{
	struct store_op op = {.op = STORE_CHECK, .kind = MODEL_KIND_META, .key = guard_key, .expect = STORE_ABSENT};
	(void)directory_get_locked(directory, MODEL_KIND_META, guard_key, take_guard, &op);
	return op;
}

bool overrides_raise_guard(struct directory *directory, struct arena *arena, struct store_op *op)
{
	*op = guard_now(directory);
	op->op = STORE_PUT;
	op->value = arena_printf(arena, "{\"after\":%lld}", (long long)op->expect);
	op->value_len = op->value != NULL ? strlen(op->value) : 0;
	return op->value != NULL;
}

enum veer_err overrides_judge(struct directory *directory, const char *const *endpoints, size_t count,
			      const char *const *force, size_t force_count, struct arena *arena,
			      struct safety_loss *loss)
{
	struct strmap keys = {0};
	const struct safety_change change = {.taken_out = &keys};
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < count && err == VEER_OK; i++)
		err = strmap_put(&keys, endpoints[i], strlen(endpoints[i]), (void *)(uintptr_t)endpoints[i]);
	if (err == VEER_OK)
		err = safety_judge(directory, &change, force, force_count, arena, loss);
	strmap_free(&keys);
	return err;
}

bool overrides_put_op(const struct override_wish *wish, const char *endpoint, int64_t expect, struct arena *arena,
		      struct store_op *op)
{
	json_t *value =
		json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:s}", "endpoint", endpoint, "action",
			  model_override_text(wish->action), "owner", wish->owner, "reason", wish->reason, "source",
			  wish->source, "expires_at", wish->expires_at, "created_at", wish->created_at);
	char *text = value != NULL ? veer_json_dump(value) : NULL;
	json_decref(value);
	*op = (struct store_op){.op = STORE_PUT, .kind = MODEL_KIND_OVERRIDE, .key = endpoint, .expect = expect};
	if (text != NULL) {
		op->value = arena_strdup(arena, text);
		op->value_len = strlen(text);
	}
	free(text);
	return op->value != NULL;
}

static bool take_revision(void *ctx, const struct directory_entry *entry)
{
	*(int64_t *)ctx = entry->revision;
	return true;
}

/* Read, judge, and compose the transaction, all at one revision. */
static void make_draft(struct draft *d)
{
	const struct override_wish *w = d->wish;
	bool ok = true;
	d->op_count = d->pool_count = 0;
	d->err = VEER_OK;
	if (w->election_revision != 0)
		d->ops[d->op_count++] = (struct store_op){.op = STORE_CHECK,
							  .kind = MODEL_KIND_META,
							  .key = election_key,
							  .expect = w->election_revision};
	directory_read_begin(d->directory);
	for (size_t i = 0; i < w->count && d->err == VEER_OK; i++)
		look_at(d, w->endpoints[i]);
	judge(d);
	ok = overrides_raise_guard(d->directory, d->arena, &d->ops[d->op_count++]);
	for (size_t i = 0; i < w->count && d->err == VEER_OK && ok; i++) {
		int64_t expect = w->expect != STORE_ANY ? w->expect : STORE_ABSENT;
		if (w->expect == STORE_ANY)
			(void)directory_get_locked(d->directory, MODEL_KIND_OVERRIDE, w->endpoints[i], take_revision,
						   &expect);
		ok = overrides_put_op(w, w->endpoints[i], expect, d->arena, &d->ops[d->op_count++]);
	}
	directory_read_end(d->directory);
	if (d->err == VEER_OK && !ok)
		d->err = VEER_ENOMEM;
}

enum veer_err overrides_draft(struct directory *directory, const struct override_wish *wish, struct arena *arena,
			      struct store_op *ops, size_t *count, struct safety_loss *loss, struct veer_diag *diag)
{
	static_assert(2 + 2 * OVERRIDES_AT_ONCE <= STORE_COMMIT_OPS_MAX,
		      "the election, the guard, and an override and its pool for each endpoint");
	if (wish->count > OVERRIDES_AT_ONCE)
		return VEER_ELIMIT;
	struct draft *d = arena_calloc(arena, 1, sizeof *d);
	if (d == NULL)
		return VEER_ENOMEM;
	*d = (struct draft){
		.wish = wish, .directory = directory, .arena = arena, .ops = ops, .loss = loss, .diag = diag};
	make_draft(d);
	*count = d->op_count;
	return d->err;
}

enum veer_err overrides_put(struct store *store, struct directory *directory, const struct override_wish *wish,
			    struct arena *arena, int64_t *revision, struct safety_loss *loss, struct veer_diag *diag)
{
	enum veer_err err = VEER_ECONFLICT;
	struct store_op *ops = arena_calloc(arena, STORE_COMMIT_OPS_MAX, sizeof *ops);
	if (ops == NULL)
		return VEER_ENOMEM;
	for (int i = 0; i < OVERRIDES_TRIES && err == VEER_ECONFLICT; i++) {
		size_t count = 0;
		err = overrides_draft(directory, wish, arena, ops, &count, loss, diag);
		if (err == VEER_OK)
			err = change_commit(store, ops, count, CHANGE_URGENT, revision);
		/*
		 * What was read was outdated: read again when the directory has caught up. If it does not catch up,
		 * give up.
		 */
		if (err == VEER_ECONFLICT && !directory_wait(directory, store_revision(store), WAIT_MS))
			break;
	}
	return err;
}

enum veer_err overrides_judge_pool(struct directory *directory, const struct model_pool *pool, const char *force,
				   struct arena *arena, struct store_op *guard, struct safety_loss *loss)
{
	const struct safety_change change = {.pool = pool};
	directory_read_begin(directory);
	*guard = guard_now(directory);
	enum veer_err err = safety_judge(directory, &change, &force, force != NULL, arena, loss);
	directory_read_end(directory);
	return err;
}

enum veer_err overrides_judge_site(struct directory *directory, const char *site, bool is_forced, struct arena *arena,
				   struct store_op *guard, struct safety_loss *loss)
{
	const struct safety_change change = {.site = site};
	directory_read_begin(directory);
	enum veer_err err = overrides_raise_guard(directory, arena, guard) ? VEER_OK : VEER_ENOMEM;
	if (err == VEER_OK && !is_forced)
		err = safety_judge(directory, &change, NULL, 0, arena, loss);
	directory_read_end(directory);
	return err;
}
