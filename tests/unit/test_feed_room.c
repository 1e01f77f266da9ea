/* SPDX-License-Identifier: Apache-2.0 */
/* The feed's sending half: the memory and disk space that it uses are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/control/feed_impl.h"
#include "base/file.h"
#include "tests/unit/feed_stage.h"

static void who_falls_behind_the_ring_is_cut_and_starts_anew(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s;
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	feed_stage_tell(f, 1, "a", OBJECT);
	feed_stage_subscribe(f, &s, feed_stage_lineage(f), 0);
	feed_stage_hear(&s, "commit:1 ");
	for (int64_t i = 2; i <= 2 + FEED_BACKLOG_COMMITS; i++)
		feed_stage_tell(f, i, "a", OBJECT);
	assert_int_equal(feed_stage_pull(&s, 65536), -1);
	feed_stage_unsubscribe(&s);
	feed_stage_subscribe(f, &s, feed_stage_lineage(f), 1);
	while (feed_stage_pull(&s, 65536) == 0)
		feed_stage_pause_ms(1);
	assert_memory_equal(s.heard->text, "hello reset ", 12);
	feed_stage_unsubscribe(&s);
}

static void the_ring_is_bounded_by_bytes_too(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s;
	size_t size = 900000;
	char *value = malloc(size + 16);
	assert_non_null(value);
	(void)snprintf(value, 16, "{\"x\":\"");
	memset(value + 6, 'y', size);
	(void)snprintf(value + 6 + size, 4, "\"}");
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	for (int64_t i = 1; i <= 100; i++)
		feed_stage_tell(f, i, "a", value);
	free(value);
	feed_stage_subscribe(f, &s, feed_stage_lineage(f), 10);
	while (feed_stage_pull(&s, 65536) == 0)
		feed_stage_pause_ms(1);
	assert_memory_equal(s.heard->text, "hello reset ", 12);
	feed_stage_unsubscribe(&s);
}

static int log_lines(struct feed_stage *f, const char *word)
{
	char path[128], *text = NULL;
	size_t len = 0;
	int count = 0;
	(void)snprintf(path, sizeof path, "%s/log", f->dir);
	assert_int_equal(file_read(path, 1 << 20, &text, &len, NULL), VEER_OK);
	for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
		count++;
	free(text);
	return count;
}

static void a_full_state_that_cannot_be_written_is_tried_again_without_haste(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s;
	struct rlimit before, none;
	char path[128];
	(void)snprintf(path, sizeof path, "%s/log", f->dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	f->log = logger_new("test", fileno(out), LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	assert_non_null(f->log);
	(void)feed_stage_put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 1, f->log);
	feed_stage_subscribe(f, &s, NULL, 0);
	/* no descriptor is left, neither for a file on disk nor for one in memory */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 150; i++) {
		(void)feed_stage_pull(&s, 65536);
		feed_stage_pause_ms(10);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	int tries = log_lines(f, "cannot be written");
	assert_in_range(tries, 1, 3);
	feed_stage_hear(&s, "+a commit:1 ");
	feed_stage_unsubscribe(&s);
	feed_free(&f->feed);
	logger_free(&f->log);
	(void)fclose(out);
	(void)unlink(path);
}

static void a_full_state_that_finds_no_room_on_the_disk_is_kept_in_memory(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber s;
	(void)feed_stage_put(f, MODEL_KIND_SITE, "a", OBJECT);
	assert_int_equal(rmdir(f->feed_dir), 0);
	f->feed = feed_new(f->store, f->feed_dir, 1, f->log);
	feed_stage_subscribe(f, &s, NULL, 0);
	feed_stage_hear(&s, "+a commit:1 ");
	assert_int_equal(mkdir(f->feed_dir, 0700), 0);
	feed_stage_unsubscribe(&s);
	feed_free(&f->feed);
}

