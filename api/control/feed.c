/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of commits. The subscribers' side is feed_subscriber.c; the thread that writes full states is in
 * feed_snapshot.c.
 */
#include "api/control/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/control/feed_impl.h"
#include "base/crypto.h"
#include "base/json.h"

enum { ENVELOPE_BYTES = 192, LINE_BYTES_MAX = 1 << 20 };

/*
 * A line that readers refuse would end every name server's stream again and again, so the store's content is not
 * trusted: the value must be a JSON object on one line, the key printable ASCII, and the line not too long.
 */
static bool is_sound(const struct store_object *object)
{
	json_t *value = NULL;
	size_t key_len = strlen(object->key);
	for (size_t i = 0; i < key_len; i++)
		if (object->key[i] < ' ' || object->key[i] > '~')
			return false;
	if (key_len == 0 || 2 * key_len + object->value_len + ENVELOPE_BYTES > LINE_BYTES_MAX)
		return false;
	if (object->value == NULL)
		return true;
	bool ok = memchr(object->value, '\n', object->value_len) == NULL &&
		  veer_json_parse(object->value, object->value_len, LINE_BYTES_MAX, &value, NULL) == VEER_OK &&
		  json_is_object(value);
	json_decref(value);
	return ok;
}

/* Write the lines of the formats. Keys are ASCII in presentation form, so only \ and " need escaping. */
bool feed_write_line(struct buf *out, const struct store_object *object)
{
	if (!is_sound(object))
		return false;
	buf_puts(out, object->value != NULL ? "{\"type\":\"put\",\"kind\":\"" : "{\"type\":\"del\",\"kind\":\"");
	buf_puts(out, model_kind_text(object->kind));
	buf_puts(out, "\",\"key\":\"");
	for (const char *p = object->key; *p != '\0'; p++) {
		if (*p == '\\' || *p == '"')
			buf_putc(out, '\\');
		buf_putc(out, *p);
	}
	buf_printf(out, "\",\"revision\":%lld", (long long)object->revision);
	if (model_kind_is_state(object->kind))
		buf_puts(out, ",\"part\":\"state\"");
	if (object->was != NULL) {
		char was[DIGEST_HEX_SIZE];
		crypto_hex_encode(object->was, DIGEST_BYTES, was);
		buf_printf(out, ",\"was\":\"%s\"", was);
	}
	if (object->value != NULL) {
		buf_puts(out, ",\"object\":");
		buf_append(out, object->value, object->value_len);
	}
	buf_puts(out, "}\n");
	return true;
}

void feed_complain(struct feed *feed, const struct store_object *object)
{
	log_error(feed->log, "an object in the store is unreadable: name servers are not told",
		  LOG_STR("kind", model_kind_text(object->kind)), LOG_STR("key", object->key));
}

void feed_write_commit_line(struct buf *out, int64_t revision)
{
	buf_printf(out, "{\"type\":\"commit\",\"revision\":%lld}\n", (long long)revision);
}

/* Drop the oldest blocks until one more of `bytes` fits. feed->lock is held. */
static void make_room(struct feed *feed, size_t bytes)
{
	while (feed->count > 0 && (feed->count == FEED_BACKLOG_COMMITS || feed->bytes + bytes > FEED_BACKLOG_BYTES)) {
		struct feed_block *oldest = &feed->ring[feed->first % FEED_BACKLOG_COMMITS];
		feed_raise_floor(feed, oldest->revision, &oldest->sum);
		feed->bytes -= oldest->len;
		free(oldest->text);
		*oldest = (struct feed_block){0};
		feed->first++;
		feed->count--;
	}
	if (feed->snapshot != NULL &&
	    feed->snapshot->revision < feed->floor_revision) { /* the ring does not continue from it */
		feed_snapshot_release(feed->snapshot);
		feed->snapshot = NULL;
	}
}

/* Forget all commits up to `revision`, so that every subscriber has to start anew. feed->lock is held. */
void feed_lose_all(struct feed *feed, int64_t revision)
{
	feed->first += feed->count + 1;
	for (size_t i = 0; i < FEED_BACKLOG_COMMITS; i++) {
		free(feed->ring[i].text);
		feed->ring[i] = (struct feed_block){0};
	}
	feed->count = 0;
	feed->bytes = 0;
	feed->revision = revision;
	feed_raise_floor(feed, revision, &feed->sum);
	feed->anchor.revision = -1;
	feed->wants_anchor = true;
	(void)pthread_cond_signal(&feed->wanted);
	make_room(feed, 0);
}

