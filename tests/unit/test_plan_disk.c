/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
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

#include "base/crc32c.h"
#include "base/file.h"
#include "zones/plan/plan_disk.h"

#define SETTLE_MS 20000
#define STORE "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b"
#define LINEAGE "a3d1c5b7908642ff1357ace02468bdf0"

struct fixture {
	char dir[64];
	struct plan_disk *disk;
};

static void path_of(const struct fixture *f, const char *name, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/%s", f->dir, name);
}

static void open_disk(struct fixture *f)
{
	struct veer_diag diag = {""};
	if (plan_disk_open(f->dir, NULL, &f->disk, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-plan-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	open_disk(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"plan.base", "plan.base.new", "plan.journal",  "highest",         "lock",
					    "copy",      "lineages",      "plan.base.old", "plan.journal.old"};
	struct fixture *f = *state;
	plan_disk_close(&f->disk);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		path_of(f, names[i], path, sizeof path);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* What a load delivered: objects by key, as the last commit left them. */
struct loaded {
	struct history_position at;
	char store_id[HISTORY_ID_SIZE];
	int64_t revision;
	int commits;
	int objects;
	char text[4096]; /* "key=value " of everything since the last commit's beginning, appended */
	size_t len;
};

static enum veer_err on_object(void *ctx, const struct feed_change *c, struct veer_diag *diag)
{
	struct loaded *l = ctx;
	(void)diag;
	l->objects++;
	if (l->len < sizeof l->text - 256)
		l->len += (size_t)snprintf(l->text + l->len, sizeof l->text - l->len, "%s%s=%.*s ",
					   c->is_del ? "-" : "", c->key, (int)(c->value_len < 64 ? c->value_len : 64),
					   c->is_del ? "" : (const char *)c->value);
	return VEER_OK;
}

static enum veer_err on_commit(void *ctx, const struct history_position *at, struct veer_diag *diag)
{
	struct loaded *l = ctx;
	(void)diag;
	(void)snprintf(l->store_id, sizeof l->store_id, "%s", at->store_id);
	assert_true(at->revision > l->revision);
	l->at = *at;
	l->revision = at->revision;
	l->commits++;
	return VEER_OK;
}

static const struct plan_disk_sink sink = {on_object, on_commit};

static enum veer_err reload(struct fixture *f, struct loaded *l)
{
	struct veer_diag diag = {""};
	*l = (struct loaded){.revision = 0};
	plan_disk_close(&f->disk);
	open_disk(f);
	return plan_disk_load(f->disk, &sink, l, &diag);
}

static struct feed_change change(const char *key, const char *value)
{
	return (struct feed_change){.kind = MODEL_KIND_SITE,
				    .key = key,
				    .key_len = strlen(key),
				    .is_del = value == NULL,
				    .value = (const uint8_t *)value,
				    .value_len = value != NULL ? strlen(value) : 0};
}

/* Where the fixture's plans are, with a digest that follows from the revision. */
static const struct history_position *at(int64_t revision)
{
	static struct history_position position;
	position = (struct history_position){.store_id = STORE, .lineage = LINEAGE, .revision = revision};
	position.has_digest = true;
	position.digest.content = (struct digest){.low = (uint64_t)revision, .high = 1};
	position.digest.state = (struct digest){.low = 2, .high = (uint64_t)revision};
	return &position;
}

static void write_base(struct plan_disk *disk, int64_t revision)
{
	struct feed_change a = change("a", "{\"n\":1}"), b = change("b", "{\"n\":2}");
	plan_disk_base_begin(disk);
	plan_disk_base_put(disk, &a);
	plan_disk_base_put(disk, &b);
	plan_disk_base_commit(disk, at(revision));
}

/*
 * Wait until everything queued so far is on disk or lost. All is done in its turn, so it is when a note that was queued
 * behind it is there; a second one says the same of what follows a batch, as a compaction.
 */
static void settle(struct fixture *f)
{
	static int count;
	char note[32], notes[PLAN_DISK_NOTES_MAX + 1] = "";
	for (int i = 0; i < 2; i++) {
		(void)snprintf(note, sizeof note, "note %d\n", ++count);
		plan_disk_note(f->disk, note, strlen(note));
		for (int k = 0; k < SETTLE_MS && strcmp(notes, note) != 0; k++) {
			(void)usleep(1000);
			plan_disk_notes(f->disk, notes);
		}
		assert_string_equal(notes, note);
	}
}

static void journal(struct plan_disk *disk, int64_t revision, const char *key, const char *value)
{
	struct feed_change c = change(key, value);
	plan_disk_journal_add(disk, &c);
	plan_disk_journal_commit(disk, at(revision));
}

static void the_checksum_is_that_of_the_standard(void **state)
{
	struct crc32c tables;
	uint8_t zeros[32] = {0}, rising[32];
	(void)state;
	crc32c_init(&tables);
	for (uint8_t i = 0; i < 32; i++)
		rising[i] = i;
	/* RFC 3720 B.4, as numbers; by the processor's instruction, where it has one, and by the tables */
	for (int i = 0; i < 2; i++, tables.has_instruction = false) {
		assert_int_equal(crc32c_update(&tables, 0, zeros, 32), 0x8a9136aa);
		assert_int_equal(crc32c_update(&tables, 0, rising, 32), 0x46dd794e);
		uint32_t first = crc32c_update(&tables, 0, rising, 13);
		assert_int_equal(crc32c_update(&tables, first, rising + 13, 19), 0x46dd794e);
	}
}

static void nothing_kept_is_said_so(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	assert_int_equal(reload(f, &l), VEER_ENOTFOUND);
	assert_true(plan_disk_needs_base(f->disk));
}

static void a_base_and_its_journal_come_back(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	write_base(f->disk, 10);
	journal(f->disk, 11, "c", "{\"n\":3}");
	journal(f->disk, 12, "a", NULL);
	settle(f);
	assert_false(plan_disk_needs_base(f->disk));
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_string_equal(l.text, "a={\"n\":1} b={\"n\":2} c={\"n\":3} -a= ");
	assert_string_equal(l.store_id, STORE);
	assert_int_equal(l.revision, 12);
	assert_int_equal(l.commits, 3);
	/* and goes on from there */
	journal(f->disk, 13, "d", "{}");
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 13);
}

static void the_newest_revision_served_is_remembered(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	struct history_position highest;
	char notes[PLAN_DISK_NOTES_MAX + 1];
	plan_disk_notes(f->disk, notes);
	assert_string_equal(notes, "");
	plan_disk_note(f->disk, "a word\n", 7);
	write_base(f->disk, 10);
	journal(f->disk, 17, "c", "{}");
	assert_int_equal(reload(f, &l), VEER_OK);
	plan_disk_highest(f->disk, &highest);
	assert_string_equal(highest.store_id, STORE);
	assert_string_equal(highest.lineage, LINEAGE);
	assert_int_equal(highest.revision, 17);
	plan_disk_notes(f->disk, notes);
	assert_string_equal(notes, "a word\n");
}

static void an_aborted_base_leaves_the_old_one(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	struct feed_change x = change("x", "{}");
	write_base(f->disk, 10);
	plan_disk_base_begin(f->disk);
	plan_disk_base_put(f->disk, &x);
	plan_disk_base_abort(f->disk);
	journal(f->disk, 11, "c", "{}");
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	assert_null(strstr(l.text, "x="));
}

static void a_new_base_ends_the_old_journal(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	write_base(f->disk, 10);
	journal(f->disk, 11, "c", "{}");
	write_base(f->disk, 20);
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 20);
	assert_string_equal(l.text, "a={\"n\":1} b={\"n\":2} ");
}

static char *slurp(struct fixture *f, const char *name, size_t *len)
{
	char path[128], *text = NULL;
	path_of(f, name, path, sizeof path);
	assert_int_equal(file_read(path, 1 << 24, &text, len, NULL), VEER_OK);
	return text;
}

static void spew(struct fixture *f, const char *name, const char *data, size_t len)
{
	char path[128];
	path_of(f, name, path, sizeof path);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void a_base_cut_anywhere_is_refused_whole(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	size_t len;
	write_base(f->disk, 10);
	settle(f);
	char *whole = slurp(f, "plan.base", &len);
	for (size_t cut = 0; cut < len; cut++) {
		spew(f, "plan.base", whole, cut);
		assert_int_equal(reload(f, &l), VEER_ECORRUPT);
		assert_int_equal(l.commits, 0);
		assert_true(plan_disk_needs_base(f->disk));
	}
	free(whole);
}

static void a_base_with_any_bit_flipped_is_refused_whole(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	size_t len;
	write_base(f->disk, 10);
	settle(f);
	char *whole = slurp(f, "plan.base", &len);
	for (size_t i = 0; i < len * 8; i++) {
		whole[i / 8] = (char)(whole[i / 8] ^ 1 << i % 8);
		spew(f, "plan.base", whole, len);
		assert_int_not_equal(reload(f, &l), VEER_OK);
		assert_int_equal(l.commits, 0);
		whole[i / 8] = (char)(whole[i / 8] ^ 1 << i % 8);
	}
	free(whole);
}

static void a_journal_cut_anywhere_yields_its_whole_commits(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	size_t len;
	write_base(f->disk, 10);
	for (int64_t r = 11; r < 16; r++)
		journal(f->disk, r, "k", "{}");
	settle(f);
	char *whole = slurp(f, "plan.journal", &len);
	int64_t before = 10;
	for (size_t cut = 0; cut <= len; cut++) {
		spew(f, "plan.journal", whole, cut);
		assert_int_equal(reload(f, &l), VEER_OK);
		assert_true(l.revision == before || l.revision == before + 1);
		before = l.revision;
	}
	assert_int_equal(before, 15);
	free(whole);
}

static void after_a_torn_end_the_journal_goes_on_cleanly(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	size_t len;
	write_base(f->disk, 10);
	journal(f->disk, 11, "k", "{}");
	journal(f->disk, 12, "l", "{}");
	settle(f);
	char *whole = slurp(f, "plan.journal", &len);
	spew(f, "plan.journal", whole, len - 3);
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	journal(f->disk, 13, "m", "{}");
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 13);
	assert_null(strstr(l.text, "l="));
	free(whole);
}

static void another_bases_journal_is_ignored(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	size_t len;
	write_base(f->disk, 10);
	journal(f->disk, 11, "k", "{}");
	settle(f);
	char *old = slurp(f, "plan.journal", &len);
	write_base(f->disk, 20);
	settle(f);
	spew(f, "plan.journal", old, len); /* as if the power had gone between the two renames */
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 20);
	journal(f->disk, 21, "m", "{}");
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 21);
	free(old);
}

