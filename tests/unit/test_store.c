/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of the store, tested on the SQLite backend with a real file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <sqlite3.h>

#include "zones/store/restore.h"
#include "zones/store/store.h"

struct fixture {
	char dir[64];
	char url[128];
	struct store *store;
	struct arena *arena;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->url, sizeof f->url, "sqlite:%s/veer.db", f->dir);
	struct veer_diag diag = {""};
	if (store_open(f->url, &f->store, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	f->arena = arena_new(1 << 24);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct fixture *f = *state;
	store_close(&f->store);
	arena_free(&f->arena);
	for (size_t i = 0; i < 4; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static struct store_op put_op(enum model_kind kind, const char *key, const char *value, int64_t expect)
{
	return (struct store_op){STORE_PUT, kind, key, value, strlen(value), expect};
}

static int64_t put(struct store *store, const char *key, const char *value, int64_t expect, enum veer_err want)
{
	int64_t revision = -1;
	struct store_op op = put_op(MODEL_KIND_SITE, key, value, expect);
	assert_int_equal(store_commit(store, &op, 1, STORE_NORMAL, &revision, NULL), want);
	return revision;
}

/* Collects "kind:key=value@revision " of its calls. */
struct text {
	char buf[4096];
	size_t len;
	int stop_after;
	int count;
};

static bool collect(void *ctx, const struct store_object *o)
{
	struct text *t = ctx;
	int n = snprintf(t->buf + t->len, sizeof t->buf - t->len, "%s:%s=%s@%d ", model_kind_text(o->kind), o->key,
			 o->value != NULL ? o->value : "-", (int)o->revision);
	t->len += (size_t)n;
	return ++t->count != t->stop_after;
}

static void a_new_store_is_empty_and_has_an_identity(void **state)
{
	struct fixture *f = *state;
	struct store_object object;
	assert_int_equal(strlen(store_id(f->store)), STORE_ID_LEN);
	assert_int_equal(store_revision(f->store), 0);
	assert_int_equal(store_get(f->store, MODEL_KIND_SITE, "fra", f->arena, &object), VEER_ENOTFOUND);
}

static void each_commit_raises_the_revision_by_one_and_marks_its_objects(void **state)
{
	struct fixture *f = *state;
	struct store_object object;
	assert_int_equal(put(f->store, "fra", "{\"a\":1}", STORE_ANY, VEER_OK), 1);
	struct store_op ops[] = {put_op(MODEL_KIND_SITE, "iad", "{}", STORE_ABSENT),
				 put_op(MODEL_KIND_POOL, "fra", "{}", STORE_ABSENT)};
	int64_t revision = 0;
	assert_int_equal(store_commit(f->store, ops, 2, STORE_URGENT, &revision, NULL), VEER_OK);
	assert_int_equal(revision, 2);
	assert_int_equal(store_get(f->store, MODEL_KIND_SITE, "fra", f->arena, &object), VEER_OK);
	assert_int_equal(object.revision, 1);
	assert_string_equal(object.value, "{\"a\":1}");
	assert_int_equal(store_get(f->store, MODEL_KIND_POOL, "fra", f->arena, &object), VEER_OK);
	assert_int_equal(object.revision, 2);
}

static void a_failed_condition_changes_nothing_and_names_the_operation(void **state)
{
	struct fixture *f = *state;
	size_t failed = 99;
	int64_t revision = -1;
	put(f->store, "fra", "{}", STORE_ABSENT, VEER_OK);
	put(f->store, "fra", "{}", STORE_ABSENT, VEER_ECONFLICT);
	put(f->store, "fra", "{}", 7, VEER_ECONFLICT);
	put(f->store, "nope", "{}", 7, VEER_ECONFLICT);
	struct store_op ops[] = {put_op(MODEL_KIND_SITE, "iad", "{}", STORE_ABSENT),
				 {STORE_CHECK, MODEL_KIND_SITE, "fra", NULL, 0, 2}};
	assert_int_equal(store_commit(f->store, ops, 2, STORE_NORMAL, &revision, &failed), VEER_ECONFLICT);
	assert_int_equal(failed, 1);
	assert_int_equal(revision, -1);
	assert_int_equal(store_revision(f->store), 1);
	struct store_object object;
	assert_int_equal(store_get(f->store, MODEL_KIND_SITE, "iad", f->arena, &object), VEER_ENOTFOUND);
}

static void a_snapshot_has_the_kinds_of_the_set_and_no_others(void **state)
{
	struct fixture *f = *state;
	struct text t = {.stop_after = -1};
	int64_t revision = 0;
	/* kinds with small and large numbers, and one between them that is not requested */
	struct store_op ops[] = {put_op(MODEL_KIND_OVERRIDE, "p/a", "{}", STORE_ABSENT),
				 put_op(MODEL_KIND_SITE, "b", "{}", STORE_ABSENT),
				 put_op(MODEL_KIND_TOKEN, "t", "{}", STORE_ABSENT),
				 put_op(MODEL_KIND_SITE, "a", "{}", STORE_ABSENT),
				 put_op(MODEL_KIND_TRANSITION, "x", "{}", STORE_ABSENT)};
	assert_int_equal(store_commit(f->store, ops, 5, STORE_NORMAL, &revision, NULL), VEER_OK);
	assert_int_equal(store_snapshot(f->store, model_kinds_fed(), collect, &t, &revision), VEER_OK);
	assert_string_equal(t.buf, "site:a={}@1 site:b={}@1 override:p/a={}@1 ");
	assert_int_equal(revision, 1);
	t = (struct text){.stop_after = -1};
	assert_int_equal(store_snapshot(f->store, model_kinds_mirrored(), collect, &t, NULL), VEER_OK);
	assert_string_equal(t.buf, "site:a={}@1 site:b={}@1 token:t={}@1 override:p/a={}@1 ");
	t = (struct text){.stop_after = -1};
	assert_int_equal(store_snapshot(f->store, model_kinds_all(), collect, &t, NULL), VEER_OK);
	assert_int_equal(t.count, 5);
	/* a caller that stops the listing is not called again, not even for the next kind */
	t = (struct text){.stop_after = 2};
	assert_int_equal(store_snapshot(f->store, model_kinds_all(), collect, &t, NULL), VEER_OK);
	assert_int_equal(t.count, 2);
	t = (struct text){.stop_after = -1};
	assert_int_equal(store_snapshot(f->store, (struct model_kinds){0}, collect, &t, &revision), VEER_OK);
	assert_int_equal(t.count, 0);
}

static void deleting_what_is_not_there_is_no_new_revision(void **state)
{
	struct fixture *f = *state;
	int64_t revision = -1;
	put(f->store, "fra", "{}", STORE_ANY, VEER_OK);
	struct store_op op = {STORE_DEL, MODEL_KIND_SITE, "iad", NULL, 0, STORE_ANY};
	assert_int_equal(store_commit(f->store, &op, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	assert_int_equal(revision, 1);
	op.key = "fra";
	assert_int_equal(store_commit(f->store, &op, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	assert_int_equal(revision, 2);
}

static void limits_are_refused_before_anything_is_written(void **state)
{
	struct fixture *f = *state;
	struct store_op ops[STORE_COMMIT_OPS_MAX + 1];
	int64_t revision = -1;
	for (size_t i = 0; i <= STORE_COMMIT_OPS_MAX; i++)
		ops[i] = put_op(MODEL_KIND_SITE, "fra", "{}", STORE_ANY);
	assert_int_equal(store_commit(f->store, ops, STORE_COMMIT_OPS_MAX + 1, STORE_NORMAL, &revision, NULL),
			 VEER_ERANGE);
	assert_int_equal(store_commit(f->store, ops, 0, STORE_NORMAL, &revision, NULL), VEER_ERANGE);
	ops[1].key = "";
	size_t failed = 0;
	assert_int_equal(store_commit(f->store, ops, 2, STORE_NORMAL, &revision, &failed), VEER_ERANGE);
	assert_int_equal(failed, 1);
	assert_int_equal(store_revision(f->store), 0);
}

static void a_list_is_in_key_order_and_bounded_by_its_prefix(void **state)
{
	struct fixture *f = *state;
	static const char *const keys[] = {"b/2", "a", "b/1", "b0", "b/", "c"};
	for (size_t i = 0; i < 6; i++)
		put(f->store, keys[i], "{}", STORE_ANY, VEER_OK);
	struct text t = {.len = 0};
	int64_t revision = 0;
	assert_int_equal(store_list(f->store, MODEL_KIND_SITE, "b/", NULL, collect, &t, &revision), VEER_OK);
	assert_string_equal(t.buf, "site:b/={}@5 site:b/1={}@3 site:b/2={}@1 ");
	assert_int_equal(revision, 6);
	t = (struct text){.len = 0};
	assert_int_equal(store_list(f->store, MODEL_KIND_SITE, "b/", "b/1", collect, &t, NULL), VEER_OK);
	assert_string_equal(t.buf, "site:b/2={}@1 ");
	t = (struct text){.stop_after = 2};
	assert_int_equal(store_list(f->store, MODEL_KIND_SITE, "", NULL, collect, &t, NULL), VEER_OK);
	assert_int_equal(t.count, 2);
}

static void a_watch_sees_every_change_in_order_and_resumes(void **state)
{
	struct fixture *f = *state;
	struct store_watch *watch = NULL;
	struct text t = {.len = 0};
	int64_t revision = 0;
	put(f->store, "a", "1", STORE_ANY, VEER_OK);
	assert_int_equal(store_watch_open(f->store, 0, &watch), VEER_OK);
	put(f->store, "b", "2", STORE_ANY, VEER_OK);
	struct store_op del = {STORE_DEL, MODEL_KIND_SITE, "a", NULL, 0, STORE_ANY};
	assert_int_equal(store_commit(f->store, &del, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	assert_int_equal(store_watch_next(watch, 1000, collect, &t, &revision), VEER_OK);
	assert_string_equal(t.buf, "site:a=1@1 site:b=2@2 site:a=-@3 ");
	assert_int_equal(revision, 3);
	assert_int_equal(store_watch_next(watch, 10, collect, &t, &revision), VEER_ETIMEOUT);
	store_watch_wake(watch);
	assert_int_equal(store_watch_next(watch, 10000, collect, &t, &revision), VEER_ECLOSED);
	store_watch_close(&watch);
	assert_int_equal(store_watch_open(f->store, 4, &watch), VEER_ESTALE);
}

static void *commit_later(void *ctx)
{
	put(ctx, "later", "{}", STORE_ANY, VEER_OK);
	return NULL;
}

static void a_waiting_watch_wakes_on_commit(void **state)
{
	struct fixture *f = *state;
	struct store_watch *watch = NULL;
	struct text t = {.len = 0};
	int64_t revision = 0;
	pthread_t thread;
	assert_int_equal(store_watch_open(f->store, 0, &watch), VEER_OK);
	assert_int_equal(pthread_create(&thread, NULL, commit_later, f->store), 0);
	assert_int_equal(store_watch_next(watch, 20000, collect, &t, &revision), VEER_OK);
	assert_string_equal(t.buf, "site:later={}@1 ");
	assert_int_equal(pthread_join(thread, NULL), 0);
	store_watch_close(&watch);
}

static void a_watch_behind_the_kept_history_is_stale(void **state)
{
	struct fixture *f = *state;
	struct store_watch *watch = NULL;
	assert_int_equal(store_watch_open(f->store, 0, &watch), VEER_OK);
	store_watch_close(&watch);
	store_close(&f->store);
	/* Age the history by hand, as if compaction had reached revision 5. */
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(f->url + 7, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "UPDATE meta SET value=9 WHERE key='revision';"
				      "UPDATE meta SET value=5 WHERE key='compacted'",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(f->url, &f->store, NULL), VEER_OK);
	assert_int_equal(store_watch_open(f->store, 4, &watch), VEER_ESTALE);
	assert_int_equal(store_watch_open(f->store, 5, &watch), VEER_OK);
	store_watch_close(&watch);
}

static void everything_survives_a_restart(void **state)
{
	struct fixture *f = *state;
	int64_t revision = 0;
	char id[STORE_ID_LEN + 1];
	(void)snprintf(id, sizeof id, "%s", store_id(f->store));
	put(f->store, "stays", "{}", STORE_ANY, VEER_OK);
	struct store_op op = put_op(MODEL_KIND_META, "leader", "{}", STORE_ABSENT);
	assert_int_equal(store_commit(f->store, &op, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	store_close(&f->store);
	assert_int_equal(store_open(f->url, &f->store, NULL), VEER_OK);
	struct store_object object;
	assert_string_equal(store_id(f->store), id);
	assert_int_equal(store_get(f->store, MODEL_KIND_SITE, "stays", f->arena, &object), VEER_OK);
	assert_int_equal(store_get(f->store, MODEL_KIND_META, "leader", f->arena, &object), VEER_OK);
	assert_int_equal(store_revision(f->store), revision);
}

static void a_second_process_is_kept_out(void **state)
{
	struct fixture *f = *state;
	struct store *second = NULL;
	struct veer_diag diag = {""};
	assert_int_equal(store_open(f->url, &second, &diag), VEER_EBUSY);
	assert_non_null(strstr(diag.text, "another process"));
}

static void garbage_and_newer_files_are_refused_with_their_name(void **state)
{
	struct fixture *f = *state;
	struct veer_diag diag = {""};
	store_close(&f->store);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(f->url + 7, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(f->url, &f->store, &diag), VEER_EUNSUPPORTED);
	FILE *file = fopen(f->url + 7, "w");
	for (int i = 0; i < 1000; i++)
		(void)fputs("garbage ", file);
	(void)fclose(file);
	assert_int_equal(store_open(f->url, &f->store, &diag), VEER_ECORRUPT);
	assert_non_null(strstr(diag.text, "veer.db"));
	assert_int_equal(store_open("mysql:x", &f->store, &diag), VEER_EINVAL);
}

static void *hammer(void *ctx)
{
	int64_t revision;
	for (int i = 0; i < 50; i++) {
		struct store_op op = put_op(MODEL_KIND_VERDICT, "p/e", "{}", STORE_ANY);
		assert_int_equal(store_commit(ctx, &op, 1, i % 2 ? STORE_URGENT : STORE_NORMAL, &revision, NULL),
				 VEER_OK);
	}
	return NULL;
}

static void commits_from_many_threads_each_get_their_own_revision(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, f->store), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(store_revision(f->store), 200);
}

/* --- which history it is ------------------------------------------------------------------------------------- */

static void run_sql(struct fixture *f, const char *name, const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;
	char *why = NULL;
	(void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	(void)sqlite3_close(db);
}

static void reopen(struct fixture *f)
{
	store_close(&f->store);
	assert_int_equal(store_open(f->url, &f->store, NULL), VEER_OK);
}

static void each_lineage_begins_where_the_store_is(void **state)
{
	struct fixture *f = *state;
	struct history_ancestry a;
	char before[HISTORY_ID_SIZE];
	store_ancestry(f->store, &a);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.lineages[0].cause, HISTORY_CREATED);
	(void)put(f->store, "a", "{}", STORE_ANY, VEER_OK);
	assert_int_equal(store_begin_lineage(f->store, HISTORY_START), VEER_OK);
	assert_false(store_is_unsettled(f->store));
	(void)snprintf(before, sizeof before, "%s", store_id(f->store));
	(void)put(f->store, "a", "{\"b\":1}", STORE_ANY, VEER_OK);
	assert_int_equal(store_begin_lineage(f->store, HISTORY_RESTORE), VEER_OK);
	assert_string_not_equal(store_id(f->store), before);
	reopen(f);
	store_ancestry(f->store, &a);
	assert_int_equal(a.count, 3);
	assert_int_equal(a.lineages[1].from_revision, 1);
	assert_string_equal(a.lineages[1].store_id, before);
	assert_int_equal(a.lineages[2].from_revision, 2);
	assert_int_equal(a.lineages[2].cause, HISTORY_RESTORE);
	assert_string_equal(a.lineages[2].store_id, store_id(f->store));
	assert_true(store_is_unsettled(f->store));
	assert_int_equal(store_settle(f->store), VEER_OK);
	for (int i = 0; i < HISTORY_LINEAGES_MAX; i++)
		assert_int_equal(store_begin_lineage(f->store, HISTORY_START), VEER_OK);
	reopen(f);
	assert_false(store_is_unsettled(f->store));
	store_ancestry(f->store, &a);
	assert_int_equal(a.count, HISTORY_LINEAGES_MAX);
	assert_int_equal(a.lineages[0].cause, HISTORY_START);
}

static void a_store_that_goes_back_beneath_us_takes_no_more(void **state)
{
	struct fixture *f = *state;
	(void)put(f->store, "a", "{}", STORE_ANY, VEER_OK);
	(void)put(f->store, "b", "{}", STORE_ANY, VEER_OK);
	assert_false(store_is_rewound(f->store));
	run_sql(f, "veer.db", "UPDATE meta SET value=1 WHERE key='revision'");
	(void)put(f->store, "c", "{}", STORE_ANY, VEER_ESTALE);
	assert_true(store_is_rewound(f->store));
	reopen(f);
	assert_false(store_is_rewound(f->store));
	run_sql(f, "veer.db", "UPDATE meta SET value=9 WHERE key='revision'"); /* nor one that jumps ahead */
	assert_true(store_is_rewound(f->store));
	(void)put(f->store, "c", "{}", STORE_ANY, VEER_ESTALE);
}

static bool collect_was(void *ctx, const struct store_object *o)
{
	char *out = ctx, text[DIGEST_HEX_SIZE] = "-";
	struct digest digest;
	if (o->was != NULL) {
		digest_load(o->was, &digest);
		digest_print(&digest, text);
	}
	(void)snprintf(out + strlen(out), 512 - strlen(out), "%s:%.8s ", o->key, text);
	return true;
}

static void a_watch_tells_the_digest_of_what_was_replaced(void **state)
{
	struct fixture *f = *state;
	struct store_watch *watch = NULL;
	char got[512] = "", wanted[512], text[DIGEST_HEX_SIZE];
	struct digest digest;
	int64_t revision;
	assert_int_equal(store_watch_open(f->store, 0, &watch), VEER_OK);
	(void)put(f->store, "a", "{}", STORE_ANY, VEER_OK);
	(void)put(f->store, "a", "{\"b\":1}", STORE_ANY, VEER_OK);
	struct store_op del = {.op = STORE_DEL, .kind = MODEL_KIND_SITE, .key = "a", .expect = STORE_ANY};
	assert_int_equal(store_commit(f->store, &del, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	assert_int_equal(store_watch_next(watch, 1000, collect_was, got, &revision), VEER_OK);
	assert_true(digest_of("site", "a", "{}", 2, &digest));
	digest_print(&digest, text);
	int n = snprintf(wanted, sizeof wanted, "a:- a:%.8s ", text);
	assert_true(digest_of("site", "a", "{\"b\":1}", 7, &digest));
	digest_print(&digest, text);
	(void)snprintf(wanted + n, sizeof wanted - (size_t)n, "a:%.8s ", text);
	assert_string_equal(got, wanted);
	store_watch_close(&watch);
}

static void a_store_of_before_there_were_lineages_is_taken_over(void **state)
{
	struct fixture *f = *state;
	struct history_ancestry a;
	struct store_object object;
	struct store_watch *watch = NULL;
	char id[HISTORY_ID_SIZE];
	(void)put(f->store, "a", "{}", STORE_ANY, VEER_OK);
	(void)put(f->store, "b", "{}", STORE_ANY, VEER_OK);
	(void)snprintf(id, sizeof id, "%s", store_id(f->store));
	store_close(&f->store);
	run_sql(f, "veer.db",
		"DROP TABLE lineages; ALTER TABLE changes DROP COLUMN was; DELETE FROM meta WHERE key='unsettled';"
		"PRAGMA user_version=1");
	reopen(f);
	assert_string_equal(store_id(f->store), id);
	store_ancestry(f->store, &a);
	assert_int_equal(a.count, 1);
	assert_string_equal(a.lineages[0].id, id);
	assert_int_equal(a.lineages[0].from_revision, 0);
	assert_int_equal(store_get(f->store, MODEL_KIND_SITE, "b", f->arena, &object), VEER_OK);
	assert_int_equal(store_watch_open(f->store, 1, &watch), VEER_ESTALE); /* its changes have no digests */
	assert_int_equal(put(f->store, "c", "{}", STORE_ANY, VEER_OK), 3);
}

static void a_backup_is_restored_as_another_store(void **state)
{
	struct fixture *f = *state;
	struct restore_loss *loss = calloc(1, sizeof *loss);
	struct veer_diag diag = {""};
	struct store_object object;
	char path[128], id[HISTORY_ID_SIZE];
	assert_non_null(loss);
	(void)snprintf(path, sizeof path, "%s/backup", f->dir);
	(void)put(f->store, "kept", "{}", STORE_ANY, VEER_OK);
	(void)put(f->store, "changed", "{}", STORE_ANY, VEER_OK);
	(void)put(f->store, "deleted", "{}", STORE_ANY, VEER_OK);
	assert_int_equal(store_backup(f->store, path), VEER_OK);
	(void)put(f->store, "changed", "{\"a\":1}", STORE_ANY, VEER_OK);
	(void)put(f->store, "made", "{}", STORE_ANY, VEER_OK);
	struct store_op del = {.op = STORE_DEL, .kind = MODEL_KIND_SITE, .key = "deleted", .expect = STORE_ANY};
	int64_t revision;
	assert_int_equal(store_commit(f->store, &del, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	(void)snprintf(id, sizeof id, "%s", store_id(f->store));
	assert_int_equal(store_restore(f->url, path, HISTORY_RESTORE, loss, &diag), VEER_EBUSY);
	assert_non_null(strstr(diag.text, "stop it first"));
	store_close(&f->store);
	if (store_restore(f->url, path, HISTORY_RESTORE, loss, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	assert_true(loss->is_known && loss->lost == 1 && loss->older == 1 && loss->back == 1);
	assert_int_equal(loss->backup_revision, 3);
	assert_int_equal(loss->store_revision, 6);
	assert_string_not_equal(loss->store_id, id);
	reopen(f);
	assert_string_equal(store_id(f->store), loss->store_id);
	assert_int_equal(store_revision(f->store), 3);
	assert_int_equal(store_get(f->store, MODEL_KIND_SITE, "deleted", f->arena, &object), VEER_OK);
	assert_int_equal(store_get(f->store, MODEL_KIND_SITE, "made", f->arena, &object), VEER_ENOTFOUND);
	assert_true(store_is_unsettled(f->store));
	assert_int_equal(unlink(loss->kept), 0);
	assert_int_equal(unlink(path), 0);
	free(loss);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_new_store_is_empty_and_has_an_identity),
		T(each_commit_raises_the_revision_by_one_and_marks_its_objects),
		T(a_failed_condition_changes_nothing_and_names_the_operation),
		T(deleting_what_is_not_there_is_no_new_revision),
		T(limits_are_refused_before_anything_is_written),
		T(a_list_is_in_key_order_and_bounded_by_its_prefix),
		T(a_watch_sees_every_change_in_order_and_resumes),
		T(a_waiting_watch_wakes_on_commit),
		T(a_watch_behind_the_kept_history_is_stale),
		T(everything_survives_a_restart),
		T(a_second_process_is_kept_out),
		T(garbage_and_newer_files_are_refused_with_their_name),
		T(commits_from_many_threads_each_get_their_own_revision),
		cmocka_unit_test_setup_teardown(a_snapshot_has_the_kinds_of_the_set_and_no_others, setup, teardown),
		cmocka_unit_test_setup_teardown(each_lineage_begins_where_the_store_is, setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_that_goes_back_beneath_us_takes_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(a_watch_tells_the_digest_of_what_was_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_of_before_there_were_lineages_is_taken_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_backup_is_restored_as_another_store, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
