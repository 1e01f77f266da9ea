/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/zone_keeper.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/control/change.h"
#include "base/text.h"

enum { RETRY_S = 30, LEFTOVER_DIGITS = 18 };

struct zone_import {
	struct zone_keeper *keeper;
	bool is_used;
	char zone[NAME_TEXT_SIZE];
	int64_t version; /* 0: none yet */
	struct zone_progress progress;
};

/* Locks, in this order: versions_lock, lock. */
struct zone_keeper {
	struct store *store;
	struct logger *log;
	pthread_mutex_t
		versions_lock; /* held while a version number is assigned, and while a piece is judged and removed */
	pthread_mutex_t lock;  /* guards what follows */
	pthread_cond_t wanted;
	bool is_wanted;
	bool is_stopping;
	struct zone_import imports[ZONE_IMPORTS_MAX];
	char cleaning[NAME_TEXT_SIZE]; /* the zone whose leftovers are being removed; "": none */
	int64_t cleaned;               /* RRsets of that zone that were removed so far */
	pthread_t thread;
	bool has_thread;
};

/* The prefix "ZONE/VERSION/" of RRsets. */
struct leftover {
	char prefix[RRSET_KEY_SIZE];
	char zone[NAME_TEXT_SIZE];
	int64_t version;
	bool is_found;
};

static bool is_stopping(struct zone_keeper *k)
{
	(void)pthread_mutex_lock(&k->lock);
	bool stopping = k->is_stopping;
	(void)pthread_mutex_unlock(&k->lock);
	return stopping;
}

/* --- versions that have RRsets ------------------------------------------------------------------------------ */

static bool take_first(void *ctx, const struct store_object *object)
{
	struct leftover *l = ctx;
	char digits[LEFTOVER_DIGITS + 1];
	const char *first = strchr(object->key, '/');
	const char *second = first != NULL ? strchr(first + 1, '/') : NULL;
	l->is_found = true;
	l->version = 0;
	(void)snprintf(l->prefix, sizeof l->prefix, "%s", object->key);
	if (second == NULL || (size_t)(first - object->key) >= sizeof l->zone ||
	    (size_t)(second - first) > sizeof digits)
		return false; /* a malformed key: it is skipped */
	memcpy(digits, first + 1, (size_t)(second - first - 1));
	digits[second - first - 1] = '\0';
	(void)text_to_int(digits, 1, INT64_MAX, &l->version);
	memcpy(l->zone, object->key, (size_t)(first - object->key));
	l->zone[first - object->key] = '\0';
	l->prefix[second + 1 - object->key] = '\0';
	return false;
}

/* Find the first version with RRsets after `*l` among the keys that start with `within`; l->is_found says whether. */
static enum veer_err next_version(struct zone_keeper *k, const char *within, struct leftover *l)
{
	char after[RRSET_KEY_SIZE + 2] = "";
	if (l->is_found)
		(void)snprintf(after, sizeof after, "%s\x7f", l->prefix); /* sorts after all keys with this prefix */
	l->is_found = false;
	return store_list(k->store, MODEL_KIND_RRSET, within, after, take_first, l, NULL);
}

/* The version that the zone object names; 0 when there is none. */
static enum veer_err visible_version(struct zone_keeper *k, const char *zone, int64_t *version)
{
	struct arena *arena = arena_new(64 << 10);
	struct store_object object;
	json_t *json = NULL;
	*version = 0;
	if (arena == NULL)
		return VEER_ENOMEM;
	enum veer_err err = store_get(k->store, MODEL_KIND_ZONE, zone, arena, &object);
	if (err == VEER_OK)
		err = veer_json_parse(object.value, object.value_len, STORE_VALUE_MAX, &json, NULL);
	if (err == VEER_OK)
		*version = json_integer_value(json_object_get(json, "version"));
	json_decref(json);
	arena_free(&arena);
	return err == VEER_ENOTFOUND ? VEER_OK : err;
}

