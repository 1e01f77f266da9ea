/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/feed_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

int feed_stage_setup(void **state)
{
	struct feed_stage *f = calloc(1, sizeof *f);
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

int feed_stage_teardown(void **state)
{
	static const char *const names[] = {"veer.db", "veer.db-wal", "veer.db-shm", "veer.db.lock"};
	struct feed_stage *f = *state;
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

int64_t feed_stage_put(struct feed_stage *f, enum model_kind kind, const char *key, const char *value)
{
	int64_t revision = 0;
	const struct store_op op = {value != NULL ? STORE_PUT : STORE_DEL, kind,     key, value,
				    value != NULL ? strlen(value) : 0,     STORE_ANY};
	assert_int_equal(store_commit(f->store, &op, 1, STORE_URGENT, &revision, NULL), VEER_OK);
	return revision;
}

void feed_stage_tell(struct feed_stage *f, int64_t revision, const char *key, const char *value)
{
	const struct store_object object = {
		MODEL_KIND_SITE, key, revision, value, value != NULL ? strlen(value) : 0, NULL};
	feed_change(f->feed, &object);
	feed_commit(f->feed, revision);
}

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
	for (size_t i = 0; i < count; i++) /* an empty list goes to every subscriber, and is not noted */
		(void)note(ctx, "?%s ", endpoints[i]);
	return VEER_OK;
}

static const struct feed_sink sink = {on_hello, on_reset, on_change, on_commit, on_doubt, NULL, NULL};

const char *feed_stage_lineage(struct feed_stage *f)
{
	static struct history_ancestry ancestry;
	store_ancestry(f->store, &ancestry);
	return ancestry.lineages[ancestry.count - 1].id;
}

void feed_stage_subscribe(struct feed_stage *f, struct subscriber *s, const char *lineage_text, int64_t since)
{
	const struct feed_position position = {.lineage = lineage_text, .since = since};
	s->heard = calloc(1, sizeof *s->heard);
	assert_non_null(s->heard);
	s->reader = feed_reader_new(&sink, s->heard);
	s->source = feed_subscribe(f->feed, &position);
	assert_non_null(s->reader);
	assert_non_null(s->source);
}

void feed_stage_unsubscribe(struct subscriber *s)
{
	s->source->close(s->source);
	feed_reader_free(&s->reader);
	free(s->heard);
}

ssize_t feed_stage_pull(struct subscriber *s, size_t size)
{
	char block[65536];
	struct veer_diag diag = {""};
	ssize_t len = s->source->pull(s->source, block, size);
	if (len > 0 && feed_reader_push(s->reader, block, (size_t)len, &diag) != VEER_OK)
		fail_msg("%s", diag.text);
	return len;
}

void feed_stage_pause_ms(int ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	(void)nanosleep(&t, NULL);
}

void feed_stage_hear(struct subscriber *s, const char *end)
{
	for (int i = 0; i < WAIT_MS; i++) {
		size_t len = strlen(end);
		if (s->heard->len >= len && strcmp(s->heard->text + s->heard->len - len, end) == 0)
			return;
		ssize_t n = feed_stage_pull(s, 65536);
		if (n < 0)
			fail_msg("cut after: %s", s->heard->text);
		if (n == 0)
			feed_stage_pause_ms(1);
	}
	fail_msg("heard: %s", s->heard->text);
}
