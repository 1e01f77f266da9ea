/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The safety rule (S11) with a real store: two control planes, one of which does not know yet what the other has done.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/control/overrides.h"

enum { ROUNDS = 20, ENDPOINTS = 4, THREADS = 4 };

struct fixture {
	char dir[64];
	struct store *store;
	struct directory *directory;
};

/* Bring a directory up to date with the store, as the hub does. */
static bool fill(void *ctx, const struct store_object *object)
{
	struct directory *d = ctx;
	struct directory_change *change = directory_keeps(object->kind) ? directory_prepare(object) : NULL;
	if (change != NULL)
		assert_true(directory_install(d, &change));
	return true;
}

static void refresh(struct fixture *f, struct directory *d)
{
	int64_t revision = 0;
	directory_begin(d);
	directory_clear(d);
	assert_int_equal(store_snapshot(f->store, model_kinds_mirrored(), fill, d, &revision), VEER_OK);
	directory_end(d, revision);
}

static int64_t put(struct fixture *f, enum model_kind kind, const char *key, const char *value)
{
	int64_t revision = 0;
	const struct store_op op = {value != NULL ? STORE_PUT : STORE_DEL, kind,     key, value,
				    value != NULL ? strlen(value) : 0,     STORE_ANY};
	assert_int_equal(store_commit(f->store, &op, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	return revision;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char url[128];
	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-overrides-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(url, sizeof url, "sqlite:%s/veer.db", f->dir);
	assert_int_equal(store_open(url, &f->store, NULL), VEER_OK);
	f->directory = directory_new();
	(void)put(f, MODEL_KIND_POOL, "web",
		  "{\"name\":\"web\",\"checks\":[],\"endpoints\":[{\"name\":\"e0\",\"address\":\"192.0.2.1\",\"site\":"
		  "\"s\"},{"
		  "\"name\":\"e1\",\"address\":\"192.0.2.2\",\"site\":\"s\"},{\"name\":\"e2\",\"address\":\"192.0.2."
		  "3\",\"site\":"
		  "\"s\"},{\"name\":\"e3\",\"address\":\"192.0.2.4\",\"site\":\"s\"}]}");
	(void)put(f, MODEL_KIND_POOL, "one",
		  "{\"name\":\"one\",\"checks\":[],\"endpoints\":[{\"name\":\"e0\",\"address\":\"192.0.2.9\",\"site\":"
		  "\"s\"}]}");
	refresh(f, f->directory);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct fixture *f = *state;
	directory_free(&f->directory);
	store_close(&f->store);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static enum veer_err wish(struct fixture *f, struct directory *d, enum model_override_action action,
			  const char *const *keys, size_t count, const char *force, struct veer_diag *diag)
{
	struct arena *arena = arena_new(1 << 20);
	int64_t revision = 0;
	const struct override_wish w = {.endpoints = keys,
					.count = count,
					.action = action,
					.owner = "me",
					.reason = "test",
					.created_at = "2026-11-22T20:36:01.123Z",
					.force = &force,
					.force_count = force != NULL,
					.expect = STORE_ANY};
	struct safety_loss loss;
	enum veer_err err = overrides_put(f->store, d, &w, arena, &revision, &loss, diag);
	arena_free(&arena);
	return err;
}

static enum veer_err drain(struct fixture *f, struct directory *d, const char *key)
{
	struct veer_diag diag = {""};
	return wish(f, d, MODEL_OVERRIDE_DRAIN, &key, 1, NULL, &diag);
}

static size_t count_out(struct fixture *f)
{
	struct directory *d = directory_new();
	refresh(f, d);
	size_t count = directory_count(d, MODEL_KIND_OVERRIDE);
	directory_free(&d);
	return count;
}

static void the_last_one_of_a_pool_needs_force(void **state)
{
	struct fixture *f = *state;
	static const char *const all[] = {"web/e0", "web/e1", "web/e2", "web/e3"};
	struct veer_diag diag = {""};
	assert_int_equal(wish(f, f->directory, MODEL_OVERRIDE_DOWN, all, 4, NULL, &diag), VEER_EBUSY);
	assert_non_null(strstr(diag.text, "the pool \"web\" would have no endpoint left"));
	assert_int_equal(count_out(f), 0); /* all or none */
	assert_int_equal(wish(f, f->directory, MODEL_OVERRIDE_DRAIN, all, 3, NULL, &diag), VEER_OK);
	refresh(f, f->directory);
	assert_int_equal(drain(f, f->directory, "web/e3"), VEER_EBUSY);
	assert_int_equal(wish(f, f->directory, MODEL_OVERRIDE_UP, all + 3, 1, NULL, &diag), VEER_OK);
	refresh(f, f->directory);
	assert_int_equal(drain(f, f->directory, "web/e3"), VEER_EBUSY); /* forced up or not, it is the last one */
	assert_int_equal(wish(f, f->directory, MODEL_OVERRIDE_DRAIN, all + 3, 1, "one", &diag), VEER_EBUSY);
	assert_int_equal(wish(f, f->directory, MODEL_OVERRIDE_DRAIN, all + 3, 1, "web", &diag), VEER_OK);
	refresh(f, f->directory);
	assert_int_equal(drain(f, f->directory, "one/e0"), VEER_EBUSY);
	assert_int_equal(drain(f, f->directory, "one/e1"), VEER_ENOTFOUND);
	assert_int_equal(drain(f, f->directory, "none/e1"), VEER_ENOTFOUND);
}

static void the_rule_asks_each_family_and_what_works(void **state)
{
	(void)state;
	static const struct {
		struct safety_count v4, v6;
		bool is_lost;
		enum safety_family family;
	} cases[] = {
		{{0}, {0}, false, 0},
		{{.all = 2, .at_in = 2, .left = 1, .left_in = 1, .eligible = 2, .left_eligible = 1}, {0}, false, 0},
		{{.all = 2, .at_in = 2, .left = 0}, {0}, true, SAFETY_IPV4},
		{{0}, {.all = 1, .at_in = 1, .left = 0}, true, SAFETY_IPV6},
		/* all sites are out: the endpoints that are left when the sites come back count */
		{{.all = 2, .at_in = 0, .left = 1, .left_in = 0}, {0}, false, 0},
		{{.all = 2, .at_in = 1, .left = 1, .left_in = 0}, {0}, true, SAFETY_IPV4},
		/* the last endpoint that works */
		{{.all = 2, .at_in = 2, .left = 1, .left_in = 1, .eligible = 1, .left_eligible = 0},
		 {0},
		 true,
		 SAFETY_IPV4},
		/* no endpoint works any more, so no further one is lost */
		{{.all = 2, .at_in = 2, .left = 1, .left_in = 1, .eligible = 0, .left_eligible = 0}, {0}, false, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum safety_family family;
		const struct safety_count count[SAFETY_FAMILIES] = {cases[i].v4, cases[i].v6};
		assert_int_equal(safety_is_lost(count, &family), cases[i].is_lost);
		if (cases[i].is_lost)
			assert_int_equal(family, cases[i].family);
	}
}

static void one_that_has_not_heard_of_the_others_drains_finds_out_at_its_commit(void **state)
{
	struct fixture *f = *state;
	struct directory *stale = directory_new();
	refresh(f, stale);
	static const char *const three[] = {"web/e0", "web/e1", "web/e2"};
	struct veer_diag diag = {""};
	assert_int_equal(wish(f, f->directory, MODEL_OVERRIDE_DRAIN, three, 3, NULL, &diag), VEER_OK);
	/* Its directory never catches up: the drain can only give up, and never empties the pool. */
	assert_int_equal(drain(f, stale, "web/e3"), VEER_ECONFLICT);
	assert_int_equal(count_out(f), 3);
	refresh(f, stale);
	assert_int_equal(drain(f, stale, "web/e3"), VEER_EBUSY);
	directory_free(&stale);
}

static void a_pool_that_shrinks_meanwhile_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct directory *stale = directory_new();
	refresh(f, stale);
	static const char small[] =
		"{\"name\":\"web\",\"checks\":[],\"endpoints\":[{\"name\":\"e0\",\"address\":\"192.0.2."
		"1\",\"site\":\"s\"}]}";
	(void)put(f, MODEL_KIND_POOL, "web", small);
	assert_int_equal(drain(f, stale, "web/e0"), VEER_ECONFLICT);
	/* And the reverse: the writer of the pool has a precondition on the overrides. */
	refresh(f, f->directory);
	struct model_pool pool;
	struct store_op ops[2] = {{.op = STORE_PUT, .kind = MODEL_KIND_POOL, .key = "web", .expect = STORE_ANY}};
	struct arena *arena = arena_new(1 << 20);
	struct safety_loss loss;
	json_t *object = NULL;
	int64_t revision;
	assert_int_equal(veer_json_parse(small, sizeof small - 1, 1 << 20, &object, NULL), VEER_OK);
	assert_int_equal(model_pool_parse(object, arena, &pool, NULL), VEER_OK);
	assert_int_equal(overrides_judge_pool(f->directory, &pool, NULL, arena, &ops[1], &loss), VEER_OK);
	ops[0].value = small;
	ops[0].value_len = sizeof small - 1;
	const char *key = "web/e0";
	struct veer_diag diag = {""};
	assert_int_equal(wish(f, f->directory, MODEL_OVERRIDE_DRAIN, &key, 1, "web", &diag), VEER_OK);
	assert_int_equal(store_commit(f->store, ops, 2, STORE_NORMAL, &revision, NULL), VEER_ECONFLICT);
	refresh(f, f->directory);
	assert_int_equal(overrides_judge_pool(f->directory, &pool, NULL, arena, &ops[1], &loss), VEER_EBUSY);
	json_decref(object);
	arena_free(&arena);
	directory_free(&stale);
}

/* One of several control planes. It drains one endpoint, whatever the others do. */
struct drainer {
	struct fixture *f;
	struct directory *directory;
	char key[16];
	enum veer_err err;
	pthread_t thread;
};

static void *drainer_main(void *ctx)
{
	struct drainer *d = ctx;
	do
		d->err = drain(d->f, d->directory, d->key);
	while (d->err == VEER_ECONFLICT);
	return NULL;
}

/* Brings the directories up to date now and then, as hubs do. */
struct follower {
	struct fixture *f;
	struct drainer *drainers;
	atomic_bool is_over;
	pthread_t thread;
};

static void *follower_main(void *ctx)
{
	struct follower *follower = ctx;
	while (!atomic_load(&follower->is_over))
		for (int i = 0; i < THREADS; i++)
			refresh(follower->f, follower->drainers[i].directory);
	return NULL;
}

static void of_concurrent_drains_of_all_at_least_one_is_refused(void **state)
{
	struct fixture *f = *state;
	for (int round = 0; round < ROUNDS; round++) {
		struct drainer d[THREADS] = {{0}};
		int refused = 0;
		for (int i = 0; i < THREADS; i++) {
			d[i].f = f;
			d[i].directory = directory_new();
			(void)snprintf(d[i].key, sizeof d[i].key, "web/e%d", i);
			refresh(f, d[i].directory);
		}
		struct follower follower = {.f = f, .drainers = d};
		assert_int_equal(pthread_create(&follower.thread, NULL, follower_main, &follower), 0);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&d[i].thread, NULL, drainer_main, &d[i]), 0);
		for (int i = 0; i < THREADS; i++) {
			(void)pthread_join(d[i].thread, NULL);
			assert_true(d[i].err == VEER_OK || d[i].err == VEER_EBUSY);
			refused += d[i].err == VEER_EBUSY;
		}
		atomic_store(&follower.is_over, true);
		(void)pthread_join(follower.thread, NULL);
		for (int i = 0; i < THREADS; i++)
			directory_free(&d[i].directory);
		assert_int_equal(refused, 1);
		assert_int_equal(count_out(f), ENDPOINTS - 1);
		for (int i = 0; i < THREADS; i++)
			(void)put(f, MODEL_KIND_OVERRIDE, d[i].key, NULL);
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_last_one_of_a_pool_needs_force),
		T(the_rule_asks_each_family_and_what_works),
		T(one_that_has_not_heard_of_the_others_drains_finds_out_at_its_commit),
		T(a_pool_that_shrinks_meanwhile_is_noticed),
		T(of_concurrent_drains_of_all_at_least_one_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
