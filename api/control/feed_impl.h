/* SPDX-License-Identifier: Apache-2.0 */
/* The feed's insides; private to api/feed*.c. */
#ifndef VEER_API_CONTROL_FEED_IMPL_H
#define VEER_API_CONTROL_FEED_IMPL_H

#include <pthread.h>
#include <stdbool.h>

#include "api/control/feed.h"
#include "base/buf.h"
#include "base/file.h"

enum {
	FEED_HEARTBEAT_MS = 1000,
	FEED_HELLO_MAX = 1 << 16, /* bytes of the first line, ancestry and all */
	FEED_RETRY_MS = 1000,
	FEED_RANKS = 2,         /* name servers and the owner; tokens */
	FEED_GUESTS = 64,       /* streams of tokens; if there are more, those … */
	FEED_GUESTS_MS = 100,   /* … are told of new commits only so often */
	FEED_REWIND_MS = 10000, /* between two rewinds that subscribers cause */
};

/* One commit as its lines. */
struct feed_block {
	char *text;
	size_t len;
	int64_t revision;
	struct digest_pair sum; /* of all changes up to here since the feed began */
};

/* A doubt line (docs/formats.md, section 2), shared by those who are sending it. */
struct feed_doubt {
	char *text;
	size_t len;
	int64_t after_revision; /* not to be sent before this commit */
	unsigned references;    /* guarded by feed->lock */
};

/* The full state at one revision, as a file that has no name any more. */
struct feed_snapshot {
	int fd;
	int64_t len;
	int64_t revision;
	struct digest_pair digest; /* of all that is in it */
	unsigned references;       /* guarded by feed->lock */
	struct feed *in_memory_of; /* the feed whose memory_bytes has `len` of it; NULL: it is on the disk */
};

/* The digest of the whole state at one revision, from which those of others follow by the changes between. */
struct feed_anchor {
	int64_t revision; /* -1: not known yet */
	struct digest_pair digest;
};

/* Where a subscriber is. */
enum feed_phase {
	FEED_PHASE_HELLO,
	FEED_PHASE_WAIT, /* for a full state */
	FEED_PHASE_FILE, /* sending it */
	FEED_PHASE_RING,
};

struct feed_subscriber {
	struct api_stream_source source; /* must be first */
	struct feed *feed;
	struct feed_subscriber *next, *prev;
	unsigned rank; /* below FEED_RANKS: in whose list it is */
	struct api_stream *stream;
	enum feed_phase phase;
	char lineage[HISTORY_ID_SIZE]; /* of what it has; "" for nothing */
	int64_t since;                 /* it has everything up to this revision */
	int64_t seen;                  /* and has had this one of its lineage */
	uint64_t era;                  /* of the feed when it came */
	int64_t promised_revision;     /* what hello named: a full state must not be older */
	struct feed_snapshot *snapshot;
	int64_t file_pos;
	uint64_t block; /* number of the block it sends next */
	size_t block_pos;
	struct feed_doubt *doubt; /* on its way; NULL: none */
	size_t doubt_pos;
	uint64_t doubt_number; /* of the one sent last, or on its way; 0: none yet */
	struct buf line;       /* hello, reset or heartbeat on its way */
	size_t line_pos;
	int64_t sent_ms;
	bool is_caught_up; /* it was told once, since hello, that there is no more */
};

struct feed {
	struct store *store;
	struct logger *log;
	char *dir;
	struct buf under_way;               /* the feeding thread's */
	struct digest_pair under_way_added; /* likewise: what the commit under way changes */

	pthread_mutex_t lock; /* guards what follows; before the streams' own locks */
	pthread_cond_t wanted;
	struct feed_block ring[FEED_BACKLOG_COMMITS]; /* block number n stands at n % FEED_BACKLOG_COMMITS */
	uint64_t first;                               /* number of the oldest block kept */
	size_t count;
	size_t bytes;
	int64_t floor_revision;       /* the ring holds all commits after this one */
	int64_t revision;             /* the newest */
	struct digest_pair sum;       /* of all changes up to it since the feed began */
	struct digest_pair floor_sum; /* the same at floor_revision */
	struct feed_anchor anchor;
	struct history_ancestry ancestry; /* of the store; the last lineage is what is fed */
	char *ancestry_text;              /* the same as it stands in hello; NULL: memory was out */
	uint64_t era;                     /* counts lineages that were fed; who came in an earlier one is cut */
	bool wants_rewind;                /* somebody has seen what the store does not have */
	int64_t rewind_ms;                /* no rewind before this time */
	int64_t fed_revision;             /* the newest that has lines; 0 before the first */
	struct feed_doubt *doubt;         /* in force; never NULL */
	uint64_t doubt_number;            /* counts those that were */
	struct feed_snapshot *snapshot;
	bool wants_snapshot;                    /* somebody waits for one */
	bool wants_anchor;                      /* the digest of the state is not known */
	int64_t retry_ms;                       /* no new try to write one before this time */
	int64_t memory_bytes, memory_max_bytes; /* of full states that are in memory, all together */
	bool is_crowded; /* the last one found no room: who needs one is told so, and comes again */
	bool is_closing;
	struct feed_subscriber *subscribers[FEED_RANKS]; /* name servers are told before others */
	size_t guests;                                   /* of the second rank */
	int64_t guests_woken_ms;
	bool guests_wait; /* there is news that they were not woken for */
	uint64_t commits, cut, snapshots, rewinds, crowded;
	pthread_t thread;
	bool has_thread;
};

/* The system's monotonic clock. */
int64_t feed_now_ms(void);
/* Append the put or del line of `object`. False when name servers could not read it: then nothing is appended. */
bool feed_write_line(struct buf *out, const struct store_object *object);
/* Drop one reference; feed->lock is held, or nobody else is left. NULL is fine. */
void feed_doubt_release(struct feed_doubt *doubt);
/* The same. */
void feed_snapshot_release(struct feed_snapshot *snapshot);

/* Say that an object of the store is left out of the feed. */
void feed_complain(struct feed *feed, const struct store_object *object);
/* Append a commit line. */
void feed_write_commit_line(struct buf *out, int64_t revision);
/* Forget all commits up to `revision`, and where everybody is. feed->lock is held. */
void feed_lose_all(struct feed *feed, int64_t revision);
/* Wake all subscribers. feed->lock is held. */
void feed_wake_all(struct feed *feed);
/* Take the store's ancestry, as it is now. feed->lock is held, or nobody else is there yet. */
void feed_take_ancestry(struct feed *feed);
/* feed_snapshot.c: the thread. */
void *feed_snapshot_main(void *ctx);

/* What the change adds to the digest; takes off what it has replaced. */
void feed_count_change(struct digest_pair *sum, const struct store_object *object);
/* The digest at `revision` follows from now on from this one; says so when it should have been another. feed->lock is
 * held. */
void feed_set_anchor(struct feed *feed, int64_t revision, const struct digest_pair *digest);
/* The ring has a new floor. feed->lock is held. */
void feed_raise_floor(struct feed *feed, int64_t revision, const struct digest_pair *sum);

#endif