static void a_long_journal_is_compacted_to_the_same_state(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	char *big = malloc(1 << 20);
	assert_non_null(big);
	memset(big, 'x', 1 << 20);
	big[(1 << 20) - 1] = '\0';
	write_base(f->disk, 10);
	for (int64_t r = 11; r < 31; r++)
		journal(f->disk, r, r % 2 ? "odd" : "even", big);
	journal(f->disk, 31, "a", NULL);
	journal(f->disk, 32, "odd", "{}");
	journal(f->disk, 33, "even", NULL);
	settle(f);
	journal(f->disk, 34, "z", "{}");
	settle(f);
	assert_false(plan_disk_needs_base(f->disk)); /* nothing has failed */
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 34);
	struct stat st;
	char path[128];
	path_of(f, "plan.journal", path, sizeof path);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 16 << 20); /* of 20 MiB that were appended */
	free(big);
}

/* One bit of a file is another. */
static void damage(struct fixture *f, const char *name)
{
	size_t len;
	char *data = slurp(f, name, &len);
	assert_true(len > 120);
	data[120] ^= 1;
	spew(f, name, data, len);
	free(data);
}

static enum veer_err reload_before(struct fixture *f, struct loaded *l)
{
	struct veer_diag diag = {""};
	*l = (struct loaded){.revision = 0};
	return plan_disk_load_before(f->disk, &sink, l, &diag);
}

