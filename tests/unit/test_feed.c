/* SPDX-License-Identifier: Apache-2.0 */
/* The feed's sending half, and the hub that fills it, over a real store; what is sent is read by the receiving half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "api/control/feed_impl.h"
#include "api/control/followers.h"
#include "api/control/hub.h"
#include "base/file.h"
#include "zones/plan/feed_reader.h"

enum { WAIT_MS = 10000, HEARD_MAX = 1 << 20 };

struct fixture {
	char dir[64];
	char feed_dir[96];
	struct store *store;
	struct logger *log;
	struct feed *feed;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char url[128];
	struct veer_diag diag = {""};
	assert_non_null(f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-feed-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->feed_dir, sizeof f->feed_dir, "%s/feed", f->dir);
	assert_int_equal(mkdir(f->feed_dir, 0700), 0);
	(void)snprintf(url, sizeof url, "sqlite:%s/veer.db", f->dir);
	if (store_open(url, &f->store, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct fixture *f = *state;
	feed_free(&f->feed);
	store_close(&f->store);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(f->feed_dir);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static int64_t put(struct fixture *f, enum model_kind kind, const char *key, const char *value)
{
	int64_t revision = 0;
	const struct store_op op = {value != NULL ? STORE_PUT : STORE_DEL, kind,     key, value,
				    value != NULL ? strlen(value) : 0,     STORE_ANY};
	assert_int_equal(store_commit(f->store, &op, 1, STORE_URGENT, &revision, NULL), VEER_OK);
	return revision;
}

static void tell(struct fixture *f, int64_t revision, const char *key, const char *value)
{
	const struct store_object object = {
		MODEL_KIND_SITE, key, revision, value, value != NULL ? strlen(value) : 0, NULL};
	feed_change(f->feed, &object);
	feed_commit(f->feed, revision);
}

/* What a name server hears: "hello reset +key -key commit:N " and so on. */
struct heard {
	char text[HEARD_MAX];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static enum veer_err note(struct heard *h, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(h->text + h->len, sizeof h->text - h->len, fmt, ap);
	va_end(ap);
	h->len += (size_t)n;
	assert_true(h->len < sizeof h->text);
	return VEER_OK;
}

static enum veer_err on_hello(void *ctx, const struct feed_hello *hello, struct veer_diag *diag)
{
	(void)hello;
	(void)diag;
	return note(ctx, "hello ");
}

static enum veer_err on_reset(void *ctx, struct veer_diag *diag)
{
	(void)diag;
	return note(ctx, "reset ");
}

static enum veer_err on_change(void *ctx, const struct feed_change *change, struct veer_diag *diag)
{
	(void)diag;
	return note(ctx, "%c%s ", change->is_del ? '-' : '+', change->key);
}

static enum veer_err on_commit(void *ctx, int64_t revision, struct veer_diag *diag)
{
	(void)diag;
	return note(ctx, "commit:%lld ", (long long)revision);
}

static enum veer_err on_doubt(void *ctx, const char *const *endpoints, size_t count, struct veer_diag *diag)
{
	(void)diag;
	for (size_t i = 0; i < count; i++) /* that nothing is in doubt is said to everybody, and noted here by nobody */
		(void)note(ctx, "?%s ", endpoints[i]);
	return VEER_OK;
}

static const struct feed_sink sink = {on_hello, on_reset, on_change, on_commit, on_doubt, NULL, NULL};

struct subscriber {
	struct api_stream_source *source;
	struct feed_reader *reader;
	struct heard *heard;
};

/* The present lineage of the store. */
static const char *lineage(struct fixture *f)
{
	static struct history_ancestry ancestry;
	store_ancestry(f->store, &ancestry);
	return ancestry.lineages[ancestry.count - 1].id;
}

static void subscribe(struct fixture *f, struct subscriber *s, const char *lineage_text, int64_t since)
{
	const struct feed_position position = {.lineage = lineage_text, .since = since};
	s->heard = calloc(1, sizeof *s->heard);
	assert_non_null(s->heard);
	s->reader = feed_reader_new(&sink, s->heard);
	s->source = feed_subscribe(f->feed, &position);
	assert_non_null(s->reader);
	assert_non_null(s->source);
}

static void unsubscribe(struct subscriber *s)
{
	s->source->close(s->source);
	feed_reader_free(&s->reader);
	free(s->heard);
}

/* One pull of at most `size` bytes. */
static ssize_t pull(struct subscriber *s, size_t size)
{
	char block[65536];
	struct veer_diag diag = {""};
	ssize_t len = s->source->pull(s->source, block, size);
	if (len > 0 && feed_reader_push(s->reader, block, (size_t)len, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	return len;
}

static void pause_ms(int ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	(void)nanosleep(&t, NULL);
}

/* Pull until what was heard ends with `end`. */
static void hear(struct subscriber *s, const char *end)
{
	for (int i = 0; i < WAIT_MS; i++) {
		size_t len = strlen(end);
		if (s->heard->len >= len && strcmp(s->heard->text + s->heard->len - len, end) == 0)
			return;
		ssize_t n = pull(s, 65536);
		if (n < 0)
			fail_msg("cut after: %s", s->heard->text);
		if (n == 0)
			pause_ms(1);
	}
	fail_msg("heard: %s", s->heard->text);
}

#define OBJECT "{\"name\":\"x\"}"

static void a_newcomer_gets_the_whole_state_and_then_each_commit(void **state)
{
	struct fixture *f = *state;
	struct subscriber s;
	(void)put(f, MODEL_KIND_SITE, "a", OBJECT);
	int64_t revision = put(f, MODEL_KIND_SITE, "b", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, revision, NULL);
	subscribe(f, &s, NULL, 0);
	hear(&s, "hello reset +a +b commit:2 ");
	tell(f, 3, "c", OBJECT);
	tell(f, 4, "a", NULL);
	hear(&s, "commit:2 +c commit:3 -a commit:4 ");
	unsubscribe(&s);
}

static void who_comes_back_gets_only_what_it_missed(void **state)
{
	struct fixture *f = *state;
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	for (int64_t i = 1; i <= 5; i++)
		tell(f, i, "a", OBJECT);
	static const struct {
		int64_t since;
		const char *heard;
	} cases[] = {{3, "hello +a commit:4 +a commit:5 "},
		     {5, "hello "},
		     {0, "hello +a commit:1 +a commit:2 +a commit:3 +a commit:4 +a commit:5 "}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct subscriber s;
		subscribe(f, &s, lineage(f), cases[i].since);
		hear(&s, cases[i].heard);
		assert_string_equal(s.heard->text, cases[i].heard);
		unsubscribe(&s);
	}
}

static void hear_the_end(struct subscriber *s)
{
	ssize_t n = 0;
	for (int i = 0; i < WAIT_MS && (n = pull(s, 65536)) >= 0; i++)
		pause_ms(1);
	assert_int_equal(n, -1);
}

static void who_knows_the_future_begins_a_lineage_for_all(void **state)
{
	struct fixture *f = *state;
	struct subscriber s, other;
	struct feed_stats stats;
	char before[HISTORY_ID_SIZE];
	(void)put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	tell(f, 1, "a", OBJECT);
	(void)snprintf(before, sizeof before, "%s", lineage(f));
	subscribe(f, &other, before, 1);
	hear(&other, "hello ");
	subscribe(f, &s, before, 2);
	hear_the_end(&s); /* not a word: what the store counts is another history */
	assert_string_equal(s.heard->text, "");
	hear_the_end(&other);
	unsubscribe(&s);
	unsubscribe(&other);
	assert_string_not_equal(lineage(f), before);
	subscribe(f, &s, before, 1); /* not even what seems to be known is */
	hear(&s, "hello reset +a commit:1 ");
	unsubscribe(&s);
	/* One that tells it again and again does not make everybody start over. */
	subscribe(f, &s, lineage(f), 9);
	hear(&s, "hello reset +a commit:1 ");
	unsubscribe(&s);
	feed_stats_read(f->feed, &stats);
	assert_int_equal(stats.rewinds, 1);
	assert_true(store_is_unsettled(f->store));
}

static void who_knows_another_store_starts_anew(void **state)
{
	struct fixture *f = *state;
	struct subscriber s;
	(void)put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	tell(f, 1, "a", OBJECT);
	subscribe(f, &s, "00000000000000000000000000000000", 1);
	hear(&s, "hello reset +a commit:1 ");
	unsubscribe(&s);
}

static void a_full_state_ahead_of_the_ring_is_continued_without_doubles(void **state)
{
	struct fixture *f = *state;
	struct subscriber s;
	for (int i = 0; i < 3; i++)
		(void)put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	subscribe(f, &s, NULL, 0);
	hear(&s, "hello reset +a commit:3 "); /* from the store; the ring is still empty */
	for (int64_t i = 1; i <= 4; i++)
		tell(f, i, "a", OBJECT);
	hear(&s, "commit:3 +a commit:4 ");
	unsubscribe(&s);
}

static void commits_while_the_full_state_is_sent_come_after_it(void **state)
{
	struct fixture *f = *state;
	struct subscriber s;
	(void)put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 1, NULL);
	subscribe(f, &s, NULL, 0);
	hear(&s, "hello reset ");
	while (pull(&s, 7) <= 0) /* the first bytes of the file */
		pause_ms(1);
	tell(f, 2, "b", OBJECT);
	for (int64_t i = 3; i <= 4; i++) {
		assert_true(pull(&s, 7) > 0);
		tell(f, i, "c", OBJECT);
	}
	for (int i = 0; i < 20; i++)
		(void)pull(&s, 65536);
	assert_non_null(strstr(s.heard->text, "hello reset +a commit:1 +b commit:2 +c commit:3 +c commit:4 "));
	unsubscribe(&s);
}

static void who_falls_behind_the_ring_is_cut_and_starts_anew(void **state)
{
	struct fixture *f = *state;
	struct subscriber s;
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	tell(f, 1, "a", OBJECT);
	subscribe(f, &s, lineage(f), 0);
	hear(&s, "commit:1 ");
	for (int64_t i = 2; i <= 2 + FEED_BACKLOG_COMMITS; i++)
		tell(f, i, "a", OBJECT);
	assert_int_equal(pull(&s, 65536), -1);
	unsubscribe(&s);
	subscribe(f, &s, lineage(f), 1);
	while (pull(&s, 65536) == 0)
		pause_ms(1);
	assert_memory_equal(s.heard->text, "hello reset ", 12);
	unsubscribe(&s);
}

static void the_ring_is_bounded_by_bytes_too(void **state)
{
	struct fixture *f = *state;
	struct subscriber s;
	size_t size = 900000;
	char *value = malloc(size + 16);
	assert_non_null(value);
	(void)snprintf(value, 16, "{\"x\":\"");
	memset(value + 6, 'y', size);
	(void)snprintf(value + 6 + size, 4, "\"}");
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	for (int64_t i = 1; i <= 100; i++)
		tell(f, i, "a", value);
	free(value);
	subscribe(f, &s, lineage(f), 10);
	while (pull(&s, 65536) == 0)
		pause_ms(1);
	assert_memory_equal(s.heard->text, "hello reset ", 12);
	unsubscribe(&s);
}

static void what_no_name_server_could_read_is_left_out(void **state)
{
	static const char *const values[] = {"{\"a\":1,\n\"b\":2}", "not json", "[]", "{\"a\":1", "{}}", "\"x\"",
					     "{\"a\":\"\x01\"}"};
	struct fixture *f = *state;
	struct subscriber s;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		char key[16];
		(void)snprintf(key, sizeof key, "bad%zu", i);
		(void)put(f, MODEL_KIND_SITE, key, values[i]);
	}
	(void)put(f, MODEL_KIND_SITE, "bad\n\x01", OBJECT);
	(void)put(f, MODEL_KIND_SITE, "bad\xff", OBJECT);
	char *long_value = calloc(1, STORE_VALUE_MAX + 1);
	assert_non_null(long_value);
	memset(long_value, ' ', STORE_VALUE_MAX);
	memcpy(long_value, "{}", 2);
	(void)put(f, MODEL_KIND_SITE, "bad-long", long_value);
	free(long_value);
	(void)put(f, MODEL_KIND_SITE, "good", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 11, NULL);
	subscribe(f, &s, NULL, 0);
	hear(&s, "hello reset +good commit:11 ");
	for (int64_t i = 0; i < (int64_t)(sizeof values / sizeof values[0]); i++)
		tell(f, 12 + i, "bad", values[i]);
	tell(f, 30, "good", OBJECT);
	hear(&s, "commit:11 +good commit:30 ");
	unsubscribe(&s);
}

static void a_read_that_is_repeated_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct subscriber s;
	const struct store_object half = {MODEL_KIND_SITE, "b", 2, OBJECT, sizeof OBJECT - 1, NULL};
	f->feed = feed_new(f->store, f->feed_dir, 0, NULL);
	subscribe(f, &s, lineage(f), 0);
	tell(f, 1, "a", OBJECT);
	feed_change(f->feed, &half); /* here the read fails … */
	feed_abandon(f->feed);
	tell(f, 1, "a", OBJECT); /* … and comes again */
	tell(f, 2, "b", OBJECT);
	hear(&s, "hello +a commit:1 +b commit:2 ");
	assert_string_equal(s.heard->text, "hello +a commit:1 +b commit:2 ");
	unsubscribe(&s);
}

