/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite backend: files, migrations, prepared statements, opening and closing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zones/store/sqlite_impl.h"

/*
 * Migration N brings a database from user_version N to N + 1. A migration is never edited once released; a new one is
 * added instead. The column `lease` is 0 in every row.
 */
static const char *const migrations[] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;"
	"CREATE TABLE objects(kind INTEGER NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL,"
	" lease INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY(kind, key)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX objects_leased ON objects(lease) WHERE lease != 0;"
	"CREATE TABLE changes(revision INTEGER NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL,"
	" key TEXT NOT NULL, value TEXT, PRIMARY KEY(revision, seq)) STRICT, WITHOUT ROWID;"
	"INSERT INTO meta VALUES('revision', 0), ('compacted', 0);",
	/* Earlier changes have no digest of what they replaced, so no subscriber can resume among them. */
	"CREATE TABLE lineages(seq INTEGER PRIMARY KEY, id TEXT NOT NULL, store_id TEXT NOT NULL,"
	" from_revision INTEGER NOT NULL, cause TEXT NOT NULL) STRICT;"
	"ALTER TABLE changes ADD COLUMN was BLOB;"
	"DELETE FROM changes;"
	"UPDATE meta SET value=(SELECT value FROM meta WHERE key='revision') WHERE key='compacted';"
	"INSERT INTO meta VALUES('unsettled', 0);",
};
enum { MIGRATIONS = sizeof migrations / sizeof migrations[0] };

static enum veer_err fail(struct sqlite_store *s, sqlite3 *db, struct veer_diag *diag, const char *what)
{
	enum veer_err err = sqlite_store_err(db != NULL ? sqlite3_extended_errcode(db) : SQLITE_NOMEM);
	if (err == VEER_OK)
		err = VEER_EIO;
	return veer_fail(diag, err, "store %s: %s: %s", s->path, what,
			 db != NULL ? sqlite3_errmsg(db) : "out of memory");
}

static bool run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Read the one integer that `sql` yields. */
static bool query_int(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
	if (ok)
		*out = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return ok;
}

static bool query_is(sqlite3 *db, const char *sql, const char *expected)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
	const char *text = ok ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
	ok = text != NULL && strcmp(text, expected) == 0;
	(void)sqlite3_finalize(stmt);
	return ok;
}

static enum veer_err lock_file(struct sqlite_store *s, struct veer_diag *diag)
{
	char name[4096];
	int len = snprintf(name, sizeof name, "%s.lock", s->path);
	if (len < 0 || (size_t)len >= sizeof name)
		return veer_fail(diag, VEER_ERANGE, "store: the path is too long");
	s->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return veer_fail(diag, veer_err_from_errno(errno), "store %s: %s", name, strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return veer_fail(diag, VEER_EBUSY, "store %s: another process has it open", s->path);
	return VEER_OK;
}

static enum veer_err migrate(struct sqlite_store *s, struct veer_diag *diag)
{
	int64_t version = 0;
	if (!query_int(s->writer, "PRAGMA user_version", &version))
		return fail(s, s->writer, diag, "cannot be read");
	if (version > MIGRATIONS)
		return veer_fail(diag, VEER_EUNSUPPORTED,
				 "store %s: made by a newer program (version %d, known are up to %d)", s->path,
				 (int)version, (int)MIGRATIONS);
	for (; version < MIGRATIONS; version++) {
		char pragma[64];
		(void)snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", (int)version + 1);
		if (!run(s->writer, "BEGIN IMMEDIATE") || !run(s->writer, migrations[version]) ||
		    !run(s->writer, pragma) || !run(s->writer, "COMMIT"))
			return fail(s, s->writer, diag, "migration failed");
	}
	return VEER_OK;
}

static bool prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
	return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK;
}

