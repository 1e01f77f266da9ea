/* SPDX-License-Identifier: Apache-2.0 */
/* The feed without HTTP: subscribers are pulled directly, from a real store. */
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

#include <pthread.h>
#include <stdatomic.h>

#include "api/control/feed.h"
#include "api/http/connection.h"

enum { WAIT_MS = 10000 };

struct fixture {
	char dir[64];
	struct store *store;
	struct feed *feed;
	int64_t revision; /* the revision of the last commit() */
};

/* A subscriber with its stream, as the server would hold it. */
struct client {
	struct api_stream stream;
	struct api_stream_source *source;
	struct buf got;
};

static int setup(void **state)
{
	char url[128];
	struct fixture *f = calloc(1, sizeof *f);
	(void)snprintf(f->dir, sizeof f->dir, "/tmp/veer-feed-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(url, sizeof url, "sqlite:%s/veer.db", f->dir);
	assert_int_equal(store_open(url, &f->store, NULL), VEER_OK);
	f->feed = feed_new(f->store, f->dir, 0, NULL);
	assert_non_null(f->feed);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct fixture *f = *state;
	feed_free(&f->feed);
	store_close(&f->store);
	for (size_t i = 0; i < 4; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0); /* the files of the full states have no names */
	free(f);
	return 0;
}

/* Commit one object to the store and, as the hub does, to the feed. */
static int64_t commit(struct fixture *f, enum model_kind kind, const char *key, const char *value)
{
	struct store_op op = {.op = value != NULL ? STORE_PUT : STORE_DEL,
			      .kind = kind,
			      .key = key,
			      .value = value,
			      .value_len = value != NULL ? strlen(value) : 0,
			      .expect = STORE_ANY};
	assert_int_equal(store_commit(f->store, &op, 1, STORE_NORMAL, &f->revision, NULL), VEER_OK);
	feed_change(f->feed, &(struct store_object){kind, key, f->revision, value, op.value_len, NULL});
	feed_commit(f->feed, f->revision);
	return f->revision;
}

/* The present lineage of the store. */
static const char *lineage(struct fixture *f)
{
	static _Thread_local struct history_ancestry ancestry;
	store_ancestry(f->store, &ancestry);
	return ancestry.lineages[ancestry.count - 1].id;
}

static void client_open(struct client *c, struct fixture *f, const char *lineage_text, int64_t since)
{
	const struct feed_position position = {.lineage = lineage_text, .since = since};
	*c = (struct client){.source = feed_subscribe(f->feed, &position)};
	assert_non_null(c->source);
	(void)pthread_mutex_init(&c->stream.lock, NULL);
	buf_init(&c->got, 256 << 20);
	c->source->open(c->source, &c->stream);
}

static void client_close(struct client *c)
{
	c->source->close(c->source);
	(void)pthread_mutex_destroy(&c->stream.lock);
	buf_deinit(&c->got);
}

/* Pull in pieces of `size` until no more data comes, or the stream ends (false). */
static bool pull(struct client *c, size_t size)
{
	char piece[65536];
	for (;;) {
		ssize_t len = c->source->pull(c->source, piece, size < sizeof piece ? size : sizeof piece);
		if (len <= 0)
			return len == 0;
		buf_append(&c->got, piece, (size_t)len);
	}
}

/* Pull until `text` has come. */
static void pull_until(struct client *c, const char *text)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	for (int i = 0; i < WAIT_MS && strstr(c->got.data, text) == NULL; i++) {
		assert_true(pull(c, 65536));
		(void)nanosleep(&pause, NULL);
	}
	if (strstr(c->got.data, text) == NULL)
		fail_msg("no %s in %s", text, c->got.data);
}

