/* SPDX-License-Identifier: Apache-2.0 */
/* The store's front: picks the backend by the URL, and makes the checks that every backend would have to make. */
#include "zones/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "zones/store/backend.h"

struct store_watch {
	const struct store_backend *backend;
	void *self;
};

enum veer_err store_open(const char *url, struct store **out, struct veer_diag *diag)
{
	static const char scheme[] = "sqlite:";
	if (strncmp(url, scheme, sizeof scheme - 1) != 0 || url[sizeof scheme - 1] == '\0')
		return veer_fail(diag, VEER_EINVAL, "store \"%s\": must be sqlite:PATH", url);
	struct store *store = calloc(1, sizeof *store);
	if (store == NULL)
		return VEER_ENOMEM;
	enum veer_err err = store_sqlite_open(url + sizeof scheme - 1, &store->backend, &store->self, diag);
	if (err != VEER_OK) {
		free(store);
		return err;
	}
	*out = store;
	return VEER_OK;
}

void store_close(struct store **store)
{
	if (*store == NULL)
		return;
	(*store)->backend->close((*store)->self);
	free(*store);
	*store = NULL;
}

const char *store_id(const struct store *store)
{
	return store->backend->id(store->self);
}

int64_t store_revision(struct store *store)
{
	return store->backend->revision(store->self);
}

enum veer_err store_begin_lineage(struct store *store, enum history_cause cause)
{
	enum veer_err err = store->backend->begin_lineage(store->self, cause);
	if (err == VEER_ESPACE && store->backend->make_room(store->self))
		err = store->backend->begin_lineage(store->self, cause);
	return err;
}

void store_ancestry(struct store *store, struct history_ancestry *out)
{
	store->backend->ancestry(store->self, out);
}

const char *store_lineage(struct store *store, char out[HISTORY_ID_SIZE])
{
	struct history_ancestry ancestry;
	store_ancestry(store, &ancestry);
	memcpy(out, ancestry.lineages[ancestry.count - 1].id, HISTORY_ID_SIZE);
	return out;
}

bool store_is_unsettled(struct store *store)
{
	return store->backend->is_unsettled(store->self);
}

enum veer_err store_settle(struct store *store)
{
	enum veer_err err = store->backend->settle(store->self);
	if (err == VEER_ESPACE && store->backend->make_room(store->self))
		err = store->backend->settle(store->self);
	return err;
}

enum veer_err store_backup(struct store *store, const char *path)
{
	return store->backend->backup(store->self, path);
}

bool store_is_rewound(struct store *store)
{
	return store->backend->is_rewound(store->self);
}

void store_keep_room(struct store *store, struct store_room *out)
{
	store->backend->keep_room(store->self, out);
}

static bool is_trouble(enum veer_err err)
{
	return err == VEER_EIO || err == VEER_ECORRUPT || err == VEER_ESPACE;
}

/* Note a result. Damage stays noted, because another page that is sound does not disprove it. */
static void note(_Atomic int *last, _Atomic uint64_t *count, enum veer_err err)
{
	if (is_trouble(err))
		atomic_fetch_add(count, 1);
	if (atomic_load(last) != (int)VEER_ECORRUPT)
		atomic_store(last, (int)(is_trouble(err) ? err : VEER_OK));
}

static enum veer_err note_read(struct store *store, enum veer_err err)
{
	note(&store->read_err, &store->read_errors, err);
	return err;
}

static void note_write(struct store *store, enum veer_err err)
{
	note(&store->write_err, &store->write_errors, err);
}

void store_health(const struct store *store, struct store_health *out)
{
	*out = (struct store_health){.read_err = (enum veer_err)atomic_load(&store->read_err),
				     .write_err = (enum veer_err)atomic_load(&store->write_err),
				     .read_errors = atomic_load(&store->read_errors),
				     .write_errors = atomic_load(&store->write_errors)};
}

enum veer_err store_probe(struct store *store)
{
	enum veer_err err = store->backend->probe(store->self);
	note_write(store, err);
	return err;
}

enum veer_err store_get(struct store *store, enum model_kind kind, const char *key, struct arena *arena,
			struct store_object *out)
{
	return note_read(store, store->backend->get(store->self, kind, key, arena, out));
}

enum veer_err store_list(struct store *store, enum model_kind kind, const char *prefix, const char *after,
			 store_object_fn *fn, void *ctx, int64_t *revision)
{
	return note_read(store, store->backend->list(store->self, kind, prefix, after, fn, ctx, revision));
}

enum veer_err store_snapshot(struct store *store, struct model_kinds kinds, store_object_fn *fn, void *ctx,
			     int64_t *revision)
{
	return note_read(store, store->backend->snapshot(store->self, kinds, fn, ctx, revision));
}

