/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite backend: the writer. Urgent commits go next; the history grows with each commit and is cut at its old end.
 */
#include <errno.h>
#include <string.h>

#include "zones/store/sqlite_impl.h"

void sqlite_store_take_turn(struct sqlite_store *s, enum store_priority priority)
{
	(void)pthread_mutex_lock(&s->turn_lock);
	if (priority == STORE_URGENT)
		s->urgent_waiting++;
	while (s->is_writing || (priority == STORE_NORMAL && s->urgent_waiting > 0))
		(void)pthread_cond_wait(&s->turn_free, &s->turn_lock);
	if (priority == STORE_URGENT)
		s->urgent_waiting--;
	s->is_writing = true;
	(void)pthread_mutex_unlock(&s->turn_lock);
}

void sqlite_store_end_turn(struct sqlite_store *s)
{
	(void)pthread_mutex_lock(&s->turn_lock);
	s->is_writing = false;
	(void)pthread_cond_broadcast(&s->turn_free);
	(void)pthread_mutex_unlock(&s->turn_lock);
}

static enum veer_err step(struct sqlite_store *s, sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	if (code == SQLITE_DONE || code == SQLITE_ROW)
		return VEER_OK;
	return sqlite_store_err(sqlite3_extended_errcode(s->writer));
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text, size_t len)
{
	(void)sqlite3_bind_text(stmt, at, text, (int)len, SQLITE_STATIC);
}

/* What an operation finds: the object's revision (0 when it is not there), and the digest of its value if it is fed. */
struct found {
	int64_t revision;
	uint8_t digest[DIGEST_BYTES];
};

static enum veer_err find(struct sqlite_store *s, const struct store_op *op, struct found *out)
{
	struct digest digest = {0};
	bool ok = true;
	(void)sqlite3_bind_int(s->find, 1, (int)op->kind);
	bind_text(s->find, 2, op->key, strlen(op->key));
	int code = sqlite3_step(s->find);
	out->revision = code == SQLITE_ROW ? sqlite3_column_int64(s->find, 0) : 0;
	if (code == SQLITE_ROW && op->op != STORE_CHECK && model_kind_is_fed(op->kind)) {
		const void *value = sqlite3_column_text(s->find, 1);
		size_t len = (size_t)sqlite3_column_bytes(s->find, 1);
		ok = value != NULL && digest_of(model_kind_text(op->kind), op->key, value, len, &digest);
	}
	(void)sqlite3_reset(s->find);
	digest_store(&digest, out->digest);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return sqlite_store_err(code);
	return ok ? VEER_OK : VEER_EIO;
}

static enum veer_err write_log(struct sqlite_store *s, const struct store_op *op, const struct found *found,
			       int64_t revision, int seq)
{
	(void)sqlite3_bind_int64(s->log, 1, revision);
	(void)sqlite3_bind_int(s->log, 2, seq);
	(void)sqlite3_bind_int(s->log, 3, (int)op->kind);
	bind_text(s->log, 4, op->key, strlen(op->key));
	if (op->op == STORE_PUT)
		bind_text(s->log, 5, op->value, op->value_len);
	if (found->revision != 0 && model_kind_is_fed(op->kind))
		(void)sqlite3_bind_blob(s->log, 6, found->digest, DIGEST_BYTES, SQLITE_STATIC);
	return step(s, s->log);
}

static enum veer_err apply_op(struct sqlite_store *s, const struct store_op *op, int64_t revision, int *changes)
{
	struct found found;
	enum veer_err err = find(s, op, &found);
	if (err != VEER_OK)
		return err;
	if (op->expect != STORE_ANY && op->expect != found.revision)
		return VEER_ECONFLICT;
	if (op->op == STORE_CHECK || (op->op == STORE_DEL && found.revision == 0))
		return VEER_OK;
	sqlite3_stmt *stmt = op->op == STORE_PUT ? s->put : s->del;
	(void)sqlite3_bind_int(stmt, 1, (int)op->kind);
	bind_text(stmt, 2, op->key, strlen(op->key));
	if (op->op == STORE_PUT) {
		(void)sqlite3_bind_int64(stmt, 3, revision);
		bind_text(stmt, 4, op->value, op->value_len);
	}
	err = step(s, stmt);
	return err == VEER_OK ? write_log(s, op, &found, revision, (*changes)++) : err;
}

/*
 * Cut the history down to the newest SQLITE_STORE_HISTORY revisions, from time to time and within the same transaction.
 * After an import there is much to delete; that must not delay a verdict, so it is done in a normal commit unless there
 * are only verdicts.
 */
static enum veer_err compact(struct sqlite_store *s, int64_t revision, enum store_priority priority)
{
	int64_t oldest = revision - SQLITE_STORE_HISTORY;
	unsigned every = SQLITE_STORE_COMPACT_EVERY * (priority == STORE_URGENT ? 8 : 1);
	if (++s->commits_since_compaction < every || oldest <= 0)
		return VEER_OK;
	s->commits_since_compaction = 0;
	(void)sqlite3_bind_int64(s->compact, 1, oldest);
	enum veer_err err = step(s, s->compact);
	if (err != VEER_OK)
		return err;
	char sql[96];
	(void)sqlite3_snprintf(sizeof sql, sql, "UPDATE meta SET value=%lld WHERE key='compacted'", (long long)oldest);
	return sqlite3_exec(s->writer, sql, NULL, NULL, NULL) == SQLITE_OK ? VEER_OK : VEER_EIO;
}

static enum veer_err apply_all(struct sqlite_store *s, const struct store_op *ops, size_t count,
			       enum store_priority priority, int64_t next, int *changes, size_t *failed)
{
	enum veer_err err = VEER_OK;
	for (size_t i = 0; i < count && err == VEER_OK; i++) {
		err = apply_op(s, &ops[i], next, changes);
		if (err != VEER_OK && failed != NULL)
			*failed = i;
	}
	if (err == VEER_OK && *changes > 0) {
		(void)sqlite3_bind_int64(s->set_revision, 1, next);
		err = step(s, s->set_revision);
	}
	if (err == VEER_OK && *changes > 0)
		err = compact(s, next, priority);
	return err;
}

static void announce(struct sqlite_store *s, int64_t revision)
{
	(void)pthread_mutex_lock(&s->state_lock);
	s->revision = revision;
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->state_lock);
}

enum veer_err sqlite_store_commit(void *self, const struct store_op *ops, size_t count, enum store_priority priority,
				  int64_t *revision, size_t *failed)
{
	struct sqlite_store *s = self;
	if (priority == STORE_NORMAL && sqlite_room_is_short(s))
		return VEER_ESPACE;
	sqlite_store_take_turn(s, priority);
	int64_t next = s->revision + 1; /* only the holder of the turn changes the revision */
	int changes = 0;
	enum veer_err err = step(s, s->begin);
	if (err == VEER_OK) {
		err = sqlite_store_look_back(s) ? VEER_ESTALE
						: apply_all(s, ops, count, priority, next, &changes, failed);
		if (err == VEER_OK)
			err = step(s, s->commit);
		if (err != VEER_OK && sqlite3_get_autocommit(s->writer) == 0)
			(void)step(s, s->rollback);
	}
	if (err == VEER_OK) {
		if (changes > 0)
			announce(s, next);
		*revision = changes > 0 ? next : next - 1;
	}
	sqlite_store_end_turn(s);
	return err;
}
