/* SPDX-License-Identifier: Apache-2.0 */
#include "zones/store/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum { COPY_BYTES = 1 << 20, ARENA_BYTES = 8 << 20 };

/* The suffixes of the files that make up a database. */
static const char *const parts[] = {"", "-wal", "-shm"};
enum { PARTS = 3 };

/* The state of a restore. */
struct restore {
	const char *path;              /* of the database */
	char fresh[RESTORE_PATH_SIZE]; /* the backup's copy beside it */
	char fresh_url[RESTORE_PATH_SIZE + 16];
	struct store *old, *new;
	struct arena *arena;
	struct restore_loss *loss;
};

static void remove_fresh(const struct restore *r)
{
	static const char *const all[] = {"", "-wal", "-shm", "-journal", ".lock"};
	char name[RESTORE_PATH_SIZE + 16];
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		(void)snprintf(name, sizeof name, "%s%s", r->fresh, all[i]);
		(void)unlink(name);
	}
}

static enum veer_err copy_bytes(int from, int to)
{
	char *block = malloc(COPY_BYTES);
	enum veer_err err = block != NULL ? VEER_OK : VEER_ENOMEM;
	ssize_t n = 1;
	while (err == VEER_OK && n > 0) {
		n = read(from, block, COPY_BYTES);
		err = n < 0 ? veer_err_from_errno(errno) : n > 0 ? file_write_all(to, block, (size_t)n) : VEER_OK;
	}
	free(block);
	return err == VEER_OK && fsync(to) != 0 ? veer_err_from_errno(errno) : err;
}

/*
 * Copy the backup. Opening an empty or missing database would create a new one, which must not be taken for a backup.
 */