/* Find a number above all versions that have RRsets and above the visible one; versions_lock is held. */
static enum veer_err free_version(struct zone_keeper *k, const char *zone, int64_t *out)
{
	char within[NAME_TEXT_SIZE + 1];
	int64_t highest = 0;
	struct leftover *l = calloc(1, sizeof *l);
	if (l == NULL)
		return VEER_ENOMEM;
	(void)snprintf(within, sizeof within, "%s/", zone);
	enum veer_err err = visible_version(k, zone, &highest);
	while (err == VEER_OK) {
		err = next_version(k, within, l);
		if (!l->is_found)
			break;
		highest = l->version > highest ? l->version : highest;
	}
	free(l);
	*out = highest + 1;
	return err;
}

/* --- removal ------------------------------------------------------------------------------------------------ */

static bool is_being_imported(struct zone_keeper *k, const struct leftover *l)
{
	bool is = false;
	(void)pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < ZONE_IMPORTS_MAX; i++)
		is |= k->imports[i].is_used && k->imports[i].version == l->version &&
		      strcmp(k->imports[i].zone, l->zone) == 0;
	(void)pthread_mutex_unlock(&k->lock);
	return is;
}

/*
 * Is it invisible for ever? Imports are checked before the store, because an import ends only after its version is
 * visible.
 */
static enum veer_err is_garbage(struct zone_keeper *k, const struct leftover *l, bool *out)
{
	int64_t visible = 0;
	*out = false;
	if (l->version == 0 || is_being_imported(k, l))
		return VEER_OK;
	enum veer_err err = visible_version(k, l->zone, &visible);
	*out = err == VEER_OK && visible != l->version;
	return err;
}

/* The keys of one piece. */
struct piece {
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	size_t count;
	bool failed;
};

static bool add_deletion(void *ctx, const struct store_object *object)
{
	struct piece *p = ctx;
	char *key = strdup(object->key);
	if (key == NULL) {
		p->failed = true;
		return false;
	}
	assert(p->count < STORE_COMMIT_OPS_MAX);
	p->ops[p->count++] =
		(struct store_op){.op = STORE_DEL, .kind = MODEL_KIND_RRSET, .key = key, .expect = STORE_ANY};
	return p->count < STORE_COMMIT_OPS_MAX;
}

/* Judge and remove one piece. `*removed` 0: nothing is left of it, or it is not garbage. */
static enum veer_err remove_piece(struct zone_keeper *k, const struct leftover *l, size_t *removed)
{
	struct piece *p = calloc(1, sizeof *p);
	bool garbage = false;
	int64_t revision;
	*removed = 0;
	if (p == NULL)
		return VEER_ENOMEM;
	(void)pthread_mutex_lock(&k->versions_lock);
	enum veer_err err = is_garbage(k, l, &garbage);
	if (err == VEER_OK && garbage)
		err = store_list(k->store, MODEL_KIND_RRSET, l->prefix, NULL, add_deletion, p, NULL);
	if (err == VEER_OK && p->count > 0)
		err = change_commit(k->store, p->ops, p->count, CHANGE_ORDINARY, &revision);
	if (err == VEER_ESPACE) /* it makes room, so it may use the last room */
		err = change_commit(k->store, p->ops, p->count, CHANGE_URGENT, &revision);
	(void)pthread_mutex_unlock(&k->versions_lock);
	if (err == VEER_OK)
		*removed = p->count;
	if (err == VEER_OK && p->failed)
		err = VEER_ENOMEM;
	for (size_t i = 0; i < p->count; i++)
		free((void *)(uintptr_t)p->ops[i].key);
	free(p);
	return err;
}

/* Remove one version piece by piece, if it is garbage. */
static enum veer_err remove_version(struct zone_keeper *k, const struct leftover *l, int64_t *total)
{
	size_t removed = 1;
	enum veer_err err = VEER_OK;
	while (err == VEER_OK && removed > 0) {
		if (is_stopping(k))
			return VEER_ECLOSED;
		err = remove_piece(k, l, &removed);
		if (removed == 0)
			break;
		*total += (int64_t)removed;
		(void)pthread_mutex_lock(&k->lock);
		(void)snprintf(k->cleaning, sizeof k->cleaning, "%s", l->zone);
		k->cleaned = *total;
		(void)pthread_mutex_unlock(&k->lock);
	}
	return err;
}

