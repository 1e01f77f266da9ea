/* SPDX-License-Identifier: Apache-2.0 */
/* The plan on disk: written data can be loaded again, and failed writes are reported. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/plan_disk_stage.h"

static void nothing_kept_is_said_so(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	assert_int_equal(disk_reload(f, &l), VEER_ENOTFOUND);
	assert_true(plan_disk_needs_base(f->disk));
}

static void a_base_and_its_journal_come_back(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	disk_write_base(f->disk, 10);
	disk_journal(f->disk, 11, "c", "{\"n\":3}");
	disk_journal(f->disk, 12, "a", NULL);
	disk_settle(f);
	assert_false(plan_disk_needs_base(f->disk));
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_string_equal(l.text, "a={\"n\":1} b={\"n\":2} c={\"n\":3} -a= ");
	assert_string_equal(l.store_id, STORE);
	assert_int_equal(l.revision, 12);
	assert_int_equal(l.commits, 3);
	/* and continues from there */
	disk_journal(f->disk, 13, "d", "{}");
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 13);
}

static void the_newest_revision_served_is_remembered(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	struct history_position highest;
	char notes[PLAN_DISK_NOTES_MAX + 1];
	plan_disk_notes(f->disk, notes);
	assert_string_equal(notes, "");
	plan_disk_note(f->disk, "a word\n", 7);
	disk_write_base(f->disk, 10);
	disk_journal(f->disk, 17, "c", "{}");
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	plan_disk_highest(f->disk, &highest);
	assert_string_equal(highest.store_id, STORE);
	assert_string_equal(highest.lineage, LINEAGE);
	assert_int_equal(highest.revision, 17);
	plan_disk_notes(f->disk, notes);
	assert_string_equal(notes, "a word\n");
}

static void an_aborted_base_leaves_the_old_one(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	struct feed_change x = disk_change("x", "{}");
	disk_write_base(f->disk, 10);
	plan_disk_base_begin(f->disk);
	plan_disk_base_put(f->disk, &x);
	plan_disk_base_abort(f->disk);
	disk_journal(f->disk, 11, "c", "{}");
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	assert_null(strstr(l.text, "x="));
}

static void a_new_base_ends_the_old_journal(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	disk_write_base(f->disk, 10);
	disk_journal(f->disk, 11, "c", "{}");
	disk_write_base(f->disk, 20);
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 20);
	assert_string_equal(l.text, "a={\"n\":1} b={\"n\":2} ");
}

static void a_long_journal_is_compacted_to_the_same_state(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	char *big = malloc(1 << 20);
	assert_non_null(big);
	memset(big, 'x', 1 << 20);
	big[(1 << 20) - 1] = '\0';
	disk_write_base(f->disk, 10);
	for (int64_t r = 11; r < 31; r++)
		disk_journal(f->disk, r, r % 2 ? "odd" : "even", big);
	disk_journal(f->disk, 31, "a", NULL);
	disk_journal(f->disk, 32, "odd", "{}");
	disk_journal(f->disk, 33, "even", NULL);
	disk_settle(f);
	disk_journal(f->disk, 34, "z", "{}");
	disk_settle(f);
	assert_false(plan_disk_needs_base(f->disk)); /* no write has failed */
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 34);
	struct stat st;
	char path[128];
	disk_path_of(f, "plan.journal", path, sizeof path);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 16 << 20); /* less than the 20 MiB that were appended */
	free(big);
}

static void two_name_servers_cannot_share_a_directory(void **state)
{
	struct disk_stage *f = *state;
	struct plan_disk *second = NULL;
	struct veer_diag diag = {""};
	assert_int_equal(plan_disk_open(f->dir, NULL, &second, &diag), VEER_EBUSY);
	assert_non_null(strstr(diag.text, f->dir));
}

/* Write a base that is larger than the files of this process may be. */
static void write_too_big_a_base(struct disk_stage *f, int64_t revision)
{
	struct rlimit before, small = {4096, RLIM_INFINITY};
	char *value = malloc(65536 + 1);
	assert_non_null(value);
	memset(value, 'x', 65536);
	value[65536] = '\0';
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct feed_change big = disk_change("big", value);
	plan_disk_base_begin(f->disk);
	plan_disk_base_put(f->disk, &big);
	plan_disk_base_commit(f->disk, disk_at(revision));
	disk_settle(f);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	free(value);
}

static void after_a_base_that_could_not_be_written_the_old_journal_does_not_grow(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	disk_write_base(f->disk, 100);
	disk_journal(f->disk, 101, "c", "{}");
	disk_settle(f);
	write_too_big_a_base(f, 500);
	assert_true(plan_disk_needs_base(f->disk));
	disk_journal(f->disk, 501, "d", "{}"); /* follows 500, which is not on disk */
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 101);
	/* The next base repairs that. */
	disk_write_base(f->disk, 502);
	disk_journal(f->disk, 503, "e", "{}");
	disk_settle(f);
	assert_false(plan_disk_needs_base(f->disk));
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 503);
}

static void after_a_commit_that_was_lost_none_follows_it(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	size_t size = 1 << 20;
	char *value = malloc(size + 1);
	assert_non_null(value);
	memset(value, 'x', size);
	value[size] = '\0';
	disk_write_base(f->disk, 100);
	disk_journal(f->disk, 101, "c", "{}");
	struct feed_change big = disk_change("big", value);
	for (int i = 0; i < 130; i++) /* more than a commit may have */
		plan_disk_journal_add(f->disk, &big);
	plan_disk_journal_commit(f->disk, disk_at(102));
	free(value);
	disk_journal(f->disk, 103, "d", "{}");
	disk_settle(f);
	assert_true(plan_disk_needs_base(f->disk));
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 101);
	assert_null(strstr(l.text, "d="));
}

static void what_a_reader_would_refuse_is_left_out(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	char key[5001];
	memset(key, 'k', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	struct feed_change a = disk_change("a", "{}"), long_key = disk_change(key, "{}");
	plan_disk_base_begin(f->disk);
	plan_disk_base_put(f->disk, &a);
	plan_disk_base_put(f->disk, &long_key);
	plan_disk_base_commit(f->disk, disk_at(1));
	plan_disk_journal_add(f->disk, &long_key);
	plan_disk_journal_commit(f->disk, disk_at(2));
	disk_journal(f->disk, 3, "b", "{}");
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 3);
	assert_string_equal(l.text, "a={} b={} ");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, disk_setup, disk_teardown)
	const struct CMUnitTest tests[] = {
		T(nothing_kept_is_said_so),
		T(a_base_and_its_journal_come_back),
		T(the_newest_revision_served_is_remembered),
		T(an_aborted_base_leaves_the_old_one),
		T(a_new_base_ends_the_old_journal),
		T(a_long_journal_is_compacted_to_the_same_state),
		T(two_name_servers_cannot_share_a_directory),
		T(after_a_base_that_could_not_be_written_the_old_journal_does_not_grow),
		T(after_a_commit_that_was_lost_none_follows_it),
		T(what_a_reader_would_refuse_is_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
