/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feed's sending half, and the hub that fills it, over a real store: which subscriber gets what, and from which
 * revision on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "api/control/followers.h"
#include "api/control/hub.h"
#include "tests/unit/feed_stage.h"

static void a_newcomer_gets_the_whole_state_and_then_each_commit(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s;
	(void)feed_stage_put(f, MODEL_KIND_SITE, "a", OBJECT);
	int64_t revision = feed_stage_put(f, MODEL_KIND_SITE, "b", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, revision, NULL);
	feed_stage_subscribe(f, &s, NULL, 0);
	feed_stage_hear(&s, "hello reset +a +b commit:2 ");
	feed_stage_tell(f, 3, "c", OBJECT);
	feed_stage_tell(f, 4, "a", NULL);
	feed_stage_hear(&s, "commit:2 +c commit:3 -a commit:4 ");
	feed_stage_unsubscribe(&s);
}

static void who_comes_back_gets_only_what_it_missed(void **state)
{
	struct feed_stage *f = *state;
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	for (int64_t i = 1; i <= 5; i++)
		feed_stage_tell(f, i, "a", OBJECT);
	static const struct {
		int64_t since;
		const char *heard;
	} cases[] = {{3, "hello +a commit:4 +a commit:5 "},
		     {5, "hello "},
		     {0, "hello +a commit:1 +a commit:2 +a commit:3 +a commit:4 +a commit:5 "}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct subscriber s;
		feed_stage_subscribe(f, &s, feed_stage_lineage(f), cases[i].since);
		feed_stage_hear(&s, cases[i].heard);
		assert_string_equal(s.heard->text, cases[i].heard);
		feed_stage_unsubscribe(&s);
	}
}

static void hear_the_end(struct subscriber *s)
{
	ssize_t n = 0;
	for (int i = 0; i < WAIT_MS && (n = feed_stage_pull(s, 65536)) >= 0; i++)
		feed_stage_pause_ms(1);
	assert_int_equal(n, -1);
}

static void who_knows_the_future_begins_a_lineage_for_all(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s, other;
	struct feed_stats stats;
	char before[HISTORY_ID_SIZE];
	(void)feed_stage_put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	feed_stage_tell(f, 1, "a", OBJECT);
	(void)snprintf(before, sizeof before, "%s", feed_stage_lineage(f));
	feed_stage_subscribe(f, &other, before, 1);
	feed_stage_hear(&other, "hello ");
	feed_stage_subscribe(f, &s, before, 2);
	hear_the_end(&s); /* no data: the store has another history */
	assert_string_equal(s.heard->text, "");
	hear_the_end(&other);
	feed_stage_unsubscribe(&s);
	feed_stage_unsubscribe(&other);
	assert_string_not_equal(feed_stage_lineage(f), before);
	feed_stage_subscribe(f, &s, before, 1); /* not even revisions that seem to be known count */
	feed_stage_hear(&s, "hello reset +a commit:1 ");
	feed_stage_unsubscribe(&s);
	/* A name server that sends such a revision again and again does not make all others start over. */
	feed_stage_subscribe(f, &s, feed_stage_lineage(f), 9);
	feed_stage_hear(&s, "hello reset +a commit:1 ");
	feed_stage_unsubscribe(&s);
	feed_stats_read(f->feed, &stats);
	assert_int_equal(stats.rewinds, 1);
	assert_true(store_is_unsettled(f->store));
}

static void who_knows_another_store_starts_anew(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s;
	(void)feed_stage_put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	feed_stage_tell(f, 1, "a", OBJECT);
	feed_stage_subscribe(f, &s, "00000000000000000000000000000000", 1);
	feed_stage_hear(&s, "hello reset +a commit:1 ");
	feed_stage_unsubscribe(&s);
}

static void a_full_state_ahead_of_the_ring_is_continued_without_doubles(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s;
	for (int i = 0; i < 3; i++)
		(void)feed_stage_put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	feed_stage_subscribe(f, &s, NULL, 0);
	feed_stage_hear(&s, "hello reset +a commit:3 "); /* from the store, because the ring is still empty */
	for (int64_t i = 1; i <= 4; i++)
		feed_stage_tell(f, i, "a", OBJECT);
	feed_stage_hear(&s, "commit:3 +a commit:4 ");
	feed_stage_unsubscribe(&s);
}

static void commits_while_the_full_state_is_sent_come_after_it(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s;
	(void)feed_stage_put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 1, NULL);
	feed_stage_subscribe(f, &s, NULL, 0);
	feed_stage_hear(&s, "hello reset ");
	while (feed_stage_pull(&s, 7) <= 0) /* the first bytes of the file */
		feed_stage_pause_ms(1);
	feed_stage_tell(f, 2, "b", OBJECT);
	for (int64_t i = 3; i <= 4; i++) {
		assert_true(feed_stage_pull(&s, 7) > 0);
		feed_stage_tell(f, i, "c", OBJECT);
	}
	for (int i = 0; i < 20; i++)
		(void)feed_stage_pull(&s, 65536);
	assert_non_null(strstr(s.heard->text, "hello reset +a commit:1 +b commit:2 +c commit:3 +c commit:4 "));
	feed_stage_unsubscribe(&s);
}

