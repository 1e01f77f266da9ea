/* SPDX-License-Identifier: Apache-2.0 */
/* The name server's copy: lines of a feed in, plans and files out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "dnsd/replica/replica.h"

#define STORE "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b"
#define OTHER "ffffffffffffffffffffffffffffffff"
#define HELLO(store_, revision_)                                                                                       \
	"{\"type\":\"hello\",\"format\":1,\"store_id\":\"" store_ "\",\"revision\":" revision_ "}\n"
#define FIRST "11111111111111111111111111111111"
#define SECOND "22222222222222222222222222222222"
#define THIRD "33333333333333333333333333333333"
#define FOURTH "44444444444444444444444444444444"
#define BEGINS(lineage_, from_, cause_) "[\"" lineage_ "\",\"" STORE "\"," from_ ",\"" cause_ "\"]"
/* A hello with an ancestry, whose last lineage is `lineage_`. */
#define OF_STORE(lineage_, revision_, ancestry_)                                                                       \
	"{\"type\":\"hello\",\"format\":1,\"store_id\":\"" STORE "\",\"revision\":" revision_                          \
	",\"lineage\":\"" lineage_ "\",\"ancestry\":[" ancestry_ "]}\n"
#define OF(lineage_, revision_) OF_STORE(lineage_, revision_, BEGINS(lineage_, "0", "created"))
#define RESET "{\"type\":\"reset\"}\n"
#define COMMIT(revision_) "{\"type\":\"commit\",\"revision\":" revision_ "}\n"
#define ZONE(name_)                                                                                                    \
	"{\"type\":\"put\",\"kind\":\"zone\",\"key\":\"" name_ "\",\"revision\":1,\"object\":{\"name\":\"" name_       \
	"\",\"version\":1}}\n"
#define NO_ZONE(name_) "{\"type\":\"del\",\"kind\":\"zone\",\"key\":\"" name_ "\",\"revision\":1}\n"

struct fixture {
	char dir[64];
	struct plan_disk *disk;
	struct replica *replica;
	struct feed_reader *reader;
	struct veer_diag why;
	int published;
};

/* Of how many allocations the last one fails; 0: none does. */
static _Thread_local int fails_in;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool can_fail = false; /* the sanitizer has a malloc of its own */
#else
static const bool can_fail = true;
static bool is_failing(void)
{
	return fails_in > 0 && --fails_in == 0;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);

void *malloc(size_t size)
{
	return is_failing() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return is_failing() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *ptr, size_t size)
{
	return is_failing() ? NULL : __libc_realloc(ptr, size);
}
#endif

static void publish(void *ctx, const struct plan *plan, struct retire_list *retired)
{
	struct fixture *f = ctx;
	assert_non_null(plan);
	f->published++;
	retire_release(retired);
}

