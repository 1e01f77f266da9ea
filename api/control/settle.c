/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/settle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/control/change.h"
#include "api/control/zone_data.h"

enum { ATTEMPTS = 5, NAMES_BYTES = 256 << 20, BATCH_BYTES = 64 << 20 };

/* The zones' names, collected first because the store must not be called while it lists. */
struct names {
	struct arena *arena;
	const char **items;
	size_t count, size;
	bool failed;
};

static bool add_name(void *ctx, const struct store_object *object)
{
	struct names *n = ctx;
	if (n->count == n->size) {
		size_t size = n->size > 0 ? 2 * n->size : 64;
		const char **items = realloc(n->items, size * sizeof *items);
		n->failed = n->failed || items == NULL;
		if (items == NULL)
			return false;
		n->items = items;
		n->size = size;
	}
	char *copy = arena_strdup(n->arena, object->key);
	n->failed = n->failed || copy == NULL;
	n->items[n->count++] = copy;
	return copy != NULL;
}

/* The operations of one commit: new SOAs, each on condition that the SOA that was read is unchanged. */
struct batch {
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	char *values[STORE_COMMIT_OPS_MAX]; /* owned */
	size_t count;
};

static void batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->values[i]);
	b->count = 0;
}

/*
 * Add the zone's SOA with its serial raised by `step` or, if `step` is 0, to one more than `seen` if it is not above
 * that. A zone that cannot be read has no serial to raise.
 */
static enum veer_err batch_add(struct control *control, struct batch *b, struct arena *arena, const char *name,
			       uint32_t step, uint32_t seen)
{
	struct zone_ref zone;
	struct zone_soa soa;
	char *key = arena_alloc(arena, RRSET_KEY_SIZE), *value = NULL;
	enum veer_err err = key != NULL ? zone_find(control, name, arena, &zone) : VEER_ENOMEM;
	if (err == VEER_OK)
		err = zone_soa_get(control, &zone, arena, &soa);
	if (err == VEER_ECORRUPT || err == VEER_ENOTFOUND)
		return VEER_OK;
	if (err != VEER_OK)
		return err;
	uint32_t serial = step > 0 ? soa.serial + step : seen + 1;
	if (zone_serial_next(soa.serial, serial) != serial)
		return VEER_OK;
	value = zone_soa_with_serial(&soa, serial);
	if (value == NULL)
		return VEER_ENOMEM;
	zone_rrset_key(&zone, zone.name, RRTYPE_SOA, key);
	assert(b->count < STORE_COMMIT_OPS_MAX);
	b->values[b->count] = value;
	b->ops[b->count++] = (struct store_op){.op = STORE_PUT,
					       .kind = MODEL_KIND_RRSET,
					       .key = key,
					       .value = value,
					       .value_len = strlen(value),
					       .expect = soa.revision};
	return VEER_OK;
}

/* Raise the serials of these zones (at most STORE_COMMIT_OPS_MAX) in one commit, and try again after other writers. */
static enum veer_err raise(struct control *control, const char *const *names, size_t count, uint32_t step,
			   uint32_t seen)
{
	struct arena *arena = arena_new(BATCH_BYTES);
	struct batch *b = calloc(1, sizeof *b);
	enum veer_err err = arena != NULL && b != NULL ? VEER_ECONFLICT : VEER_ENOMEM;
	for (int i = 0; i < ATTEMPTS && err == VEER_ECONFLICT; i++) {
		int64_t revision;
		err = VEER_OK;
		for (size_t k = 0; k < count && err == VEER_OK; k++)
			err = batch_add(control, b, arena, names[k], step, seen);
		if (err == VEER_OK && b->count > 0)
			err = change_commit(control->store, b->ops, b->count, CHANGE_URGENT, &revision);
		batch_clear(b);
		arena_reset(arena);
	}
	free(b);
	arena_free(&arena);
	return err;
}

enum veer_err settle_serial(struct control *control, const char *zone, uint32_t seen)
{
	return raise(control, &zone, 1, 0, seen);
}

enum veer_err settle_store(struct control *control)
{
	struct names names = {.arena = arena_new(NAMES_BYTES)};
	enum veer_err err = VEER_ENOMEM;
	if (names.arena != NULL)
		err = store_list(control->store, MODEL_KIND_ZONE, "", NULL, add_name, &names, NULL);
	if (err == VEER_OK && names.failed)
		err = VEER_ENOMEM;
	for (size_t i = 0; i < names.count && err == VEER_OK; i += STORE_COMMIT_OPS_MAX) {
		size_t left = names.count - i;
		err = raise(control, names.items + i, left < STORE_COMMIT_OPS_MAX ? left : STORE_COMMIT_OPS_MAX,
			    SETTLE_SERIAL_STEP, 0);
	}
	if (err == VEER_OK)
		err = store_settle(control->store);
	if (err == VEER_OK)
		log_notice(control->log, "the store has gone back: the serials of its zones were raised",
			   LOG_INT("zones", names.count), LOG_INT("by", SETTLE_SERIAL_STEP));
	else
		log_error(control->log, "the serials of zones cannot be raised", LOG_STR("why", veer_err_text(err)));
	free(names.items);
	arena_free(&names.arena);
	return err;
}
