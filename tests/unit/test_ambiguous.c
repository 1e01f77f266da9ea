/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits of which a backend cannot tell whether they happened: the store reads the result, and never sends them again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "zones/store/backend.h"

/* What happens to the next commit. */
enum fate { GOES_WELL, ANSWER_IS_LOST, NEVER_ARRIVES, IS_OVERTAKEN };

struct fixture {
	char dir[64];
	struct store *store;
	const struct store_backend *real;
	struct store_backend faulty;
	struct store_op by_another; /* IS_OVERTAKEN: another writer's change, before anyone can read ours */
	enum fate fate;
	enum veer_err err;
	unsigned sent;
};

static struct fixture *the_fixture; /* static, because a backend has no place for the state of a test */

static enum veer_err faulty_commit(void *self, const struct store_op *ops, size_t count, enum store_priority priority,
				   int64_t *revision, size_t *failed)
{
	struct fixture *f = the_fixture;
	int64_t lost;
	f->sent++;
	if (f->fate == GOES_WELL)
		return f->real->commit(self, ops, count, priority, revision, failed);
	if (f->fate != NEVER_ARRIVES)
		assert_int_equal(f->real->commit(self, ops, count, priority, &lost, failed), VEER_OK);
	if (f->fate == IS_OVERTAKEN)
		assert_int_equal(f->real->commit(self, &f->by_another, 1, priority, &lost, failed), VEER_OK);
	return f->err;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char url[128];
	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-ambiguous-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(url, sizeof url, "sqlite:%s/veer.db", f->dir);
	assert_int_equal(store_open(url, &f->store, NULL), VEER_OK);
	f->real = f->store->backend;
	f->faulty = *f->real;
	f->faulty.commit = faulty_commit;
	f->store->backend = &f->faulty;
	f->err = VEER_EIO;
	the_fixture = f;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct fixture *f = *state;
	f->store->backend = f->real;
	store_close(&f->store);
	for (size_t i = 0; i < 4; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static struct store_op op_put(const char *key, const char *value)
{
	return (struct store_op){STORE_PUT, MODEL_KIND_SITE, key, value, strlen(value), STORE_ANY};
}

static struct store_op op_del(const char *key)
{
	return (struct store_op){.op = STORE_DEL, .kind = MODEL_KIND_SITE, .key = key, .expect = STORE_ANY};
}

static void must_be(struct fixture *f, enum fate fate, const struct store_op *ops, size_t count, enum veer_err want)
{
	int64_t revision = -7;
	unsigned sent = f->sent;
	f->fate = fate;
	assert_int_equal(store_commit(f->store, ops, count, STORE_NORMAL, &revision, NULL), want);
	assert_int_equal(f->sent, sent + 1);
	assert_int_equal(revision, want == VEER_OK ? store_revision(f->store) : -7);
}

static void an_answer_that_was_lost_is_read(void **state)
{
	struct fixture *f = *state;
	const struct store_op ops[] = {op_put("a", "{\"n\":1}"), op_put("b", "{\"n\":2}"), op_del("c")};
	const struct store_op c = op_put("c", "{}");
	must_be(f, GOES_WELL, &c, 1, VEER_OK);
	must_be(f, ANSWER_IS_LOST, ops, 3, VEER_OK);
	assert_int_equal(store_revision(f->store), 2);
	f->err = VEER_ETIMEOUT;
	must_be(f, ANSWER_IS_LOST, ops, 2, VEER_OK);
	const struct store_op del = op_del("a");
	must_be(f, ANSWER_IS_LOST, &del, 1, VEER_OK);
}

static void what_never_arrived_is_an_error(void **state)
{
	struct fixture *f = *state;
	const struct store_op ops[] = {op_put("a", "{\"n\":1}"), op_del("c")};
	const struct store_op check = {.op = STORE_CHECK, .kind = MODEL_KIND_SITE, .key = "a", .expect = STORE_ABSENT};
	must_be(f, NEVER_ARRIVES, ops, 2, VEER_EIO);
	must_be(f, NEVER_ARRIVES, &check, 1, VEER_EIO);
	/* The same value existed before, so it is not proof of this commit. */
	must_be(f, GOES_WELL, ops, 1, VEER_OK);
	must_be(f, NEVER_ARRIVES, ops, 1, VEER_EIO);
	const struct store_op del = op_del("a");
	must_be(f, NEVER_ARRIVES, &del, 1, VEER_EIO);
}

static void what_another_has_overwritten_is_not_claimed(void **state)
{
	struct fixture *f = *state;
	const struct store_op ops[] = {op_put("a", "{\"n\":1}"), op_put("b", "{\"n\":2}")};
	f->by_another = op_put("b", "{\"n\":3}");
	must_be(f, IS_OVERTAKEN, ops, 2, VEER_EIO);
	f->by_another = ops[1]; /* the same values, in a commit of its own */
	must_be(f, IS_OVERTAKEN, ops, 2, VEER_EIO);
}

/* An import removes an object and then writes it, in one commit. */
static void the_last_word_of_a_commit_on_an_object_counts(void **state)
{
	struct fixture *f = *state;
	const struct store_op ops[] = {op_del("a"), op_put("a", "{\"n\":1}"), op_put("a", "{\"n\":2}")};
	must_be(f, ANSWER_IS_LOST, ops, 3, VEER_OK);
	const struct store_op reverse[] = {op_put("a", "{\"n\":1}"), op_del("a")};
	must_be(f, ANSWER_IS_LOST, reverse, 2, VEER_OK);
}

static void other_errors_are_passed_on(void **state)
{
	struct fixture *f = *state;
	const struct store_op op = op_put("a", "{\"n\":1}");
	f->err = VEER_ECONFLICT;
	must_be(f, NEVER_ARRIVES, &op, 1, VEER_ECONFLICT);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_that_was_lost_is_read),
		T(what_never_arrived_is_an_error),
		T(what_another_has_overwritten_is_not_claimed),
		T(the_last_word_of_a_commit_on_an_object_counts),
		T(other_errors_are_passed_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
