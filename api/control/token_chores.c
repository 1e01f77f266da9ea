/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/token_chores.h"
#include "api/control/change.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { REMOVE_AT_ONCE = 80 };
#define NS_PER_S INT64_C(1000000000)

static void store_uses(struct control *control)
{
	char id[TOKEN_USE_ID_SIZE];
	int64_t last_s, revision, now_s = veer_clock_wall_ns(control->clock) / NS_PER_S;
	struct arena *arena = arena_new(STORE_VALUE_MAX);
	while (arena != NULL && token_use_next(control->token_uses, now_s, id, &last_s)) {
		struct store_object object;
		json_t *token = NULL;
		if (store_get(control->store, MODEL_KIND_TOKEN, id, arena, &object) == VEER_OK &&
		    veer_json_parse(object.value, object.value_len, STORE_VALUE_MAX, &token, NULL) == VEER_OK) {
			(void)json_object_set_new(token, "used_s", json_integer(last_s));
			char *text = veer_json_dump(token);
			struct store_op op = {
				STORE_PUT,      MODEL_KIND_TOKEN, id, text, text != NULL ? strlen(text) : 0,
				object.revision};
			/* if the token was changed or removed meanwhile, that write has precedence */
			if (text != NULL)
				(void)change_commit(control->store, &op, 1, CHANGE_ORDINARY, &revision);
			free(text);
		}
		json_decref(token);
		arena_reset(arena);
	}
	arena_free(&arena);
}

static bool is_token(void *ctx, const char *id)
{
	struct control *control = ctx;
	return directory_revision_of(control->directory, MODEL_KIND_TOKEN, id) != 0;
}

/* Tokens that ended long ago, at most as many as fit into one commit. */
struct ended {
	struct arena *arena;
	struct store_op ops[REMOVE_AT_ONCE];
	size_t count;
	int64_t before_s;
};

static bool add_ended(void *ctx, const struct directory_entry *entry)
{
	struct ended *e = ctx;
	int64_t expires_s = json_integer_value(json_object_get(entry->object, "expires_s"));
	if (expires_s == 0 || expires_s >= e->before_s)
		return true;
	char *key = arena_strdup(e->arena, entry->key);
	assert(e->count < REMOVE_AT_ONCE);
	if (key != NULL)
		e->ops[e->count++] =
			(struct store_op){.op = STORE_DEL, .kind = entry->kind, .key = key, .expect = entry->revision};
	return key != NULL && e->count < REMOVE_AT_ONCE;
}

/* Remove some of them. False: there is nothing more to do now. */
static bool remove_some(struct control *control, enum model_kind kind, struct arena *arena)
{
	int64_t revision, now_s = veer_clock_wall_ns(control->clock) / NS_PER_S;
	struct ended e = {.arena = arena, .before_s = now_s - TOKEN_KEPT_S};
	directory_list(control->directory, kind, NULL, add_ended, &e);
	if (e.count == 0 || change_commit(control->store, e.ops, e.count, CHANGE_ORDINARY, &revision) != VEER_OK)
		return false;
	change_wait(control, revision);
	for (size_t i = 0; i < e.count; i++)
		log_notice(control->log, "removed: it has ended a week ago", LOG_STR("kind", model_kind_text(kind)),
			   LOG_STR("id", kind == MODEL_KIND_TOKEN ? e.ops[i].key : ""));
	return e.count == REMOVE_AT_ONCE;
}

static void remove_ended(struct control *control, enum model_kind kind)
{
	struct arena *arena = arena_new(STORE_VALUE_MAX);
	while (arena != NULL && remove_some(control, kind, arena))
		arena_reset(arena);
	arena_free(&arena);
}

void token_chores(struct control *control)
{
	store_uses(control);
	remove_ended(control, MODEL_KIND_TOKEN);
	remove_ended(control, MODEL_KIND_ENROLMENT);
	token_use_keep(control->token_uses, is_token, control);
	if (token_use_is_crowded(control->token_uses))
		log_warn(control->log,
			 "more tokens are in use than can be watched: of some it is forgotten when they were used last",
			 LOG_INT("watched", TOKEN_USE_MAX));
}
