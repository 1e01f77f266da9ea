/* SPDX-License-Identifier: Apache-2.0 */
/* The plan on disk: what can be loaded from damaged files, and after the process ended at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "tests/unit/plan_disk_stage.h"

static char *slurp(struct disk_stage *f, const char *name, size_t *len)
{
	char path[128], *text = NULL;
	disk_path_of(f, name, path, sizeof path);
	assert_int_equal(file_read(path, 1 << 24, &text, len, NULL), VEER_OK);
	return text;
}

static void spew(struct disk_stage *f, const char *name, const char *data, size_t len)
{
	char path[128];
	disk_path_of(f, name, path, sizeof path);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void a_base_cut_anywhere_is_refused_whole(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	size_t len;
	disk_write_base(f->disk, 10);
	disk_settle(f);
	char *whole = slurp(f, "plan.base", &len);
	for (size_t cut = 0; cut < len; cut++) {
		spew(f, "plan.base", whole, cut);
		assert_int_equal(disk_reload(f, &l), VEER_ECORRUPT);
		assert_int_equal(l.commits, 0);
		assert_true(plan_disk_needs_base(f->disk));
	}
	free(whole);
}

static void a_base_with_any_bit_flipped_is_refused_whole(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	size_t len;
	disk_write_base(f->disk, 10);
	disk_settle(f);
	char *whole = slurp(f, "plan.base", &len);
	for (size_t i = 0; i < len * 8; i++) {
		whole[i / 8] = (char)(whole[i / 8] ^ 1 << i % 8);
		spew(f, "plan.base", whole, len);
		assert_int_not_equal(disk_reload(f, &l), VEER_OK);
		assert_int_equal(l.commits, 0);
		whole[i / 8] = (char)(whole[i / 8] ^ 1 << i % 8);
	}
	free(whole);
}

static void a_journal_cut_anywhere_yields_its_whole_commits(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	size_t len;
	disk_write_base(f->disk, 10);
	for (int64_t r = 11; r < 16; r++)
		disk_journal(f->disk, r, "k", "{}");
	disk_settle(f);
	char *whole = slurp(f, "plan.journal", &len);
	int64_t before = 10;
	for (size_t cut = 0; cut <= len; cut++) {
		spew(f, "plan.journal", whole, cut);
		assert_int_equal(disk_reload(f, &l), VEER_OK);
		assert_true(l.revision == before || l.revision == before + 1);
		before = l.revision;
	}
	assert_int_equal(before, 15);
	free(whole);
}

static void after_a_torn_end_the_journal_goes_on_cleanly(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	size_t len;
	disk_write_base(f->disk, 10);
	disk_journal(f->disk, 11, "k", "{}");
	disk_journal(f->disk, 12, "l", "{}");
	disk_settle(f);
	char *whole = slurp(f, "plan.journal", &len);
	spew(f, "plan.journal", whole, len - 3);
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	disk_journal(f->disk, 13, "m", "{}");
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 13);
	assert_null(strstr(l.text, "l="));
	free(whole);
}

static void another_bases_journal_is_ignored(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	size_t len;
	disk_write_base(f->disk, 10);
	disk_journal(f->disk, 11, "k", "{}");
	disk_settle(f);
	char *old = slurp(f, "plan.journal", &len);
	disk_write_base(f->disk, 20);
	disk_settle(f);
	spew(f, "plan.journal", old, len); /* as if the power had failed between the two renames */
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 20);
	disk_journal(f->disk, 21, "m", "{}");
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 21);
	free(old);
}

/* Change one bit of a file. */
static void damage(struct disk_stage *f, const char *name)
{
	size_t len;
	char *data = slurp(f, name, &len);
	assert_true(len > 120);
	data[120] ^= 1;
	spew(f, name, data, len);
	free(data);
}

static void of_a_damaged_base_the_one_before_is_there_with_all_that_followed(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	char *big = malloc(1 << 20);
	assert_non_null(big);
	memset(big, 'x', 1 << 20);
	big[(1 << 20) - 1] = '\0';
	disk_write_base(f->disk, 10);
	for (int64_t r = 11; r < 41; r++)
		disk_journal(f->disk, r, r % 2 ? "odd" : "even", big);
	disk_settle(f); /* wait for the compaction */
	disk_journal(f->disk, 41, "z", "{}");
	disk_settle(f);
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 41);
	damage(f, "plan.base");
	assert_int_equal(disk_reload(f, &l), VEER_ECORRUPT);
	assert_true(plan_disk_needs_base(f->disk));
	assert_int_equal(disk_reload_before(f, &l), VEER_OK);
	assert_int_equal(l.revision, 41);
	/* nothing is appended to a damaged file, and a new base makes it complete */
	disk_journal(f->disk, 42, "y", "{}");
	disk_write_base(f->disk, 43);
	disk_settle(f);
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 43);
	free(big);
}

static void of_a_damaged_full_state_what_was_served_before_it_is_there(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	disk_write_base(f->disk, 10);
	disk_journal(f->disk, 11, "k", "{}");
	disk_write_base(f->disk, 20); /* a full state: no changes lead from 11 to it */
	disk_journal(f->disk, 21, "m", "{}");
	disk_settle(f);
	damage(f, "plan.base");
	assert_int_equal(disk_reload(f, &l), VEER_ECORRUPT);
	assert_int_equal(disk_reload_before(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	damage(f, "plan.base.old");
	assert_int_equal(disk_reload_before(f, &l), VEER_ECORRUPT);
}

static void a_process_that_ends_while_it_puts_a_base_in_place_loses_nothing(void **state)
{
	struct disk_stage *f = *state;
	struct disk_loaded l;
	char from[128], to[128];
	disk_write_base(f->disk, 10);
	disk_journal(f->disk, 11, "k", "{}");
	disk_settle(f);
	disk_path_of(f, "plan.base", from, sizeof from);
	disk_path_of(f, "plan.base.old", to, sizeof to);
	assert_int_equal(link(from, to), 0);
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	disk_path_of(f, "plan.journal", from, sizeof from);
	disk_path_of(f, "plan.journal.old", to, sizeof to);
	plan_disk_close(&f->disk);
	assert_int_equal(rename(from, to), 0);
	disk_open(f);
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	disk_write_base(f->disk, 12);
	disk_journal(f->disk, 13, "k", "{}");
	assert_int_equal(disk_reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 13);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, disk_setup, disk_teardown)
	const struct CMUnitTest tests[] = {
		T(a_base_cut_anywhere_is_refused_whole),
		T(a_base_with_any_bit_flipped_is_refused_whole),
		T(a_journal_cut_anywhere_yields_its_whole_commits),
		T(after_a_torn_end_the_journal_goes_on_cleanly),
		T(another_bases_journal_is_ignored),
		T(of_a_damaged_base_the_one_before_is_there_with_all_that_followed),
		T(of_a_damaged_full_state_what_was_served_before_it_is_there),
		T(a_process_that_ends_while_it_puts_a_base_in_place_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
