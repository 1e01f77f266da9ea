/* SPDX-License-Identifier: Apache-2.0 */
/* What a turn of the chores needs to know, read at one revision, and functions to look it up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/controller_chores_impl.h"

static void log_unusable(const struct controller_chores *chores, const struct directory_entry *entry,
			 const struct veer_diag *diag)
{
	log_error(chores->config->log, "an object in the store is unusable",
		  LOG_STR("kind", model_kind_text(entry->kind)), LOG_STR("key", entry->key),
		  LOG_STR("why", diag->text));
}

static bool read_override(void *ctx, const struct directory_entry *entry)
{
	struct chores_turn *t = ctx;
	struct veer_diag diag = {""};
	struct chores_override *known = &t->overrides[t->override_count];
	known->key = arena_strdup(t->arena, entry->key);
	t->failed = known->key == NULL;
	if (t->failed)
		return false;
	known->revision = entry->revision;
	if (model_override_parse(entry->object, t->arena, &known->model, &diag) != VEER_OK) {
		log_unusable(t->chores, entry, &diag);
		return true;
	}
	if (known->model.expires_ns > t->now_ns && known->model.expires_ns < t->due_ns)
		t->due_ns = known->model.expires_ns;
	t->override_count++;
	return true;
}

static bool read_window(void *ctx, const struct directory_entry *entry)
{
	struct chores_turn *t = ctx;
	struct veer_diag diag = {""};
	struct chores_window *w = &t->windows[t->window_count];
	int64_t starts_ns = INT64_MAX;
	if (model_maintenance_parse(entry->object, t->arena, &w->model, &diag) != VEER_OK) {
		log_unusable(t->chores, entry, &diag);
		return true;
	}
	t->window_count++;
	w->is_on = model_maintenance_is_on(&w->model, t->now_ns, &starts_ns, &w->ends_ns);
	int64_t due_ns = w->is_on ? w->ends_ns : starts_ns;
	if (due_ns < t->due_ns)
		t->due_ns = due_ns;
	return true;
}

/* A pool whose name differs from its key is unusable, because it would also break the sorted order. */
static bool read_pool(void *ctx, const struct directory_entry *entry)
{
	struct chores_turn *t = ctx;
	struct model_pool *pool = &t->pools[t->pool_count];
	enum veer_err err = model_pool_parse(entry->object, t->arena, pool, NULL);
	if (err == VEER_OK && strcmp(pool->name, entry->key) == 0) {
		t->pool_count++;
		return true;
	}
	const char *name = err != VEER_ENOMEM ? arena_strdup(t->arena, entry->key) : NULL;
	t->failed = name == NULL;
	if (!t->failed)
		t->unusable[t->unusable_count++] = name;
	return !t->failed;
}

static bool count_entry(void *ctx, const struct directory_entry *entry)
{
	(void)entry;
	++*(size_t *)ctx;
	return true;
}

static size_t count_of(struct directory *d, enum model_kind kind)
{
	size_t count = 0;
	directory_list_locked(d, kind, NULL, count_entry, &count);
	return count;
}

void chores_read(struct chores_turn *t)
{
	struct directory *d = t->chores->config->directory;
	directory_read_begin(d);
	size_t windows = count_of(d, MODEL_KIND_MAINTENANCE), pools = count_of(d, MODEL_KIND_POOL);
	size_t overrides = count_of(d, MODEL_KIND_OVERRIDE);
	t->windows = arena_calloc(t->arena, windows + 1, sizeof *t->windows);
	t->overrides = arena_calloc(t->arena, overrides + 1, sizeof *t->overrides);
	t->failed = t->windows == NULL || t->overrides == NULL;
	if (!t->failed) {
		directory_list_locked(d, MODEL_KIND_OVERRIDE, NULL, read_override, t);
		directory_list_locked(d, MODEL_KIND_MAINTENANCE, NULL, read_window, t);
	}
	if (!t->failed && (overrides > 0 || windows > 0)) {
		t->pools = arena_calloc(t->arena, pools + 1, sizeof *t->pools);
		t->unusable = arena_calloc(t->arena, pools + 1, sizeof *t->unusable);
		t->failed = t->pools == NULL || t->unusable == NULL;
		if (!t->failed)
			directory_list_locked(d, MODEL_KIND_POOL, NULL, read_pool, t);
	}
	directory_read_end(d);
}

static int compare_known(const void *key, const void *known)
{
	return strcmp(key, ((const struct chores_override *)known)->key);
}

const struct chores_override *chores_override_of(const struct chores_turn *t, const char *key)
{
	return bsearch(key, t->overrides, t->override_count, sizeof *t->overrides, compare_known);
}

void chores_key_of(const struct model_pool *pool, const struct model_endpoint *e, char *out)
{
	(void)snprintf(out, MODEL_ENDPOINT_KEY_MAX + 1, "%s/%s", pool->name, e->name);
}

static int compare_pool(const void *name, const void *pool)
{
	return strcmp(name, ((const struct model_pool *)pool)->name);
}

const struct model_endpoint *chores_endpoint_of(const struct chores_turn *t, const char *key,
						const struct model_pool **pool)
{
	char name[MODEL_ENDPOINT_KEY_MAX + 1];
	size_t len = strcspn(key, "/");
	(void)snprintf(name, sizeof name, "%.*s", (int)len, key);
	*pool = bsearch(name, t->pools, t->pool_count, sizeof *t->pools, compare_pool);
	for (uint32_t i = 0; *pool != NULL && key[len] == '/' && i < (*pool)->endpoint_count; i++)
		if (strcmp((*pool)->endpoints[i].name, key + len + 1) == 0)
			return &(*pool)->endpoints[i];
	return NULL;
}

bool chores_is_of_unusable(const struct chores_turn *t, const char *key)
{
	size_t len = strcspn(key, "/");
	for (size_t i = 0; i < t->unusable_count; i++)
		if (strncmp(t->unusable[i], key, len) == 0 && t->unusable[i][len] == '\0')
			return true;
	return false;
}