static void of_a_damaged_base_the_one_before_is_there_with_all_that_followed(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	char *big = malloc(1 << 20);
	assert_non_null(big);
	memset(big, 'x', 1 << 20);
	big[(1 << 20) - 1] = '\0';
	write_base(f->disk, 10);
	for (int64_t r = 11; r < 41; r++)
		journal(f->disk, r, r % 2 ? "odd" : "even", big);
	settle(f); /* compacted */
	journal(f->disk, 41, "z", "{}");
	settle(f);
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 41);
	damage(f, "plan.base");
	assert_int_equal(reload(f, &l), VEER_ECORRUPT);
	assert_true(plan_disk_needs_base(f->disk));
	assert_int_equal(reload_before(f, &l), VEER_OK);
	assert_int_equal(l.revision, 41);
	/* nothing is added to what is damaged, and a new base makes it whole */
	journal(f->disk, 42, "y", "{}");
	write_base(f->disk, 43);
	settle(f);
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 43);
	free(big);
}

static void of_a_damaged_full_state_what_was_served_before_it_is_there(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	write_base(f->disk, 10);
	journal(f->disk, 11, "k", "{}");
	write_base(f->disk, 20); /* a full state: nothing leads from 11 to it */
	journal(f->disk, 21, "m", "{}");
	settle(f);
	damage(f, "plan.base");
	assert_int_equal(reload(f, &l), VEER_ECORRUPT);
	assert_int_equal(reload_before(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	damage(f, "plan.base.old");
	assert_int_equal(reload_before(f, &l), VEER_ECORRUPT);
}

static void a_process_that_ends_while_it_puts_a_base_in_place_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	char from[128], to[128];
	write_base(f->disk, 10);
	journal(f->disk, 11, "k", "{}");
	settle(f);
	path_of(f, "plan.base", from, sizeof from);
	path_of(f, "plan.base.old", to, sizeof to);
	assert_int_equal(link(from, to), 0);
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	path_of(f, "plan.journal", from, sizeof from);
	path_of(f, "plan.journal.old", to, sizeof to);
	plan_disk_close(&f->disk);
	assert_int_equal(rename(from, to), 0);
	open_disk(f);
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 11);
	write_base(f->disk, 12);
	journal(f->disk, 13, "k", "{}");
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 13);
}

