/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feed's thread: it writes full states, computes the digest of the whole state, and begins a lineage when the store
 * has gone back. It blocks on the store, which no other part of the feed may do.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "api/control/feed_impl.h"

enum { SNAPSHOT_BUFFER_BYTES = 1 << 20 };

/* How a try to write a full state ended. */
enum outcome { WRITTEN, FAILED, NO_ROOM };

/* State of writing a full state. */
struct snapshot_writer {
	struct feed *feed;
	struct buf buf;
	int fd;            /* -1: only the digest is wanted */
	int64_t max_bytes; /* INT64_MAX on the disk; in memory, what is left there */
	bool has_no_room;
	bool failed;
	int64_t len;
	struct digest_pair digest;
};

static void snapshot_flush(struct snapshot_writer *w)
{
	w->has_no_room = w->has_no_room || w->len + (int64_t)w->buf.len > w->max_bytes;
	if (w->buf.failed || w->has_no_room || file_write_all(w->fd, w->buf.data, w->buf.len) != VEER_OK)
		w->failed = true;
	w->len += (int64_t)w->buf.len;
	buf_reset(&w->buf);
}

static bool snapshot_object(void *ctx, const struct store_object *object)
{
	struct snapshot_writer *w = ctx;
	if (feed_write_line(&w->buf, object))
		feed_count_change(&w->digest, object);
	else
		feed_complain(w->feed, object);
	if (w->fd < 0)
		buf_reset(&w->buf);
	else if (w->buf.len > SNAPSHOT_BUFFER_BYTES || w->buf.failed)
		snapshot_flush(w);
	return !w->failed;
}

static int open_unlinked(const char *dir)
{
	char name[4096];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	int len = snprintf(name, sizeof name, "%s/feed-XXXXXX", dir);
	if (len < 0 || (size_t)len >= sizeof name)
		return -1;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(name);
	return fd;
}

/* Write a full state into the file `fd`, which is taken, at most `max_bytes`. `*out` is set when it was WRITTEN. */
static enum outcome snapshot_write(struct feed *feed, int fd, int64_t max_bytes, struct feed_snapshot **out)
{
	struct feed_snapshot *snapshot = fd >= 0 ? calloc(1, sizeof *snapshot) : NULL;
	struct snapshot_writer w = {.feed = feed, .fd = fd, .max_bytes = max_bytes};
	if (snapshot == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return FAILED;
	}
	buf_init(&w.buf, 4 * SNAPSHOT_BUFFER_BYTES);
	enum veer_err err = store_snapshot(feed->store, model_kinds_fed(), snapshot_object, &w, &snapshot->revision);
	if (err == VEER_OK) {
		feed_write_commit_line(&w.buf, snapshot->revision);
		snapshot_flush(&w);
	}
	buf_deinit(&w.buf);
	snapshot->fd = fd;
	snapshot->len = w.len;
	snapshot->digest = w.digest;
	snapshot->references = 1;
	*out = snapshot;
	if (err == VEER_OK && !w.failed)
		return WRITTEN;
	(void)close(fd);
	free(snapshot);
	*out = NULL;
	return w.has_no_room ? NO_ROOM : FAILED;
}

/*
 * Write the whole state at its newest revision. Name servers must get it even if the disk is full: then it is kept in
 * memory, up to `memory_bytes`. `*out` is NULL when neither has room.
 */
static enum outcome snapshot_make(struct feed *feed, int64_t memory_bytes, struct feed_snapshot **out)
{
	*out = NULL;
	if (snapshot_write(feed, open_unlinked(feed->dir), INT64_MAX, out) == WRITTEN)
		return WRITTEN;
	enum outcome outcome = snapshot_write(feed, memfd_create("veer-feed", MFD_CLOEXEC), memory_bytes, out);
	if (*out != NULL)
		(*out)->in_memory_of = feed;
	return outcome;
}

void feed_snapshot_release(struct feed_snapshot *snapshot)
{
	if (snapshot == NULL || --snapshot->references > 0)
		return;
	struct feed *feed = snapshot->in_memory_of;
	if (feed != NULL) {
		feed->memory_bytes -= snapshot->len;
		feed->retry_ms = feed->is_crowded ? feed_now_ms() : feed->retry_ms;
		feed->is_crowded = false; /* there may be room now; the next try shows it */
	}
	(void)close(snapshot->fd);
	free(snapshot);
}

/* Compute the digest of the whole state, without writing the state anywhere. The lock is not held. */
static enum veer_err compute_anchor(struct feed *feed, int64_t *revision, struct digest_pair *out)
{
	struct snapshot_writer w = {.feed = feed, .fd = -1};
	buf_init(&w.buf, 4 * SNAPSHOT_BUFFER_BYTES);
	enum veer_err err = store_snapshot(feed->store, model_kinds_fed(), snapshot_object, &w, revision);
	buf_deinit(&w.buf);
	*out = w.digest;
	return err;
}

/*
 * Begin a new lineage, because a name server has had more of the present one than the store has. The lock is held, and
 * released meanwhile.
 */