/* Begin to read a full state that is in memory, and keep it in use. */
static void hold_full_state(struct feed_stage *f, struct subscriber *s, int64_t before_bytes)
{
	struct feed_stats stats = {0};
	feed_stage_subscribe(f, s, NULL, 0);
	for (int i = 0; i < WAIT_MS && stats.memory_bytes <= before_bytes; i++) {
		if (feed_stage_pull(s, 64) == 0)
			feed_stage_pause_ms(1);
		feed_stats_read(f->feed, &stats);
	}
	assert_true(stats.memory_bytes > before_bytes);
	while (strstr(s->heard->text, "reset") == NULL)
		assert_true(feed_stage_pull(s, 64) >= 0);
	assert_int_equal(feed_stage_pull(s, 1), 1); /* the first byte of the state itself */
}

static void grow(struct feed_stage *f, const char *key)
{
	static const char value[] = "{\"name\":\"0123456789012345678901234567890123456789012345678901234567890\"}";
	feed_stage_tell(f, feed_stage_put(f, MODEL_KIND_SITE, key, value), key, value);
}

/* Use this limit instead of FEED_MEMORY_MAX. */
static void bound_memory(struct feed *feed, int64_t bytes)
{
	(void)pthread_mutex_lock(&feed->lock);
	feed->memory_max_bytes = bytes;
	(void)pthread_mutex_unlock(&feed->lock);
}

static void full_states_in_memory_are_bounded_all_together(void **state)
{
	struct feed_stage *f = *state;
	struct subscriber a, b, c;
	struct feed_stats stats;
	static const struct feed_position nowhere = {.lineage = NULL};
	char path[128];
	(void)snprintf(path, sizeof path, "%s/log", f->dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	f->log = logger_new("test", fileno(out), LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	assert_int_equal(rmdir(f->feed_dir), 0);
	f->feed = feed_new(f->store, f->feed_dir, 0, f->log);
	grow(f, "a");
	hold_full_state(f, &a, 0);
	feed_stats_read(f->feed, &stats);
	grow(f, "b");
	hold_full_state(f, &b, stats.memory_bytes);
	assert_true(feed_has_room(f->feed, &nowhere));
	feed_stats_read(f->feed, &stats);
	int64_t both_bytes = stats.memory_bytes;
	bound_memory(f->feed, both_bytes + 50);
	grow(f, "c");
	feed_stage_subscribe(f, &c, NULL, 0); /* there is no room for a third */
	ssize_t n = 0;
	for (int i = 0; i < WAIT_MS && (n = feed_stage_pull(&c, 65536)) >= 0; i++)
		feed_stage_pause_ms(1);
	assert_int_equal(n, -1);
	feed_stage_unsubscribe(&c);
	assert_false(feed_has_room(f->feed, &nowhere));
	const struct feed_position behind = {.lineage = feed_stage_lineage(f), .since = 2};
	assert_true(feed_has_room(f->feed, &behind)); /* it needs none */
	feed_stats_read(f->feed, &stats);
	assert_int_equal(stats.crowded, 1);
	assert_in_range(stats.memory_bytes, both_bytes, both_bytes + 50);
	assert_int_equal(log_lines(f, "finds no room"), 1);
	/* a subscriber that has read its state, or leaves, makes room for the next at once */
	feed_stage_unsubscribe(&b);
	feed_stage_unsubscribe(&a);
	assert_true(feed_has_room(f->feed, &nowhere));
	bound_memory(f->feed, FEED_MEMORY_MAX);
	feed_stage_subscribe(f, &c, NULL, 0);
	feed_stage_hear(&c, "+a +b +c commit:3 ");
	feed_stage_unsubscribe(&c);
	assert_int_equal(mkdir(f->feed_dir, 0700), 0);
	feed_free(&f->feed);
	logger_free(&f->log);
	(void)fclose(out);
	(void)unlink(path);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, feed_stage_setup, feed_stage_teardown)
	const struct CMUnitTest tests[] = {
		T(who_falls_behind_the_ring_is_cut_and_starts_anew),
		T(the_ring_is_bounded_by_bytes_too),
		T(a_full_state_that_cannot_be_written_is_tried_again_without_haste),
		T(a_full_state_that_finds_no_room_on_the_disk_is_kept_in_memory),
		T(full_states_in_memory_are_bounded_all_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
