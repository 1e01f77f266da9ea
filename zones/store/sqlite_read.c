/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite backend: reading and watching, on the reader connection. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "zones/store/sqlite_impl.h"

struct sqlite_watch {
	struct sqlite_store *store;
	int64_t revision; /* changes are delivered up to this revision */
	bool is_woken;    /* guarded by the store's state_lock */
};

static int64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_until(struct sqlite_store *s, int64_t due_ms)
{
	struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
	(void)pthread_cond_timedwait(&s->changed, &s->state_lock, &until);
}

enum veer_err sqlite_store_get(void *self, enum model_kind kind, const char *key, struct arena *arena,
			       struct store_object *out)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->read_lock);
	(void)sqlite3_bind_int(s->get, 1, (int)kind);
	(void)sqlite3_bind_text(s->get, 2, key, -1, SQLITE_STATIC);
	int code = sqlite3_step(s->get);
	enum veer_err err = code == SQLITE_DONE ? VEER_ENOTFOUND : sqlite_store_err(code);
	struct store_object object = {.kind = kind};
	if (err == VEER_OK) {
		const void *value = sqlite3_column_text(s->get, 1);
		object.value_len = (size_t)sqlite3_column_bytes(s->get, 1);
		object.revision = sqlite3_column_int64(s->get, 0);
		object.key = arena_strdup(arena, key);
		object.value = value != NULL ? arena_dup(arena, value, object.value_len + 1) : NULL;
		if (object.key == NULL || object.value == NULL)
			err = VEER_ENOMEM;
	}
	(void)sqlite3_reset(s->get);
	(void)sqlite3_clear_bindings(s->get);
	(void)pthread_mutex_unlock(&s->read_lock);
	if (err == VEER_OK)
		*out = object;
	return err;
}

/* Feed the rows (kind, key, revision, value, perhaps was) of a bound statement to `fn`, then reset it. `*wants_more`
 * becomes false when `fn` says so. */
static enum veer_err each_row(sqlite3_stmt *stmt, store_object_fn *fn, void *ctx, bool *wants_more)
{
	int code = sqlite3_step(stmt);
	*wants_more = true;
	for (; code == SQLITE_ROW; code = sqlite3_step(stmt)) {
		struct store_object object = {
			.kind = (enum model_kind)sqlite3_column_int(stmt, 0),
			.key = (const char *)sqlite3_column_text(stmt, 1),
			.revision = sqlite3_column_int64(stmt, 2),
			.value = (const char *)sqlite3_column_text(stmt, 3),
		};
		object.value_len = object.value != NULL ? (size_t)sqlite3_column_bytes(stmt, 3) : 0;
		if (sqlite3_column_count(stmt) > 4 && sqlite3_column_bytes(stmt, 4) == DIGEST_BYTES)
			object.was = sqlite3_column_blob(stmt, 4);
		if (object.key != NULL && !fn(ctx, &object)) {
			*wants_more = false;
			code = SQLITE_DONE;
			break;
		}
	}
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	return sqlite_store_err(code);
}

static void step_and_reset(sqlite3_stmt *stmt)
{
	(void)sqlite3_step(stmt);
	(void)sqlite3_reset(stmt);
}

/*
 * Begin a read transaction on the bulk connection. Returns its revision, or -1 when it cannot be read. bulk_lock is
 * held, and end_read() must follow.
 */
static int64_t begin_read(struct sqlite_store *s)
{
	step_and_reset(s->bulk_begin);
	int64_t revision =
		sqlite3_step(s->bulk_revision) == SQLITE_ROW ? sqlite3_column_int64(s->bulk_revision, 0) : -1;
	(void)sqlite3_reset(s->bulk_revision);
	return revision;
}

static void end_read(struct sqlite_store *s, enum veer_err err, int64_t seen, int64_t *revision)
{
	step_and_reset(s->bulk_end);
	if (err == VEER_OK && revision != NULL)
		*revision = seen;
}