static void two_name_servers_cannot_share_a_directory(void **state)
{
	struct fixture *f = *state;
	struct plan_disk *second = NULL;
	struct veer_diag diag = {""};
	assert_int_equal(plan_disk_open(f->dir, NULL, &second, &diag), VEER_EBUSY);
	assert_non_null(strstr(diag.text, f->dir));
}

/* A base that needs more than the files of this process may hold. */
static void write_too_big_a_base(struct fixture *f, int64_t revision)
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
	struct feed_change big = change("big", value);
	plan_disk_base_begin(f->disk);
	plan_disk_base_put(f->disk, &big);
	plan_disk_base_commit(f->disk, at(revision));
	settle(f);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	free(value);
}

static void after_a_base_that_could_not_be_written_the_old_journal_does_not_grow(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	write_base(f->disk, 100);
	journal(f->disk, 101, "c", "{}");
	settle(f);
	write_too_big_a_base(f, 500);
	assert_true(plan_disk_needs_base(f->disk));
	journal(f->disk, 501, "d", "{}"); /* on top of 500, which is not on disk */
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 101);
	/* And the next base makes it good. */
	write_base(f->disk, 502);
	journal(f->disk, 503, "e", "{}");
	settle(f);
	assert_false(plan_disk_needs_base(f->disk));
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 503);
}