static enum veer_err copy_file(struct restore *r, const char *file, struct veer_diag *diag)
{
	static const char magic[16] = "SQLite format 3";
	char head[sizeof magic];
	int from = -1;
	enum veer_err err = file_open(file, &from, diag);
	if (err != VEER_OK)
		return err;
	remove_fresh(r);
	int to = open(r->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (pread(from, head, sizeof head, 0) != sizeof head || memcmp(head, magic, sizeof magic) != 0)
		err = veer_fail(diag, VEER_ECORRUPT, "%s: is not a backup of a store", file);
	else if (to < 0)
		err = veer_fail(diag, veer_err_from_errno(errno), "%s: %s", r->fresh, strerror(errno));
	else if ((err = copy_bytes(from, to)) != VEER_OK)
		(void)veer_fail(diag, err, "%s: cannot be written: %s", r->fresh, veer_err_text(err));
	(void)close(from);
	if (to >= 0)
		(void)close(to);
	return err;
}

static void note_key(struct restore_loss *loss, const struct store_object *object, const char *what)
{
	if (loss->key_count < RESTORE_KEYS_MAX)
		(void)snprintf(loss->keys[loss->key_count++], sizeof loss->keys[0], "%s %.200s: %s",
			       model_kind_text(object->kind), object->key, what);
}

static bool compare_old(void *ctx, const struct store_object *object)
{
	struct restore *r = ctx;
	struct store_object there;
	enum veer_err err = store_get(r->new, object->kind, object->key, r->arena, &there);
	bool is_same = err == VEER_OK && there.value_len == object->value_len &&
		       memcmp(there.value, object->value, object->value_len) == 0;
	if (err == VEER_ENOTFOUND) {
		r->loss->lost++;
		note_key(r->loss, object, "lost");
	} else if (!is_same) {
		r->loss->older++;
		note_key(r->loss, object, "as it was");
	}
	arena_reset(r->arena);
	return true;
}

static bool compare_new(void *ctx, const struct store_object *object)
{
	struct restore *r = ctx;
	struct store_object there;
	if (store_get(r->old, object->kind, object->key, r->arena, &there) == VEER_ENOTFOUND) {
		r->loss->back++;
		note_key(r->loss, object, "back again");
	}
	arena_reset(r->arena);
	return true;
}

/* Find out what the restore would lose. If the old store cannot be opened, that is unknown. */
static enum veer_err compare(struct restore *r, const char *url, struct veer_diag *diag)
{
	struct veer_diag why = {""};
	r->loss->backup_revision = store_revision(r->new);
	if (access(r->path, F_OK) != 0)
		return VEER_OK;
	enum veer_err err = store_open(url, &r->old, &why);
	if (err == VEER_EBUSY)
		return veer_fail(diag, err, "%s: veer-api has it open: stop it first", r->path);
	r->arena = err == VEER_OK ? arena_new(ARENA_BYTES) : NULL;
	if (r->arena == NULL)
		return VEER_OK;
	r->loss->store_revision = store_revision(r->old);
	r->loss->is_known = store_snapshot(r->old, model_kinds_all(), compare_old, r, NULL) == VEER_OK &&
			    store_snapshot(r->new, model_kinds_all(), compare_new, r, NULL) == VEER_OK;
	return VEER_OK;
}

/* Rename the old store, with all its files, to a name that contains the time. */
static enum veer_err move_aside(struct restore *r, struct veer_diag *diag)
{
	char from[RESTORE_PATH_SIZE + 16], to[RESTORE_PATH_SIZE + 16];
	struct tm utc;
	time_t now = time(NULL);
	if (access(r->path, F_OK) != 0)
		return VEER_OK;
	(void)gmtime_r(&now, &utc);
	size_t len = (size_t)snprintf(r->loss->kept, sizeof r->loss->kept - 32, "%s", r->path);
	(void)strftime(r->loss->kept + len, 32, ".before-%Y%m%dT%H%M%SZ", &utc);
	for (size_t i = 0; i < PARTS; i++) {
		(void)snprintf(from, sizeof from, "%s%s", r->path, parts[i]);
		(void)snprintf(to, sizeof to, "%s%s", r->loss->kept, parts[i]);
		if (rename(from, to) != 0 && errno != ENOENT)
			return veer_fail(diag, veer_err_from_errno(errno), "%s: %s", from, strerror(errno));
	}
	return VEER_OK;
}

static enum veer_err put_in_place(struct restore *r, struct veer_diag *diag)
{
	enum veer_err err = move_aside(r, diag);
	if (err == VEER_OK && rename(r->fresh, r->path) != 0)
		err = veer_fail(diag, veer_err_from_errno(errno), "%s: %s", r->fresh, strerror(errno));
	return err == VEER_OK ? file_sync_dir_of(r->path, diag) : err;
}

/* Make the copy a store of its own. */
static enum veer_err make_new(struct restore *r, enum history_cause cause, struct veer_diag *diag)
{
	enum veer_err err = store_open(r->fresh_url, &r->new, diag);
	if (err != VEER_OK)
		return err;
	err = store_begin_lineage(r->new, cause);
	if (err != VEER_OK)
		return veer_fail(diag, err, "%s: cannot be written: %s", r->fresh, veer_err_text(err));
	memcpy(r->loss->store_id, store_id(r->new), sizeof r->loss->store_id);
	return VEER_OK;
}

enum veer_err store_restore(const char *url, const char *file, enum history_cause cause, struct restore_loss *out,
			    struct veer_diag *diag)
{
	static const char scheme[] = "sqlite:";
	*out = (struct restore_loss){.is_known = false};
	if (strncmp(url, scheme, sizeof scheme - 1) != 0)
		return veer_fail(diag, VEER_EINVAL, "store \"%s\": must be sqlite:PATH", url);
	struct restore r = {.path = url + sizeof scheme - 1, .loss = out};
	if (strlen(r.path) == 0 || strlen(r.path) + 64 > sizeof r.fresh)
		return veer_fail(diag, VEER_ERANGE, "store \"%.100s\": the path is empty or too long", url);
	(void)snprintf(r.fresh, sizeof r.fresh, "%s.restored", r.path);
	(void)snprintf(r.fresh_url, sizeof r.fresh_url, "sqlite:%s", r.fresh);
	enum veer_err err = copy_file(&r, file, diag);
	if (err == VEER_OK)
		err = make_new(&r, cause, diag);
	if (err == VEER_OK)
		err = compare(&r, url, diag);
	store_close(&r.new);
	store_close(&r.old);
	arena_free(&r.arena);
	if (err == VEER_OK)
		err = put_in_place(&r, diag);
	remove_fresh(&r);
	return err;
}
