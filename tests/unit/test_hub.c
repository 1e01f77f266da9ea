/* SPDX-License-Identifier: Apache-2.0 */
/* The hub: the directory follows the store, also after a stall longer than the history that the store keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/control/followers.h"
#include "api/control/hub.h"
#include "api/http/connection.h"

enum { STALL = 16384 + 600, WAIT_MS = 20000 }; /* the SQLite backend keeps 16,384 revisions */

struct fixture {
	char dir[64];
	struct store *store;
	struct directory *directory;
	struct assignment_hub *assignments;
	struct hub *hub;
};

static int setup(void **state)
{
	char url[128];
	struct fixture *f = calloc(1, sizeof *f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-hub-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(url, sizeof url, "sqlite:%s/veer.db", f->dir);
	assert_int_equal(store_open(url, &f->store, NULL), VEER_OK);
	f->directory = directory_new();
	f->assignments = assignment_hub_new(store_id(f->store));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct fixture *f = *state;
	hub_free(&f->hub);
	assignment_hub_free(&f->assignments);
	directory_free(&f->directory);
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

static int64_t commit(struct fixture *f, const char *key, const char *value)
{
	int64_t revision = 0;
	struct store_op op = {.op = value != NULL ? STORE_PUT : STORE_DEL,
			      .kind = MODEL_KIND_SITE,
			      .key = key,
			      .value = value,
			      .value_len = value != NULL ? strlen(value) : 0,
			      .expect = STORE_ANY};
	assert_int_equal(store_commit(f->store, &op, 1, STORE_NORMAL, &revision, NULL), VEER_OK);
	return revision;
}

static void start(struct fixture *f)
{
	struct veer_diag diag = {""};
	if (hub_new(f->store, f->directory, f->dir, NULL, &f->hub, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
}

static bool ignore(void *ctx, const struct directory_entry *entry)
{
	(void)ctx;
	(void)entry;
	return true;
}

static bool has(struct fixture *f, const char *key)
{
	return directory_get(f->directory, MODEL_KIND_SITE, key, ignore, NULL) == VEER_OK;
}

/* The directory is updated first, the feed a moment later. */
static bool feed_reaches(struct feed *feed, int64_t revision)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	for (int i = 0; i < WAIT_MS && feed_revision(feed) < revision; i++)
		(void)nanosleep(&pause, NULL);
	return feed_revision(feed) == revision;
}

static void the_directory_is_filled_at_start_and_follows(void **state)
{
	struct fixture *f = *state;
	(void)commit(f, "before", "{}");
	start(f);
	assert_true(has(f, "before"));
	followers_add_assignments(f->hub, f->assignments);
	assert_int_equal(hub_start(f->hub), VEER_OK);
	int64_t revision = commit(f, "after", "{}");
	assert_true(directory_wait(f->directory, revision, WAIT_MS));
	assert_true(has(f, "after"));
	revision = commit(f, "before", NULL);
	assert_true(directory_wait(f->directory, revision, WAIT_MS));
	assert_false(has(f, "before"));
	assert_true(feed_reaches(hub_feed(f->hub), revision));
}

static void a_stall_beyond_the_history_ends_in_everything_read_again(void **state)
{
	struct fixture *f = *state;
	char piece[4096];
	struct api_stream stream = {.has_news = false};
	(void)pthread_mutex_init(&stream.lock, NULL);
	int64_t first = commit(f, "removed-in-the-stall", "{}");
	start(f);
	struct history_ancestry ancestry;
	store_ancestry(f->store, &ancestry);
	const struct feed_position position = {.lineage = ancestry.lineages[ancestry.count - 1].id, .since = first};
	struct api_stream_source *source = feed_subscribe(hub_feed(f->hub), &position);
	source->open(source, &stream);
	assert_true(source->pull(source, piece, sizeof piece) > 0);
	(void)commit(f, "removed-in-the-stall", NULL);
	for (int i = 0; i < STALL; i++)
		(void)commit(f, "busy", i % 2 == 0 ? "{}" : "{\"a\":1}");
	int64_t last = commit(f, "made-in-the-stall", "{}");
	followers_add_assignments(f->hub, f->assignments);
	assert_int_equal(hub_start(f->hub), VEER_OK);
	assert_true(directory_wait(f->directory, last, WAIT_MS));
	assert_false(has(f, "removed-in-the-stall"));
	assert_true(has(f, "made-in-the-stall"));
	/*
	 * The directory is updated first, the feed a moment later. The subscriber reconnects, and gets the whole state.
	 */
	const struct timespec pause = {.tv_nsec = 1000000};
	ssize_t len = 0;
	for (int i = 0; i < WAIT_MS && len >= 0; i++) {
		len = source->pull(source, piece, sizeof piece);
		(void)nanosleep(&pause, NULL);
	}
	assert_int_equal(len, -1);
	source->close(source);
	int64_t revision = commit(f, "then", "{}");
	assert_true(directory_wait(f->directory, revision, WAIT_MS));
	assert_true(has(f, "then"));
	(void)pthread_mutex_destroy(&stream.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_directory_is_filled_at_start_and_follows, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stall_beyond_the_history_ends_in_everything_read_again, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