static bool prepare_writer(struct sqlite_store *s)
{
	return prepare(s->writer, "SELECT revision, value FROM objects WHERE kind=?1 AND key=?2", &s->find) &&
	       prepare(s->writer,
		       "INSERT INTO objects(kind, key, revision, lease, value) VALUES(?1, ?2, ?3, 0, ?4)"
		       " ON CONFLICT(kind, key) DO UPDATE SET revision=?3, value=?4",
		       &s->put) &&
	       prepare(s->writer, "DELETE FROM objects WHERE kind=?1 AND key=?2", &s->del) &&
	       prepare(s->writer,
		       "INSERT INTO changes(revision, seq, kind, key, value, was)"
		       " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
		       &s->log) &&
	       prepare(s->writer, "UPDATE meta SET value=?1 WHERE key='revision'", &s->set_revision) &&
	       prepare(s->writer, "DELETE FROM changes WHERE revision<=?1", &s->compact) &&
	       prepare(s->writer, SQLITE_STORE_POSITION, &s->newest) &&
	       prepare(s->writer, "BEGIN IMMEDIATE", &s->begin) && prepare(s->writer, "COMMIT", &s->commit) &&
	       prepare(s->writer, "ROLLBACK", &s->rollback);
}

static bool prepare_readers(struct sqlite_store *s)
{
	return prepare(s->reader, "SELECT revision, value FROM objects WHERE kind=?1 AND key=?2", &s->get) &&
	       prepare(s->reader,
		       "SELECT kind, key, revision, value, was FROM changes WHERE revision>?1 AND revision<=?2"
		       " ORDER BY revision, seq",
		       &s->history) &&
	       prepare(s->reader, "SELECT value FROM meta WHERE key='compacted'", &s->oldest) &&
	       prepare(s->reader, SQLITE_STORE_POSITION, &s->seen) &&
	       prepare(s->bulk,
		       "SELECT kind, key, revision, value FROM objects WHERE kind=?1 AND key>?2 AND key>=?3 AND key<?4"
		       " ORDER BY key",
		       &s->list) &&
	       prepare(s->bulk, "SELECT kind, key, revision, value FROM objects WHERE kind=?1 ORDER BY key",
		       &s->snapshot) &&
	       prepare(s->bulk, "SELECT value FROM meta WHERE key='revision'", &s->bulk_revision) &&
	       prepare(s->bulk, "BEGIN", &s->bulk_begin) && prepare(s->bulk, "COMMIT", &s->bulk_end);
}

static enum veer_err open_database(struct sqlite_store *s, sqlite3 **db, int flags, struct veer_diag *diag)
{
	if (sqlite3_open_v2(s->path, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK)
		return fail(s, *db, diag, "cannot be opened");
	(void)sqlite3_busy_timeout(*db, 5000);
	return VEER_OK;
}

/* A connection that never writes and never checkpoints. */
static enum veer_err open_reader(struct sqlite_store *s, sqlite3 **db, struct veer_diag *diag)
{
	enum veer_err err = open_database(s, db, SQLITE_OPEN_READWRITE, diag);
	if (err == VEER_OK && !run(*db, "PRAGMA wal_autocheckpoint=0; PRAGMA query_only=ON"))
		err = fail(s, *db, diag, "cannot be opened");
	return err;
}

enum veer_err sqlite_store_connect(struct sqlite_store *s, struct veer_diag *diag)
{
	mode_t old = umask(0077);
	enum veer_err err = lock_file(s, diag);
	if (err == VEER_OK)
		err = open_database(s, &s->writer, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, diag);
	if (err == VEER_OK &&
	    (!run(s->writer, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF") ||
	     !query_is(s->writer, "PRAGMA journal_mode", "wal")))
		err = fail(s, s->writer, diag, "cannot be opened");
	if (err == VEER_OK && !query_is(s->writer, "PRAGMA quick_check(1)", "ok"))
		err = veer_fail(diag, VEER_ECORRUPT, "store %s: fails its integrity check", s->path);
	if (err == VEER_OK)
		err = migrate(s, diag);
	if (err == VEER_OK)
		err = sqlite_store_read_identity(s, diag);
	(void)umask(old);
	if (err == VEER_OK)
		err = open_reader(s, &s->reader, diag);
	if (err == VEER_OK)
		err = open_reader(s, &s->bulk, diag);
	if (err == VEER_OK && !prepare_writer(s))
		err = fail(s, s->writer, diag, "has not the expected tables");
	if (err == VEER_OK && !prepare_readers(s))
		err = fail(s, s->reader, diag, "has not the expected tables");
	return err;
}

static void finalize_all(struct sqlite_store *s)
{
	sqlite3_stmt *statements[] = {s->find,     s->put,           s->del,      s->log,      s->set_revision,
				      s->begin,    s->commit,        s->rollback, s->compact,  s->get,
				      s->history,  s->oldest,        s->list,     s->snapshot, s->bulk_begin,
				      s->bulk_end, s->bulk_revision, s->newest,   s->seen};
	for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
		(void)sqlite3_finalize(statements[i]);
}

void sqlite_store_close(void *self)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->state_lock);
	s->is_closing = true;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->state_lock);
	finalize_all(s);
	(void)sqlite3_close(s->reader);
	(void)sqlite3_close(s->bulk);
	(void)sqlite3_close(s->writer);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	(void)pthread_cond_destroy(&s->changed);
	(void)pthread_cond_destroy(&s->turn_free);
	(void)pthread_mutex_destroy(&s->state_lock);
	(void)pthread_mutex_destroy(&s->read_lock);
	(void)pthread_mutex_destroy(&s->bulk_lock);
	(void)pthread_mutex_destroy(&s->turn_lock);
	free(s->path);
	free(s);
}