enum veer_err sqlite_store_list(void *self, enum model_kind kind, const char *prefix, const char *after,
				store_object_fn *fn, void *ctx, int64_t *revision)
{
	struct sqlite_store *s = self;
	char end[STORE_KEY_MAX + 2] = "\x7f"; /* keys are ASCII and not empty: '' < key < 0x7f holds for all */
	size_t len = strlen(prefix);
	if (len > STORE_KEY_MAX)
		return VEER_ERANGE;
	if (len > 0) {
		memcpy(end, prefix, len + 1);
		end[len - 1]++;
	}
	(void)pthread_mutex_lock(&s->bulk_lock);
	(void)sqlite3_bind_int(s->list, 1, (int)kind);
	(void)sqlite3_bind_text(s->list, 2, after != NULL ? after : "", -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(s->list, 3, prefix, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(s->list, 4, end, -1, SQLITE_STATIC);
	int64_t seen = begin_read(s);
	bool wants_more;
	enum veer_err err = seen < 0 ? VEER_EIO : each_row(s->list, fn, ctx, &wants_more);
	end_read(s, err, seen, revision);
	(void)pthread_mutex_unlock(&s->bulk_lock);
	return err;
}

enum veer_err sqlite_store_snapshot(void *self, struct model_kinds kinds, store_object_fn *fn, void *ctx,
				    int64_t *revision)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->bulk_lock);
	int64_t seen = begin_read(s);
	bool wants_more = true;
	enum veer_err err = seen < 0 ? VEER_EIO : VEER_OK;
	for (int kind = MODEL_KIND_NONE + 1; kind < MODEL_KIND_COUNT && err == VEER_OK && wants_more; kind++) {
		if (!model_kinds_have(kinds, (enum model_kind)kind))
			continue;
		(void)sqlite3_bind_int(s->snapshot, 1, kind);
		err = each_row(s->snapshot, fn, ctx, &wants_more);
	}
	end_read(s, err, seen, revision);
	(void)pthread_mutex_unlock(&s->bulk_lock);
	return err;
}

/* The revision up to which the history was cut; read_lock is held. */
static int64_t compacted_revision(struct sqlite_store *s)
{
	int64_t revision = sqlite3_step(s->oldest) == SQLITE_ROW ? sqlite3_column_int64(s->oldest, 0) : INT64_MAX;
	(void)sqlite3_reset(s->oldest);
	return revision;
}

enum veer_err sqlite_store_watch_open(void *self, int64_t since, void **watch)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->read_lock);
	int64_t oldest = compacted_revision(s);
	(void)pthread_mutex_unlock(&s->read_lock);
	(void)pthread_mutex_lock(&s->state_lock);
	int64_t newest = s->revision;
	(void)pthread_mutex_unlock(&s->state_lock);
	if (since < oldest || since > newest)
		return VEER_ESTALE;
	struct sqlite_watch *w = calloc(1, sizeof *w);
	if (w == NULL)
		return VEER_ENOMEM;
	w->store = s;
	w->revision = since;
	*watch = w;
	return VEER_OK;
}

void sqlite_store_watch_close(void *watch)
{
	free(watch);
}

void sqlite_store_watch_wake(void *watch)
{
	struct sqlite_watch *w = watch;
	(void)pthread_mutex_lock(&w->store->state_lock);
	w->is_woken = true;
	(void)pthread_cond_broadcast(&w->store->changed);
	(void)pthread_mutex_unlock(&w->store->state_lock);
}

/* Wait for something newer than the watch has delivered; `*newest` is how far it may go now. */
static enum veer_err wait_for_news(struct sqlite_watch *w, int64_t timeout_ms, int64_t *newest)
{
	struct sqlite_store *s = w->store;
	int64_t due = now_ms() + timeout_ms;
	(void)pthread_mutex_lock(&s->state_lock);
	while (s->revision <= w->revision && !w->is_woken && now_ms() < due)
		wait_until(s, due);
	*newest = s->revision;
	enum veer_err err = w->is_woken ? VEER_ECLOSED : s->revision <= w->revision ? VEER_ETIMEOUT : VEER_OK;
	w->is_woken = false;
	(void)pthread_mutex_unlock(&s->state_lock);
	return err;
}

enum veer_err sqlite_store_watch_next(void *watch, int64_t timeout_ms, store_object_fn *fn, void *ctx,
				      int64_t *revision)
{
	struct sqlite_watch *w = watch;
	struct sqlite_store *s = w->store;
	int64_t newest = 0;
	enum veer_err err = wait_for_news(w, timeout_ms, &newest);
	if (err != VEER_OK)
		return err;
	(void)pthread_mutex_lock(&s->read_lock);
	if (compacted_revision(s) > w->revision) {
		err = VEER_ESTALE;
	} else {
		(void)sqlite3_bind_int64(s->history, 1, w->revision);
		(void)sqlite3_bind_int64(s->history, 2, newest);
		bool wants_more;
		err = each_row(s->history, fn, ctx, &wants_more);
	}
	(void)pthread_mutex_unlock(&s->read_lock);
	if (err == VEER_OK) {
		w->revision = newest;
		*revision = newest;
	}
	return err;
}