/*
 * Wake the subscribers that are told first; wake the others too, unless they are a crowd that was woken just now. A
 * token can open many streams, and these must not multiply the cost of each commit.
 */
void feed_wake_all(struct feed *feed)
{
	int64_t now = feed_now_ms();
	feed->guests_wait = feed->guests > FEED_GUESTS && now - feed->guests_woken_ms < FEED_GUESTS_MS;
	unsigned ranks = feed->guests_wait ? 1 : FEED_RANKS;
	if (!feed->guests_wait)
		feed->guests_woken_ms = now;
	for (unsigned rank = 0; rank < ranks; rank++)
		for (struct feed_subscriber *s = feed->subscribers[rank]; s != NULL; s = s->next)
			api_stream_wake(s->stream);
}

void feed_change(struct feed *feed, const struct store_object *object)
{
	if (object->revision <= feed->revision) /* already told: the read that delivered it had failed afterwards */
		return;
	if (!model_kind_is_fed(object->kind))
		return;
	if (feed_write_line(&feed->under_way, object))
		feed_count_change(&feed->under_way_added, object);
	else
		feed_complain(feed, object);
}

void feed_abandon(struct feed *feed)
{
	buf_reset(&feed->under_way);
	feed->under_way_added = (struct digest_pair){0};
}

void feed_restart(struct feed *feed, int64_t revision)
{
	(void)pthread_mutex_lock(&feed->lock);
	feed_lose_all(feed, revision);
	feed_wake_all(feed);
	(void)pthread_mutex_unlock(&feed->lock);
}

void feed_commit(struct feed *feed, int64_t revision)
{
	bool has_lines = feed->under_way.len > 0 || feed->under_way.failed;
	if (revision <= feed->revision)
		return;
	if (has_lines)
		feed_write_commit_line(&feed->under_way, revision);
	bool failed = feed->under_way.failed;
	size_t len = 0;
	char *text = has_lines && !failed ? buf_take(&feed->under_way, &len) : NULL;
	buf_reset(&feed->under_way);
	(void)pthread_mutex_lock(&feed->lock);
	make_room(feed, len);
	digest_pair_add(&feed->sum, &feed->under_way_added);
	feed->under_way_added = (struct digest_pair){0};
	if (text != NULL) {
		feed->ring[(feed->first + feed->count) % FEED_BACKLOG_COMMITS] =
			(struct feed_block){text, len, revision, feed->sum};
		feed->count++;
		feed->bytes += len;
		feed->commits++;
	} else if (has_lines) {
		/*
		 * Memory is out: this commit cannot be sent to anybody, so all subscribers start anew from a full
		 * state.
		 */
		feed_lose_all(feed, revision);
	}
	feed->revision = revision;
	if (has_lines) {
		feed->fed_revision = revision;
		feed_wake_all(feed);
	}
	(void)pthread_mutex_unlock(&feed->lock);
}

static const char no_doubt[] = "{\"type\":\"doubt\",\"endpoints\":[]}\n";

static struct feed_doubt *doubt_new(char *text, size_t len, int64_t after_revision)
{
	struct feed_doubt *doubt = text != NULL ? calloc(1, sizeof *doubt) : NULL;
	if (doubt == NULL)
		free(text);
	else
		*doubt = (struct feed_doubt){text, len, after_revision, 1};
	return doubt;
}

void feed_doubt_release(struct feed_doubt *doubt)
{
	if (doubt == NULL || --doubt->references > 0)
		return;
	free(doubt->text);
	free(doubt);
}

void feed_set_doubt(struct feed *feed, char *line, size_t len, int64_t after_revision)
{
	struct feed_doubt *doubt = doubt_new(line, len, after_revision);
	if (doubt == NULL)
		return;
	(void)pthread_mutex_lock(&feed->lock);
	feed_doubt_release(feed->doubt);
	feed->doubt = doubt;
	feed->doubt_number++;
	feed_wake_all(feed);
	(void)pthread_mutex_unlock(&feed->lock);
}