static void open_all(struct fixture *f)
{
	struct veer_diag diag = {""};
	if (plan_disk_open(f->dir, NULL, &f->disk, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	const struct replica_config config = {.disk = f->disk, .publish = publish, .ctx = f};
	f->replica = replica_new(&config);
	assert_non_null(f->replica);
	f->published = 0;
}

static void close_all(struct fixture *f)
{
	feed_reader_free(&f->reader);
	replica_free(&f->replica);
	plan_disk_close(&f->disk);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-replica-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	open_all(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"plan.base", "plan.base.new", "plan.journal",  "highest",
					    "lock",      "lineages",      "plan.base.old", "plan.journal.old"};
	struct fixture *f = *state;
	close_all(f);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* The next bytes of the stream. */
static enum veer_err hear(struct fixture *f, const char *text)
{
	if (f->reader == NULL)
		f->reader = feed_reader_new(replica_sink(), f->replica);
	assert_non_null(f->reader);
	return feed_reader_push(f->reader, text, strlen(text), &f->why);
}

static void end_stream(struct fixture *f)
{
	feed_reader_free(&f->reader);
	replica_stream_ended(f->replica);
}

static void hear_all(struct fixture *f, const char *text)
{
	if (hear(f, text) != VEER_OK)
		fail_msg("%s", f->why.text);
	end_stream(f);
}

static void assert_serving(const struct fixture *f, const char *store, int64_t revision, size_t zones)
{
	struct history_position at;
	size_t count;
	replica_serving(f->replica, &at, &count);
	assert_string_equal(at.store_id, store);
	assert_int_equal(at.revision, revision);
	assert_int_equal(count, zones);
}

static void restart(struct fixture *f)
{
	struct veer_diag diag = {""};
	close_all(f);
	open_all(f);
	if (replica_load(f->replica, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
}

static void a_full_state_and_then_commits_are_published_and_kept(void **state)
{
	struct fixture *f = *state;
	assert_serving(f, "", 0, 0);
	hear_all(f, HELLO(STORE, "5") RESET ZONE("a.") ZONE("b.") COMMIT("5") ZONE("c.") COMMIT("6") NO_ZONE("a.")
			    NO_ZONE("b.") COMMIT("9"));
	assert_int_equal(f->published, 3);
	assert_serving(f, STORE, 9, 1);
	restart(f);
	assert_serving(f, STORE, 9, 1);
	assert_int_equal(f->published, 1);
}

#define DOUBT(keys_) "{\"type\":\"doubt\",\"endpoints\":[" keys_ "]}\n"
#define POOL                                                                                                           \
	"{\"type\":\"put\",\"kind\":\"pool\",\"key\":\"p\",\"revision\":1,\"object\":{\"name\":\"p\",\"checks\":[],"   \
	"\"endpoints\":[{\"name\":\"a\",\"address\":\"192.0.2.1\",\"site\":\"s\"}]}}\n"

static void doubt_is_a_plan_of_the_same_revision_that_never_reaches_the_disk(void **state)
{
	struct fixture *f = *state;
	hear_all(f, HELLO(STORE, "5") RESET POOL COMMIT("5") DOUBT("\"p/a\"") DOUBT("\"p/a\""));
	assert_int_equal(f->published, 2); /* said twice is said once */
	assert_int_equal(replica_doubts(f->replica), 1);
	assert_serving(f, STORE, 5, 0);
	/* The stream is lost: it stays. A change still has its place in the order, and so has what is older. */
	hear_all(f, HELLO(STORE, "6") ZONE("a.") COMMIT("6"));
	assert_int_equal(replica_doubts(f->replica), 1);
	assert_int_equal(hear(f, HELLO(STORE, "5")), VEER_ESTALE);
	end_stream(f);
	restart(f);
	assert_serving(f, STORE, 6, 1);
	assert_int_equal(replica_doubts(f->replica), 0); /* who starts alone doubts nothing */
}

static void doubt_before_and_during_a_full_state_waits_for_it(void **state)
{
	struct fixture *f = *state;
	hear_all(f, HELLO(STORE, "5") DOUBT("\"p/a\"") RESET POOL DOUBT("\"p/a\",\"p/b\"") COMMIT("5"));
	assert_int_equal(f->published, 1);
	assert_int_equal(replica_doubts(f->replica), 2);
	hear_all(f, HELLO(STORE, "5") DOUBT(""));
	assert_int_equal(f->published, 2);
	assert_int_equal(replica_doubts(f->replica), 0);
}

static void doubt_in_the_middle_of_a_commit_does_not_apply_its_half(void **state)
{
	struct fixture *f = *state;
	hear_all(f, HELLO(STORE, "5") RESET POOL COMMIT("5"));
	if (hear(f, HELLO(STORE, "6") ZONE("a.") DOUBT("\"p/a\"")) != VEER_OK)
		fail_msg("%s", f->why.text);
	assert_serving(f, STORE, 5, 0);
	end_stream(f);
	assert_serving(f, STORE, 5, 0);
}

static void a_stream_that_ends_before_its_commit_changes_nothing(void **state)
{
	struct fixture *f = *state;
	hear_all(f, HELLO(STORE, "5") RESET ZONE("a.") COMMIT("5"));
	hear_all(f, HELLO(STORE, "6") ZONE("b.") NO_ZONE("a."));
	assert_serving(f, STORE, 5, 1);
	hear_all(f, HELLO(STORE, "6") RESET ZONE("b.") ZONE("c."));
	assert_serving(f, STORE, 5, 1);
	hear_all(f, HELLO(STORE, "6") COMMIT("6")); /* nothing of what was cut comes back */
	assert_serving(f, STORE, 6, 1);
	assert_int_equal(f->published, 2);
	restart(f);
	assert_serving(f, STORE, 6, 1);
}

/* The half of a commit that memory was there for must never be answered from, whatever else makes a new plan. */
static void a_commit_that_memory_is_out_for_is_never_published_in_part(void **state)
{
	struct fixture *f = *state;
	int refused = 0;
	if (!can_fail)
		skip();
	for (int n = 1; n < 400; n++) {
		struct replica_wish wish;
		replica_adopt(f->replica, FIRST);
		hear_all(f, OF(FIRST, "5") RESET POOL ZONE("a.") COMMIT("5"));
		if (hear(f, OF(FIRST, "6") ZONE("b.") ZONE("c.") ZONE("d.")) != VEER_OK)
			fail_msg("%s", f->why.text);
		f->published = 0;
		fails_in = n;
		enum veer_err err = hear(f, COMMIT("6"));
		bool has_failed = fails_in == 0;
		fails_in = 0;
		end_stream(f);
		if (err == VEER_OK) {
			if (!has_failed) {
				assert_serving(f, STORE, 6, 4);
				break;
			}
			replica_adopt(f->replica, SECOND);
			hear_all(f, OF(SECOND, "1") RESET COMMIT("1")); /* back to before */
			continue;
		}
		assert_int_equal(f->published, 0);
		hear_all(f, OF(FIRST, "5") DOUBT("\"p/a\""));
		assert_int_equal(replica_set_geo(f->replica, NULL), VEER_OK);
		replica_wish(f->replica, false, &wish);
		if (f->published > 0 || wish.since >= 0) { /* the line was not read at all */
			assert_serving(f, STORE, 5, 1);
		} else { /* the stream begins anew, and brings the whole of it */
			refused++;
			assert_int_equal(hear(f, OF(FIRST, "6") ZONE("e.") COMMIT("6")), VEER_EINVAL);
			end_stream(f);
			assert_int_equal(hear(f, OF(FIRST, "6") COMMIT("6")), VEER_EINVAL);
			end_stream(f);
		}
		f->published = 0;
		hear_all(f, OF(FIRST, "6") RESET POOL ZONE("a.") ZONE("b.") COMMIT("6"));
		assert_serving(f, STORE, 6, 2);
		replica_wish(f->replica, false, &wish);
		assert_string_equal(wish.lineage, FIRST);
		assert_int_equal(wish.since, 6);
		hear_all(f, OF(FIRST, "6") DOUBT(""));
		assert_int_equal(f->published, 2);
		replica_adopt(f->replica, SECOND);
		hear_all(f, OF(SECOND, "1") RESET COMMIT("1"));
	}
	assert_true(refused > 3);
}

static void an_older_revision_of_the_same_lineage_is_refused(void **state)
{
	struct fixture *f = *state;
	hear_all(f, HELLO(STORE, "5") RESET ZONE("a.") COMMIT("5"));
	assert_int_equal(hear(f, HELLO(STORE, "4")), VEER_ESTALE);
	end_stream(f);
	hear_all(f, HELLO(STORE, "5") RESET COMMIT("4")); /* older than its hello: there is more to come */
	assert_int_equal(hear(f, HELLO(STORE, "5") ZONE("b.") COMMIT("5")), VEER_ESTALE);
	end_stream(f);
	assert_serving(f, STORE, 5, 1);
	restart(f);
	assert_int_equal(hear(f, HELLO(STORE, "4")), VEER_ESTALE); /* across a restart too */
	end_stream(f);
	assert_serving(f, STORE, 5, 1);
}

static void the_same_revision_again_in_full_is_taken(void **state)
{
	struct fixture *f = *state;
	hear_all(f, HELLO(STORE, "5") RESET ZONE("a.") COMMIT("5"));
	hear_all(f, HELLO(STORE, "5") RESET ZONE("a.") COMMIT("5"));
	assert_serving(f, STORE, 5, 1);
}

static void another_store_is_quarantined_until_it_is_adopted(void **state)
{
	struct fixture *f = *state;
	hear_all(f, HELLO(STORE, "500") RESET ZONE("a.") COMMIT("500"));
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_FOLLOWS);
	assert_int_equal(hear(f, HELLO(OTHER, "3")), VEER_ESTALE);
	end_stream(f);
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_UNKNOWN);
	assert_string_equal(replica_quarantine(f->replica)->lineage, OTHER);
	assert_serving(f, STORE, 500, 1);
	replica_adopt(f->replica, OTHER);
	assert_int_equal(hear(f, HELLO(OTHER, "3") ZONE("b.") COMMIT("3")),
			 VEER_EINVAL); /* but never on top of another's state */
	end_stream(f);
	assert_serving(f, STORE, 500, 1);
	hear_all(f, HELLO(OTHER, "3") RESET ZONE("b.") ZONE("c.") COMMIT("3"));
	assert_serving(f, OTHER, 3, 2);
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_FOLLOWS);
	restart(f);
	assert_serving(f, OTHER, 3, 2);
	/* the store of before was left for this one */
	assert_int_equal(hear(f, HELLO(STORE, "600")), VEER_ESTALE);
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_ABANDONED);
}

/* The store was put back from a copy of revision 4, and its lineages part there. */
#define PUT_BACK(revision_) OF_STORE(SECOND, revision_, BEGINS(FIRST, "0", "created") "," BEGINS(SECOND, "4", "start"))

static void a_store_that_was_put_back_is_a_new_order(void **state)
{
	struct fixture *f = *state;
	struct replica_wish wish;
	hear_all(f, OF(FIRST, "9") RESET ZONE("a.") COMMIT("9"));
	/* it cannot go on from what it never had, whatever the numbers say */
	assert_int_equal(hear(f, PUT_BACK("12") ZONE("c.") COMMIT("12")), VEER_EINVAL);
	end_stream(f);
	hear_all(f, PUT_BACK("5") RESET ZONE("a.") ZONE("b.") COMMIT("5"));
	assert_serving(f, STORE, 5, 2);
	replica_wish(f->replica, false, &wish);
	assert_string_equal(wish.lineage, SECOND);
	assert_int_equal(wish.since, 5);
	restart(f);
	assert_serving(f, STORE, 5, 2);
	/* the other branch lives: one of the two must not be followed */
	assert_int_equal(hear(f, OF(FIRST, "10")), VEER_OK); /* it may be an ancestor that was read late … */
	end_stream(f);
	hear_all(f, OF(FIRST, "10") RESET ZONE("a.") ZONE("b.") COMMIT("10"));
	assert_int_equal(hear(f, PUT_BACK("6")), VEER_ESTALE); /* … but then nobody can be believed */
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_ABANDONED);
}