static const char *sqlite_store_id(const void *self)
{
	return ((const struct sqlite_store *)self)->id;
}

int64_t sqlite_store_revision(void *self)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->state_lock);
	int64_t revision = s->revision;
	(void)pthread_mutex_unlock(&s->state_lock);
	return revision;
}

static const struct store_backend sqlite_backend = {
	.close = sqlite_store_close,
	.id = sqlite_store_id,
	.revision = sqlite_store_revision,
	.begin_lineage = sqlite_store_begin_lineage,
	.ancestry = sqlite_store_ancestry,
	.is_unsettled = sqlite_store_is_unsettled,
	.settle = sqlite_store_settle,
	.is_rewound = sqlite_store_is_rewound,
	.backup = sqlite_store_backup,
	.make_room = sqlite_store_make_room,
	.keep_room = sqlite_store_keep_room,
	.probe = sqlite_store_probe,
	.get = sqlite_store_get,
	.list = sqlite_store_list,
	.snapshot = sqlite_store_snapshot,
	.commit = sqlite_store_commit,
	.watch_open = sqlite_store_watch_open,
	.watch_close = sqlite_store_watch_close,
	.watch_next = sqlite_store_watch_next,
	.watch_wake = sqlite_store_watch_wake,
};

static enum veer_err open_once(const char *path, const struct store_backend **backend, void **self,
			       struct veer_diag *diag)
{
	struct sqlite_store *s = calloc(1, sizeof *s);
	if (s == NULL)
		return VEER_ENOMEM;
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->changed, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_cond_init(&s->turn_free, NULL);
	(void)pthread_mutex_init(&s->state_lock, NULL);
	(void)pthread_mutex_init(&s->read_lock, NULL);
	(void)pthread_mutex_init(&s->bulk_lock, NULL);
	(void)pthread_mutex_init(&s->turn_lock, NULL);
	s->lock_fd = -1;
	s->path = strdup(path);
	enum veer_err err = s->path != NULL ? sqlite_store_connect(s, diag) : VEER_ENOMEM;
	if (err != VEER_OK) {
		sqlite_store_close(s);
		return err;
	}
	*backend = &sqlite_backend;
	*self = s;
	return VEER_OK;
}

enum veer_err store_sqlite_open(const char *path, const struct store_backend **backend, void **self,
				struct veer_diag *diag)
{
	enum veer_err err = open_once(path, backend, self, diag);
	/* SQLite reports a full disk with different error codes */
	if ((err == VEER_ESPACE || err == VEER_EIO) && sqlite_room_release(path))
		err = open_once(path, backend, self, diag);
	return err;
}