static void what_no_name_server_could_read_is_left_out(void **state)
{
	static const char *const values[] = {"{\"a\":1,\n\"b\":2}", "not json", "[]", "{\"a\":1", "{}}", "\"x\"",
					     "{\"a\":\"\x01\"}"};
	struct feed_stage *f = *state;
	struct subscriber s;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		char key[16];
		(void)snprintf(key, sizeof key, "bad%zu", i);
		(void)feed_stage_put(f, MODEL_KIND_SITE, key, values[i]);
	}
	(void)feed_stage_put(f, MODEL_KIND_SITE, "bad\n\x01", OBJECT);
	(void)feed_stage_put(f, MODEL_KIND_SITE, "bad\xff", OBJECT);
	char *long_value = calloc(1, STORE_VALUE_MAX + 1);
	assert_non_null(long_value);
	memset(long_value, ' ', STORE_VALUE_MAX);
	memcpy(long_value, "{}", 2);
	(void)feed_stage_put(f, MODEL_KIND_SITE, "bad-long", long_value);
	free(long_value);
	(void)feed_stage_put(f, MODEL_KIND_SITE, "good", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 11, NULL);
	feed_stage_subscribe(f, &s, NULL, 0);
	feed_stage_hear(&s, "hello reset +good commit:11 ");
	for (int64_t i = 0; i < (int64_t)(sizeof values / sizeof values[0]); i++)
		feed_stage_tell(f, 12 + i, "bad", values[i]);
	feed_stage_tell(f, 30, "good", OBJECT);
	feed_stage_hear(&s, "commit:11 +good commit:30 ");
	feed_stage_unsubscribe(&s);
}

static void a_read_that_is_repeated_is_told_once(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s;
	const struct store_object half = {MODEL_KIND_SITE, "b", 2, OBJECT, sizeof OBJECT - 1, NULL};
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	feed_stage_subscribe(f, &s, feed_stage_lineage(f), 0);
	feed_stage_tell(f, 1, "a", OBJECT);
	feed_change(f->feed, &half); /* here the read fails … */
	feed_abandon(f->feed);
	feed_stage_tell(f, 1, "a", OBJECT); /* … and here it is repeated */
	feed_stage_tell(f, 2, "b", OBJECT);
	feed_stage_hear(&s, "hello +a commit:1 +b commit:2 ");
	assert_string_equal(s.heard->text, "hello +a commit:1 +b commit:2 ");
	feed_stage_unsubscribe(&s);
}

static void run_sql(struct feed_stage *f, const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;
	(void)snprintf(path, sizeof path, "%s/veer.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

static void a_hub_behind_the_history_reads_everything_anew(void **state)
{
	struct feed_stage *f = *state;
	struct hub *hub = NULL;
	struct controller *controller = NULL;
	struct subscriber s;
	struct directory *directory = directory_new();
	struct assignment_hub *assignments = assignment_hub_new(store_id(f->store));
	const struct controller_config config = {
		.clock = veer_clock_system(), .store = f->store, .directory = directory, .assignments = assignments};
	(void)feed_stage_put(f, MODEL_KIND_SITE, "a", "{\"name\":\"a\",\"region\":\"eu\"}");
	assert_int_equal(hub_new(f->store, directory, f->feed_dir, NULL, &hub, NULL), VEER_OK);
	f->feed = hub_feed(hub);
	feed_stage_subscribe(f, &s, feed_stage_lineage(f), 1);
	feed_stage_hear(&s, "hello ");
	(void)feed_stage_put(f, MODEL_KIND_SITE, "a", NULL);
	int64_t revision = feed_stage_put(f, MODEL_KIND_SITE, "b", "{\"name\":\"b\",\"region\":\"eu\"}");
	run_sql(f, "UPDATE meta SET value=3 WHERE key='compacted'; DELETE FROM changes");
	assert_int_equal(controller_new(&config, &controller, NULL), VEER_OK);
	followers_add_controller(hub, controller);
	followers_add_assignments(hub, assignments);
	assert_int_equal(hub_start(hub), VEER_OK);
	assert_true(directory_wait(directory, revision, WAIT_MS));
	assert_int_equal(directory_count(directory, MODEL_KIND_SITE), 1);
	ssize_t n = 0;
	for (int i = 0; i < WAIT_MS && (n = feed_stage_pull(&s, 65536)) >= 0; i++)
		feed_stage_pause_ms(1);
	assert_int_equal(n, -1); /* the stream is cut, because the subscriber cannot be told what it missed */
	feed_stage_unsubscribe(&s);
	feed_stage_subscribe(f, &s, feed_stage_lineage(f), 1);
	for (int i = 0; i < WAIT_MS && strstr(s.heard->text, "commit") == NULL; i++)
		if (feed_stage_pull(&s, 65536) <= 0)
			feed_stage_pause_ms(1);
	assert_memory_equal(s.heard->text, "hello reset +b commit:", 22);
	feed_stage_unsubscribe(&s);
	/* And it continues to follow. */
	revision = feed_stage_put(f, MODEL_KIND_SITE, "c", "{\"name\":\"c\",\"region\":\"eu\"}");
	assert_true(directory_wait(directory, revision, WAIT_MS));
	hub_stop(hub);
	controller_free(&controller);
	f->feed = NULL;
	hub_free(&hub);
	assignment_hub_free(&assignments);
	directory_free(&directory);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, feed_stage_setup, feed_stage_teardown)
	const struct CMUnitTest tests[] = {
		T(a_newcomer_gets_the_whole_state_and_then_each_commit),
		T(who_comes_back_gets_only_what_it_missed),
		T(who_knows_another_store_starts_anew),
		T(who_knows_the_future_begins_a_lineage_for_all),
		T(a_full_state_ahead_of_the_ring_is_continued_without_doubles),
		T(commits_while_the_full_state_is_sent_come_after_it),
		T(what_no_name_server_could_read_is_left_out),
		T(a_read_that_is_repeated_is_told_once),
		T(a_hub_behind_the_history_reads_everything_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
