/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite backend: the store's id, its ancestry, and detecting that the store has gone back. */
#include <string.h>
#include <sys/stat.h>

#include "zones/store/sqlite_impl.h"

static bool run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static enum veer_err corrupt(const struct sqlite_store *s, struct veer_diag *diag, const char *what)
{
	return veer_fail(diag, VEER_ECORRUPT, "store %s: %s", s->path, what);
}

/* Read the number stored under one key of the table meta. */
static bool meta_int(struct sqlite_store *s, const char *key, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(s->writer, "SELECT value FROM meta WHERE key=?1", -1, &stmt, NULL) == SQLITE_OK &&
		  sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW &&
		  sqlite3_column_type(stmt, 0) == SQLITE_INTEGER;
	if (ok)
		*out = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return ok;
}

/* Read the stored id, or "". */
static enum veer_err read_id(struct sqlite_store *s, struct veer_diag *diag)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(s->writer, "SELECT value FROM meta WHERE key='store_id'", -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	const char *id = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
	bool ok = code == SQLITE_DONE || history_is_id(id);
	if (code == SQLITE_ROW && ok)
		memcpy(s->id, id, sizeof s->id);
	(void)sqlite3_finalize(stmt);
	return ok ? VEER_OK : corrupt(s, diag, "has no identity");
}

static bool read_lineage(sqlite3_stmt *stmt, struct history_lineage *out)
{
	const char *id = (const char *)sqlite3_column_text(stmt, 0);
	const char *store_id = (const char *)sqlite3_column_text(stmt, 1);
	if (!history_is_id(id) || !history_is_id(store_id) ||
	    !history_cause_parse((const char *)sqlite3_column_text(stmt, 3), &out->cause))
		return false;
	memcpy(out->id, id, sizeof out->id);
	memcpy(out->store_id, store_id, sizeof out->store_id);
	out->from_revision = sqlite3_column_int64(stmt, 2);
	return true;
}

static enum veer_err read_ancestry(struct sqlite_store *s, struct veer_diag *diag)
{
	sqlite3_stmt *stmt = NULL;
	struct history_lineage lineage;
	bool ok = sqlite3_prepare_v2(s->writer, "SELECT id, store_id, from_revision, cause FROM lineages ORDER BY seq",
				     -1, &stmt, NULL) == SQLITE_OK;
	s->ancestry.count = 0;
	while (ok && sqlite3_step(stmt) == SQLITE_ROW) {
		ok = read_lineage(stmt, &lineage);
		if (ok)
			history_append(&s->ancestry, &lineage);
	}
	(void)sqlite3_finalize(stmt);
	return ok ? VEER_OK : corrupt(s, diag, "its ancestry is unreadable");
}

static enum veer_err sqlite_err(struct sqlite_store *s)
{
	int code = sqlite3_errcode(s->writer) & 0xff;
	return code == SQLITE_FULL ? VEER_ESPACE : code == SQLITE_CORRUPT ? VEER_ECORRUPT : VEER_EIO;
}

/* Insert the lineage as the newest one, and delete those that the ancestry has no room for; within a transaction. */
static bool insert_lineage(struct sqlite_store *s, const struct history_lineage *l)
{
	char sql[512];
	(void)sqlite3_snprintf(sizeof sql, sql,
			       "INSERT INTO lineages(id, store_id, from_revision, cause) VALUES(%Q, %Q, %lld, %Q);"
			       "DELETE FROM lineages WHERE seq<=(SELECT max(seq) FROM lineages)-%d;",
			       l->id, l->store_id, (long long)l->from_revision, history_cause_text(l->cause),
			       HISTORY_LINEAGES_MAX);
	return run(s->writer, sql);
}

/* Write a lineage in one transaction: all of it happens, or nothing. */
static enum veer_err write_lineage(struct sqlite_store *s, const struct history_lineage *l, bool is_unsettled)
{
	char sql[160];
	(void)sqlite3_snprintf(sizeof sql, sql,
			       "INSERT OR REPLACE INTO meta VALUES('store_id', %Q);"
			       "INSERT OR REPLACE INTO meta VALUES('unsettled', %d);",
			       l->store_id, is_unsettled);
	if (run(s->writer, "BEGIN IMMEDIATE") && insert_lineage(s, l) && run(s->writer, sql) &&
	    run(s->writer, "COMMIT"))
		return VEER_OK;
	enum veer_err err = sqlite_err(s);
	if (sqlite3_get_autocommit(s->writer) == 0)
		(void)run(s->writer, "ROLLBACK");
	return err;
}

/* Begin the ancestry of a store. The history of a store from before lineages gets the store's id as its lineage. */
static enum veer_err begin_history(struct sqlite_store *s, struct veer_diag *diag)
{
	struct history_lineage first = {.cause = HISTORY_CREATED};
	enum veer_err err = VEER_OK;
	if (s->id[0] != '\0') {
		memcpy(first.id, s->id, sizeof first.id);
		memcpy(first.store_id, s->id, sizeof first.store_id);
	} else {
		err = history_draw_id(first.id);
		if (err == VEER_OK)
			err = history_draw_id(first.store_id);
	}
	if (err != VEER_OK)
		return veer_fail(diag, err, "store %s: no random numbers", s->path);
	err = write_lineage(s, &first, false);
	if (err != VEER_OK)
		return veer_fail(diag, err, "store %s: cannot be written: %s", s->path, sqlite3_errmsg(s->writer));
	memcpy(s->id, first.store_id, sizeof s->id);
	history_append(&s->ancestry, &first);
	return VEER_OK;
}

