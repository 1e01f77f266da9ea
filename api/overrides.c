/* SPDX-License-Identifier: Apache-2.0 */
#include "api/overrides.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { TRIES = 8, WAIT_MS = 500, POOLS_MAX = OVERRIDES_AT_ONCE };

static const char guard_key[] = "overrides";
static const char election_key[] = "election";

/* The transaction under way, read at one revision of the directory. */
struct draft {
	const struct override_wish *wish;
	struct directory *directory;
	struct arena *arena;
	struct veer_diag *diag;
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	size_t op_count;
	char pools[POOLS_MAX][MODEL_NAME_MAX + 1]; /* looked at */
	size_t pool_count;
	enum veer_err err;
};

static bool is_out(enum model_override_action action)
{
	return action == MODEL_OVERRIDE_DOWN || action == MODEL_OVERRIDE_DRAIN;
}

static bool take_action(void *ctx, const struct directory_entry *entry)
{
	const char *action = json_string_value(json_object_get(entry->object, "action"));
	*(bool *)ctx = action != NULL && strcmp(action, "up") != 0;
	return true;
}

/* Is the endpoint drained or forced down by what is stored? The directory's read lock is held. */
static bool is_taken_out(struct directory *directory, const char *key)
{
	bool is = false;
	(void)directory_get_locked(directory, MODEL_KIND_OVERRIDE, key, take_action, &is);
	return is;
}

static bool take_site_state(void *ctx, const struct directory_entry *entry)
{
	const char *state = json_string_value(json_object_get(entry->object, "state"));
	*(bool *)ctx = state == NULL || strcmp(state, "out") != 0;
	return true;
}

/* One that is not there is in, as name servers see it. The directory's read lock is held. */
static bool is_site_in(struct directory *directory, const char *site)
{
	bool is = true;
	if (site != NULL)
		(void)directory_get_locked(directory, MODEL_KIND_SITE, site, take_site_state, &is);
	return is;
}

/* A pool, counted by what is left of it. */
struct left {
	size_t all_sites; /* neither drained nor forced down, wherever they are */
	size_t in;        /* of these, at sites that are in */
	size_t at_in;     /* all endpoints at such sites */
};

static void count_left(struct left *left, bool is_left, bool is_in)
{
	left->all_sites += is_left;
	left->in += is_left && is_in;
	left->at_in += is_in;
}

/* Whose sites are all out is not emptied by overrides: then it counts what is left when they come back. */
static bool is_empty(const struct left *left)
{
	return left->all_sites == 0 || (left->at_in > 0 && left->in == 0);
}

static bool is_wished(const struct override_wish *wish, const char *key)
{
	for (size_t i = 0; i < wish->count; i++)
		if (strcmp(wish->endpoints[i], key) == 0)
			return true;
	return false;
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

static bool is_forced(const struct override_wish *wish, const char *pool)
{
	for (size_t i = 0; i < wish->force_count; i++)
		if (strcmp(wish->force[i], pool) == 0)
			return true;
	return false;
}

/* Look at one pool: its wished endpoints must be there, and some endpoint must be left. */
static bool judge_pool(void *ctx, const struct directory_entry *entry)
{
	struct draft *d = ctx;
	const struct override_wish *wish = d->wish;
	const json_t *endpoints = json_object_get(entry->object, "endpoints");
	size_t i, prefix = strlen(entry->key) + 1;
	struct left left = {0};
	json_t *endpoint;
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
	for (i = 0; i < wish->count; i++)
		if (strncmp(wish->endpoints[i], entry->key, prefix - 1) == 0 && wish->endpoints[i][prefix - 1] == '/' &&
		    !has_endpoint(endpoints, wish->endpoints[i] + prefix))
			d->err = veer_fail(d->diag, VEER_ENOTFOUND, "there is no endpoint \"%s\"", wish->endpoints[i]);
	json_array_foreach((json_t *)(uintptr_t)endpoints, i, endpoint)
	{
		const char *name = json_string_value(json_object_get(endpoint, "name"));
		(void)snprintf(key, sizeof key, "%s/%s", entry->key, name != NULL ? name : "");
		count_left(&left, is_wished(wish, key) ? !is_out(wish->action) : !is_taken_out(d->directory, key),
			   is_site_in(d->directory, json_string_value(json_object_get(endpoint, "site"))));
	}
	if (d->err == VEER_OK && is_out(wish->action) && is_empty(&left) && !is_forced(wish, entry->key))
		d->err = veer_fail(d->diag, VEER_EBUSY, "%s", entry->key);
	d->ops[d->op_count++] = (struct store_op){.op = STORE_CHECK,
						  .kind = MODEL_KIND_POOL,
						  .key = arena_strdup(d->arena, entry->key),
						  .expect = entry->revision};
	return true;
}

/* Look at the pool of one wished endpoint, once. */
static void judge(struct draft *d, const char *endpoint)
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
	if (directory_get_locked(d->directory, MODEL_KIND_POOL, pool, judge_pool, d) != VEER_OK)
		d->err = veer_fail(d->diag, VEER_ENOTFOUND, "there is no endpoint \"%s\"", endpoint);
}