static void after_a_commit_that_was_lost_none_follows_it(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	size_t size = 1 << 20;
	char *value = malloc(size + 1);
	assert_non_null(value);
	memset(value, 'x', size);
	value[size] = '\0';
	write_base(f->disk, 100);
	journal(f->disk, 101, "c", "{}");
	struct feed_change big = change("big", value);
	for (int i = 0; i < 130; i++) /* more than a commit may have */
		plan_disk_journal_add(f->disk, &big);
	plan_disk_journal_commit(f->disk, at(102));
	free(value);
	journal(f->disk, 103, "d", "{}");
	settle(f);
	assert_true(plan_disk_needs_base(f->disk));
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 101);
	assert_null(strstr(l.text, "d="));
}

static void what_a_reader_would_refuse_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	char key[5001];
	memset(key, 'k', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	struct feed_change a = change("a", "{}"), long_key = change(key, "{}");
	plan_disk_base_begin(f->disk);
	plan_disk_base_put(f->disk, &a);
	plan_disk_base_put(f->disk, &long_key);
	plan_disk_base_commit(f->disk, at(1));
	plan_disk_journal_add(f->disk, &long_key);
	plan_disk_journal_commit(f->disk, at(2));
	journal(f->disk, 3, "b", "{}");
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_int_equal(l.revision, 3);
	assert_string_equal(l.text, "a={} b={} ");
}

static void copy_golden(struct fixture *f, const char *from, const char *name)
{
	char path[128], golden[128], *bytes = NULL;
	size_t len = 0;
	(void)snprintf(golden, sizeof golden, "tests/data/formats/%s", from);
	path_of(f, name, path, sizeof path);
	assert_int_equal(file_read(golden, 1 << 20, &bytes, &len, NULL), VEER_OK);
	assert_int_equal(file_write_atomic(path, bytes, len, 0600, NULL), VEER_OK);
	free(bytes);
}

static void assert_is_golden(struct fixture *f, const char *name)
{
	char path[128], golden[128], *bytes = NULL, *wanted = NULL;
	size_t len = 0, wanted_len = 0;
	(void)snprintf(golden, sizeof golden, "tests/data/formats/%s", name);
	path_of(f, name, path, sizeof path);
	assert_int_equal(file_read(golden, 1 << 20, &wanted, &wanted_len, NULL), VEER_OK);
	assert_int_equal(file_read(path, 1 << 20, &bytes, &len, NULL), VEER_OK);
	assert_int_equal(len, wanted_len);
	assert_memory_equal(bytes, wanted, len);
	free(bytes);
	free(wanted);
}

static struct feed_change of_kind(enum model_kind kind, const char *key, const void *value, size_t len)
{
	return (struct feed_change){.kind = kind,
				    .key = key,
				    .key_len = strlen(key),
				    .is_del = value == NULL,
				    .value = value,
				    .value_len = len};
}

#define TEXT(text_) (text_), sizeof(text_) - 1

static void assert_golden_content(const struct loaded *l)
{
	assert_int_equal(l->revision, 7);
	assert_int_equal(l->commits, 3);
	assert_int_equal(l->objects, 8);
	assert_string_equal(l->store_id, STORE);
	assert_non_null(strstr(l->text, "web/fra={\"endpoint\":\"web/fra\",\"action\":\"up\"} "));
	assert_non_null(strstr(l->text, "fra={\"name\":\"fra\",\"region\":\"eu\"} "));
	assert_non_null(strstr(l->text, "www.gslb.example./A=pwww "));
	assert_non_null(strstr(l->text, "web/fra={\"endpoint\":\"web/fra\",\"state\":\"down\"} "));
	assert_non_null(strstr(l->text, "-gslb.example./1/www.gslb.example./A="));
}

static void the_golden_files_are_read(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	copy_golden(f, "plan.base", "plan.base");
	copy_golden(f, "plan.journal", "plan.journal");
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_golden_content(&l);
	assert_string_equal(l.at.lineage, LINEAGE);
	assert_true(l.at.has_digest && digest_pair_equal(&l.at.digest, &at(7)->digest));
	assert_false(plan_disk_needs_base(f->disk));
}