static void a_zone_is_not_lost_without_a_word(void **state)
{
	struct fixture *f = *state;
	hear_all(f, OF(FIRST, "9") RESET ZONE("a.") ZONE("b.") COMMIT("9"));
	assert_int_equal(hear(f, PUT_BACK("5") RESET ZONE("a.") COMMIT("5")), VEER_ESTALE);
	end_stream(f);
	assert_serving(f, STORE, 9, 2);
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_ZONE_LOST);
	assert_string_equal(replica_quarantine(f->replica)->zone, "b.");
	assert_int_equal(hear(f, PUT_BACK("5")), VEER_ESTALE); /* the same again needs no full state */
	end_stream(f);
	assert_int_equal(hear(f, PUT_BACK("6") RESET ZONE("c.") COMMIT("6")), VEER_ESTALE);
	end_stream(f);
	restart(f);
	assert_serving(f, STORE, 9, 2);
	/* it is back: good */
	hear_all(f, PUT_BACK("7") RESET ZONE("a.") ZONE("b.") COMMIT("7"));
	assert_serving(f, STORE, 7, 2);
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_FOLLOWS);
	/* and what is a part of the history may well take it away */
	hear_all(f, PUT_BACK("8") RESET ZONE("a.") COMMIT("8"));
	assert_serving(f, STORE, 8, 1);
}