static void rewind_history(struct feed *feed)
{
	feed->rewind_ms = feed_now_ms() + FEED_REWIND_MS;
	(void)pthread_mutex_unlock(&feed->lock);
	enum veer_err err = store_begin_lineage(feed->store, HISTORY_REWIND);
	if (err == VEER_OK)
		log_warn(feed->log,
			 "a name server has seen more than the store has: the store has gone back, and a new "
			 "lineage begins; all name servers start over");
	else
		log_error(feed->log, "a new lineage cannot be begun", LOG_STR("why", veer_err_text(err)));
	(void)pthread_mutex_lock(&feed->lock);
	if (err == VEER_OK) {
		feed_take_ancestry(feed);
		feed_snapshot_release(feed->snapshot);
		feed->snapshot = NULL;
		feed_lose_all(feed, feed->revision);
		feed->era++;
		feed->rewinds++;
	}
	feed->wants_rewind = false; /* only now, so that subscribers that come meanwhile wait */
	feed_wake_all(feed);
}

/* Wait until something is wanted and may be tried. False when closing. feed->lock is held. */
static bool wait_for_wish(struct feed *feed)
{
	while (!feed->is_closing) {
		const struct timespec until = {.tv_sec = feed->retry_ms / 1000,
					       .tv_nsec = feed->retry_ms % 1000 * 1000000};
		if (feed->wants_rewind)
			return true;
		if (!feed->wants_snapshot && !feed->wants_anchor)
			(void)pthread_cond_wait(&feed->wanted, &feed->lock);
		else if (feed_now_ms() < feed->retry_ms)
			(void)pthread_cond_timedwait(&feed->wanted, &feed->lock, &until);
		else
			return true;
	}
	return false;
}

/* How much memory one full state may use: what is left of the total, but at most half of the total. */
static int64_t memory_left(const struct feed *feed)
{
	int64_t left = feed->memory_max_bytes - feed->memory_bytes, most = feed->memory_max_bytes / 2;
	return left < most ? left : most;
}

/* Try no new full state for a while. A lack of room is logged once. The lock is held. */
static void put_off(struct feed *feed, enum outcome outcome)
{
	if (outcome == FAILED)
		log_error(feed->log, "the full state cannot be written", LOG_STR("dir", feed->dir));
	else if (outcome == NO_ROOM && !feed->is_crowded)
		log_error(feed->log,
			  "the full state finds no room: neither on the disk, nor in the memory that full states may "
			  "take; name servers that need one wait",
			  LOG_STR("dir", feed->dir), LOG_INT("memory_bytes", feed->memory_bytes),
			  LOG_INT("memory_max_bytes", feed->memory_max_bytes));
	feed->is_crowded = outcome == NO_ROOM;
	feed->retry_ms = feed_now_ms() + (outcome == NO_ROOM ? FEED_CROWDED_S * 1000 : FEED_RETRY_MS);
}

/* Write a full state and publish it. The lock is held, and released meanwhile. */
static void renew_snapshot(struct feed *feed)
{
	uint64_t era = feed->era;
	int64_t memory_bytes = memory_left(feed);
	struct feed_snapshot *snapshot;
	(void)pthread_mutex_unlock(&feed->lock);
	enum outcome outcome = snapshot_make(feed, memory_bytes, &snapshot);
	(void)pthread_mutex_lock(&feed->lock);
	feed->wants_snapshot = false; /* subscribers that still wait ask again when woken */
	if (snapshot != NULL && snapshot->in_memory_of != NULL)
		feed->memory_bytes += snapshot->len;
	if (snapshot != NULL && era == feed->era) {
		feed_snapshot_release(feed->snapshot);
		feed->snapshot = snapshot;
		feed->snapshots++;
		feed->is_crowded = false;
		feed->wants_anchor = false;
		feed_set_anchor(feed, snapshot->revision, &snapshot->digest);
	} else {
		feed_snapshot_release(snapshot);
		put_off(feed, outcome);
	}
	feed_wake_all(feed);
}

static void renew_anchor(struct feed *feed)
{
	int64_t revision = 0;
	struct digest_pair digest;
	uint64_t era = feed->era;
	(void)pthread_mutex_unlock(&feed->lock);
	enum veer_err err = compute_anchor(feed, &revision, &digest);
	(void)pthread_mutex_lock(&feed->lock);
	if (err == VEER_OK && era == feed->era) {
		feed->wants_anchor = false;
		feed_set_anchor(feed, revision, &digest);
	} else {
		feed->retry_ms = feed_now_ms() + FEED_RETRY_MS;
	}
}

/* Work on demand. What failed is tried again after a second, if it is still wanted. */
void *feed_snapshot_main(void *ctx)
{
	struct feed *feed = ctx;
	(void)pthread_mutex_lock(&feed->lock);
	while (wait_for_wish(feed)) {
		if (feed->wants_rewind)
			rewind_history(feed);
		else if (feed->wants_snapshot)
			renew_snapshot(feed);
		else
			renew_anchor(feed);
	}
	(void)pthread_mutex_unlock(&feed->lock);
	return NULL;
}