/* --- commits whose outcome is not known ------------------------------------------------------- */

enum { READ_BACK_BYTES = STORE_VALUE_MAX + STORE_KEY_MAX + 4096 };

/* Does a later operation of the same commit write the same object? */
static bool is_overwritten(const struct store_op *ops, size_t count, size_t i)
{
	for (size_t k = i + 1; k < count; k++)
		if (ops[k].op != STORE_CHECK && ops[k].kind == ops[i].kind && strcmp(ops[k].key, ops[i].key) == 0)
			return true;
	return false;
}

/*
 * Is the effect of the operation in the store? A put must have been written after `before`, and at the revision `*at`
 * (0: not known yet), because one commit writes all of its objects at the same revision.
 */
static bool is_as_wished(struct store *store, const struct store_op *op, int64_t before, struct arena *arena,
			 int64_t *at)
{
	struct store_object object;
	arena_reset(arena);
	enum veer_err err = store_get(store, op->kind, op->key, arena, &object);
	if (op->op == STORE_DEL)
		return err == VEER_ENOTFOUND;
	bool is = err == VEER_OK && object.revision > before && (*at == 0 || object.revision == *at) &&
		  object.value_len == op->value_len && memcmp(object.value, op->value, op->value_len) == 0;
	if (is)
		*at = object.revision;
	return is;
}

/*
 * After an error that leaves open whether the commit happened: read whether all of it is there. The commit is never
 * sent again. If all of it is there, the result is VEER_OK and `*revision` is the revision found; otherwise the error
 * stays. If others have written the same objects since, the error stays too, so that the writer reads them again.
 */
static enum veer_err resolve(struct store *store, const struct store_op *ops, size_t count, int64_t before,
			     enum veer_err err, int64_t *revision)
{
	int64_t at = 0;
	size_t wishes = 0;
	struct arena *arena = arena_new(READ_BACK_BYTES);
	bool is_there = arena != NULL;
	for (size_t i = 0; i < count && is_there; i++) {
		if (ops[i].op == STORE_CHECK || is_overwritten(ops, count, i))
			continue;
		wishes++;
		is_there = is_as_wished(store, &ops[i], before, arena, &at);
	}
	arena_free(&arena);
	if (!is_there || wishes == 0)
		return err;
	*revision = at != 0 ? at : store_revision(store); /* a commit of deletions only: it may have been earlier,
							   * which does no harm */
	return VEER_OK;
}

enum veer_err store_commit(struct store *store, const struct store_op *ops, size_t count, enum store_priority priority,
			   int64_t *revision, size_t *failed)
{
	if (count == 0 || count > STORE_COMMIT_OPS_MAX)
		return VEER_ERANGE;
	for (size_t i = 0; i < count; i++) {
		bool is_bad_value =
			ops[i].op == STORE_PUT && (ops[i].value == NULL || ops[i].value_len > STORE_VALUE_MAX);
		if (is_bad_value || !model_kind_is_known(ops[i].kind) ||
		    strnlen(ops[i].key, STORE_KEY_MAX + 1) > STORE_KEY_MAX || ops[i].key[0] == '\0') {
			if (failed != NULL)
				*failed = i;
			return VEER_ERANGE;
		}
	}
	int64_t before = store_revision(store);
	enum veer_err err = store->backend->commit(store->self, ops, count, priority, revision, failed);
	if (err == VEER_ESPACE && priority == STORE_URGENT && store->backend->make_room(store->self))
		err = store->backend->commit(store->self, ops, count, priority, revision, failed);
	/* a normal commit is refused beforehand when room is short */
	if (err != VEER_ESPACE || priority == STORE_URGENT)
		note_write(store, err);
	return err == VEER_EIO || err == VEER_ETIMEOUT ? resolve(store, ops, count, before, err, revision) : err;
}

enum veer_err store_watch_open(struct store *store, int64_t since, struct store_watch **out)
{
	struct store_watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL)
		return VEER_ENOMEM;
	watch->backend = store->backend;
	enum veer_err err = store->backend->watch_open(store->self, since, &watch->self);
	if (err != VEER_OK) {
		free(watch);
		return err;
	}
	*out = watch;
	return VEER_OK;
}

void store_watch_close(struct store_watch **watch)
{
	if (*watch == NULL)
		return;
	(*watch)->backend->watch_close((*watch)->self);
	free(*watch);
	*watch = NULL;
}

enum veer_err store_watch_next(struct store_watch *watch, int64_t timeout_ms, store_object_fn *fn, void *ctx,
			       int64_t *revision)
{
	return watch->backend->watch_next(watch->self, timeout_ms, fn, ctx, revision);
}

void store_watch_wake(struct store_watch *watch)
{
	watch->backend->watch_wake(watch->self);
}
