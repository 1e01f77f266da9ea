/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of transitions is bounded: the keys of those that are stored, oldest first, and the deletion of what is
 * too many, a few at a time, by the thread of controller_chores.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/controller_impl.h"

enum { PRUNE_AT_ONCE = 40 };

void controller_history_add(struct controller *c, const char *key)
{
	struct chores *chores = &c->chores;
	(void)pthread_mutex_lock(&chores->lock);
	if (chores->key_end == chores->key_size && chores->key_first > 0) {
		chores->key_end -= chores->key_first;
		memmove(chores->keys, chores->keys + chores->key_first, chores->key_end * sizeof chores->keys[0]);
		chores->key_first = 0;
	}
	if (chores->key_end == chores->key_size) {
		size_t size = chores->key_size > 0 ? 2 * chores->key_size : 1024;
		void *keys = reallocarray(chores->keys, size, sizeof chores->keys[0]);
		if (keys != NULL) {
			chores->keys = keys;
			chores->key_size = size;
		}
	}
	if (chores->key_end < chores->key_size) /* without memory it is found when the controller starts again */
		(void)snprintf(chores->keys[chores->key_end++], TRAIL_ID_SIZE, "%s", key);
	(void)pthread_mutex_unlock(&chores->lock);
}

static bool load_key(void *ctx, const struct store_object *object)
{
	controller_history_add(ctx, object->key);
	return true;
}

/* What is stored, newest first in the store, oldest first here. */
void controller_history_load(struct controller *c)
{
	struct chores *chores = &c->chores;
	enum veer_err err = store_list(c->config.store, MODEL_KIND_TRANSITION, "", NULL, load_key, c, NULL);
	if (err != VEER_OK)
		log_error(c->config.log, "the history of transitions cannot be read",
			  LOG_STR("why", veer_err_text(err)));
	for (size_t i = 0, j = chores->key_end; i + 1 < j; i++) {
		char swap[TRAIL_ID_SIZE];
		j--;
		memcpy(swap, chores->keys[i], sizeof swap);
		memcpy(chores->keys[i], chores->keys[j], sizeof swap);
		memcpy(chores->keys[j], swap, sizeof swap);
	}
}

/* Delete some of the oldest when there are too many. */
void controller_history_prune(struct controller *c)
{
	struct chores *chores = &c->chores;
	struct store_op ops[1 + PRUNE_AT_ONCE] = {
		{.op = STORE_CHECK, .kind = MODEL_KIND_META, .key = "election", .expect = c->election_revision}};
	char keys[PRUNE_AT_ONCE][TRAIL_ID_SIZE];
	size_t count = 0;
	int64_t revision;
	(void)pthread_mutex_lock(&chores->lock);
	size_t there = chores->key_end - chores->key_first;
	while (count < PRUNE_AT_ONCE && there - count > c->history) {
		memcpy(keys[count], chores->keys[chores->key_first + count], TRAIL_ID_SIZE);
		count++;
	}
	(void)pthread_mutex_unlock(&chores->lock);
	for (size_t i = 0; i < count; i++)
		ops[1 + i] = (struct store_op){
			.op = STORE_DEL, .kind = MODEL_KIND_TRANSITION, .key = keys[i], .expect = STORE_ANY};
	if (count == 0 || store_commit(c->config.store, ops, 1 + count, STORE_NORMAL, &revision, NULL) != VEER_OK)
		return;
	(void)pthread_mutex_lock(&chores->lock);
	chores->key_first += count;
	(void)pthread_mutex_unlock(&chores->lock);
}
