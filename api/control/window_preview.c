/* SPDX-License-Identifier: Apache-2.0 */
/* What a maintenance window would not drain. See window_preview.h. */
#include "api/control/window_preview.h"

#include <stdio.h>
#include <string.h>

#include "api/control/safety.h"

struct preview {
	struct directory *directory;
	const struct model_maintenance *window;
	struct arena *arena;
	struct strmap drained; /* endpoints of the pools looked at so far that would be drained */
	json_t *blocked;
	enum veer_err err;
};

static bool is_among(const char *const *names, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

bool window_covers(const struct model_maintenance *window, const char *pool, const struct model_endpoint *endpoint)
{
	char key[MODEL_ENDPOINT_KEY_MAX + 1];
	(void)snprintf(key, sizeof key, "%s/%s", pool, endpoint->name);
	return is_among(window->pools, window->pool_count, pool) ||
	       is_among(window->sites, window->site_count, endpoint->site) ||
	       is_among(window->endpoints, window->endpoint_count, key);
}

/* Add the endpoints of the pool that the window covers; returns how many. */
static size_t add_keys(struct preview *p, const struct model_pool *pool)
{
	size_t count = 0;
	for (uint32_t i = 0; i < pool->endpoint_count && p->err == VEER_OK; i++) {
		if (!window_covers(p->window, pool->name, &pool->endpoints[i]))
			continue;
		char *key = arena_printf(p->arena, "%s/%s", pool->name, pool->endpoints[i].name);
		p->err = key != NULL ? strmap_put(&p->drained, key, strlen(key), key) : VEER_ENOMEM;
		count++;
	}
	return count;
}

static void remove_keys(struct preview *p, const struct model_pool *pool)
{
	for (uint32_t i = 0; i < pool->endpoint_count; i++) {
		char key[MODEL_ENDPOINT_KEY_MAX + 1];
		(void)snprintf(key, sizeof key, "%s/%s", pool->name, pool->endpoints[i].name);
		(void)strmap_del(&p->drained, key, strlen(key));
	}
}

static bool look_at_pool(void *ctx, const struct directory_entry *entry)
{
	struct preview *p = ctx;
	struct model_pool pool;
	struct safety_loss loss;
	const struct safety_change change = {.taken_out = &p->drained};
	if (model_pool_parse(entry->object, p->arena, &pool, NULL) != VEER_OK || add_keys(p, &pool) == 0 ||
	    p->err != VEER_OK)
		return p->err == VEER_OK;
	enum veer_err err =
		safety_judge(p->directory, &change, p->window->force, p->window->force_count, p->arena, &loss);
	if (err == VEER_EBUSY) {
		remove_keys(p, &pool);
		const char *text = safety_text(&loss, p->arena);
		json_t *one = json_pack("{s:s, s:s}", "pool", pool.name, "reason", text != NULL ? text : "");
		err = json_array_append_new(p->blocked, one) == 0 ? VEER_OK : VEER_ENOMEM;
	}
	p->err = err;
	return err == VEER_OK;
}

json_t *window_preview(struct directory *directory, const struct model_maintenance *window, struct arena *arena)
{
	struct preview p = {.directory = directory, .window = window, .arena = arena, .blocked = json_array()};
	if (p.blocked == NULL)
		return NULL;
	directory_read_begin(directory);
	directory_list_locked(directory, MODEL_KIND_POOL, NULL, look_at_pool, &p);
	directory_read_end(directory);
	strmap_free(&p.drained);
	if (p.err == VEER_OK)
		return p.blocked;
	json_decref(p.blocked);
	return NULL;
}
