/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/election.h"

#include <string.h>

#include "api/control/change.h"
#include "base/arena.h"
#include "base/json.h"

enum { OBJECT_BYTES = 65536 };
#define ELECTION_KEY "election"
#define ELECTION_MAX (INT64_C(1) << 53)

void election_init(struct election *election, struct store *store)
{
	*election = (struct election){.store = store};
	(void)pthread_mutex_init(&election->lock, NULL);
}

void election_deinit(struct election *election)
{
	(void)pthread_mutex_destroy(&election->lock);
}

/* The number of the last election. If it is invalid, the object's revision is used, which is at least as high. */
static int64_t number_of(const struct store_object *object)
{
	json_t *before = NULL;
	int64_t last = 0;
	if (veer_json_parse(object->value, object->value_len, OBJECT_BYTES, &before, NULL) == VEER_OK)
		last = json_integer_value(json_object_get(before, "election"));
	json_decref(before);
	return last > 0 && last < ELECTION_MAX ? last : object->revision;
}

/* Replace the stored number by the next one. */
static enum veer_err raise_number(struct election *election, struct arena *arena, struct election_term *won)
{
	struct store_object object;
	int64_t expect = STORE_ABSENT, last = store_revision(election->store);
	enum veer_err err = store_get(election->store, MODEL_KIND_META, ELECTION_KEY, arena, &object);
	if (err == VEER_OK) {
		expect = object.revision;
		last = number_of(&object);
	} else if (err != VEER_ENOTFOUND) {
		return err;
	}
	won->number = last + 1;
	const char *text = arena_printf(arena, "{\"election\":%lld}", (long long)won->number);
	if (text == NULL)
		return VEER_ENOMEM;
	const struct store_op op = {STORE_PUT, MODEL_KIND_META, ELECTION_KEY, text, strlen(text), expect};
	return change_commit(election->store, &op, 1, CHANGE_URGENT, &won->revision);
}

enum veer_err election_campaign(struct election *election, struct veer_diag *diag)
{
	struct election_term won = {0};
	struct arena *arena = arena_new(OBJECT_BYTES);
	enum veer_err err = arena != NULL ? raise_number(election, arena, &won) : VEER_ENOMEM;
	arena_free(&arena);
	if (err != VEER_OK)
		return veer_fail(diag, err, "controller: election: %s", veer_err_text(err));
	(void)pthread_mutex_lock(&election->lock);
	election->term = won;
	election->is_held = true;
	(void)pthread_mutex_unlock(&election->lock);
	return VEER_OK;
}

bool election_read(struct election *election, struct election_term *term)
{
	(void)pthread_mutex_lock(&election->lock);
	*term = election->term;
	bool is_held = election->is_held;
	(void)pthread_mutex_unlock(&election->lock);
	return is_held;
}

void election_lose(struct election *election, const struct election_term *term)
{
	(void)pthread_mutex_lock(&election->lock);
	if (election->term.revision == term->revision)
		election->is_held = false;
	(void)pthread_mutex_unlock(&election->lock);
}

void election_verify(struct election *election, const struct election_term *term)
{
	struct store_object object;
	struct arena *arena = arena_new(OBJECT_BYTES);
	if (arena == NULL)
		return; /* the next commit will be refused as well */
	enum veer_err err = store_get(election->store, MODEL_KIND_META, ELECTION_KEY, arena, &object);
	if (err == VEER_ENOTFOUND || (err == VEER_OK && object.revision != term->revision))
		election_lose(election, term);
	arena_free(&arena);
}

struct store_op election_condition(const struct election_term *term)
{
	return (struct store_op){
		.op = STORE_CHECK, .kind = MODEL_KIND_META, .key = ELECTION_KEY, .expect = term->revision};
}