/* The plan in use cannot be read, and the one before is of the store that was left for the present one. */
static void the_plan_before_does_not_bring_back_what_was_left(void **state)
{
	struct fixture *f = *state;
	char path[128];
	hear_all(f, OF(FIRST, "9") RESET ZONE("a.") ZONE("b.") COMMIT("9"));
	assert_int_equal(hear(f, OF(THIRD, "3")), VEER_ESTALE);
	end_stream(f);
	replica_adopt(f->replica, THIRD);
	hear_all(f, OF(THIRD, "3") RESET ZONE("a.") COMMIT("3"));
	assert_serving(f, STORE, 3, 1);
	close_all(f);
	(void)snprintf(path, sizeof path, "%s/plan.base", f->dir);
	assert_int_equal(truncate(path, 20), 0);
	open_all(f);
	assert_int_equal(replica_load(f->replica, &f->why), VEER_OK);
	assert_serving(f, STORE, 9, 2);
	/* what was served last is known all the same: no older one is taken, and a newer one is no surprise */
	assert_int_equal(hear(f, OF(THIRD, "2")), VEER_ESTALE);
	end_stream(f);
	hear_all(f, OF(THIRD, "4") RESET ZONE("a.") COMMIT("4"));
	assert_serving(f, STORE, 4, 1);
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_FOLLOWS);
}