static void files_of_the_first_version_are_read_and_not_added_to(void **state)
{
	struct fixture *f = *state;
	struct loaded l;
	copy_golden(f, "plan-1.base", "plan.base");
	copy_golden(f, "plan-1.journal", "plan.journal");
	assert_int_equal(reload(f, &l), VEER_OK);
	assert_golden_content(&l);
	assert_string_equal(l.at.lineage, STORE); /* its history has no other name */
	assert_false(l.at.has_digest);
	assert_true(plan_disk_needs_base(f->disk));
}

static void the_golden_files_are_written_byte_for_byte(void **state)
{
	static const char ns[] = "w\2ns\4gslb\7example\0\0\1\0\1\0\0\1\54\0\4\300\0\2\65";
	struct fixture *f = *state;
	const struct feed_change base[] = {
		of_kind(MODEL_KIND_SITE, "fra", TEXT("{\"name\":\"fra\",\"region\":\"eu\"}")),
		of_kind(MODEL_KIND_ZONE, "gslb.example.", TEXT("{\"name\":\"gslb.example.\",\"version\":1}")),
		of_kind(MODEL_KIND_RRSET, "gslb.example./1/ns.gslb.example./A", TEXT(ns)),
		of_kind(MODEL_KIND_RRSET, "gslb.example./1/www.gslb.example./A", TEXT("pwww")),
	};
	const struct feed_change fourth[] = {
		of_kind(MODEL_KIND_SITE, "fra", TEXT("{\"name\":\"fra\",\"region\":\"eu\",\"state\":\"out\"}")),
		of_kind(MODEL_KIND_VERDICT, "web/fra", TEXT("{\"endpoint\":\"web/fra\",\"state\":\"down\"}")),
		of_kind(MODEL_KIND_OVERRIDE, "web/fra", TEXT("{\"endpoint\":\"web/fra\",\"action\":\"up\"}")),
	};
	const struct feed_change seventh = of_kind(MODEL_KIND_RRSET, "gslb.example./1/www.gslb.example./A", NULL, 0);
	plan_disk_base_begin(f->disk);
	for (size_t i = 0; i < sizeof base / sizeof base[0]; i++)
		plan_disk_base_put(f->disk, &base[i]);
	plan_disk_base_commit(f->disk, at(3));
	plan_disk_journal_add(f->disk, &fourth[0]);
	plan_disk_journal_add(f->disk, &fourth[1]);
	plan_disk_journal_add(f->disk, &fourth[2]);
	plan_disk_journal_commit(f->disk, at(4));
	plan_disk_journal_add(f->disk, &seventh);
	plan_disk_journal_commit(f->disk, at(7));
	settle(f);
	assert_is_golden(f, "plan.base");
	assert_is_golden(f, "plan.journal");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_checksum_is_that_of_the_standard),
		T(nothing_kept_is_said_so),
		T(a_base_and_its_journal_come_back),
		T(the_newest_revision_served_is_remembered),
		T(an_aborted_base_leaves_the_old_one),
		T(a_new_base_ends_the_old_journal),
		T(a_base_cut_anywhere_is_refused_whole),
		T(a_base_with_any_bit_flipped_is_refused_whole),
		T(a_journal_cut_anywhere_yields_its_whole_commits),
		T(after_a_torn_end_the_journal_goes_on_cleanly),
		T(another_bases_journal_is_ignored),
		T(a_long_journal_is_compacted_to_the_same_state),
		T(of_a_damaged_base_the_one_before_is_there_with_all_that_followed),
		T(of_a_damaged_full_state_what_was_served_before_it_is_there),
		T(a_process_that_ends_while_it_puts_a_base_in_place_loses_nothing),
		T(two_name_servers_cannot_share_a_directory),
		T(after_a_base_that_could_not_be_written_the_old_journal_does_not_grow),
		T(after_a_commit_that_was_lost_none_follows_it),
		T(what_a_reader_would_refuse_is_left_out),
		T(the_golden_files_are_read),
		T(files_of_the_first_version_are_read_and_not_added_to),
		T(the_golden_files_are_written_byte_for_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