/* Walk over all versions within a prefix ("" for everything), and remove those that are garbage. */
static enum veer_err remove_within(struct zone_keeper *k, const char *within)
{
	int64_t total = 0;
	struct leftover *l = calloc(1, sizeof *l);
	if (l == NULL)
		return VEER_ENOMEM;
	enum veer_err err = VEER_OK;
	while (err == VEER_OK) {
		err = is_stopping(k) ? VEER_ECLOSED : next_version(k, within, l);
		if (err != VEER_OK || !l->is_found)
			break;
		err = remove_version(k, l, &total);
	}
	if (total > 0)
		log_info(k->log, "removed RRsets that no zone shows any more", LOG_INT("rrsets", total));
	(void)pthread_mutex_lock(&k->lock);
	k->cleaning[0] = '\0';
	(void)pthread_mutex_unlock(&k->lock);
	free(l);
	return err;
}

static void *keeper_main(void *ctx)
{
	struct zone_keeper *k = ctx;
	(void)pthread_mutex_lock(&k->lock);
	while (!k->is_stopping) {
		if (!k->is_wanted) {
			(void)pthread_cond_wait(&k->wanted, &k->lock);
			continue;
		}
		k->is_wanted = false;
		(void)pthread_mutex_unlock(&k->lock);
		enum veer_err err = remove_within(k, "");
		if (err != VEER_OK && err != VEER_ECLOSED)
			log_warn(k->log, "old RRsets cannot be removed now", LOG_STR("why", veer_err_text(err)));
		(void)pthread_mutex_lock(&k->lock);
		if (err != VEER_OK && !k->is_stopping) {
			struct timespec until;
			(void)clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_sec += RETRY_S;
			(void)pthread_cond_timedwait(&k->wanted, &k->lock, &until);
			k->is_wanted = true;
		}
	}
	(void)pthread_mutex_unlock(&k->lock);
	return NULL;
}

/* --- life --------------------------------------------------------------------------------------------------- */

struct zone_keeper *zone_keeper_new(struct store *store, struct logger *log)
{
	pthread_condattr_t attr;
	struct zone_keeper *k = calloc(1, sizeof *k);
	if (k == NULL)
		return NULL;
	k->store = store;
	k->log = log;
	k->is_wanted = true;
	(void)pthread_mutex_init(&k->versions_lock, NULL);
	(void)pthread_mutex_init(&k->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&k->wanted, &attr);
	(void)pthread_condattr_destroy(&attr);
	k->has_thread = pthread_create(&k->thread, NULL, keeper_main, k) == 0;
	if (!k->has_thread)
		zone_keeper_free(&k);
	return k;
}

void zone_keeper_stop(struct zone_keeper *keeper)
{
	(void)pthread_mutex_lock(&keeper->lock);
	keeper->is_stopping = true;
	(void)pthread_cond_broadcast(&keeper->wanted);
	(void)pthread_mutex_unlock(&keeper->lock);
}

void zone_keeper_free(struct zone_keeper **keeper)
{
	struct zone_keeper *k = *keeper;
	if (k == NULL)
		return;
	zone_keeper_stop(k);
	if (k->has_thread)
		(void)pthread_join(k->thread, NULL);
	(void)pthread_cond_destroy(&k->wanted);
	(void)pthread_mutex_destroy(&k->lock);
	(void)pthread_mutex_destroy(&k->versions_lock);
	free(k);
	*keeper = NULL;
}

void zone_keeper_wake(struct zone_keeper *keeper)
{
	(void)pthread_mutex_lock(&keeper->lock);
	keeper->is_wanted = true;
	(void)pthread_cond_broadcast(&keeper->wanted);
	(void)pthread_mutex_unlock(&keeper->lock);
}