/* The note of what was served last, as it is on disk now. */
struct note {
	char text[256];
	size_t len;
};

static void keep_note(struct fixture *f, struct note *note)
{
	char path[128];
	close_all(f);
	(void)snprintf(path, sizeof path, "%s/highest", f->dir);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	note->len = fread(note->text, 1, sizeof note->text, file);
	assert_int_equal(fclose(file), 0);
	open_all(f);
	assert_int_equal(replica_load(f->replica, &f->why), VEER_OK);
}

/* Start again after a crash that has cost the newest note and the plan, but not the list of lineages. */
static void crash(struct fixture *f, const struct note *note)
{
	char path[128];
	close_all(f);
	(void)snprintf(path, sizeof path, "%s/highest", f->dir);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(note->text, 1, note->len, file), note->len);
	assert_int_equal(fclose(file), 0);
	(void)snprintf(path, sizeof path, "%s/plan.base", f->dir);
	assert_int_equal(truncate(path, 20), 0);
	open_all(f);
	assert_int_equal(replica_load(f->replica, &f->why), VEER_OK);
}

/* The store of PUT_BACK, put back once more at 5 without a sign of it but the new lineage. */
#define PUT_BACK_AGAIN(cause_)                                                                                         \
	OF_STORE(THIRD, "7",                                                                                           \
		 BEGINS(FIRST, "0", "created") "," BEGINS(SECOND, "4", "start") "," BEGINS(THIRD, "5", cause_))

static void a_lineage_that_was_followed_is_followed_again(void **state)
{
	struct fixture *f = *state;
	struct note note;
	hear_all(f, OF(FIRST, "9") RESET ZONE("a.") ZONE("b.") COMMIT("9"));
	keep_note(f, &note);
	replica_adopt(f->replica, SECOND);
	hear_all(f, PUT_BACK("5") RESET ZONE("a.") COMMIT("5"));
	assert_serving(f, STORE, 5, 1);
	crash(f, &note);
	assert_serving(f, STORE, 9, 2);
	hear_all(f, PUT_BACK("6") RESET ZONE("a.") COMMIT("6"));
	assert_serving(f, STORE, 6, 1);
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_FOLLOWS);
}

/* Nobody has followed the store since it went back once more, whatever it says about the cause. */
static void a_followed_store_that_goes_back_again_is_not_trusted(void **state)
{
	struct fixture *f = *state;
	struct note note;
	hear_all(f, OF(FIRST, "9") RESET ZONE("a.") ZONE("b.") COMMIT("9"));
	keep_note(f, &note);
	hear_all(f, PUT_BACK("8") RESET ZONE("a.") ZONE("b.") COMMIT("8"));
	assert_serving(f, STORE, 8, 2);
	crash(f, &note);
	assert_serving(f, STORE, 9, 2);
	assert_int_equal(hear(f, PUT_BACK_AGAIN("rewind") RESET ZONE("a.") COMMIT("7")), VEER_ESTALE);
	end_stream(f);
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_ZONE_LOST);
	assert_int_equal(hear(f, PUT_BACK_AGAIN("start") RESET ZONE("a.") COMMIT("7")), VEER_ESTALE);
	end_stream(f);
	assert_int_equal(replica_quarantine(f->replica)->why, REPLICA_ZONE_LOST);
}

