/* SPDX-License-Identifier: Apache-2.0 */
/* Internals of the feed; private to api/control/feed*.c. */
#ifndef VEER_API_CONTROL_FEED_IMPL_H
#define VEER_API_CONTROL_FEED_IMPL_H

#include <pthread.h>
#include <stdbool.h>

#include "api/control/feed.h"
#include "base/buf.h"
#include "base/file.h"

enum {
	FEED_HEARTBEAT_MS = 1000,
	FEED_HELLO_MAX = 1 << 16, /* bytes of the first line, including the ancestry */
	FEED_RETRY_MS = 1000,
	FEED_RANKS = 2,         /* name servers and the owner; tokens */
	FEED_GUESTS = 64,       /* streams of tokens; if there are more, … */
	FEED_GUESTS_MS = 100,   /* … they are told of new commits only this often */
	FEED_REWIND_MS = 10000, /* between two rewinds that subscribers cause */
};

/* One commit, as lines. */
struct feed_block {
	char *text;
	size_t len;
	int64_t revision;
	struct digest_pair sum; /* of all changes up to here since the feed began */
};

/* A doubt line (docs/formats.md, section 2), shared by the subscribers to which it is being sent. */
struct feed_doubt {
	char *text;
	size_t len;
	int64_t after_revision; /* not to be sent before this commit */
	unsigned references;    /* guarded by feed->lock */
};

/* The full state at one revision, as a file that is already unlinked. */
struct feed_snapshot {
	int fd;
	int64_t len;
	int64_t revision;
	struct digest_pair digest; /* of everything in it */
	unsigned references;       /* guarded by feed->lock */
	struct feed *in_memory_of; /* the feed whose memory_bytes includes `len`; NULL: it is on the disk */
};

/* The digest of the whole state at one revision, from which the digests at other revisions are computed. */
struct feed_anchor {
	int64_t revision; /* -1: not known yet */
	struct digest_pair digest;
};

/* What a subscriber is doing. */
enum feed_phase {
	FEED_PHASE_HELLO,
	FEED_PHASE_WAIT, /* for a full state */
	FEED_PHASE_FILE, /* sending the full state */
	FEED_PHASE_RING,
};

struct feed_subscriber {
	struct api_stream_source source; /* must be first */
	struct feed *feed;
	struct feed_subscriber *next, *prev;
	unsigned rank; /* below FEED_RANKS: the list that it is in */
	struct api_stream *stream;
	enum feed_phase phase;
	char lineage[HISTORY_ID_SIZE]; /* the lineage of what it has; "": it has nothing */
	int64_t since;                 /* it has everything up to this revision */
	int64_t seen;                  /* it has had this revision of its lineage before */
	uint64_t era;                  /* the feed's era when it subscribed */
	int64_t promised_revision;     /* the revision in its hello: a full state must not be older */
	struct feed_snapshot *snapshot;
	int64_t file_pos;
	uint64_t block; /* number of the block it sends next */
	size_t block_pos;
	struct feed_doubt *doubt; /* being sent; NULL: none */
	size_t doubt_pos;
	uint64_t doubt_number; /* number of the doubt sent last, or being sent; 0: none yet */
	struct buf line;       /* hello, reset or heartbeat that is being sent */
	size_t line_pos;
	int64_t sent_ms;
	bool is_caught_up; /* it was told once, since its hello, that it has everything */
};

struct feed {
	struct store *store;
	struct logger *log;
	char *dir;
	struct buf under_way;               /* used only by the feeding thread */
	struct digest_pair under_way_added; /* likewise: what the commit in progress changes */

	pthread_mutex_t lock; /* guards what follows; taken before the streams' own locks */
	pthread_cond_t wanted;
	struct feed_block ring[FEED_BACKLOG_COMMITS]; /* block number n is at n % FEED_BACKLOG_COMMITS */
	uint64_t first;                               /* number of the oldest block kept */
	size_t count;
	size_t bytes;
	int64_t floor_revision;       /* the ring holds all commits after this one */
	int64_t revision;             /* the newest */
	struct digest_pair sum;       /* of all changes up to `revision` since the feed began */
	struct digest_pair floor_sum; /* the same at floor_revision */
	struct feed_anchor anchor;
	struct history_ancestry ancestry; /* of the store; the last lineage is the one that is fed */
	char *ancestry_text;              /* the same, as in hello; NULL: memory was out */
	uint64_t era;                     /* counts the lineages that were fed; subscribers of earlier ones are cut */
	bool wants_rewind;                /* a subscriber has seen more than the store has */
	int64_t rewind_ms;                /* no rewind before this time */
	int64_t fed_revision;             /* the newest revision that has lines; 0 before the first */
	struct feed_doubt *doubt;         /* in force; never NULL */
	uint64_t doubt_number;            /* counts the doubt lines */
	struct feed_snapshot *snapshot;
	bool wants_snapshot;                    /* a subscriber waits for one */
	bool wants_anchor;                      /* the digest of the whole state is not known */
	int64_t retry_ms;                       /* a full state is not tried again before this time */
	int64_t memory_bytes, memory_max_bytes; /* used by all full states in memory, and the maximum */
	bool is_crowded; /* the last full state found no room: subscribers that need one are told to come again */
	bool is_closing;
	struct feed_subscriber *subscribers[FEED_RANKS]; /* name servers are told before others */
	size_t guests;                                   /* number of subscribers of the second rank */
	int64_t guests_woken_ms;
	bool guests_wait; /* there is news for which they were not woken */
	uint64_t commits, cut, snapshots, rewinds, crowded;
	pthread_t thread;
	bool has_thread;
};

/* The system's monotonic clock. */
int64_t feed_now_ms(void);
/* Append the put or del line of `object`. False when name servers could not read it: then nothing is appended. */
bool feed_write_line(struct buf *out, const struct store_object *object);
/* Drop one reference; feed->lock is held, or no other thread uses the feed. NULL is allowed. */
void feed_doubt_release(struct feed_doubt *doubt);
/* Drop one reference, as feed_doubt_release(). */
void feed_snapshot_release(struct feed_snapshot *snapshot);

/* Log that an object of the store is left out of the feed. */
void feed_complain(struct feed *feed, const struct store_object *object);
/* Append a commit line. */
void feed_write_commit_line(struct buf *out, int64_t revision);
/* Forget all commits up to `revision`, so that every subscriber has to start anew. feed->lock is held. */
void feed_lose_all(struct feed *feed, int64_t revision);
/* Wake the subscribers. feed->lock is held. */
void feed_wake_all(struct feed *feed);
/* Read the store's present ancestry. feed->lock is held, or no other thread uses the feed yet. */
void feed_take_ancestry(struct feed *feed);
/* feed_snapshot.c: the thread's main function. */
void *feed_snapshot_main(void *ctx);

/* Add a change to the digest, and subtract the value that it has replaced. */
void feed_count_change(struct digest_pair *sum, const struct store_object *object);
/*
 * Compute digests from this anchor from now on; logs an error if the old anchor gives another digest at `revision`.
 * feed->lock is held.
 */
void feed_set_anchor(struct feed *feed, int64_t revision, const struct digest_pair *digest);
/* Raise the floor of the ring. feed->lock is held. */
void feed_raise_floor(struct feed *feed, int64_t revision, const struct digest_pair *sum);

#endif
