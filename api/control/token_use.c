/* SPDX-License-Identifier: Apache-2.0 */
/* When tokens were last used. See token_use.h. */
#include "api/control/token_use.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"

enum { STORE_EVERY_S = 86400 };

struct use {
	int64_t last_s;
	int64_t stored_s; /* when token_use_next() last returned it; 0: never */
	char id[TOKEN_USE_ID_SIZE];
};

struct token_uses {
	pthread_mutex_t lock; /* guards the map */
	struct strmap map;    /* id to struct use */
	bool is_crowded;      /* a token was forgotten for lack of room */
	bool is_said;
};

struct token_uses *token_uses_new(void)
{
	struct token_uses *uses = calloc(1, sizeof *uses);
	if (uses != NULL)
		(void)pthread_mutex_init(&uses->lock, NULL);
	return uses;
}

void token_uses_free(struct token_uses **uses)
{
	size_t at = 0;
	if (*uses == NULL)
		return;
	for (struct use *use; (use = strmap_next(&(*uses)->map, &at)) != NULL;)
		free(use);
	strmap_free(&(*uses)->map);
	(void)pthread_mutex_destroy(&(*uses)->lock);
	free(*uses);
	*uses = NULL;
}

static void forget(struct token_uses *uses, struct use *use)
{
	(void)strmap_del(&uses->map, use->id, strlen(use->id));
	free(use);
}

/* Make room for one more. */
static void forget_oldest(struct token_uses *uses)
{
	size_t at = 0;
	struct use *oldest = NULL;
	for (struct use *use; (use = strmap_next(&uses->map, &at)) != NULL;)
		if (oldest == NULL || use->last_s < oldest->last_s)
			oldest = use;
	uses->is_crowded = true;
	if (oldest != NULL)
		forget(uses, oldest);
}

static struct use *use_of(struct token_uses *uses, const char *id)
{
	size_t len = strlen(id);
	struct use *use = strmap_get(&uses->map, id, len);
	if (use != NULL || len >= TOKEN_USE_ID_SIZE)
		return use;
	if (uses->map.count >= TOKEN_USE_MAX)
		forget_oldest(uses);
	use = calloc(1, sizeof *use);
	if (use == NULL || strmap_put(&uses->map, id, len, use) != VEER_OK) {
		free(use);
		return NULL;
	}
	memcpy(use->id, id, len);
	return use;
}

void token_use_note(struct token_uses *uses, const char *id, int64_t now_s)
{
	(void)pthread_mutex_lock(&uses->lock);
	struct use *use = use_of(uses, id);
	if (use != NULL)
		use->last_s = now_s;
	(void)pthread_mutex_unlock(&uses->lock);
}

bool token_use_next(struct token_uses *uses, int64_t now_s, char id[TOKEN_USE_ID_SIZE], int64_t *last_s)
{
	size_t at = 0;
	bool is_found = false;
	(void)pthread_mutex_lock(&uses->lock);
	for (struct use *use; !is_found && (use = strmap_next(&uses->map, &at)) != NULL;) {
		is_found =
			use->last_s > use->stored_s && (use->stored_s == 0 || now_s - use->stored_s >= STORE_EVERY_S);
		if (!is_found)
			continue;
		use->stored_s = now_s;
		*last_s = use->last_s;
		memcpy(id, use->id, TOKEN_USE_ID_SIZE);
	}
	(void)pthread_mutex_unlock(&uses->lock);
	return is_found;
}

void token_use_keep(struct token_uses *uses, bool (*is_there)(void *ctx, const char *id), void *ctx)
{
	size_t at = 0;
	(void)pthread_mutex_lock(&uses->lock);
	for (struct use *use; (use = strmap_next(&uses->map, &at)) != NULL;)
		if (!is_there(ctx, use->id))
			forget(uses, use);
	(void)pthread_mutex_unlock(&uses->lock);
}

bool token_use_is_crowded(struct token_uses *uses)
{
	(void)pthread_mutex_lock(&uses->lock);
	bool is_news = uses->is_crowded && !uses->is_said;
	uses->is_said |= is_news;
	(void)pthread_mutex_unlock(&uses->lock);
	return is_news;
}

int64_t token_use_last_s(struct token_uses *uses, const char *id)
{
	(void)pthread_mutex_lock(&uses->lock);
	const struct use *use = strmap_get(&uses->map, id, strlen(id));
	int64_t last_s = use != NULL ? use->last_s : 0;
	(void)pthread_mutex_unlock(&uses->lock);
	return last_s;
}