static void a_restore_confirms_what_it_takes_away(void **state)
{
	struct fixture *f = *state;
	hear_all(f, OF(FIRST, "9") RESET ZONE("a.") ZONE("b.") COMMIT("9"));
	hear_all(f, OF_STORE(THIRD, "5",
			     BEGINS(FIRST, "0", "created") "," BEGINS(SECOND, "4", "restore") "," BEGINS(
				     THIRD, "4", "start")) RESET ZONE("a.") COMMIT("5"));
	assert_serving(f, STORE, 5, 1);
	/* and what was left for it comes back by another one only */
	assert_int_equal(
		hear(f, OF_STORE(FOURTH, "10", BEGINS(FIRST, "0", "created") "," BEGINS(FOURTH, "9", "start"))),
		VEER_OK);
	end_stream(f);
}

static void a_rewind_ends_what_was_before(void **state)
{
	struct fixture *f = *state;
	hear_all(f, OF(FIRST, "9") RESET ZONE("a.") COMMIT("9"));
	assert_int_equal(hear(f, OF_STORE(SECOND, "12", BEGINS(FIRST, "0", "created") "," BEGINS(SECOND, "9", "rewind"))
					 ZONE("b.") COMMIT("12")),
			 VEER_EINVAL);
	end_stream(f);
	assert_serving(f, STORE, 9, 1);
}

static void a_full_state_is_as_new_as_its_hello(void **state)
{
	struct fixture *f = *state;
	if (hear(f, HELLO(STORE, "9") RESET ZONE("a.") ZONE("b.") COMMIT("5") NO_ZONE("b.") COMMIT("7")) != VEER_OK)
		fail_msg("%s", f->why.text);
	assert_int_equal(f->published, 0);
	hear_all(f, ZONE("c.") COMMIT("9"));
	assert_int_equal(f->published, 1);
	assert_serving(f, STORE, 9, 2);
	assert_true(replica_needs_base(f->replica)); /* the disk could not take it in pieces */
	/* the revision of the hello may be one that changed nothing that is fed */
	hear_all(f, HELLO(STORE, "12") RESET ZONE("a.") COMMIT("9") "{\"type\":\"heartbeat\",\"revision\":12}\n");
	assert_serving(f, STORE, 12, 1);
}

static void an_object_that_is_no_use_costs_only_itself(void **state)
{
	struct fixture *f = *state;
	hear_all(f, HELLO(STORE, "5") RESET ZONE(
			    "a.") "{\"type\":\"put\",\"kind\":\"pool\",\"key\":\"p\",\"revision\":1,\"object\":{"
				  "\"name\":7,\"checks\":{}}}\n"
				  "{\"type\":\"put\",\"kind\":\"verdict\",\"key\":\"p/"
				  "e\",\"revision\":1,\"object\":{\"endpoint\":[],\"state\":9}}\n"
				  "{\"type\":\"put\",\"kind\":\"last\",\"key\":\"p\",\"revision\":1,\"object\":{"
				  "\"pool\":null}}\n"
				  "{\"type\":\"put\",\"kind\":\"policy\",\"key\":\"w\",\"revision\":1,\"object\":{"
				  "\"tree\":{\"failover\":\"x\"}}}\n"
				  "{\"type\":\"put\",\"kind\":\"site\",\"key\":\"s\",\"revision\":1,\"object\":{}}\n"
				  "{\"type\":\"put\",\"kind\":\"rrset\",\"key\":\"nonsense\",\"revision\":1,\"object\":"
				  "{\"wire\":\"AAAA\"}}\n"
				  "{\"type\":\"put\",\"kind\":\"zone\",\"key\":\"..\",\"revision\":1,\"object\":{"
				  "\"name\":\"..\",\"version\":-1}}\n" COMMIT("5"));
	assert_serving(f, STORE, 5, 1);
	hear_all(f, HELLO(STORE, "6") ZONE("b.") "{\"type\":\"del\",\"kind\":\"zone\",\"key\":\"never-was.\","
						 "\"revision\":6}\n" COMMIT("6"));
	assert_serving(f, STORE, 6, 2);
	restart(f);
	assert_serving(f, STORE, 6, 2);
}

static void changes_before_any_full_state_are_refused(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(hear(f, HELLO(STORE, "5") ZONE("a.")), VEER_EINVAL);
	end_stream(f);
	assert_int_equal(hear(f, HELLO(STORE, "5") RESET NO_ZONE("a.")), VEER_EINVAL);
	end_stream(f);
	assert_int_equal(hear(f, RESET), VEER_EINVAL);
	end_stream(f);
	assert_serving(f, "", 0, 0);
	assert_int_equal(f->published, 0);
}

