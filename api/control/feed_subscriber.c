/* SPDX-License-Identifier: Apache-2.0 */
/* The phases of one subscriber: hello, perhaps the full state from the file, then the ring. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/control/feed_impl.h"

int64_t feed_now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * The number of the block with the first commit after `revision`; feed->lock is held, and the ring reaches back so far.
 */
static uint64_t block_after(const struct feed *feed, int64_t revision)
{
	uint64_t low = feed->first, high = feed->first + feed->count;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (feed->ring[middle % FEED_BACKLOG_COMMITS].revision <= revision)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Has the subscriber seen more of the present lineage than the store has? Then the store has gone back, and the same
 * revision numbers will be used again. The pause keeps a subscriber that always claims it from making everybody start
 * over all the time.
 */
static bool is_ahead(struct feed_subscriber *s)
{
	struct feed *feed = s->feed;
	const struct history_lineage *now = &feed->ancestry.lineages[feed->ancestry.count - 1];
	int64_t seen = s->seen > s->since ? s->seen : s->since;
	if (strcmp(s->lineage, now->id) != 0 || seen <= feed->revision || seen <= store_revision(feed->store) ||
	    feed_now_ms() < feed->rewind_ms)
		return false;
	feed->wants_rewind = true;
	(void)pthread_cond_signal(&feed->wanted);
	return true;
}

/* Is this position a part of the history, and does the ring continue from it? */
static bool can_go_on(const struct feed *feed, const char *lineage, int64_t since)
{
	return lineage[0] != '\0' && since >= feed->floor_revision &&
	       history_holds(&feed->ancestry, lineage, since, feed->revision);
}

/* Is there a full state, at `revision` or later, from which the ring continues? */
static bool has_snapshot(const struct feed *feed, int64_t revision)
{
	return feed->snapshot != NULL && feed->snapshot->revision >= feed->floor_revision &&
	       feed->snapshot->revision >= revision;
}

/*
 * Write the first line: hello, followed by a reset when the ring cannot continue from `since`. When memory is out,
 * there is no line, and the stream ends.
 */
static void say_hello(struct feed_subscriber *s)
{
	struct feed *feed = s->feed;
	bool can_resume = can_go_on(feed, s->lineage, s->since);
	s->promised_revision = feed->revision;
	buf_printf(&s->line, "{\"type\":\"hello\",\"format\":1,\"store_id\":\"%s\",\"revision\":%lld,",
		   store_id(feed->store), (long long)feed->revision);
	buf_printf(&s->line, "\"lineage\":\"%s\",\"digest\":true,\"ancestry\":",
		   feed->ancestry.lineages[feed->ancestry.count - 1].id);
	buf_puts(&s->line, feed->ancestry_text != NULL ? feed->ancestry_text : "");
	buf_puts(&s->line, "}\n");
	buf_puts(&s->line, can_resume ? "" : "{\"type\":\"reset\"}\n");
	s->line.failed = s->line.failed || feed->ancestry_text == NULL;
	s->phase = can_resume ? FEED_PHASE_RING : FEED_PHASE_WAIT;
	if (can_resume)
		s->block = block_after(feed, s->since);
}

/*
 * Take the full state if there is one from which the ring continues and that is at least as new as hello said;
 * otherwise ask for one. All subscribers that wait share the next one.
 */
static void look_for_snapshot(struct feed_subscriber *s)
{
	struct feed *feed = s->feed;
	if (has_snapshot(feed, s->promised_revision)) {
		s->snapshot = feed->snapshot;
		s->snapshot->references++;
		s->phase = FEED_PHASE_FILE;
		s->file_pos = 0;
	} else if (!feed->wants_snapshot) {
		feed->wants_snapshot = true;
		(void)pthread_cond_signal(&feed->wanted);
	}
}

static ssize_t send_line(struct feed_subscriber *s, char *out, size_t size)
{
	size_t len = s->line.len - s->line_pos;
	if (len > size)
		len = size;
	memcpy(out, s->line.data + s->line_pos, len);
	s->line_pos += len;
	if (s->line_pos == s->line.len) {
		buf_reset(&s->line);
		s->line_pos = 0;
	}
	return (ssize_t)len;
}

/* The file has been sent: continue from the ring. False when the ring has moved past that revision meanwhile. */
static bool leave_file(struct feed_subscriber *s)
{
	if (s->file_pos != s->snapshot->len || s->snapshot->revision < s->feed->floor_revision)
		return false;
	s->since = s->snapshot->revision;
	s->block = block_after(s->feed, s->since);
	s->block_pos = 0;
	s->phase = FEED_PHASE_RING;
	feed_snapshot_release(s->snapshot);
	s->snapshot = NULL;
	return true;
}

/* Send from the ring; 0 at its end, -1 when it no longer holds the subscriber's position. */
static ssize_t send_ring(struct feed_subscriber *s, char *out, size_t size)
{
	struct feed *feed = s->feed;
	size_t done = 0;
	if (s->block < feed->first)
		return -1;
	while (done < size && s->block < feed->first + feed->count) {
		const struct feed_block *b = &feed->ring[s->block % FEED_BACKLOG_COMMITS];
		if (b->revision <= s->since) { /* the full state was read from the store, which was ahead of the ring */
			s->block++;
			continue;
		}
		size_t len = b->len - s->block_pos < size - done ? b->len - s->block_pos : size - done;
		memcpy(out + done, b->text + s->block_pos, len);
		done += len;
		s->block_pos += len;
		if (s->block_pos == b->len) {
			s->block++;
			s->block_pos = 0;
		}
	}
	return (ssize_t)done;
}

/*
 * Send the set of doubts, once the subscriber has all commits: the verdict that settles a doubt comes before its end.
 */
static ssize_t send_doubt(struct feed_subscriber *s, char *out, size_t size)
{
	struct feed *feed = s->feed;
	if (s->doubt == NULL) {
		if (s->doubt_number == feed->doubt_number || feed->revision < feed->doubt->after_revision)
			return 0;
		s->doubt = feed->doubt;
		s->doubt->references++;
		s->doubt_number = feed->doubt_number;
		s->doubt_pos = 0;
	}
	size_t left = s->doubt->len - s->doubt_pos, len = left < size ? left : size;
	memcpy(out, s->doubt->text + s->doubt_pos, len);
	s->doubt_pos += len;
	if (len == left) {
		feed_doubt_release(s->doubt);
		s->doubt = NULL;
	}
	return (ssize_t)len;
}

/* Do one step; feed->lock is held. 0: nothing to send now, or (in FEED_PHASE_FILE) the file has to be read. */
static ssize_t pull_step(struct feed_subscriber *s, char *out, size_t size)
{
	ssize_t len = 0;
	if (s->era != s->feed->era || s->line.failed)
		return -1;
	if (s->phase == FEED_PHASE_HELLO && (s->feed->wants_rewind || is_ahead(s)))
		return 0; /* the stream is cut when that is done */
	if (s->phase == FEED_PHASE_HELLO)
		say_hello(s);
	if (s->line.failed)
		return -1;
	if (s->line_pos < s->line.len)
		return send_line(s, out, size);
	if (s->phase == FEED_PHASE_WAIT)
		look_for_snapshot(s);
	if (s->phase == FEED_PHASE_WAIT && s->feed->is_crowded && feed_now_ms() < s->feed->retry_ms)
		return -1; /* when it subscribes again, it is told why */
	if (s->phase == FEED_PHASE_RING && s->doubt == NULL)
		len = send_ring(s, out, size);
	if (s->phase == FEED_PHASE_RING && len == 0)
		len = send_doubt(s, out, size);
	bool is_between_lines = s->block_pos == 0 && s->phase != FEED_PHASE_FILE;
	/*
	 * the first heartbeat is sent at once: it says that everything that hello named, which may be nothing, has been
	 * sent
	 */
	bool is_first = s->phase == FEED_PHASE_RING && !s->is_caught_up;
	if (len == 0 && is_between_lines && (is_first || feed_now_ms() - s->sent_ms >= FEED_HEARTBEAT_MS)) {
		s->is_caught_up = s->phase == FEED_PHASE_RING;
		buf_printf(&s->line, "{\"type\":\"heartbeat\",\"revision\":%lld}\n", (long long)s->feed->revision);
		return s->line.failed ? -1 : send_line(s, out, size);
	}
	return len;
}

static ssize_t subscriber_pull(struct api_stream_source *self, char *out, size_t size)
{
	struct feed_subscriber *s = (struct feed_subscriber *)self;
	(void)pthread_mutex_lock(&s->feed->lock);
	ssize_t len = pull_step(s, out, size);
	if (len == 0 && s->phase == FEED_PHASE_FILE) {
		/*
		 * Reading this disk must not delay a commit to other subscribers. The file and the position in it
		 * belong to this subscriber.
		 */
		(void)pthread_mutex_unlock(&s->feed->lock);
		len = pread(s->snapshot->fd, out, size, s->file_pos);
		(void)pthread_mutex_lock(&s->feed->lock);
		s->file_pos += len > 0 ? len : 0;
		if (len == 0)
			len = leave_file(s) ? pull_step(s, out, size) : -1;
	}
	if (len > 0)
		s->sent_ms = feed_now_ms();
	if (len < 0)
		s->feed->cut++;
	(void)pthread_mutex_unlock(&s->feed->lock);
	return len;
}

static void subscriber_open(struct api_stream_source *self, struct api_stream *stream)
{
	struct feed_subscriber *s = (struct feed_subscriber *)self;
	struct feed *feed = s->feed;
	s->stream = stream;
	(void)pthread_mutex_lock(&feed->lock);
	s->next = feed->subscribers[s->rank];
	if (s->next != NULL)
		s->next->prev = s;
	feed->subscribers[s->rank] = s;
	feed->guests += s->rank > 0;
	(void)pthread_mutex_unlock(&feed->lock);
}

static void subscriber_close(struct api_stream_source *self)
{
	struct feed_subscriber *s = (struct feed_subscriber *)self;
	struct feed *feed = s->feed;
	(void)pthread_mutex_lock(&feed->lock);
	if (s->stream != NULL) {
		feed->guests -= s->rank > 0;
		if (s->prev != NULL)
			s->prev->next = s->next;
		else
			feed->subscribers[s->rank] = s->next;
		if (s->next != NULL)
			s->next->prev = s->prev;
	}
	feed_snapshot_release(s->snapshot);
	feed_doubt_release(s->doubt);
	(void)pthread_mutex_unlock(&feed->lock);
	buf_deinit(&s->line);
	free(s);
}

bool feed_has_room(struct feed *feed, const struct feed_position *position)
{
	const char *lineage = history_is_id(position->lineage) ? position->lineage : "";
	(void)pthread_mutex_lock(&feed->lock);
	bool has_room = !feed->is_crowded || feed_now_ms() >= feed->retry_ms || has_snapshot(feed, feed->revision) ||
			can_go_on(feed, lineage, position->since);
	feed->crowded += !has_room;
	(void)pthread_mutex_unlock(&feed->lock);
	return has_room;
}

struct api_stream_source *feed_subscribe(struct feed *feed, const struct feed_position *position)
{
	struct feed_subscriber *s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	s->source = (struct api_stream_source){subscriber_open, subscriber_pull, subscriber_close};
	s->feed = feed;
	buf_init(&s->line, FEED_HELLO_MAX);
	if (position->lineage != NULL && history_is_id(position->lineage))
		memcpy(s->lineage, position->lineage, sizeof s->lineage);
	s->rank = position->is_by_token;
	s->since = position->since;
	s->seen = position->seen;
	(void)pthread_mutex_lock(&feed->lock);
	s->era = feed->era;
	(void)pthread_mutex_unlock(&feed->lock);
	s->sent_ms = feed_now_ms();
	return &s->source;
}