static int log_lines(struct fixture *f, const char *word)
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
	struct fixture *f = *state;
	struct subscriber s;
	struct rlimit before, none;
	char path[128];
	(void)snprintf(path, sizeof path, "%s/log", f->dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	f->log = logger_new("test", fileno(out), LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	assert_non_null(f->log);
	(void)put(f, MODEL_KIND_SITE, "a", OBJECT);
	f->feed = feed_new(f->store, f->feed_dir, 1, f->log);
	subscribe(f, &s, NULL, 0);
	/* no descriptor is left, neither for a file nor for one in memory */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 150; i++) {
		(void)pull(&s, 65536);
		pause_ms(10);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	int tries = log_lines(f, "cannot be written");
	assert_in_range(tries, 1, 3);
	hear(&s, "+a commit:1 ");
	unsubscribe(&s);
	feed_free(&f->feed);
	logger_free(&f->log);
	(void)fclose(out);
	(void)unlink(path);
}

static void a_full_state_that_finds_no_room_on_the_disk_is_kept_in_memory(void **state)
{
	struct fixture *f = *state;
	struct subscriber s;
	(void)put(f, MODEL_KIND_SITE, "a", OBJECT);
	assert_int_equal(rmdir(f->feed_dir), 0);
	f->feed = feed_new(f->store, f->feed_dir, 1, f->log);
	subscribe(f, &s, NULL, 0);
	hear(&s, "+a commit:1 ");
	assert_int_equal(mkdir(f->feed_dir, 0700), 0);
	unsubscribe(&s);
	feed_free(&f->feed);
}

/* Begin to read a full state that is in memory, and hold it. */
static void hold_full_state(struct fixture *f, struct subscriber *s, int64_t before_bytes)
{
	struct feed_stats stats = {0};
	subscribe(f, s, NULL, 0);
	for (int i = 0; i < WAIT_MS && stats.memory_bytes <= before_bytes; i++) {
		if (pull(s, 64) == 0)
			pause_ms(1);
		feed_stats_read(f->feed, &stats);
	}
	assert_true(stats.memory_bytes > before_bytes);
	while (strstr(s->heard->text, "reset") == NULL)
		assert_true(pull(s, 64) >= 0);
	assert_int_equal(pull(s, 1), 1); /* of the state itself */
}

static void grow(struct fixture *f, const char *key)
{
	static const char value[] = "{\"name\":\"0123456789012345678901234567890123456789012345678901234567890\"}";
	tell(f, put(f, MODEL_KIND_SITE, key, value), key, value);
}

/* So much instead of FEED_MEMORY_MAX. */
static void bound_memory(struct feed *feed, int64_t bytes)
{
	(void)pthread_mutex_lock(&feed->lock);
	feed->memory_max_bytes = bytes;
	(void)pthread_mutex_unlock(&feed->lock);
}

static void full_states_in_memory_are_bounded_all_together(void **state)
{
	struct fixture *f = *state;
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
	subscribe(f, &c, NULL, 0); /* for the third there is no room */
	ssize_t n = 0;
	for (int i = 0; i < WAIT_MS && (n = pull(&c, 65536)) >= 0; i++)
		pause_ms(1);
	assert_int_equal(n, -1);
	unsubscribe(&c);
	assert_false(feed_has_room(f->feed, &nowhere));
	const struct feed_position behind = {.lineage = lineage(f), .since = 2};
	assert_true(feed_has_room(f->feed, &behind)); /* it needs none */
	feed_stats_read(f->feed, &stats);
	assert_int_equal(stats.crowded, 1);
	assert_in_range(stats.memory_bytes, both_bytes, both_bytes + 50);
	assert_int_equal(log_lines(f, "finds no room"), 1);
	/* one that has its state, or leaves, makes room for the next at once */
	unsubscribe(&b);
	unsubscribe(&a);
	assert_true(feed_has_room(f->feed, &nowhere));
	bound_memory(f->feed, FEED_MEMORY_MAX);
	subscribe(f, &c, NULL, 0);
	hear(&c, "+a +b +c commit:3 ");
	unsubscribe(&c);
	assert_int_equal(mkdir(f->feed_dir, 0700), 0);
	feed_free(&f->feed);
	logger_free(&f->log);
	(void)fclose(out);
	(void)unlink(path);
}

static void run_sql(struct fixture *f, const char *sql)
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
	struct fixture *f = *state;
	struct hub *hub = NULL;
	struct controller *controller = NULL;
	struct subscriber s;
	struct directory *directory = directory_new();
	struct assignment_hub *assignments = assignment_hub_new(store_id(f->store));
	const struct controller_config config = {
		.clock = veer_clock_system(), .store = f->store, .directory = directory, .assignments = assignments};
	(void)put(f, MODEL_KIND_SITE, "a", "{\"name\":\"a\",\"region\":\"eu\"}");
	assert_int_equal(hub_new(f->store, directory, f->feed_dir, NULL, &hub, NULL), VEER_OK);
	f->feed = hub_feed(hub);
	subscribe(f, &s, lineage(f), 1);
	hear(&s, "hello ");
	(void)put(f, MODEL_KIND_SITE, "a", NULL);
	int64_t revision = put(f, MODEL_KIND_SITE, "b", "{\"name\":\"b\",\"region\":\"eu\"}");
	run_sql(f, "UPDATE meta SET value=3 WHERE key='compacted'; DELETE FROM changes");
	assert_int_equal(controller_new(&config, &controller, NULL), VEER_OK);
	followers_add_controller(hub, controller);
	followers_add_assignments(hub, assignments);
	assert_int_equal(hub_start(hub), VEER_OK);
	assert_true(directory_wait(directory, revision, WAIT_MS));
	assert_int_equal(directory_count(directory, MODEL_KIND_SITE), 1);
	ssize_t n = 0;
	for (int i = 0; i < WAIT_MS && (n = pull(&s, 65536)) >= 0; i++)
		pause_ms(1);
	assert_int_equal(n, -1); /* cut: it cannot be told what it missed */
	unsubscribe(&s);
	subscribe(f, &s, lineage(f), 1);
	for (int i = 0; i < WAIT_MS && strstr(s.heard->text, "commit") == NULL; i++)
		if (pull(&s, 65536) <= 0)
			pause_ms(1);
	assert_memory_equal(s.heard->text, "hello reset +b commit:", 22);
	unsubscribe(&s);
	/* And it follows on. */
	revision = put(f, MODEL_KIND_SITE, "c", "{\"name\":\"c\",\"region\":\"eu\"}");
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
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_newcomer_gets_the_whole_state_and_then_each_commit),
		T(who_comes_back_gets_only_what_it_missed),
		T(who_knows_another_store_starts_anew),
		T(who_knows_the_future_begins_a_lineage_for_all),
		T(a_full_state_ahead_of_the_ring_is_continued_without_doubles),
		T(commits_while_the_full_state_is_sent_come_after_it),
		T(who_falls_behind_the_ring_is_cut_and_starts_anew),
		T(the_ring_is_bounded_by_bytes_too),
		T(what_no_name_server_could_read_is_left_out),
		T(a_read_that_is_repeated_is_told_once),
		T(a_full_state_that_cannot_be_written_is_tried_again_without_haste),
		T(a_full_state_that_finds_no_room_on_the_disk_is_kept_in_memory),
		T(full_states_in_memory_are_bounded_all_together),
		T(a_hub_behind_the_history_reads_everything_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
