/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite backend: a database that may be damaged. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/json.h"
#include "zones/store/repair.h"

enum { PATH_BYTES = 4096, LINE = 320, FAULTS_MAX = 100 };

/* The examination of one database. */
struct look {
	sqlite3 *db;
	repair_say_fn *say;
	void *ctx;
	struct repair_finding *found;
	unsigned said;
};

static void tell(struct look *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct look *l, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;
	if (l->said++ >= FAULTS_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	l->say(l->ctx, line);
}

static const char *path_of(const char *url)
{
	static const char scheme[] = "sqlite:";
	bool ok = strncmp(url, scheme, sizeof scheme - 1) == 0 && url[sizeof scheme - 1] != '\0';
	return ok && strlen(url) < PATH_BYTES ? url + sizeof scheme - 1 : NULL;
}

/* Open for reading: nothing is written, and closing does not checkpoint the log. */
static enum veer_err open_to_read(const char *url, sqlite3 **db, struct veer_diag *diag)
{
	const char *path = path_of(url);
	if (path == NULL)
		return veer_fail(diag, VEER_EINVAL, "store \"%.200s\": must be sqlite:PATH", url);
	if (access(path, F_OK) != 0)
		return veer_fail(diag, VEER_ENOTFOUND, "store %s: %s", path, strerror(errno));
	int code = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(*db, "PRAGMA query_only=ON; PRAGMA wal_autocheckpoint=0; PRAGMA trusted_schema=OFF",
				    NULL, NULL, NULL);
	(void)sqlite3_busy_timeout(*db, 5000);
	return code == SQLITE_OK
		       ? VEER_OK
		       : veer_fail(diag, VEER_EIO, "store %s: cannot be opened: %s", path, sqlite3_errmsg(*db));
}

/* Is it a valid object of a store? */
static bool is_good(struct look *l, int kind, const char *key, const char *value, size_t len)
{
	json_t *json = NULL;
	struct veer_diag why = {""};
	bool ok = model_kind_is_known((enum model_kind)kind) && key != NULL && value != NULL &&
		  veer_json_parse(value, len, STORE_VALUE_MAX, &json, &why) == VEER_OK;
	json_decref(json);
	if (!ok) {
		l->found->bad++;
		l->found->is_damaged = true;
		tell(l, "an object of kind %d, \"%.100s\", cannot be read: %.150s", kind, key != NULL ? key : "?",
		     why.text);
	}
	return ok;
}

/* --- checking ---------------------------------------------------------------------------------------------- */

/* Handle a statement that ended with `code`: damage is a finding, anything else is an error. */
static enum veer_err early_end(struct look *l, int code, const char *what)
{
	int kind = code & 0xff;
	if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB) {
		l->found->is_damaged = true;
		tell(l, "%s: %s", what, sqlite3_errmsg(l->db));
		return VEER_OK;
	}
	return code == SQLITE_DONE ? VEER_OK : code == SQLITE_NOMEM ? VEER_ENOMEM : VEER_EIO;
}

static enum veer_err check_pages(struct look *l)
{
	sqlite3_stmt *stmt = NULL;
	char sql[64];
	(void)snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", FAULTS_MAX);
	int code = sqlite3_prepare_v2(l->db, sql, -1, &stmt, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : "ok";
		if (text == NULL || strcmp(text, "ok") == 0)
			continue;
		l->found->is_damaged = true;
		tell(l, "%.300s", text);
	}
	enum veer_err err = early_end(l, code, "the check of its pages ends early");
	(void)sqlite3_finalize(stmt);
	return err;
}

static enum veer_err check_objects(struct look *l)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(l->db, "SELECT kind, key, revision, value FROM objects", -1, &stmt, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code != SQLITE_ROW)
			break;
		int64_t revision = sqlite3_column_int64(stmt, 2);
		const char *value = (const char *)sqlite3_column_text(stmt, 3);
		if (revision > l->found->revision)
			l->found->revision = revision;
		if (is_good(l, sqlite3_column_int(stmt, 0), (const char *)sqlite3_column_text(stmt, 1), value,
			    (size_t)sqlite3_column_bytes(stmt, 3)))
			l->found->objects++;
	}
	enum veer_err err = early_end(l, code, "its objects cannot all be read");
	(void)sqlite3_finalize(stmt);
	return err;
}