void feed_tick(struct feed *feed)
{
	int64_t now = feed_now_ms();
	(void)pthread_mutex_lock(&feed->lock);
	if (feed->guests_wait && now - feed->guests_woken_ms >= FEED_GUESTS_MS)
		feed_wake_all(feed);
	for (unsigned rank = 0; rank < FEED_RANKS; rank++)
		for (struct feed_subscriber *s = feed->subscribers[rank]; s != NULL; s = s->next)
			if (now - s->sent_ms >= FEED_HEARTBEAT_MS)
				api_stream_wake(s->stream);
	/* the ring moved on while the digest was computed, so it is computed again */
	if (!feed->wants_anchor && feed->anchor.revision < feed->floor_revision) {
		feed->wants_anchor = true;
		(void)pthread_cond_signal(&feed->wanted);
	}
	(void)pthread_mutex_unlock(&feed->lock);
}

void feed_take_ancestry(struct feed *feed)
{
	store_ancestry(feed->store, &feed->ancestry);
	json_t *array = history_write(&feed->ancestry);
	free(feed->ancestry_text);
	feed->ancestry_text = array != NULL ? veer_json_dump(array) : NULL;
	json_decref(array);
}

struct feed *feed_new(struct store *store, const char *dir, int64_t revision, struct logger *log)
{
	struct feed *feed = calloc(1, sizeof *feed);
	if (feed == NULL)
		return NULL;
	feed->store = store;
	feed->log = log;
	feed->revision = revision;
	feed->floor_revision = revision;
	feed->anchor.revision = -1;
	feed->wants_anchor = true;
	feed->memory_max_bytes = FEED_MEMORY_MAX;
	feed_take_ancestry(feed);
	feed->dir = strdup(dir);
	buf_init(&feed->under_way, FEED_BACKLOG_BYTES);
	(void)pthread_mutex_init(&feed->lock, NULL);
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&feed->wanted, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	feed->doubt = doubt_new(strdup(no_doubt), sizeof no_doubt - 1, 0);
	feed->doubt_number = 1;
	feed->has_thread = feed->dir != NULL && feed->doubt != NULL &&
			   pthread_create(&feed->thread, NULL, feed_snapshot_main, feed) == 0;
	if (!feed->has_thread)
		feed_free(&feed);
	return feed;
}

void feed_free(struct feed **feed_ptr)
{
	struct feed *feed = *feed_ptr;
	if (feed == NULL)
		return;
	(void)pthread_mutex_lock(&feed->lock);
	feed->is_closing = true;
	(void)pthread_cond_broadcast(&feed->wanted);
	(void)pthread_mutex_unlock(&feed->lock);
	if (feed->has_thread)
		(void)pthread_join(feed->thread, NULL);
	for (size_t i = 0; i < FEED_BACKLOG_COMMITS; i++)
		free(feed->ring[i].text);
	feed_snapshot_release(feed->snapshot);
	feed_doubt_release(feed->doubt);
	buf_deinit(&feed->under_way);
	(void)pthread_cond_destroy(&feed->wanted);
	(void)pthread_mutex_destroy(&feed->lock);
	free(feed->ancestry_text);
	free(feed->dir);
	free(feed);
	*feed_ptr = NULL;
}

int64_t feed_revision(struct feed *feed)
{
	(void)pthread_mutex_lock(&feed->lock);
	int64_t revision = feed->fed_revision;
	(void)pthread_mutex_unlock(&feed->lock);
	return revision;
}

void feed_stats_read(struct feed *feed, struct feed_stats *out)
{
	(void)pthread_mutex_lock(&feed->lock);
	*out = (struct feed_stats){.commits = feed->commits,
				   .cut = feed->cut,
				   .snapshots = feed->snapshots,
				   .rewinds = feed->rewinds,
				   .crowded = feed->crowded,
				   .memory_bytes = feed->memory_bytes};
	for (unsigned rank = 0; rank < FEED_RANKS; rank++)
		for (const struct feed_subscriber *s = feed->subscribers[rank]; s != NULL; s = s->next)
			out->subscribers++;
	(void)pthread_mutex_unlock(&feed->lock);
}