static void a_plan_that_cannot_be_read_leaves_the_replica_as_new(void **state)
{
	struct fixture *f = *state;
	struct veer_diag diag = {""};
	char path[128];
	hear_all(f, HELLO(STORE, "5") RESET ZONE("a.") COMMIT("5"));
	close_all(f);
	(void)snprintf(path, sizeof path, "%s/plan.base", f->dir);
	assert_int_equal(truncate(path, 100), 0);
	open_all(f);
	assert_int_equal(replica_load(f->replica, &diag), VEER_ECORRUPT);
	assert_serving(f, "", 0, 0);
	assert_int_equal(f->published, 0);
	hear_all(f, HELLO(STORE, "5") RESET ZONE("a.") ZONE("b.") COMMIT("5"));
	assert_serving(f, STORE, 5, 2);
	restart(f);
	assert_serving(f, STORE, 5, 2);
}

static void nothing_kept_is_no_error(void **state)
{
	struct fixture *f = *state;
	struct veer_diag diag = {""};
	assert_int_equal(replica_load(f->replica, &diag), VEER_ENOTFOUND);
	assert_serving(f, "", 0, 0);
}

/* More than is kept parsed until the commit: the rest is parsed again, and all of it is served and saved. */
static void a_large_commit_is_applied_whole(void **state)
{
	enum { ZONES = 6000, PAD = 1000 };
	struct fixture *f = *state;
	struct history_position at;
	struct veer_diag diag = {""};
	size_t zones = 0;
	char line[PAD + 256], pad[PAD + 1];
	memset(pad, 'x', PAD);
	pad[PAD] = '\0';
	assert_int_equal(hear(f, OF(FIRST, "1") RESET ZONE("a.example.") COMMIT("1")), VEER_OK);
	for (int i = 0; i < ZONES; i++) {
		(void)snprintf(line, sizeof line,
			       "{\"type\":\"put\",\"kind\":\"zone\",\"key\":\"z%d.example.\",\"revision\":2,"
			       "\"object\":{\"version\":1,\"pad\":\"%s\"}}\n",
			       i, pad);
		assert_int_equal(hear(f, line), VEER_OK);
	}
	assert_int_equal(hear(f, COMMIT("2")), VEER_OK);
	replica_serving(f->replica, &at, &zones);
	assert_int_equal(zones, ZONES + 1);
	/* what is given up before its commit is given up whole */
	assert_int_equal(hear(f, ZONE("b.example.")), VEER_OK);
	replica_stream_ended(f->replica);
	close_all(f);
	open_all(f);
	assert_int_equal(replica_load(f->replica, &diag), VEER_OK);
	replica_serving(f->replica, &at, &zones);
	assert_int_equal(zones, ZONES + 1);
	assert_int_equal(at.revision, 2);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_full_state_and_then_commits_are_published_and_kept),
		T(a_large_commit_is_applied_whole),
		T(doubt_is_a_plan_of_the_same_revision_that_never_reaches_the_disk),
		T(doubt_before_and_during_a_full_state_waits_for_it),
		T(doubt_in_the_middle_of_a_commit_does_not_apply_its_half),
		T(a_stream_that_ends_before_its_commit_changes_nothing),
		T(a_commit_that_memory_is_out_for_is_never_published_in_part),
		T(an_older_revision_of_the_same_lineage_is_refused),
		T(the_same_revision_again_in_full_is_taken),
		T(another_store_is_quarantined_until_it_is_adopted),
		T(a_store_that_was_put_back_is_a_new_order),
		T(a_zone_is_not_lost_without_a_word),
		T(the_plan_before_does_not_bring_back_what_was_left),
		T(a_lineage_that_was_followed_is_followed_again),
		T(a_followed_store_that_goes_back_again_is_not_trusted),
		T(a_restore_confirms_what_it_takes_away),
		T(a_rewind_ends_what_was_before),
		T(a_full_state_is_as_new_as_its_hello),
		T(an_object_that_is_no_use_costs_only_itself),
		T(changes_before_any_full_state_are_refused),
		T(a_plan_that_cannot_be_read_leaves_the_replica_as_new),
		T(nothing_kept_is_no_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