static bool take_guard(void *ctx, const struct directory_entry *entry)
{
	struct store_op *op = ctx;
	op->expect = entry->revision;
	return true;
}

/* The guard as it is read: a condition. The read lock is held. */
static struct store_op guard_now(struct directory *directory)
{
	struct store_op op = {.op = STORE_CHECK, .kind = MODEL_KIND_META, .key = guard_key, .expect = STORE_ABSENT};
	(void)directory_get_locked(directory, MODEL_KIND_META, guard_key, take_guard, &op);
	return op;
}

/* Raise the guard: whoever else has read it as we did will fail. */
static bool add_guard(struct draft *d)
{
	struct store_op op = guard_now(d->directory);
	op.op = STORE_PUT;
	op.value = arena_printf(d->arena, "{\"after\":%lld}", (long long)op.expect);
	op.value_len = op.value != NULL ? strlen(op.value) : 0;
	d->ops[d->op_count++] = op;
	return op.value != NULL;
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

/* Read, judge, and put the transaction together, all at one revision. */
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
		judge(d, w->endpoints[i]);
	ok = add_guard(d);
	for (size_t i = 0; i < w->count && d->err == VEER_OK && ok; i++) {
		int64_t expect = STORE_ABSENT;
		if (w->count == 1 && w->expect != STORE_ANY)
			expect = w->expect;
		else if (w->expect != STORE_ABSENT)
			(void)directory_get_locked(d->directory, MODEL_KIND_OVERRIDE, w->endpoints[i], take_revision,
						   &expect);
		ok = overrides_put_op(w, w->endpoints[i], expect, d->arena, &d->ops[d->op_count++]);
	}
	directory_read_end(d->directory);
	if (d->err == VEER_OK && !ok)
		d->err = VEER_ENOMEM;
}

enum veer_err overrides_put(struct store *store, struct directory *directory, const struct override_wish *wish,
			    struct arena *arena, int64_t *revision, struct veer_diag *diag)
{
	enum veer_err err = VEER_ECONFLICT;
	struct draft *d = wish->count <= OVERRIDES_AT_ONCE ? arena_calloc(arena, 1, sizeof *d) : NULL;
	if (d == NULL)
		return wish->count > OVERRIDES_AT_ONCE ? VEER_ELIMIT : VEER_ENOMEM;
	*d = (struct draft){.wish = wish, .directory = directory, .arena = arena, .diag = diag};
	for (int i = 0; i < TRIES && err == VEER_ECONFLICT; i++) {
		make_draft(d);
		err = d->err;
		if (err == VEER_OK)
			err = store_commit(store, d->ops, d->op_count, STORE_NORMAL, revision, NULL);
		/* What was read was old: read again when the directory has caught up. If it does not, give up. */
		if (err == VEER_ECONFLICT && !directory_wait(directory, store_revision(store), WAIT_MS))
			break;
	}
	return err;
}

bool overrides_would_empty(struct directory *directory, const struct model_pool *pool, struct store_op *guard)
{
	struct left left = {0};
	directory_read_begin(directory);
	*guard = guard_now(directory);
	for (uint32_t i = 0; i < pool->endpoint_count; i++) {
		char key[MODEL_ENDPOINT_KEY_MAX + 1];
		(void)snprintf(key, sizeof key, "%s/%s", pool->name, pool->endpoints[i].name);
		count_left(&left, !is_taken_out(directory, key), is_site_in(directory, pool->endpoints[i].site));
	}
	directory_read_end(directory);
	return is_empty(&left);
}
