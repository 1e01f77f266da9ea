/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of transitions has a maximum length. This file keeps the keys of the stored transitions, oldest first,
 * and deletes the excess, a few at a time. The engine's thread reports new ones through the chores' inbox.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/change.h"
#include "api/control/controller_chores_impl.h"

enum { PRUNE_AT_ONCE = 40, FIRST_SIZE = 1024 };

static void add_key(struct controller_history *h, const char *key)
{
	if (h->end == h->size && h->first > 0) {
		h->end -= h->first;
		memmove(h->keys, h->keys + h->first, h->end * sizeof h->keys[0]);
		h->first = 0;
	}
	if (h->end == h->size) {
		size_t size = h->size > 0 ? 2 * h->size : FIRST_SIZE;
		void *keys = reallocarray(h->keys, size, sizeof h->keys[0]);
		if (keys != NULL) {
			h->keys = keys;
			h->size = size;
		}
	}
	if (h->end < h->size) /* a key that is lost because memory is out is found when the history is read again */
		(void)snprintf(h->keys[h->end++], TRAIL_ID_SIZE, "%s", key);
}

struct chores_stored *chores_stored_of(const struct commit_job *job)
{
	struct chores_stored *stored = job->verdict_count > 0 ? calloc(1, sizeof *stored) : NULL;
	for (size_t i = 0; stored != NULL && i < job->verdict_count; i++)
		if (job->verdicts[i].err == VEER_OK)
			(void)snprintf(stored->ids[stored->count++], TRAIL_ID_SIZE, "%s", job->verdicts[i].id);
	return stored;
}

void chores_history_take(struct controller_history *history, struct chores_stored *stored)
{
	for (size_t i = 0; i < stored->count; i++)
		add_key(history, stored->ids[i]);
	free(stored);
}

static bool load_key(void *ctx, const struct store_object *object)
{
	add_key(ctx, object->key);
	return true;
}

/*
 * Read the stored transitions: newest first in the store, oldest first here. A transition that is committed during the
 * reading may be counted twice; its key is then deleted twice, which is not an error.
 */
void chores_history_load(struct controller_chores *chores)
{
	struct controller_history *h = &chores->history;
	h->first = h->end = 0;
	enum veer_err err = store_list(chores->config->store, MODEL_KIND_TRANSITION, "", NULL, load_key, h, NULL);
	if (err != VEER_OK)
		log_error(chores->config->log, "the history of transitions cannot be read",
			  LOG_STR("why", veer_err_text(err)));
	for (size_t i = 0, j = h->end; i + 1 < j; i++) {
		char swap[TRAIL_ID_SIZE];
		j--;
		memcpy(swap, h->keys[i], sizeof swap);
		memcpy(h->keys[i], h->keys[j], sizeof swap);
		memcpy(h->keys[j], swap, sizeof swap);
	}
}

void chores_history_prune(struct controller_chores *chores)
{
	struct controller_history *h = &chores->history;
	struct store_op ops[1 + PRUNE_AT_ONCE] = {election_condition(&chores->term)};
	size_t count = 0, there = h->end - h->first;
	int64_t revision;
	while (count < PRUNE_AT_ONCE && there - count > h->limit) {
		ops[1 + count] = (struct store_op){.op = STORE_DEL,
						   .kind = MODEL_KIND_TRANSITION,
						   .key = h->keys[h->first + count],
						   .expect = STORE_ANY};
		count++;
	}
	if (count == 0)
		return;
	enum veer_err err = change_commit(chores->config->store, ops, 1 + count, CHANGE_ORDINARY, &revision);
	if (err == VEER_OK)
		h->first += count;
	else
		chores_refused(chores, &chores->term, err);
}