enum veer_err store_check(const char *url, repair_say_fn *say, void *ctx, struct repair_finding *out,
			  struct veer_diag *diag)
{
	struct look l = {.say = say, .ctx = ctx, .found = out};
	*out = (struct repair_finding){.is_damaged = false};
	enum veer_err err = open_to_read(url, &l.db, diag);
	if (err == VEER_OK && (err = check_pages(&l)) == VEER_OK)
		err = check_objects(&l);
	if (err != VEER_OK && diag->text[0] == '\0')
		(void)veer_fail(diag, err, "%s: cannot be read: %s", url, sqlite3_errmsg(l.db));
	(void)sqlite3_close(l.db);
	return err;
}

/* --- salvage ----------------------------------------------------------------------------------------------- */

/* Copying what can be read from one database into another. */
struct salvage {
	struct look look; /* the examination of the old database */
	sqlite3 *to;
	sqlite3_stmt *insert;
	bool failed; /* the new database cannot be written */
};

/* Copy a row (kind, key, revision, value) of the old database. A row that the new one has already stays. */
static void take_over(struct salvage *s, sqlite3_stmt *row)
{
	const char *key = (const char *)sqlite3_column_text(row, 1), *value = (const char *)sqlite3_column_text(row, 3);
	int len = sqlite3_column_bytes(row, 3);
	int64_t revision = sqlite3_column_int64(row, 2);
	if (!is_good(&s->look, sqlite3_column_int(row, 0), key, value, (size_t)len))
		return;
	(void)sqlite3_bind_int(s->insert, 1, sqlite3_column_int(row, 0));
	(void)sqlite3_bind_text(s->insert, 2, key, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(s->insert, 3, revision);
	(void)sqlite3_bind_text(s->insert, 4, value, len, SQLITE_STATIC);
	s->failed = s->failed || sqlite3_step(s->insert) != SQLITE_DONE;
	s->look.found->objects += (uint64_t)sqlite3_changes(s->to);
	(void)sqlite3_reset(s->insert);
	if (revision > s->look.found->revision)
		s->look.found->revision = revision;
}

/* Copy all rows of a statement, as far as they can be read. */
static bool take_all(struct salvage *s, const char *sql, int kind)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(s->look.db, sql, -1, &stmt, NULL);
	if (code == SQLITE_OK && kind > 0)
		code = sqlite3_bind_int(stmt, 1, kind);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code == SQLITE_ROW)
			take_over(s, stmt);
	}
	(void)sqlite3_finalize(stmt);
	return code == SQLITE_DONE;
}

/*
 * Copy each kind from its beginning and, if that ends early, also from its end. Objects in between are looked for in
 * the history, which has the newest value of everything that was changed recently.
 */
static void take_kinds(struct salvage *s)
{
	static const char forth[] = "SELECT kind, key, revision, value FROM objects WHERE kind=?1 ORDER BY key";
	static const char back[] = "SELECT kind, key, revision, value FROM objects WHERE kind=?1 ORDER BY key DESC";
	static const char history[] =
		"SELECT kind, key, max(revision*1000+seq)/1000, value FROM changes GROUP BY kind, key "
		"HAVING value IS NOT NULL";
	bool is_whole = true;
	for (int kind = MODEL_KIND_NONE + 1; kind < MODEL_KIND_COUNT; kind++) {
		if (take_all(s, forth, kind))
			continue;
		is_whole = false;
		tell(&s->look, "objects of the kind %s cannot all be read", model_kind_text((enum model_kind)kind));
		(void)take_all(s, back, kind);
	}
	if (!is_whole && !take_all(s, history, 0))
		tell(&s->look, "the history cannot all be read");
	s->look.found->is_damaged = s->look.found->is_damaged || !is_whole;
}