enum veer_err zone_keeper_allot(struct zone_keeper *keeper, const struct zone_ref *zone, int64_t *version)
{
	(void)pthread_mutex_lock(&keeper->versions_lock);
	enum veer_err err = free_version(keeper, zone->text, version);
	if (err != VEER_OK)
		(void)pthread_mutex_unlock(&keeper->versions_lock);
	return err;
}

void zone_keeper_allotted(struct zone_keeper *keeper)
{
	(void)pthread_mutex_unlock(&keeper->versions_lock);
}

/* --- imports ------------------------------------------------------------------------------------------------ */

enum veer_err zone_import_begin(struct zone_keeper *keeper, const struct zone_ref *zone, struct zone_import **out)
{
	struct zone_import *spare = NULL;
	enum veer_err err = VEER_OK;
	(void)pthread_mutex_lock(&keeper->lock);
	for (size_t i = 0; i < ZONE_IMPORTS_MAX; i++) {
		if (!keeper->imports[i].is_used)
			spare = &keeper->imports[i];
		else if (strcmp(keeper->imports[i].zone, zone->text) == 0)
			err = VEER_EBUSY;
	}
	if (keeper->is_stopping)
		err = VEER_ECLOSED;
	else if (err == VEER_OK && spare == NULL)
		err = VEER_ELIMIT;
	if (err == VEER_OK) {
		*spare = (struct zone_import){.keeper = keeper, .is_used = true, .progress = {.state = "parsing"}};
		(void)snprintf(spare->zone, sizeof spare->zone, "%s", zone->text);
		*out = spare;
	}
	(void)pthread_mutex_unlock(&keeper->lock);
	return err;
}

enum veer_err zone_import_allocate(struct zone_import *import, int64_t *version)
{
	struct zone_keeper *k = import->keeper;
	char within[NAME_TEXT_SIZE + 1];
	(void)snprintf(within, sizeof within, "%s/", import->zone);
	zone_import_progress(import, "cleaning", 0, 0);
	enum veer_err err = remove_within(k, within);
	if (err != VEER_OK)
		return err;
	(void)pthread_mutex_lock(&k->versions_lock);
	err = free_version(k, import->zone, version);
	if (err == VEER_OK) {
		(void)pthread_mutex_lock(&k->lock);
		import->version = *version;
		(void)pthread_mutex_unlock(&k->lock);
	}
	(void)pthread_mutex_unlock(&k->versions_lock);
	return err;
}

void zone_import_end(struct zone_import **import)
{
	if (*import == NULL)
		return;
	struct zone_keeper *k = (*import)->keeper;
	(void)pthread_mutex_lock(&k->lock);
	(*import)->is_used = false;
	(void)pthread_mutex_unlock(&k->lock);
	*import = NULL;
	zone_keeper_wake(k);
}

void zone_import_progress(struct zone_import *import, const char *state, int64_t done, int64_t total)
{
	(void)pthread_mutex_lock(&import->keeper->lock);
	import->progress = (struct zone_progress){.state = state, .done = done, .total = total};
	(void)pthread_mutex_unlock(&import->keeper->lock);
}

bool zone_import_must_stop(struct zone_import *import)
{
	return is_stopping(import->keeper);
}

void zone_progress_get(struct zone_keeper *keeper, const struct zone_ref *zone, struct zone_progress *out)
{
	*out = (struct zone_progress){.state = "idle"};
	(void)pthread_mutex_lock(&keeper->lock);
	if (strcmp(keeper->cleaning, zone->text) == 0)
		*out = (struct zone_progress){.state = "cleaning", .done = keeper->cleaned};
	for (size_t i = 0; i < ZONE_IMPORTS_MAX; i++)
		if (keeper->imports[i].is_used && strcmp(keeper->imports[i].zone, zone->text) == 0)
			*out = keeper->imports[i].progress;
	(void)pthread_mutex_unlock(&keeper->lock);
}
