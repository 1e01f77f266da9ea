/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorted arrays of entries, one for each kind: there are only thousands of entries, so moving pointers is cheap enough.
 */
#include "api/control/directory.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct record {
	char *key;
	char *text;
	json_t *object;
	int64_t revision;
};

struct directory_change {
	enum model_kind kind;
	struct record *record; /* NULL: delete `key` */
	char *key;
};

struct table {
	struct record **records; /* in order of keys */
	size_t count;
	size_t size;
};

struct directory {
	pthread_rwlock_t lock; /* guards the tables */
	struct table tables[MODEL_KIND_COUNT];
	pthread_mutex_t revision_lock; /* guards `revision`; taken after `lock` or alone */
	pthread_cond_t advanced;
	int64_t revision;
};

struct directory *directory_new(void)
{
	struct directory *d = calloc(1, sizeof *d);
	if (d == NULL)
		return NULL;
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&d->advanced, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&d->revision_lock, NULL);
	/* A steady stream of readers must not keep the writer out, because that would delay failovers. */
	pthread_rwlockattr_t writer_first;
	(void)pthread_rwlockattr_init(&writer_first);
	(void)pthread_rwlockattr_setkind_np(&writer_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(&d->lock, &writer_first);
	(void)pthread_rwlockattr_destroy(&writer_first);
	return d;
}

static void record_free(struct record *r)
{
	if (r == NULL)
		return;
	json_decref(r->object);
	free(r->key);
	free(r->text);
	free(r);
}

void directory_free(struct directory **directory)
{
	struct directory *d = *directory;
	if (d == NULL)
		return;
	directory_clear(d);
	(void)pthread_rwlock_destroy(&d->lock);
	(void)pthread_cond_destroy(&d->advanced);
	(void)pthread_mutex_destroy(&d->revision_lock);
	free(d);
	*directory = NULL;
}

bool directory_keeps(enum model_kind kind)
{
	const struct model_kind_row *row = model_kind_row(kind);
	return row != NULL && row->mirroring == MODEL_MIRRORING_YES;
}