enum veer_err sqlite_store_read_identity(struct sqlite_store *s, struct veer_diag *diag)
{
	struct stat file;
	int64_t unsettled = 0;
	enum veer_err err = read_id(s, diag);
	if (err == VEER_OK && !meta_int(s, "revision", &s->revision))
		err = corrupt(s, diag, "has no revision");
	if (err == VEER_OK)
		err = read_ancestry(s, diag);
	if (err == VEER_OK && s->ancestry.count == 0)
		err = begin_history(s, diag);
	if (meta_int(s, "unsettled", &unsettled))
		s->is_unsettled = unsettled != 0;
	if (stat(s->path, &file) == 0) {
		s->device = file.st_dev;
		s->inode = file.st_ino;
	}
	return err;
}

enum veer_err sqlite_store_begin_lineage(void *self, enum history_cause cause)
{
	struct sqlite_store *s = self;
	struct history_lineage next = {.cause = cause};
	bool is_another = cause == HISTORY_RESTORE || cause == HISTORY_COPY;
	enum veer_err err = history_draw_id(next.id);
	sqlite_store_take_turn(s, STORE_URGENT);
	memcpy(next.store_id, s->id, sizeof next.store_id);
	if (err == VEER_OK && is_another)
		err = history_draw_id(next.store_id);
	next.from_revision = s->revision; /* only the holder of the turn changes the revision */
	bool is_unsettled = s->is_unsettled || cause == HISTORY_REWIND || cause == HISTORY_RESTORE;
	if (err == VEER_OK)
		err = write_lineage(s, &next, is_unsettled);
	if (err == VEER_OK) {
		(void)pthread_mutex_lock(&s->state_lock);
		memcpy(s->id, next.store_id, sizeof s->id);
		history_append(&s->ancestry, &next);
		s->is_unsettled = is_unsettled;
		(void)pthread_mutex_unlock(&s->state_lock);
	}
	sqlite_store_end_turn(s);
	return err;
}

void sqlite_store_ancestry(void *self, struct history_ancestry *out)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->state_lock);
	*out = s->ancestry;
	(void)pthread_mutex_unlock(&s->state_lock);
}

bool sqlite_store_is_unsettled(void *self)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->state_lock);
	bool is_unsettled = s->is_unsettled;
	(void)pthread_mutex_unlock(&s->state_lock);
	return is_unsettled;
}

enum veer_err sqlite_store_settle(void *self)
{
	struct sqlite_store *s = self;
	sqlite_store_take_turn(s, STORE_URGENT);
	enum veer_err err = run(s->writer, "UPDATE meta SET value=0 WHERE key='unsettled'") ? VEER_OK : sqlite_err(s);
	if (err == VEER_OK) {
		(void)pthread_mutex_lock(&s->state_lock);
		s->is_unsettled = false;
		(void)pthread_mutex_unlock(&s->state_lock);
	}
	sqlite_store_end_turn(s);
	return err;
}

/* --- has it gone back? -------------------------------------------------------------------------------------- */

/* Does the bound connection read the revision and lineage that are known? */
static bool is_as_seen(struct sqlite_store *s, sqlite3_stmt *stmt)
{
	bool is_read = sqlite3_step(stmt) == SQLITE_ROW;
	int64_t revision = is_read ? sqlite3_column_int64(stmt, 0) : 0;
	const char *lineage = is_read ? (const char *)sqlite3_column_text(stmt, 1) : NULL;
	(void)pthread_mutex_lock(&s->state_lock);
	/* if it cannot be read now, nothing is known, and it counts as unchanged */
	bool is_same = !is_read || (revision == s->revision && lineage != NULL &&
				    strcmp(lineage, s->ancestry.lineages[s->ancestry.count - 1].id) == 0);
	(void)pthread_mutex_unlock(&s->state_lock);
	(void)sqlite3_reset(stmt);
	return is_same;
}

static bool note(struct sqlite_store *s, bool is_back)
{
	(void)pthread_mutex_lock(&s->state_lock);
	s->is_rewound = s->is_rewound || is_back;
	is_back = s->is_rewound;
	(void)pthread_mutex_unlock(&s->state_lock);
	return is_back;
}

bool sqlite_store_look_back(struct sqlite_store *s)
{
	return note(s, !is_as_seen(s, s->newest));
}

/*
 * Is the database file another one than the open one? If the file is missing, the answer is no: the open file is then
 * the newest there is.
 */
static bool is_replaced(const struct sqlite_store *s)
{
	struct stat file;
	return s->inode != 0 && stat(s->path, &file) == 0 && (file.st_dev != s->device || file.st_ino != s->inode);
}

/* A commit in progress may be on disk but not known yet. So a difference is checked again while nobody commits. */
bool sqlite_store_is_rewound(void *self)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->read_lock);
	bool is_same = is_as_seen(s, s->seen);
	(void)pthread_mutex_unlock(&s->read_lock);
	if (!is_same) {
		sqlite_store_take_turn(s, STORE_URGENT);
		is_same = is_as_seen(s, s->newest);
		sqlite_store_end_turn(s);
	}
	return note(s, !is_same || is_replaced(s));
}

/* --- a copy ------------------------------------------------------------------------------------------------- */

/* The backup uses a connection of its own, so that neither commits nor lists wait for it. */
enum veer_err sqlite_store_backup(void *self, const char *path)
{
	struct sqlite_store *s = self;
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_open_v2(s->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "PRAGMA wal_autocheckpoint=0", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(stmt, 1, path, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return code == SQLITE_DONE    ? VEER_OK
	       : code == SQLITE_FULL  ? VEER_ESPACE
	       : code == SQLITE_NOMEM ? VEER_ENOMEM
				      : VEER_EIO;
}
