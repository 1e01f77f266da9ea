/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite backend: leases. Only one process opens the file, so a lease lives in its memory; leased keys that an
 * earlier process left behind are deleted at start, before anybody can see them.
 */
#include <string.h>

#include "zones/store/sqlite_impl.h"

/* The lease with this id, or NULL; state_lock is held. */
static struct sqlite_lease *find(struct sqlite_store *s, int64_t id)
{
	for (size_t i = 0; id != 0 && i < SQLITE_STORE_LEASES_MAX; i++)
		if (s->leases[i].id == id)
			return &s->leases[i];
	return NULL;
}

bool sqlite_store_lease_alive(struct sqlite_store *s, int64_t lease)
{
	(void)pthread_mutex_lock(&s->state_lock);
	bool is_alive = find(s, lease) != NULL;
	(void)pthread_mutex_unlock(&s->state_lock);
	return is_alive;
}

enum veer_err sqlite_store_lease_grant(void *self, int64_t ttl_ms, int64_t *lease)
{
	struct sqlite_store *s = self;
	enum veer_err err = VEER_ELIMIT;
	(void)pthread_mutex_lock(&s->state_lock);
	for (size_t i = 0; i < SQLITE_STORE_LEASES_MAX && err != VEER_OK; i++) {
		if (s->leases[i].id != 0)
			continue;
		s->leases[i] = (struct sqlite_lease){s->next_lease++, ttl_ms, sqlite_store_now_ms() + ttl_ms};
		*lease = s->leases[i].id;
		err = VEER_OK;
	}
	(void)pthread_cond_broadcast(&s->changed);
	(void)pthread_mutex_unlock(&s->state_lock);
	return err;
}

enum veer_err sqlite_store_lease_renew(void *self, int64_t lease)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->state_lock);
	struct sqlite_lease *l = find(s, lease);
	if (l != NULL)
		l->due_ms = sqlite_store_now_ms() + l->ttl_ms;
	(void)pthread_mutex_unlock(&s->state_lock);
	return l != NULL ? VEER_OK : VEER_ENOTFOUND;
}

/*
 * Collect keys that depend on `lease` (0 < lease), or on any lease (-1: those of an earlier process), at most as many
 * as fit in one commit.
 */
static size_t collect(struct sqlite_store *s, int64_t lease, struct store_op *ops, struct arena *arena)
{
	static const char any[] = "SELECT kind, key FROM objects WHERE lease!=0 LIMIT 100";
	static const char one[] = "SELECT kind, key FROM objects WHERE lease=?1 LIMIT 100";
	size_t count = 0;
	sqlite3_stmt *stmt = NULL;
	(void)pthread_mutex_lock(&s->bulk_lock);
	if (sqlite3_prepare_v2(s->bulk, lease < 0 ? any : one, -1, &stmt, NULL) == SQLITE_OK && lease >= 0)
		(void)sqlite3_bind_int64(stmt, 1, lease);
	while (stmt != NULL && count < STORE_COMMIT_OPS_MAX && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *key = arena_strdup(arena, (const char *)sqlite3_column_text(stmt, 1));
		if (key == NULL)
			break;
		ops[count++] = (struct store_op){.op = STORE_DEL,
						 .kind = (enum model_kind)sqlite3_column_int(stmt, 0),
						 .key = key,
						 .expect = STORE_ANY};
	}
	(void)sqlite3_finalize(stmt);
	(void)pthread_mutex_unlock(&s->bulk_lock);
	return count;
}

/* Delete the keys of `lease` (-1: of all); the lease itself has been removed already, so no keys can be added. */
static enum veer_err delete_keys(struct sqlite_store *s, int64_t lease)
{
	struct store_op ops[STORE_COMMIT_OPS_MAX];
	enum veer_err err = VEER_OK;
	for (size_t count = 1; count > 0 && err == VEER_OK;) {
		int64_t revision;
		struct arena *arena = arena_new(1u << 20);
		if (arena == NULL)
			return VEER_ENOMEM;
		count = collect(s, lease, ops, arena);
		if (count > 0)
			err = sqlite_store_commit(s, ops, count, STORE_URGENT, &revision, NULL);
		arena_free(&arena);
	}
	return err;
}

void sqlite_store_lease_revoke(void *self, int64_t lease)
{
	struct sqlite_store *s = self;
	(void)pthread_mutex_lock(&s->state_lock);
	struct sqlite_lease *l = find(s, lease);
	if (l != NULL)
		l->id = 0;
	(void)pthread_mutex_unlock(&s->state_lock);
	if (l != NULL)
		(void)delete_keys(s, lease);
}

/*
 * Find the lease that ends next: its id if its time is over, otherwise 0 and the time to look again. state_lock is
 * held.
 */
static int64_t next_due(const struct sqlite_store *s, int64_t now_ms, int64_t *look_again_ms)
{
	*look_again_ms = now_ms + 60000;
	for (size_t i = 0; i < SQLITE_STORE_LEASES_MAX; i++) {
		if (s->leases[i].id == 0)
			continue;
		if (s->leases[i].due_ms <= now_ms)
			return s->leases[i].id;
		if (s->leases[i].due_ms < *look_again_ms)
			*look_again_ms = s->leases[i].due_ms;
	}
	return 0;
}

static void *lease_main(void *ctx)
{
	struct sqlite_store *s = ctx;
	(void)pthread_mutex_lock(&s->state_lock);
	while (!s->is_closing) {
		int64_t look_again_ms;
		int64_t lease = next_due(s, sqlite_store_now_ms(), &look_again_ms);
		if (lease == 0) {
			sqlite_store_wait_until(s, look_again_ms);
			continue;
		}
		(void)pthread_mutex_unlock(&s->state_lock);
		sqlite_store_lease_revoke(s, lease);
		(void)pthread_mutex_lock(&s->state_lock);
	}
	(void)pthread_mutex_unlock(&s->state_lock);
	return NULL;
}

enum veer_err sqlite_store_lease_start(struct sqlite_store *s)
{
	enum veer_err err = delete_keys(s, -1);
	if (err == VEER_OK && pthread_create(&s->lease_thread, NULL, lease_main, s) != 0)
		err = VEER_ELIMIT;
	s->has_lease_thread = err == VEER_OK;
	return err;
}
