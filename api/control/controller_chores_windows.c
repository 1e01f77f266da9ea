/* SPDX-License-Identifier: Apache-2.0 */
/* Maintenance windows: what they cover, draining it, and the pools that would be emptied. */
#include <stdio.h>
#include <string.h>

#include "api/control/controller_chores_impl.h"

void chores_source_of(const struct model_maintenance *m, char *out)
{
	(void)snprintf(out, CHORES_SOURCE_SIZE, "maintenance/%s", m->name);
}

struct override_wish chores_wish_of(const struct chores_turn *t, const struct chores_window *w,
				    struct chores_texts *texts)
{
	chores_source_of(&w->model, texts->source);
	veer_rfc3339(t->now_ns, texts->created);
	veer_rfc3339(w->ends_ns, texts->expires);
	return (struct override_wish){.action = MODEL_OVERRIDE_DRAIN,
				      .owner = w->model.owner,
				      .reason = w->model.reason,
				      .source = texts->source,
				      .expires_at = texts->expires,
				      .created_at = texts->created,
				      .force = w->model.force,
				      .force_count = w->model.force_count,
				      .expect = STORE_ABSENT, /* an override set meanwhile stays */
				      .election_revision = t->term.revision};
}

static void add_block(struct chores_turn *t, const struct chores_window *w, const struct model_pool *pool)
{
	if (t->block_count == CHORE_BLOCKS_MAX)
		return;
	struct chore_block *block = &t->blocks[t->block_count++];
	(void)snprintf(block->maintenance, sizeof block->maintenance, "%s", w->model.name);
	(void)snprintf(block->pool, sizeof block->pool, "%s", pool->name);
}

/* Drain these endpoints of one pool for the window. */
static void drain(struct chores_turn *t, const struct chores_window *w, const struct model_pool *pool,
		  const char *const *keys, size_t count)
{
	struct chores_texts texts;
	struct veer_diag diag = {""};
	int64_t revision;
	struct override_wish wish = chores_wish_of(t, w, &texts);
	struct safety_loss loss;
	for (size_t done = 0; done < count; done += OVERRIDES_AT_ONCE) {
		wish.endpoints = keys + done;
		wish.count = count - done < OVERRIDES_AT_ONCE ? count - done : OVERRIDES_AT_ONCE;
		enum veer_err err = overrides_put(t->chores->config->store, t->chores->config->directory, &wish,
						  t->arena, &revision, &loss, &diag);
		t->has_written = true;
		if (err == VEER_OK) {
			(void)directory_wait(t->chores->config->directory, revision, CHORES_WAIT_MS);
			log_notice(t->chores->config->log, "drained for maintenance",
				   LOG_STR("maintenance", w->model.name), LOG_STR("pool", pool->name),
				   LOG_INT("endpoints", (int64_t)wish.count));
			continue;
		}
		if (err == VEER_EBUSY)
			add_block(t, w, pool);
		else
			log_warn(t->chores->config->log, "cannot drain for maintenance, yet",
				 LOG_STR("maintenance", w->model.name), LOG_STR("why", veer_err_text(err)));
		chores_refused(t->chores, &t->term, err);
		return;
	}
}

/*
 * Would the safety rule let all of these be drained? A pool is drained in several commits, so this is checked before.
 */
static bool may_drain(struct chores_turn *t, const struct chores_window *w, const char *const *keys, size_t count)
{
	struct safety_loss loss;
	struct directory *directory = t->chores->config->directory;
	directory_read_begin(directory);
	enum veer_err err =
		overrides_judge(directory, keys, count, w->model.force, w->model.force_count, t->arena, &loss);
	directory_read_end(directory);
	t->failed = t->failed || err == VEER_ENOMEM;
	return err == VEER_OK;
}

/* Drain what the window covers of one pool: all of it or, if the safety rule forbids that, none of it. */
static void maintain_pool(struct chores_turn *t, const struct chores_window *w, const struct model_pool *pool)
{
	const char **keys = arena_calloc(t->arena, (size_t)pool->endpoint_count + 1, sizeof *keys);
	size_t count = 0;
	for (uint32_t i = 0; keys != NULL && i < pool->endpoint_count; i++) {
		char key[MODEL_ENDPOINT_KEY_MAX + 1];
		chores_key_of(pool, &pool->endpoints[i], key);
		/* An override that somebody else has set has precedence. */
		if (chores_override_of(t, key) == NULL && window_covers(&w->model, pool->name, &pool->endpoints[i]))
			keys[count++] = arena_strdup(t->arena, key);
		t->failed = t->failed || (count > 0 && keys[count - 1] == NULL);
	}
	if (keys == NULL || t->failed || count == 0)
		return;
	if (may_drain(t, w, keys, count))
		drain(t, w, pool, keys, count);
	else if (!t->failed)
		add_block(t, w, pool);
}

/* Publish which windows are blocked now, and log the ones that were not blocked before. */
static void publish_blocks(struct chores_turn *t)
{
	struct controller_chores *chores = t->chores;
	(void)pthread_mutex_lock(&chores->lock);
	for (size_t i = 0; i < t->block_count; i++) {
		bool is_known = false;
		for (size_t j = 0; j < chores->block_count && !is_known; j++)
			is_known = memcmp(&chores->blocks[j], &t->blocks[i], sizeof t->blocks[i]) == 0;
		if (!is_known)
			log_warn(t->chores->config->log, "maintenance would leave nothing to answer with: not drained",
				 LOG_STR("maintenance", t->blocks[i].maintenance), LOG_STR("pool", t->blocks[i].pool));
	}
	memcpy(chores->blocks, t->blocks, t->block_count * sizeof t->blocks[0]);
	chores->block_count = t->block_count;
	(void)pthread_mutex_unlock(&chores->lock);
}

void chores_maintain(struct chores_turn *t)
{
	for (size_t i = 0; i < t->window_count; i++)
		for (size_t p = 0; t->windows[i].is_on && p < t->pool_count && !t->failed; p++)
			maintain_pool(t, &t->windows[i], &t->pools[p]);
	publish_blocks(t);
}