static void expect_text(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void expect_text(struct client *c, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	assert_string_equal(c->got.data, text);
	buf_reset(&c->got);
}

#define HISTORY ",\"lineage\":\"%s\",\"digest\":true,\"ancestry\":[[\"%s\",\"%s\",0,\"created\"]]"
#define NO_DOUBT "{\"type\":\"doubt\",\"endpoints\":[]}\n"
#define HEARTBEAT "{\"type\":\"heartbeat\",\"revision\":%lld}\n"

static void set_doubt(struct fixture *f, const char *endpoints, int64_t after_revision)
{
	char line[512];
	(void)snprintf(line, sizeof line, "{\"type\":\"doubt\",\"endpoints\":[%s]}\n", endpoints);
	feed_set_doubt(f->feed, strdup(line), strlen(line), after_revision);
}

static void doubt_comes_whole_to_everybody_and_never_before_its_commit(void **state)
{
	struct fixture *f = *state;
	struct client c, late;
	(void)commit(f, MODEL_KIND_SITE, "a", "{}");
	client_open(&c, f, lineage(f), 1);
	assert_true(pull(&c, 65536));
	assert_non_null(strstr(c.got.data, NO_DOUBT));
	buf_reset(&c.got);
	assert_true(pull(&c, 65536));
	expect_text(&c, "%s", ""); /* it is sent only once */
	set_doubt(f, "\"web/a\"", 1);
	assert_true(c.stream.has_news);
	set_doubt(f, "\"web/a\",\"web/b\"", 1); /* the one before was not sent yet, because only the newest matters */
	while (pull(&c, 3) && strchr(c.got.data, '\n') == NULL)
		continue;
	expect_text(&c, "{\"type\":\"doubt\",\"endpoints\":[\"web/a\",\"web/b\"]}\n");
	client_open(&late, f, lineage(f), 1);
	assert_true(pull(&late, 65536));
	assert_non_null(strstr(late.got.data, "\"web/b\"]}\n"));
	client_close(&late);
	/* Revision 2 settles the doubt: it is sent first, then the end of the doubt. */
	set_doubt(f, "", 2);
	assert_true(pull(&c, 65536));
	expect_text(&c, "%s", "");
	(void)commit(f, MODEL_KIND_SITE, "b", "{}");
	assert_true(pull(&c, 65536));
	expect_text(&c, "{\"type\":\"put\",\"kind\":\"site\",\"key\":\"b\",\"revision\":2,\"object\":{}}\n"
			"{\"type\":\"commit\",\"revision\":2}\n" NO_DOUBT);
	client_close(&c);
}

static void a_doubt_on_its_way_is_finished_before_the_next(void **state)
{
	struct fixture *f = *state;
	struct client c;
	(void)commit(f, MODEL_KIND_SITE, "a", "{}");
	client_open(&c, f, lineage(f), 1);
	assert_true(pull(&c, 65536));
	buf_reset(&c.got);
	char piece[16];
	set_doubt(f, "\"web/a\"", 0);
	ssize_t len = c.source->pull(c.source, piece, sizeof piece);
	assert_int_equal(len, sizeof piece);
	buf_append(&c.got, piece, (size_t)len);
	set_doubt(f, "\"web/b\"", 0);
	(void)commit(f, MODEL_KIND_SITE, "b", "{}");
	assert_true(pull(&c, 65536));
	expect_text(&c, "{\"type\":\"doubt\",\"endpoints\":[\"web/a\"]}\n"
			"{\"type\":\"put\",\"kind\":\"site\",\"key\":\"b\",\"revision\":2,\"object\":{}}\n"
			"{\"type\":\"commit\",\"revision\":2}\n"
			"{\"type\":\"doubt\",\"endpoints\":[\"web/b\"]}\n");
	client_close(&c);
}

static void overrides_are_fed_and_the_history_is_not(void **state)
{
	struct fixture *f = *state;
	struct client c;
	client_open(&c, f, NULL, 0);
	pull_until(&c, "\"reset\"");
	(void)commit(f, MODEL_KIND_OVERRIDE, "web/a", "{\"endpoint\":\"web/a\",\"action\":\"drain\"}");
	(void)commit(f, MODEL_KIND_TRANSITION, "t", "{}");
	(void)commit(f, MODEL_KIND_SETTINGS, "settings", "{}");
	(void)commit(f, MODEL_KIND_MAINTENANCE, "m", "{}");
	pull_until(&c, "\"doubt\"");
	assert_non_null(strstr(c.got.data, "\"kind\":\"override\""));
	assert_null(strstr(c.got.data, "transition"));
	assert_null(strstr(c.got.data, "settings"));
	assert_null(strstr(c.got.data, "maintenance"));
	client_close(&c);
	client_open(&c, f, NULL, 0); /* and the full state has them too */
	pull_until(&c, "\"doubt\"");
	assert_non_null(strstr(c.got.data, "\"kind\":\"override\""));
	assert_null(strstr(c.got.data, "transition"));
	client_close(&c);
}

static void a_newcomer_gets_the_whole_state_then_commits(void **state)
{
	struct fixture *f = *state;
	struct client c;
	(void)commit(f, MODEL_KIND_SITE, "fra", "{\"region\":\"eu\"}");
	(void)commit(f, MODEL_KIND_RRSET, "z./1/z./A", "{\"policy\":\"p\"}");
	(void)commit(f, MODEL_KIND_TOKEN, "t", "{}");
	client_open(&c, f, NULL, 0);
	pull_until(&c, "\"heartbeat\"");
	expect_text(
		&c,
		"{\"type\":\"hello\",\"format\":1,\"store_id\":\"%s\",\"revision\":3" HISTORY
		"}\n{\"type\":\"reset\"}\n"
		"{\"type\":\"put\",\"kind\":\"site\",\"key\":\"fra\",\"revision\":1,\"object\":{\"region\":\"eu\"}}\n"
		"{\"type\":\"put\",\"kind\":\"rrset\",\"key\":\"z./1/z./"
		"A\",\"revision\":2,\"object\":{\"policy\":\"p\"}}\n"
		"{\"type\":\"commit\",\"revision\":3}\n" NO_DOUBT HEARTBEAT,
		store_id(f->store), lineage(f), lineage(f), store_id(f->store), 3LL);
	(void)commit(f, MODEL_KIND_SITE, "fra", NULL);
	assert_true(c.stream.has_news);
	assert_true(pull(&c, 65536));
	expect_text(&c, "{\"type\":\"del\",\"kind\":\"site\",\"key\":\"fra\",\"revision\":4}\n{\"type\":\"commit\","
			"\"revision\":4}\n");
	client_close(&c);
}

static void a_known_since_resumes_with_what_followed(void **state)
{
	struct fixture *f = *state;
	struct client c;
	for (int i = 0; i < 5; i++)
		(void)commit(f, MODEL_KIND_SITE, "s", "{}");
	client_open(&c, f, lineage(f), 4);
	assert_true(pull(&c, 65536));
	expect_text(&c,
		    "{\"type\":\"hello\",\"format\":1,\"store_id\":\"%s\",\"revision\":5" HISTORY "}\n"
		    "{\"type\":\"put\",\"kind\":\"site\",\"key\":\"s\",\"revision\":5,\"object\":{}}\n{\"type\":"
		    "\"commit\",\"revision\":5}\n" NO_DOUBT HEARTBEAT,
		    store_id(f->store), lineage(f), lineage(f), store_id(f->store), 5LL);
	client_close(&c);
	client_open(&c, f, lineage(f), 5);
	assert_true(pull(&c, 65536));
	assert_null(strstr(c.got.data, "reset"));
	assert_null(strstr(c.got.data, "commit"));
	client_close(&c);
}

static void an_unknown_place_gets_a_reset(void **state)
{
	struct fixture *f = *state;
	const struct {
		const char *id;
		int64_t since;
	} places[] = {{NULL, 2}, {"00000000000000000000000000000000", 2}, {"", 2}, {lineage(f), -1}};
	(void)commit(f, MODEL_KIND_SITE, "a", "{}");
	(void)commit(f, MODEL_KIND_SITE, "b", "{}");
	for (size_t i = 0; i < 4; i++) {
		struct client c;
		client_open(&c, f, places[i].id, places[i].since);
		pull_until(&c, "\"commit\"");
		assert_non_null(strstr(c.got.data, "{\"type\":\"reset\"}\n"));
		client_close(&c);
	}
}

static void the_size_of_pulls_does_not_change_the_bytes(void **state)
{
	struct fixture *f = *state;
	struct client c[3];
	static const size_t sizes[] = {1, 7, 65536};
	for (int i = 0; i < 50; i++)
		(void)commit(f, MODEL_KIND_SITE, "s", "{\"a\":\"bcd\"}");
	for (size_t i = 0; i < 3; i++) {
		client_open(&c[i], f, lineage(f), 3);
		assert_true(pull(&c[i], sizes[i]));
		assert_true(c[i].got.len > 1000);
		assert_string_equal(c[i].got.data, c[0].got.data);
	}
	for (size_t i = 0; i < 3; i++)
		client_close(&c[i]);
}

static void what_is_not_fed_moves_the_revision_only(void **state)
{
	struct fixture *f = *state;
	struct client c;
	assert_int_equal(feed_revision(f->feed), 0);
	int64_t fed = commit(f, MODEL_KIND_SITE, "a", "{}");
	client_open(&c, f, lineage(f), fed);
	int64_t other = commit(f, MODEL_KIND_CHECK, "c", "{}");
	assert_true(pull(&c, 65536));
	assert_null(strstr(c.got.data, "commit"));
	assert_int_equal(feed_revision(f->feed), fed);
	client_close(&c);
	client_open(&c, f, lineage(f), other); /* a heartbeat may have told the subscriber the revision */
	assert_true(pull(&c, 65536));
	assert_null(strstr(c.got.data, "reset"));
	client_close(&c);
}

static void keys_are_escaped(void **state)
{
	struct fixture *f = *state;
	struct client c;
	client_open(&c, f, lineage(f), 0);
	(void)commit(f, MODEL_KIND_RRSET, "z./1/a\\.b\\\"c.z./A", "{}");
	assert_true(pull(&c, 65536));
	assert_non_null(strstr(c.got.data, "\"key\":\"z./1/a\\\\.b\\\\\\\"c.z./A\""));
	client_close(&c);
}

static void one_that_does_not_read_is_cut_and_resumes_from_the_whole_state(void **state)
{
	struct fixture *f = *state;
	struct client slow, fast;
	(void)commit(f, MODEL_KIND_SITE, "s", "{}");
	client_open(&slow, f, lineage(f), f->revision);
	client_open(&fast, f, lineage(f), f->revision);
	assert_true(pull(&slow, 65536));
	for (int i = 0; i < FEED_BACKLOG_COMMITS + 1; i++) {
		feed_change(f->feed, &(struct store_object){MODEL_KIND_SITE, "s", ++f->revision, "{}", 2, NULL});
		feed_commit(f->feed, f->revision);
		if (i % 500 == 0)
			assert_true(pull(&fast, 65536));
	}
	assert_true(pull(&fast, 65536));
	assert_false(pull(&slow, 65536));
	struct feed_stats stats;
	feed_stats_read(f->feed, &stats);
	assert_int_equal(stats.cut, 1);
	assert_int_equal(stats.subscribers, 2);
	client_close(&slow);
	client_open(&slow, f, lineage(f), 1);
	assert_true(pull(&slow, 65536));
	assert_non_null(strstr(slow.got.data, "reset"));
	client_close(&slow);
	client_close(&fast);
}

static void the_backlog_is_bounded_in_bytes_too(void **state)
{
	struct fixture *f = *state;
	struct client c;
	size_t len = 1000000;
	char *value = malloc(len + 1);
	memset(value, 'x', len);
	memcpy(value, "{\"x\":\"", 6);
	memcpy(value + len - 2, "\"}", 3);
	client_open(&c, f, lineage(f), 0);
	assert_true(pull(&c, 65536));
	for (unsigned i = 0; i < FEED_BACKLOG_BYTES / len + 1; i++) {
		feed_change(f->feed, &(struct store_object){MODEL_KIND_SITE, "s", ++f->revision, value, len, NULL});
		feed_commit(f->feed, f->revision);
	}
	assert_false(pull(&c, 65536));
	/* A commit that is larger than the backlog cannot be sent to any subscriber: all start anew. */
	client_close(&c);
	client_open(&c, f, lineage(f), f->revision);
	assert_true(pull(&c, 65536));
	for (unsigned i = 0; i < FEED_BACKLOG_BYTES / len + 1; i++)
		feed_change(f->feed, &(struct store_object){MODEL_KIND_SITE, "s", f->revision + 1, value, len, NULL});
	feed_commit(f->feed, ++f->revision);
	assert_false(pull(&c, 65536));
	client_close(&c);
	(void)commit(f, MODEL_KIND_SITE, "s", "{}"); /* and the feed continues */
	free(value);
}

static void a_heartbeat_comes_after_a_second_of_silence(void **state)
{
	struct fixture *f = *state;
	struct client c;
	const struct timespec second = {.tv_sec = 1, .tv_nsec = 50000000};
	client_open(&c, f, lineage(f), 0);
	assert_true(pull(&c, 65536));
	/* the first heartbeat tells at once that there is no more data */
	assert_non_null(strstr(c.got.data, "{\"type\":\"heartbeat\",\"revision\":0}\n"));
	buf_reset(&c.got);
	assert_true(pull(&c, 65536));
	assert_int_equal(c.got.len, 0);
	feed_tick(f->feed);
	assert_false(c.stream.has_news);
	(void)nanosleep(&second, NULL);
	feed_tick(f->feed);
	assert_true(c.stream.has_news);
	assert_true(pull(&c, 65536));
	assert_non_null(strstr(c.got.data, "{\"type\":\"heartbeat\",\"revision\":0}\n"));
	client_close(&c);
}

/* --- threads --------------------------------------------------------------------------------------------------------
 */

enum { RACE_CLIENTS = 6, RACE_COMMITS = 300 };

struct racer {
	struct client client;
	pthread_t thread;
	atomic_int_fast64_t *last; /* revision to read up to; 0: not known yet */
	int64_t seen;
};

static void *read_until_last(void *ctx)
{
	struct racer *r = ctx;
	const struct timespec pause = {.tv_nsec = 200000};
	int64_t last;
	do {
		if (!pull(&r->client, 100))
			return NULL;
		(void)nanosleep(&pause, NULL);
		const char *text = r->client.got.data;
		for (const char *at; (at = strstr(text, "\"commit\",\"revision\":")) != NULL; text = at + 1) {
			int64_t revision = strtoll(at + 20, NULL, 10);
			const char *end = strchr(at, '\n');
			if (end == NULL)
				break;
			if (revision > r->seen)
				r->seen = revision;
		}
		last = atomic_load(r->last);
	} while (last == 0 || r->seen < last);
	return NULL;
}

/* Commit lines must rise strictly. */
static void assert_rising(const char *text)
{
	int64_t before = 0;
	for (const char *at; (at = strstr(text, "\"commit\",\"revision\":")) != NULL; text = at + 1) {
		int64_t revision = strtoll(at + 20, NULL, 10);
		assert_true(revision > before);
		before = revision;
	}
}

static void all_subscribers_see_all_commits_in_order_from_wherever_they_start(void **state)
{
	struct fixture *f = *state;
	atomic_int_fast64_t last = 0;
	struct racer racers[RACE_CLIENTS] = {0};
	char value[32];
	for (int i = 0; i < RACE_COMMITS; i++) {
		if (i % (RACE_COMMITS / RACE_CLIENTS) == 0) {
			struct racer *r = &racers[i / (RACE_COMMITS / RACE_CLIENTS)];
			r->last = &last;
			client_open(&r->client, f, i % 20 == 0 ? lineage(f) : NULL, i / 2);
			assert_int_equal(pthread_create(&r->thread, NULL, read_until_last, r), 0);
		}
		(void)snprintf(value, sizeof value, "{\"n\":%d}", i);
		(void)commit(f, MODEL_KIND_SITE, "s", value);
		if (i % 10 == 0)
			feed_tick(f->feed);
	}
	atomic_store(&last, f->revision);
	for (size_t i = 0; i < RACE_CLIENTS; i++) {
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
		assert_int_equal(racers[i].seen, f->revision);
		assert_rising(racers[i].client.got.data);
		assert_non_null(strstr(racers[i].client.got.data, value));
		client_close(&racers[i].client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_newcomer_gets_the_whole_state_then_commits, setup, teardown),
		cmocka_unit_test_setup_teardown(doubt_comes_whole_to_everybody_and_never_before_its_commit, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_doubt_on_its_way_is_finished_before_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(overrides_are_fed_and_the_history_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(a_known_since_resumes_with_what_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unknown_place_gets_a_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(the_size_of_pulls_does_not_change_the_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_fed_moves_the_revision_only, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_are_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_does_not_read_is_cut_and_resumes_from_the_whole_state, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_backlog_is_bounded_in_bytes_too, setup, teardown),
		cmocka_unit_test_setup_teardown(a_heartbeat_comes_after_a_second_of_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(all_subscribers_see_all_commits_in_order_from_wherever_they_start,
						setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