/* Lock the old database, which nobody may have open. */
static int lock_old(const char *url, struct veer_diag *diag)
{
	char name[PATH_BYTES + 8];
	(void)snprintf(name, sizeof name, "%s.lock", path_of(url));
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		(void)veer_fail(diag, veer_err_from_errno(errno), "%.400s: %s", name, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	(void)close(fd);
	(void)veer_fail(diag, VEER_EBUSY, "%.400s: veer-api has it open: stop it first", path_of(url));
	return -1;
}

/* Make an empty store with all tables, opened as a plain database. */
static enum veer_err make_target(struct salvage *s, const char *file, struct veer_diag *diag)
{
	char url[PATH_BYTES + 16];
	struct store *empty = NULL;
	(void)snprintf(url, sizeof url, "sqlite:%s", file);
	enum veer_err err = store_open(url, &empty, diag);
	store_close(&empty);
	if (err != VEER_OK)
		return err;
	bool ok = sqlite3_open_v2(file, &s->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
		  sqlite3_exec(s->to, "PRAGMA journal_mode=DELETE; BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
		  sqlite3_prepare_v2(s->to,
				     "INSERT OR IGNORE INTO objects(kind, key, revision, lease, value)"
				     " VALUES(?1, ?2, ?3, 0, ?4)",
				     -1, &s->insert, NULL) == SQLITE_OK;
	return ok ? VEER_OK : veer_fail(diag, VEER_EIO, "%s: %s", file, sqlite3_errmsg(s->to));
}

/* Set the store's revision, and record that no history before it is known. */
static bool finish_target(struct salvage *s)
{
	char sql[192];
	(void)snprintf(sql, sizeof sql, "UPDATE meta SET value=%lld WHERE key IN ('revision', 'compacted'); COMMIT",
		       (long long)s->look.found->revision);
	return !s->failed && sqlite3_exec(s->to, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static void remove_target(const char *file)
{
	static const char *const all[] = {"", "-wal", "-shm", "-journal", ".lock"};
	char name[PATH_BYTES + 16];
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		(void)snprintf(name, sizeof name, "%s%s", file, all[i]);
		(void)unlink(name);
	}
}

/* Remove the lock file of the store that was opened to make `file`. */
static void remove_lock(const char *file)
{
	char name[PATH_BYTES + 16];
	(void)snprintf(name, sizeof name, "%s.lock", file);
	(void)unlink(name);
}

enum veer_err store_salvage(const char *url, const char *file, repair_say_fn *say, void *ctx,
			    struct repair_finding *out, struct veer_diag *diag)
{
	struct salvage s = {.look = {.say = say, .ctx = ctx, .found = out}};
	*out = (struct repair_finding){.is_damaged = false};
	int lock = path_of(url) != NULL ? lock_old(url, diag) : -1;
	if (lock < 0)
		return path_of(url) != NULL
			       ? VEER_EBUSY
			       : veer_fail(diag, VEER_EINVAL, "store \"%.200s\": must be sqlite:PATH", url);
	enum veer_err err = open_to_read(url, &s.look.db, diag);
	remove_target(file);
	if (err == VEER_OK)
		err = make_target(&s, file, diag);
	if (err == VEER_OK) {
		take_kinds(&s);
		if (out->objects == 0)
			err = veer_fail(diag, VEER_ECORRUPT, "%s: nothing in it can be read: %s", path_of(url),
					sqlite3_errmsg(s.look.db));
		else if (!finish_target(&s))
			err = veer_fail(diag, VEER_ESPACE, "%s: cannot be written: %s", file, sqlite3_errmsg(s.to));
	}
	(void)sqlite3_finalize(s.insert);
	(void)sqlite3_close(s.to);
	(void)sqlite3_close(s.look.db);
	if (err != VEER_OK)
		remove_target(file);
	else
		remove_lock(file);
	(void)close(lock);
	return err;
}