/* The index of `key`, or the index where it would be inserted. */
static size_t find(const struct table *t, const char *key, bool *found)
{
	size_t low = 0, high = t->count;
	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(t->records[middle]->key, key);
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct record *record_new(const struct store_object *object)
{
	struct record *r = calloc(1, sizeof *r);
	if (r == NULL)
		return NULL;
	r->revision = object->revision;
	r->key = strdup(object->key);
	r->text = strdup(object->value);
	if (r->key == NULL || r->text == NULL ||
	    veer_json_parse(object->value, object->value_len, STORE_VALUE_MAX, &r->object, NULL) != VEER_OK ||
	    !json_is_object(r->object)) {
		record_free(r);
		return NULL;
	}
	return r;
}

static bool insert(struct table *t, size_t at, struct record *r)
{
	if (t->count == t->size) {
		size_t size = t->size > 0 ? 2 * t->size : 64;
		struct record **records = reallocarray(t->records, size, sizeof(struct record *));
		if (records == NULL)
			return false;
		t->records = records;
		t->size = size;
	}
	memmove(t->records + at + 1, t->records + at, (t->count - at) * sizeof *t->records);
	t->records[at] = r;
	t->count++;
	return true;
}

void directory_begin(struct directory *directory)
{
	(void)pthread_rwlock_wrlock(&directory->lock);
}

struct directory_change *directory_prepare(const struct store_object *object)
{
	struct directory_change *change = calloc(1, sizeof *change);
	if (change == NULL)
		return NULL;
	change->kind = object->kind;
	if (object->value != NULL)
		change->record = record_new(object);
	else
		change->key = strdup(object->key);
	if (change->record == NULL && change->key == NULL) {
		free(change);
		return NULL;
	}
	return change;
}

void directory_discard(struct directory_change **change)
{
	if (*change == NULL)
		return;
	record_free((*change)->record);
	free((*change)->key);
	free(*change);
	*change = NULL;
}

bool directory_install(struct directory *directory, struct directory_change **change)
{
	bool found, ok = true;
	struct record *r = (*change)->record;
	struct table *t = &directory->tables[(*change)->kind];
	size_t at = find(t, r != NULL ? r->key : (*change)->key, &found);
	if (r == NULL && found) {
		record_free(t->records[at]);
		t->count--;
		memmove(t->records + at, t->records + at + 1, (t->count - at) * sizeof *t->records);
	} else if (r != NULL && found) {
		record_free(t->records[at]);
		t->records[at] = r;
	} else if (r != NULL) {
		ok = insert(t, at, r);
	}
	if (ok)
		(*change)->record = NULL;
	directory_discard(change);
	return ok;
}

void directory_clear(struct directory *directory)
{
	for (int kind = 0; kind < MODEL_KIND_COUNT; kind++) {
		struct table *t = &directory->tables[kind];
		for (size_t i = 0; i < t->count; i++)
			record_free(t->records[i]);
		free(t->records);
		*t = (struct table){NULL, 0, 0};
	}
}

void directory_end(struct directory *directory, int64_t revision)
{
	/* Before the tables are unlocked, so that a reader of both never takes old content for new. */
	(void)pthread_mutex_lock(&directory->revision_lock);
	if (revision > directory->revision)
		directory->revision = revision;
	(void)pthread_cond_broadcast(&directory->advanced);
	(void)pthread_mutex_unlock(&directory->revision_lock);
	(void)pthread_rwlock_unlock(&directory->lock);
}

int64_t directory_revision(struct directory *directory)
{
	(void)pthread_mutex_lock(&directory->revision_lock);
	int64_t revision = directory->revision;
	(void)pthread_mutex_unlock(&directory->revision_lock);
	return revision;
}

bool directory_wait(struct directory *directory, int64_t revision, int64_t timeout_ms)
{
	const struct timespec until = veer_clock_deadline(timeout_ms);
	(void)pthread_mutex_lock(&directory->revision_lock);
	int waited = 0;
	while (directory->revision < revision && waited == 0)
		waited = pthread_cond_timedwait(&directory->advanced, &directory->revision_lock, &until);
	bool is_there = directory->revision >= revision;
	(void)pthread_mutex_unlock(&directory->revision_lock);
	return is_there;
}

void directory_read_begin(struct directory *directory)
{
	(void)pthread_rwlock_rdlock(&directory->lock);
}

void directory_read_end(struct directory *directory)
{
	(void)pthread_rwlock_unlock(&directory->lock);
}

static bool show(const struct table *t, size_t i, enum model_kind kind, directory_fn *fn, void *ctx)
{
	const struct record *r = t->records[i];
	struct directory_entry entry = {kind, r->key, r->revision, r->text, r->object};
	return fn(ctx, &entry);
}

enum veer_err directory_get_locked(struct directory *directory, enum model_kind kind, const char *key, directory_fn *fn,
				   void *ctx)
{
	bool found;
	const struct table *t = &directory->tables[kind];
	size_t at = find(t, key, &found);
	if (!found)
		return VEER_ENOTFOUND;
	(void)show(t, at, kind, fn, ctx);
	return VEER_OK;
}

void directory_list_locked(struct directory *directory, enum model_kind kind, const char *after, directory_fn *fn,
			   void *ctx)
{
	const struct table *t = &directory->tables[kind];
	bool found = false;
	size_t at = after != NULL ? find(t, after, &found) : 0;
	for (at += found ? 1 : 0; at < t->count; at++)
		if (!show(t, at, kind, fn, ctx))
			break;
}

enum veer_err directory_get(struct directory *directory, enum model_kind kind, const char *key, directory_fn *fn,
			    void *ctx)
{
	directory_read_begin(directory);
	enum veer_err err = directory_get_locked(directory, kind, key, fn, ctx);
	directory_read_end(directory);
	return err;
}

void directory_list(struct directory *directory, enum model_kind kind, const char *after, directory_fn *fn, void *ctx)
{
	directory_read_begin(directory);
	directory_list_locked(directory, kind, after, fn, ctx);
	directory_read_end(directory);
}

size_t directory_count_locked(const struct directory *directory, enum model_kind kind)
{
	return directory->tables[kind].count;
}

size_t directory_count(struct directory *directory, enum model_kind kind)
{
	directory_read_begin(directory);
	size_t count = directory_count_locked(directory, kind);
	directory_read_end(directory);
	return count;
}

static bool take_revision(void *ctx, const struct directory_entry *entry)
{
	*(int64_t *)ctx = entry->revision;
	return true;
}

int64_t directory_revision_of(struct directory *directory, enum model_kind kind, const char *key)
{
	int64_t revision = 0;
	(void)directory_get(directory, kind, key, take_revision, &revision);
	return revision;
}
